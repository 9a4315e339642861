//! Takes away what has expired, a little at a time, so that no write waits long for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use super::{Millis, idempotency, keys, quota};

/// Rows that one step takes away from a table, at the most: a few milliseconds.
const ROWS: usize = 200;
/// Until the next step, when there is more to take away.
const SOON: Duration = Duration::from_millis(50);
/// Until the next look, when there was nothing more. What has expired is not used meanwhile either way.
const LATER: Duration = Duration::from_secs(10);

/// Statements that take away what expired before `?1`, `?2` rows at the most.
const STATEMENTS: [&str; 3] = [keys::SWEEP, quota::SWEEP, idempotency::SWEEP];

pub(super) struct Sweep {
    due: Instant,
}

impl Sweep {
    pub(super) fn new(now: Instant) -> Sweep {
        Sweep { due: now + LATER }
    }

    /// How long until the next step is due.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }

    /// Does the next step, if it is due.
    pub(super) fn step(&mut self, connection: &Connection, now: Instant) {
        if now < self.due {
            return;
        }
        // What can't be taken away now can be later; whoever writes learns of what is wrong with the store.
        let removed = remove(connection, wall_clock()).unwrap_or(0);
        self.due = now + if removed >= ROWS { SOON } else { LATER };
    }
}

/// Takes away a step's worth of what expired before `now`, and says how many rows of the table with most that were.
pub(super) fn remove(connection: &Connection, now: Millis) -> rusqlite::Result<usize> {
    let mut most = 0;
    for statement in STATEMENTS {
        let rows = i64::try_from(ROWS).unwrap_or(i64::MAX);
        most = most.max(connection.prepare_cached(statement)?.execute((now, rows))?);
    }
    Ok(most)
}

fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
