//! What lives on in the next process: what operators decided, and what was learnt of the world.
//!
//! It is one document of sections. Each part of the gate that has something to hand over registers its section: how it
//! is written, and how it is taken. The document goes to the process that takes over in an upgrade (`upgrade.rs`), and,
//! where the configuration names a folder for it, into a file that outlives restarts (`handover/folder.rs`).

mod document;
mod folder;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Notify;

pub(crate) use self::document::Document;
use self::folder::Folder;
use crate::telemetry::log;

/// How long changes are gathered before they are written, so that a script that changes a hundred targets is one write.
const GATHER: Duration = Duration::from_millis(50);

/// How far a section lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lives {
    /// Into the process that takes over: what is only true of the moment, such as the health of targets.
    Upgrades,
    /// Over restarts too, where the configuration names a folder for it: what somebody decided.
    Restarts,
}

/// The sections, and the document that this process was given.
#[derive(Default)]
pub(crate) struct Handover {
    sections: Mutex<Sections>,
    expected: Mutex<Option<Arrival>>,
    folder: OnceLock<Folder>,
    changed: Notify,
    /// Whether there are changes that are not in the folder yet.
    unwritten: AtomicBool,
    /// Whether another process is in charge: the folder is its own then.
    over: AtomicBool,
}

/// Fetches the document of the process before, or gives up.
type Arrival = Box<dyn FnOnce() -> Result<Document, String> + Send>;

#[derive(Default)]
struct Sections {
    registered: BTreeMap<&'static str, Section>,
    /// What arrived and no section has taken. It is handed on: the next process may be one that knows it.
    unclaimed: BTreeMap<String, Value>,
}

#[derive(Clone)]
struct Section {
    lives: Lives,
    write: Arc<dyn Fn() -> Value + Send + Sync>,
    take: Arc<dyn Fn(Value) -> Result<(), String> + Send + Sync>,
}

impl Handover {
    /// Adds a section. `write` says what the next process is to know; `null` is nothing. `take` is given what the process
    /// before wrote, once: when it arrives, which is after the first configuration was compiled and before the
    /// first request, or now if it has arrived. What it can't use it ignores, and what it says of that is logged. Neither
    /// is called on a worker.
    pub(crate) fn register(
        &self,
        name: &'static str,
        lives: Lives,
        write: impl Fn() -> Value + Send + Sync + 'static,
        take: impl Fn(Value) -> Result<(), String> + Send + Sync + 'static,
    ) {
        let section = Section {
            lives,
            write: Arc::new(write),
            take: Arc::new(take),
        };
        let arrived = {
            let mut sections = self.sections();
            sections.registered.insert(name, section.clone());
            sections.unclaimed.remove(name)
        };
        if let Some(value) = arrived {
            give(name, &section, value);
        }
    }

    /// Says that what a section writes has changed, so that it is in the folder soon. Cheap, and right on a worker too.
    pub(crate) fn changed(&self) {
        self.unwritten.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// What the next process is to know. May take a while: not for event loops.
    pub(crate) fn document(&self) -> Document {
        self.write(Lives::Upgrades)
    }

    /// Says where the document of the process before is to be had, once the configuration has been compiled.
    pub(crate) fn expect(&self, arrival: impl FnOnce() -> Result<Document, String> + Send + 'static) {
        *self.expected.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(arrival));
    }

    /// Fetches the document that is expected, if one still is, and gives each section its own. Not for event loops.
    ///
    /// # Errors
    /// Why it can't be had.
    pub(crate) fn take_over(&self) -> Result<(), String> {
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(arrival) = expected {
            self.arrive(arrival()?);
            if self.over.swap(false, Ordering::AcqRel) {
                self.changed();
            }
        }
        Ok(())
    }

    /// Gives each section what the process before wrote of it.
    fn arrive(&self, document: Document) {
        let mut known = Vec::new();
        {
            let mut sections = self.sections();
            for (name, value) in document.into_sections() {
                match sections.registered.get_key_value(name.as_str()) {
                    Some((name, section)) => known.push((*name, section.clone(), value)),
                    None => drop(sections.unclaimed.insert(name, value)),
                }
            }
        }
        // Without the lock: a section may say at once that it has changed, or register another.
        for (name, section, value) in known {
            give(name, &section, value);
        }
    }

    /// Keeps the document in a folder from now on, and gives back what is kept there. A damaged document is put aside
    /// with a warning: what it says guards nothing, and a gate that doesn't start would serve nobody.
    ///
    /// # Errors
    /// When the folder can't be written to: then what operators decide would be lost without a word.
    pub(crate) fn keep_in(&self, path: &Path) -> Result<Option<Document>, String> {
        let (folder, kept) = Folder::open(path)?;
        let _ = self.folder.set(folder);
        Ok(kept)
    }

    /// The same where the process before keeps its document in that folder: this one does once that has handed it over.
    pub(crate) fn go_on_in(&self, path: &Path) {
        self.end();
        let _ = self.folder.set(Folder::of(path));
    }

    /// Writes changes into the folder, as long as it is awaited and this process is the one in charge.
    pub(crate) async fn keep(self: Arc<Self>) {
        loop {
            self.changed.notified().await;
            tokio::time::sleep(GATHER).await;
            let this = self.clone();
            let _ = Handle::current().spawn_blocking(move || this.write_changes()).await;
        }
    }

    /// Writes what has changed and is not in the folder yet. Waits for the disk: not for event loops.
    pub(crate) fn write_changes(&self) {
        let Some(folder) = self.folder.get() else { return };
        if self.over.load(Ordering::Acquire) || !self.unwritten.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Err(why) = folder.write(&self.write(Lives::Restarts)) {
            log::warn(format_args!(
                "{why}: what operators changed would not survive a restart"
            ));
        }
    }

