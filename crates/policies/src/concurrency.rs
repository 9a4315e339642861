//! `concurrency` bounds how many requests of a client are in progress at a time.
//!
//! ```yaml
//! concurrency: {limit: 10, by: consumer, queue: 5, wait: 500ms}
//! ```
//!
//! One more is refused with 429 (`too_many_in_progress`), or waits for its turn where there is a `queue`. A request is in
//! progress until its answer has ended, whole or broken off, or its client has gone; whatever ends it gives its place back.
//! What isn't in progress is not kept, so there are never more counts than requests.
//!
//! `by` tells clients apart as it does for `rate_limit`; requests without it share one limit.

pub mod places;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use portcullis_config::policy::concurrency;
use portcullis_core::{
    Body, BodyStream, Ctx, Error, Frame, Known, Next, Policy, Reply, Request, Response, Result, codes,
};
use tokio::time::timeout;

use crate::rate_limit::key::KeyPart;
use places::{Entry, Place, Places, Registry};

/// Bounds how many requests of a client are in progress at a time.
#[derive(Debug)]
pub struct Concurrency {
    by: Box<[KeyPart]>,
    limit: u32,
    queue: usize,
    wait: Duration,
    places: Arc<Places>,
}

impl Concurrency {
    /// Compiles what the file says. `name` is that of the policy set, or of the route for a set of its own: together with
    /// `by` it finds the counts of the time before a reload.
    ///
    /// # Errors
    /// When a name or an expression can't be used.
    pub fn new(
        config: &concurrency::Concurrency,
        name: &str,
        registry: &Registry,
    ) -> std::result::Result<Concurrency, String> {
        let by: std::result::Result<_, String> = config.by.iter().map(KeyPart::new).collect();
        Ok(Concurrency {
            by: by?,
            limit: config.limit.max(1),
            queue: usize::from(config.queue),
            wait: config.wait.0,
            places: registry.places(name, &config.by),
        })
    }
}

impl Policy for Concurrency {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        let key = match self.places.keys().of_request(&self.by, cx, &request) {
            Ok(key) => key,
            Err(failure) => return undecided(failure).into(),
        };
        match Places::enter(&self.places, key, self.limit, self.queue) {
            Entry::Full => self.refusal().into(),
            Entry::Now(place) => Reply::later(async move { next.run(cx, request).await.map(|it| hold(it, place)) }),
            Entry::Later(turn) => Reply::later(async move {
                match timeout(self.wait, turn).await {
                    Ok(Ok(place)) => next.run(cx, request).await.map(|it| hold(it, place)),
                    _ => Err(self.refusal()),
                }
            }),
        }
    }
}

impl Concurrency {
    #[cold]
    fn refusal(&self) -> Error {
        Error::new(&codes::TOO_MANY_IN_PROGRESS)
            .with_detail(format!("{} may be in progress at a time", self.limit))
            .with_header(Known::RetryAfter, "1")
            .by_policy("concurrency")
    }
}

/// What guards, denies when it can't find out.
#[cold]
fn undecided(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(&codes::GUARD_UNAVAILABLE)
        .by_policy("concurrency")
        .with_cause(cause)
}

/// Has the content of a response hold the place. What is here whole needs nothing of a backend any more.
fn hold(mut response: Response, place: Place) -> Response {
    if let Body::Stream(content) = response.body {
        response.body = Body::Stream(Box::new(Held {
            content,
            place: Some(place),
        }));
    }
    response
}

/// Content that holds a place until it ends or is dropped.
struct Held {
    content: Box<dyn BodyStream>,
    place: Option<Place>,
}

impl BodyStream for Held {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let polled = self.content.poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.place = None;
        }
        polled
    }

    fn remaining(&self) -> Option<u64> {
        self.content.remaining()
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.content.poll_background(cx);
    }
}

#[cfg(test)]
mod tests;
