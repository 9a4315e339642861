//! A text of YAML or JSON as a value of a type, or all that is wrong with it.

use std::path::Path;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::problem::{Problem, Problems, Report};
use crate::schema::schema_of;
use crate::structure::{self, Shapes, Surroundings};
use crate::tree::{self, Node};

/// What a text says, with the places of it.
#[derive(Debug)]
pub(crate) struct Document<T> {
    pub(crate) value: T,
    name: String,
    tree: Node,
}

/// How a text is read.
pub(crate) struct Form<'a> {
    /// What stands for the text in problems: the path of its file.
    pub(crate) name: &'a str,
    /// What an empty one is told to need.
    pub(crate) needs: &'a str,
    /// The most bytes.
    pub(crate) most: u64,
}

impl<T> Document<T> {
    /// The place of a path such as `flows[3].steps`, or of what comes nearest to it.
    pub(crate) fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        Problem {
            file: self.name.clone(),
            place: Some(self.tree.place_of(path)),
            path: path.to_owned(),
            message: message.into(),
        }
    }
}

/// Reads a text, and finds every problem of its structure.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read<T: JsonSchema + DeserializeOwned>(
    text: &str,
    form: &Form<'_>,
    surroundings: &Surroundings<'_>,
) -> Result<Document<T>, Problems> {
    let mut report = Report::new(form.name.to_owned());
    if text.len() as u64 > form.most {
        report.add(None, "", format!("there are more than {} bytes", form.most));
        return Err(report.into_problems());
    }
    let Some(tree) = tree::read(text, form.needs, &mut report) else {
        return Err(report.into_problems());
    };
    let shapes = Shapes::of(&schema_of::<T>());
    let written = structure::check(&tree, &shapes, surroundings, &mut report);
    if !report.is_empty() {
        return Err(report.into_problems());
    }
    match T::deserialize(written) {
        Ok(value) => Ok(Document {
            value,
            name: form.name.to_owned(),
            tree,
        }),
        Err(error) => {
            // The schema and the types are one; this says so, should they ever differ.
            report.add(None, "", format!("it can't be understood: {error}"));
            Err(report.into_problems())
        }
    }
}

/// A problem as a whole: that a file can't be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Problems {
    let mut report = Report::new(path.display().to_string());
    report.add(None, "", format!("the file can't be read: {error}"));
    report.into_problems()
}