    /// Leaves the folder to the process that takes over.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Takes the folder back: nobody has taken over.
    pub(crate) fn go_on(&self) {
        self.over.store(false, Ordering::Release);
        self.changed.notify_one();
    }

    fn write(&self, least: Lives) -> Document {
        let (sections, mut values) = {
            let sections = self.sections();
            (sections.registered.clone(), sections.unclaimed.clone())
        };
        for (name, section) in sections {
            if least == Lives::Upgrades || section.lives == Lives::Restarts {
                let value = (section.write)();
                if !value.is_null() {
                    values.insert(name.to_owned(), value);
                }
            }
        }
        Document::new(values)
    }

    fn sections(&self) -> MutexGuard<'_, Sections> {
        self.sections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn give(name: &str, section: &Section, value: Value) {
    if let Err(why) = (section.take)(value) {
        log::warn(format_args!("of the process before, {name} was not taken over: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A section that holds one value.
    fn hold(handover: &Handover, name: &'static str, lives: Lives, value: Value) -> Arc<Mutex<Value>> {
        let held = Arc::new(Mutex::new(value));
        let (reader, writer) = (held.clone(), held.clone());
        let take = move |value: Value| {
            if value.is_string() {
                return Err("it is no number".to_owned());
            }
            *writer.lock().expect("no test panics with it") = value;
            Ok(())
        };
        handover.register(
            name,
            lives,
            move || reader.lock().expect("no test panics with it").clone(),
            take,
        );
        held
    }

    #[test]
    fn what_one_process_writes_the_next_one_takes() {
        let (old, new) = (Handover::default(), Handover::default());
        hold(&old, "swaps", Lives::Restarts, json!(7));
        hold(&old, "nothing", Lives::Restarts, Value::Null);
        let taken = hold(&new, "swaps", Lives::Restarts, json!(0));
        let nothing = hold(&new, "nothing", Lives::Restarts, json!(1));
        new.arrive(old.document());
        assert_eq!(*taken.lock().expect("no test panics with it"), json!(7));
        assert_eq!(*nothing.lock().expect("no test panics with it"), json!(1));
    }

    #[test]
    fn a_section_that_comes_late_takes_what_has_arrived() {
        let (old, new) = (Handover::default(), Handover::default());
        hold(&old, "swaps", Lives::Restarts, json!(7));
        new.arrive(old.document());
        let taken = hold(&new, "swaps", Lives::Restarts, json!(0));
        assert_eq!(*taken.lock().expect("no test panics with it"), json!(7));
    }

    #[test]
    fn what_a_process_does_not_know_is_handed_on() {
        let (old, between, new) = (Handover::default(), Handover::default(), Handover::default());
        hold(&old, "of a later version", Lives::Restarts, json!([1, 2]));
        between.arrive(old.document());
        new.arrive(between.document());
        let taken = hold(&new, "of a later version", Lives::Restarts, json!(0));
        assert_eq!(*taken.lock().expect("no test panics with it"), json!([1, 2]));
    }

    #[test]
    fn a_section_that_is_refused_keeps_nothing_else_from_arriving() {
        let (old, new) = (Handover::default(), Handover::default());
        hold(&old, "a", Lives::Restarts, json!("text"));
        hold(&old, "b", Lives::Restarts, json!(2));
        let refused = hold(&new, "a", Lives::Restarts, json!(0));
        let taken = hold(&new, "b", Lives::Restarts, json!(0));
        new.arrive(old.document());
        assert_eq!(*refused.lock().expect("no test panics with it"), json!(0));
        assert_eq!(*taken.lock().expect("no test panics with it"), json!(2));
    }

    #[test]
    fn only_what_was_decided_is_kept_in_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = Handover::default();
        assert!(old.keep_in(folder.path()).expect("it can be done").is_none());
        hold(&old, "swaps", Lives::Restarts, json!(7));
        hold(&old, "health", Lives::Upgrades, json!(8));
        old.write_changes();
        assert!(
            Handover::default()
                .keep_in(folder.path())
                .expect("it can be done")
                .is_none()
        );
        old.changed();
        old.write_changes();
        let kept = Handover::default()
            .keep_in(folder.path())
            .expect("it can be done")
            .expect("it can be done");
        assert_eq!(kept.into_sections(), BTreeMap::from([("swaps".to_owned(), json!(7))]));
    }

    #[test]
    fn a_process_that_takes_over_leaves_the_folder_alone_until_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, new) = (Handover::default(), Handover::default());
        old.keep_in(folder.path()).expect("it can be done");
        hold(&old, "swaps", Lives::Restarts, json!(7));
        new.go_on_in(folder.path());
        hold(&new, "swaps", Lives::Restarts, Value::Null);
        new.changed();
        new.write_changes();
        let kept = || Handover::default().keep_in(folder.path()).expect("it can be done");
        assert_eq!(kept(), None);
        let document = old.document();
        new.expect(|| Ok(document));
        new.take_over().expect("it can be done");
        new.write_changes();
        let swaps = BTreeMap::from([("swaps".to_owned(), json!(7))]);
        assert_eq!(kept().map(Document::into_sections), Some(swaps));
    }

    #[test]
    fn a_process_that_handed_over_leaves_the_folder_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = Handover::default();
        old.keep_in(folder.path()).expect("it can be done");
        hold(&old, "swaps", Lives::Restarts, json!(7));
        old.end();
        old.changed();
        old.write_changes();
        assert!(
            Handover::default()
                .keep_in(folder.path())
                .expect("it can be done")
                .is_none()
        );
    }
}
