//! What a client's certificate says of it.

use std::fmt::Write as _;

use portcullis_core::ClientCertificate;
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::{self, Decode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Reads a certificate, of which the chain was verified before.
///
/// # Errors
/// When it is not written as RFC 5280 asks: whoever can't be named is not let in.
pub(super) fn read(certificate: &[u8]) -> Result<ClientCertificate, der::Error> {
    let parsed = Certificate::from_der(certificate)?;
    let parsed = parsed.tbs_certificate();
    let mut subject = String::new();
    // Not `to_string`, which panics when a name can't be written.
    write!(subject, "{}", parsed.subject()).map_err(|_| der::Error::from(der::ErrorKind::Failed))?;
    let (mut dns_names, mut uris, mut mail_addresses) = (Vec::new(), Vec::new(), Vec::new());
    if let Some((_, SubjectAltName(names))) = parsed.get_extension::<SubjectAltName>()? {
        for name in &names {
            match name {
                GeneralName::DnsName(name) => dns_names.push(name.as_str().into()),
                GeneralName::UniformResourceIdentifier(name) => uris.push(name.as_str().into()),
                GeneralName::Rfc822Name(name) => mail_addresses.push(name.as_str().into()),
                _ => {}
            }
        }
    }
    Ok(ClientCertificate {
        subject: subject.into(),
        dns_names: dns_names.into(),
        uris: uris.into(),
        mail_addresses: mail_addresses.into(),
        fingerprint: Sha256::digest(certificate).into(),
        der: certificate.into(),
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate() -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["ann.test".to_owned()]).expect("a name");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Ex, ample");
        params.distinguished_name.push(DnType::CommonName, "ann");
        let text = |text: &str| text.try_into().expect("it is ASCII");
        params.subject_alt_names.push(SanType::URI(text("spiffe://test/ann")));
        params.subject_alt_names.push(SanType::Rfc822Name(text("ann@test")));
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    #[test]
    fn subject_and_names_are_read() {
        let read = read(&certificate()).expect("it is a certificate");
        assert_eq!(&*read.subject, r"CN=ann,O=Ex\, ample");
        assert_eq!(*read.dns_names, [Box::from("ann.test")]);
        assert_eq!(*read.uris, [Box::from("spiffe://test/ann")]);
        assert_eq!(*read.mail_addresses, [Box::from("ann@test")]);
        assert_eq!(read.fingerprint, <[u8; 32]>::from(Sha256::digest(&read.der)));
    }

    #[test]
    fn no_damage_makes_it_panic() {
        let whole = certificate();
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err());
        }
        for at in 0..whole.len() {
            for change in [0x01, 0x20, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] ^= change;
                let _ = read(&changed);
            }
        }
    }
}
