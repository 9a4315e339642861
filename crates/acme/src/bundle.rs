//! A certificate with its key as one file, so that neither is ever seen without the other that belongs to it.

use std::collections::HashSet;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::certificates::Current;
use crate::validity::Validity;

/// The file of a key and the chain that the authority issued for it, both in PEM.
pub(crate) fn write(key: &str, chain: &str) -> Vec<u8> {
    format!("{}\n{}\n", key.trim_end(), chain.trim_end()).into_bytes()
}

/// What a file holds, if it can be used for all of the names.
///
/// # Errors
/// Says in words what is wrong with it.
pub(crate) fn read(bytes: &[u8], domains: &[String]) -> Result<Current, String> {
    let chain = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("the certificate can't be read: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(bytes).map_err(|error| format!("the key can't be read: {error}"))?;
    let first = chain.first().ok_or("there is no certificate")?;
    let validity = Validity::of(first)?;
    let names = webpki::EndEntityCert::try_from(first).map_err(|error| error.to_string())?;
    let names: HashSet<String> = names.valid_dns_names().map(str::to_ascii_lowercase).collect();
    if let Some(missing) = domains.iter().find(|domain| !names.contains(*domain)) {
        return Err(format!("the certificate is not for {missing}"));
    }
    let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|error| format!("the certificate and the key are no usable pair: {error}"))?;
    Ok(Current {
        key: Arc::new(key),
        validity,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_a_pair_for_all_names_can_be_used() {
        let names = ["a.test".to_owned(), "b.test".to_owned()];
        let one = rcgen::generate_simple_self_signed(names.to_vec()).unwrap();
        let other = rcgen::generate_simple_self_signed(names.to_vec()).unwrap();
        let bundle = write(&one.signing_key.serialize_pem(), &one.cert.pem());
        assert!(read(&bundle, &names).is_ok());
        let why = |bundle: &[u8], names: &[String]| read(bundle, names).err().unwrap();
        assert!(why(&bundle, &["c.test".to_owned()]).contains("not for c.test"));
        let mixed = write(&other.signing_key.serialize_pem(), &one.cert.pem());
        assert!(why(&mixed, &names).contains("no usable pair"));
        assert!(why(one.cert.pem().as_bytes(), &names).contains("key"));
        assert!(why(one.signing_key.serialize_pem().as_bytes(), &names).contains("no certificate"));
        assert!(why(b"", &names).contains("key"));
    }
}
