//! What a failure of MariaDB or MySQL means to a client, by its number (MariaDB's documentation, "Error Codes").

use mysql_async::{Error as Failed, ServerError};
use portcullis_core::{Error, Known, codes};

use crate::failure::{Constraint, ConstraintKind, busy, violated};

/// What went wrong, in the server's own words, for the log.
#[derive(Debug)]
struct Words(String);

/// The error for a failure of a statement.
pub(super) fn to_error(failure: &Failed, writes: bool) -> Error {
    let words = Words(describe(failure));
    match failure {
        Failed::Server(error) => judge(error, words, writes),
        // A packet beyond the limit is the request's fault, or the row's.
        Failed::Driver(mysql_async::DriverError::PacketTooLarge) => Error::new(&codes::BAD_QUERY)
            .with_detail("it is more than the database takes at once")
            .with_cause(words),
        Failed::Driver(mysql_async::DriverError::StmtParamsMismatch { .. } | mysql_async::DriverError::MixedParams) => {
            Error::new(&codes::INTERNAL).with_cause(words)
        }
        Failed::Driver(mysql_async::DriverError::StmtParamsNumberExceedsLimit { .. }) => Error::new(&codes::BAD_QUERY)
            .with_detail("it has more values than a statement takes")
            .with_cause(words),
        // The connection was lost, or there was none.
        _ => busy().with_cause(words),
    }
}

/// What went wrong, in one line.
pub(super) fn describe(failure: &Failed) -> String {
    match failure {
        Failed::Server(error) => format!("{} ({}, {})", error.message, error.code, error.state).replace('\n', " "),
        // It repeats the URL.
        Failed::Url(_) => "the URL can't be understood".to_owned(),
        other => other.to_string().replace('\n', " "),
    }
}

/// Whether the transaction could not be ordered among others, and may be tried again: a deadlock, a lock that was not had
/// in time, or a row that changed since.
pub(super) fn is_conflict(failure: &Failed) -> bool {
    matches!(code(failure), Some(1213 | 1205 | 1020))
}

/// Whether the connection is of no more use: it is lost, or the server ends it.
pub(super) fn is_lost(failure: &Failed) -> bool {
    match failure {
        // Shutdown, a connection that is killed, aborted, or ended for being idle.
        Failed::Server(error) => matches!(error.code, 1053 | 1079 | 1152 | 1158..=1161 | 1184 | 1927 | 4031),
        Failed::Io(_) => true,
        Failed::Driver(error) => matches!(
            error,
            mysql_async::DriverError::ConnectionClosed | mysql_async::DriverError::PacketOutOfOrder
        ),
        Failed::Other(_) | Failed::Url(_) => false,
    }
}

/// Whether a statement that was prepared earlier is of no more use: prepared anew it is good.
pub(super) fn is_stale(failure: &Failed) -> bool {
    matches!(code(failure), Some(1243 | 1615))
}

/// A lost connection while a transaction was being committed.
pub(super) fn unknown(failure: &Failed) -> Error {
    Error::new(&codes::DATABASE_FAILED)
        .with_detail("the connection was lost while the change was being committed: the outcome is unknown")
        .with_cause(Words(describe(failure)))
}

fn code(failure: &Failed) -> Option<u16> {
    match failure {
        Failed::Server(error) => Some(error.code),
        _ => None,
    }
}

