//! Connections of HTTP/2 to one target: each is shared by as many requests as the target allows, and those who wait for
//! one to be opened wait for the same one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_config::service::KeepAlive;
use portcullis_core::codes::Code;
use portcullis_core::{Error, codes};
use portcullis_http2::client::{Connection, Room};
use tokio::sync::watch;

use super::target::{Opener, Target};

/// How long a target that chose HTTP/1.1 is believed to go on choosing it.
const CHOICE_HOLDS: Duration = Duration::from_secs(60);

/// How many requests are expected to share a connection before one to this target has told.
const SHARED_BY: usize = 100;

/// What one thread keeps open.
#[derive(Default)]
pub(super) struct Http2Pool {
    connections: Vec<Kept>,
    opening: Vec<Opening>,
    /// How many requests the connection opened last takes at a time.
    shared_by: Option<usize>,
    /// Until when the target, which may choose, is taken to choose HTTP/1.1.
    http1_until: Option<Instant>,
}

struct Kept {
    connection: Connection,
    /// How long it may be idle.
    patience: Duration,
    /// How many requests had been started on it when it was last looked at, and since when it has been idle.
    started: u64,
    idle_since: Instant,
}

/// A connection that is being opened.
struct Opening {
    outcome: watch::Receiver<Option<Outcome>>,
    /// Requests that wait for it.
    waiting: usize,
}

/// What came of opening a connection, as all who wait for it are told.
type Outcome = Result<(), (&'static Code, Arc<str>)>;

/// What there is for a request.
pub(super) enum Found {
    /// A connection with room for it.
    Http2(Connection),
    /// The target chose HTTP/1.1.
    Http1,
}

/// Finds a connection of this thread with room for a request, or opens one.
pub(super) async fn acquire(target: &Arc<Target>, opener: &Opener, now: Instant) -> Result<Found, Error> {
    loop {
        let mut outcome = {
            let mut pool = target.http2().borrow_mut();
            if let Some(connection) = pool.find(opener.keep_alive()) {
                return Ok(Found::Http2(connection));
            }
            if pool.http1_until.is_some_and(|until| now < until) {
                return Ok(Found::Http1);
            }
            pool.join(|| open(target.clone(), opener.clone()))
        };
        // Its sender sends before it goes; what is left is that the task ended without one.
        let _ = outcome.changed().await;
        let told = outcome.borrow().clone();
        match told {
            Some(Ok(())) => {}
            Some(Err((code, cause))) => return Err(Error::new(code).with_cause(&*cause)),
            None => return Err(Error::new(&codes::INTERNAL).with_cause("opening a connection broke off")),
        }
    }
}

/// Starts to open a connection, in a task of its own: it goes on when the request that asked first has gone.
fn open(target: Arc<Target>, opener: Opener) -> watch::Receiver<Option<Outcome>> {
    let (sender, receiver) = watch::channel(None);
    let known = receiver.clone();
    tokio::task::spawn_local(async move {
        let opened = target.open_http2(&opener).await;
        let outcome = {
            let mut pool = target.http2().borrow_mut();
            pool.opening.retain(|opening| !opening.outcome.same_channel(&known));
            match opened {
                Ok(Some(connection)) => {
                    pool.keep(connection, opener.keep_alive());
                    Ok(())
                }
                Ok(None) => {
                    pool.http1_until = Some(Instant::now() + CHOICE_HOLDS);
                    Ok(())
                }
                Err(error) => {
                    let cause = error.cause().map_or_else(String::new, ToString::to_string);
                    Err((error.code(), cause.into()))
                }
            }
        };
        // Nobody may be waiting any more.
        let _ = sender.send(Some(outcome));
    });
    receiver
}

impl Http2Pool {
    /// The first connection with room. Filling one before the next lets those that are needed no more grow old.
    pub(super) fn find(&mut self, limits: &KeepAlive) -> Option<Connection> {
        self.connections.retain(|kept| kept.connection.room() != Room::Ended);
        let free = |kept: &&mut Kept| kept.connection.room() == Room::Free;
        let kept = self.connections.iter_mut().find(free)?;
        kept.patience = limits.idle.0;
        Some(kept.connection.clone())
    }

    fn keep(&mut self, connection: Connection, limits: &KeepAlive) {
        self.http1_until = None;
        self.shared_by = Some(connection.most_streams().max(1));
        self.connections.push(Kept {
            connection,
            patience: limits.idle.0,
            started: 0,
            idle_since: Instant::now(),
        });
    }

    /// Waits for a connection that is being opened and is likely to have room, or opens another.
    fn join(&mut self, open: impl FnOnce() -> watch::Receiver<Option<Outcome>>) -> watch::Receiver<Option<Outcome>> {
        let shared_by = self.shared_by.unwrap_or(SHARED_BY);
        if let Some(opening) = self.opening.iter_mut().find(|opening| opening.waiting < shared_by) {
            opening.waiting += 1;
            return opening.outcome.clone();
        }
        let outcome = open();
        self.opening.push(Opening {
            outcome: outcome.clone(),
            waiting: 1,
        });
        outcome
    }

    /// Parts with connections that have been idle for too long, or have ended. The caller drops them once the pool is free
    /// again.
    #[must_use]
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Connection> {
        let mut gone = Vec::new();
        for mut kept in std::mem::take(&mut self.connections) {
            if kept.is_good(now) {
                self.connections.push(kept);
            } else {
                gone.push(kept.connection);
            }
        }
        gone
    }
}

impl Kept {
    fn is_good(&mut self, now: Instant) -> bool {
        let started = self.connection.started();
        if self.connection.streams() > 0 || started != self.started {
            self.started = started;
            self.idle_since = now;
        }
        self.connection.room() != Room::Ended && now < self.idle_since + self.patience
    }
}
