//! Scripts on a connection of SQLite.

use std::borrow::Cow;
use std::collections::HashMap;

use portcullis_core::{Error, codes};
use portcullis_tables::content::Format;
use portcullis_tables::output::{Cell, Row};
use portcullis_tables::schema::Type;
use portcullis_tables::statement::{Failure, Outcome, Script, Statement, Step};
use portcullis_tables::value::Value;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ToSql, Transaction, TransactionBehavior};

use super::connection::Session;
use super::failure;
use crate::failure::unmet;
use crate::script::{self, Progress, Taker, Verdict, judge};

/// Why a script did not come to its end.
pub(super) enum Fault {
    /// The database had something against it.
    Database(rusqlite::Error),
    /// A step did not come to what it must.
    Unmet(Failure),
    /// The answer is larger than what is held.
    Large,
    /// Nobody takes the answer any more.
    Gone,
    /// Anything else.
    Other(Error),
}

/// A row of SQLite.
struct SqliteRow<'r, 's>(&'r rusqlite::Row<'s>);

/// A value as it is bound.
struct Bound<'v>(Cow<'v, Value>);

impl Fault {
    /// The error for it.
    pub(super) fn into_error(self) -> Error {
        match self {
            Fault::Database(error) => failure::to_error(error),
            Fault::Unmet(failure) => unmet(failure),
            Fault::Large | Fault::Gone => Error::new(&codes::INTERNAL),
            Fault::Other(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::Database(error)
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault::Unmet(failure)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Other(error)
    }
}

/// Runs all steps of a script. The transaction around it is the caller's.
pub(super) fn run(session: &Session, script: &Script, format: Format) -> Result<Vec<Outcome>, Fault> {
    let mut progress = Progress::new(script);
    session.guarded(|| {
        for step in &script.steps {
            let mut taker = progress.taker(step, format);
            execute(session, &progress, step, &mut taker, |_| Ok(()))?;
            progress.push(taker);
        }
        Ok::<(), Fault>(())
    })?;
    Ok(progress.finish())
}

/// Runs all steps of a script that reads. After every row of the last step `each` is called, which may take what was
/// written. All steps see one state of the database.
pub(super) fn read(
    session: &Session,
    script: &Script,
    format: Format,
    mut each: impl FnMut(&mut Taker, &[Outcome]) -> Result<(), Fault>,
) -> Result<(Vec<Outcome>, Outcome), Fault> {
    let Some((last, first)) = script.steps.split_last() else {
        return Ok((Vec::new(), Outcome::default()));
    };
    // A single statement is a transaction by itself. Where it needs one, that ends when it goes.
    let _transaction = match first {
        [] => None,
        _ => Some(Transaction::new_unchecked(
            &session.connection,
            TransactionBehavior::Deferred,
        )?),
    };
    let mut progress = Progress::new(script);
    let taker = session.guarded(|| {
        for step in first {
            let mut taker = progress.taker(step, format);
            execute(session, &progress, step, &mut taker, |_| Ok(()))?;
            progress.push(taker);
        }
        let mut taker = progress.taker(last, format);
        execute(session, &progress, last, &mut taker, |taker| {
            each(taker, progress.outcomes())
        })?;
        Ok::<Taker, Fault>(taker)
    })?;
    Ok((progress.finish(), taker.finish_alone()))
}

fn execute(
    session: &Session,
    progress: &Progress,
    step: &Step,
    taker: &mut Taker,
    mut each: impl FnMut(&mut Taker) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut statement = session.connection.prepare_cached(&step.statement.text)?;
    for values in std::iter::once(&step.statement.values).chain(&step.batch) {
        bind(&mut statement, progress, values)?;
        if statement.column_count() == 0 {
            let touched = statement.raw_execute()?;
            taker.touched(u64::try_from(touched).unwrap_or(u64::MAX))?;
            continue;
        }
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            taker.row(&SqliteRow(row))?;
            each(taker)?;
        }
    }
    session.counters.add(&step.statement.text, &statement);
    drop(statement);
    match judge(&step.expect, taker.rows()) {
        Verdict::Met => Ok(()),
        Verdict::Unmet(failure) => Err(failure.into()),
        Verdict::Depends(probe, found, missing) => {
            let there = finds_a_row(session, progress, probe)?;
            Err(if there { found } else { missing }.into())
        }
    }
}

/// How SQLite would execute a statement: a line for each part, indented by how deep it is in others.
pub(super) fn explain(session: &Session, statement: &Statement) -> Result<String, Error> {
    plan(session, &statement.text).map_err(|error| Fault::from(error).into_error())
}

/// The plan of a statement. It is the same for all values (see [`Session::new`]), so that none are bound.
pub(super) fn plan(session: &Session, text: &str) -> rusqlite::Result<String> {
    let mut prepared = session.connection.prepare(&format!("EXPLAIN QUERY PLAN {text}"))?;
    let mut rows = prepared.raw_query();
    let mut depths = HashMap::from([(0, 0)]);
    let mut plan = String::new();
    while let Some(row) = rows.next()? {
        let (id, parent): (i64, i64) = (row.get(0)?, row.get(1)?);
        let depth = depths.get(&parent).copied().unwrap_or_default();
        depths.insert(id, depth + 1);
        plan.push_str(&"  ".repeat(depth));
        plan.push_str(row.get_ref(3)?.as_str()?);
        plan.push('\n');
    }
    Ok(plan)
}

fn finds_a_row(session: &Session, progress: &Progress, probe: &Statement) -> Result<bool, Fault> {
    let mut statement = session.connection.prepare_cached(&probe.text)?;
    bind(&mut statement, progress, &probe.values)?;
    let found = statement.raw_query().next()?.is_some();
    Ok(found)
}

fn bind(statement: &mut rusqlite::Statement<'_>, progress: &Progress, values: &[Value]) -> Result<(), Fault> {
    if statement.parameter_count() != values.len() {
        // Bound by place: with one too few, it would run with what the last caller bound.
        return Err(rusqlite::Error::InvalidParameterCount(values.len(), statement.parameter_count()).into());
    }
    for (place, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(place + 1, Bound(progress.value(value)?))?;
    }
    Ok(())
}

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let borrowed = ToSqlOutput::Borrowed;
        Ok(match &*self.0 {
            // What stands for something was resolved before.
            Value::Null | Value::Of { .. } | Value::AllOf { .. } => borrowed(ValueRef::Null),
            Value::Boolean(truth) => borrowed(ValueRef::Integer(i64::from(*truth))),
            Value::Integer(number) => borrowed(ValueRef::Integer(*number)),
            Value::Real(number) => borrowed(ValueRef::Real(*number)),
            Value::Text(text) | Value::Json(text) => borrowed(ValueRef::Text(text.as_bytes())),
            Value::Bytes(bytes) => borrowed(ValueRef::Blob(bytes)),
            Value::List(values) => ToSqlOutput::Owned(script::json_list(values).into()),
        })
    }
}

impl Row for SqliteRow<'_, '_> {
    fn cell(&self, place: usize) -> Cell<'_> {
        match self.0.get_ref(place) {
            Ok(ValueRef::Integer(number)) => Cell::Integer(number),
            Ok(ValueRef::Real(number)) => Cell::Real(number),
            Ok(ValueRef::Text(text)) => Cell::Text(text),
            Ok(ValueRef::Blob(bytes)) => Cell::Bytes(bytes),
            Ok(ValueRef::Null) | Err(_) => Cell::Null,
        }
    }

    fn names(&self) -> Vec<(String, Type)> {
        let names = self.0.as_ref().column_names();
        names.into_iter().map(|name| (name.to_owned(), Type::Any)).collect()
    }
}
