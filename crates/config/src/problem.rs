//! What is wrong with a file, and where.

use std::fmt;

use serde::Serialize;

/// A place in a file: line and column, both counted from 1, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

/// One thing that is wrong: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named to us.
    pub file: String,
    /// Where in the file; nowhere when the file as a whole is meant.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// The way to the value, such as `routes[3].to.service`; empty for the file as a whole.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(place) = self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All that is wrong with a file, in the order of the places. Shown one a line, as a compiler does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// More problems than this are of no use to anybody; the rest is only said to exist.
const MOST: usize = 200;

/// Collects the problems of one file.
#[derive(Debug)]
pub(crate) struct Report {
    file: String,
    problems: Vec<Problem>,
    left_out: bool,
}

impl Report {
    pub(crate) fn new(file: String) -> Self {
        Report {
            file,
            problems: Vec::new(),
            left_out: false,
        }
    }

    pub(crate) fn add(&mut self, place: Option<Place>, path: &str, message: impl Into<String>) {
        if !self.is_full() {
            let (path, message) = (on_one_line(path), on_one_line(&message.into()));
            self.problems.push(Problem {
                file: self.file.clone(),
                place,
                path,
                message,
            });
        } else {
            self.left_out = true;
        }
    }

    /// Whether what is added now is left out: then it need not be thought through.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.len() >= MOST
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems in the order of their places; those without a place come first.
    pub(crate) fn into_problems(mut self) -> Problems {
        self.problems.sort_by_key(|problem| problem.place);
        if self.left_out {
            let message = format!("there are more than these {MOST} problems");
            self.problems.push(Problem {
                file: self.file,
                place: None,
                path: String::new(),
                message,
            });
        }
        Problems(self.problems)
    }
}

/// A text fit for one line of a terminal: without control characters, and no longer than anybody would read.
fn on_one_line(text: &str) -> String {
    const LONGEST: usize = 500;
    let mut line = String::with_capacity(text.len().min(LONGEST));
    for c in text.chars() {
        if line.len() >= LONGEST {
            line.push('…');
            break;
        }
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}
