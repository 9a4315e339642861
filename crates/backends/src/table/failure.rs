//! What a failure of the database means to a client: whose fault it is, and which columns it is about. The text of the
//! database itself goes to the log only.

use portcullis_core::{Error, Known, codes};
use rusqlite::ffi;

use super::resource::Resource;

/// The error for a failure of a statement on that resource, or of a transaction around it.
pub(super) fn to_error(failure: rusqlite::Error, resource: Option<&Resource>) -> Error {
    let rusqlite::Error::SqliteFailure(code, text) = &failure else {
        return Error::new(&codes::DATABASE_FAILED).with_cause(failure);
    };
    let text = text.as_deref().unwrap_or_default();
    let named = |text: &str| resource.map(|resource| columns_in(text, resource)).unwrap_or_default();
    let error = match code.extended_code & 0xff {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => busy(),
        ffi::SQLITE_INTERRUPT => Error::new(&codes::DATABASE_TIMEOUT),
        ffi::SQLITE_FULL | ffi::SQLITE_READONLY | ffi::SQLITE_IOERR => Error::new(&codes::DATABASE_FULL),
        ffi::SQLITE_TOOBIG => Error::new(&codes::CONTENT_TOO_LARGE),
        ffi::SQLITE_MISMATCH => Error::new(&codes::INVALID_CONTENT).with_detail("a value is not of its column's type"),
        ffi::SQLITE_CONSTRAINT => constraint(code.extended_code, &named(text)),
        _ => Error::new(&codes::DATABASE_FAILED),
    };
    error.with_cause(failure)
}

/// The error for a database that can't take the request now.
pub(super) fn busy() -> Error {
    Error::new(&codes::DATABASE_BUSY).with_header(Known::RetryAfter, "1")
}

fn constraint(code: i32, columns: &str) -> Error {
    let invalid = |detail: String| Error::new(&codes::INVALID_CONTENT).with_detail(detail);
    let about = |before: &str, after: &str| match columns {
        "" => format!("{before}a column{after}"),
        columns => format!("{before}{columns}{after}"),
    };
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            Error::new(&codes::CONFLICT).with_detail(about("another row has the same value in ", ""))
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Error::new(&codes::CONFLICT)
            .with_detail("a row that is referred to does not exist, or rows still refer to one that would go"),
        ffi::SQLITE_CONSTRAINT_NOTNULL => invalid(about("a value is needed in ", "")),
        ffi::SQLITE_CONSTRAINT_CHECK => invalid(about("a check fails on ", "")),
        ffi::SQLITE_CONSTRAINT_DATATYPE => invalid(about("a value is not of the type of ", "")),
        ffi::SQLITE_CONSTRAINT_TRIGGER => invalid("a rule of the table refuses the change".to_owned()),
        _ => Error::new(&codes::DATABASE_FAILED),
    }
}

/// The columns of the resource that a message of the database speaks of. The message tells `table.column`, or the text
/// or name of a check; a column that the route hides stays hidden.
fn columns_in(text: &str, resource: &Resource) -> String {
    let about = text.split_once(": ").map_or(text, |(_, about)| about);
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let words: Vec<&str> = about.split(|character: char| !is_word(character)).collect();
    // A name that isn't one word is looked for as it stands.
    let spoken_of = |name: &str| words.contains(&name) || (!name.chars().all(is_word) && about.contains(name));
    let table = resource.relation().name().as_str();
    let mut named = String::new();
    for name in resource.columns().map(|column| column.name().as_str()) {
        let as_table_only = name == table && !about.contains(&format!("{table}.{table}"));
        if spoken_of(name) && !as_table_only {
            let separator = if named.is_empty() { "" } else { ", " };
            named.push_str(&format!("{separator}`{name}`"));
        }
    }
    named
}
