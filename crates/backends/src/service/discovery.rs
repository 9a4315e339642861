//! Finds the targets of a service, in the background: resolves names, reads the file that something else writes, and tells
//! the membership whenever there are other targets.
//!
//! `state.rs` knows where targets come from and what was answered, `turns.rs` what an answer means and when to ask again;
//! neither does I/O. `resolver.rs` asks DNS and `file.rs` looks at files, on the runtime for slow work.

mod file;
mod place;
mod resolver;
mod state;
mod turns;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_config::service::Target;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use self::file::{LOOK, TargetFile};
pub(super) use self::place::{Parts, Place};
pub(super) use self::resolver::Resolver;
use self::state::State;
pub(super) use self::state::{More, Sources};
use self::turns::{News, Outcome, Question};
use super::journal::Journal;

/// A target that was found, by one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its URL as it was written.
    pub(super) url: String,
    /// Where it is; nothing for a socket of this machine.
    pub(super) address: Option<SocketAddr>,
    /// Its share.
    pub(super) weight: u32,
    /// When its turn is.
    pub(super) priority: u8,
    /// Who says that it is there.
    pub(super) source: Source,
}

/// Who says that a target is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The configuration lists it.
    File,
    /// SRV records.
    Srv,
    /// The file that something else writes.
    DiscoveryFile,
    /// An operator added it.
    Operator,
}

/// Takes the targets each time that there are others, with whether something was not heard of for the first time.
pub(super) type Tell = Box<dyn Fn(&[Found], bool) + Send + Sync>;

/// Finds the targets of one service for as long as it is held.
pub(super) struct Discovery {
    shared: Arc<Shared>,
    runtime: Handle,
    task: Mutex<Option<AbortHandle>>,
}

struct Shared {
    service: String,
    state: Mutex<State>,
    tell: Tell,
    journal: Journal,
    failures: AtomicU64,
    /// Says that there is something else to ask.
    wake: Notify,
}

impl Discovery {
    /// Looks for the targets of a service, on `runtime`. What needs no looking for is told before this returns.
    pub(super) fn new(service: &str, sources: Sources, tell: Tell, journal: Journal, runtime: Handle) -> Discovery {
        let state = State::new(sources, Instant::now());
        let discovery = Discovery {
            shared: Arc::new(Shared {
                service: service.to_owned(),
                state: Mutex::new(state),
                tell,
                journal,
                failures: AtomicU64::new(0),
                wake: Notify::new(),
            }),
            runtime,
            task: Mutex::default(),
        };
        discovery.shared.tell(&mut discovery.shared.state(), true);
        discovery.watch();
        discovery
    }

    /// The targets that need no looking for, and whether there are others.
    pub(super) fn at_once(sources: &Sources) -> (Vec<Found>, bool) {
        let state = State::new(sources.clone(), Instant::now());
        (state.found(), state.is_pending())
    }

    /// Targets come from elsewhere now. What is known stays known, and is told before this returns.
    pub(super) fn put(&self, sources: Sources) {
        let mut state = self.shared.state();
        state.put(sources, Instant::now());
        self.shared.tell(&mut state, true);
        drop(state);
        self.watch();
    }

    /// How often something could not be found out so far.
    pub(super) fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// Begins to watch where there is something to, or tells the task that there is something else.
    fn watch(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_some() {
            self.shared.wake.notify_one();
        } else if self.shared.state().is_moving() {
            let watching = Watching {
                shared: self.shared.clone(),
                jobs: JoinSet::new(),
                file: Watched::Nothing,
            };
            *task = Some(self.runtime.spawn(watching.keep()).abort_handle());
        }
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        if let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under the lock of the state, so that what is told last is what is known last.
    fn tell(&self, state: &mut State, anyway: bool) {
        if let Some((found, pending)) = state.untold(anyway) {
            (self.tell)(&found, pending);
        }
    }

    fn warn(&self, what: &str) {
        (self.journal.warn)(&format!("service {}: {what}", self.service));
    }

    fn info(&self, what: &str) {
        (self.journal.info)(&format!("service {}: {what}", self.service));
    }

    fn answered(&self, question: &Question, outcome: Outcome) {
        let mut state = self.state();
        let Some(next) = state.answered(question, outcome, Instant::now(), fastrand::f64()) else {
            return;
        };
        self.tell(&mut state, false);
        let none = !state.is_known(question);
        drop(state);
        self.failures.fetch_add(u64::from(next.failed), Ordering::Relaxed);
        let name = match question {
            Question::Addresses(name) | Question::Services(name) => name.trim_end_matches('.'),
        };
        match next.news {
            Some(News::Fails(why)) => {
                let meanwhile = match none {
                    true => "requests fail until it does",
                    false => "the last answer holds",
                };
                self.warn(&format!("the name `{name}` doesn't resolve: {why}; {meanwhile}"));
            }
            Some(News::Recovered) => self.info(&format!("the name `{name}` resolves again")),
            Some(News::TooMany(count)) => {
                let most = turns::MOST;
                self.warn(&format!(
                    "the name `{name}` has {count} records, of which {most} are used"
                ));
            }
            None => {}
        }
    }

    fn file_read(&self, read: Result<Vec<Target>, String>) {
        let targets = match read {
            Ok(targets) => {
                self.info(&format!("its file of targets was read, with {} of them", targets.len()));
                Some(targets)
            }
            Err(why) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                // One line, whatever number of problems: the first is where to begin.
                let first = why.lines().next().unwrap_or_default();
                self.warn(&format!("{first}; the targets stay as they are"));
                None
            }
        };
        let mut state = self.state();
        state.file_read(targets, Instant::now());
        self.tell(&mut state, false);
    }
}

