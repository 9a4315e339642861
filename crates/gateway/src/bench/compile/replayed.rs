//! What came by an access log, again.

use std::fs::File;
use std::io::BufReader;

use portcullis_bench::Flow;
use portcullis_bench::profile::replay::{Replay, script};
use portcullis_config::bench::profiles;

use super::Found;
use super::files::Files;
use super::steps::Steps;
use crate::bench::draft::only_reads;
use crate::bench::sources::log::Log;

/// Names under which requests of a log are counted; what comes later is counted together.
const MOST_NAMES: usize = 200;

/// A log, as flows and when they start.
pub(super) struct Replayed {
    pub(super) profile: Replay,
    /// One for each request that the log has.
    pub(super) flows: Vec<Flow>,
    /// What is left out.
    pub(super) remarks: Vec<String>,
}

/// Reads a log. The names of its routes are those of the steps afterwards.
pub(super) fn read(
    written: &profiles::Replay,
    files: &Files<'_>,
    steps: &mut Steps<'_>,
    found: &mut Found<'_>,
) -> Option<Replayed> {
    const PATH: &str = "profiles.replay.log";
    let shown = written.log.display();
    let opened = File::open(files.path(&written.log));
    let log = opened.and_then(|file| Log::read(BufReader::new(file)));
    let log = found.good(
        PATH,
        log.map_err(|error| format!("the log `{shown}` can't be read: {error}")),
    )?;
    let mut remarks = Vec::new();
    let mut flows = Vec::new();
    // Of each request of the log, its flow.
    let mut known = Vec::with_capacity(log.requests.len());
    for (asked, route) in log.requests.iter().zip(&log.routes) {
        let route = route.clone().unwrap_or_else(|| outline(&asked.method, &asked.path));
        let is_new = !steps.routes.contains(&route) && steps.routes.len() >= MOST_NAMES;
        let route = if is_new { "others".to_owned() } else { route };
        // A log has no content, and what changes something without it would only fail.
        let step = only_reads(&asked.method)
            .then(|| steps.logged(&asked.method, &asked.path, asked.host.as_deref(), route))
            .flatten();
        known.push(step.and_then(|step| {
            let number = u32::try_from(flows.len()).ok()?;
            flows.push(Flow {
                name: format!("{} {}", asked.method, asked.path),
                weight: 1.0,
                steps: vec![step],
            });
            Some(number)
        }));
    }
    let arrivals = log.arrivals.iter();
    let kept: Vec<_> = arrivals
        .filter_map(|(after, request)| Some((*after, known.get(*request as usize).copied().flatten()?)))
        .collect();
    let left_out = log.arrivals.len() - kept.len();
    if left_out > 0 {
        remarks.push(format!(
            "{left_out} requests of the log are left out: they change something, and their content isn't there, or they make no request"
        ));
    }
    if log.only_seconds {
        remarks
            .push("the log has whole seconds only: requests of the same second are spread evenly over it".to_owned());
    }
    if log.unreadable > 0 {
        remarks.push(format!("{} lines of the log can't be read", log.unreadable));
    }
    if log.left_out > 0 {
        remarks.push(format!(
            "{} requests of the log are beyond what is read of one",
            log.left_out
        ));
    }
    let arrivals = found.good(PATH, script(kept, written.speed.factor()))?;
    Some(Replayed {
        profile: Replay { arrivals },
        flows,
        remarks,
    })
}

/// What a request is counted as where a log has no routes: its method and the first segment of its path.
fn outline(method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut segments = path.trim_start_matches('/').splitn(2, '/');
    match (segments.next().unwrap_or_default(), segments.next()) {
        (first, None) => format!("{method} /{first}"),
        (first, Some(_)) => format!("{method} /{first}/**"),
    }
}
