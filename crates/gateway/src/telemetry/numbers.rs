//! The numbers of the process as OpenMetrics text.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_acme::Report;
use portcullis_policies::access_log::sink;
use portcullis_policies::inspect::counts;
use portcullis_policies::metrics;
use portcullis_policies::metrics::family::Family;
use portcullis_policies::validate::reported;

use super::{databases, discovery, ends, overload, services, soft_store, upstreams};
use crate::listener::ListenerTls;
use crate::state::State;

/// One number of the process, and how to read it.
struct Number {
    family: Family,
    read: fn(&State) -> u64,
}

const fn counter(name: &'static str, help: &'static str, read: fn(&State) -> u64) -> Number {
    let family = Family::counter(name, &[], help);
    Number { family, read }
}

const fn gauge(name: &'static str, help: &'static str, read: fn(&State) -> u64) -> Number {
    let family = Family::gauge(name, &[], help);
    Number { family, read }
}

fn read(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}

/// Numbers of which there is one.
const NUMBERS: &[Number] = &[
    counter("portcullis_connections", "Client connections accepted.", |state| {
        read(&state.tallies.connections)
    }),
    counter(
        "portcullis_connections_shed",
        "Client connections closed at once: a limit was reached.",
        |state| read(&state.tallies.connections_shed),
    ),
    gauge(
        "portcullis_bans",
        "Addresses and networks that are banned now.",
        |state| state.kept.bans.in_force(SystemTime::now()),
    ),
    counter(
        "portcullis_bans_made",
        "Addresses that were banned for offences.",
        |state| read(&state.kept.bans.made),
    ),
    counter(
        "portcullis_requests_banned",
        "Requests refused because their client is banned.",
        |state| read(&state.kept.bans.requests),
    ),
    counter(
        "portcullis_connections_banned",
        "Connections closed at once because their client is banned.",
        |state| read(&state.kept.bans.connections),
    ),
    counter(
        "portcullis_tls_handshakes_failed",
        "TLS handshakes that clients did not complete.",
        |state| read(&state.tallies.handshakes_failed),
    ),
    counter(
        "portcullis_proxy_headers_refused",
        "Connections closed because a listed proxy did not begin them with a header of the PROXY protocol.",
        |state| read(&state.tallies.proxy_headers_refused),
    ),
    counter(
        "portcullis_config_reloads",
        "Reloads that were put in force.",
        |state| read(&state.tallies.reloads),
    ),
    counter(
        "portcullis_config_reloads_refused",
        "Reloads that were refused.",
        |state| read(&state.tallies.reloads_refused),
    ),
    counter(
        "portcullis_upgrades",
        "Times that another process of the gate took over, since the first one was started.",
        |state| read(&state.tallies.upgrades),
    ),
    counter(
        "portcullis_upgrades_failed",
        "Upgrades that came to nothing: the process that was there went on.",
        |state| read(&state.tallies.upgrades_failed),
    ),
    counter(
        "portcullis_config_rollbacks",
        "Times that an operator went back to an earlier configuration.",
        |state| read(&state.tallies.rollbacks),
    ),
    gauge(
        "portcullis_config_last_reload_successful",
        "1 unless the last reload was refused.",
        |state| u64::from(!state.last_reload_failed.load(Ordering::Relaxed)),
    ),
    counter(
        "portcullis_requests_retired",
        "Requests ended because a reload replaced their configuration longer ago than `max_age`.",
        |state| read(&state.tallies.requests_retired),
    ),
    gauge("portcullis_ready", "1 while the gate is ready for requests.", |state| {
        u64::from(state.ready.load(Ordering::Relaxed))
    }),
];

const CONNECTIONS_OPEN: Family = Family::gauge(
    "portcullis_connections_open",
    &["listener"],
    "Client connections open now.",
);

const CERTIFICATE_EXPIRY: Family = Family::gauge(
    "portcullis_certificate_expiry_seconds",
    &["listener"],
    "When the first certificate of the listener to expire does so, in seconds since 1970.",
)
.in_unit("seconds");

/// Certificates by ACME, by the first of their names.
const ACME: [Family; 3] = [
    Family::gauge(
        "portcullis_acme_certificate_expiry_seconds",
        &["domain"],
        "When the certificate expires that is in use, in seconds since 1970; 0 while there is none.",
    )
    .in_unit("seconds"),
    Family::counter(
        "portcullis_acme_certificates_issued",
        &["domain"],
        "Certificates that this gate got.",
    ),
    Family::counter(
        "portcullis_acme_orders_failed",
        &["domain"],
        "Orders of this gate that came to nothing.",
    ),
];

