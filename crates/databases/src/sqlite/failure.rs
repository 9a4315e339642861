//! What a failure of SQLite means. Its own text goes to the log only.

use portcullis_core::{Error, codes};
use rusqlite::ffi;

use crate::failure::{Constraint, ConstraintKind, busy, violated};

/// The error for a failure of a statement, or of the transaction around it.
pub(super) fn to_error(failure: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, text) = &failure else {
        return Error::new(&codes::DATABASE_FAILED).with_cause(failure);
    };
    let text = text.as_deref().unwrap_or_default();
    let error = match code.extended_code & 0xff {
        ffi::SQLITE_CONSTRAINT if code.extended_code == ffi::SQLITE_CONSTRAINT_FUNCTION => {
            Error::new(&codes::BAD_QUERY).with_detail("the pattern can't be used")
        }
        ffi::SQLITE_CONSTRAINT => match constraint(code.extended_code, text) {
            Some(constraint) => return violated(constraint, failure),
            None => Error::new(&codes::DATABASE_FAILED),
        },
        ffi::SQLITE_MISMATCH => return violated(Constraint::of(ConstraintKind::Type), failure),
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => busy(),
        ffi::SQLITE_INTERRUPT => Error::new(&codes::DATABASE_TIMEOUT),
        ffi::SQLITE_FULL | ffi::SQLITE_READONLY | ffi::SQLITE_IOERR => Error::new(&codes::DATABASE_FULL),
        ffi::SQLITE_TOOBIG => Error::new(&codes::CONTENT_TOO_LARGE),
        _ => Error::new(&codes::DATABASE_FAILED),
    };
    error.with_cause(failure)
}

/// Whether a statement was stopped by the clock of its connection.
pub(super) fn is_interrupt(failure: &rusqlite::Error) -> bool {
    failure.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted)
}

/// Whether somebody else holds a lock.
pub(super) fn is_busy(failure: &rusqlite::Error) -> bool {
    matches!(
        failure.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

fn constraint(code: i32, text: &str) -> Option<Constraint> {
    let kind = match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            ConstraintKind::Unique
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ConstraintKind::ForeignKey,
        ffi::SQLITE_CONSTRAINT_NOTNULL => ConstraintKind::NotNull,
        ffi::SQLITE_CONSTRAINT_CHECK => ConstraintKind::Check,
        ffi::SQLITE_CONSTRAINT_DATATYPE => ConstraintKind::Type,
        ffi::SQLITE_CONSTRAINT_TRIGGER => ConstraintKind::Rule,
        _ => return None,
    };
    let mut constraint = Constraint::of(kind);
    match kind {
        // `UNIQUE constraint failed: people.name, people.city`, or `index 'unique_lower_name'` of an expression.
        ConstraintKind::Unique | ConstraintKind::NotNull => {
            let about = text.split_once(": ").map_or("", |(_, about)| about);
            match about.strip_prefix("index '") {
                Some(name) => constraint.name = Some(name.trim_end_matches('\'').to_owned()),
                None => {
                    for place in about.split(", ") {
                        note(&mut constraint, place);
                    }
                }
            }
        }
        ConstraintKind::Check => constraint.name = text.split_once(": ").map(|(_, about)| about.to_owned()),
        // `cannot store TEXT value in INTEGER column people.age`.
        ConstraintKind::Type => {
            if let Some((_, place)) = text.split_once(" column ") {
                note(&mut constraint, place);
            }
        }
        ConstraintKind::ForeignKey | ConstraintKind::Rule => {}
    }
    Some(constraint)
}

/// Notes a `table.column`.
fn note(constraint: &mut Constraint, place: &str) {
    if let Some((relation, column)) = place.rsplit_once('.') {
        constraint.relation = Some(relation.to_owned());
        constraint.columns.push(column.to_owned());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::failure;

    fn fails(sql: &str) -> Error {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = on;
                 CREATE TABLE p (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT, age INTEGER CHECK (age > 0),
                                 up ANY REFERENCES p, UNIQUE (a, b)) STRICT;
                 CREATE UNIQUE INDEX lower_b ON p (lower(b)) WHERE a = 'low';
                 CREATE TRIGGER rule BEFORE DELETE ON p BEGIN SELECT raise(abort, 'no'); END;
                 INSERT INTO p (id, a, b) VALUES (1, 'x', 'y'), (2, 'low', 'q');",
            )
            .unwrap();
        to_error(connection.execute(sql, []).unwrap_err())
    }

    #[test]
    fn constraints_are_told_as_facts_and_no_detail_names_a_column() {
        for (sql, status, kind, columns) in [
            (
                "INSERT INTO p (a, b) VALUES ('x', 'y')",
                409,
                ConstraintKind::Unique,
                &["a", "b"][..],
            ),
            (
                "INSERT INTO p (a, b) VALUES ('low', 'Q')",
                409,
                ConstraintKind::Unique,
                &[],
            ),
            (
                "INSERT INTO p (id, a) VALUES (1, 'z')",
                409,
                ConstraintKind::Unique,
                &["id"],
            ),
            ("INSERT INTO p (b) VALUES ('z')", 422, ConstraintKind::NotNull, &["a"]),
            (
                "INSERT INTO p (a, age) VALUES ('z', 'old')",
                422,
                ConstraintKind::Type,
                &["age"],
            ),
            (
                "INSERT INTO p (a, up) VALUES ('z', 7)",
                409,
                ConstraintKind::ForeignKey,
                &[],
            ),
            (
                "INSERT INTO p (a, age) VALUES ('z', -1)",
                422,
                ConstraintKind::Check,
                &[],
            ),
            ("DELETE FROM p", 422, ConstraintKind::Rule, &[]),
        ] {
            let error = fails(sql);
            let constraint = failure::constraint(&error).unwrap();
            assert_eq!((error.status().code(), constraint.kind), (status, kind), "{sql}");
            assert_eq!(constraint.columns, columns, "{sql}");
            assert!(!error.to_string().contains("age"), "{error}");
        }
    }

    #[test]
    fn a_check_concerns_the_columns_that_it_speaks_of() {
        let error = fails("INSERT INTO p (a, age) VALUES ('z', -1)");
        let constraint = failure::constraint(&error).unwrap();
        assert!(constraint.concerns("age") && !constraint.concerns("a") && !constraint.concerns("ag"));
    }

    #[test]
    fn what_is_no_constraint_is_the_databases_fault() {
        let error = fails("SELECT * FROM nowhere");
        assert_eq!(error.code(), &codes::DATABASE_FAILED);
        assert!(failure::constraint(&error).is_none() && error.detail().is_none());
    }
}
