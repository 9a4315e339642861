//! The answers to what authorities ask at the moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A question of an authority and what to answer, as it is kept in the storage. Whoever gets to read the answer can do
/// nothing with it: it names our account, whose key is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    pub(crate) domain: String,
    pub(crate) token: String,
    /// The token and the account's name (RFC 8555, section 8.1).
    pub(crate) answer: String,
    /// Seconds since 1970 after which nobody asks any more.
    pub(crate) expires: u64,
    /// Whether it is asked by a TLS handshake, or else by a request in clear text.
    pub(crate) by_tls: bool,
}

/// What is asked of this process at the moment, over all sets of names.
#[derive(Default)]
pub(crate) struct Challenges {
    by_set: Mutex<HashMap<u64, Vec<Question>>>,
    answers: ArcSwap<Answers>,
}

#[derive(Default)]
struct Answers {
    by_token: HashMap<String, String>,
    by_domain: HashMap<String, Arc<CertifiedKey>>,
}

impl Challenges {
    /// What to answer a request for `/.well-known/acme-challenge/TOKEN`.
    pub(crate) fn of_http(&self, token: &str) -> Option<String> {
        self.answers.load().by_token.get(token).cloned()
    }

    /// The certificate that answers a handshake for a name.
    pub(crate) fn of_tls(&self, domain: &str) -> Option<Arc<CertifiedKey>> {
        let answers = self.answers.load();
        if answers.by_domain.is_empty() {
            return None;
        }
        answers.by_domain.get(&domain.to_ascii_lowercase()).cloned()
    }

    /// What is asked as far as one set of names knows, in place of what it knew before.
    ///
    /// # Errors
    /// When a certificate can't be made for one of them; the others are answered.
    pub(crate) fn publish(&self, set: u64, questions: Vec<Question>) -> Result<(), String> {
        let mut by_set = self.by_set.lock().unwrap_or_else(PoisonError::into_inner);
        if by_set.get(&set).map_or(&[][..], Vec::as_slice) == questions {
            return Ok(());
        }
        by_set.insert(set, questions);
        self.rebuild(&by_set)
    }

    /// Forgets what a set of names knew.
    pub(crate) fn withdraw(&self, set: u64) {
        let mut by_set = self.by_set.lock().unwrap_or_else(PoisonError::into_inner);
        if by_set.remove(&set).is_some_and(|questions| !questions.is_empty()) {
            // Making the certificates of the others again fails as it failed before.
            let _ = self.rebuild(&by_set);
        }
    }

    fn rebuild(&self, by_set: &HashMap<u64, Vec<Question>>) -> Result<(), String> {
        let mut answers = Answers::default();
        let mut failed = Ok(());
        for question in by_set.values().flatten() {
            if !question.by_tls {
                answers.by_token.insert(question.token.clone(), question.answer.clone());
            } else if !answers.by_domain.contains_key(&question.domain) {
                match certificate(question) {
                    Ok(key) => _ = answers.by_domain.insert(question.domain.clone(), Arc::new(key)),
                    Err(error) => failed = Err(format!("can't make the answer for {}: {error}", question.domain)),
                }
            }
        }
        self.answers.store(Arc::new(answers));
        failed
    }
}

/// The certificate that answers a handshake (RFC 8737, section 3): it signs itself, is for one name, and holds the hash of
/// the answer.
fn certificate(question: &Question) -> Result<CertifiedKey, String> {
    let in_words = |error: rcgen::Error| error.to_string();
    let mut params = CertificateParams::new(vec![question.domain.clone()]).map_err(in_words)?;
    params.distinguished_name = DistinguishedName::new();
    let hash = Sha256::digest(&question.answer);
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&hash)];
    let key = KeyPair::generate().map_err(in_words)?;
    let certificate = params.self_signed(&key).map_err(in_words)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = aws_lc_rs::sign::any_supported_type(&key).map_err(|error| error.to_string())?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(domain: &str, by_tls: bool) -> Question {
        Question {
            domain: domain.to_owned(),
            token: format!("token-of-{domain}"),
            answer: format!("answer-of-{domain}"),
            expires: 0,
            by_tls,
        }
    }

    #[test]
    fn each_way_of_asking_has_its_answer_until_it_is_withdrawn() {
        let challenges = Challenges::default();
        assert_eq!(challenges.publish(1, vec![question("a.test", false)]), Ok(()));
        assert_eq!(challenges.publish(2, vec![question("b.test", true)]), Ok(()));
        assert_eq!(
            challenges.of_http("token-of-a.test").as_deref(),
            Some("answer-of-a.test")
        );
        assert_eq!(challenges.of_http("token-of-b.test"), None);
        assert!(challenges.of_tls("B.test").is_some() && challenges.of_tls("a.test").is_none());

        challenges.withdraw(1);
        assert_eq!(challenges.of_http("token-of-a.test"), None);
        assert!(challenges.of_tls("b.test").is_some());
        assert_eq!(challenges.publish(2, Vec::new()), Ok(()));
        assert!(challenges.of_tls("b.test").is_none());
    }

    #[test]
    fn the_certificate_holds_the_hash_of_the_answer() {
        let made = certificate(&question("a.test", true)).unwrap_or_else(|error| panic!("{error}"));
        // The extension 1.3.6.1.5.5.7.1.31, critical, with an octet string in an octet string.
        let mut expected = vec![0x06, 8, 0x2b, 6, 1, 5, 5, 7, 1, 31, 1, 1, 0xff, 4, 34, 4, 32];
        expected.extend_from_slice(&Sha256::digest("answer-of-a.test"));
        assert!(made.cert[0].windows(expected.len()).any(|window| window == expected));
    }
}
