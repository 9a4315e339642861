//! Which configuration is in force, and which ones were before it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use portcullis_config::Record;

/// Earlier configurations that are remembered: whoever goes back further than this wants another file.
const MOST: usize = 5;

/// Bytes that they may take together. The latest is remembered however large it is.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// The configurations of the process, from the one in force back.
#[derive(Default)]
pub(crate) struct History(Mutex<Past>);

#[derive(Default)]
struct Past {
    in_force: Option<Remembered>,
    /// The latest is the last one.
    earlier: VecDeque<Remembered>,
}

/// A configuration that is or was in force.
#[derive(Clone)]
pub(crate) struct Remembered {
    pub(crate) record: Arc<Record>,
    /// When it was read.
    pub(crate) loaded_at: SystemTime,
    pub(crate) source: Origin,
}

/// Why a configuration is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The file said so when it was read last.
    File,
    /// An operator went back to it. The file may say something else.
    Rollback,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::File => "file",
            Origin::Rollback => "rollback",
        })
    }
}

impl History {
    /// The configuration in force; nothing before the first one is.
    pub(crate) fn in_force(&self) -> Option<Remembered> {
        self.past().in_force.clone()
    }

    /// The one that was in force before the last change.
    pub(crate) fn latest(&self) -> Option<Remembered> {
        self.past().earlier.back().cloned()
    }

    /// Notes that what was read now is in force. One that says the same as the last is no change to go back from.
    pub(crate) fn forward(&self, record: Record) {
        let mut past = self.past();
        let now = Remembered {
            record: Arc::new(record),
            loaded_at: SystemTime::now(),
            source: Origin::File,
        };
        match past.in_force.replace(now) {
            Some(before) if past.in_force.as_ref().is_some_and(|now| now.record != before.record) => {
                past.earlier.push_back(before);
            }
            _ => {}
        }
        let size = |past: &Past| past.earlier.iter().map(|one| one.record.size()).sum::<usize>();
        while past.earlier.len() > MOST || (past.earlier.len() > 1 && size(&past) > MOST_BYTES) {
            past.earlier.pop_front();
        }
    }

    /// Notes that [`History::latest`] is in force again. What was in force meanwhile is forgotten: it is in the file.
    pub(crate) fn back(&self) {
        let mut past = self.past();
        if let Some(mut latest) = past.earlier.pop_back() {
            latest.source = Origin::Rollback;
            past.in_force = Some(latest);
        }
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn record(word: &str) -> Record {
        let text = format!("listeners: [127.0.0.1:0]\nroutes: [{{path: /, to: {{respond: {word}}}}}]\n");
        let read = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        portcullis_config::parse(&text, "gate.yaml".as_ref(), &|_| None, &read)
            .unwrap()
            .record
    }

    fn check(history: &History, in_force: &str, latest: Option<&str>, source: Origin) {
        let now = history.in_force().unwrap();
        assert_eq!((&*now.record, now.source), (&record(in_force), source));
        assert_eq!(history.latest().map(|it| it.record), latest.map(record).map(Arc::new));
    }

    #[test]
    fn going_back_goes_further_each_time_and_a_reload_goes_forward() {
        let history = History::default();
        assert!(history.in_force().is_none());
        for word in ["a", "b", "c"] {
            history.forward(record(word));
        }
        check(&history, "c", Some("b"), Origin::File);
        history.back();
        check(&history, "b", Some("a"), Origin::Rollback);
        history.back();
        check(&history, "a", None, Origin::Rollback);
        history.back();
        check(&history, "a", None, Origin::Rollback);
        history.forward(record("d"));
        check(&history, "d", Some("a"), Origin::File);
    }

    #[test]
    fn what_changes_nothing_is_no_step() {
        let history = History::default();
        for word in ["a", "b", "b"] {
            history.forward(record(word));
        }
        check(&history, "b", Some("a"), Origin::File);
    }

    #[test]
    fn only_some_are_remembered() {
        let history = History::default();
        for number in 0..20 {
            history.forward(record(&number.to_string()));
        }
        assert_eq!(history.past().earlier.len(), MOST);
        check(&history, "19", Some("18"), Origin::File);
    }

    #[test]
    fn large_ones_take_bounded_memory() {
        let history = History::default();
        for number in 0..4 {
            history.forward(record(&format!("{number}{}", "x".repeat(MOST_BYTES / 3))));
        }
        assert_eq!(history.past().earlier.len(), 2);
    }
}
