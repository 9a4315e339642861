//! `quota` bounds how much a client may use in an hour, a day or a month.
//!
//! ```yaml
//! quota: {limit: 10000/day, by: consumer}
//! quota: {limit: 1000000/month, by: claim:tenant, cost: "request.method == 'GET' ? 1 : 10"}
//! ```
//!
//! Periods are those of the calendar in UTC, so that everybody knows when the next one begins. A request beyond the limit is
//! refused with 429 (`quota_exhausted`), and `Retry-After` says in how many seconds the period ends. Answers tell of the
//! quota in `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11), under its name.
//!
//! What was used is in the durable store. A request costs no write there: the gate takes units in small amounts, a
//! thousandth of the limit but at least one and at most a thousand, for each client, spends these in memory, and gives back
//! what is left when the client has been silent for a minute and when the gate ends. So never more than the limit is let
//! through, over restarts and crashes too; and after a crash a client may lack one such amount at most until the period is
//! over. While one binary takes over from another, both have one.
//!
//! Which counts go on is decided by the name of the quota, its period and what `by` gives: a limit that is raised holds at
//! once for what was used before.

pub mod leases;

mod fields;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_config::policy::on_failure::OnFailure;
use portcullis_config::policy::quota::{self, QuotaPeriod};
use portcullis_config::policy::rate_limit::RateLimitCost;
use portcullis_config::units::Moment;
use portcullis_core::{Ctx, Error, Known, Next, Policy, Reply, Request, codes};
use sha2::{Digest as _, Sha256};

use crate::expression::Expression;
use crate::rate_limit::key::{KeyPart, Parts};
use fields::Fields;
use leases::{Demand, Leases, Verdict};

/// How long a request waits for the store at the most.
const PATIENCE: Duration = Duration::from_secs(2);
/// Which share of a quota is taken from the store at a time, and how much at the most.
const LEASE: (u64, u64) = (1000, 1000);

/// Bounds how much a client may use.
pub struct Quota {
    limit: u64,
    period: QuotaPeriod,
    by: Box<[KeyPart]>,
    cost: Cost,
    fields: Fields,
    /// What all counters of this quota begin with.
    prefix: Sha256,
    leases: Arc<Leases>,
    on_failure: OnFailure,
}

/// The units that a request uses.
enum Cost {
    Number(u64),
    Expression(Expression),
}

/// A period of the calendar, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    begins: u64,
    ends: u64,
}

impl Quota {
    /// Compiles what the file says. `name` is that of the policy set, or of the route for a set of its own.
    ///
    /// # Errors
    /// When a request could never pass, or an expression can't be used.
    pub fn new(config: &quota::Quota, name: &str, leases: Arc<Leases>) -> Result<Quota, String> {
        let limit = config.limit.units;
        let cost = match &config.cost {
            RateLimitCost::Number(cost) if u64::from(*cost) > limit => {
                return Err(format!("a request that uses {cost} never passes a quota of {limit}"));
            }
            RateLimitCost::Number(cost) => Cost::Number(u64::from(*cost)),
            RateLimitCost::Cel(expression) => Cost::Expression(Expression::number(expression)?),
        };
        let by: Result<Box<[KeyPart]>, String> = config.by.iter().map(KeyPart::new).collect();
        let period = config.limit.per;
        let name = match &config.name {
            Some(name) => name.clone(),
            None => format!("{name}-{}", period.name()),
        };
        let mut counter = Counter(Sha256::new());
        let words: Vec<String> = config.by.iter().map(ToString::to_string).collect();
        for word in [&*name, period.name()]
            .into_iter()
            .chain(words.iter().map(String::as_str))
        {
            counter.part(Some(word.as_bytes()));
        }
        Ok(Quota {
            limit,
            period,
            by: by?,
            cost,
            fields: Fields::new(&name, limit),
            prefix: counter.0,
            leases,
            on_failure: config.on_failure,
        })
    }

