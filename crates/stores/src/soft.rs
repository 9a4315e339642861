//! The soft store: counts that several gates share, in a Redis server, and that may be lost.
//!
//! A request is judged under all its limits in one round trip, by a script that the server runs as one step and by the
//! server's clock. Requests of all workers share one connection, where they follow each other without waiting for
//! answers. Nobody waits longer than the deadline: when one answer is late, nobody else is let wait until what was
//! asked has been answered; and while there is no connection, nobody waits at all. It is made anew in the background.
//!
//! One server is spoken to, not a cluster of them: all keys of a request must be in one place.

mod connection;
mod question;
mod wire;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::RootCertStore;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub use question::{Answer, NEVER, Question, Quota, Standing};

/// How many requests may be on their way at a time. With more the server is not keeping up.
const MOST_WAITING: usize = 4096;

/// Where the server is, and how it is spoken to.
#[derive(Clone)]
pub struct Settings {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Speaks TLS with it, and verifies its certificate by these authorities.
    pub authorities: Option<RootCertStore>,
    /// Who one is there; without it the server's default user.
    pub username: Option<String>,
    /// What proves that.
    pub password: Option<String>,
    /// Which of its databases is used.
    pub database: u32,
    /// How long an answer may take.
    pub deadline: Duration,
    /// Takes a line for operators: that the store went away, why, and that it came back.
    pub tell: fn(&str),
}

/// A soft store. Those who have it keep its connection; it ends with the last of them.
pub struct Soft {
    jobs: mpsc::Sender<Job>,
    state: Arc<State>,
    deadline: Duration,
}

/// There is no answer, or none in time: go on without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away;

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the soft store is away")
    }
}

impl std::error::Error for Away {}

/// A question on its way.
struct Job {
    question: Question,
    answer: oneshot::Sender<Answer>,
}

/// What those who ask and the connection both see.
#[derive(Debug, Default)]
struct State {
    phase: AtomicU8,
    why: Mutex<String>,
    unanswered: AtomicU64,
}

/// How it is with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It is being made for the first time: who asks may wait for it, within the deadline.
    Starting,
    Up,
    /// An answer is late: nobody else asks until all have come.
    Late,
    /// There is none.
    Away,
}

impl Soft {
    /// A store that is connected in the background, on a runtime for slow work.
    pub fn connect(settings: Settings, slow: &Handle) -> Soft {
        let (jobs, waiting) = mpsc::channel(MOST_WAITING);
        let state = Arc::new(State::default());
        let deadline = settings.deadline;
        slow.spawn(connection::keep(settings, waiting, Arc::clone(&state)));
        Soft { jobs, state, deadline }
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        self.state.phase() == Phase::Up
    }

    /// Why it doesn't; empty as long as nothing has failed.
    pub fn why(&self) -> String {
        self.state.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many questions it has not answered, or not in time.
    pub fn unanswered(&self) -> u64 {
        self.state.unanswered.load(Ordering::Relaxed)
    }

    /// Asks; at once where there is no hope for an answer, and else within the deadline.
    ///
    /// # Errors
    /// When there is no answer. The request may have been counted all the same.
    pub fn ask(&self, question: Question) -> impl Future<Output = Result<Answer, Away>> {
        let waiting = match self.state.phase() {
            Phase::Starting | Phase::Up => self.send(question),
            Phase::Late | Phase::Away => None,
        };
        let deadline = self.deadline;
        async move {
            let answer = match waiting {
                Some(waiting) => timeout(deadline, waiting).await.ok().and_then(Result::ok),
                None => None,
            };
            answer.ok_or_else(|| {
                self.state.unanswered.fetch_add(1, Ordering::Relaxed);
                Away
            })
        }
    }

    fn send(&self, question: Question) -> Option<oneshot::Receiver<Answer>> {
        let (answer, waiting) = oneshot::channel();
        self.jobs.try_send(Job { question, answer }).ok()?;
        Some(waiting)
    }
}

impl fmt::Debug for Soft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Soft").field("state", &self.state).finish()
    }
}

impl State {
    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Up,
            2 => Phase::Late,
            _ => Phase::Away,
        }
    }

    fn set(&self, phase: Phase) {
        let number = match phase {
            Phase::Starting => 0,
            Phase::Up => 1,
            Phase::Late => 2,
            Phase::Away => 3,
        };
        self.phase.store(number, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
