//! The files of a test, all in one folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use portcullis_bench::Report;
use portcullis_bench::history::{File, Store};
use rustix::fs::{Access, access};

use super::baselines::Durable;

/// Where the files of a test are: `environment.json`, `bench.yaml`, `runs` and `baseline.jsonl`.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    gate: Option<PathBuf>,
}

impl Folder {
    /// A folder, which need not be there yet. Baselines are in the durable store of the gate with that file, if one is named.
    pub(crate) fn at(path: &Path, gate: Option<&Path>) -> Folder {
        Folder {
            path: path.to_owned(),
            gate: gate.map(Path::to_owned),
        }
    }

    /// The machine and what it is at its best.
    pub(crate) fn environment(&self) -> PathBuf {
        self.path.join("environment.json")
    }

    /// The scenario.
    pub(crate) fn scenario(&self) -> PathBuf {
        self.path.join("bench.yaml")
    }

    /// Where runs are kept.
    pub(crate) fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    /// Runs that others are compared with.
    ///
    /// # Errors
    /// When the gate has no store, or it can't be opened.
    pub(crate) fn baselines(&self) -> Result<Box<dyn Store>, String> {
        Ok(match &self.gate {
            Some(gate) => Box::new(Durable::open(gate)?),
            None => Box::new(File::at(self.path.join("baseline.jsonl"))),
        })
    }

    /// Makes the folder, for what others write into it.
    ///
    /// # Errors
    /// Why it can't be made.
    pub(crate) fn make(&self) -> Result<(), String> {
        make(&self.path)
    }

    /// Makes the folder where runs are kept.
    ///
    /// # Errors
    /// Why it can't be made.
    pub(crate) fn make_runs(&self) -> Result<(), String> {
        make(&self.runs())
    }

    /// Keeps a run, under the time at which it began.
    ///
    /// # Errors
    /// What couldn't be written, and why.
    pub(crate) fn keep(&self, report: &Report) -> Result<PathBuf, String> {
        let folder = self.runs();
        make(&folder)?;
        let began = jiff::Timestamp::from_millisecond(i64::try_from(report.began).unwrap_or(0)).unwrap_or_default();
        let stem = began.strftime("%Y%m%dT%H%M%S%3fZ").to_string();
        let text = portcullis_bench::report::json::write(report);
        for number in 1..100_u32 {
            let name = match number {
                1 => format!("{stem}-{}.json", report.profile),
                more => format!("{stem}-{}-{more}.json", report.profile),
            };
            let path = folder.join(name);
            match write_new(&path, &text) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(told(&path, &error)),
            }
        }
        Err(format!("{}: there are too many runs of one moment", folder.display()))
    }
}

/// Writes a file that a person may have edited: only if it isn't there, or with `force`.
///
/// # Errors
/// That it is there, or why it couldn't be written.
pub(crate) fn write_once(path: &Path, text: &str, force: bool) -> Result<(), String> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make(folder)?;
    }
    let written = match force {
        true => fs::write(path, text),
        false => write_new(path, text),
    };
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!(
            "{} is there already: --force writes it anew, and what was changed by hand is lost",
            path.display()
        ),
        _ => told(path, &error),
    })
}

/// Looks whether a file can be written, without writing it.
///
/// # Errors
/// Why it can't be.
pub(crate) fn check(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let place = match path.exists() {
        true => path,
        false => folder.unwrap_or(Path::new(".")),
    };
    let may = access(place, Access::WRITE_OK).map_err(io::Error::from);
    may.and_then(|()| match (path.exists(), place.is_dir()) {
        (true, true) => Err(io::ErrorKind::IsADirectory.into()),
        (false, false) => Err(io::ErrorKind::NotADirectory.into()),
        _ => Ok(()),
    })
    .map_err(|error| told(path, &error))
}

/// Writes a file that a command makes each time.
///
/// # Errors
/// Why it couldn't be written.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| told(path, &error))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}

fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| told(folder, &error))
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("{} can't be written: {error}", path.display())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn whether_a_file_can_be_written_is_known_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("old"), "").unwrap();
        assert_eq!((check(&path("new")), check(&path("old"))), (Ok(()), Ok(())));
        assert!(!path("new").exists());
        assert!(check("here.json".as_ref()).is_ok());
        for wrong in [folder.path().to_owned(), path("none/new"), path("old/new")] {
            assert!(check(&wrong).unwrap_err().contains("can't be written"), "{wrong:?}");
        }
    }

    #[test]
    fn what_a_person_may_have_edited_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/bench.yaml");
        write_once(&path, "a", false).unwrap();
        assert!(write_once(&path, "b", false).unwrap_err().contains("--force"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a");
        write_once(&path, "b", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "b");
    }
}
