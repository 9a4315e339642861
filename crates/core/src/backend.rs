//! What answers a request in the end.

use crate::{Ctx, Reply, Request};

/// What a route ends in: it answers the request.
///
/// A backend is part of a snapshot that all workers share; what it keeps for one worker (connections, buffers) it
/// keeps by thread.
pub trait Backend: Send + Sync {
    /// Answers the request, or says why it can't.
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> Reply<'a>;
}
