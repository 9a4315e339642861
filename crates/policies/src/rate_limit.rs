//! `rate_limit` bounds how often a client may ask.
//!
//! ```yaml
//! rate_limit: {quota: 100/1m, burst: 20, by: client_ip}
//! ```
//!
//! Requests are spread evenly: `100/1m` lets one through each 0.6 s, and up to `burst` of them at once (by default as
//! many as the quota) after a pause. One more is refused with 429 (`rate_limited`) and `Retry-After`. Every answer that
//! passes here carries `RateLimit-Policy` and `RateLimit`, as revision 11 of draft-ietf-httpapi-ratelimit-headers
//! has them.
//!
//! `by` tells clients apart: `client_ip` (for IPv6 the /64 network, which is what one customer gets), `route` for all
//! clients of a route together, or `header:NAME`. Requests without that field, and those with several of them, share
//! one quota.
//!
//! A named set of policies that several routes use counts their requests together. Counts are exact over all workers of
//! a node, and a reload that leaves name, quota, burst and `by` as they are loses none. A million clients can be told
//! apart at a time. When there are more, those that are known are judged as before, and each group of strangers shares
//! the quota of one client until others have been silent for long enough.

pub mod counters;
pub mod gcra;
pub mod registry;

mod clock;
mod fields;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use portcullis_config::policy::rate_limit;
use portcullis_core::{Ctx, Error, Known, Next, Policy, Reply, Request, codes};

use crate::field_name::FieldName;
use counters::{Counters, Key};
use fields::Fields;
use gcra::{Rate, Verdict};
use registry::Registry;

/// Bounds how often a client may ask.
#[derive(Debug)]
pub struct RateLimit {
    rate: Rate,
    by: By,
    fields: Fields,
    counters: Arc<Counters>,
}

/// What tells clients apart.
#[derive(Debug)]
enum By {
    ClientIp,
    Route,
    Header(FieldName),
}

impl RateLimit {
    /// Compiles what the file says. `name` is that of the policy set, or of the route for a set of its own: clients see
    /// it, and together with quota, burst and `by` it finds the counts of the time before a reload.
    ///
    /// # Errors
    /// When quota or burst admit nobody, or a period can't be counted.
    pub fn new(config: &rate_limit::RateLimit, name: &str, registry: &Registry) -> Result<RateLimit, String> {
        let burst = config.burst.unwrap_or(config.quota.limit);
        let rate = Rate::new(config.quota.limit, config.quota.per, burst)?;
        let by = match &config.by {
            rate_limit::RateLimitKey::ClientIp => By::ClientIp,
            rate_limit::RateLimitKey::Route => By::Route,
            rate_limit::RateLimitKey::Header(header) => By::Header(FieldName::new(header)?),
        };
        let fields = Fields::new(name, config.quota.limit, config.quota.per);
        Ok(RateLimit {
            rate,
            by,
            fields,
            counters: registry.counters(name, rate, &config.by),
        })
    }

    fn key(&self, cx: &Ctx, request: &Request) -> Key {
        match &self.by {
            By::ClientIp => address_key(cx.client),
            By::Route => self
                .counters
                .key_of(cx.route.as_ref().map_or(b"", |route| route.name.as_bytes())),
            By::Header(header) => {
                let mut values = request.headers.get_all(header.name());
                match (values.next(), values.next()) {
                    (Some(value), None) => self.counters.key_of(value),
                    _ => Key::NOBODY,
                }
            }
        }
    }
}

impl Policy for RateLimit {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        let key = self.key(cx, &request);
        let verdict = self.counters.judge(&self.rate, key, clock::nanoseconds(cx.started));
        self.fields.put(&mut cx.answer, &verdict);
        match verdict {
            Verdict::Admitted { .. } => next.run(cx, request),
            Verdict::Refused { retry_after } => refusal(retry_after).into(),
        }
    }
}

#[cold]
fn refusal(retry_after: u64) -> Error {
    let seconds = fields::whole_seconds(retry_after).max(1);
    Error::new(&codes::RATE_LIMITED)
        .with_detail(format!("ask again in {seconds} s"))
        .with_header(Known::RetryAfter, seconds.to_string())
        .by_policy("rate_limit")
}

/// An address as it stands: nobody can aim a collision, because the map that it goes into hashes with a secret of its
/// own. The /64 is what an IPv6 customer is given at the least; single addresses there cost nothing.
fn address_key(client: IpAddr) -> Key {
    match client.to_canonical() {
        IpAddr::V4(address) => Key(4, u64::from(u32::from(address))),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64;
            Key(6, u64::try_from(network).expect("64 bits are left of 128"))
        }
    }
}

/// Two independent keyed hashes of a value that a client chooses: 128 bits that it can't foresee, so that neither can it
/// aim at another's count nor does a long value take room.
#[derive(Debug, Default)]
struct KeyHash {
    first: RandomState,
    second: RandomState,
}

impl KeyHash {
    fn of(&self, value: &[u8]) -> Key {
        Key(self.first.hash_one(value), self.second.hash_one(value))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};
    use std::time::{Duration, Instant};

    use portcullis_config::policy::rate_limit::RateLimitKey;
    use portcullis_core::RouteName;

    use super::*;
    use crate::trial::{Trial, context_of, request, send_as};

    fn policy(quota: &str, burst: Option<u32>, by: &str, registry: &Registry) -> Arc<dyn Policy> {
        let config = rate_limit::RateLimit {
            quota: quota.parse().unwrap(),
            burst,
            by: by.parse().unwrap(),
        };
        Arc::new(RateLimit::new(&config, "public", registry).unwrap())
    }

