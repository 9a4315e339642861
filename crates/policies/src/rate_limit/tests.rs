//! Limits as requests meet them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use portcullis_config::policy::rate_limit::{RateLimit as Written, RateLimitFallback, RateLimitHeaders};
use portcullis_config::stores::soft::SoftStore;
use portcullis_core::{Consumer, RouteName};

use super::store::{Fallback, Stores};
use super::*;
use crate::trial::{Trial, context_of, request, send_as};

/// What the file says: quotas, bursts and keys, each separated by spaces.
fn written(quotas: &str, bursts: &str, by: &str) -> Written {
    Written {
        quota: quotas.split(' ').map(|quota| quota.parse().unwrap()).collect(),
        burst: bursts
            .split_terminator(' ')
            .map(|burst| burst.parse().unwrap())
            .collect(),
        by: by.split(' ').map(|key| key.parse().unwrap()).collect(),
        cost: rate_limit::RateLimitCost::default(),
        when: None,
        name: None,
        headers: RateLimitHeaders::default(),
        store: None,
        on_failure: RateLimitFallback::default(),
    }
}

fn stages(limits: &[Written], registry: &Registry) -> Result<Stages, String> {
    Stages::new(limits, "public", Where { registry, store: None })
}

fn policies(limits: &[Written], registry: &Registry) -> Arc<dyn Policy> {
    let stages = stages(limits, registry).unwrap();
    Arc::new(stages.before.or(stages.behind).unwrap())
}

fn policy(quota: &str, burst: &str, by: &str, registry: &Registry) -> Arc<dyn Policy> {
    policies(&[written(quota, burst, by)], registry)
}

fn send_from(policy: &Arc<dyn Policy>, client: &str, at: Instant, fields: &[(&str, &str)]) -> Trial {
    let client: IpAddr = client.parse().unwrap();
    send_as(policy, context_of(client, at), request("GET", "/", fields), &[])
}

