//! The connections of one thread, lent to requests: shared by those that only read, since what is sent on a connection is
//! answered in that order, or alone for a transaction that goes to and fro.

mod lease;
mod lines;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_core::{Error, Result};
use tokio::sync::oneshot;

pub(super) use self::lease::{Lease, Streaming};
use self::lines::{Choice, Lines};
use super::address::Address;
use super::connection::Connection;
use super::failure::describe;
use crate::failure::busy;

/// The pauses between attempts to connect: short, so that a server that is back is noticed, and at the most this long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How a request wants its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// With others, for what is sent at once.
    Shared,
    /// Alone.
    Own,
}

/// What the pools of all threads have in common.
pub(super) struct Common {
    pub(super) address: Arc<Address>,
    /// Connections at the most.
    pub(super) most: usize,
    /// Requests that may wait.
    pub(super) queue: usize,
    /// How long they do.
    pub(super) wait: Duration,
    /// Connections that are open.
    pub(super) open: Arc<AtomicUsize>,
    /// Requests that wait.
    pub(super) waiting: AtomicUsize,
    /// Requests that have a connection, alone or with others.
    pub(super) lent: AtomicUsize,
    /// Threads that have a pool.
    pub(super) pools: AtomicUsize,
}

/// The connections of one thread.
pub(super) struct Pool {
    common: Arc<Common>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lines: Lines,
    /// Whether a connection is being opened.
    opening: bool,
    alone: VecDeque<oneshot::Sender<Lease>>,
    shared: VecDeque<oneshot::Sender<Lease>>,
    /// Large answers that clients are taking.
    streams: usize,
    failure: Option<Attempt>,
}

/// An attempt to connect that failed.
struct Attempt {
    at: Instant,
    pause: Duration,
    reason: String,
}

/// The task that opens a connection: however it ends, another one may begin.
struct Opening(Arc<Pool>);

/// Counts a request that waits.
struct Waiting<'c>(&'c AtomicUsize);

impl Pool {
    pub(super) fn new(common: Arc<Common>) -> Arc<Pool> {
        common.pools.fetch_add(1, Ordering::Relaxed);
        Arc::new(Pool {
            common,
            state: Mutex::default(),
        })
    }

    /// Lends a connection, as soon as there is one.
    ///
    /// # Errors
    /// `database_busy`, where too many wait or it takes too long.
    pub(super) async fn lend(self: &Arc<Pool>, want: Want) -> Result<Lease> {
        let receiver = {
            let mut state = self.lock();
            let (may, opening) = (self.may_open(&state), state.opening);
            match state.lines.choose(want, may, opening) {
                Choice::Take(connection) => return Ok(Lease::new(self.clone(), connection, want)),
                Choice::TakeAndOpen(connection) => {
                    self.open_one(&mut state);
                    return Ok(Lease::new(self.clone(), connection, want));
                }
                Choice::Open => self.open_one(&mut state),
                Choice::Wait => {}
            }
            let (sender, receiver) = oneshot::channel();
            match want {
                Want::Shared => state.shared.push_back(sender),
                Want::Own => {
                    state.alone.push_back(sender);
                    let waiting = state.alone.len();
                    state.lines.reserve(waiting);
                }
            }
            receiver
        };
        let waiting = Waiting(&self.common.waiting);
        if waiting.0.fetch_add(1, Ordering::Relaxed) >= self.common.queue {
            return Err(busy().with_cause("too many requests wait for a connection"));
        }
        match tokio::time::timeout(self.common.wait, receiver).await {
            Ok(Ok(lease)) => Ok(lease),
            Ok(Err(_)) | Err(_) => Err(self.nothing_free()),
        }
    }

    fn nothing_free(&self) -> Error {
        let state = self.lock();
        match &state.failure {
            Some(attempt) => busy().with_cause(format!("can't connect: {}", attempt.reason)),
            None => busy().with_cause("no connection got free in time"),
        }
    }

    /// Whether this thread may have one more.
    fn may_open(&self, state: &State) -> bool {
        let within = self.common.open.load(Ordering::Relaxed) < self.common.most;
        !state.opening && state.lines.len() < self.share() && (within || state.lines.is_empty())
    }

    /// Connections of this thread at the most. All threads have the same share, and each one at the least.
    fn share(&self) -> usize {
        (self.common.most / self.common.pools.load(Ordering::Relaxed).max(1)).max(1)
    }

    /// Counts one more large answer. They may take half of the connections: clients that are slow to take their answers must
    /// not keep others from reading.
    fn begin_stream(&self) -> bool {
        let most = (self.share() / 2).max(1);
        let mut state = self.lock();
        let may = state.streams < most;
        state.streams += usize::from(may);
        may
    }

    /// Opens a connection on a task of its own, and tries again for as long as somebody waits for it.
    fn open_one(self: &Arc<Pool>, state: &mut State) {
        if state.opening {
            return;
        }
        state.opening = true;
        let opening = Opening(self.clone());
        tokio::spawn(async move {
            let pool = opening.0.clone();
            pool.connect().await;
            drop(opening);
            pool.serve();
        });
    }

    async fn connect(self: &Arc<Pool>) {
        loop {
            let pause = {
                let state = self.lock();
                let since = |attempt: &Attempt| attempt.pause.saturating_sub(attempt.at.elapsed());
                state.failure.as_ref().map(since).unwrap_or_default()
            };
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let connected = Connection::open(self.common.address.clone(), self.common.open.clone()).await;
            let mut state = self.lock();
            match connected {
                Ok(connection) => {
                    state.failure = None;
                    state.lines.add(connection);
                    return;
                }
                Err(error) => {
                    let pause = state.failure.as_ref().map_or(FIRST_PAUSE, |attempt| attempt.pause * 2);
                    state.failure = Some(Attempt {
                        at: Instant::now(),
                        pause: pause.min(LONGEST_PAUSE),
                        reason: describe(&error),
                    });
                    state.forget_gone();
                    if state.alone.is_empty() && state.shared.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Takes a connection back.
    fn give_back(self: &Arc<Pool>, connection: &Arc<Connection>, want: Want) {
        self.common.lent.fetch_sub(1, Ordering::Relaxed);
        self.lock().lines.give_back(connection, want);
        self.serve();
    }

    /// Hands free connections to those who wait.
    fn serve(self: &Arc<Pool>) {
        let mut handed = Vec::new();
        {
            let mut state = self.lock();
            state.forget_gone();
            if state.alone.is_empty() {
                state.lines.release();
            }
            while !state.alone.is_empty() {
                let Some(connection) = state.lines.take(Want::Own) else {
                    break;
                };
                let sender = state.alone.pop_front().expect("one waits");
                handed.push((sender, Lease::new(self.clone(), connection, Want::Own)));
            }
            while !state.shared.is_empty() {
                let Some(connection) = state.lines.take(Want::Shared) else {
                    break;
                };
                let sender = state.shared.pop_front().expect("one waits");
                handed.push((sender, Lease::new(self.clone(), connection, Want::Shared)));
            }
            let more_wait = !state.alone.is_empty() || !state.shared.is_empty();
            if more_wait && self.may_open(&state) {
                self.open_one(&mut state);
            }
        }
        for (sender, lease) in handed {
            if let Err(lease) = sender.send(lease) {
                // Who waited went away at this very moment.
                lease.done();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.common.pools.fetch_sub(1, Ordering::Relaxed);
    }
}

impl State {
    /// Forgets those who no longer wait.
    fn forget_gone(&mut self) {
        self.alone.retain(|sender| !sender.is_closed());
        self.shared.retain(|sender| !sender.is_closed());
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.opening = false;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
