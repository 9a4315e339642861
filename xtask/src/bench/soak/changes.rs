//! What happens to the proxy.

use std::fmt;
use std::time::{Duration, Instant};

use crate::bench::steady::subject::Subject;

const RELOADS: u32 = 50;
const UPGRADES: u32 = 5;

/// How many changes were made, and why others weren't.
#[derive(Default)]
pub(super) struct Changes {
    reloads: u32,
    upgrades: u32,
    /// The first that couldn't be made.
    failure: Option<String>,
}

impl Changes {
    pub(super) fn all_done(&self) -> bool {
        (self.reloads, self.upgrades) == (RELOADS, UPGRADES)
    }

    fn count(&mut self, done: Result<(), String>, of: fn(&mut Changes) -> &mut u32) {
        match done {
            Ok(()) => *of(self) += 1,
            Err(reason) => {
                self.failure.get_or_insert(reason);
            }
        }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} of {RELOADS} reloads, {} of {UPGRADES} upgrades",
            self.reloads, self.upgrades
        )?;
        match &self.failure {
            Some(reason) => write!(formatter, " ({reason})"),
            None => Ok(()),
        }
    }
}

/// Reloads and upgrades at even distances. What takes long delays what comes after it; what would come after the load is left
/// out.
pub(super) fn make(subject: &mut Subject, begin: Instant, whole: Duration) -> Changes {
    let mut changes = Changes::default();
    let times = |count: u32| (0..count).map(move |number| whole / count * number + whole / count / 2);
    let reloads = times(RELOADS).map(|at| (at, false));
    let upgrades = times(UPGRADES).map(|at| (at, true));
    let mut steps: Vec<(Duration, bool)> = reloads.chain(upgrades).collect();
    steps.sort_unstable();
    for (number, (at, is_upgrade)) in (1u32..).zip(steps) {
        std::thread::sleep((begin + at).saturating_duration_since(Instant::now()));
        if begin.elapsed() >= whole {
            changes
                .failure
                .get_or_insert_with(|| "there was no time for all".to_owned());
            break;
        }
        if is_upgrade {
            changes.count(subject.upgrade(), |changes| &mut changes.upgrades);
        } else {
            changes.count(subject.reload(number), |changes| &mut changes.reloads);
        }
    }
    changes
}
