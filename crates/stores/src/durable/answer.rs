//! What came of asking the store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// Why the store gave no answer. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Too many wait already.
    Busy,
    /// There is no room for more of what clients make it keep.
    Full,
    /// It can't, and why: for the log.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Busy => f.write_str("too many wait for the durable store"),
            Error::Full => f.write_str("the durable store has reached its size"),
            Error::Failed(why) => write!(f, "the durable store failed: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        Error::Failed(error.to_string())
    }
}

/// The answer of the store, when it is there. A change takes place whether anybody waits for the answer or not.
#[must_use = "a change that nobody waits for may have failed"]
pub struct Answer<T>(State<T>);

enum State<T> {
    Known(Option<Error>),
    Awaited(oneshot::Receiver<Result<T, Error>>),
}

impl<T> Answer<T> {
    pub(super) fn refused(error: Error) -> Answer<T> {
        Answer(State::Known(Some(error)))
    }

    pub(super) fn awaited(receiver: oneshot::Receiver<Result<T, Error>>) -> Answer<T> {
        Answer(State::Awaited(receiver))
    }

    /// Blocks the thread until the answer is there. Not for event loops.
    ///
    /// # Errors
    /// Those of the store.
    pub fn wait(self) -> Result<T, Error> {
        match self.0 {
            State::Known(error) => Err(error.unwrap_or_else(lost)),
            State::Awaited(receiver) => receiver.blocking_recv().unwrap_or_else(|_| Err(lost())),
        }
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Known(error) => Poll::Ready(Err(error.take().unwrap_or_else(lost))),
            State::Awaited(receiver) => Pin::new(receiver)
                .poll(cx)
                .map(|answer| answer.unwrap_or_else(|_| Err(lost()))),
        }
    }
}

/// The thread that was asked is gone.
fn lost() -> Error {
    Error::Failed("it has ended".to_owned())
}
