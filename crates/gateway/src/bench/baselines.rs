//! Runs that others are compared with: by a name, or as files.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use portcullis_bench::compare::Metric;
use portcullis_bench::environment;
use portcullis_bench::history::{self, File, Line, Store, Trouble};
use portcullis_bench::summary::Summary;
use portcullis_stores::durable::baselines::Baselines;
use portcullis_stores::durable::sqlite::{Limits, Sqlite};

use super::folder::Folder;
use super::gate;
use super::stages::compare;
use crate::compile::durable::path_of;

/// The most runs that are read from a folder.
const MOST: usize = 1_000;

/// What of a history is looked at.
const WATCHED: [Metric; 4] = [Metric::P50, Metric::P99, Metric::Throughput, Metric::Capacity];

/// Where the shuffles begin that tell what chance would find: the same history is told in the same words.
const SEED: u64 = 1;

/// Runs by what a person calls them: a file of one run, a folder of several, a file of baselines, or the name of a baseline.
///
/// # Errors
/// When there are none, or one of them can't be read.
pub(crate) fn read(name: &str, folder: Option<&Folder>) -> Result<Vec<Summary>, String> {
    let path = Path::new(name);
    let found = if path.is_dir() {
        of_folder(path)?
    } else if path.is_file() {
        of_file(path)?
    } else {
        let Some(folder) = folder else {
            return Err(format!("{name} is no file of runs"));
        };
        named(&*folder.baselines()?, name)?
    };
    if found.is_empty() {
        return Err(format!("there are no runs in {name}, and no baseline has that name"));
    }
    Ok(found)
}

/// The runs of a name in a store.
///
/// # Errors
/// When it can't be read.
pub(crate) fn named(store: &dyn Store, name: &str) -> Result<Vec<Summary>, String> {
    history::load(store, name).map_err(|error| error.to_string())
}

/// All runs of a store by their names, oldest first.
///
/// # Errors
/// When it can't be read.
pub(crate) fn all(store: &dyn Store) -> Result<BTreeMap<String, Vec<Summary>>, String> {
    let mut names: BTreeMap<String, Vec<Summary>> = BTreeMap::new();
    for (name, run) in history::all(store).map_err(|error| error.to_string())? {
        names.entry(name).or_default().push(run);
    }
    Ok(names)
}

/// When the runs of a name got better or worse for good, a line each: what changes a little at a time shows in no comparison of two
/// sets. Only those that were made like the last one are looked at.
pub(crate) fn turns(mut runs: Vec<Summary>) -> Vec<String> {
    let Some(last) = runs.pop() else { return Vec::new() };
    runs.retain(|run| is_like(run, &last));
    runs.push(last);
    let turns = WATCHED
        .into_iter()
        .flat_map(|metric| history::turns(&runs, metric, SEED));
    turns
        .map(|turn| {
            let began = i64::try_from(turn.began).ok();
            let began = began.and_then(|began| jiff::Timestamp::from_millisecond(began).ok());
            let day = began.unwrap_or_default().strftime("%Y-%m-%d %H:%M UTC");
            format!("{day}: {}", turn.sentence)
        })
        .collect()
}

fn is_like(run: &Summary, other: &Summary) -> bool {
    let differences = environment::differences(&run.environment, &other.environment);
    (&run.name, &run.target, &run.profile) == (&other.name, &other.target, &other.profile)
        && !differences.iter().any(|difference| difference.matters)
}

/// Keeps runs under a name, beside those that it has.
///
/// # Errors
/// When one can't be read, or the store can't be written.
pub(crate) fn save(store: &dyn Store, name: &str, files: &[PathBuf]) -> Result<usize, String> {
    let mut count = 0;
    for file in files {
        let runs = match file.is_dir() {
            true => of_folder(file)?,
            false => of_file(file)?,
        };
        for run in runs {
            history::save(store, name, &run).map_err(|error| error.to_string())?;
            count += 1;
        }
    }
    Ok(count)
}

/// The durable store of a gate.
pub(crate) struct Durable(Sqlite);

impl Durable {
    /// Opens the store that a gate's file names.
    ///
    /// # Errors
    /// When it names none, or it can't be opened.
    pub(crate) fn open(file: &Path) -> Result<Durable, String> {
        let path = path_of(&gate::load(file)?)?;
        Sqlite::open(&path, Limits::default()).map(Durable)
    }

    fn runs(&self, name: &str) -> Result<Vec<Line>, Trouble> {
        let runs = self.0.runs(name.to_owned()).wait().map_err(told)?;
        let place = |number: usize| format!("run {number} of {name} in {}", self.0.path().display());
        let lines = runs.into_iter().zip(1..).map(|(text, number)| Line {
            place: place(number),
            text,
        });
        Ok(lines.collect())
    }
}

fn told(error: impl Display) -> Trouble {
    Trouble(format!("the durable store: {error}"))
}

impl Store for Durable {
    fn add(&self, name: &str, line: &str) -> Result<(), Trouble> {
        self.0.keep(name.to_owned(), line.to_owned()).wait().map_err(told)
    }

    fn lines(&self, name: Option<&str>) -> Result<Vec<Line>, Trouble> {
        if let Some(name) = name {
            return self.runs(name);
        }
        let names = self.0.names().wait().map_err(told)?;
        let mut lines = Vec::new();
        for (name, _) in names {
            lines.extend(self.runs(&name)?);
        }
        Ok(lines)
    }
}

fn of_file(path: &Path) -> Result<Vec<Summary>, String> {
    // A file of baselines has a run on each line, of any name.
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        let runs = history::all(&File::at(path.to_owned())).map_err(|error| error.to_string())?;
        return Ok(runs.into_iter().map(|(_, run)| run).collect());
    }
    Ok(vec![Summary::of(&compare::read(path)?)])
}

fn of_folder(folder: &Path) -> Result<Vec<Summary>, String> {
    let told = |error: std::io::Error| format!("{} can't be read: {error}", folder.display());
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(told)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(told)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    if paths.len() > MOST {
        return Err(format!("{} has more than {MOST} runs", folder.display()));
    }
    paths
        .iter()
        .map(|path| compare::read(path).map(|report| Summary::of(&report)))
        .collect()
}