/// The task that asks and looks.
struct Watching {
    shared: Arc<Shared>,
    jobs: JoinSet<Done>,
    file: Watched,
}

/// What is done with the file.
enum Watched {
    /// There is none.
    Nothing,
    /// It is looked at again then.
    Resting(TargetFile, Instant),
    /// A job looks at it.
    Looking,
}

/// What a job gives.
enum Done {
    Answered(Question, Outcome),
    Looked(TargetFile, Option<Result<Vec<Target>, String>>),
}

impl Watching {
    async fn keep(mut self) {
        loop {
            let due = self.begin();
            tokio::select! {
                () = self.shared.wake.notified() => {}
                Some(done) = self.jobs.join_next() => match done {
                    Ok(Done::Answered(question, outcome)) => self.shared.answered(&question, outcome),
                    Ok(Done::Looked(file, read)) => self.looked(file, read),
                    Err(_) => self.begin_anew(),
                },
                () = sleep_until(due) => {}
            }
        }
    }

    /// Begins what is due, and says when there is something to begin again.
    fn begin(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.shared.state();
        for question in state.due(now) {
            let asking = state.sources().oracle.clone().ask(question.clone());
            self.jobs.spawn(async move { Done::Answered(question, asking.await) });
        }
        let due = state.next_due();
        let path = state.file().cloned();
        drop(state);
        due.into_iter().chain(self.look(path, now)).min()
    }

    /// Begins to look at the file where that is due, and says when it will be.
    fn look(&mut self, path: Option<PathBuf>, now: Instant) -> Option<Instant> {
        let file = std::mem::replace(&mut self.file, Watched::Nothing);
        let mut file = match (path, file) {
            (_, Watched::Looking) => {
                self.file = Watched::Looking;
                return None;
            }
            (None, _) => return None,
            (Some(path), Watched::Resting(file, due)) if file.path() == path => {
                if now < due {
                    self.file = Watched::Resting(file, due);
                    return Some(due);
                }
                file
            }
            (Some(path), _) => TargetFile::new(path),
        };
        self.file = Watched::Looking;
        self.jobs.spawn_blocking(move || {
            let read = file.look();
            Done::Looked(file, read)
        });
        None
    }

    fn looked(&mut self, file: TargetFile, read: Option<Result<Vec<Target>, String>>) {
        self.file = Watched::Nothing;
        // Another one may have taken its place meanwhile.
        if self.shared.state().file().is_some_and(|path| path == file.path()) {
            if let Some(read) = read {
                self.shared.file_read(read);
            }
            self.file = Watched::Resting(file, Instant::now() + LOOK);
        }
    }

    /// Does again what jobs did of which one is lost: a bug in one of them must not end the others.
    fn begin_anew(&mut self) {
        self.jobs.abort_all();
        self.jobs.detach_all();
        self.file = Watched::Nothing;
        self.shared.state().forget_asked(Instant::now() + LOOK);
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use super::resolver::{Asking, Oracle};
    use super::turns::{Answer, Record};
    use super::*;

    /// Servers of DNS whose every answer a test decides.
    #[derive(Default)]
    struct Script {
        answers: Mutex<HashMap<String, Vec<std::net::IpAddr>>>,
        asked: AtomicU64,
    }

    impl Script {
        fn set(&self, name: &str, addresses: &[&str]) {
            let addresses = addresses.iter().map(|it| it.parse().expect("an address")).collect();
            self.answers().insert(name.to_owned(), addresses);
        }

        fn answers(&self) -> MutexGuard<'_, HashMap<String, Vec<std::net::IpAddr>>> {
            self.answers.lock().expect("no test panics with it")
        }
    }

