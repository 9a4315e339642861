//! When a request is sent again, and when twice at a time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;
use crate::{defaults, units};

/// When a request that failed is sent again, to another target where there is one. What a target has certainly not begun with is sent
/// again whatever it is; what it may have begun with, only if its method is idempotent (RFC 9110 §9.2.2). Short form:
/// the number of attempts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("attempts"))]
pub struct Retry {
    /// How often it is sent again at the most. With 0 it is sent once.
    #[schemars(range(max = 10))]
    pub attempts: u32,
    /// What is tried again: `connect` (no connection could be made), `reset` (it ended before a response began), `timeout`
    /// (`per_try_timeout` was over).
    pub on: Vec<RetryOn>,
    /// Statuses of responses that are tried again, such as 503.
    #[schemars(inner(range(min = 400, max = 599)))]
    pub codes: Vec<u16>,
    /// Statuses of gRPC that are tried again where they come without any message, such as `unavailable`. Calls of gRPC are
    /// POSTs, so `methods` must name that.
    pub grpc: Vec<GrpcStatus>,
    /// Methods that are as good as idempotent with this service, beside those that are.
    #[schemars(transform = form::items("method"), transform = form::single)]
    pub methods: Vec<String>,
    /// How long one attempt may take to the head of its response. By default only `timeout` limits it.
    #[schemars(extend("format" = "timeout"))]
    pub per_try_timeout: Option<units::Duration>,
    /// The pause before the same target is tried again: between half of it and it, doubled with each attempt. `Retry-After` makes it
    /// longer. Another target is tried at once.
    pub backoff: units::Duration,
    /// How much of a request's body is remembered for another attempt. A request with more is sent once.
    pub body: units::ByteSize,
    /// How many retries and hedges the service may cause in all.
    pub budget: RetryBudget,
}

impl Default for Retry {
    fn default() -> Self {
        defaults::retry()
    }
}

/// What is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// No connection could be made.
    Connect,
    /// The connection ended before a response began.
    Reset,
    /// `per_try_timeout` was over.
    Timeout,
}

/// A status of gRPC that may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrpcStatus {
    /// 1.
    Cancelled,
    /// 4.
    DeadlineExceeded,
    /// 8.
    ResourceExhausted,
    /// 10.
    Aborted,
    /// 13.
    Internal,
    /// 14.
    Unavailable,
}

impl GrpcStatus {
    /// Its number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            GrpcStatus::Cancelled => 1,
            GrpcStatus::DeadlineExceeded => 4,
            GrpcStatus::ResourceExhausted => 8,
            GrpcStatus::Aborted => 10,
            GrpcStatus::Internal => 13,
            GrpcStatus::Unavailable => 14,
        }
    }
}

/// How many retries and hedges a service may cause, so that a service that fails isn't buried under them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("percent"))]
pub struct RetryBudget {
    /// This share of the requests of the last `interval`,
    pub percent: units::Percent,
    /// and so many each second.
    pub min_rate: u32,
    /// How far back requests are counted.
    #[schemars(extend("format" = "timeout"))]
    pub interval: units::Duration,
}

impl Default for RetryBudget {
    fn default() -> Self {
        defaults::retry_budget()
    }
}

/// A second attempt beside the first, when that takes longer than most do. The first response wins, and the other attempt is
/// broken off. For idempotent requests whose body is remembered (`retry.body`), and paid for from the budget of `retry`. Short
/// form: `after`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("after"))]
pub struct Hedge {
    /// How long the first attempt is waited for: a time such as `50ms`, or a percentile such as `p95` of what the service took
    /// of late.
    #[schemars(with = "String", extend("format" = "hedge-delay"))]
    pub after: HedgeDelay,
    /// How many attempts beside the first.
    #[serde(default = "defaults::hedges")]
    #[schemars(range(min = 1, max = 5))]
    pub attempts: u32,
}

/// How long the first attempt is waited for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HedgeDelay {
    /// So long.
    Fixed(units::Duration),
    /// As long as this share of requests takes, in tenths of a per cent: 950 for `p95`.
    Percentile(u32),
}

impl std::str::FromStr for HedgeDelay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(number) = text.strip_prefix('p') else {
            let span: units::Duration = text
                .parse()
                .map_err(|_| format!("`{text}` is neither a time nor a percentile; write `50ms` or `p95`"))?;
            return if span.0.is_zero() {
                Err(format!(
                    "`{text}` would send every request twice at once; give the first attempt some time"
                ))
            } else {
                Ok(HedgeDelay::Fixed(span))
            };
        };
        let share: units::Percent = format!("{number}%")
            .parse()
            .map_err(|_| format!("`{text}` is no percentile; write `p50` to `p99.9`"))?;
        match share.per_mille() {
            share @ 500..=999 => Ok(HedgeDelay::Percentile(share)),
            _ => Err(format!(
                "`{text}` would double too many requests or none; write `p50` to `p99.9`"
            )),
        }
    }
}

impl std::fmt::Display for HedgeDelay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HedgeDelay::Fixed(span) => span.fmt(f),
            HedgeDelay::Percentile(share) if share % 10 == 0 => write!(f, "p{}", share / 10),
            HedgeDelay::Percentile(share) => write!(f, "p{}.{}", share / 10, share % 10),
        }
    }
}

impl Serialize for HedgeDelay {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HedgeDelay {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str> as Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hedge_waits_for_a_time_or_a_percentile() {
        for text in ["50ms", "p50", "p95", "p99.9"] {
            assert_eq!(text.parse::<HedgeDelay>().expect("it is one").to_string(), text);
        }
        for text in ["", "p", "p49", "p100", "95", "p95%", "0ms", "-1s"] {
            assert!(text.parse::<HedgeDelay>().is_err(), "{text}");
        }
    }
}
