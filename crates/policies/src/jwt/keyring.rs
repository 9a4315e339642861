//! Keys of an issuer: those of the file, or those that are fetched again and again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwapOption, Guard};
use portcullis_jose::keys::Keys;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::source::Source;

/// How long a request waits for keys that it needs.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long no token can make keys be fetched again: whoever makes up names of keys must not become a nuisance to the issuer.
const AT_LEAST: Duration = Duration::from_secs(10);

/// The first pause after a failure; it doubles up to a minute.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// For how long a server may say that its keys don't change.
const MAX_AGE: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(3600);

/// Where people are told that keys can't be fetched.
pub(super) type Warn = Arc<OnceLock<fn(&str)>>;

/// Keys that may change.
pub(super) struct Keyring {
    ring: ArcSwapOption<Ring>,
    remote: Option<Remote>,
}

/// Keys as they came once.
pub(super) struct Ring {
    pub(super) keys: Keys,
    /// No two rings have the same.
    pub(super) number: u64,
    /// The document, to see that nothing has changed.
    document: Box<[u8]>,
    /// When they were fetched last, in milliseconds after [`epoch`].
    fetched: AtomicU64,
}

/// What there is to say of keys that are fetched.
struct Remote {
    progress: watch::Sender<Progress>,
    wanted: Arc<Notify>,
    /// The pause between fetches where the server doesn't say, in milliseconds.
    refresh: AtomicU64,
}

/// How fetching goes.
#[derive(Clone, Default)]
struct Progress {
    under_way: bool,
    /// How many fetches have ended.
    ended: u64,
    /// When somebody wanted one last who got it.
    asked: Option<Instant>,
    failure: Option<Arc<str>>,
}

impl Keyring {
    /// Keys that stay as they are.
    pub(super) fn fixed(keys: Keys) -> Keyring {
        Keyring {
            ring: ArcSwapOption::from_pointee(Ring::new(keys, Box::default())),
            remote: None,
        }
    }

    /// Keys that are fetched by `runtime` from now on, for as long as somebody has the keyring.
    pub(super) fn fetched(source: Source, refresh: Duration, runtime: &Handle, warn: Warn) -> Arc<Keyring> {
        let wanted = Arc::new(Notify::new());
        let keyring = Arc::new(Keyring {
            ring: ArcSwapOption::empty(),
            remote: Some(Remote {
                progress: watch::Sender::new(Progress {
                    under_way: true,
                    ..Progress::default()
                }),
                wanted: wanted.clone(),
                refresh: AtomicU64::new(milliseconds(refresh)),
            }),
        });
        runtime.spawn(keep_fetching(Arc::downgrade(&keyring), source, wanted, warn));
        keyring
    }

    /// Says how often to fetch from now on.
    pub(super) fn set_refresh(&self, refresh: Duration) {
        if let Some(remote) = &self.remote {
            remote.refresh.store(milliseconds(refresh), Ordering::Relaxed);
        }
    }

    /// The keys, if there are any that were fetched no longer ago.
    pub(super) fn current(&self, now: Instant, max_stale: Duration) -> Option<Guard<Option<Arc<Ring>>>> {
        let ring = self.ring.load();
        let good = match (&*ring, &self.remote) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(ring), Some(_)) => {
                let age = since_epoch(now).saturating_sub(ring.fetched.load(Ordering::Relaxed));
                age <= milliseconds(max_stale)
            }
        };
        good.then_some(ring)
    }

    /// Waits until keys have been fetched anew, if that is under way or may be asked for. Says whether it happened: it may
    /// have failed.
    pub(super) async fn refreshed(&self) -> bool {
        let Some(remote) = &self.remote else {
            return false;
        };
        let mut seen = remote.progress.subscribe();
        let before = seen.borrow_and_update().ended;
        let mut ask = false;
        remote.progress.send_if_modified(|progress| {
            let long_ago = progress.asked.is_none_or(|last| last.elapsed() >= AT_LEAST);
            ask = !progress.under_way && long_ago;
            if ask {
                progress.under_way = true;
                progress.asked = Some(Instant::now());
            }
            ask
        });
        if ask {
            remote.wanted.notify_one();
        }
        if !remote.progress.borrow().under_way {
            return remote.progress.borrow().ended != before;
        }
        let ended = seen.wait_for(|progress| progress.ended != before);
        matches!(tokio::time::timeout(PATIENCE, ended).await, Ok(Ok(_)))
    }

    /// Why there are no keys.
    pub(super) fn failure(&self) -> Arc<str> {
        let failure = self
            .remote
            .as_ref()
            .and_then(|remote| remote.progress.borrow().failure.clone());
        failure.unwrap_or_else(|| "its keys have not been fetched yet".into())
    }

    /// Takes what came, and says when to fetch again.
    fn took(&self, came: Result<Came, String>, failures: &mut u32, warn: &Warn) -> Duration {
        let Some(remote) = &self.remote else {
            return LONGEST_PAUSE;
        };
        let refresh = Duration::from_millis(remote.refresh.load(Ordering::Relaxed));
        let (pause, failure) = match came {
            Ok(came) => {
                self.put(came.keys, came.document);
                *failures = 0;
                let asked = came.max_age.map(|age| age.clamp(*MAX_AGE.start(), *MAX_AGE.end()));
                (asked.unwrap_or(refresh), None)
            }
            Err(why) => {
                if *failures == 0
                    && let Some(warn) = warn.get()
                {
                    warn(&format!("jwt: {why}; what was fetched before stays good for a while"));
                }
                let pause = FIRST_PAUSE.saturating_mul(1 << (*failures).min(6)).min(LONGEST_PAUSE);
                *failures = failures.saturating_add(1);
                (pause, Some(why.into()))
            }
        };
        remote.progress.send_modify(|progress| {
            progress.under_way = false;
            progress.ended += 1;
            progress.failure = failure;
        });
        pause
    }

    /// Keys that haven't changed stay, so that tokens that were verified by them stay known.
    fn put(&self, keys: Keys, document: Box<[u8]>) {
        if let Some(ring) = &*self.ring.load()
            && ring.document == document
        {
            ring.fetched.store(since_epoch(Instant::now()), Ordering::Relaxed);
            return;
        }
        self.ring.store(Some(Arc::new(Ring::new(keys, document))));
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        if let Some(remote) = &self.remote {
            remote.wanted.notify_one();
        }
    }
}

impl Ring {
    fn new(keys: Keys, document: Box<[u8]>) -> Ring {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Ring {
            keys,
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            document,
            fetched: AtomicU64::new(since_epoch(Instant::now())),
        }
    }
}

/// What came from a source.
pub(super) struct Came {
    pub(super) keys: Keys,
    pub(super) document: Box<[u8]>,
    /// How long the server says that it stays so.
    pub(super) max_age: Option<Duration>,
}

/// Fetches keys at once, and again when they have become old or somebody wants them, until nobody has the keyring.
async fn keep_fetching(keyring: Weak<Keyring>, source: Source, wanted: Arc<Notify>, warn: Warn) {
    let mut failures = 0;
    while keyring.strong_count() > 0 {
        let came = source.fetch().await;
        let Some(keyring) = keyring.upgrade() else {
            return;
        };
        let pause = keyring.took(came, &mut failures, &warn);
        drop(keyring);
        // What is wanted now had its answer with this fetch, or will be wanted again.
        let _ = tokio::time::timeout(pause, wanted.notified()).await;
    }
}

/// The moment from which this process counts.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn since_epoch(moment: Instant) -> u64 {
    milliseconds(moment.saturating_duration_since(epoch()))
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
