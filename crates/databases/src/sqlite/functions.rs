//! Functions that statements may call beside those of SQLite.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use regex::{Regex, RegexBuilder};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result, ffi};

/// Bytes of a pattern.
const MAX_PATTERN: usize = 1000;
/// Bytes that a compiled pattern may take: what stands in few characters may mean very much (`(\w{99}){99}`).
const MAX_COMPILED: usize = 1 << 20;

/// Adds them to a connection.
///
/// - `regexp(pattern, text)`, which is what `text REGEXP pattern` calls: in linear time, whatever pattern and text are.
///   A pattern that can't be used is an error.
/// - `portcullis_base64(bytes)`: base64 with padding (RFC 4648 §4); of NULL, NULL.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("regexp", 2, flags, matches)?;
    connection.create_scalar_function("portcullis_base64", 1, flags, |context| {
        Ok(match context.get_raw(0) {
            ValueRef::Null => None,
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Some(BASE64.encode(bytes)),
            ValueRef::Integer(number) => Some(BASE64.encode(number.to_string())),
            ValueRef::Real(number) => Some(BASE64.encode(number.to_string())),
        })
    })
}

fn matches(context: &Context<'_>) -> Result<Option<bool>> {
    if context.get_raw(0) == ValueRef::Null {
        return Ok(None);
    }
    // Compiled once for all rows where the pattern is a constant of the statement.
    let pattern = match context.get_aux(0)? {
        Some(pattern) => pattern,
        None => context.set_aux(0, compile(context.get_raw(0)).ok_or_else(unusable)?)?,
    };
    Ok(match context.get_raw(1) {
        ValueRef::Null | ValueRef::Blob(_) => None,
        ValueRef::Text(text) => Some(pattern.is_match(&String::from_utf8_lossy(text))),
        ValueRef::Integer(number) => Some(pattern.is_match(&number.to_string())),
        ValueRef::Real(number) => Some(pattern.is_match(&number.to_string())),
    })
}

fn compile(pattern: ValueRef<'_>) -> Option<Regex> {
    let pattern = pattern.as_str().ok().filter(|pattern| pattern.len() <= MAX_PATTERN)?;
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .build()
        .ok()
}

/// The error for a pattern that can't be used. It has no text: with one, SQLite would forget its code, by which such an
/// error is told from others.
fn unusable() -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CONSTRAINT_FUNCTION), None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn ask(sql: &str) -> Result<Option<String>> {
        let connection = Connection::open_in_memory()?;
        register(&connection)?;
        connection.query_row(&format!("SELECT CAST(({sql}) AS TEXT)"), [], |row| row.get(0))
    }

    #[test]
    fn patterns_match_texts_and_numbers() {
        for (sql, expected) in [
            ("'Ann' REGEXP '^A'", Some("1")),
            ("'ann' REGEXP '^A'", Some("0")),
            ("'ann' REGEXP '(?i)^A'", Some("1")),
            ("15 REGEXP '^1'", Some("1")),
            ("NULL REGEXP 'a'", None),
            ("'a' REGEXP NULL", None),
            ("x'61' REGEXP 'a'", None),
        ] {
            assert_eq!(ask(sql).unwrap().as_deref(), expected, "{sql}");
        }
    }

    #[test]
    fn a_pattern_that_is_malformed_or_would_be_large_is_refused() {
        for pattern in ["(", r"(\w{99}){99}", &"a".repeat(MAX_PATTERN + 1)] {
            assert!(ask(&format!("'a' REGEXP '{pattern}'")).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_backtracking_would_never_finish_is_done_at_once() {
        let text = "a".repeat(50_000);
        assert_eq!(
            ask(&format!("'{text}b' REGEXP '^(a+)+$'")).unwrap().as_deref(),
            Some("0")
        );
    }

    #[test]
    fn bytes_become_base64() {
        assert_eq!(ask("portcullis_base64(x'fbff01')").unwrap().as_deref(), Some("+/8B"));
        assert_eq!(ask("portcullis_base64(NULL)").unwrap(), None);
    }
}
