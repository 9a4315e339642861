//! What is written down of a decision, for people and for programs.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use portcullis_policies::access_log::timestamp;
use portcullis_resilience::rollout::seen::{Pair, Share};
use portcullis_resilience::rollout::{Decision, Outcome};
use serde_json::{Value, json};

/// What a roll-out is about.
#[derive(Clone, Copy)]
pub(super) struct Names<'n> {
    pub(super) route: &'n str,
    pub(super) versions: Pair<&'n String>,
}

/// A weight in per cent.
pub(super) fn percent(weight: u32) -> f64 {
    f64::from(weight) / 100.0
}

/// A decision for the history.
pub(super) fn entry(decision: &Decision, at: SystemTime) -> Value {
    let mut time = Vec::new();
    timestamp::write(at, &mut time);
    let (what, reason) = words(decision.outcome);
    json!({
        "at": String::from_utf8_lossy(&time),
        "decision": what,
        "reason": reason,
        "weight": percent(decision.weight),
        "window": window(&decision.window, decision.lasted),
    })
}

/// What both versions answered, and in which time.
pub(super) fn window(window: &Pair<Share>, lasted: Duration) -> Value {
    json!({
        "seconds": rounded(lasted.as_secs_f64()),
        "old": share(&window.old),
        "new": share(&window.new),
    })
}

/// A decision for the log.
pub(super) fn line(names: Names<'_>, decision: &Decision) -> String {
    let Names { route, versions } = names;
    let weight = percent(decision.weight);
    let (old, new) = (versions.old, versions.new);
    let mut line = format!("roll-out of {route}: ");
    let _ = match decision.outcome {
        Outcome::Advanced => write!(line, "{new} is good and gets {weight}% of the requests"),
        Outcome::Completed => write!(line, "{new} is good and gets all requests: completed"),
        Outcome::RolledBack(reason) => write!(line, "{new} is worse by its {reason}: {old} gets all requests again"),
        Outcome::Waiting(wanted) => write!(line, "{new} got less than {wanted} requests and stays at {weight}%"),
        Outcome::Commanded(command) => {
            let command = command.as_str();
            write!(line, "{command} by an operator: {new} gets {weight}% of the requests")
        }
    };
    let seconds = rounded(decision.lasted.as_secs_f64());
    let _ = write!(
        line,
        "; in {seconds} s {new} {}, {old} {}",
        told(&decision.window.new),
        told(&decision.window.old)
    );
    line
}

fn words(outcome: Outcome) -> (&'static str, Option<String>) {
    match outcome {
        Outcome::Advanced => ("advanced", None),
        Outcome::Completed => ("completed", None),
        Outcome::RolledBack(reason) => ("rolled_back", Some(reason.to_string())),
        Outcome::Waiting(_) => ("waiting", None),
        Outcome::Commanded(command) => (command.as_str(), None),
    }
}

fn share(share: &Share) -> Value {
    json!({
        "requests": share.requests,
        "errors": share.errors,
        "p95_seconds": share.p95.as_secs_f64(),
    })
}

fn told(share: &Share) -> String {
    let (errors, requests, p95) = (share.errors, share.requests, share.p95);
    if requests == 0 {
        return "got no requests".to_owned();
    }
    format!("failed {errors} of {requests} requests (95% within {p95:?})")
}

/// With a tenth is exact enough for people.
fn rounded(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}
