//! Which connection a request gets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Want;
use crate::postgres::connection::Connection;

/// Requests that are under way on one connection at the most.
const DEPTH: usize = 32;
/// So many under way, and another connection would serve better.
const BUSY: usize = 4;
/// A connection that has answered nothing for so long is held up by something slow.
const HELD_UP: Duration = Duration::from_millis(3);
/// A connection that nobody used for so long is closed, but for the last one.
const IDLE: Duration = Duration::from_secs(60);

/// The connections, and who is on them.
#[derive(Default)]
pub(super) struct Lines(Vec<Line>);

/// A connection, and who is on it.
pub(super) struct Line {
    connection: Arc<Connection>,
    /// Requests that share it.
    sharing: usize,
    /// Whether somebody has it alone.
    alone: bool,
    /// Whether nobody else is let on it, because somebody waits to have it alone.
    reserved: bool,
    /// When something happened on it last.
    moved: Instant,
}

/// What to do about a request that wants a connection.
pub(super) enum Choice {
    /// It gets this one.
    Take(Arc<Connection>),
    /// It gets this one, and the next ones had better have another.
    TakeAndOpen(Arc<Connection>),
    /// One is to be opened for it.
    Open,
    /// It waits.
    Wait,
}

impl Lines {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, connection: Arc<Connection>) {
        self.0.push(Line {
            connection,
            sharing: 0,
            alone: false,
            reserved: false,
            moved: Instant::now(),
        });
    }

    /// Finds a connection for a request, where one more `may` be opened, or is being `opened`.
    pub(super) fn choose(&mut self, want: Want, may: bool, opened: bool) -> Choice {
        self.remove_closed();
        let held_up = want == Want::Shared
            && (may || opened)
            && self
                .best()
                .is_some_and(|line| line.sharing > 0 && line.moved.elapsed() > HELD_UP);
        if held_up {
            return if may { Choice::Open } else { Choice::Wait };
        }
        let crowded = may && self.best().is_some_and(|line| line.sharing >= BUSY);
        match self.take(want) {
            Some(connection) if want == Want::Shared && crowded => Choice::TakeAndOpen(connection),
            Some(connection) => Choice::Take(connection),
            None if may => Choice::Open,
            None => Choice::Wait,
        }
    }

    /// Takes a connection for somebody, where there is one.
    pub(super) fn take(&mut self, want: Want) -> Option<Arc<Connection>> {
        let line = match want {
            Want::Shared => self.best().filter(|line| line.sharing < DEPTH)?,
            Want::Own => self
                .0
                .iter_mut()
                .find(|line| line.is_idle() && !line.connection.is_closed())?,
        };
        if line.sharing == 0 {
            line.moved = Instant::now();
        }
        match want {
            Want::Shared => line.sharing += 1,
            Want::Own => {
                line.alone = true;
                line.reserved = false;
            }
        }
        Some(line.connection.clone())
    }

    /// Lets nobody else on as many connections as are waited for, but for one where there are several.
    pub(super) fn reserve(&mut self, waiting: usize) {
        let most = waiting.min(self.0.len().saturating_sub(1).max(1));
        let reserved = self.0.iter().filter(|line| line.reserved).count();
        for _ in reserved..most {
            let Some(line) = self.best() else { return };
            line.reserved = true;
        }
    }

    /// Nobody waits to have one alone any more.
    pub(super) fn release(&mut self) {
        for line in &mut self.0 {
            line.reserved = false;
        }
    }

    pub(super) fn give_back(&mut self, connection: &Arc<Connection>, want: Want) {
        if let Some(line) = self.find(connection) {
            match want {
                Want::Shared => line.sharing = line.sharing.saturating_sub(1),
                Want::Own => line.alone = false,
            }
            line.moved = Instant::now();
        }
        self.remove_closed();
        self.remove_idle();
    }

    fn find(&mut self, connection: &Arc<Connection>) -> Option<&mut Line> {
        self.0.iter_mut().find(|line| Arc::ptr_eq(&line.connection, connection))
    }

    /// The one to share: the one with the fewest others.
    fn best(&mut self) -> Option<&mut Line> {
        let free = |line: &&mut Line| !line.alone && !line.reserved && !line.connection.is_closed();
        self.0.iter_mut().filter(free).min_by_key(|line| line.sharing)
    }

    fn remove_closed(&mut self) {
        self.0.retain(|line| !line.connection.is_closed());
    }

    fn remove_idle(&mut self) {
        if self.0.len() > 1 && self.0.iter().any(|line| line.is_idle() && line.moved.elapsed() > IDLE) {
            let mut left = self.0.len();
            self.0.retain(|line| {
                let stays = left == 1 || !line.is_idle() || line.moved.elapsed() <= IDLE;
                left -= usize::from(!stays);
                stays
            });
        }
    }
}

impl Line {
    fn is_idle(&self) -> bool {
        self.sharing == 0 && !self.alone
    }
}
