//! Policies that are made of more than their own words.

use portcullis_config::policy as written;
use portcullis_fetch::Fetcher;
use portcullis_policies::{
    api_key, basic, compress, concurrency, forward, graphql, hmac, idempotency, inspect, introspect, jwt, oidc,
    payload, quota, security_headers, validate,
};

use super::making::Around;
use crate::compile::Purpose;
use crate::telemetry::log;

type Made<P> = Result<P, String>;

/// Nothing where it is turned off.
type Switched<P> = Result<Option<P>, String>;

pub(super) fn security_headers(
    config: &written::security_headers::SecurityHeaders,
    _: &Around<'_>,
) -> Switched<security_headers::SecurityHeaders> {
    let policy = security_headers::SecurityHeaders::new(config)?;
    Ok(config.enabled.then_some(policy))
}

/// Keys are fetched only where it runs.
pub(super) fn jwt(config: &written::jwt::Jwt, around: &Around<'_>) -> Made<jwt::Jwt> {
    let running = around.purpose == Purpose::Run;
    let surroundings = jwt::Surroundings {
        base: around.base,
        slow: around.slow,
        keyrings: running.then_some(&around.kept.keyrings),
    };
    jwt::Jwt::new(config, &surroundings)
}

pub(super) fn introspect(
    config: &written::introspect::Introspect,
    around: &Around<'_>,
) -> Made<introspect::Introspect> {
    introspect::Introspect::new(config, around.service(&config.service)?)
}

pub(super) fn api_key(config: &written::api_key::ApiKey, around: &Around<'_>) -> Made<api_key::ApiKey> {
    let stored = config.store.then(|| around.durable.consumers()).transpose()?;
    api_key::ApiKey::new(config, stored)
}

pub(super) fn hmac(config: &written::hmac::Hmac, around: &Around<'_>) -> Made<hmac::Hmac> {
    hmac::Hmac::new(config, around.name, around.base, &around.kept.signed_requests)
}

pub(super) fn basic(config: &written::basic::Basic, around: &Around<'_>) -> Made<basic::Basic> {
    basic::Basic::new(config, around.base, around.slow)
}

pub(super) fn forward(config: &written::forward::Forward, around: &Around<'_>) -> Made<forward::Forward> {
    forward::Forward::new(config, around.service(&config.service)?)
}

pub(super) fn oidc(config: &written::oidc::Oidc, around: &Around<'_>) -> Made<oidc::Oidc> {
    let ca = config.ca.as_ref().map(|ca| around.base.join(ca));
    let fetcher = Fetcher::new(around.slow.clone(), ca.as_deref())?;
    oidc::Oidc::new(config, fetcher, around.slow, &around.kept.oidc)
}

pub(super) fn quota(config: &written::quota::Quota, around: &Around<'_>) -> Made<quota::Quota> {
    quota::Quota::new(config, around.name, around.durable.leases()?)
}

pub(super) fn concurrency(
    config: &written::concurrency::Concurrency,
    around: &Around<'_>,
) -> Made<concurrency::Concurrency> {
    concurrency::Concurrency::new(config, around.name, &around.kept.concurrency)
}

pub(super) fn payload(config: &written::payload::Payload, around: &Around<'_>) -> Switched<payload::Payload> {
    let policy = payload::Payload::new(config, around.slow)?;
    Ok(config.enabled.then_some(policy))
}

pub(super) fn graphql(config: &written::graphql::GraphQl, around: &Around<'_>) -> Switched<graphql::GraphQl> {
    graphql::GraphQl::new(config, around.name, around.slow, &around.kept.reported).map(Some)
}

pub(super) fn validate(config: &written::validate::Validate, around: &Around<'_>) -> Made<validate::Validate> {
    validate::Validate::new(config, around.name, around.base, around.slow, &around.kept.reported)
}

/// What its rules have and means nothing here is told where it runs.
pub(super) fn inspect(config: &written::inspect::Inspect, around: &Around<'_>) -> Switched<inspect::Inspect> {
    let running = around.purpose == Purpose::Run;
    let surroundings = inspect::Surroundings {
        base: around.base,
        kept: &around.kept.inspect,
        sinks: running.then_some(&around.kept.sinks),
        slow: around.slow,
    };
    let inspect = inspect::Inspect::new(config, &surroundings)?;
    if running {
        inspect.warnings().iter().for_each(log::warn);
    }
    Ok(Some(inspect))
}

pub(super) fn idempotency(
    config: &written::idempotency::Idempotency,
    around: &Around<'_>,
) -> Switched<idempotency::Idempotency> {
    let policy = idempotency::Idempotency::new(config, around.durable.records()?);
    Ok(config.enabled.then_some(policy))
}

pub(super) fn compress(config: &written::compress::Compress, _: &Around<'_>) -> Switched<compress::Compress> {
    let policy = compress::Compress::new(config)?;
    Ok(config.enabled.then_some(policy))
}
