//! The names of what profiles find, as they stand in a report: rates in flows a second, times in seconds.

/// `capacity`: the highest rate at which the objectives were kept.
pub const CAPACITY: &str = "capacity";
/// `capacity`, where the load generator was at its limit before the target was: at least so much.
pub const CAPACITY_AT_LEAST: &str = "capacity_at_least";
/// `capacity`: the lowest rate at which they weren't. The truth lies between the two.
pub const CAPACITY_FAILED: &str = "capacity_failed";
/// `capacity`, `stress`: the highest rate up to which the p99 was at most twice what it was at the lowest.
pub const KNEE: &str = "knee";
/// `capacity`: by which share the capacity exceeds the rate that is expected; below zero where it doesn't.
pub const HEADROOM: &str = "headroom";

/// `stress`: the last rate at which the objectives were kept.
pub const LAST_GOOD: &str = "last_good";
/// `stress`: the first at which they weren't.
pub const FIRST_BAD: &str = "first_bad";

/// `spike`: how long after the load was back at its base latency and failures were, too, and stayed so. It isn't there where the
/// target hadn't recovered at the end.
pub const RECOVERY: &str = "recovery";
/// `spike`: the p99 before the peak.
pub const BASE_P99: &str = "base_p99";
/// `spike`: the p99 of what was due during the peak.
pub const PEAK_P99: &str = "peak_p99";

/// `soak`: by which share the median grew from the beginning to the end, by its trend.
pub const DRIFT_P50: &str = "drift_p50";
/// `soak`: the same for the p99 of a second.
pub const DRIFT_P99: &str = "drift_p99";