#[test]
fn answers_tell_what_is_left() {
    let registry = Registry::default();
    let policy = policy("100/1m", "2", "client_ip", &registry);
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
    let policy = policy("5/1s", "", "client_ip", &registry);
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
    let policy = policy("1/1m", "", "client_ip", &registry);
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
    let policy = policy("1/1m", "", "header:X-Tenant", &registry);
    let at = Instant::now();
    let long = "x".repeat(5000);
    for (fields, status) in [
        (&[("x-tenant", "a")][..], 200),
        (&[("X-Tenant", "b")], 200),
        (&[("x-tenant", "a")], 429),
        (&[("x-tenant", &long)], 200),
        (&[("x-tenant", &long)], 429),
        (&[("x-tenant", "")], 200),
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
fn each_combination_of_several_keys_has_its_own_count() {
    let registry = Registry::default();
    let policy = policy("1/1m", "", "consumer route", &registry);
    let at = Instant::now();
    let send = |consumer: Option<&str>, route: &str| {
        let mut cx = context_of(IpAddr::from([192, 0, 2, 1]), at);
        cx.consumer = consumer.map(|name| Arc::new(Consumer::new(name, "api_key")));
        cx.route = Some(RouteName {
            name: route.to_owned().leak(),
            index: 0,
        });
        send_as(&policy, cx, request("GET", "/", &[]), &[]).status().code()
    };
    for (consumer, route, status) in [
        (Some("ali"), "a", 200),
        (Some("ali"), "b", 200),
        (Some("bob"), "a", 200),
        (Some("ali"), "a", 429),
        (None, "a", 200),
        (None, "a", 429),
    ] {
        assert_eq!(send(consumer, route), status, "{consumer:?} {route}");
    }
}

#[test]
fn clients_of_a_route_share_its_quota() {
    let registry = Registry::default();
    let policy = policy("1/1m", "", "route", &registry);
    let at = Instant::now();
    assert_eq!(send_from(&policy, "192.0.2.1", at, &[]).status().code(), 200);
    assert_eq!(send_from(&policy, "192.0.2.2", at, &[]).status().code(), 429);
}

#[test]
fn all_quotas_must_let_a_request_through() {
    let registry = Registry::default();
    let policy = policy("2/1s 3/1h", "", "client_ip", &registry);
    let start = Instant::now();
    let send = |milliseconds| send_from(&policy, "192.0.2.1", start + Duration::from_millis(milliseconds), &[]);
    assert_eq!(send(0).status().code(), 200);
    assert_eq!(send(0).status().code(), 200);
    let refused = send(0);
    assert_eq!(refused.status().code(), 429);
    assert_eq!(refused.field("retry-after").unwrap(), "1");
    let answer = refused.answer();
    let left: Vec<_> = answer.get_all(Known::RateLimit).collect();
    assert_eq!(left, [&b"\"public-1s\";r=0;t=1"[..], b"\"public-1h\";r=1;t=2400"]);
    assert_eq!(send(1000).status().code(), 200);
    let refused = send(2000);
    assert_eq!(refused.status().code(), 429);
    assert_eq!(refused.field("retry-after").unwrap(), "1198");
}

#[test]
fn a_limit_that_refuses_takes_nothing_from_those_before_it() {
    let registry = Registry::default();
    let list = [written("5/1h", "", "client_ip"), written("1/1h", "", "header:X-Tenant")];
    let policy = policies(&list, &registry);
    let at = Instant::now();
    let send = |tenant: &str| send_from(&policy, "192.0.2.1", at, &[("x-tenant", tenant)]);
    let first = send("a");
    let answer = first.answer();
    let left: Vec<_> = answer.get_all(Known::RateLimit).collect();
    assert_eq!(left, [&b"\"public\";r=4;t=720"[..], b"\"public-2\";r=0;t=3600"]);
    for _ in 0..20 {
        let refused = send("a");
        assert_eq!(refused.status().code(), 429);
        assert_eq!(refused.field("ratelimit").unwrap(), "\"public-2\";r=0;t=3600");
    }
    for tenant in ["b", "c", "d", "e"] {
        assert_eq!(send(tenant).status().code(), 200, "{tenant}");
    }
    assert_eq!(send("f").status().code(), 429);
}

#[test]
fn what_costs_more_takes_more() {
    let registry = Registry::default();
    let mut limit = written("10/1m", "", "client_ip");
    limit.cost = "4".parse().unwrap();
    let policy = policies(&[limit], &registry);
    let at = Instant::now();
    let left: Vec<_> = (0..3)
        .map(|_| send_from(&policy, "192.0.2.1", at, &[]).field("ratelimit").unwrap())
        .collect();
    assert_eq!(
        left,
        ["\"public\";r=6;t=24", "\"public\";r=2;t=48", "\"public\";r=0;t=12"]
    );
}

#[test]
fn limits_stand_where_what_they_ask_is_known() {
    let registry = Registry::default();
    let places = |by: &[&str]| {
        let list: Vec<_> = by.iter().map(|by| written("1/1s", "", by)).collect();
        let stages = stages(&list, &registry).unwrap();
        (stages.before.is_some(), stages.behind.is_some())
    };
    assert_eq!(places(&["client_ip"]), (true, false));
    assert_eq!(places(&["header:X-A"]), (true, false));
    assert_eq!(places(&["consumer"]), (false, true));
    assert_eq!(places(&["client_ip claim:tenant"]), (false, true));
    assert_eq!(places(&["client_ip", "consumer"]), (true, true));
}

#[test]
fn counts_survive_a_reload_that_changes_nothing() {
    let registry = Registry::default();
    let at = Instant::now();
    let before = policy("1/1m", "", "client_ip", &registry);
    assert_eq!(send_from(&before, "192.0.2.1", at, &[]).status().code(), 200);
    let after = policy("1/1m", "", "client_ip", &registry);
    drop(before);
    assert_eq!(send_from(&after, "192.0.2.1", at, &[]).status().code(), 429);
    let changed = policy("2/1m", "", "client_ip", &registry);
    assert_eq!(send_from(&changed, "192.0.2.1", at, &[]).status().code(), 200);
}

#[test]
fn what_lets_nobody_in_is_refused() {
    let registry = Registry::default();
    let mut dear = written("5/1s", "3", "client_ip");
    dear.cost = "4".parse().unwrap();
    for (limit, said) in [
        (written("1/1s", "0", "client_ip"), "burst"),
        (written("1/1s 5/1m", "1", "client_ip"), "a burst for each quota"),
        (written("1/1s", "1 2", "client_ip"), "a burst for each quota"),
        (dear, "never passes a burst of 3"),
    ] {
        let message = stages(&[limit], &registry).unwrap_err();
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn legacy_fields_or_none_are_told_where_that_was_asked() {
    let registry = Registry::default();
    let mut limit = written("10/1m", "", "client_ip");
    limit.headers = RateLimitHeaders::Legacy;
    let told = send_from(&policies(&[limit.clone()], &registry), "192.0.2.1", Instant::now(), &[]);
    assert_eq!(told.field("x-ratelimit-limit").unwrap(), "10");
    assert_eq!(told.field("x-ratelimit-remaining").unwrap(), "9");
    assert_eq!(told.field("x-ratelimit-reset").unwrap(), "6");
    assert_eq!(told.field("ratelimit"), None);
    limit.headers = RateLimitHeaders::Off;
    let told = send_from(&policies(&[limit], &registry), "192.0.2.1", Instant::now(), &[]);
    assert_eq!(told.answer().iter().count(), 0);
}

#[test]
fn expressions_say_who_is_counted_as_what() {
    let registry = Registry::default();
    let mut limit = written("10/1m", "", "client_ip");
    limit.by = vec!["cel:request.method".parse().unwrap()];
    limit.cost = "request.method == 'GET' ? 1 : 4".parse().unwrap();
    limit.when = Some("!request.path.startsWith('/free')".to_owned());
    let policy = policies(&[limit], &registry);
    let at = Instant::now();
    let send = |method: &str, path: &str| {
        let cx = context_of(IpAddr::from([192, 0, 2, 1]), at);
        send_as(&policy, cx, request(method, path, &[]), &[]).field("ratelimit")
    };
    assert_eq!(send("GET", "/").unwrap(), "\"public\";r=9;t=6");
    assert_eq!(send("POST", "/").unwrap(), "\"public\";r=6;t=24");
    assert_eq!(send("GET", "/").unwrap(), "\"public\";r=8;t=12");
    assert_eq!(send("GET", "/free/of/limits"), None);
}

#[test]
fn an_expression_that_fails_denies_and_takes_nothing() {
    let registry = Registry::default();
    let mut failing = written("5/1h", "", "client_ip");
    failing.cost = "int(request.headers['x-cost'])".parse().unwrap();
    let policy = policies(&[written("2/1h", "", "client_ip"), failing], &registry);
    let at = Instant::now();
    let send = |cost: &str| send_from(&policy, "192.0.2.1", at, &[("x-cost", cost)]);
    for wrong in ["", "many", "-1"] {
        for _ in 0..5 {
            let trial = send(wrong);
            assert_eq!(trial.status().code(), 503, "{wrong}");
            let error = trial.result.unwrap_err();
            assert_eq!(
                (error.code().name, error.policy()),
                ("guard_unavailable", Some("rate_limit"))
            );
        }
    }
    let dear = send("99999999999");
    assert_eq!(dear.status().code(), 429);
    assert_eq!(
        dear.field("retry-after"),
        None,
        "it never passes, however long one waits"
    );
    assert_eq!(send("1").status().code(), 200);
    assert_eq!(send("1").status().code(), 200);
    assert_eq!(send("1").status().code(), 429);
}

#[test]
fn expressions_are_checked_when_they_are_read() {
    let registry = Registry::default();
    let mut limits = [(); 3].map(|()| written("5/1h", "", "client_ip"));
    limits[0].when = Some("request.method".to_owned());
    limits[1].cost = "request.nothing".parse().unwrap();
    limits[2].by = vec!["cel:1 +".parse().unwrap()];
    for limit in limits {
        assert!(stages(&[limit], &registry).is_err());
    }
}

#[test]
fn expressions_that_ask_who_it_is_stand_behind() {
    let registry = Registry::default();
    let behind = |limit: Written| stages(&[limit], &registry).unwrap().behind.is_some();
    let mut limit = written("5/1h", "", "cel:request.path");
    assert!(!behind(limit.clone()));
    limit.when = Some("consumer == null".to_owned());
    assert!(behind(limit));
    assert!(behind(written("5/1h", "", "cel:string(claims.tenant)")));
    let mut limit = written("5/1h", "", "client_ip");
    limit.cost = "'gold' in consumer.roles ? 1 : 2".parse().unwrap();
    assert!(behind(limit));
}

/// A store that nobody answers from, and which this many nodes share.
fn away(nodes: u16) -> Arc<Store> {
    let config = SoftStore {
        at: "redis://127.0.0.1:1".parse().unwrap(),
        nodes,
        ..SoftStore::default()
    };
    let opened = Stores::default().open(&config, Path::new("."), None, |_| ());
    opened.unwrap().unwrap()
}

fn shared(limits: &[Written], store: &Arc<Store>, registry: &Registry) -> Arc<dyn Policy> {
    let store = Some(store);
    let stages = Stages::new(limits, "public", Where { registry, store }).unwrap();
    Arc::new(stages.before.unwrap())
}

fn statuses(policy: &Arc<dyn Policy>, count: usize) -> Vec<u16> {
    let at = Instant::now();
    let send = |_| send_from(policy, "192.0.2.1", at, &[]).status().code();
    (0..count).map(send).collect()
}

#[test]
fn a_node_goes_on_with_its_share_while_the_store_is_away() {
    let (registry, store) = (Registry::default(), away(4));
    let policy = shared(&[written("8/1h", "", "client_ip")], &store, &registry);
    assert_eq!(statuses(&policy, 4), [200, 200, 429, 429]);
    assert_eq!(store.fallbacks(Fallback::Local), 4);
    assert!(!store.is_up());
    let dear = Written {
        cost: "5".parse().unwrap(),
        ..written("8/1h", "", "route")
    };
    let policy = shared(&[dear], &store, &registry);
    assert_eq!(
        statuses(&policy, 2),
        [200, 429],
        "what passes all nodes together passes one"
    );
}

#[test]
fn requests_are_refused_or_let_through_where_the_limit_says_so() {
    let (registry, store) = (Registry::default(), away(1));
    let with = |on_failure| Written {
        on_failure,
        ..written("1/1h", "", "client_ip")
    };
    let policy = shared(&[with(RateLimitFallback::Deny)], &store, &registry);
    let refused = send_from(&policy, "192.0.2.1", Instant::now(), &[]);
    let error = refused.result.as_ref().unwrap_err();
    assert_eq!(
        (error.code().name, error.status().code(), error.policy()),
        ("guard_unavailable", 503, Some("rate_limit"))
    );
    assert!(refused.seen.is_none());
    let policy = shared(&[with(RateLimitFallback::Admit)], &store, &registry);
    assert_eq!(statuses(&policy, 3), [200, 200, 200]);
    assert_eq!(store.fallbacks(Fallback::Deny), 1);
    assert_eq!(store.fallbacks(Fallback::Admit), 3);
    assert_eq!(store.fallbacks(Fallback::Local), 0);
}

#[test]
fn what_the_store_refuses_takes_nothing_from_limits_of_the_node() {
    let (registry, store) = (Registry::default(), away(1));
    let node = Written {
        store: Some(RateLimitStore::Node),
        ..written("4/1h", "", "client_ip")
    };
    let list = [
        node,
        written("1/1h", "", "header:X-Tenant"),
        written("3/1h", "", "route"),
    ];
    let policy = shared(&list, &store, &registry);
    let at = Instant::now();
    let send = |tenant: &str| send_from(&policy, "192.0.2.1", at, &[("x-tenant", tenant)]);
    assert_eq!(send("a").answer().get_all(Known::RateLimit).count(), 3);
    for _ in 0..5 {
        let refused = send("a");
        assert_eq!(refused.status().code(), 429);
        assert_eq!(refused.field("ratelimit").unwrap(), "\"public-2\";r=0;t=3600");
    }
    assert_eq!(send("b").status().code(), 200);
    assert_eq!(send("c").status().code(), 200);
    // The third limit refuses, and the second one keeps what this tenant has.
    for _ in 0..3 {
        assert_eq!(send("d").field("ratelimit").unwrap(), "\"public-3\";r=0;t=1200");
    }
}

#[test]
fn a_list_may_say_for_each_limit_where_it_is_counted() {
    let (registry, store) = (Registry::default(), away(1));
    let here = Written {
        store: Some(RateLimitStore::Node),
        ..written("1/1h", "", "client_ip")
    };
    let policy = shared(&[here], &store, &registry);
    assert_eq!(statuses(&policy, 2), [200, 429]);
    assert_eq!(store.fallbacks(Fallback::Local), 0);
    let soft = Written {
        store: Some(RateLimitStore::Soft),
        ..written("2/1h", "", "client_ip")
    };
    let policy = policies(&[soft], &registry);
    assert_eq!(
        statuses(&policy, 3),
        [200, 200, 429],
        "the soft store is the node's memory"
    );
}
