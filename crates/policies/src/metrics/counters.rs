//! The counts of one route, by one worker, and their sums.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use portcullis_core::codes::{self, Code};
use portcullis_core::{Method, Outcome};

/// Upper bounds of the duration's buckets with their text, in seconds: those that OpenTelemetry's semantic conventions
/// advise for `http.server.request.duration`.
pub(super) const BOUNDS: [(Duration, &str); 14] = [
    (Duration::from_millis(5), "0.005"),
    (Duration::from_millis(10), "0.01"),
    (Duration::from_millis(25), "0.025"),
    (Duration::from_millis(50), "0.05"),
    (Duration::from_millis(75), "0.075"),
    (Duration::from_millis(100), "0.1"),
    (Duration::from_millis(250), "0.25"),
    (Duration::from_millis(500), "0.5"),
    (Duration::from_millis(750), "0.75"),
    (Duration::from_secs(1), "1.0"),
    (Duration::from_millis(2500), "2.5"),
    (Duration::from_secs(5), "5.0"),
    (Duration::from_millis(7500), "7.5"),
    (Duration::from_secs(10), "10.0"),
];

/// Pairs of method and status that one route has series for.
const PAIRS: usize = 48;

/// Codes of errors that one route has series for: more than a route can give.
const CODES: usize = 24;

/// The methods by which pairs are numbered; [`Method::label`] knows no others.
const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "_OTHER",
];

/// The counts of one route by one worker. Only that worker writes, so that a count is a load and a store on a cache line
/// that no other worker writes to; whoever reads may see one count a moment before another.
#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: Table<PAIRS>,
    errors: Table<CODES>,
    /// One for each bound, and one for what is longer.
    durations: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// Counts by a small number other than 0, as many as there is room for, and one for the rest.
#[derive(Debug)]
struct Table<const ROOM: usize> {
    keys: [AtomicU16; ROOM],
    counts: [AtomicU64; ROOM],
    rest: AtomicU64,
}

/// The sums over all workers.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// By method and status; (`_OTHER`, `None`) for those without room.
    pub(super) requests: Vec<((&'static str, Option<u16>), u64)>,
    /// By code; `other` for those without room.
    pub(super) errors: Vec<(&'static str, u64)>,
    pub(super) durations: [u64; BOUNDS.len() + 1],
    pub(super) nanoseconds: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl Counters {
    pub(super) fn count(&self, outcome: &Outcome<'_>) {
        self.requests.add(pair_key(outcome.method, outcome.status.code()));
        if let Some(error) = outcome.error {
            self.errors.add(code_key(error.code()));
        }
        let bucket = BOUNDS
            .iter()
            .position(|(bound, _)| outcome.duration <= *bound)
            .unwrap_or(BOUNDS.len());
        add(&self.durations[bucket], 1);
        add(
            &self.nanoseconds,
            u64::try_from(outcome.duration.as_nanos()).unwrap_or(0),
        );
        add(&self.bytes_in, outcome.bytes_in);
        add(&self.bytes_out, outcome.bytes_out);
    }

    pub(super) fn add_to(&self, totals: &mut Totals) {
        for (key, count) in self.requests.iter() {
            add_named(&mut totals.requests, pair_of(key), count);
        }
        for (key, count) in self.errors.iter() {
            add_named(&mut totals.errors, code_of(key), count);
        }
        for (total, count) in totals.durations.iter_mut().zip(&self.durations) {
            *total += read(count);
        }
        totals.nanoseconds += read(&self.nanoseconds);
        totals.bytes_in += read(&self.bytes_in);
        totals.bytes_out += read(&self.bytes_out);
    }
}

impl<const ROOM: usize> Default for Table<ROOM> {
    fn default() -> Self {
        Table {
            keys: [const { AtomicU16::new(0) }; ROOM],
            counts: [const { AtomicU64::new(0) }; ROOM],
            rest: AtomicU64::new(0),
        }
    }
}

impl<const ROOM: usize> Table<ROOM> {
    /// The pairs of a route that is well are few, and the usual one comes first: so the search is short.
    fn add(&self, key: u16) {
        for (slot, count) in self.keys.iter().zip(&self.counts) {
            match slot.load(Ordering::Relaxed) {
                0 => slot.store(key, Ordering::Relaxed),
                taken if taken == key => {}
                _ => continue,
            }
            return add(count, 1);
        }
        add(&self.rest, 1);
    }

    /// What was counted; under 0 what there was no room for.
    fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        let counted = self
            .keys
            .iter()
            .zip(&self.counts)
            .map(|(key, count)| (key.load(Ordering::Relaxed), read(count)));
        counted
            .take_while(|(key, _)| *key != 0)
            .chain(std::iter::once((0, read(&self.rest))))
            .filter(|(_, count)| *count > 0)
    }
}

/// Only the counter's own worker calls this, so nothing comes between load and store.
fn add(counter: &AtomicU64, value: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn add_named<N: PartialEq>(totals: &mut Vec<(N, u64)>, name: N, count: u64) {
    match totals.iter_mut().find(|(known, _)| *known == name) {
        Some((_, total)) => *total += count,
        None => totals.push((name, count)),
    }
}

/// Method and status as one number: `method * 1000 + status`, at most 9,999.
fn pair_key(method: Option<&Method>, status: u16) -> u16 {
    let label = method.map_or("_OTHER", Method::label);
    let at = METHODS
        .iter()
        .position(|known| *known == label)
        .unwrap_or(METHODS.len() - 1);
    u16::try_from(at).expect("there are ten methods") * 1000 + status
}

fn pair_of(key: u16) -> (&'static str, Option<u16>) {
    match key {
        0 => ("_OTHER", None),
        _ => (METHODS[usize::from(key / 1000)], Some(key % 1000)),
    }
}

fn code_key(code: &'static Code) -> u16 {
    let at = codes::ALL.iter().position(|known| *known == code);
    at.and_then(|at| u16::try_from(at + 1).ok()).unwrap_or(u16::MAX)
}

fn code_of(key: u16) -> &'static str {
    let code = usize::from(key).checked_sub(1).and_then(|at| codes::ALL.get(at));
    code.map_or("other", |code| code.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_of_a_method_is_known() {
        for token in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW",
        ] {
            let method = Method::from_token(token);
            assert_eq!(pair_of(pair_key(Some(&method), 999)), (method.label(), Some(999)));
        }
        assert_eq!(pair_of(pair_key(None, 400)), ("_OTHER", Some(400)));
    }

    #[test]
    fn every_code_is_known() {
        for code in codes::ALL {
            assert_eq!(code_of(code_key(code)), code.name);
        }
    }

    #[test]
    fn bounds_ascend_and_are_what_they_are_called() {
        assert!(BOUNDS.is_sorted());
        for (bound, text) in BOUNDS {
            assert_eq!(Ok(bound.as_secs_f64()), text.parse());
        }
    }

    #[test]
    fn a_route_takes_little_room() {
        assert!(size_of::<Counters>() <= 1024, "{}", size_of::<Counters>());
    }
}
