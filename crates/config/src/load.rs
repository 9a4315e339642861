//! From a file to its types, or to all of its problems.

use std::io;
use std::path::{Path, PathBuf};

use crate::check;
use crate::document;
use crate::file::File;
use crate::problem::{Problem, Problems, Report};
use crate::record::Record;
use crate::schema::schema;
use crate::sound::Sound;
use crate::structure::{self, Shapes, Surroundings};
use crate::tree::{self, Node};

/// The largest file: some eight times what forty thousand routes take.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// A configuration without problems of its own.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub file: File,
    /// The folder of the file, from which relative paths start.
    pub base: PathBuf,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Problem>,
    /// What is remembered of it.
    pub record: Record,
    pub(crate) name: String,
    /// The places of what it says, unless it comes from memory.
    pub(crate) tree: Option<Node>,
}

impl Loaded {
    /// A problem that was found later, with the place of a path such as `routes[3].to.table`, or of what comes nearest
    /// to it in the file.
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let place = self.tree.as_ref().map(|tree| tree.place_of(path));
        Problem {
            file: self.name.clone(),
            place,
            path: path.to_owned(),
            message: message.into(),
        }
    }
}

/// Reads and checks a configuration file. `environment` looks variables up.
///
/// ```no_run
/// let loaded = portcullis_config::load("portcullis.yaml".as_ref(), &|name| std::env::var(name).ok());
/// match loaded {
///     Ok(loaded) => assert!(!loaded.file.routes.is_empty()),
///     Err(problems) => assert!(!problems.to_string().is_empty()),
/// }
/// ```
pub fn load(path: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    load_with(path, environment, &read)
}

/// The same, where `read` reads the file and those of its secrets.
pub fn load_with(
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Loaded, Problems> {
    match read(path) {
        Ok(text) => parse(&text, path, environment, read),
        Err(error) => Err(document::unreadable(path, &error)),
    }
}

/// Reads a file that is a configuration, or a secret of one, as far as it is not too large.
///
/// # Errors
/// The system's, and when it is no text.
pub fn read(path: &Path) -> io::Result<String> {
    read_text(path, MAX_BYTES)
}

/// Checks the text of a configuration. `path` names it in problems and says where relative paths start; `environment`
/// looks variables up; `read` reads the files of `file:` secrets, and nothing else is read.
pub fn parse(
    text: &str,
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let base = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut report = Report::new(name.clone());
    if text.len() as u64 > MAX_BYTES {
        report.add(None, "", format!("the file has more than {MAX_BYTES} bytes"));
        return Err(report.into_problems());
    }
    let Some(tree) = tree::read(text, "at least `listeners` and `routes`", &mut report) else {
        return Err(report.into_problems());
    };
    let surroundings = Surroundings {
        base: &base,
        environment,
        read,
    };
    let shapes = Shapes::of(&schema());
    let written = structure::check(&tree, &shapes, &surroundings, &mut report);
    let record = report
        .is_empty()
        .then(|| Record::new(&written, base.clone(), name.clone()));
    let sound = match Sound::of(written, report.is_empty()) {
        Ok(sound) => sound,
        Err(error) => {
            // The schema and the types are one; this says so, should they ever differ.
            report.add(None, "", format!("the file can't be understood: {error}"));
            return Err(report.into_problems());
        }
    };
    check::problems(&sound, &mut |path, message| {
        report.add(Some(tree.place_of(path)), path, message);
    });
    let Some(record) = record.filter(|_| report.is_empty()) else {
        return Err(report.into_problems());
    };
    let mut warnings = Report::new(name.clone());
    check::warnings(&sound.file, &mut |path, message| {
        warnings.add(Some(tree.place_of(path)), path, message);
    });
    Ok(Loaded {
        file: sound.file,
        base,
        warnings: warnings.into_problems().0,
        record,
        name,
        tree: Some(tree),
    })
}

/// The text of a file, up to one byte more than `most`: whoever gets that one knows that there are too many.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    use io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}
