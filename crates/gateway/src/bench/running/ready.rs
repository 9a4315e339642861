//! What has to be in order before load begins.

use std::time::Duration;

use portcullis_bench::engine::Fault;
use portcullis_bench::load::Planned;
use portcullis_bench::measured::RouteMeasured;
use portcullis_bench::outcome::Failure;
use portcullis_bench::profile::Profile;
use portcullis_bench::{Engine, Load, Phase, Plan};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::bench::ownership;
use crate::cli::complain;

/// The longest that a run may take.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The most connections: somewhat more than there are ports towards one address, several times.
const MOST_CONNECTIONS: usize = 200_000;

/// The most threads.
const MOST_THREADS: usize = 1024;

/// How long a target may take until somebody listens.
const PATIENCE: Duration = Duration::from_secs(5);

/// Descriptors that a run needs beside its connections: files, pipes, timers of threads.
const SPARE: u64 = 200;

/// The most flows whose first request is tried.
const MOST_TRIED: usize = 1_000;

/// Looks whether a plan can and may be run. Gives it back with the addresses at which somebody listens.
///
/// # Errors
/// What is in its way, in one line.
pub(crate) fn check(mut plan: Plan, profile: &Profile, owned: &[String]) -> Result<Plan, String> {
    if profile.length().is_some_and(|length| length > LONGEST) {
        return Err("a run may take 7 days at most".to_owned());
    }
    if plan.connections > MOST_CONNECTIONS {
        return Err(format!("a run may have {MOST_CONNECTIONS} connections at most"));
    }
    if plan.threads > MOST_THREADS {
        return Err(format!("a run may have {MOST_THREADS} threads at most"));
    }
    ownership::check(&plan.target, owned)?;
    descriptors(plan.connections)?;
    plan.target = plan
        .target
        .reachable(PATIENCE)
        .map_err(|unusable| unusable.to_string())?;
    Ok(plan)
}

/// Raises the limit of descriptors as far as the system lets us.
///
/// # Errors
/// When that isn't far enough.
pub(crate) fn descriptors(connections: usize) -> Result<(), String> {
    let needed = connections as u64 + SPARE;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(maximum.map_or(needed, |maximum| maximum.min(needed))),
        maximum,
    };
    let possible = maximum.is_none_or(|maximum| maximum >= needed);
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) if possible => Ok(()),
        _ => Err(format!(
            "{connections} connections need {needed} open files, and the system allows {}: raise it by `ulimit -n {needed}`",
            maximum.unwrap_or_default()
        )),
    }
}

/// Asks once for the first request of each flow. What never got an answer of HTTP ends the attempt; an answer that isn't right
/// is told, for a test may be about failures.
///
/// # Errors
/// Why there is no answer, in one line.
pub(crate) fn first_requests(plan: &Plan) -> Result<(), String> {
    for (route, measured) in tried(plan)? {
        for (kind, causes) in &measured.failures {
            let Some(cause) = causes.keys().next() else { continue };
            let said = format!("{}{route}: {}: {cause}", plan.target.name, kind.word());
            match kind {
                Failure::Status | Failure::Check => complain(&format!("warning: the first request of {said}")),
                Failure::Tls => {
                    let help = "trust its authority by --cacert FILE (`tls.ca` in a file), or take any certificate by --insecure";
                    return Err(format!("the first request of {said}; {help}"));
                }
                _ => return Err(format!("the first request of {said}")),
            }
        }
    }
    Ok(())
}

/// What came of the first request of each flow, by its route. All share one connection.
///
/// # Errors
/// When no load can be made at all.
pub(crate) fn tried(plan: &Plan) -> Result<Vec<(String, RouteMeasured)>, String> {
    let script: Vec<Planned> = (0..plan.flows.len().min(MOST_TRIED))
        .filter_map(|flow| u32::try_from(flow).ok())
        .map(|flow| Planned {
            after: Duration::ZERO,
            flow,
        })
        .collect();
    let phase = Phase {
        name: "first".to_owned(),
        duration: Duration::ZERO,
        load: Load::Script(script.into()),
        counts: true,
    };
    let small = Plan {
        connections: 1,
        streams: 1,
        threads: 1,
        ..plan.clone()
    };
    let told = |fault: Fault| fault.to_string();
    let measured = Engine::start(small)
        .map_err(told)?
        .run(&[phase], &mut ())
        .map_err(told)?;
    let phases = measured.phases.into_iter();
    Ok(phases.flat_map(|phase| phase.routes).collect())
}
