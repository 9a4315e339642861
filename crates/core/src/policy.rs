//! What stands before a backend, and the chain of it.

use std::sync::Arc;
use std::time::Duration;

use crate::{Backend, Ctx, Reply, Request, Status};

/// A layer around a backend: it may refuse, change the request, hand it on, and change the response.
///
/// A field for *whatever* answer goes out, refusals and failures too, goes into [`Ctx::answer`]. A layer that needs the
/// response itself awaits the reply of the next one:
///
/// ```
/// use portcullis_core::{Ctx, Next, Policy, Reply, Request};
///
/// struct NoSniff;
///
/// impl Policy for NoSniff {
///     fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
///         Reply::later(async move {
///             let mut response = next.run(cx, request).await?;
///             response.headers.set("x-content-type-options", "nosniff");
///             Ok(response)
///         })
///     }
/// }
/// ```
pub trait Policy: Send + Sync {
    /// Judges the request; calls `next` to let it pass.
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a>;
}

/// What comes after a policy: the rest of the policies, then the backend.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    policies: &'a [Arc<dyn Policy>],
    backend: &'a dyn Backend,
}

impl<'a> Next<'a> {
    /// The whole way of a request through a route.
    pub fn new(policies: &'a [Arc<dyn Policy>], backend: &'a dyn Backend) -> Next<'a> {
        Next { policies, backend }
    }

    /// Hands the request on.
    pub fn run<'b>(self, cx: &'b mut Ctx, request: Request) -> Reply<'b>
    where
        'a: 'b,
    {
        match self.policies.split_first() {
            Some((policy, rest)) => policy.call(
                cx,
                request,
                Next {
                    policies: rest,
                    backend: self.backend,
                },
            ),
            None => self.backend.call(cx, request),
        }
    }
}

/// Sees how each request ended, refused and broken ones too, after the last byte of its answer. It can change nothing
/// and must not block: it runs on the worker.
pub trait Observer: Send + Sync {
    /// Called once for each request.
    fn ended(&self, cx: &Ctx, outcome: &Outcome<'_>);
}

/// How a request ended.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The method; `None` when the head could not be read.
    pub method: Option<&'a crate::Method>,
    /// Path and query as routed; empty when the head could not be read.
    pub target: &'a str,
    /// The version the client spoke.
    pub version: crate::Version,
    /// The host that the client named; empty where it named none.
    pub host: &'a str,
    /// The client's `User-Agent`, where it sent one in UTF-8.
    pub user_agent: Option<&'a str>,
    /// The client's `Referer`, where it sent one in UTF-8.
    pub referer: Option<&'a str>,
    /// The status that was sent.
    pub status: Status,
    /// Why the gate itself refused or failed, and the private cause.
    pub error: Option<&'a crate::Error>,
    /// Bytes of content that came from the client.
    pub bytes_in: u64,
    /// Bytes of content that went to the client.
    pub bytes_out: u64,
    /// From the first byte of the head to the last byte of the answer.
    pub duration: Duration,
    /// Whether the answer went out whole. False: the client went away, or the backend broke off.
    pub complete: bool,
}
