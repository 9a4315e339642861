//! Runs that are kept under a name, to compare others with, and what their history shows.

mod file;
mod turns;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::summary::{self, Summary};

pub use file::File;
pub use turns::{Turn, turns};

/// The longest line: a run with two hundred routes and all the latencies that can be told apart has less.
pub const MOST_BYTES_OF_LINE: usize = 1 << 20;

/// The longest name of a baseline.
const LONGEST_NAME: usize = 100;

/// Where lines are kept, each with the name that it belongs to.
pub trait Store {
    /// Adds a line for good. It has no line break.
    ///
    /// # Errors
    /// When it can't be kept; then nothing of it is.
    fn add(&self, name: &str, line: &str) -> Result<(), Trouble>;

    /// The lines of a name, or all, oldest first.
    ///
    /// # Errors
    /// When they can't be read.
    fn lines(&self, name: Option<&str>) -> Result<Vec<Line>, Trouble>;
}

/// A line of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it is, for people: `line 7 of bench/baseline.jsonl`.
    pub place: String,
    /// The line.
    pub text: String,
}

/// Why runs can't be kept or read: what is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble(pub String);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

/// What a line is.
#[derive(Deserialize)]
struct Kept {
    baseline: String,
    run: Summary,
}

/// The same, to be written.
#[derive(Serialize)]
struct Keep<'r> {
    baseline: &'r str,
    run: &'r Summary,
}

/// What is read of a line to know whose it is.
#[derive(Deserialize)]
struct Owner {
    baseline: String,
}

/// Keeps a run under a name, beside those that it has.
///
/// # Errors
/// When the name is none, the run is too large, or the store can't keep it.
pub fn save(store: &dyn Store, name: &str, run: &Summary) -> Result<(), Trouble> {
    if !is_name(name) {
        return Err(Trouble(format!(
            "`{name}` is no name of a baseline; it has letters, digits, `.`, `_`, `-` and `/`, at most {LONGEST_NAME}"
        )));
    }
    let line = serde_json::to_string(&Keep { baseline: name, run });
    let line = line.map_err(|error| Trouble(format!("the run `{}` can't be kept: {error}", run.name)))?;
    if line.len() > MOST_BYTES_OF_LINE {
        return Err(Trouble(format!(
            "the run `{}` is too large to be kept: {} bytes, of at most {MOST_BYTES_OF_LINE}",
            run.name,
            line.len()
        )));
    }
    store.add(name, &line)
}

/// The runs that are kept under a name, oldest first; none where nobody has used it.
///
/// # Errors
/// When the store can't be read, or a line of it is damaged.
pub fn load(store: &dyn Store, name: &str) -> Result<Vec<Summary>, Trouble> {
    let lines = store.lines(Some(name))?;
    lines.iter().map(|line| Ok(read(line)?.run)).collect()
}

/// All runs with their names, oldest first.
///
/// # Errors
/// When the store can't be read, or a line of it is damaged.
pub fn all(store: &dyn Store) -> Result<Vec<(String, Summary)>, Trouble> {
    let lines = store.lines(None)?;
    let kept = |line| read(line).map(|kept| (kept.baseline, kept.run));
    lines.iter().map(kept).collect()
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(fits)
}

fn read(line: &Line) -> Result<Kept, Trouble> {
    let kept: Kept = serde_json::from_str(&line.text).map_err(|error| damaged(&line.place, &error.to_string()))?;
    if kept.run.version > summary::VERSION {
        return Err(Trouble(format!(
            "{} was written by a newer version of this program, in form {}; this one reads up to {}",
            line.place,
            kept.run.version,
            summary::VERSION
        )));
    }
    Ok(kept)
}

fn damaged(place: &str, why: &str) -> Trouble {
    Trouble(format!(
        "{place} is damaged: {why}; remove that line, or restore the file"
    ))
}

#[cfg(test)]
mod tests;
