//! How long to go on, and what was done until then.

use std::fmt::Display;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// One for all clients of a load.
pub(crate) struct Tally {
    end: Instant,
    done: AtomicU64,
    note: OnceLock<String>,
}

impl Tally {
    pub(crate) fn new(seconds: u64) -> Tally {
        Tally {
            end: Instant::now() + Duration::from_secs(seconds),
            done: AtomicU64::new(0),
            note: OnceLock::new(),
        }
    }

    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    /// Counts one that was done, and done right.
    pub(crate) fn count(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Keeps what is worth knowing of how it was done; the first to say it is heard.
    pub(crate) fn note(&self, text: impl FnOnce() -> String) {
        self.note.get_or_init(text);
    }

    pub(crate) fn noted(&self) -> &str {
        self.note.get().map_or("", String::as_str)
    }
}

/// Waits for all clients.
///
/// # Errors
/// At the first that fails; the others end with it.
pub(crate) async fn all<E: Display + 'static>(mut clients: JoinSet<Result<(), E>>) -> Result<(), String> {
    while let Some(ended) = clients.join_next().await {
        ended
            .map_err(|failure| failure.to_string())?
            .map_err(|failure| failure.to_string())?;
    }
    Ok(())
}