    impl Oracle for Script {
        fn ask(self: Arc<Self>, question: Question) -> Asking {
            Box::pin(async move {
                self.asked.fetch_add(1, Ordering::Relaxed);
                let Question::Addresses(name) = question else {
                    return Err("not asked for".to_owned());
                };
                // As long as an answer takes.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let answers = self.answers();
                let addresses = answers.get(&name).ok_or("nobody answers")?;
                Ok(Answer {
                    records: addresses.iter().copied().map(Record::Address).collect(),
                    lasts: Duration::from_secs(30),
                    unheard: None,
                })
            })
        }
    }

    fn sources(oracle: &Arc<Script>, urls: &[&str], more: Option<More>) -> Sources {
        let target = |url: &&str| Target {
            url: (*url).to_owned(),
            weight: 1,
            priority: 0,
        };
        Sources {
            targets: urls.iter().map(target).collect(),
            added: Vec::new(),
            more,
            oracle: oracle.clone(),
        }
    }

    /// What was told last: the addresses, and whether something is pending.
    type Last = Arc<Mutex<(Vec<String>, bool)>>;

    fn discovery(sources: Sources) -> (Discovery, Last) {
        let last = Last::default();
        let told = last.clone();
        let tell = move |found: &[Found], pending: bool| {
            let address = |it: &Found| it.address.map(|address| address.to_string());
            *told.lock().expect("no test panics with it") = (found.iter().filter_map(address).collect(), pending);
        };
        let discovery = Discovery::new("shop", sources, Box::new(tell), Journal::SILENT, Handle::current());
        (discovery, last)
    }

    fn last(last: &Last) -> (Vec<String>, bool) {
        last.lock().expect("no test panics with it").clone()
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_follow_dns_within_their_time_to_live_and_outlive_its_servers() {
        let script = Arc::new(Script::default());
        let (discovery, told) = discovery(sources(&script, &["http://shop.test:80"], None));
        assert_eq!(last(&told), (vec![], true));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(last(&told), (vec![], false), "it is known that nobody answers");
        script.set("shop.test", &["10.0.0.1"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(last(&told).0, ["10.0.0.1:80"], "what failed is asked again soon");
        script.set("shop.test", &["10.0.0.2", "10.0.0.3"]);
        tokio::time::sleep(Duration::from_secs(28)).await;
        assert_eq!(last(&told).0, ["10.0.0.1:80"], "an answer holds for its time");
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(last(&told).0, ["10.0.0.2:80", "10.0.0.3:80"]);
        script.answers().clear();
        let before = (script.asked.load(Ordering::Relaxed), discovery.failures());
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(last(&told).0, ["10.0.0.2:80", "10.0.0.3:80"], "the last answer holds");
        let asked = script.asked.load(Ordering::Relaxed) - before.0;
        assert!((300..400).contains(&asked), "{asked} times in an hour");
        assert_eq!(discovery.failures() - before.1, asked);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_watched_where_nothing_moves_or_nobody_wants_to_know() {
        let script = Arc::new(Script::default());
        let (discovery, told) = discovery(sources(&script, &["http://10.0.0.1:80"], None));
        assert_eq!(last(&told), (vec!["10.0.0.1:80".to_owned()], false));
        assert!(discovery.task.lock().expect("no test panics with it").is_none());
        script.set("shop.test", &["10.0.0.2"]);
        discovery.put(sources(&script, &["http://10.0.0.3:80", "http://shop.test:80"], None));
        assert_eq!(
            last(&told),
            (vec!["10.0.0.3:80".to_owned()], true),
            "what is certain is told at once"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(last(&told).0, ["10.0.0.3:80", "10.0.0.2:80"]);
        drop(discovery);
        let asked = script.asked.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(script.asked.load(Ordering::Relaxed), asked);
    }

    #[tokio::test]
    async fn a_file_is_followed() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("targets.yaml");
        std::fs::write(&path, "- http://10.0.0.1:80\n").expect("the file is written");
        let script = Arc::new(Script::default());
        let (_discovery, told) = discovery(sources(&script, &[], Some(More::File(path.clone()))));
        let told_of = async |address: &str| {
            let due = Instant::now() + Duration::from_secs(20);
            while last(&told).0 != [address] {
                assert!(Instant::now() < due, "waited in vain for {address}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        told_of("10.0.0.1:80").await;
        std::fs::write(&path, "[{\"url\": \"http://10.0.0.2:80\"}]").expect("the file is written");
        told_of("10.0.0.2:80").await;
    }
}