fn judge(error: &ServerError, words: Words, writes: bool) -> Error {
    if let Some(kind) = constraint_kind(error, writes) {
        return violated(constraint(kind, error), words);
    }
    let query = |detail: &'static str| Error::new(&codes::BAD_QUERY).with_detail(detail);
    let known = match error.code {
        1205 | 1213 | 1020 => Error::new(&codes::TRANSACTION_CONFLICT).with_header(Known::RetryAfter, "1"),
        1969 | 3024 | 1317 => Error::new(&codes::DATABASE_TIMEOUT),
        1792 => {
            Error::new(&codes::METHOD_NOT_ALLOWED).with_detail("it would change something, which this method doesn't")
        }
        // The disk or the table is full, or the server itself can only be read.
        1021 | 1041 | 1114 | 1206 | 1290 | 1836 => Error::new(&codes::DATABASE_FULL),
        1044 | 1142 | 1143 | 1227 | 1370 => Error::new(&codes::FORBIDDEN),
        // A row that a view, by its WITH CHECK OPTION, would not show.
        1369 => crate::failure::unmet(portcullis_tables::statement::Failure::Forbidden),
        // The author of a routine wrote it for whoever calls.
        1643 => Error::new(&codes::RESOURCE_NOT_FOUND),
        1644 if writes => Error::new(&codes::BAD_CONTENT).with_detail(error.message.clone()),
        1644 => Error::new(&codes::BAD_QUERY).with_detail(error.message.clone()),
        1139 | 3685..=3699 => query("the regular expression can't be used"),
        1267 | 1270 | 1271 | 1305 | 1630 | 4078 | 4079 | 4161 => {
            query("the database has no such operation for these types")
        }
        1191 => query("the column has no index of full texts"),
        1264 | 1292 | 1366 | 1411 | 1441 | 1690 | 1365 | 4037 | 4038 => {
            query("a value is not of its type, or out of range")
        }
        1116 | 1153 | 1390 | 1436 | 1473 => query("it is more than the database can do in one statement"),
        1040 | 1053 | 1129 | 1152 | 1158..=1161 | 1184 | 1203 | 1226 | 1927 | 2002 | 2006 | 2013 => busy(),
        _ => Error::new(&codes::DATABASE_FAILED),
    };
    known.with_cause(words)
}

fn constraint_kind(error: &ServerError, writes: bool) -> Option<ConstraintKind> {
    Some(match error.code {
        1022 | 1062 | 1169 | 1586 | 1761 | 1762 => ConstraintKind::Unique,
        1216 | 1217 | 1451 | 1452 => ConstraintKind::ForeignKey,
        1048 | 1364 | 1566 => ConstraintKind::NotNull,
        3819 | 4025 => ConstraintKind::Check,
        1906 | 3105 => ConstraintKind::Rule,
        1264 | 1265 | 1292 | 1366 | 1367 | 1406 | 1411 | 1441 | 1690 if writes => ConstraintKind::Type,
        _ => return None,
    })
}

/// What the words of the failure tell. They hold values too, which go to the log only.
fn constraint(kind: ConstraintKind, error: &ServerError) -> Constraint {
    let mut constraint = Constraint::of(kind);
    let message = error.message.as_str();
    match kind {
        ConstraintKind::Unique => constraint.name = message.rsplit_once(" for key ").map(|(_, name)| last_name(name)),
        ConstraintKind::NotNull | ConstraintKind::Type => {
            constraint.columns.extend(column(message));
        }
        ConstraintKind::Check => {
            // MariaDB: CONSTRAINT `name` failed for `database`.`table`; a check of a column has the column's name.
            // MySQL: Check constraint 'name' is violated.
            constraint.name = quoted(message).next().map(last_name);
            constraint.relation = message
                .rsplit_once(" failed for ")
                .map(|(_, relation)| last_name(relation));
        }
        ConstraintKind::ForeignKey => {
            // …(`database`.`table`, CONSTRAINT `name` FOREIGN KEY (`column`) REFERENCES …)
            if let Some((_, rest)) = message.rsplit_once("CONSTRAINT ") {
                constraint.name = quoted(rest).next().map(str::to_owned);
                let columns = rest
                    .split_once("FOREIGN KEY (")
                    .and_then(|(_, rest)| rest.split_once(") REFERENCES "));
                // Where a row is still referred to, these are another table's columns.
                if let (1452 | 1216, Some((columns, _))) = (error.code, columns) {
                    constraint.columns = quoted(columns).map(str::to_owned).collect();
                }
            }
        }
        ConstraintKind::Rule => constraint.columns.extend(column(message)),
    }
    constraint
}

/// The column that is named behind that word, whether as 'name', `name` or `database`.`table`.`name`.
fn column(message: &str) -> Option<String> {
    let lower = message.to_ascii_lowercase();
    let word = lower.rfind("column ").map(|at| at + "column ".len());
    let at = word.or_else(|| lower.find("field ").map(|at| at + "field ".len()))?;
    let name = message.get(at..)?;
    // Behind the name may come: at row 1; cannot be null; doesn't have a default value.
    let end = [" at row", " cannot", " doesn't", " in table"]
        .iter()
        .filter_map(|tail| name.find(tail))
        .min();
    let name = name.get(..end.unwrap_or(name.len()))?;
    name.starts_with(['\'', '`']).then(|| last_name(name))
}

