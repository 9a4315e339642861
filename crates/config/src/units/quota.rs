//! Requests for a span of time, as the file writes them: `100/1m`.

use std::fmt;
use std::str::FromStr;
use std::time;

use super::{Duration, written_as_text};

/// So many in a period, such as `100/1m` or `10/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    /// How many, at least one.
    pub limit: u32,
    /// In how long: whole seconds, from one to those of 31 days.
    pub per: time::Duration,
}

/// A period shorter than a second can't be told to clients, whose `RateLimit` fields count in seconds.
const SHORTEST: time::Duration = time::Duration::from_secs(1);
/// Longer than a month is a matter of contracts, not of rates.
const LONGEST: time::Duration = time::Duration::from_secs(31 * 86_400);

const EXPECTED: &str = "a quota is a number and a period, such as `100/1m` or `10/s`";

written_as_text!(Quota, "quota", "^[0-9]+/([dhms]|([0-9]+[dhms])+)$", ["100/1m", "10/s"]);

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no quota; {EXPECTED}");
        let (count, period) = text.split_once('/').ok_or_else(wrong)?;
        if !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let limit: u32 = count.parse().map_err(|_| wrong())?;
        let per = match period {
            "d" | "h" | "m" | "s" => format!("1{period}").parse::<Duration>(),
            _ => period.parse(),
        };
        let per = per.map_err(|_| wrong())?.0;
        if limit == 0 {
            return Err(format!("`{text}` lets nobody in; the number must be at least 1"));
        }
        if !(SHORTEST..=LONGEST).contains(&per) || per.subsec_nanos() != 0 {
            return Err(format!(
                "the period of `{text}` must be whole seconds, from `1s` to `31d`"
            ));
        }
        Ok(Quota { limit, per })
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.limit, Duration(self.per))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, limit, seconds, written) in [
            ("100/1m", 100, 60, "100/1m"),
            ("10/s", 10, 1, "10/1s"),
            ("5/90s", 5, 90, "5/1m30s"),
            ("1/d", 1, 86_400, "1/1d"),
        ] {
            let quota: Quota = text.parse().unwrap();
            assert_eq!(
                (quota.limit, quota.per),
                (limit, time::Duration::from_secs(seconds)),
                "{text}"
            );
            assert_eq!(quota.to_string(), written);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "100", "/1m", "100/", "+1/s", "100/1x", "100 / 1m", "4294967296/s"] {
            assert!(text.parse::<Quota>().unwrap_err().contains("such as"), "{text}");
        }
        assert!("0/1s".parse::<Quota>().unwrap_err().contains("at least 1"));
        assert!("1/500ms".parse::<Quota>().unwrap_err().contains("whole seconds"));
        assert!("1/32d".parse::<Quota>().unwrap_err().contains("31d"));
    }
}
