//! What operators decided about the targets of a service while the gate runs. It holds until they take it back.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_config::service::Target;
use serde::{Deserialize, Serialize};

use super::discovery::Found;

/// Decisions of each kind that a service can have. An operator makes some; a program that makes more has a fault.
const MOST: usize = 1000;

/// What operators decided about the targets of a service, by their URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Decisions {
    /// Targets beside those that are found.
    pub(super) added: Vec<Target>,
    removed: BTreeSet<String>,
    drained: BTreeSet<String>,
    weights: BTreeMap<String, u32>,
}

/// What an operator decides.
#[derive(Clone, Debug)]
pub enum Decision {
    /// There is one target more; or one that is there gets another weight and priority.
    Add(Target),
    /// A target is out, wherever it comes from.
    Remove(String),
    /// A target gets no new requests.
    Drain(String),
    /// It gets requests again.
    Undrain(String),
    /// A target has another weight.
    Weigh(String, u32),
}

/// Why a decision can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such service.
    NoService,
    /// The service has no such target.
    NoTarget,
    /// There are too many decisions.
    TooMany,
}

impl Decisions {
    /// Whether nothing was decided.
    pub(super) fn are_none(&self) -> bool {
        *self == Decisions::default()
    }

    /// Takes a decision in. `is_found` says whether a target comes from elsewhere. To decide the same once more changes nothing.
    ///
    /// # Errors
    /// When there is no such target, or too much was decided.
    pub(super) fn decide(&mut self, decision: Decision, is_found: impl Fn(&str) -> bool) -> Result<(), Refusal> {
        match decision {
            Decision::Add(target) => {
                self.removed.remove(&target.url);
                self.weights.remove(&target.url);
                self.added.retain(|added| added.url != target.url);
                room(self.added.len())?;
                self.added.push(target);
            }
            Decision::Remove(url) => {
                let before = self.added.len();
                self.added.retain(|added| added.url != url);
                let known = self.added.len() < before || self.removed.contains(&url) || is_found(&url);
                if !known {
                    return Err(Refusal::NoTarget);
                }
                self.drained.remove(&url);
                self.weights.remove(&url);
                if is_found(&url) {
                    room(self.removed.len())?;
                    self.removed.insert(url);
                }
            }
            Decision::Drain(url) => {
                self.known(&url, is_found)?;
                room(self.drained.len())?;
                self.drained.insert(url);
            }
            Decision::Undrain(url) => {
                self.known(&url, is_found)?;
                self.drained.remove(&url);
            }
            Decision::Weigh(url, weight) => {
                self.known(&url, is_found)?;
                room(self.weights.len())?;
                self.weights.insert(url, weight);
            }
        }
        Ok(())
    }

    fn known(&self, url: &str, is_found: impl Fn(&str) -> bool) -> Result<(), Refusal> {
        let added = self.added.iter().any(|added| added.url == url);
        let known = added || self.drained.contains(url) || (is_found(url) && !self.removed.contains(url));
        if known { Ok(()) } else { Err(Refusal::NoTarget) }
    }

    /// What becomes of the targets that were found: those that stay, with their weights.
    pub(super) fn apply(&self, found: &[Found]) -> Vec<Found> {
        let stays = |found: &&Found| !self.removed.contains(&found.url);
        let weighed = |found: &Found| Found {
            weight: self.weights.get(&found.url).copied().unwrap_or(found.weight),
            ..found.clone()
        };
        found.iter().filter(stays).map(weighed).collect()
    }

    /// Whether a target is to get no new requests.
    pub(super) fn drains(&self, url: &str) -> bool {
        self.drained.contains(url)
    }
}

fn room(taken: usize) -> Result<(), Refusal> {
    if taken < MOST { Ok(()) } else { Err(Refusal::TooMany) }
}

#[cfg(test)]
mod tests {
    use super::super::discovery::Source;
    use super::*;

    fn found(url: &str) -> Found {
        Found {
            url: url.to_owned(),
            address: None,
            weight: 1,
            priority: 0,
            source: Source::File,
        }
    }

    fn target(url: &str) -> Target {
        Target {
            url: url.to_owned(),
            weight: 1,
            priority: 0,
        }
    }

    #[test]
    fn decisions_hold_until_they_are_taken_back() {
        let listed = [found("http://a"), found("http://b")];
        let is_found = |url: &str| listed.iter().any(|found| found.url == url);
        let mut decisions = Decisions::default();
        let text = |url: &str| url.to_owned();
        let shown = |decisions: &Decisions| {
            let applied = decisions.apply(&listed);
            applied
                .iter()
                .map(|it| format!("{} {}", it.url, it.weight))
                .collect::<Vec<_>>()
        };
        assert_eq!(decisions.decide(Decision::Remove(text("http://a")), is_found), Ok(()));
        assert_eq!(decisions.decide(Decision::Remove(text("http://a")), is_found), Ok(()));
        assert_eq!(decisions.decide(Decision::Weigh(text("http://b"), 7), is_found), Ok(()));
        assert_eq!(shown(&decisions), ["http://b 7"]);
        assert_eq!(
            decisions.decide(Decision::Drain(text("http://a")), is_found),
            Err(Refusal::NoTarget)
        );
        assert_eq!(decisions.decide(Decision::Drain(text("http://b")), is_found), Ok(()));
        assert!(decisions.drains("http://b"));
        assert_eq!(decisions.decide(Decision::Undrain(text("http://b")), is_found), Ok(()));
        assert_eq!(decisions.decide(Decision::Add(target("http://a")), is_found), Ok(()));
        assert_eq!(shown(&decisions), ["http://a 1", "http://b 7"]);
        assert_eq!(decisions.decide(Decision::Add(target("http://c")), is_found), Ok(()));
        assert_eq!(decisions.decide(Decision::Drain(text("http://c")), is_found), Ok(()));
        assert_eq!(decisions.decide(Decision::Remove(text("http://c")), is_found), Ok(()));
        assert_eq!(
            decisions.decide(Decision::Remove(text("http://c")), is_found),
            Err(Refusal::NoTarget)
        );
    }

    #[test]
    fn what_is_handed_over_is_what_was_decided() {
        let mut decisions = Decisions::default();
        assert!(decisions.are_none());
        let all = |_: &str| true;
        for decision in [
            Decision::Add(target("http://c")),
            Decision::Drain("http://c".to_owned()),
            Decision::Remove("http://a".to_owned()),
            Decision::Weigh("http://b".to_owned(), 9),
        ] {
            decisions.decide(decision, all).expect("there is room");
        }
        let written = serde_json::to_value(&decisions).expect("it can be written");
        assert_eq!(
            serde_json::from_value::<Decisions>(written).expect("it can be read"),
            decisions
        );
    }

    #[test]
    fn decisions_have_a_limit() {
        let mut decisions = Decisions::default();
        let mut drain = |number: usize| decisions.decide(Decision::Drain(format!("http://{number}")), |_| true);
        assert!((0..MOST).all(|number| drain(number).is_ok()));
        assert_eq!(drain(MOST), Err(Refusal::TooMany));
    }
}