    /// What a request takes of whose quota, and of which period; `None` for one that uses nothing.
    fn demand(&self, cx: &Ctx, request: &Request) -> Result<Option<(Demand, Window)>, String> {
        let cost = match &self.cost {
            Cost::Number(cost) => *cost,
            Cost::Expression(cost) => {
                let cost = cost.number_of(cx, request).map_err(|error| error.to_string())?;
                u64::try_from(cost).map_err(|_| format!("a cost of {cost}"))?
            }
        };
        if cost == 0 {
            return Ok(None);
        }
        let mut counter = Counter(self.prefix.clone());
        for part in &self.by {
            part.feed(cx, request, &mut counter)
                .map_err(|error| error.to_string())?;
        }
        let window = Window::at(cx, self.period);
        let demand = Demand {
            counter: counter.0.finalize().into(),
            ends: i64::try_from(window.ends * 1000).unwrap_or(i64::MAX),
            cost,
            limit: self.limit,
            lease: (self.limit / LEASE.0).clamp(1, LEASE.1),
        };
        Ok(Some((demand, window)))
    }

    /// Tells of the quota, and refuses the request that doesn't fit.
    fn settle(&self, cx: &mut Ctx, verdict: Verdict, window: Window) -> Result<(), Error> {
        let now = now(cx);
        let left = window.ends.saturating_sub(now).max(1);
        self.fields
            .put(&mut cx.answer, verdict.left(), window.ends - window.begins, left);
        match verdict {
            Verdict::Admitted { .. } => Ok(()),
            Verdict::Refused { .. } => Err(Error::new(&codes::QUOTA_EXHAUSTED)
                .with_detail(format!("the next period begins in {left} s"))
                .with_header(Known::RetryAfter, left.to_string())
                .by_policy("quota")),
        }
    }

    /// Goes on without having counted, or doesn't.
    fn undecided<'a>(&self, cx: &'a mut Ctx, request: Request, next: Next<'a>, why: String) -> Reply<'a> {
        match self.on_failure {
            OnFailure::Admit => next.run(cx, request),
            OnFailure::Deny => Error::new(&codes::GUARD_UNAVAILABLE)
                .with_cause(why)
                .by_policy("quota")
                .into(),
        }
    }
}

impl Policy for Quota {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        let (demand, window) = match self.demand(cx, &request) {
            Ok(Some(demand)) => demand,
            Ok(None) => return next.run(cx, request),
            Err(why) => return self.undecided(cx, request, next, why),
        };
        if let Some(verdict) = self.leases.spend(&demand, cx.started) {
            return match self.settle(cx, verdict, window) {
                Ok(()) => next.run(cx, request),
                Err(error) => error.into(),
            };
        }
        Reply::later(async move {
            let drawn = tokio::time::timeout(PATIENCE, self.leases.draw(&demand, cx.started)).await;
            match drawn {
                Ok(Ok(verdict)) => {
                    self.settle(cx, verdict, window)?;
                    next.run(cx, request).await
                }
                Ok(Err(error)) => self.undecided(cx, request, next, error.to_string()).await,
                Err(_) => {
                    let why = format!("the durable store took more than {PATIENCE:?}");
                    self.undecided(cx, request, next, why).await
                }
            }
        })
    }
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quota({}/{})", self.limit, self.period.name())
    }
}

impl Window {
    /// The period in which a request came.
    fn at(cx: &Ctx, period: QuotaPeriod) -> Window {
        let now = now(cx);
        let fixed = |seconds: u64| Window {
            begins: now / seconds * seconds,
            ends: (now / seconds + 1) * seconds,
        };
        match period {
            QuotaPeriod::Hour => fixed(3600),
            QuotaPeriod::Day => fixed(86_400),
            QuotaPeriod::Month => {
                let seconds = |moment: Moment| moment.millis().unsigned_abs() / 1000;
                let (begins, ends) = Moment::from_seconds(now).month();
                Window {
                    begins: seconds(begins),
                    ends: seconds(ends),
                }
            }
        }
    }
}

/// When a request came, in seconds since 1970.
fn now(cx: &Ctx) -> u64 {
    let since = cx.received.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Names a counter by what tells its client from others.
struct Counter(Sha256);

impl Parts for Counter {
    fn part(&mut self, value: Option<&[u8]>) {
        // One more than the length, so that what is missing isn't empty.
        let length = value.map_or(0, |value| value.len() as u64 + 1);
        self.0.update(length.to_le_bytes());
        self.0.update(value.unwrap_or_default());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
