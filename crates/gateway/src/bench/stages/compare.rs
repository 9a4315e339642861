//! Whether one set of runs is better or worse than another.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use portcullis_bench::compare::{Comparison, compare};
use portcullis_bench::report::comparison::Sides;
use portcullis_bench::report::{comparison, json};
use portcullis_bench::{Report, verdict};

use crate::bench::baselines;
use crate::bench::folder::{self, Folder};
use crate::bench::running::results::{self, Compared, Format};
use crate::bench::running::{Judging, terms};
use crate::cli::print;

/// Two sets of runs, and how the difference is told.
pub(crate) struct Comparing<'c> {
    /// What is compared with: a file, a folder of runs, or the name of a baseline.
    pub(crate) base: &'c str,
    /// What is compared.
    pub(crate) head: &'c str,
    /// Where baselines are.
    pub(crate) folder: &'c Folder,
    /// By what.
    pub(crate) judging: Judging,
    /// How it is written.
    pub(crate) format: Format,
    /// A page with charts.
    pub(crate) page: Option<&'c Path>,
}

impl Comparing<'_> {
    /// Compares, tells, and gives the exit code.
    ///
    /// # Errors
    /// When runs can't be read, or are too unlike to be compared.
    pub(crate) fn run(&self) -> Result<u8, String> {
        let base = baselines::read(self.base, Some(self.folder))?;
        let head = baselines::read(self.head, Some(self.folder))?;
        let compared: Comparison =
            compare(&base, &head, &terms(&self.judging)).map_err(|refused| refused.to_string())?;
        let sides = Sides {
            base: self.base,
            head: self.head,
        };
        if let Some(page) = self.page {
            folder::write(page, &comparison::html(&compared, sides))?;
        }
        let told = Compared {
            comparison: &compared,
            sides,
        };
        print(&format!("{}\n", results::of_comparison(told, self.format).trim_end()));
        Ok(verdict::exit_code_of_change(compared.verdict))
    }
}

/// Writes a run that was kept once more, in another form.
///
/// # Errors
/// When it can't be read or written.
pub(crate) fn show(path: &Path, format: Format, page: Option<&Path>) -> Result<u8, String> {
    let report = read(path)?;
    if let Some(page) = page {
        folder::write(page, &portcullis_bench::report::html::write(&report))?;
    }
    let text = results::of_reports(std::slice::from_ref(&report), format);
    print(&format!("{}\n", text.trim_end()));
    Ok(verdict::exit_code(report.verdict))
}

/// Reads a run that was kept.
///
/// # Errors
/// When it can't be read, or is none.
pub(crate) fn read(path: &Path) -> Result<Report, String> {
    let text = whole(path).map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    json::read(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// As much of a file as shows that it is too large, where it is.
fn whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    fs::File::open(path)?
        .take(json::MOST_BYTES as u64 + 1)
        .read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused() {
        let why = read("/dev/zero".as_ref()).unwrap_err();
        assert!(why.contains("64 MiB"), "{why}");
    }
}