    fn send_from(policy: &Arc<dyn Policy>, client: &str, at: Instant, fields: &[(&str, &str)]) -> Trial {
        let client: IpAddr = client.parse().unwrap();
        send_as(policy, context_of(client, at), request("GET", "/", fields), &[])
    }

    #[test]
    fn answers_tell_what_is_left() {
        let registry = Registry::default();
        let policy = policy("100/1m", Some(2), "client_ip", &registry);
        let start = Instant::now();
        let first = send_from(&policy, "192.0.2.1", start, &[]);
        assert_eq!(first.field("ratelimit-policy").unwrap(), "\"public\";q=100;w=60");
        assert_eq!(first.field("ratelimit").unwrap(), "\"public\";r=1;t=1");
        assert_eq!(first.field("retry-after"), None);
        let second = send_from(&policy, "192.0.2.1", start, &[]);
        assert_eq!(second.field("ratelimit").unwrap(), "\"public\";r=0;t=2");
        let third = send_from(&policy, "192.0.2.1", start, &[]);
        assert_eq!(third.status().code(), 429);
        assert!(third.seen.is_none());
        assert_eq!(third.field("ratelimit").unwrap(), "\"public\";r=0;t=1");
        assert_eq!(third.field("ratelimit-policy").unwrap(), "\"public\";q=100;w=60");
        assert_eq!(third.field("retry-after").unwrap(), "1");
        assert_eq!(third.result.unwrap_err().policy(), Some("rate_limit"));
        let later = send_from(&policy, "192.0.2.1", start + Duration::from_millis(600), &[]);
        assert_eq!(later.status().code(), 200);
    }

    #[test]
    fn an_upstreams_own_fields_are_replaced() {
        let registry = Registry::default();
        let policy = policy("5/1s", None, "client_ip", &registry);
        let fields = [("RateLimit", "\"theirs\";r=7"), ("RateLimit-Policy", "\"theirs\";q=9")];
        let cx = context_of(IpAddr::from([192, 0, 2, 1]), Instant::now());
        let answer = send_as(&policy, cx, request("GET", "/", &[]), &fields).answer();
        assert_eq!(
            answer.get_all(Known::RateLimit).collect::<Vec<_>>(),
            [b"\"public\";r=4;t=1"]
        );
        assert_eq!(
            answer.get_all(Known::RateLimitPolicy).collect::<Vec<_>>(),
            [b"\"public\";q=5;w=1"]
        );
    }

    #[test]
    fn clients_are_told_apart_by_address_or_network() {
        let registry = Registry::default();
        let policy = policy("1/1m", None, "client_ip", &registry);
        let at = Instant::now();
        for (client, status) in [
            ("192.0.2.1", 200),
            ("192.0.2.2", 200),
            ("192.0.2.1", 429),
            ("::ffff:192.0.2.2", 429),
            ("2001:db8:0:1::1", 200),
            ("2001:db8:0:1:ffff::2", 429),
            ("2001:db8:0:2::1", 200),
        ] {
            assert_eq!(send_from(&policy, client, at, &[]).status().code(), status, "{client}");
        }
    }

    #[test]
    fn clients_are_told_apart_by_a_field() {
        let registry = Registry::default();
        let policy = policy("1/1m", None, "header:X-Tenant", &registry);
        let at = Instant::now();
        let long = "x".repeat(5000);
        for (fields, status) in [
            (&[("x-tenant", "a")][..], 200),
            (&[("X-Tenant", "b")], 200),
            (&[("x-tenant", "a")], 429),
            (&[("x-tenant", &long)], 200),
            (&[("x-tenant", &long)], 429),
            (&[], 200),
            (&[], 429),
            (&[("x-tenant", "c"), ("x-tenant", "d")], 429),
        ] {
            assert_eq!(
                send_from(&policy, "192.0.2.1", at, fields).status().code(),
                status,
                "{fields:?}"
            );
        }
    }

    #[test]
    fn clients_of_a_route_share_its_quota() {
        let registry = Registry::default();
        let policy = policy("1/1m", None, "route", &registry);
        let at = Instant::now();
        let send_to = |route: &str, client: [u8; 4]| {
            let mut cx = context_of(IpAddr::from(client), at);
            cx.route = Some(RouteName {
                name: route.to_owned().leak(),
                index: 0,
            });
            send_as(&policy, cx, request("GET", "/", &[]), &[]).status().code()
        };
        assert_eq!(send_to("a", [192, 0, 2, 1]), 200);
        assert_eq!(send_to("a", [192, 0, 2, 2]), 429);
        assert_eq!(send_to("b", [192, 0, 2, 2]), 200);
    }

    #[test]
    fn counts_survive_a_reload_that_changes_nothing() {
        let registry = Registry::default();
        let at = Instant::now();
        let before = policy("1/1m", None, "client_ip", &registry);
        assert_eq!(send_from(&before, "192.0.2.1", at, &[]).status().code(), 200);
        let after = policy("1/1m", None, "client_ip", &registry);
        drop(before);
        assert_eq!(send_from(&after, "192.0.2.1", at, &[]).status().code(), 429);
        let changed = policy("2/1m", None, "client_ip", &registry);
        assert_eq!(send_from(&changed, "192.0.2.1", at, &[]).status().code(), 200);
    }

    #[test]
    fn a_burst_of_nobody_is_refused() {
        let config = rate_limit::RateLimit {
            quota: "1/1s".parse().unwrap(),
            burst: Some(0),
            by: RateLimitKey::ClientIp,
        };
        assert!(
            RateLimit::new(&config, "x", &Registry::default())
                .unwrap_err()
                .contains("burst")
        );
    }

    #[test]
    fn an_ipv6_network_is_its_first_half() {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6);
        assert_eq!(address_key(IpAddr::V6(address)), Key(6, 0x2001_0db8_0001_0002));
    }
}
