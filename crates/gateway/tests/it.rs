//! The gate as its clients, its upstreams and its operators see it: the real binary on real sockets.
//!
//! The first modules are what the tests stand on; each other one is a kind of behaviour.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a failed test shows the log of its gate")]
#![allow(clippy::needless_pass_by_value, reason = "what a test builds it gives away")]

mod it {
    mod client;
    mod folder;
    mod frames;
    mod gate;
    mod http2_client;
    mod http2_peer;
    mod http3_client;
    mod json;
    mod name_server;
    mod numbered;
    mod oidc_provider;
    mod secure;
    mod upstream;

    mod malformed;
    mod smuggling;

    mod acme;
    mod bodies;
    mod certificate_files;
    mod client_certificates;
    mod concurrency;
    mod connections;
    mod http2;
    mod http2_limits;
    mod large_bodies;
    mod limits;
    mod rate_limits;
    mod secure_upstreams;
    mod sessions;
    mod timeouts;
    mod tls;
    mod to_https;
    mod unix_sockets;
    mod upgrades;

    mod answers;
    mod balancing;
    mod discovery;
    mod explain_live;
    mod forwarding;
    mod grpc;
    mod health;
    mod http2_upstream;
    mod http2_upstream_failures;
    mod proxy_protocol;
    mod routing;
    mod services_admin;
    mod upstream_failures;

    mod mirror;
    mod rollout;
    mod split;
    mod swap;

    mod http3;
    mod http3_abuse;
    mod http3_connections;

    mod access_log;
    mod authorize;
    mod bans;
    mod basic;
    mod compress;
    mod consumers;
    mod files;
    mod forward;
    mod graphql;
    mod grpc_web;
    mod hmac;
    mod idempotency;
    mod inspect;
    mod introspect;
    mod jwt;
    mod mtls;
    mod oidc;
    mod openapi;
    mod payload;
    mod policies;
    mod quota;
    mod reveal;
    mod table_cases;
    mod table_kills;
    mod table_survival;
    mod tables;
    mod tables_api;
    mod validate;

    mod adaptive_concurrency;
    mod admin;
    mod breaker;
    mod commands;
    mod diff;
    mod drain;
    mod floods;
    mod lasting;
    mod overload;
    mod reload;
    mod retries;
    mod rollback;
    mod shedding;
    mod startup;
    mod systemd;
    mod upgrade;
    mod watch;

    mod bench_once;
    mod bench_page;
    mod bench_policies;
    mod bench_stages;

    mod browser;
    mod clients;
    mod examples;
    mod readme;
    mod table_page;
    mod tutorial;
    mod webdriver;
}
