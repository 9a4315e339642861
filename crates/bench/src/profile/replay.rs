//! `replay`: what really happened, with its gaps and crowds.

use std::sync::Arc;
use std::time::Duration;

use super::session::Session;
use crate::engine::Fault;
use crate::load::{Load, Phase, Planned};
use crate::verdict::Model;

/// The most arrivals of a script: they take 24 bytes each, and a run has to stay below 100 MiB.
pub const MOST_ARRIVALS: usize = 2_000_000;

/// Arrivals at the times that a log tells.
#[derive(Clone, Debug)]
pub struct Replay {
    /// When which flow starts, ascending; see [`script`].
    pub arrivals: Arc<[Planned]>,
}

/// Arrivals from times of a log, `speed` times as fast: gaps are kept in proportion, and the first is at zero. The times may come
/// in any order, since servers log a request when it has ended.
///
/// # Errors
/// When there are more than [`MOST_ARRIVALS`], none at all, or the speed is no number above zero.
pub fn script(times: impl IntoIterator<Item = (Duration, u32)>, speed: f64) -> Result<Arc<[Planned]>, Fault> {
    if !(speed.is_finite() && speed > 0.0) {
        return Err(Fault(format!("`speed` must be a factor above zero, and is {speed}")));
    }
    let mut arrivals = Vec::new();
    for (after, flow) in times {
        if arrivals.len() == MOST_ARRIVALS {
            return Err(Fault(format!(
                "the log has more than {MOST_ARRIVALS} requests: replay a part of it"
            )));
        }
        arrivals.push(Planned { after, flow });
    }
    arrivals.sort_by_key(|planned| planned.after);
    let Some(first) = arrivals.first().map(|planned| planned.after) else {
        return Err(Fault("there is nothing to replay".to_owned()));
    };
    for planned in &mut arrivals {
        let scaled = (planned.after - first).as_secs_f64() / speed;
        planned.after = Duration::try_from_secs_f64(scaled)
            .map_err(|_| Fault(format!("at a speed of {speed} the log takes for ever")))?;
    }
    Ok(arrivals.into())
}

impl Replay {
    /// The one phase of it. There is no warm-up: what came first belongs to what happened.
    pub fn phases(&self) -> Vec<Phase> {
        vec![Phase {
            name: "replay".to_owned(),
            duration: self.arrivals.last().map_or(Duration::ZERO, |last| last.after),
            load: Load::Script(Arc::clone(&self.arrivals)),
            counts: true,
        }]
    }

    pub(super) fn conduct(&self, session: &mut Session<'_>) -> Result<(), Fault> {
        if self.arrivals.is_empty() {
            return Err(Fault("there is nothing to replay".to_owned()));
        }
        let measured = session.run(&self.phases())?;
        session.keep_valid(measured, Model::Open);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn seconds(times: &[u64]) -> impl Iterator<Item = (Duration, u32)> {
        times.iter().map(|time| (Duration::from_secs(*time), 0))
    }

    #[test]
    fn a_script_begins_at_once_and_keeps_its_gaps() {
        let arrivals = script(seconds(&[103, 100, 109]), 3.0).unwrap();
        let after: Vec<_> = arrivals.iter().map(|planned| planned.after.as_secs()).collect();
        assert_eq!(after, [0, 1, 3]);
    }

    #[test]
    fn what_makes_no_script_is_said() {
        let fault = |times: &[u64], speed| script(seconds(times), speed).unwrap_err().0;
        assert_eq!(fault(&[], 1.0), "there is nothing to replay");
        assert!(fault(&[1], 0.0).starts_with("`speed`"));
        assert!(fault(&[1], f64::NAN).starts_with("`speed`"));
        assert!(fault(&[0, 4_000_000_000], 1e-300).contains("for ever"));
    }

    #[test]
    fn a_log_has_a_limit() {
        let endless = std::iter::repeat((Duration::ZERO, 0));
        assert!(script(endless, 1.0).unwrap_err().0.contains("replay a part"));
    }
}
