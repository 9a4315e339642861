//! How much clients may use in the long run.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::on_failure::OnFailure;
use super::rate_limit::{RateLimitCost, RateLimitKey};
use crate::schema::form;
use crate::units::written_as_text;

/// How much a client may use in an hour, a day or a month (429, `quota_exhausted`), whatever the pace: a matter of contracts,
/// where `rate_limit` is one of load. Counted in the durable store, so that no restart gives anybody more. Short form: the
/// limit.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("limit"))]
pub struct Quota {
    /// Units in a period of the calendar, in UTC: `10000/day`. The next day or month begins with all of them.
    pub limit: QuotaLimit,
    /// What tells clients apart. Of several, such as `[consumer, route]`, each combination has its own count.
    #[serde(default = "by_consumer")]
    #[schemars(length(min = 1, max = 4), transform = form::single)]
    pub by: Vec<RateLimitKey>,
    /// The units that a request uses: a number, or a CEL expression of one. By default 1.
    #[serde(default)]
    pub cost: RateLimitCost,
    /// What clients see the quota under. By default the name of the set of policies, or of the route, and the period.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    pub name: Option<String>,
    /// What becomes of requests while the store is away.
    #[serde(default)]
    pub on_failure: OnFailure,
}

fn by_consumer() -> Vec<RateLimitKey> {
    vec![RateLimitKey::Consumer]
}

/// So many units in a period of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuotaLimit {
    /// How many, at least one.
    pub units: u64,
    /// In which period.
    pub per: QuotaPeriod,
}

/// A period of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum QuotaPeriod {
    Hour,
    Day,
    Month,
}

/// JSON's numbers are exact up to here, and so are Structured Fields' (RFC 9651 §3.3.1).
const MOST: u64 = 999_999_999_999_999;

written_as_text!(
    QuotaLimit,
    "quota-limit",
    "^[0-9]+/(hour|day|month|h|d|1h|1d)$",
    ["10000/day", "1000000/month", "500/hour"]
);

impl QuotaPeriod {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            QuotaPeriod::Hour => "hour",
            QuotaPeriod::Day => "day",
            QuotaPeriod::Month => "month",
        }
    }
}

impl FromStr for QuotaLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("`{text}` is no quota; write a number and `hour`, `day` or `month`, such as `10000/day`");
        let (units, period) = text.split_once('/').ok_or_else(wrong)?;
        if units.is_empty() || !units.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let per = match period {
            "hour" | "h" | "1h" => QuotaPeriod::Hour,
            "day" | "d" | "1d" => QuotaPeriod::Day,
            "month" => QuotaPeriod::Month,
            _ => return Err(wrong()),
        };
        match units.parse() {
            Ok(0) => Err(format!("`{text}` lets nobody in; the number must be at least 1")),
            Ok(units) if units <= MOST => Ok(QuotaLimit { units, per }),
            _ => Err(format!("`{text}` is too many; the most are {MOST}")),
        }
    }
}

impl fmt::Display for QuotaLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.units, self.per.name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_written_back() {
        for (text, written) in [
            ("10000/day", "10000/day"),
            ("1/1d", "1/day"),
            ("5/h", "5/hour"),
            ("999999999999999/month", "999999999999999/month"),
        ] {
            assert_eq!(text.parse::<QuotaLimit>().unwrap().to_string(), written);
        }
        for text in ["", "10", "/day", "+1/day", "10/week", "10/m"] {
            assert!(text.parse::<QuotaLimit>().unwrap_err().contains("such as"), "{text}");
        }
        assert!("0/day".parse::<QuotaLimit>().unwrap_err().contains("at least 1"));
        assert!(
            "1000000000000000/day"
                .parse::<QuotaLimit>()
                .unwrap_err()
                .contains("too many")
        );
    }
}
