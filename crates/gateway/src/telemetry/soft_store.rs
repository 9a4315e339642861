//! How it is with the store that several gates share, as OpenMetrics text.

use std::sync::Arc;

use portcullis_policies::metrics::family::Family;
use portcullis_policies::rate_limit::store::{Fallback, Store};

const UP: Family = Family::gauge(
    "portcullis_soft_store_up",
    &[],
    "1 while the soft store answers. There is no such line where `stores.soft` names no server.",
);

const FALLBACKS: Family = Family::counter(
    "portcullis_soft_store_fallbacks",
    &["action"],
    "Judgements made without the soft store, because it did not answer, by what became of them.",
);

/// The numbers of the stores in use: of one, but for the time of a reload that changes it.
pub(super) fn render(stores: &[Arc<Store>], out: &mut String) {
    if stores.is_empty() {
        return;
    }
    UP.announce(out);
    UP.sample(&[], u64::from(stores.iter().all(|store| store.is_up())), out);
    FALLBACKS.announce(out);
    for (fallback, action) in Fallback::ALL {
        let count: u64 = stores.iter().map(|store| store.fallbacks(fallback)).sum();
        FALLBACKS.sample(&[action], count, out);
    }
}

/// Every family, in the order of the text.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    [&UP, &FALLBACKS].into_iter()
}
