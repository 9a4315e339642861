//! How routes that end in several services give requests to them, as OpenMetrics text.

use portcullis_policies::metrics::family::Family;
use portcullis_resilience::rollout::{Phase, WHOLE};

use crate::state::State;

const SHARES: Family = Family::counter(
    "portcullis_split_requests",
    &["route", "service"],
    "Requests that a split or a roll-out gave to each service.",
);

const MIRRORED: Family = Family::counter(
    "portcullis_mirrored_requests",
    &["service", "result"],
    "Copies of requests, by what became of them: `answered` (with whatever status), `failed` or `timed_out`; not sent, \
     because the body was `too_large`, `too_many` were under way, or the request broke off (`incomplete`).",
);

const SWAPPED: Family = Family::gauge(
    "portcullis_services_swapped",
    &["service", "means"],
    "1 for each name that means another service than its own, since operators exchanged them.",
);

const WEIGHT: Family = Family::gauge(
    "portcullis_rollout_weight",
    &["route"],
    "Which share of the requests the new version gets, from 0 to 1.",
);

const STATE: Family = Family::gauge(
    "portcullis_rollout_state",
    &["route", "state"],
    "1 for the state that a roll-out is in.",
);

/// The numbers of all such routes.
pub(super) fn render(state: &State, out: &mut String) {
    for (family, counts) in [
        (&SHARES, state.kept.shares.all()),
        (&MIRRORED, state.kept.mirrored.all()),
    ] {
        family.announce(out);
        for (one, other, count) in counts {
            family.sample(&[&one, &other], count, out);
        }
    }
    SWAPPED.announce(out);
    for (name, meaning) in state.kept.swaps.all() {
        SWAPPED.sample(&[&name, &meaning], 1, out);
    }
    let rollouts = &state.snapshot.load().rollouts;
    WEIGHT.announce(out);
    for course in rollouts {
        let weight = f64::from(course.progress.weight()) / f64::from(WHOLE);
        WEIGHT.sample(&[course.route], weight, out);
    }
    STATE.announce(out);
    for course in rollouts {
        let now = course.phase();
        for phase in Phase::ALL {
            STATE.sample(&[course.route, phase.as_str()], u8::from(phase == now), out);
        }
    }
}

/// Every family, in the order of the text.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    [&SHARES, &MIRRORED, &SWAPPED, &WEIGHT, &STATE].into_iter()
}
