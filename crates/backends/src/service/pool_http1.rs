//! Kept connections of HTTP/1.1 to one target: each is in use for one request at a time.

use std::collections::VecDeque;
use std::time::Instant;

use portcullis_config::service::KeepAlive;
use portcullis_http1::client::Connection;

use super::transport::Transport;

/// What one thread keeps open.
#[derive(Default)]
pub(super) struct Http1Pool {
    idle: VecDeque<Idle>,
}

/// A connection that is kept open. It keeps its target alive, so that a target which is gone from the configuration
/// goes when the last of them has expired.
pub(super) struct Idle {
    connection: Connection<Transport>,
    until: Instant,
}

impl Http1Pool {
    /// A connection that was kept open, if there is a good one.
    pub(super) fn reuse(&mut self, now: Instant) -> Option<Connection<Transport>> {
        // The one used last is the one most likely to be alive, and leaves the others to grow old.
        while let Some(last) = self.idle.pop_back() {
            if last.is_good(now) {
                return Some(last.connection);
            }
        }
        None
    }

    /// Keeps a connection open for the next request.
    pub(super) fn keep(&mut self, connection: Connection<Transport>, limits: &KeepAlive) {
        if self.idle.len() < usize::from(limits.connections) {
            self.idle.push_back(Idle {
                connection,
                until: Instant::now() + limits.idle.0,
            });
        }
    }

    /// Parts with connections that have been idle for too long, or that the server ended. The caller drops them once the
    /// pool is free again, for dropping one may drop the target.
    #[must_use]
    pub(super) fn sweep(&mut self, now: Instant) -> VecDeque<Idle> {
        let (kept, gone) = std::mem::take(&mut self.idle)
            .into_iter()
            .partition(|idle| idle.is_good(now));
        self.idle = kept;
        gone
    }
}

impl Idle {
    fn is_good(&self, now: Instant) -> bool {
        now < self.until && !self.connection.io().is_stale()
    }
}
