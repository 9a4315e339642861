//! Who belongs to services, and what could not be found out, as OpenMetrics text.

use portcullis_backends::service::{STATES, Services};
use portcullis_policies::metrics::family::Family;

const FAILURES: Family = Family::counter(
    "portcullis_discovery_failures",
    &["service"],
    "Names of a service's targets that did not resolve, and files of targets that could not be used; each try counts.",
);

const TARGETS: Family = Family::gauge(
    "portcullis_service_targets",
    &["service", "state"],
    "Targets of a service by what they are: `good`, `draining`, `failing` or `ejected`.",
);

/// The numbers of all services.
pub(super) fn render(services: &Services, out: &mut String) {
    let counts = services.counts();
    FAILURES.announce(out);
    for (service, failures, _) in &counts {
        FAILURES.sample(&[service], *failures, out);
    }
    TARGETS.announce(out);
    for (service, _, targets) in &counts {
        for (state, count) in STATES.iter().zip(targets) {
            TARGETS.sample(&[service, state], *count, out);
        }
    }
}

/// Every family, in the order of the text.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    [&FAILURES, &TARGETS].into_iter()
}
