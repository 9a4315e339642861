use std::path::PathBuf;
use std::process::ExitCode;

use portcullis_config::{Problem, Problems};

use super::{complain, print};
use crate::compile::{Compiled, Purpose, compile};
use crate::kept::Kept;
use crate::source::Source;

/// `portcullis check`.
pub(super) fn run(file: PathBuf, json: bool, strict: bool) -> ExitCode {
    let shown = file.display().to_string();
    let (problems, warnings) = match compiled(&Source::File(file)) {
        Ok(compiled) => (Vec::new(), compiled.warnings),
        Err(Problems(problems)) => (problems, Vec::new()),
    };
    if json {
        let document = serde_json::json!({"problems": &problems, "warnings": &warnings});
        print(&format!("{document:#}\n"));
    } else {
        report(&shown, &problems, &warnings);
    }
    match (problems.is_empty(), warnings.is_empty()) {
        (false, _) => ExitCode::FAILURE,
        (true, false) if strict => ExitCode::from(2),
        _ => ExitCode::SUCCESS,
    }
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

/// Loads and compiles a configuration, and changes nothing.
pub(super) fn compiled(source: &Source) -> Result<Compiled, Problems> {
    let loaded = source.load()?;
    let nowhere = |error: std::io::Error| Problems(vec![loaded.problem("", format!("no runtime: {error}"))]);
    let slow = tokio::runtime::Builder::new_current_thread().build().map_err(nowhere)?;
    compile(&loaded, &Kept::default(), slow.handle(), Purpose::Check)
}
