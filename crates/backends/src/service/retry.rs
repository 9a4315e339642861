//! When a request is sent again.

use std::time::Duration;

use portcullis_config::service as written;
use portcullis_core::{Known, Method, Response, grpc};
use portcullis_resilience::budget;

use super::membership::Reason;
use super::outgoing::{Kind, Outgoing};

/// The longest pause before another attempt: whoever waits longer is better told at once.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a service says about sending a request again.
pub(super) struct Retry {
    pub(super) attempts: u32,
    pub(super) per_try_timeout: Option<Duration>,
    /// How much of a body is remembered.
    pub(super) body: u64,
    on_connect: bool,
    on_reset: bool,
    on_timeout: bool,
    codes: Vec<u16>,
    grpc: Vec<u32>,
    methods: Vec<Method>,
    backoff: Duration,
}

impl Retry {
    pub(super) fn new(config: &written::Retry) -> Retry {
        let on = |what| config.on.contains(&what);
        Retry {
            attempts: config.attempts,
            per_try_timeout: config.per_try_timeout.as_ref().map(|span| span.0),
            body: config.body.0,
            on_connect: on(written::RetryOn::Connect),
            on_reset: on(written::RetryOn::Reset),
            on_timeout: on(written::RetryOn::Timeout),
            codes: config.codes.clone(),
            grpc: config.grpc.iter().map(|status| status.number()).collect(),
            methods: config.methods.iter().map(|name| Method::from_token(name)).collect(),
            backoff: config.backoff.0,
        }
    }

    /// Whether requests of that method may be sent again when a target may have begun with them.
    pub(super) fn takes(&self, method: &Method) -> bool {
        method.is_idempotent() || self.methods.contains(method)
    }

    /// Why a request that met with this would be sent again; `None` where it must not be.
    pub(super) fn after(&self, kind: Kind, idempotent: bool) -> Option<Reason> {
        match kind {
            Kind::Connect => self.on_connect.then_some(Reason::Connect),
            Kind::Unprocessed => Some(Reason::Unprocessed),
            Kind::Stale => idempotent.then_some(Reason::Stale),
            Kind::Reset => (idempotent && self.on_reset).then_some(Reason::Reset),
            Kind::Timeout => (idempotent && self.on_timeout).then_some(Reason::Timeout),
            Kind::Final | Kind::Request => None,
        }
    }

    /// Whether a response is one that another attempt may better.
    pub(super) fn is_unwelcome(&self, response: &Response, outgoing: &Outgoing) -> bool {
        if self.codes.contains(&response.status.code()) {
            return true;
        }
        // A response of trailers only: no message has come, and none will.
        !self.grpc.is_empty()
            && outgoing.grpc
            && response.body.is_empty()
            && grpc::told_status(&response.headers).is_some_and(|status| self.grpc.contains(&status))
    }

    /// How long to wait before the same target is asked again for the `nth` time, from 1; `None` where the server asks for more
    /// patience than a request has.
    pub(super) fn pause(&self, nth: u32, retry_after: Option<Duration>) -> Option<Duration> {
        let longest = self
            .backoff
            .saturating_mul(1 << nth.saturating_sub(1).min(10))
            .min(LONGEST_PAUSE);
        let jittered = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
        match retry_after {
            Some(asked) if asked > LONGEST_PAUSE => None,
            Some(asked) => Some(asked.max(jittered)),
            None => Some(jittered),
        }
    }
}

/// What `Retry-After` asks for, where it is a number of seconds (RFC 9110 §10.2.3). A date is as far away as the servers' clocks
/// differ, so that it is taken for more than anybody waits.
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers.get(Known::RetryAfter)?;
    let seconds = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    Some(seconds.map_or(Duration::MAX, Duration::from_secs))
}

/// The budget of a service.
pub(super) fn budget_settings(config: &written::RetryBudget) -> budget::Settings {
    budget::Settings {
        per_mille: config.percent.per_mille(),
        min_rate: config.min_rate,
        interval: config.interval.0,
    }
}
