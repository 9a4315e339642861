//! A report as it is kept: JSON, which is read again with suspicion, because files come from elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Report;
use crate::measured::RouteMeasured;

/// The form that this program writes and reads.
pub const VERSION: u32 = 1;
/// The largest file that is read, in bytes. A day with a hundred routes has a fraction of that.
pub const MOST_BYTES: usize = 64 << 20;
/// The most routes, each counted for each of its phases. A histogram may take 200 KiB, whatever little a file says of it.
const MOST_ROUTES: usize = 5000;
/// More than this never happens in a run. So sums over a file of [`MOST_BYTES`] stay below what a number holds.
const MOST_COUNTED: u64 = 100_000_000_000;
/// Runs are shorter. So sums of lengths stay below what a duration holds.
const LONGEST_PHASE: Duration = Duration::from_secs(366 * 24 * 3600);

/// Why a file isn't a report that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It has more than [`MOST_BYTES`].
    TooLarge,
    /// It is no JSON, or not that of a report.
    NoReport(String),
    /// It has a form that this program doesn't know.
    Version(u32),
    /// A number in it can't come from a run; where.
    Impossible(&'static str),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::TooLarge => write!(f, "it is larger than {} MiB, which no report is", MOST_BYTES >> 20),
            Unreadable::NoReport(why) => write!(f, "it is no report of a run: {why}"),
            Unreadable::Version(version) => {
                write!(
                    f,
                    "it has form {version}, and this program reads form {VERSION}: read it with the version that wrote it"
                )
            }
            Unreadable::Impossible(what) => write!(f, "it is damaged: no run has such {what}"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// The report as one line of JSON.
pub fn write(report: &Report) -> String {
    serde_json::to_string(report).expect("a report has texts for keys and nothing else that JSON has no form for")
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// When it is something else, too large, of another form, or has numbers that no run has.
pub fn read(text: &[u8]) -> Result<Report, Unreadable> {
    if text.len() > MOST_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let no_report = |error: serde_json::Error| Unreadable::NoReport(error.to_string());
    let form: Form = serde_json::from_slice(text).map_err(no_report)?;
    if form.version != VERSION {
        return Err(Unreadable::Version(form.version));
    }
    let shape: Shape = serde_json::from_slice(text).map_err(no_report)?;
    // A phase without routes takes a place, too.
    let routes = shape.measured.phases.iter().map(|phase| phase.routes.len().max(1));
    if routes.sum::<usize>() > MOST_ROUTES {
        return Err(Unreadable::Impossible("number of phases and routes"));
    }
    let report: Report = serde_json::from_slice(text).map_err(no_report)?;
    possible(&report)?;
    Ok(report)
}

/// What every form has.
#[derive(Deserialize)]
struct Form {
    version: u32,
}

/// How many histograms a report has, which is known before any is made.
#[derive(Deserialize)]
struct Shape {
    measured: PhasesOnly,
}

#[derive(Deserialize)]
struct PhasesOnly {
    phases: Vec<RoutesOnly>,
}

#[derive(Deserialize)]
struct RoutesOnly {
    routes: BTreeMap<String, IgnoredAny>,
}

/// Whether everything can be added up.
fn possible(report: &Report) -> Result<(), Unreadable> {
    let measured = &report.measured;
    let mut bytes = 0_u64;
    for phase in &measured.phases {
        if phase.began > LONGEST_PHASE || phase.lasted > LONGEST_PHASE {
            return Err(Unreadable::Impossible("lengths of phases"));
        }
        if phase.due > MOST_COUNTED || !phase.routes.values().all(countable) {
            return Err(Unreadable::Impossible("counts"));
        }
        for route in phase.routes.values() {
            bytes = bytes
                .checked_add(route.bytes)
                .ok_or(Unreadable::Impossible("amount of content"))?;
        }
    }
    for second in &measured.seconds {
        let counts = [second.due, second.failed, second.ended, second.bad, second.waiting];
        let micros = [second.p50, second.p90, second.p99, second.max];
        if counts.iter().chain(&micros).any(|number| *number > MOST_COUNTED) {
            return Err(Unreadable::Impossible("seconds"));
        }
    }
    let generator = &measured.generator;
    let counts = [
        generator.missed,
        generator.connections,
        generator.connected,
        generator.lag.count(),
    ];
    if counts.iter().any(|number| *number > MOST_COUNTED) || generator.processor_time > LONGEST_PHASE * 1024 {
        return Err(Unreadable::Impossible("facts about its generator"));
    }
    Ok(())
}

fn countable(route: &RouteMeasured) -> bool {
    let failures = route.failures.values().flat_map(|causes| causes.values());
    [route.ended, route.latency.count(), route.service.count()]
        .iter()
        .chain(route.statuses.values())
        .chain(failures)
        .all(|count| *count <= MOST_COUNTED)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::super::samples;
    use super::*;
    use crate::measured::PhaseMeasured;

    #[test]
    fn what_is_written_is_read_again() {
        let report = samples::load();
        let text = write(&report);
        let back = read(text.as_bytes()).unwrap();
        assert_eq!(write(&back), text);
    }

    #[test]
    fn what_was_found_and_is_no_number_is_left_out() {
        let mut report = samples::load();
        report.found.insert("capacity".to_owned(), f64::NAN);
        report.found.insert("knee".to_owned(), 400.0);
        let back = read(write(&report).as_bytes()).unwrap();
        assert_eq!(back.found.into_iter().collect::<Vec<_>>(), [("knee".to_owned(), 400.0)]);
    }

    #[test]
    fn another_form_is_named() {
        let text = write(&samples::load()).replacen("\"version\":1", "\"version\":2", 1);
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!(error, Unreadable::Version(2));
        assert!(error.to_string().contains("form 2"));
    }

    #[test]
    fn something_else_is_no_report() {
        for text in ["", "{}", "[1]", "{\"version\":1}", "not json"] {
            assert!(matches!(read(text.as_bytes()), Err(Unreadable::NoReport(_))), "{text}");
        }
        assert_eq!(read(&vec![b' '; MOST_BYTES + 1]).unwrap_err(), Unreadable::TooLarge);
    }

    #[test]
    fn numbers_that_would_not_add_up_are_refused() {
        let good = write(&samples::load());
        let value: serde_json::Value = serde_json::from_str(&good).unwrap();
        let huge = u64::MAX - 1;
        for pointer in [
            "/measured/phases/0/due",
            "/measured/phases/1/lasted/secs",
            "/measured/phases/1/routes/GET ~1orders/ended",
            "/measured/phases/1/routes/GET ~1orders/bytes",
            "/measured/phases/1/routes/GET ~1orders/latency/0/1",
            "/measured/seconds/3/p99",
            "/measured/generator/missed",
        ] {
            let mut value = value.clone();
            *value.pointer_mut(pointer).unwrap() = huge.into();
            assert!(
                matches!(read(value.to_string().as_bytes()), Err(Unreadable::Impossible(_))),
                "{pointer}"
            );
        }
    }

    #[test]
    fn a_small_file_makes_no_large_memory() {
        let mut report = samples::small();
        let phase = &mut report.measured.phases[0];
        phase.routes = (0..=MOST_ROUTES)
            .map(|at| (at.to_string(), RouteMeasured::default()))
            .collect();
        let error = read(write(&report).as_bytes()).unwrap_err();
        assert_eq!(error, Unreadable::Impossible("number of phases and routes"));
        let phase = PhaseMeasured::default();
        report.measured.phases = vec![phase; MOST_ROUTES + 1];
        let error = read(write(&report).as_bytes()).unwrap_err();
        assert_eq!(error, Unreadable::Impossible("number of phases and routes"));
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_read_or_refused(at in 0..4000_usize, byte in any::<u8>(), cut in 0..4000_usize) {
            let mut text = write(&samples::small()).into_bytes();
            let at = at % text.len();
            text[at] = byte;
            let cut = text.len() - cut % 100;
            text.truncate(cut);
            if let Ok(report) = read(&text) {
                let _ = super::super::text::write(&report);
                let _ = super::super::html::write(&report);
            }
        }
    }
}
