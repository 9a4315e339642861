//! Moments and durations: their range, arithmetic and text. No clock is read here.

mod read;
mod zone;

use std::fmt;
use std::time::SystemTime;

pub(crate) use zone::{Civil, Zone};

const NANOSECONDS: i128 = 1_000_000_000;

/// A moment between the years 1 and 9999, to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

/// A length of time to the nanosecond, of at most 292 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    nanoseconds: i64,
}

impl Timestamp {
    /// The seconds since 1970 of 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
    const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

    /// The moment so many seconds after the beginning of 1970.
    pub fn from_seconds(seconds: i64) -> Option<Timestamp> {
        Timestamp::RANGE.contains(&seconds).then_some(Timestamp {
            seconds,
            nanoseconds: 0,
        })
    }

    fn from_nanoseconds(nanoseconds: i128) -> Option<Timestamp> {
        let (seconds, nanoseconds) = split(nanoseconds)?;
        let whole = Timestamp::from_seconds(seconds)?;
        Some(Timestamp { nanoseconds, ..whole })
    }

    fn as_nanoseconds(self) -> i128 {
        i128::from(self.seconds) * NANOSECONDS + i128::from(self.nanoseconds)
    }

    /// Whole seconds since the beginning of 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    pub(crate) fn plus(self, duration: Duration) -> Option<Timestamp> {
        Timestamp::from_nanoseconds(self.as_nanoseconds() + duration.as_nanoseconds())
    }

    pub(crate) fn minus(self, duration: Duration) -> Option<Timestamp> {
        Timestamp::from_nanoseconds(self.as_nanoseconds() - duration.as_nanoseconds())
    }

    pub(crate) fn since(self, earlier: Timestamp) -> Option<Duration> {
        Duration::from_nanoseconds(self.as_nanoseconds() - earlier.as_nanoseconds())
    }
}

impl From<SystemTime> for Timestamp {
    /// A moment out of the range becomes the nearest one that is in it.
    fn from(time: SystemTime) -> Timestamp {
        let nanoseconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => i128::try_from(before.duration().as_nanos()).map_or(i128::MIN, |before| -before),
        };
        let edge = |seconds: &i64| Timestamp {
            seconds: *seconds,
            nanoseconds: 0,
        };
        let nearest = if nanoseconds < 0 {
            Timestamp::RANGE.start()
        } else {
            Timestamp::RANGE.end()
        };
        Timestamp::from_nanoseconds(nanoseconds).unwrap_or_else(|| edge(nearest))
    }
}

impl Duration {
    fn from_nanoseconds(total: i128) -> Option<Duration> {
        i64::try_from(total).ok().map(|nanoseconds| Duration { nanoseconds })
    }

    fn as_nanoseconds(self) -> i128 {
        i128::from(self.nanoseconds)
    }

    pub(crate) fn plus(self, other: Duration) -> Option<Duration> {
        Duration::from_nanoseconds(self.as_nanoseconds() + other.as_nanoseconds())
    }

    pub(crate) fn minus(self, other: Duration) -> Option<Duration> {
        Duration::from_nanoseconds(self.as_nanoseconds() - other.as_nanoseconds())
    }

    pub(crate) fn negated(self) -> Option<Duration> {
        Duration::from_nanoseconds(-self.as_nanoseconds())
    }

    /// How many whole units of so many nanoseconds it has, towards zero.
    pub(crate) fn whole(self, unit: i64) -> i64 {
        self.nanoseconds / unit
    }

    /// The milliseconds beyond whole seconds.
    pub(crate) fn milliseconds(self) -> i64 {
        self.nanoseconds % 1_000_000_000 / 1_000_000
    }
}

/// Seconds, rounded down, and the nanoseconds beyond them.
fn split(nanoseconds: i128) -> Option<(i64, u32)> {
    let seconds = i64::try_from(nanoseconds.div_euclid(NANOSECONDS)).ok()?;
    let rest = u32::try_from(nanoseconds.rem_euclid(NANOSECONDS)).ok()?;
    Some((seconds, rest))
}

impl fmt::Display for Timestamp {
    /// As RFC 3339 has it, in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = Civil::new(self.seconds);
        let (year, month, day) = (civil.year, civil.month, civil.day);
        let (hour, minute, second) = (civil.hour, civil.minute, civil.second);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        fraction(self.nanoseconds, f)?;
        f.write_str("Z")
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.as_nanoseconds();
        let (seconds, nanoseconds) = split(total.abs()).unwrap_or_default();
        write!(f, "{}{seconds}", if total < 0 { "-" } else { "" })?;
        fraction(nanoseconds, f)?;
        f.write_str("s")
    }
}

fn fraction(nanoseconds: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if nanoseconds == 0 {
        return Ok(());
    }
    let digits = format!("{nanoseconds:09}");
    write!(f, ".{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn moments_keep_to_their_range() {
        let first: Timestamp = "0001-01-01T00:00:00Z".parse().unwrap();
        let last: Timestamp = "9999-12-31T23:59:59.999999999Z".parse().unwrap();
        let nanosecond: Duration = "1ns".parse().unwrap();
        assert_eq!(first.minus(nanosecond), None);
        assert_eq!(last.plus(nanosecond), None);
        assert_eq!(
            last.minus(nanosecond).unwrap().to_string(),
            "9999-12-31T23:59:59.999999998Z"
        );
        assert_eq!(last.since(first), None);
        assert_eq!(
            Timestamp::from(SystemTime::UNIX_EPOCH).to_string(),
            "1970-01-01T00:00:00Z"
        );
    }

    #[test]
    fn durations_print_as_seconds() {
        for (text, expected) in [("1h", "3600s"), ("-1.5s", "-1.5s"), ("0", "0s"), ("-1ms", "-0.001s")] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), expected);
        }
    }
}