const UPSTREAM_CONNECTIONS_OPEN: Family = Family::gauge(
    "portcullis_upstream_connections_open",
    &["service", "target"],
    "Connections open to each target.",
);

const CONFIG: Family = Family::info(
    "portcullis_config",
    &["digest", "source"],
    "The configuration in force: its digest, and whether it is the `file` or an operator went back to it (`rollback`).",
);

const CONFIG_LOADED: Family = Family::gauge(
    "portcullis_config_loaded_seconds",
    &[],
    "When the configuration in force was read, in seconds since 1970.",
)
.in_unit("seconds");

const BUILD: Family = Family::info("portcullis_build", &["version"], "The running program.");

/// All numbers, to their `# EOF`.
pub(crate) fn render(state: &State) -> String {
    let mut out = String::with_capacity(16 * 1024);
    state.kept.metrics.render(&mut out);
    state.kept.sinks.render(&mut out);
    for Number { family, read } in NUMBERS {
        family.announce(&mut out);
        family.sample(&[], read(state), &mut out);
    }
    CONNECTIONS_OPEN.announce(&mut out);
    for listener in &state.snapshot.load().listeners {
        let open = listener.open.load(Ordering::Relaxed);
        CONNECTIONS_OPEN.sample(&[&listener.name], open, &mut out);
    }
    CERTIFICATE_EXPIRY.announce(&mut out);
    for listener in &state.snapshot.load().listeners {
        if let Some(expires) = listener.tls.as_ref().and_then(ListenerTls::expires) {
            CERTIFICATE_EXPIRY.sample(&[&listener.name], expires.as_secs(), &mut out);
        }
    }
    acme(state, &mut out);
    UPSTREAM_CONNECTIONS_OPEN.announce(&mut out);
    let targets = state.kept.services.targets();
    for target in &targets {
        UPSTREAM_CONNECTIONS_OPEN.sample(&[&target.service, &target.url], target.connections, &mut out);
    }
    upstreams::render(&targets, &mut out);
    services::render(&state.kept.services.services(), &mut out);
    discovery::render(&state.kept.services, &mut out);
    databases::render(state.kept.databases.all(), &mut out);
    ends::render(state, &mut out);
    if let Some(in_force) = state.history.in_force() {
        CONFIG.announce(&mut out);
        CONFIG.sample(&[in_force.record.digest(), &in_force.source.to_string()], 1, &mut out);
        CONFIG_LOADED.announce(&mut out);
        let since_1970 = in_force.loaded_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        CONFIG_LOADED.sample(&[], since_1970.as_secs(), &mut out);
    }
    overload::render(&state.loads, &mut out);
    soft_store::render(&state.kept.soft_stores.all(), &mut out);
    state.kept.reported.render(&mut out);
    state.kept.inspect.counts.render(&mut out);
    BUILD.announce(&mut out);
    BUILD.sample(&[env!("CARGO_PKG_VERSION")], 1, &mut out);
    out.push_str("# EOF\n");
    out
}

fn acme(state: &State, out: &mut String) {
    let snapshot = state.snapshot.load();
    let mut reports: Vec<Report> = snapshot.certificates.iter().map(|keeping| keeping.report()).collect();
    // A series stands once. Of two sets with the same first name, one is told of.
    reports.sort_by(|one, other| one.domain.cmp(&other.domain));
    reports.dedup_by(|one, other| one.domain == other.domain);
    let read: [fn(&Report) -> u64; 3] = [
        |report| {
            let ends = report.ends.and_then(|ends| ends.duration_since(UNIX_EPOCH).ok());
            ends.map_or(0, |since_1970| since_1970.as_secs())
        },
        |report| report.issued,
        |report| report.failed,
    ];
    for (family, read) in ACME.iter().zip(read) {
        family.announce(out);
        for report in &reports {
            family.sample(&[&report.domain], read(report), out);
        }
    }
}

/// Every family, in the order of the text.
pub(crate) fn families() -> impl Iterator<Item = &'static Family> {
    let own = NUMBERS.iter().map(|number| &number.family);
    let labelled = [
        &CONNECTIONS_OPEN,
        &CERTIFICATE_EXPIRY,
        &UPSTREAM_CONNECTIONS_OPEN,
        &CONFIG,
        &CONFIG_LOADED,
        &BUILD,
    ];
    metrics::FAMILIES
        .iter()
        .chain(&sink::FAMILIES)
        .chain(own)
        .chain(labelled)
        .chain(&ACME)
        .chain(upstreams::families())
        .chain(services::families())
        .chain(discovery::families())
        .chain(databases::families())
        .chain(ends::families())
        .chain(overload::families())
        .chain(soft_store::families())
        .chain([&reported::FAMILY])
        .chain(&counts::FAMILIES)
}
