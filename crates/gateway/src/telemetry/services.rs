//! What happened to the requests of services, as OpenMetrics text.

use portcullis_backends::service::ServiceTold;
use portcullis_policies::metrics::family::Family;

const RETRIES: Family = Family::counter(
    "portcullis_upstream_retries",
    &["service", "reason"],
    "Requests that were sent again.",
);

/// A number of each service, and how to read it.
struct Number {
    family: Family,
    read: fn(&ServiceTold) -> u64,
}

const fn counter(name: &'static str, help: &'static str, read: fn(&ServiceTold) -> u64) -> Number {
    let family = Family::counter(name, &["service"], help);
    Number { family, read }
}

const NUMBERS: &[Number] = &[
    counter(
        "portcullis_upstream_retries_denied",
        "Requests that would have been sent again, had the budget of the service allowed it.",
        |told| told.retries_denied,
    ),
    counter(
        "portcullis_upstream_hedges",
        "Second attempts that were begun beside the first.",
        |told| told.hedges,
    ),
    counter(
        "portcullis_upstream_hedges_won",
        "Second attempts whose response came first.",
        |told| told.hedges_won,
    ),
    counter(
        "portcullis_upstream_queued",
        "Requests that waited because every target had all that it may have.",
        |told| told.queued,
    ),
    counter(
        "portcullis_upstream_queue_timeouts",
        "Requests that waited in vain.",
        |told| told.queue_timeouts,
    ),
    Number {
        family: Family::gauge("portcullis_upstream_pending", &["service"], "Requests that wait now."),
        read: |told| told.pending,
    },
];

const CIRCUIT_OPEN: Family = Family::gauge(
    "portcullis_circuit_open",
    &["service"],
    "1 while the service is left alone, or probed. Only of services with a `circuit_breaker`.",
);

const CONCURRENCY_LIMIT: Family = Family::gauge(
    "portcullis_concurrency_limit",
    &["service"],
    "Requests that the service may have in progress now. Only of services with `adaptive_concurrency`.",
);

/// The numbers of all services.
pub(super) fn render(services: &[ServiceTold], out: &mut String) {
    RETRIES.announce(out);
    for told in services {
        for (reason, count) in &told.retries {
            RETRIES.sample(&[&told.service, reason], *count, out);
        }
    }
    for Number { family, read } in NUMBERS {
        family.announce(out);
        for told in services {
            family.sample(&[&told.service], read(told), out);
        }
    }
    CIRCUIT_OPEN.announce(out);
    for told in services {
        if let Some(open) = told.circuit_open {
            CIRCUIT_OPEN.sample(&[&told.service], u8::from(open), out);
        }
    }
    CONCURRENCY_LIMIT.announce(out);
    for told in services {
        if let Some(limit) = told.concurrency_limit {
            CONCURRENCY_LIMIT.sample(&[&told.service], limit, out);
        }
    }
}

/// Every family, in the order of the text.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    [&RETRIES]
        .into_iter()
        .chain(NUMBERS.iter().map(|number| &number.family))
        .chain([&CIRCUIT_OPEN, &CONCURRENCY_LIMIT])
}