/// The last part of a name such as `a`.`b`, 'a.b' or 'b', without quotes.
fn last_name(name: &str) -> String {
    let name = name.trim_end_matches('.').trim_matches(['\'', '`']);
    let name = name.rsplit_once("`.`").map_or(name, |(_, last)| last);
    name.rsplit_once('.').map_or(name, |(_, last)| last).to_owned()
}

/// What stands in quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split(['`', '\'']).skip(1).step_by(2)
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Words {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::failure::constraint as constraint_of;

    fn failure(code: u16, message: &str) -> Failed {
        Failed::Server(ServerError {
            code,
            message: message.to_owned(),
            state: "HY000".to_owned(),
        })
    }

    #[test]
    fn constraints_are_read_from_the_words() {
        for (code, message, kind, name, columns) in [
            (
                1062,
                "Duplicate entry 'a for key b' for key 'email'",
                ConstraintKind::Unique,
                Some("email"),
                &[][..],
            ),
            (
                1062,
                "Duplicate entry '1' for key 'users.email'",
                ConstraintKind::Unique,
                Some("email"),
                &[],
            ),
            (
                1048,
                "Column 'na me' cannot be null",
                ConstraintKind::NotNull,
                None,
                &["na me"],
            ),
            (
                1364,
                "Field 'name' doesn't have a default value",
                ConstraintKind::NotNull,
                None,
                &["name"],
            ),
            (
                1406,
                "Data too long for column 'name' at row 1",
                ConstraintKind::Type,
                None,
                &["name"],
            ),
            (
                1366,
                "Incorrect integer value: 'column x' for column `test`.`t`.`age` at row 1",
                ConstraintKind::Type,
                None,
                &["age"],
            ),
            (
                4025,
                "CONSTRAINT `price` failed for `test`.`item`",
                ConstraintKind::Check,
                Some("price"),
                &[],
            ),
            (
                1452,
                "Cannot add or update a child row: a foreign key constraint fails (`d`.`t`, CONSTRAINT `fk` FOREIGN KEY \
                 (`a`, `b`) REFERENCES `u` (`x`, `y`))",
                ConstraintKind::ForeignKey,
                Some("fk"),
                &["a", "b"],
            ),
            (
                1451,
                "Cannot delete or update a parent row: a foreign key constraint fails (`d`.`t`, CONSTRAINT `fk` FOREIGN \
                 KEY (`a`) REFERENCES `u` (`x`))",
                ConstraintKind::ForeignKey,
                Some("fk"),
                &[],
            ),
        ] {
            let error = to_error(&failure(code, message), true);
            let constraint = constraint_of(&error).unwrap();
            assert_eq!((constraint.kind, constraint.name.as_deref()), (kind, name), "{message}");
            assert_eq!(constraint.columns, columns, "{message}");
        }
    }

    #[test]
    fn failures_are_told_apart() {
        for (code, writes, expected) in [
            (1213, true, &codes::TRANSACTION_CONFLICT),
            (1205, true, &codes::TRANSACTION_CONFLICT),
            (1969, false, &codes::DATABASE_TIMEOUT),
            (1792, false, &codes::METHOD_NOT_ALLOWED),
            (1290, true, &codes::DATABASE_FULL),
            (1040, true, &codes::DATABASE_BUSY),
            (1292, false, &codes::BAD_QUERY),
            (1292, true, &codes::INVALID_CONTENT),
            (1062, true, &codes::CONFLICT),
            (1451, true, &codes::CONFLICT),
            (1048, true, &codes::INVALID_CONTENT),
            (1064, false, &codes::DATABASE_FAILED),
        ] {
            let error = to_error(&failure(code, "words"), writes);
            assert_eq!(error.code(), expected, "{code}");
        }
        assert!(is_lost(&failure(1927, "Connection was killed")) && !is_lost(&failure(1062, "")));
    }
}
