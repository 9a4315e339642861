//! Futures that have begun and are awaited later.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// A request that was sent, and whose answer is awaited later.
pub(super) struct Started<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    output: Option<T>,
}

/// Polls a future once, which is when the driver sends what it is about. Nothing of another task of this thread gets in
/// between two that are started one after the other, for this never waits.
pub(super) async fn started<'a, T>(future: impl Future<Output = T> + 'a) -> Started<'a, T> {
    let mut future: Pin<Box<dyn Future<Output = T> + 'a>> = Box::pin(future);
    let output = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await;
    Started { future, output }
}

impl<T> Started<'_, T> {
    /// The answer.
    pub(super) async fn done(self) -> T {
        match self.output {
            Some(output) => output,
            None => self.future.await,
        }
    }
}
