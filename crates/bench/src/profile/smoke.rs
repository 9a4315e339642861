//! `smoke`: does it work at all?

use std::time::{Duration, Instant};

use super::session::Session;
use crate::engine::Fault;
use crate::load::{Load, Phase, Planned};
use crate::measured::{Measured, PhaseMeasured};
use crate::report::Judged;

/// The most flows that are started: a smoke test takes seconds, never minutes.
const MOST: usize = 1000;

/// Each flow a few times, one at a time, with all checks. Objectives aren't judged, for so few requests say nothing about latency;
/// what is demanded is that no request fails. There is no course over time, either.
#[derive(Clone, Debug)]
pub struct Smoke {
    /// How often each flow is started. 3: the first may be the one that is special, and two that agree could be chance.
    pub repeats: usize,
}

impl Default for Smoke {
    fn default() -> Smoke {
        Smoke { repeats: 3 }
    }
}

impl Smoke {
    pub(super) fn conduct(&self, session: &mut Session<'_>) -> Result<(), Fault> {
        let flows = session.setting.flows;
        let starts = flows.saturating_mul(self.repeats);
        if starts == 0 || starts > MOST {
            return Err(Fault(format!(
                "a smoke test starts 1 to {MOST} flows, and {flows} flows with `repeats` {} are {starts}",
                self.repeats
            )));
        }
        let mut all = PhaseMeasured {
            name: "smoke".to_owned(),
            counts: true,
            ..PhaseMeasured::default()
        };
        let rounds = (0..self.repeats).flat_map(|_| 0..flows);
        for flow in rounds {
            let began = Instant::now();
            let measured = session.run(&[once(u32::try_from(flow).unwrap_or(u32::MAX))])?;
            all.lasted += began.elapsed();
            session.keep(Measured {
                phases: Vec::new(),
                seconds: Vec::new(),
                generator: measured.generator,
            });
            for phase in &measured.phases {
                all.due += phase.due;
                for (route, own) in &phase.routes {
                    all.routes.entry(route.clone()).or_default().merge(own);
                }
            }
            if session.interrupted() {
                break;
            }
        }
        judge(session, all);
        Ok(())
    }
}

fn judge(session: &mut Session<'_>, all: PhaseMeasured) {
    let total = all.total();
    session.outcome.judged.push(Judged {
        objective: "everything works".to_owned(),
        route: None,
        measured: format!("{} of {} requests failed", total.failed(), total.ended),
        met: total.failed() == 0 && total.ended > 0,
    });
    session.outcome.measured.phases.push(all);
}

/// One start of a flow, at once. A run of its own waits for its end, so that the next one begins after that.
fn once(flow: u32) -> Phase {
    Phase {
        name: "smoke".to_owned(),
        duration: Duration::ZERO,
        load: Load::Script(
            [Planned {
                after: Duration::ZERO,
                flow,
            }]
            .into(),
        ),
        counts: true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::profile::simulated::{Simulated, setting};

    fn outcome(repeats: usize, flows: usize, system: Simulated) -> Result<crate::profile::session::Outcome, Fault> {
        let mut system = system;
        let mut nobody = ();
        let setting = super::super::session::Setting { flows, ..setting(&[]) };
        let mut session = Session::new(setting, &mut system, &mut nobody);
        Smoke { repeats }.conduct(&mut session)?;
        Ok(session.finish())
    }

    #[test]
    fn each_flow_is_started_as_often_as_was_said() {
        let outcome = outcome(3, 4, Simulated::of(100.0)).unwrap();
        assert_eq!(outcome.measured.phases.len(), 1);
        assert_eq!(outcome.measured.counted().0.ended, 12);
        assert!(outcome.judged[0].met, "{:?}", outcome.judged);
    }

    #[test]
    fn one_failure_is_too_many() {
        let mut system = Simulated::of(100.0);
        system.fails_every = Some(12);
        let outcome = outcome(3, 4, system).unwrap();
        assert!(!outcome.judged[0].met);
        assert_eq!(outcome.judged[0].measured, "1 of 12 requests failed");
    }

    #[test]
    fn a_smoke_test_is_short() {
        assert!(outcome(0, 4, Simulated::of(100.0)).is_err());
        assert!(outcome(1, 1001, Simulated::of(100.0)).is_err());
    }
}
