//! How loaded the workers are, as OpenMetrics text.

use portcullis_policies::metrics::family::Family;
use portcullis_resilience::shedding::Priority;

use crate::overload::Loads;

const SHED: Family = Family::counter(
    "portcullis_requests_shed",
    &["priority"],
    "Requests sent away because the node was at the limit that `overload` sets.",
);

const LAG: Family = Family::gauge(
    "portcullis_event_loop_lag_seconds",
    &["worker"],
    "How late the event loop of a worker was when it last looked. Measured where `overload` sets limits.",
)
.in_unit("seconds");

/// The numbers of all workers.
pub(super) fn render(loads: &Loads, out: &mut String) {
    let loads = loads.all();
    SHED.announce(out);
    for priority in Priority::ALL {
        let shed: u64 = loads.iter().map(|load| load.shed(priority)).sum();
        SHED.sample(&[priority.as_str()], shed, out);
    }
    LAG.announce(out);
    for load in loads.iter() {
        if let Some(lag) = load.lag() {
            LAG.sample(&[&load.worker.to_string()], lag.as_secs_f64(), out);
        }
    }
}

/// Every family, in the order of the text.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    [&SHED, &LAG].into_iter()
}
