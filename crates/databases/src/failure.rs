//! What a failure means to a client: whose fault it is. The database's own words go to the log only, and the columns
//! that a constraint is about to whoever knows which columns the client may know of.

use std::fmt;

use portcullis_core::{Error, Known, codes};
use portcullis_tables::statement::Failure;

/// What a constraint of the database had against a change, as facts. Errors of drivers name no column; who exposes a
/// table names those that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Its kind.
    pub kind: ConstraintKind,
    /// The table, where the database names it.
    pub relation: Option<String>,
    /// The columns, where the database names them.
    pub columns: Vec<String>,
    /// The constraint's name, where the database names it; of a nameless check of SQLite its text.
    pub name: Option<String>,
}

/// The kinds of constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintKind {
    /// Another row has the same values.
    Unique,
    /// A row that is referred to isn't there, or one is still referred to.
    ForeignKey,
    /// A value is missing.
    NotNull,
    /// A check doesn't hold.
    Check,
    /// A value is not of the type, too long or too large.
    Type,
    /// A trigger, or a rule that the database keeps otherwise, refuses.
    Rule,
}

/// A constraint as the cause of an error.
struct Violation {
    constraint: Constraint,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl Constraint {
    /// One of that kind, of which nothing more is known.
    pub fn of(kind: ConstraintKind) -> Constraint {
        Constraint {
            kind,
            relation: None,
            columns: Vec::new(),
            name: None,
        }
    }

    /// Whether it is about that column. A check is about the columns that its name or text speaks of, as words.
    pub fn concerns(&self, column: &str) -> bool {
        if self.columns.iter().any(|known| known == column) {
            return true;
        }
        let (ConstraintKind::Check, Some(text)) = (self.kind, &self.name) else {
            return false;
        };
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        if column.chars().all(is_word) {
            text.split(|character: char| !is_word(character))
                .any(|word| word == column)
        } else {
            text.contains(column)
        }
    }
}

/// What constraint an error of [`crate::Database::run`] is about.
pub fn constraint(error: &Error) -> Option<&Constraint> {
    let cause = std::error::Error::source(error)?;
    cause.downcast_ref::<Violation>().map(|violation| &violation.constraint)
}

/// The error for a change that a constraint refused.
pub(crate) fn violated(constraint: Constraint, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let (code, detail) = match constraint.kind {
        ConstraintKind::Unique => (&codes::CONFLICT, "another row has the same values"),
        ConstraintKind::ForeignKey => (
            &codes::CONFLICT,
            "a row that is referred to does not exist, or rows still refer to one that would go",
        ),
        ConstraintKind::NotNull => (&codes::INVALID_CONTENT, "a value is missing"),
        ConstraintKind::Check => (&codes::INVALID_CONTENT, "a check fails"),
        ConstraintKind::Type => (&codes::INVALID_CONTENT, "a value is not of its column's type"),
        ConstraintKind::Rule => (&codes::INVALID_CONTENT, "a rule of the table refuses the change"),
    };
    let cause = cause.into();
    Error::new(code)
        .with_detail(detail)
        .with_cause(Violation { constraint, cause })
}

/// The error for a script that was rolled back because a step did not come to what it must.
pub(crate) fn unmet(failure: Failure) -> Error {
    match failure {
        Failure::NotFound => Error::new(&codes::RESOURCE_NOT_FOUND),
        Failure::PreconditionFailed => Error::new(&codes::PRECONDITION_FAILED),
        Failure::TooMany => Error::new(&codes::TOO_MANY_ROWS),
        Failure::Forbidden => {
            Error::new(&codes::FORBIDDEN).with_detail("a row would not be one that the caller may write")
        }
        Failure::NotSingular => {
            Error::new(&codes::NOT_ACCEPTABLE).with_detail("one row is asked for, and there is another number")
        }
    }
}

/// The error for a database that can't take the request now.
pub(crate) fn busy() -> Error {
    Error::new(&codes::DATABASE_BUSY).with_header(Known::RetryAfter, "1")
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.cause, f)
    }
}

impl std::error::Error for Violation {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}
