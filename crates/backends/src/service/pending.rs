//! Requests that wait while every target of their service has all that it may have.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// The queue of a service, over all workers.
#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: AtomicU32,
    freed: Notify,
}

/// A place in the queue.
struct Place<'q>(&'q Pending);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// There may be room now.
    Freed,
    /// The queue is full.
    Full,
    /// Nothing became free in time.
    Timeout,
}

impl Pending {
    /// Whether somebody waits: who comes now has to queue up behind them.
    pub(super) fn has_queue(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Requests that wait.
    pub(super) fn len(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for a request to end, among `most` at the most.
    pub(super) async fn wait(&self, most: u32, patience: Duration) -> Waited {
        if self.waiting.fetch_add(1, Ordering::AcqRel) >= most {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            return Waited::Full;
        }
        let place = Place(self);
        let waited = tokio::time::timeout(patience, self.freed.notified()).await;
        drop(place);
        match waited {
            Ok(()) => Waited::Freed,
            Err(_) => Waited::Timeout,
        }
    }

    /// A request has ended: the one that has waited longest may try.
    pub(super) fn wake_one(&self) {
        if self.has_queue() {
            self.freed.notify_one();
        }
    }

    /// Something else has changed: all may try.
    pub(super) fn wake_all(&self) {
        self.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn who_waits_is_woken_in_turn_and_the_queue_has_an_end() {
        let pending = Pending::default();
        let (mut one, mut other) = (Box::pin(pending.wait(2, PATIENCE)), Box::pin(pending.wait(2, PATIENCE)));
        assert!(if_ready(&mut one).await.is_none());
        assert!(if_ready(&mut other).await.is_none());
        assert_eq!(pending.wait(2, PATIENCE).await, Waited::Full);
        pending.wake_one();
        assert_eq!(one.await, Waited::Freed);
        assert!(if_ready(&mut other).await.is_none());
        assert_eq!(pending.len(), 1);
        drop(other);
        assert!(!pending.has_queue());
    }

    #[tokio::test]
    async fn patience_ends() {
        let pending = Pending::default();
        assert_eq!(pending.wait(1, Duration::from_millis(1)).await, Waited::Timeout);
        assert!(!pending.has_queue());
    }

    async fn if_ready<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(cx) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
