//! What a policy or a backend gives back: an answer, or the promise of one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{Error, Response, Result};

/// The answer that a policy or backend gives: known at once, or later. It lives on one thread.
///
/// A layer that has nothing to do on the way back hands on the reply of the next one and costs no allocation; one that
/// waits, or looks at the response, is a boxed future.
pub struct Reply<'a>(Inner<'a>);

enum Inner<'a> {
    Now(Option<Result<Response>>),
    Later(Pin<Box<dyn Future<Output = Result<Response>> + 'a>>),
}

impl<'a> Reply<'a> {
    /// An answer that is known at once.
    pub fn now(result: Result<Response>) -> Reply<'a> {
        Reply(Inner::Now(Some(result)))
    }

    /// An answer that a future will give.
    pub fn later(future: impl Future<Output = Result<Response>> + 'a) -> Reply<'a> {
        Reply(Inner::Later(Box::pin(future)))
    }
}

impl From<Response> for Reply<'_> {
    fn from(response: Response) -> Self {
        Reply::now(Ok(response))
    }
}

impl From<Error> for Reply<'_> {
    fn from(error: Error) -> Self {
        Reply::now(Err(error))
    }
}

impl Future for Reply<'_> {
    type Output = Result<Response>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Now(result) => Poll::Ready(result.take().expect("a reply is not polled after it was given")),
            Inner::Later(future) => future.as_mut().poll(cx),
        }
    }
}
