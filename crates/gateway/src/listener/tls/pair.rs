//! One certificate with its key, from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_config::listener::Certificate;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_cert::der::Decode;

use super::ocsp::{self, Staple};

/// The part of its life before its end in which a certificate is said to end: by then whoever renews certificates
/// should have done so, which is usual when a third is left.
const LAST_PART: u32 = 10;

/// The files of a certificate.
#[derive(Debug)]
pub(super) struct PairFiles {
    cert: PathBuf,
    key: PathBuf,
    ocsp: Option<PathBuf>,
}

/// A certificate chain with its key.
#[derive(Debug)]
pub(super) struct Pair {
    /// What signs handshakes.
    pub(super) key: Arc<CertifiedKey>,
    /// The hosts that it is for, in small letters; a name may begin with `*.`.
    pub(super) names: Vec<String>,
    /// When it ends, since 1970; unknown of one that only its clients can read.
    pub(super) expires: Option<Duration>,
    staple: Option<Staple>,
}

impl PairFiles {
    /// The files that are written, below `base`.
    pub(super) fn new(written: &Certificate, base: &Path) -> PairFiles {
        PairFiles {
            cert: base.join(&written.cert),
            key: base.join(&written.key),
            ocsp: written.ocsp.as_ref().map(|path| base.join(path)),
        }
    }

    /// Where they are.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        [&self.cert, &self.key].into_iter().chain(&self.ocsp).cloned().collect()
    }

    /// What they are called in the log.
    pub(super) fn shown(&self) -> String {
        self.cert.display().to_string()
    }

    /// Reads them, and says what is odd about them. Times are since 1970.
    ///
    /// # Errors
    /// Says in words for people which file can't be used.
    pub(super) fn load(
        &self,
        provider: &CryptoProvider,
        now: Duration,
        odd: &mut dyn FnMut(String),
    ) -> Result<Pair, String> {
        let shown = self.cert.display();
        let chain = read_certificates(&self.cert)?;
        let cannot = |error: &dyn std::fmt::Display| format!("can't read the key {}: {error}", self.key.display());
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| cannot(&error))?;
        let names = names_of(&chain[0]);
        if names.is_empty() {
            odd(format!("{shown} is for no host by its name"));
        }
        let parsed: Vec<_> = chain
            .iter()
            .map(|it| x509_cert::Certificate::from_der(it).ok())
            .collect();
        look_at_chain(&parsed, now, &mut |what| odd(format!("{shown}{what}")));
        let mut key = CertifiedKey::from_der(chain, key, provider)
            .map_err(|error| format!("{shown} and {} are no usable pair: {error}", self.key.display()))?;
        let leaf = parsed[0].as_ref().map(|it| it.tbs_certificate());
        let staple = self.ocsp.as_ref().zip(leaf).and_then(|(path, leaf)| {
            let staple = read_staple(path, leaf.serial_number().as_bytes(), now);
            staple
                .map_err(|why| odd(format!("{} is left out: {why}", path.display())))
                .ok()
        });
        key.ocsp = staple.as_ref().map(|staple| staple.response.clone());
        Ok(Pair {
            key: Arc::new(key),
            names,
            expires: leaf.map(|leaf| leaf.validity().not_after.to_unix_duration()),
            staple,
        })
    }
}

impl Pair {
    /// One that came from no file.
    #[cfg(test)]
    pub(super) fn of_names(key: Arc<CertifiedKey>, names: Vec<String>, expires: Duration) -> Pair {
        Pair {
            key,
            names,
            expires: Some(expires),
            staple: None,
        }
    }

    /// The same without its OCSP response, where that is out of date by now.
    pub(super) fn without_old_staple(&self, now: Duration) -> Option<Pair> {
        if !self.staple.as_ref()?.has_ended(now) {
            return None;
        }
        let mut key = CertifiedKey::clone(&self.key);
        key.ocsp = None;
        Some(Pair {
            key: Arc::new(key),
            names: self.names.clone(),
            expires: self.expires,
            staple: None,
        })
    }
}

/// The time since 1970.
pub(super) fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// The certificates of a PEM file: one at the least.
///
/// # Errors
/// Says in words for people why there is none.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot = |error: &dyn std::fmt::Display| format!("can't read the certificate {}: {error}", path.display());
    let chain = CertificateDer::pem_file_iter(path)
        .map_err(|error| cannot(&error))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| cannot(&error))?;
    if chain.is_empty() {
        return Err(cannot(&"there is no certificate in it"));
    }
    Ok(chain)
}

fn read_staple(path: &Path, serial: &[u8], now: Duration) -> Result<Staple, String> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut response = Vec::new();
    // One byte more shows that it is too large.
    file.take(ocsp::LARGEST as u64 + 1)
        .read_to_end(&mut response)
        .map_err(|error| error.to_string())?;
    Staple::new(response, serial, now)
}

/// Says what clients won't like about a chain.
fn look_at_chain(chain: &[Option<x509_cert::Certificate>], now: Duration, odd: &mut dyn FnMut(String)) {
    for (nth, certificate) in chain.iter().enumerate() {
        let Some(tbs) = certificate.as_ref().map(|it| it.tbs_certificate()) else {
            continue;
        };
        let which = match nth {
            0 => String::new(),
            nth => format!(": certificate {}", nth + 1),
        };
        let validity = tbs.validity();
        let (begin, end) = (
            validity.not_before.to_unix_duration(),
            validity.not_after.to_unix_duration(),
        );
        if end <= now {
            odd(format!("{which} expired on {}", validity.not_after));
        } else if begin > now {
            odd(format!("{which} is not valid before {}", validity.not_before));
        } else if end - now < (end - begin) / LAST_PART {
            odd(format!("{which} expires on {}", validity.not_after));
        }
        // RFC 8446 §4.4.2: each certificate should certify the one before it. Most clients cope, and some don't.
        if let Some(Some(next)) = chain.get(nth + 1)
            && next.tbs_certificate().subject() != tbs.issuer()
        {
            odd(format!(
                ": certificate {} is not the issuer of the one before it",
                nth + 2
            ));
        }
    }
}

/// The DNS names that a certificate is for, in small letters.
fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    match webpki::EndEntityCert::try_from(certificate) {
        Ok(certificate) => certificate.valid_dns_names().map(str::to_ascii_lowercase).collect(),
        Err(_) => Vec::new(),
    }
}
