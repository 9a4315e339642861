//! Tokens that were verified a while ago.
//!
//! Each worker has its own, so that no request waits for another worker. A token is found by the end of its signature and then
//! compared as a whole: that is exact, and costs a fraction of what a cryptographic hash of it would. Who wants to learn
//! from the time of the comparison where a guess begins to differ must have the end of the signature already.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use thread_local::ThreadLocal;

use super::identity::Holder;

/// How many tokens a worker knows at the most, in two halves: the younger one is filled, and what is asked for moves into it; when it
/// is full, the older one is forgotten.
const MOST: usize = 8192;

/// How many bytes the tokens of one half may have together. What is made of one takes a few times as much.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// How many bytes of a signature's end tell tokens apart before they are compared: 192 bits.
const END: usize = 32;

/// The end of a token.
type End = [u8; END];

/// What workers know.
#[derive(Default)]
pub(super) struct Known {
    workers: ThreadLocal<RefCell<Halves>>,
}

#[derive(Default)]
struct Halves {
    young: HashMap<End, Entry>,
    old: HashMap<End, Entry>,
    young_bytes: usize,
}

struct Entry {
    token: Box<[u8]>,
    /// Seconds since 1970.
    until: u64,
    /// Which keys it was verified by: with other ones it has to be verified again.
    keys: u64,
    holder: Arc<Holder>,
}

impl Known {
    /// Who holds the token, if it was verified by these keys and is still good.
    pub(super) fn find(&self, token: &[u8], keys: u64, now: u64) -> Option<Arc<Holder>> {
        let end = token.last_chunk::<END>()?;
        let mut halves = self.workers.get_or_default().borrow_mut();
        let good = |entry: &Entry| entry.keys == keys && now < entry.until && *entry.token == *token;
        if let Some(entry) = halves.young.get(end) {
            return good(entry).then(|| entry.holder.clone());
        }
        let entry = halves.old.remove(end).filter(good)?;
        let holder = entry.holder.clone();
        halves.keep(*end, entry);
        Some(holder)
    }

    /// Remembers who holds a token until then.
    pub(super) fn keep(&self, token: &[u8], keys: u64, until: u64, holder: &Arc<Holder>) {
        let Some(end) = token.last_chunk::<END>() else {
            return;
        };
        let entry = Entry {
            token: token.into(),
            until,
            keys,
            holder: holder.clone(),
        };
        self.workers.get_or_default().borrow_mut().keep(*end, entry);
    }
}

impl Halves {
    fn keep(&mut self, end: End, entry: Entry) {
        let bytes = entry.token.len();
        if self.young.len() >= MOST / 2 || self.young_bytes + bytes > MOST_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        if let Some(replaced) = self.young.insert(end, entry) {
            self.young_bytes -= replaced.token.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_config::policy::jwt::Issuer;
    use serde_json::json;

    use super::super::identity::Mapping;
    use super::*;

    fn holder() -> Arc<Holder> {
        let config: Issuer = serde_json::from_value(json!({})).expect("every key has a default");
        let mapping = Mapping::new(&config).expect("its names are good");
        let claims = json!({"sub": "ann"}).as_object().cloned().unwrap_or_default();
        Arc::new(mapping.holder(claims).expect("it has a name"))
    }

    fn token(number: usize) -> Vec<u8> {
        format!("a.b.{number:040}").into_bytes()
    }

    #[test]
    fn a_token_is_known_while_it_and_its_keys_last() {
        let (known, holder) = (Known::default(), holder());
        assert!(known.find(&token(1), 7, 10).is_none());
        known.keep(&token(1), 7, 20, &holder);
        assert!(known.find(&token(1), 7, 19).is_some());
        assert!(known.find(&token(1), 7, 20).is_none());
        assert!(known.find(&token(1), 8, 19).is_none());
        assert!(known.find(&token(2), 7, 19).is_none());
    }

    #[test]
    fn the_whole_token_counts() {
        let (known, holder) = (Known::default(), holder());
        known.keep(b"a.b.0123456789012345678901234567890123456789", 7, 20, &holder);
        for other in [
            &b"a.c.0123456789012345678901234567890123456789"[..],
            b"aa.b.0123456789012345678901234567890123456789",
            b"89012345678901234567890123456789",
            b"9",
            b"",
        ] {
            assert!(known.find(other, 7, 10).is_none());
        }
    }

    #[test]
    fn what_is_known_has_a_limit_and_what_is_used_stays() {
        let (known, holder) = (Known::default(), holder());
        for number in 0..2 * MOST {
            known.keep(&token(number), 7, 20, &holder);
            assert!(known.find(&token(0), 7, 10).is_some(), "{number}");
        }
        let halves = known.workers.get_or_default().borrow();
        assert!(halves.young.len() + halves.old.len() <= MOST);
        drop(halves);
        assert!(known.find(&token(1), 7, 10).is_none());
        for number in 0..10_000 {
            known.keep(&vec![b'a'; 10_000 + number], 7, 20, &holder);
            let mut long = vec![b'a'; 10_000];
            long.extend(token(number));
            known.keep(&long, 7, 20, &holder);
        }
        let halves = known.workers.get_or_default().borrow();
        let bytes: usize = halves
            .young
            .values()
            .chain(halves.old.values())
            .map(|entry| entry.token.len())
            .sum();
        assert!(bytes <= 2 * MOST_BYTES, "{bytes}");
    }
}
