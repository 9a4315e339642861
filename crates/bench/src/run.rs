//! One run from its beginning to its report.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::engine::{Engine, Fault, Watch};
use crate::load::{Load, Phase, Planned};
use crate::objective::Objective;
use crate::plan::Plan;
use crate::process::{Resources, Watching};
use crate::profile::Profile;
use crate::profile::session::{Outcome, Session, Setting};
use crate::report::{Judged, Report};
use crate::verdict;

/// How often a watched process is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// All that makes a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// What it is called: the name of the scenario, or the URL.
    pub name: String,
    /// What is asked of whom.
    pub plan: Plan,
    /// How much when.
    pub profile: Profile,
    /// What must hold. A smoke test doesn't judge them: it demands that nothing fails. Where none is about failures, others demand
    /// that no more than 1 % of the requests fail; a spike, that not all do.
    pub objectives: Vec<Objective>,
    /// The process on this machine whose use of the processor, memory and descriptors is to be told: the target's.
    pub watched: Option<u32>,
    /// The machine and versions, as [`crate::environment::fingerprint`] has them.
    pub environment: BTreeMap<String, String>,
}

impl Run {
    /// Runs it and judges what came of it.
    ///
    /// Connections are opened before, and what warms up doesn't count. When `watch` ends it, the report says so, and is of what was
    /// measured until then.
    ///
    /// # Errors
    /// When the engine can't begin or go on, when the process to watch isn't there, and for a profile that makes no sense.
    pub fn run(&self, watch: &mut dyn Watch) -> Result<Report, Fault> {
        let mut engine = Engine::start(self.plan.clone())?;
        let watching = self.watch_process()?;
        let began = SystemTime::now();
        let setting = Setting {
            objectives: &self.objectives,
            flows: self.plan.flows.len(),
            lanes: self.plan.connections.saturating_mul(self.plan.streams),
        };
        let mut session = Session::new(setting, &mut engine, watch);
        self.profile.conduct(&mut session)?;
        let outcome = session.finish();
        let resources = watching.map(Watching::finish);
        Ok(self.report(began, outcome, resources))
    }

    fn watch_process(&self) -> Result<Option<Watching>, Fault> {
        let Some(pid) = self.watched else {
            return Ok(None);
        };
        match Watching::start(pid, LOOK) {
            Ok(watching) => Ok(Some(watching)),
            Err(error) => Err(Fault(format!("process {pid} can't be watched: {error}"))),
        }
    }

    /// What must hold of failures where nobody has said anything of them. A target that refuses everybody is quick, and passed otherwise.
    fn unsaid(&self) -> Option<Objective> {
        if self.objectives.iter().any(Objective::bounds_failures) {
            return None;
        }
        let text = match self.profile {
            // Smoke tests allow no failure, and each step of a search is judged by itself.
            Profile::Smoke(_) | Profile::Stress(_) | Profile::Capacity(_) => return None,
            // A peak is there to be more than what can be served.
            Profile::Spike(_) => "errors < 100%",
            Profile::Load(_) | Profile::Soak(_) | Profile::Replay(_) | Profile::Closed(_) => "errors < 1%",
        };
        text.parse().ok()
    }

    fn report(&self, began: SystemTime, mut outcome: Outcome, resources: Option<Resources>) -> Report {
        let demanded: Vec<&Objective> = match self.profile {
            Profile::Smoke(_) => Vec::new(),
            _ => self.objectives.iter().collect(),
        };
        let unsaid = self.unsaid();
        let demanded = demanded.into_iter().chain(&unsaid);
        let mut objectives: Vec<Judged> = demanded.map(|objective| objective.judge(&outcome.measured)).collect();
        objectives.extend(outcome.judged);
        if let (Profile::Soak(soak), Some(resources)) = (&self.profile, &resources) {
            objectives.push(leaks(resources, soak.warm_up, soak.warm_up + soak.duration));
        }
        if let Some(ended) = resources.as_ref().filter(|resources| resources.ended) {
            let remark = format!("Process {} ({}) ended while it was watched.", ended.pid, ended.name);
            outcome.remarks.push(remark);
        }
        Report {
            version: 1,
            name: self.name.clone(),
            target: self.plan.target.name.clone(),
            profile: self.profile.word().to_owned(),
            began: milliseconds(began),
            environment: self.environment.clone(),
            verdict: verdict::of(&outcome.invalid, &objectives),
            measured: outcome.measured,
            found: outcome.found,
            remarks: outcome.remarks,
            objectives,
            invalid: outcome.invalid,
            interrupted: outcome.interrupted,
            resources,
        }
    }
}

/// Does once what has to be done before a run, such as getting a token, and fails where that fails.
///
/// # Errors
/// When a request of it fails, with its cause.
pub fn set_up(plan: Plan) -> Result<(), Fault> {
    let arrivals: Vec<Planned> = (0..plan.flows.len())
        .filter_map(|flow| u32::try_from(flow).ok())
        .map(|flow| Planned {
            after: Duration::ZERO,
            flow,
        })
        .collect();
    let phase = Phase {
        name: "set-up".to_owned(),
        duration: Duration::ZERO,
        load: Load::Script(arrivals.into()),
        counts: true,
    };
    let measured = Engine::start(plan)?.run(&[phase], &mut ())?;
    for phase in &measured.phases {
        for (route, measured) in &phase.routes {
            for (kind, causes) in &measured.failures {
                if let Some(cause) = causes.keys().next() {
                    return Err(Fault(format!(
                        "`{route}` of the set-up failed ({}): {cause}",
                        kind.word()
                    )));
                }
            }
        }
    }
    match measured.counted().0.ended {
        0 => Err(Fault("the set-up made no request".to_owned())),
        _ => Ok(()),
    }
}

/// A process that uses more and more is worn out some day, however well it answers now.
fn leaks(resources: &Resources, from: Duration, to: Duration) -> Judged {
    let leaks = resources.leaks(from, to);
    Judged {
        objective: "no leak".to_owned(),
        route: None,
        measured: match leaks.is_empty() {
            true => "none".to_owned(),
            false => leaks
                .iter()
                .map(|leak| leak.sentence.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        },
        met: leaks.is_empty(),
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
