//! Time limits for what waits often and almost never in vain.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

/// Tells when an operation that waits is overdue.
///
/// A keep-alive connection waits twice for every request, and almost never in vain. So the timer is not moved at each
/// wait: it is left to fire at an earlier time, looks at what is due then, and is moved only if it was early.
#[derive(Default)]
pub struct Watchdog {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Watchdog {
    /// A watchdog that has no timer yet.
    pub const fn new() -> Watchdog {
        Watchdog { sleep: None }
    }

    /// Ready once `due` is past. To be polled whenever the operation is pending.
    pub fn poll_overdue(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let due = tokio::time::Instant::from_std(due);
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if tokio::time::Instant::now() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
        Poll::Pending
    }
}
