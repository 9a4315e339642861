//! `portcullis bench` as the load: a process on a processor that isn't the proxy's.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use super::cases::Port;
use super::load_process::Done;
use super::proxies::{CPU, pinned};
use crate::process;

/// Passed, or invalid because the load's own thread was busy: so it is where the load is what limits, and what counts here is the
/// proxy's processor.
pub(super) const CODES: [i32; 2] = [0, 4];

/// Loads a proxy for some seconds, by clients who ask again when they have been answered.
///
/// # Errors
/// When a request isn't answered as it must be.
pub(super) fn run(
    program: &Path,
    address: SocketAddr,
    port: Port,
    path: &str,
    words: &[&str],
    seconds: u32,
) -> Result<Done, String> {
    let scheme = if port == Port::Tls { "https" } else { "http" };
    let mut command = pinned(CPU + 1, program);
    command
        .current_dir(process::root())
        .args(["bench", &format!("{scheme}://{address}{path}")])
        .args(["--threads", "1", "--warm-up", "0s", "--for", &format!("{seconds}s")])
        .args(["--format", "json"])
        .args(words);
    let said = process::output_with(&mut command, &CODES).map_err(|failure| match failure.split_once(" failed: ") {
        // Tables tell the reason, not where programs lie.
        Some((_, reason)) => reason.to_owned(),
        None => failure,
    })?;
    done(&said)
}

/// What a report says that was done.
fn done(said: &str) -> Result<Done, String> {
    let report: Value = serde_json::from_str(said).map_err(|error| format!("the load said `{said}`: {error}"))?;
    let mut done = Done {
        count: 0.0,
        seconds: 0.0,
        note: String::new(),
    };
    for phase in report["measured"]["phases"].as_array().into_iter().flatten() {
        let lasted = &phase["lasted"];
        done.seconds +=
            lasted["secs"].as_f64().unwrap_or_default() + lasted["nanos"].as_f64().unwrap_or_default() / 1e9;
        for (name, route) in phase["routes"].as_object().into_iter().flatten() {
            done.count += route["ended"].as_f64().unwrap_or_default();
            if route["failures"]
                .as_object()
                .is_some_and(|failures| !failures.is_empty())
            {
                return Err(format!("{name}: {}", route["failures"]));
            }
        }
    }
    Ok(done)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_report_with_failures_is_no_measurement() {
        let report = |failures: &str| {
            format!(
                r#"{{"measured": {{"phases": [{{"lasted": {{"secs": 2, "nanos": 500000000}},
                "routes": {{"a": {{"ended": 2, "failures": {failures}}}, "b": {{"ended": 3, "failures": {{}}}}}}}}]}}}}"#
            )
        };
        let good = done(&report("{}")).unwrap();
        assert_eq!((good.count, good.seconds), (5.0, 2.5));
        assert!(done(&report(r#"{"reset": {"closed": 1}}"#)).is_err());
        assert!(done("no").is_err());
    }
}
