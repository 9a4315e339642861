//! Passwords that were verified a short while ago.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use portcullis_core::Consumer;

/// How many are remembered. When there are more, all are forgotten: the next request of each is verified anew.
const MOST: usize = 10_000;

/// A hash that nobody can make without the key, which lives in this process alone: what stands in memory tells nothing about a
/// password, and can't be guessed from.
pub(super) type Mark = [u8; 32];

/// Who showed which name and password, for a while.
pub(super) struct Remembered {
    lasting: Duration,
    key: hmac::Key,
    known: Mutex<HashMap<Mark, (Instant, Arc<Consumer>)>>,
}

impl Remembered {
    pub(super) fn new(lasting: Duration) -> Remembered {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Remembered {
            lasting,
            key: key.expect("the system gives random bytes"),
            known: Mutex::default(),
        }
    }

    pub(super) fn find(&self, name: &str, password: &[u8]) -> Option<Arc<Consumer>> {
        if self.lasting.is_zero() {
            return None;
        }
        let mark = self.mark(name, password);
        let known = self.known();
        let (until, consumer) = known.get(&mark)?;
        (*until > Instant::now()).then(|| consumer.clone())
    }

    pub(super) fn keep(&self, name: &str, password: &[u8], consumer: &Arc<Consumer>) {
        let Some(until) = Instant::now()
            .checked_add(self.lasting)
            .filter(|_| !self.lasting.is_zero())
        else {
            return;
        };
        let mark = self.mark(name, password);
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(mark, (until, consumer.clone()));
    }

    /// The length of the name goes first, so that no other name and password give the same text.
    pub(super) fn mark(&self, name: &str, password: &[u8]) -> Mark {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&name.len().to_le_bytes());
        context.update(name.as_bytes());
        context.update(password);
        let mut mark = Mark::default();
        mark.copy_from_slice(context.sign().as_ref());
        mark
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Mark, (Instant, Arc<Consumer>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_for_a_while_and_nobody_elses_is() {
        let ann = Arc::new(Consumer::new("ann", "basic"));
        let remembered = Remembered::new(Duration::from_secs(60));
        assert!(remembered.find("ann", b"secret").is_none());
        remembered.keep("ann", b"secret", &ann);
        assert!(remembered.find("ann", b"secret").is_some());
        for (name, password) in [("ann", &b"secreT"[..]), ("anns", b"ecret"), ("an", b"nsecret")] {
            assert!(remembered.find(name, password).is_none());
        }
        let forgetful = Remembered::new(Duration::ZERO);
        forgetful.keep("ann", b"secret", &ann);
        assert!(forgetful.find("ann", b"secret").is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let ann = Arc::new(Consumer::new("ann", "basic"));
        let remembered = Remembered::new(Duration::from_secs(60));
        for number in 0..=MOST {
            remembered.keep("ann", &number.to_le_bytes(), &ann);
        }
        assert_eq!(remembered.known().len(), 1);
    }
}
