//! `closed`: users who wait for each answer before they go on.

use std::time::Duration;

use super::session::Session;
use super::warm_up;
use crate::engine::Fault;
use crate::load::{Load, Phase};
use crate::verdict::Model;

/// The closed model, on request: it tells how fast so many users are served, and hides what happens to those who would have come
/// while the target stood still.
#[derive(Clone, Debug)]
pub struct Closed {
    /// How many there are. How long each thinks is a matter of the flows' steps.
    pub users: usize,
    /// How long they go on.
    pub duration: Duration,
    /// How long they do before it counts.
    pub warm_up: Duration,
}

impl Closed {
    /// So many users, all else as it is by default.
    pub fn of(users: usize) -> Closed {
        Closed {
            users,
            duration: Duration::from_secs(30),
            warm_up: Duration::from_secs(5),
        }
    }

    /// The phases of it.
    pub fn phases(&self) -> Vec<Phase> {
        let mut phases = Vec::from_iter(warm_up(self.warm_up, Load::Users(self.users)));
        phases.push(Phase {
            name: "closed".to_owned(),
            duration: self.duration,
            load: Load::Users(self.users),
            counts: true,
        });
        phases
    }

    pub(super) fn conduct(&self, session: &mut Session<'_>) -> Result<(), Fault> {
        if self.users == 0 {
            return Err(Fault("`users` must be at least one".to_owned()));
        }
        let measured = session.run(&self.phases())?;
        session.keep_valid(measured, Model::Closed { target_at_limit: false });
        Ok(())
    }
}
