//! How often rules matched, by their families.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::judge::Judged;
use crate::metrics::family::Family;

/// Everything that [`Counts::render`] writes.
pub const FAMILIES: [Family; 1] = [Family::counter(
    "portcullis_inspect_hits",
    &["family", "action"],
    "Rules that matched, by the first three digits of their numbers or by their kind, and what became of the request: `refused`, \
     `reported` or `passed`.",
)];

/// How many families have a series of their own.
const MOST_FAMILIES: usize = 200;

/// The family of all others.
const OTHER: &str = "other";

/// What became of a request in which something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Refused,
    Reported,
    Passed,
}

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            Action::Refused => "refused",
            Action::Reported => "reported",
            Action::Passed => "passed",
        }
    }
}

/// Counts of hits. A request in which nothing is found never comes here.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<(String, Action), u64>>);

impl Counts {
    pub(super) fn add(&self, judged: &Judged, action: Action) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for hit in &judged.hits {
            let family = match hit.rule {
                0 if judged.unfinished => "limit".to_owned(),
                0 => hit.message.clone(),
                rule => {
                    let digits = rule.to_string();
                    digits[..digits.len().min(3)].to_owned()
                }
            };
            let mut key = (family, action);
            if counts.len() >= MOST_FAMILIES && !counts.contains_key(&key) {
                key.0 = OTHER.to_owned();
            }
            *counts.entry(key).or_default() += 1;
        }
    }

    /// Adds the counts as OpenMetrics text.
    pub fn render(&self, out: &mut String) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        FAMILIES[0].announce(out);
        for ((family, action), count) in counts {
            FAMILIES[0].sample(&[&family, action.name()], count, out);
        }
    }
}
