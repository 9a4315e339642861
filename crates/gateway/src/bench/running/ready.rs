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
            let told = told(&plan.target.name, &route, *kind, cause);
            if is_answer(*kind) {
                complain(&format!("warning: {told}"));
            } else {
                return Err(told);
            }
        }
    }
    Ok(())
}

/// Whether what failed has been answered all the same.
fn is_answer(kind: Failure) -> bool {
    matches!(kind, Failure::Status | Failure::Check)
}

/// That a first request has failed, and what can be done about it.
fn told(target: &str, route: &str, kind: Failure, cause: &str) -> String {
    let asked = match route.starts_with('/') {
        true => format!("{target}{route}"),
        false => format!("`{route}` at {target}"),
    };
    let help = match kind {
        Failure::Tls if cause.contains("does not speak TLS") => "; write http:// if that is what it speaks",
        Failure::Tls if cause.contains("an authority's certificate") => {
            "; take it by --insecure, or make one with -addext basicConstraints=critical,CA:FALSE"
        }
        Failure::Tls => {
            "; trust its authority by --cacert FILE (`tls.ca` in a file), or take any certificate by --insecure"
        }
        _ => "",
    };
    format!("the first request of {asked}: {}: {cause}{help}", kind.word())
}

/// What came of the first request of each flow, by its route, up to the first that was not answered. They go one after another, so that
/// each has all the time that a request may take.
///
/// # Errors
/// When no load can be made at all.
pub(crate) fn tried(plan: &Plan) -> Result<Vec<(String, RouteMeasured)>, String> {
    let small = Plan {
        connections: 1,
        streams: 1,
        threads: 1,
        ..plan.clone()
    };
    let told = |fault: Fault| fault.to_string();
    let mut engine = Engine::start(small).map_err(told)?;
    let mut routes = Vec::new();
    for flow in (0..plan.flows.len().min(MOST_TRIED)).filter_map(|flow| u32::try_from(flow).ok()) {
        let only = Planned {
            after: Duration::ZERO,
            flow,
        };
        let phase = Phase {
            name: "first".to_owned(),
            duration: Duration::ZERO,
            load: Load::Script([only].into()),
            counts: true,
        };
        let measured = engine.run(&[phase], &mut ()).map_err(told)?;
        let its = measured.phases.into_iter().flat_map(|phase| phase.routes);
        let begun = routes.len();
        routes.extend(its);
        let mut kinds = routes[begun..]
            .iter()
            .flat_map(|(_, measured)| measured.failures.keys());
        if kinds.any(|kind| !is_answer(*kind)) {
            break;
        }
    }
    Ok(routes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_request_that_fails_says_what_to_do() {
        let told = |route, kind, cause| told("https://a.test", route, kind, cause);
        assert_eq!(
            told("/x", Failure::Tls, "the server does not speak TLS"),
            "the first request of https://a.test/x: tls: the server does not speak TLS; write http:// if that is what it speaks"
        );
        assert!(told("/x", Failure::Tls, "unknown issuer").contains("--cacert"));
        assert!(told("/x", Failure::Tls, "an authority's certificate in").contains("CA:FALSE"));
        assert_eq!(
            told("GET /", Failure::Reset, "connection reset"),
            "the first request of `GET /` at https://a.test: reset: connection reset"
        );
    }
}
