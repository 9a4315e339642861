//! `portcullis check`: everything that is wrong with a configuration, and what is odd about it.

use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_config::{Problem, Problems};

use super::{complain, print};
use crate::compile::{Purpose, compile};
use crate::kept::Kept;
use crate::snapshot::Snapshot;
use crate::source::Source;

/// The exit code for warnings that are taken as a failure. 2 is a wrong use of the command line.
const WARNED: u8 = 3;

/// `portcullis check`.
pub(super) fn run(file: PathBuf, json: bool, strict: bool) -> ExitCode {
    let shown = file.display().to_string();
    let Checked { outcome, mut warnings } = compiled(&Source::file(file.clone()));
    if strict && outcome.is_ok() {
        warnings.extend(mistakes(file));
    }
    let problems = outcome.err().map(|Problems(problems)| problems).unwrap_or_default();
    if json {
        let document = serde_json::json!({"problems": &problems, "warnings": &warnings});
        print(&format!("{document:#}\n"));
    } else {
        report(&shown, &problems, &warnings);
    }
    match (problems.is_empty(), warnings.is_empty()) {
        (false, _) => ExitCode::FAILURE,
        (true, false) if strict => ExitCode::from(WARNED),
        _ => ExitCode::SUCCESS,
    }
}

/// What guards less than it looks like.
fn mistakes(file: PathBuf) -> Vec<Problem> {
    Source::file(file)
        .load()
        .map(|loaded| portcullis_config::mistakes::of_guards(&loaded))
        .unwrap_or_default()
}

fn report(file: &str, problems: &[Problem], warnings: &[Problem]) {
    for problem in problems {
        complain(&problem.to_string());
    }
    for warning in warnings {
        complain(&format!("warning: {warning}"));
    }
    match problems.len() {
        0 => print(&format!("{file} can run\n")),
        1 => complain(&format!("{file} can't run: 1 problem")),
        count => complain(&format!("{file} can't run: {count} problems")),
    }
}

/// What came of a look at a configuration.
pub(super) struct Checked {
    /// What would run, or everything that is wrong.
    pub(super) outcome: Result<Snapshot, Problems>,
    /// What is allowed and probably not meant, as far as it was found.
    warnings: Vec<Problem>,
}

/// Loads and compiles a configuration, and changes nothing.
pub(super) fn compiled(source: &Source) -> Checked {
    let loaded = match source.load() {
        Ok(loaded) => loaded,
        Err(problems) => {
            return Checked {
                outcome: Err(problems),
                warnings: Vec::new(),
            };
        }
    };
    let nowhere = |error: std::io::Error| Problems(vec![loaded.problem("", format!("no runtime: {error}"))]);
    let slow = tokio::runtime::Builder::new_current_thread().build().map_err(nowhere);
    match slow.and_then(|slow| compile(&loaded, &Kept::default(), slow.handle(), Purpose::Check)) {
        Ok(compiled) => Checked {
            outcome: Ok(compiled.snapshot),
            warnings: compiled.warnings,
        },
        Err(problems) => Checked {
            outcome: Err(problems),
            warnings: loaded.warnings,
        },
    }
}
