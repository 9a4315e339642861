//! Which certificate a client gets.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::SignatureAlgorithm;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pair::Pair;

/// The ALPN protocol of validation by TLS (RFC 8737 §3).
pub(super) const ACME_TLS: &[u8] = b"acme-tls/1";

/// Certificates that no file of the configuration holds: an authority issues them while the gate runs.
pub(crate) trait Issued: fmt::Debug + Send + Sync {
    /// The certificate for a host in small letters, if there is one by now.
    fn certificate_for(&self, server_name: &str) -> Option<Arc<CertifiedKey>>;

    /// What proves to the authority that a host in small letters is ours (RFC 8737), while it asks for that.
    fn challenge_for(&self, server_name: &str) -> Option<Arc<CertifiedKey>>;
}

/// The certificates of a listener, by the hosts that they are for. A handshake costs the same whatever their number.
#[derive(Debug)]
pub(super) struct Certificates {
    exact: HashMap<Box<str>, Choice>,
    /// By the domain below `*.`.
    wildcard: HashMap<Box<str>, Choice>,
    issued: Option<Arc<dyn Issued>>,
    /// For clients that name no host, or one that no certificate is for.
    fallback: Choice,
}

/// Certificates for one name by different kinds of keys, the cheapest to sign with first.
type Choice = Vec<Arc<CertifiedKey>>;

impl Certificates {
    /// Those of `pairs`; the first of them is for clients that none is for, unless those are refused.
    pub(super) fn new<'p>(
        pairs: impl Iterator<Item = &'p Pair> + Clone,
        issued: Option<Arc<dyn Issued>>,
        refuse_others: bool,
    ) -> Certificates {
        let mut certificates = Certificates {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            issued,
            fallback: Vec::new(),
        };
        let first = pairs.clone().next();
        for pair in pairs {
            for name in &pair.names {
                let (names, key) = match name.strip_prefix("*.") {
                    Some(domain) => (&mut certificates.wildcard, domain),
                    None => (&mut certificates.exact, name.as_str()),
                };
                match names.get_mut(key) {
                    Some(choice) => choice.push(pair.key.clone()),
                    None => _ = names.insert(key.into(), vec![pair.key.clone()]),
                }
            }
        }
        let choices = certificates
            .exact
            .values_mut()
            .chain(certificates.wildcard.values_mut());
        // The sort is stable: of two keys of a kind, the first in the file is taken.
        choices.for_each(|choice| choice.sort_by_key(|key| key.key.algorithm() == SignatureAlgorithm::RSA));
        if let Some(first) = first.filter(|_| !refuse_others) {
            let of_the_same_name = first.names.first().and_then(|name| certificates.find(name));
            certificates.fallback = of_the_same_name.cloned().unwrap_or_else(|| vec![first.key.clone()]);
        }
        certificates
    }

    /// The certificates for a host in small letters, or for a wildcard itself: one for exactly that name goes before
    /// one for all names of its domain.
    fn find(&self, host: &str) -> Option<&Choice> {
        let below = || host.split_once('.').and_then(|(_, domain)| self.wildcard.get(domain));
        self.exact.get(host).or_else(below)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 6066 §3: names are compared without regard to case.
        let host = hello.server_name().map(str::to_ascii_lowercase);
        let choice = host.as_deref().and_then(|host| self.find(host));
        if choice.is_none()
            && let Some(key) = issued_to(self.issued.as_ref(), host.as_deref(), |issued, host| {
                issued.certificate_for(host)
            })
        {
            return Some(key);
        }
        let choice = choice.unwrap_or(&self.fallback);
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        // Where none fits, the handshake fails with the alert that says so.
        choice.iter().find(fits).or_else(|| choice.first()).cloned()
    }
}

/// Answers an authority that looks whether a host is ours, and nobody else.
#[derive(Debug)]
pub(super) struct Challenges(pub(super) Arc<dyn Issued>);

impl ResolvesServerCert for Challenges {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name().map(str::to_ascii_lowercase);
        issued_to(Some(&self.0), host.as_deref(), |issued, host| {
            issued.challenge_for(host)
        })
    }
}

/// Whether a client wants nothing but to see a host proved (RFC 8737 §3).
pub(super) fn is_challenge(hello: &ClientHello<'_>) -> bool {
    let mut protocols = hello.alpn().into_iter().flatten();
    protocols.next() == Some(ACME_TLS) && protocols.next().is_none()
}

fn issued_to(
    issued: Option<&Arc<dyn Issued>>,
    host: Option<&str>,
    find: impl Fn(&dyn Issued, &str) -> Option<Arc<CertifiedKey>>,
) -> Option<Arc<CertifiedKey>> {
    find(&**issued?, host?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::PrivateKeyDer;

    use super::*;

    /// Pairs that differ in their names alone.
    fn pairs(names: &[&[&str]]) -> Vec<Pair> {
        let made = rcgen::generate_simple_self_signed(vec!["any.test".to_owned()]).expect("a certificate");
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let pair = |names: &&[&str]| {
            let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
            let key = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider).expect("a pair");
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Pair::of_names(Arc::new(key), names, Duration::MAX)
        };
        names.iter().map(pair).collect()
    }

    #[test]
    fn a_name_finds_its_certificate() {
        let pairs = pairs(&[&["a.test", "*.a.test"], &["x.a.test"], &["*.x.a.test"]]);
        let certificates = Certificates::new(pairs.iter(), None, false);
        let check = |host: &str, expected: Option<usize>| {
            let found = certificates.find(host).map(|choice| &choice[0]);
            let found = found.map(|key| pairs.iter().position(|pair| Arc::ptr_eq(&pair.key, key)));
            assert_eq!(found, expected.map(Some), "{host}");
        };
        check("a.test", Some(0));
        check("y.a.test", Some(0));
        check("x.a.test", Some(1));
        check("y.x.a.test", Some(2));
        check("z.y.a.test", None);
        check("test", None);
        check("", None);
    }

    #[test]
    fn who_asks_for_another_name_gets_the_first_certificate_or_none() {
        let pairs = pairs(&[&["a.test"], &["b.test"]]);
        let fallback = |refuse| Certificates::new(pairs.iter(), None, refuse).fallback;
        assert!(Arc::ptr_eq(&fallback(false)[0], &pairs[0].key));
        assert!(fallback(true).is_empty());
    }
}
