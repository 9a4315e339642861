//! What has ended, and must not begin again.

use std::time::{Duration, Instant};

use crate::recent::{Recent, mark};

/// How many logins, and how many sessions, are remembered. Of more, the oldest are forgotten; the sessions among them still end
/// in their own time.
const MOST: usize = 100_000;

/// Logins that have ended and sessions that somebody has logged out of, over all configurations of this process.
pub struct Ended {
    logins: Recent<()>,
    sessions: Recent<()>,
}

impl Default for Ended {
    fn default() -> Ended {
        Ended {
            logins: Recent::new(MOST),
            sessions: Recent::new(MOST),
        }
    }
}

impl Ended {
    /// Whether the login with that state has not ended before now.
    pub(super) fn ends_login(&self, state: &str, lasting: Duration) -> bool {
        ends(&self.logins, state, lasting)
    }

    /// The session of that name holds no more, for as long as its cookie might be of use.
    pub(super) fn end_session(&self, id: &str, lasting: Duration) {
        ends(&self.sessions, id, lasting);
    }

    pub(super) fn is_session_ended(&self, id: &str) -> bool {
        self.sessions.find(&mark([id.as_bytes()]), Instant::now()).is_some()
    }
}

/// Remembers the end; whether it is the first.
fn ends(known: &Recent<()>, name: &str, lasting: Duration) -> bool {
    let (mark, now) = (mark([name.as_bytes()]), Instant::now());
    let is_first = known.find(&mark, now).is_none();
    if let Some(until) = now.checked_add(lasting) {
        known.keep(mark, until, ());
    }
    is_first
}
