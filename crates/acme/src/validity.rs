//! What a certificate says about itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::AuthorityKeyIdentifier;

/// What a certificate says about its time and its place among those of its authority (RFC 5280, section 4.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) starts: SystemTime,
    pub(crate) ends: SystemTime,
    /// The content octets of the serial number.
    pub(crate) serial: Vec<u8>,
    /// The identifier of the key that signed it, where it names one (RFC 5280, section 4.2.1.1).
    pub(crate) authority_key: Option<Vec<u8>>,
}

impl Validity {
    /// Reads a certificate.
    ///
    /// # Errors
    /// When it is none, or ends before it starts.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Result<Validity, String> {
        let no_certificate = |error: x509_cert::der::Error| format!("this is no certificate: {error}");
        let certificate = Certificate::from_der(certificate).map_err(no_certificate)?;
        let body = certificate.tbs_certificate();
        let authority = body.get_extension::<AuthorityKeyIdentifier>().map_err(no_certificate)?;
        let authority_key = authority.and_then(|(_, authority)| authority.key_identifier);
        let (starts, ends) = (body.validity().not_before, body.validity().not_after);
        let validity = Validity {
            starts: UNIX_EPOCH + starts.to_unix_duration(),
            ends: UNIX_EPOCH + ends.to_unix_duration(),
            serial: body.serial_number().as_bytes().to_vec(),
            authority_key: authority_key.map(|key| key.as_bytes().to_vec()),
        };
        if validity.ends <= validity.starts {
            return Err("the certificate ends before it starts".to_owned());
        }
        Ok(validity)
    }

    /// How long it is valid altogether.
    pub(crate) fn lifetime(&self) -> Duration {
        self.ends.duration_since(self.starts).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, Issuer, KeyPair, SerialNumber, date_time_ymd};

    use super::*;

    fn issued(years: (i32, i32), with_authority_key: bool) -> Vec<u8> {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![7; 20]);
        let issuer = Issuer::new(authority, authority_key);
        let mut params = CertificateParams::new(vec!["shop.test".to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        params.serial_number = Some(SerialNumber::from_slice(&[0x87, 1, 2]));
        params.use_authority_key_identifier_extension = with_authority_key;
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &issuer).unwrap().der().to_vec()
    }

    #[test]
    fn times_and_numbers_are_read() {
        // A year from 2050 on is written in another form (RFC 5280, section 4.1.2.5).
        for years in [(2026, 2027), (2026, 2051)] {
            let validity = Validity::of(&issued(years, true).into()).unwrap();
            assert_eq!(validity.starts, SystemTime::from(date_time_ymd(years.0, 1, 1)));
            assert_eq!(validity.ends, SystemTime::from(date_time_ymd(years.1, 1, 1)));
            // The first octet would make it negative without another before it.
            assert_eq!(validity.serial, [0, 0x87, 1, 2]);
            assert_eq!(validity.authority_key, Some(vec![7; 20]));
        }
        let validity = Validity::of(&issued((2026, 2027), false).into()).unwrap();
        assert_eq!(validity.authority_key, None);
        assert_eq!(validity.lifetime(), Duration::from_secs(365 * 86_400));
    }

    #[test]
    fn an_end_before_the_start_is_refused() {
        assert!(Validity::of(&issued((2027, 2026), true).into()).is_err());
    }

    proptest! {
        /// Whatever the bytes are, there is an answer.
        #[test]
        fn nothing_breaks_it(at in 0_usize..400, byte: u8, length in 0_usize..400) {
            let mut bytes = issued((2026, 2027), true);
            let place = at % bytes.len();
            bytes[place] = byte;
            let _ = Validity::of(&bytes.clone().into());
            bytes.truncate(length);
            let _ = Validity::of(&bytes.into());
        }
    }
}
