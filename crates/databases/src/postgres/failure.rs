//! What a failure of PostgreSQL means to a client, by its SQLSTATE (PostgreSQL's documentation, appendix A).

use portcullis_core::{Error, Known, codes};
use tokio_postgres::error::DbError;

use crate::failure::{Constraint, ConstraintKind, busy, violated};

/// What went wrong, in the server's own words, for the log.
#[derive(Debug)]
struct Words(String);

/// The error for a failure of a statement.
pub(super) fn to_error(failure: &tokio_postgres::Error, writes: bool) -> Error {
    let words = Words(describe(failure));
    match failure.as_db_error() {
        Some(error) => judge(error, words, writes),
        // The connection was lost, or there was none.
        None => busy().with_cause(words),
    }
}

/// What went wrong, in one line.
pub(super) fn describe(failure: &tokio_postgres::Error) -> String {
    if let Some(error) = failure.as_db_error() {
        let mut line = format!("{} ({})", error.message(), error.code().code());
        for (word, more) in [
            ("detail", error.detail()),
            ("hint", error.hint()),
            ("in", error.where_()),
        ] {
            if let Some(more) = more {
                line.push_str(&format!("; {word}: {more}"));
            }
        }
        return line.replace('\n', " ");
    }
    match std::error::Error::source(failure) {
        Some(source) => format!("{failure}: {source}"),
        None => failure.to_string(),
    }
}

/// Whether the transaction could not be ordered among others, and may be tried again.
pub(super) fn is_conflict(failure: &tokio_postgres::Error) -> bool {
    matches!(code(failure), Some("40001" | "40P01"))
}

/// Whether the connection is of no more use: it is lost, or the server ends it.
pub(super) fn is_lost(failure: &tokio_postgres::Error) -> bool {
    match code(failure) {
        Some(code) => code.starts_with("57P") || code.starts_with("08"),
        None => failure.as_db_error().is_none() && std::error::Error::source(failure).is_none_or(is_io),
    }
}

/// Whether a statement that was prepared earlier has another result by now: prepared anew it is good.
pub(super) fn is_stale(failure: &tokio_postgres::Error) -> bool {
    let Some(error) = failure.as_db_error() else {
        return false;
    };
    match error.code().code() {
        // "cached plan must not change result type", which shares its code with all that isn't supported.
        "0A000" => error.routine() == Some("RevalidateCachedQuery"),
        // A prepared statement that the server doesn't know any more.
        "26000" => true,
        _ => false,
    }
}

/// Whether a role lacks a privilege.
pub(super) fn is_forbidden(failure: &tokio_postgres::Error) -> bool {
    code(failure) == Some("42501")
}

/// A lost connection while a transaction was being committed.
pub(super) fn unknown(failure: &tokio_postgres::Error) -> Error {
    Error::new(&codes::DATABASE_FAILED)
        .with_detail("the connection was lost while the change was being committed: the outcome is unknown")
        .with_cause(Words(describe(failure)))
}

fn code(failure: &tokio_postgres::Error) -> Option<&str> {
    failure.as_db_error().map(|error| error.code().code())
}

fn is_io(source: &(dyn std::error::Error + 'static)) -> bool {
    source.is::<std::io::Error>()
}

fn judge(error: &DbError, words: Words, writes: bool) -> Error {
    let query = |detail: &'static str| Error::new(&codes::BAD_QUERY).with_detail(detail);
    let code = error.code().code();
    if let Some(kind) = constraint_kind(code, writes) {
        return violated(constraint(kind, error), words);
    }
    let known = match code {
        "40001" | "40P01" => Error::new(&codes::TRANSACTION_CONFLICT).with_header(Known::RetryAfter, "1"),
        "57014" => Error::new(&codes::DATABASE_TIMEOUT),
        "25006" => {
            Error::new(&codes::METHOD_NOT_ALLOWED).with_detail("it would change something, which this method doesn't")
        }
        "42501" => Error::new(&codes::FORBIDDEN),
        // A row that a view, by its WITH CHECK OPTION, would not show.
        "44000" => crate::failure::unmet(portcullis_tables::statement::Failure::Forbidden),
        // The author of a function wrote it for whoever calls.
        "P0001" if writes => Error::new(&codes::BAD_CONTENT).with_detail(error.message().to_owned()),
        "P0001" => Error::new(&codes::BAD_QUERY).with_detail(error.message().to_owned()),
        "P0002" => Error::new(&codes::RESOURCE_NOT_FOUND),
        "53100" => Error::new(&codes::DATABASE_FULL),
        "55P03" | "55006" => busy(),
        "42883" | "42804" | "42846" | "42725" | "42P18" | "42P22" | "42P21" | "42803" | "0A000" => {
            query("the database has no such operation for these types")
        }
        // The statement itself is ours: what else is read by a grammar are the words of a full text search.
        "42601" if error.routine() != Some("scanner_yyerror") => query("the words of a search can't be read"),
        "42P10" => query("there is no unique key of these columns"),
        "21000" if writes => Error::new(&codes::CONFLICT).with_detail("two of the rows have the same key"),
        _ => match &code.get(..2) {
            Some("22") => query("a value is not of its type, or out of range"),
            Some("54") => query("it is more than the database can do in one statement"),
            Some("08" | "53" | "57" | "28") => busy(),
            _ => Error::new(&codes::DATABASE_FAILED),
        },
    };
    known.with_cause(words)
}

fn constraint_kind(code: &str, writes: bool) -> Option<ConstraintKind> {
    Some(match code {
        "23505" | "23P01" => ConstraintKind::Unique,
        "23503" | "23001" => ConstraintKind::ForeignKey,
        "23502" => ConstraintKind::NotNull,
        "23514" => ConstraintKind::Check,
        "428C9" => ConstraintKind::Rule,
        // A pattern comes with a query, whatever the statement does.
        "2201B" | "2201G" => return None,
        _ if writes && (code.starts_with("22") || code.starts_with("54")) => ConstraintKind::Type,
        _ => return None,
    })
}

fn constraint(kind: ConstraintKind, error: &DbError) -> Constraint {
    let mut constraint = Constraint::of(kind);
    constraint.relation = error.table().map(str::to_owned);
    constraint.name = error.constraint().map(str::to_owned);
    constraint.columns = match error.column() {
        Some(column) => vec![column.to_owned()],
        None => error.detail().map(key_columns).unwrap_or_default(),
    };
    constraint
}

/// The columns of a key, from a detail such as `Key (a, "B c")=(1, 2) already exists.` in whatever language. An
/// expression is none.
fn key_columns(detail: &str) -> Vec<String> {
    let Some((_, columns)) = detail.split_once('(') else {
        return Vec::new();
    };
    let Some((columns, _)) = columns.split_once(")=(") else {
        return Vec::new();
    };
    let unquoted = |name: &str| match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(name) => name.replace("\"\"", "\""),
        None => name.to_owned(),
    };
    columns.split(", ").map(unquoted).collect()
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_key_are_found_in_any_language() {
        assert_eq!(
            key_columns("Key (a, \"B \"\"c\")=(1, x)=(2) already exists."),
            ["a", "B \"c"]
        );
        assert_eq!(key_columns("Schlüssel »(a)=(1)« existiert bereits."), ["a"]);
        assert!(key_columns("nothing").is_empty());
    }
}
