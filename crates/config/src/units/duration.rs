//! Spans of time, as the file writes them: `500ms`.

use std::fmt;
use std::str::FromStr;
use std::time;

use super::{leading_number, written_as_text};

/// A span of time, such as `250ms`, `5s`, `1m30s`, `2h` or `1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub time::Duration);

/// The units, from the largest, with their milliseconds: the order in which they must be written, as in GEP-2257.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest span. Ten years are more than anything here should wait for, and no clock overflows when it adds them.
const MAX_MILLIS: u64 = 3_650 * 86_400_000;

const EXPECTED: &str = "a duration has a unit, such as `250ms`, `5s`, `1m30s`, `2h` or `1d`";

written_as_text!(
    Duration,
    "duration",
    "^([0-9]+(d|h|m|s|ms))+$",
    ["250ms", "5s", "1m30s", "2h", "1d"]
);

impl Duration {
    /// So many seconds.
    pub const fn seconds(count: u64) -> Duration {
        Duration(time::Duration::from_secs(count))
    }

    /// So many milliseconds.
    pub const fn millis(count: u64) -> Duration {
        Duration(time::Duration::from_millis(count))
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no duration; {EXPECTED}");
        let mut rest = text;
        let mut millis = 0u64;
        let mut units = UNITS.as_slice();
        while !rest.is_empty() {
            let (digits, after) = leading_number(rest);
            let name = after
                .split_at(after.bytes().take_while(|byte| !byte.is_ascii_digit()).count())
                .0;
            let at = units.iter().position(|(unit, _)| *unit == name).ok_or_else(wrong)?;
            let count: u64 = digits.parse().map_err(|_| wrong())?;
            millis = count
                .checked_mul(units[at].1)
                .and_then(|part| millis.checked_add(part))
                .unwrap_or(u64::MAX);
            units = &units[at + 1..];
            rest = &after[name.len()..];
        }
        match millis {
            _ if text.is_empty() => Err(wrong()),
            0..=MAX_MILLIS => Ok(Duration(time::Duration::from_millis(millis))),
            _ => Err(format!("`{text}` is too long; the longest duration is `3650d`")),
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, millis) in UNITS {
            if rest >= millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis, written) in [
            ("250ms", 250, "250ms"),
            ("5s", 5_000, "5s"),
            ("90s", 90_000, "1m30s"),
            ("1m30s", 90_000, "1m30s"),
            ("2h", 7_200_000, "2h"),
            ("1d", 86_400_000, "1d"),
            ("1h5ms", 3_600_005, "1h5ms"),
            ("0s", 0, "0s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.0, time::Duration::from_millis(millis), "{text}");
            assert_eq!(duration.to_string(), written);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "5sec",
            "1.5s",
            "-1s",
            "1s1m",
            "1s1s",
            "５s",
            "99999999999999999999s",
        ] {
            let error = text.parse::<Duration>().unwrap_err();
            assert!(error.contains("such as"), "{error}");
        }
        assert!("3651d".parse::<Duration>().unwrap_err().contains("too long"));
        assert!("213503982334602d".parse::<Duration>().unwrap_err().contains("too long"));
    }
}
