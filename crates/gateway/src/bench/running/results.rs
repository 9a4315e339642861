//! What is told of runs: one document on standard output, and files.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use portcullis_bench::Report;
use portcullis_bench::compare::Comparison;
use portcullis_bench::report::comparison::Sides;
use portcullis_bench::report::{comparison, html, json, junit, markdown, text};
use portcullis_bench::verdict::{self, FAILED, PASSED, UNDECIDED};

use crate::bench::folder;

/// Where results go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    /// How they are written to standard output.
    pub(crate) format: Format,
    /// A page with charts.
    pub(crate) page: Option<PathBuf>,
    /// The run itself, to be read again.
    pub(crate) out: Option<PathBuf>,
    /// Whether nothing is shown meanwhile.
    pub(crate) quiet: bool,
}

/// A comparison, and what was compared.
#[derive(Clone, Copy)]
pub(crate) struct Compared<'c> {
    /// What came of it.
    pub(crate) comparison: &'c Comparison,
    /// What both sides are called.
    pub(crate) sides: Sides<'c>,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one document.
    Json,
    /// For pipelines that show tests.
    Junit,
    /// For a pull request.
    Markdown,
}

/// Looks whether files can be written where results go: who has measured for an hour must not hear of it then.
///
/// # Errors
/// Which can't, and why.
pub(crate) fn check(output: &Output) -> Result<(), String> {
    let files = [&output.out, &output.page];
    files.into_iter().flatten().try_for_each(|path| folder::check(path))
}

/// Writes results, and gives the exit code. Standard output comes first: it is left when a disk is full.
///
/// # Errors
/// What couldn't be written.
pub(crate) fn write(output: &Output, reports: &[Report], compared: Option<Compared<'_>>) -> Result<u8, String> {
    let text = match compared {
        Some(compared) => of_comparison(compared, output.format),
        None => of_reports(reports, output.format),
    };
    put(&mut std::io::stdout(), &format!("{}\n", text.trim_end()))?;
    if let Some(path) = &output.out {
        for (number, report) in reports.iter().enumerate() {
            folder::write(&numbered(path, number), &json::write(report))?;
        }
    }
    if let Some(path) = &output.page {
        let page = match (compared, reports.last()) {
            (Some(compared), _) => comparison::html(compared.comparison, compared.sides),
            (None, Some(report)) => html::write(report),
            (None, None) => return Err("there is no run to write a page of".to_owned()),
        };
        folder::write(path, &page)?;
    }
    Ok(exit_code(reports, compared))
}

/// Writes a whole document. A reader that has seen enough, such as `head`, is no failure; a full disk is, since what is there then
/// looks like a result.
fn put(out: &mut impl Write, text: &str) -> Result<(), String> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(format!("the result can't be written: {error}")),
        _ => Ok(()),
    }
}

/// A comparison alone, in a form.
pub(crate) fn of_comparison(compared: Compared<'_>, format: Format) -> String {
    let Compared { comparison, sides } = compared;
    match format {
        Format::Text => comparison::text(comparison, sides),
        Format::Json => comparison::json(comparison),
        Format::Junit => comparison::junit(comparison, sides),
        Format::Markdown => comparison::markdown(comparison, sides),
    }
}

/// One report, or several one after the other; in JSON a list of them.
pub(crate) fn of_reports(reports: &[Report], format: Format) -> String {
    let each = |write: fn(&Report) -> String| reports.iter().map(write).collect::<Vec<_>>().join("\n");
    match (format, reports) {
        (Format::Text, _) => each(text::write),
        (Format::Markdown, _) => each(markdown::write),
        (Format::Json, [report]) => json::write(report),
        (Format::Json, reports) => {
            let documents: Vec<String> = reports.iter().map(json::write).collect();
            format!("[{}]\n", documents.join(","))
        }
        // A file of JUnit is one document, and the last run is what a pipeline goes by.
        (Format::Junit, reports) => reports.last().map(junit::write).unwrap_or_default(),
    }
}

/// The worst of all: what failed goes before what is not known.
fn exit_code(reports: &[Report], compared: Option<Compared<'_>>) -> u8 {
    let runs = reports.iter().map(|report| verdict::exit_code(report.verdict));
    let change = compared.map(|compared| verdict::exit_code_of_change(compared.comparison.verdict));
    let codes: Vec<u8> = runs.chain(change).collect();
    [FAILED, UNDECIDED]
        .into_iter()
        .find(|code| codes.contains(code))
        .unwrap_or(PASSED)
}

/// The file of the first run as it was named, and those of others with a number: `run.json`, `run-2.json`.
fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path
        .extension()
        .map(|extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem}-{}{}", number + 1, extension.unwrap_or_default()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_and_a_reader_who_left_is_not() {
        let mut full = std::fs::File::create("/dev/full").unwrap();
        assert!(put(&mut full, "x").unwrap_err().contains("can't be written"));
        let (reader, mut left) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(put(&mut left, "x"), Ok(()));
    }

    #[test]
    fn files_of_further_runs_have_numbers() {
        assert_eq!(numbered("a/run.json".as_ref(), 0), Path::new("a/run.json"));
        assert_eq!(numbered("a/run.json".as_ref(), 1), Path::new("a/run-2.json"));
        assert_eq!(numbered("run".as_ref(), 2), Path::new("run-3"));
    }
}
