//! The monotonic clock as a number.

use std::sync::OnceLock;
use std::time::Instant;

static START: OnceLock<Instant> = OnceLock::new();

/// Nanoseconds since the first call in this process, on the monotonic clock: a number that all workers agree on.
/// Times before that are 0. 584 years fit.
pub(super) fn nanoseconds(at: Instant) -> u64 {
    let start = *START.get_or_init(|| at);
    u64::try_from(at.saturating_duration_since(start).as_nanos()).unwrap_or(u64::MAX)
}
