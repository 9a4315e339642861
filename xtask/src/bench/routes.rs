//! Ten thousand routes must cost a request what one does.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::side::{Side, rounds};
use super::{Line, load, upstream::Upstream};
use crate::gate::Gate;

const MANY: usize = 10_000;

/// # Errors
/// When a gate doesn't start or a request fails.
pub(crate) fn run(binary: &Path) -> Result<Vec<Line>, String> {
    let upstream = Upstream::start()?;
    let one = Gate::start(binary, "one", &configuration(&upstream, 1), 1)?;
    let many = Gate::start(binary, "many", &configuration(&upstream, MANY), 1)?;
    let resting = many.memory();
    let mut sides = [Side::new(one, requests(1))?, Side::new(many, requests(MANY))?];
    rounds(&mut sides)?;
    let [one, many] = &mut sides;
    let (few, lots) = (one.median(), many.median());
    let ratio = lots / few;
    let start = many.gate.start;
    let memory = many.gate.memory();
    Ok(vec![
        Line::new(
            "start with 10,000 routes",
            format!("{} ms", start.as_millis()),
            "< 1000 ms",
            start < Duration::from_secs(1),
        ),
        Line::new(
            "memory after start",
            format!("{:.1} MiB", mib(resting)),
            "≤ 60 MiB",
            mib(resting) <= 60.0,
        ),
        Line::new(
            "memory when each has answered",
            format!("{:.1} MiB", mib(memory)),
            "≤ 60 MiB",
            mib(memory) <= 60.0,
        ),
        Line::new(
            "memory with 1 route",
            format!("{:.1} MiB", mib(one.gate.memory())),
            "",
            true,
        ),
        Line::new("CPU per request with 1 route", format!("{few:.2} µs"), "", true),
        Line::new(
            "CPU per request with 10,000",
            format!("{lots:.2} µs ({:+.1} %)", (ratio - 1.0) * 100.0),
            "within 5 %",
            ratio <= 1.05,
        ),
    ])
}

/// A step that shares no factor with their number visits every route, and never one beside the last.
fn requests(routes: usize) -> Vec<Vec<u8>> {
    (0..routes)
        .map(|number| load::get(&format!("/team-{}/items/7", number * 7919 % routes)))
        .collect()
}

fn configuration(upstream: &Upstream, routes: usize) -> String {
    let mut text = format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nservices: {{up: 'http://{}'}}\nroutes:\n",
        upstream.address
    );
    for number in 0..routes {
        let _ = writeln!(text, "  - {{path: /team-{number}/**, to: {{service: up}}}}");
    }
    text
}

fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}
