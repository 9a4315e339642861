//! What came of the requests of a stream.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::outcome::{Asked, Failure};

/// Failures beyond these are counted, but not told one by one.
const TOLD: usize = 20_000;

const SLICE: Duration = Duration::from_millis(100);

pub(super) struct Score {
    name: String,
    start: Instant,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    sent: u64,
    repeated: u64,
    /// In microseconds, of requests that were answered as they had to be.
    latencies: Vec<u64>,
    /// How much later than they were due requests began, in microseconds.
    delays: Vec<u64>,
    failed: BTreeMap<String, u64>,
    failures: Vec<Value>,
    /// By when they were due: how many were done, and how many failed.
    slices: Vec<[u64; 2]>,
}

impl Score {
    pub(super) fn new(name: String, start: Instant) -> Score {
        Score {
            name,
            start,
            counts: Mutex::default(),
        }
    }

    /// Notes that a request that was due then begins now. Where it is late, the load or its processor is at its limit, and not
    /// what is measured alone.
    pub(super) fn begun(&self, due: Instant) {
        self.counts().delays.push(microseconds(due.elapsed()));
    }

    /// Counts a request that was due then and has ended now.
    pub(super) fn ended(&self, due: Instant, how: Result<Asked, Failure>) {
        let after = due.saturating_duration_since(self.start);
        let slice = usize::try_from(after.as_millis() / SLICE.as_millis()).unwrap_or(usize::MAX);
        let mut counts = self.counts();
        counts.sent += 1;
        if counts.slices.len() <= slice {
            counts.slices.resize(slice + 1, [0; 2]);
        }
        counts.slices[slice][usize::from(how.is_err())] += 1;
        match how {
            Ok(asked) => {
                counts.repeated += u64::from(asked.repeated);
                counts.latencies.push(microseconds(due.elapsed()));
            }
            Err(failure) => {
                if counts.failures.len() < TOLD {
                    let ended = microseconds(self.start.elapsed()) / 1000;
                    let told = json!({ "due": microseconds(after) / 1000, "ended": ended, "what": failure.what, "target": failure.target });
                    counts.failures.push(told);
                }
                *counts.failed.entry(failure.what.into_owned()).or_default() += 1;
            }
        }
    }

    pub(super) fn report(&self) -> Value {
        let mut counts = self.counts();
        counts.latencies.sort_unstable();
        counts.delays.sort_unstable();
        let latencies = &counts.latencies;
        json!({
            "name": self.name,
            "sent": counts.sent,
            "done": latencies.len(),
            "repeated": counts.repeated,
            "failed": counts.failed,
            "failures": counts.failures,
            "p50": percentile(latencies, 500),
            "p99": percentile(latencies, 990),
            "p999": percentile(latencies, 999),
            "max": percentile(latencies, 1000),
            "late": percentile(&counts.delays, 990),
            "slices": counts.slices,
        })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The smallest value that so many of a thousand don't exceed.
fn percentile(sorted: &[u64], of_thousand: usize) -> Option<u64> {
    let place = (sorted.len() * of_thousand).div_ceil(1000);
    sorted.get(place.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&values, 500), Some(100));
        assert_eq!(percentile(&values, 990), Some(198));
        assert_eq!(percentile(&values, 1000), Some(200));
        assert_eq!(percentile(&values[..1], 500), Some(1));
        assert_eq!(percentile(&[], 500), None);
    }

    #[test]
    fn what_is_due_counts_in_its_slice() {
        let start = Instant::now();
        let score = Score::new("any".to_owned(), start);
        score.ended(start + Duration::from_millis(250), Ok(Asked::default()));
        score.ended(start + Duration::from_millis(250), Err(Failure::status(502)));
        let report = score.report();
        assert_eq!(report["slices"], json!([[0, 0], [0, 0], [1, 1]]));
        assert_eq!(report["failed"], json!({ "status 502": 1 }));
        assert_eq!((&report["sent"], &report["done"]), (&json!(2), &json!(1)));
    }
}
