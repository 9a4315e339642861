//! From a file to a scenario, or to all of its problems.

use std::io;
use std::path::{Path, PathBuf};

use super::{Scenario, check};
use crate::document::{self, Document, Form};
use crate::problem::{Problem, Problems};
use crate::structure::Surroundings;

/// The largest file: some ten thousand flows.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A scenario without problems of its own.
#[derive(Debug)]
pub struct Loaded {
    /// The folder of the file, from which relative paths start.
    pub base: PathBuf,
    document: Document<Scenario>,
}

impl Loaded {
    /// What it says.
    pub fn scenario(&self) -> &Scenario {
        &self.document.value
    }

    /// A problem that was found later, with the place of a path such as `flows[3].steps[0].body`, or of what comes nearest to
    /// it in the file.
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        self.document.problem(path, message)
    }
}

/// Reads and checks the file of a load test. `environment` looks variables up.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    load_with(path, environment, &crate::load::read)
}

/// The same, where `read` reads the file and those of its secrets.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_with(
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Loaded, Problems> {
    let text = read(path).map_err(|error| document::unreadable(path, &error))?;
    parse(&text, path, environment, read)
}

/// Checks the text of a scenario. `path` names it in problems and says where relative paths start; `environment` looks
/// variables up; `read` reads the files of `file:` secrets, and nothing else is read.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(
    text: &str,
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Loaded, Problems> {
    let base = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let name = path.display().to_string();
    let form = Form {
        name: &name,
        needs: "at least `target` and `flows`",
        most: MAX_BYTES,
    };
    let surroundings = Surroundings {
        base: &base,
        environment,
        read,
    };
    let document = document::read::<Scenario>(text, &form, &surroundings)?;
    let mut problems = Vec::new();
    check::problems(&document.value, &mut |path, message| {
        problems.push(document.problem(path, message));
    });
    if problems.is_empty() {
        Ok(Loaded { base, document })
    } else {
        problems.sort_by_key(|problem| problem.place);
        Err(Problems(problems))
    }
}
