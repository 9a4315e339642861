//! Which signed requests have been here.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

/// How many are remembered for each half of the time, at 16 bytes or so each twice over.
const MOST: usize = 1_000_000;

/// The first half of a SHA-256: nobody can find two texts that have the same, nor one for a given one, in the time that counts.
type Mark = [u8; 16];

/// The windows of all policies, by the names of their sets.
#[derive(Default)]
pub struct Registry(Mutex<HashMap<String, Weak<Window>>>);

impl Registry {
    /// The window of the policy in that set: the one in use, if it remembers for as long, or a new one.
    pub(super) fn window(&self, name: &str, lasting: Duration) -> Arc<Window> {
        let key = format!("{name} {}", lasting.as_secs());
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = windows.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        windows.retain(|_, window| window.strong_count() > 0);
        let new = Arc::new(Window::new(lasting));
        windows.insert(key, Arc::downgrade(&new));
        new
    }
}

/// What has been seen for at least as long as a signature is good: in two halves, of which the older one is forgotten whole.
pub(super) struct Window {
    lasting: Duration,
    halves: Mutex<Halves>,
}

#[derive(Default)]
struct Halves {
    began: Option<Instant>,
    young: HashSet<Mark>,
    old: HashSet<Mark>,
}

/// Whether something has been here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Never,
    Before,
    /// It can't be remembered.
    Full,
}

impl Window {
    fn new(lasting: Duration) -> Window {
        Window {
            lasting: lasting.max(Duration::from_secs(1)),
            halves: Mutex::default(),
        }
    }

    /// Remembers what was signed, unless it has been seen.
    pub(super) fn see(&self, signed: &[u8], now: Instant) -> Seen {
        let digest = Sha256::digest(signed);
        let mut mark = Mark::default();
        mark.copy_from_slice(&digest[..16]);
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.turn(now, self.lasting);
        if halves.young.contains(&mark) || halves.old.contains(&mark) {
            return Seen::Before;
        }
        if halves.young.len() >= MOST {
            return Seen::Full;
        }
        halves.young.insert(mark);
        Seen::Never
    }
}

impl Halves {
    /// Makes the young half the old one once it has lasted. A second more, since signatures count whole seconds.
    fn turn(&mut self, now: Instant, lasting: Duration) {
        let began = *self.began.get_or_insert(now);
        let age = now.saturating_duration_since(began);
        let half = lasting + Duration::from_secs(1);
        if age < half {
            return;
        }
        self.old = if age < half * 2 {
            std::mem::take(&mut self.young)
        } else {
            self.young.clear();
            HashSet::new()
        };
        self.began = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_known_for_as_long_as_it_could_come_again() {
        let window = Window::new(Duration::from_secs(60));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(window.see(b"a", at(0)), Seen::Never);
        assert_eq!(window.see(b"a", at(0)), Seen::Before);
        assert_eq!(window.see(b"b", at(59)), Seen::Never);
        // `a` and `b` are of the older half now.
        assert_eq!(window.see(b"b", at(61)), Seen::Before);
        assert_eq!(window.see(b"b", at(119)), Seen::Before);
        // `b` was good until 119 at the most.
        assert_eq!(window.see(b"b", at(200)), Seen::Never);
    }

    #[test]
    fn a_long_silence_forgets_all() {
        let window = Window::new(Duration::from_secs(60));
        let start = Instant::now();
        window.see(b"a", start);
        assert_eq!(window.see(b"a", start + Duration::from_secs(1000)), Seen::Never);
    }

    #[test]
    fn a_reload_finds_the_window_again() {
        let registry = Registry::default();
        let before = registry.window("partners", Duration::from_secs(60));
        before.see(b"a", Instant::now());
        let after = registry.window("partners", Duration::from_secs(60));
        assert_eq!(after.see(b"a", Instant::now()), Seen::Before);
        let other = registry.window("others", Duration::from_secs(60));
        assert_eq!(other.see(b"a", Instant::now()), Seen::Never);
    }

    #[test]
    fn when_nothing_more_can_be_remembered_nothing_more_is_let_in() {
        let window = Window::new(Duration::from_secs(60));
        let now = Instant::now();
        {
            let mut halves = window.halves.lock().unwrap_or_else(PoisonError::into_inner);
            let marks = (0..MOST as u128).map(u128::to_le_bytes);
            halves.young.extend(marks);
        }
        assert_eq!(window.see(b"a", now), Seen::Full);
        assert_eq!(window.see(b"a", now + Duration::from_secs(62)), Seen::Never);
    }
}
