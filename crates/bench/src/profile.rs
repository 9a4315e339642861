//! Kinds of tests: how much load when, and what to look for in what comes of it.
//!
//! A profile makes [`Phase`](crate::load::Phase)s. Some make all at once; those that search (`stress`, `capacity`) look at each step
//! before they take the next. What a profile finds stands in a report by the names of [`found`].

use std::time::Duration;

use crate::engine::Fault;
use session::Session;

pub mod found;
pub mod smoke;

pub mod closed;
pub mod replay;
pub mod soak;
pub mod spike;
pub mod steady;

pub mod capacity;
pub mod stress;

pub mod session;
mod step;

#[cfg(test)]
mod simulated;

/// What kind of test a run is.
#[derive(Clone, Debug)]
pub enum Profile {
    /// Does it work at all?
    Smoke(smoke::Smoke),
    /// How is it under the load that is expected?
    Load(steady::Steady),
    /// What breaks first, and when?
    Stress(stress::Stress),
    /// What does a sudden crowd do, and how long until all is as before?
    Spike(spike::Spike),
    /// Does it stay as it is for hours?
    Soak(soak::Soak),
    /// How much can it take?
    Capacity(capacity::Capacity),
    /// How is it under what really happened?
    Replay(replay::Replay),
    /// How fast are users served who wait for each answer?
    Closed(closed::Closed),
}

impl Profile {
    /// Its word in files, on the command line and in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Profile::Smoke(_) => "smoke",
            Profile::Load(_) => "load",
            Profile::Stress(_) => "stress",
            Profile::Spike(_) => "spike",
            Profile::Soak(_) => "soak",
            Profile::Capacity(_) => "capacity",
            Profile::Replay(_) => "replay",
            Profile::Closed(_) => "closed",
        }
    }

    /// Whether it says beforehand when each flow starts. Then the generator has to be on time.
    pub fn is_open(&self) -> bool {
        !matches!(self, Profile::Closed(_) | Profile::Smoke(_))
    }

    /// How long it takes, where that is known before; without the wait for the last answers.
    pub fn length(&self) -> Option<Duration> {
        match self {
            Profile::Smoke(_) | Profile::Stress(_) | Profile::Capacity(_) => None,
            Profile::Load(steady) => Some(lasting(&steady.phases())),
            Profile::Spike(spike) => Some(lasting(&spike.phases())),
            Profile::Soak(soak) => Some(lasting(&soak.phases())),
            Profile::Replay(replay) => Some(lasting(&replay.phases())),
            Profile::Closed(closed) => Some(lasting(&closed.phases())),
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// Those of the engine, and what makes no sense in the profile itself.
    pub(crate) fn conduct(&self, session: &mut Session<'_>) -> Result<(), Fault> {
        match self {
            Profile::Smoke(smoke) => smoke.conduct(session),
            Profile::Load(steady) => steady.conduct(session),
            Profile::Stress(stress) => stress.conduct(session),
            Profile::Spike(spike) => spike.conduct(session),
            Profile::Soak(soak) => soak.conduct(session),
            Profile::Capacity(capacity) => capacity.conduct(session),
            Profile::Replay(replay) => replay.conduct(session),
            Profile::Closed(closed) => closed.conduct(session),
        }
    }
}

fn lasting(phases: &[crate::load::Phase]) -> Duration {
    phases.iter().map(|phase| phase.duration).sum()
}

/// A constant load before what counts: connections open, caches fill, code is compiled. Nothing where it takes no time.
fn warm_up(duration: Duration, load: crate::load::Load) -> Option<crate::load::Phase> {
    (!duration.is_zero()).then(|| crate::load::Phase {
        name: "warm-up".to_owned(),
        duration,
        load,
        counts: false,
    })
}

/// What makes no sense, by its name.
fn positive(name: &str, rate: f64) -> Result<(), Fault> {
    if rate.is_finite() && rate > 0.0 {
        return Ok(());
    }
    Err(Fault(format!("`{name}` must be a rate above zero, and is {rate}")))
}
