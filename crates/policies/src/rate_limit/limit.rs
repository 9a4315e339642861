//! One limit: whom it counts, as what, and how it stands with a request.

use std::sync::Arc;

use portcullis_config::policy::rate_limit::{self, RateLimitCost};
use portcullis_config::units::Quota;
use portcullis_core::{Ctx, Error, Request, codes};

use super::counters::{Counters, Judged, MOST_QUOTAS};
use super::fields::Fields;
use super::gcra::Rate;
use super::key::{Key, KeyPart};
use super::registry::Registry;
use crate::expression::Expression;

/// One limit of a list.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) by: Box<[KeyPart]>,
    cost: Cost,
    when: Option<Expression>,
    pub(super) fields: Fields,
    pub(super) counters: Arc<Counters>,
}

/// What a request counts as.
#[derive(Debug)]
enum Cost {
    Number(u32),
    Expression(Expression),
}

/// What was counted, so that it can be given back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) key: Key,
    pub(super) cost: u32,
    pub(super) judged: Judged,
}

impl Limit {
    /// Compiles one limit; `name` tells it from all others. Of one that so many nodes share, this node counts its part.
    pub(super) fn new(
        config: &rate_limit::RateLimit,
        name: &str,
        nodes: u32,
        registry: &Registry,
    ) -> Result<Limit, String> {
        let rates = rates(config)?;
        let by: Result<Box<[KeyPart]>, String> = config.by.iter().map(KeyPart::new).collect();
        let burst = rates.iter().map(Rate::burst).min().unwrap_or(0);
        let rates: Vec<Rate> = rates.iter().map(|rate| rate.share(nodes)).collect();
        let counters = registry.counters(name, &rates, &config.by);
        let cost = match &config.cost {
            RateLimitCost::Number(cost) if *cost > burst => {
                return Err(format!(
                    "a request that costs {cost} never passes a burst of {burst}: raise the burst"
                ));
            }
            RateLimitCost::Number(cost) => Cost::Number(*cost),
            RateLimitCost::Cel(expression) => Cost::Expression(Expression::number(expression)?),
        };
        Ok(Limit {
            by: by?,
            cost,
            when: config.when.as_deref().map(Expression::boolean).transpose()?,
            fields: Fields::new(name, &config.quota, config.headers),
            counters,
        })
    }

    /// Whether anything in it asks who the client is, which must be known by then.
    pub(super) fn needs_identity(&self) -> bool {
        let cost = match &self.cost {
            Cost::Number(_) => false,
            Cost::Expression(cost) => cost.needs_identity(),
        };
        cost || self.by.iter().any(KeyPart::needs_identity)
            || self.when.as_ref().is_some_and(Expression::needs_identity)
    }

    /// What the request counts as; `None` where the limit isn't for it.
    ///
    /// # Errors
    /// When an expression fails.
    pub(super) fn cost(&self, cx: &Ctx, request: &Request) -> portcullis_core::Result<Option<u32>> {
        if let Some(when) = &self.when
            && !when.holds(cx, request).map_err(undecided)?
        {
            return Ok(None);
        }
        match &self.cost {
            Cost::Number(cost) => Ok(Some(*cost)),
            Cost::Expression(cost) => {
                let cost = cost.number_of(cx, request).map_err(undecided)?;
                match u32::try_from(cost) {
                    Ok(cost) => Ok(Some(cost)),
                    // More than any burst.
                    Err(_) if cost > 0 => Ok(Some(u32::MAX)),
                    Err(error) => Err(undecided(error)),
                }
            }
        }
    }

    /// Counts a request on this node, if it may pass; `None` where the limit isn't for it.
    ///
    /// # Errors
    /// When an expression fails.
    pub(super) fn count(&self, cx: &Ctx, request: &Request, now: u64) -> portcullis_core::Result<Option<Counted>> {
        let Some(cost) = self.cost(cx, request)? else {
            return Ok(None);
        };
        self.count_as(cost, cx, request, now).map(Some)
    }

    /// The same, for a request of which it is known what it costs.
    ///
    /// # Errors
    /// When an expression fails.
    pub(super) fn count_as(
        &self,
        cost: u32,
        cx: &Ctx,
        request: &Request,
        now: u64,
    ) -> portcullis_core::Result<Counted> {
        let key = self
            .counters
            .keys()
            .of_request(&self.by, cx, request)
            .map_err(undecided)?;
        let judged = self.counters.judge(key, cost, now);
        Ok(Counted { key, cost, judged })
    }

    /// Takes back what was counted: another limit refused the request.
    pub(super) fn give_back(&self, counted: &Counted) {
        self.counters.give_back(counted.key, counted.cost);
    }
}

/// What guards, denies when it can't find out.
#[cold]
pub(super) fn undecided(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(&codes::GUARD_UNAVAILABLE)
        .by_policy("rate_limit")
        .with_cause(cause)
}

/// The rate of each quota.
fn rates(config: &rate_limit::RateLimit) -> Result<Vec<Rate>, String> {
    let (quotas, written) = (config.quota.len(), config.burst.len());
    if written != 0 && written != quotas {
        return Err(format!(
            "there are {quotas} quotas and {written} bursts: write a burst for each quota, in their order"
        ));
    }
    if !(1..=MOST_QUOTAS).contains(&quotas) {
        return Err(format!("a limit has 1 to {MOST_QUOTAS} quotas, not {quotas}"));
    }
    let with_bursts = config.quota.iter().zip(bursts(config));
    with_bursts
        .map(|(quota, burst)| Rate::new(quota.limit, quota.per, burst))
        .collect()
}

/// The burst of each quota: by default as many as the quota.
pub(super) fn bursts(config: &rate_limit::RateLimit) -> Vec<u32> {
    let written = |(at, quota): (usize, &Quota)| config.burst.get(at).copied().unwrap_or(quota.limit);
    config.quota.iter().enumerate().map(written).collect()
}
