//! New rows.

use portcullis_core::Result;

use super::assign::To;
use super::returned::Wanted;
use super::{Changes, Made, Plan};
use crate::change::Conflict;
use crate::query::Filter;
use crate::sql::dialect::Dialect;
use crate::sql::write::unsupported;
use crate::statement::{Expect, Failure, Fewer, Statement};
use crate::value::Value;

/// New rows, with the columns left out that get their default in all of them.
pub(super) struct NewRows<'v> {
    /// The columns that get values, and whether some rows have none for it.
    pub(super) columns: Vec<(usize, bool)>,
    /// The values of each row, in the order of the columns.
    pub(super) rows: Vec<Vec<Option<&'v Value>>>,
    /// The version column, where it needs a first value.
    pub(super) version: Option<usize>,
}

/// What happens to a new row that meets one with the same key.
#[derive(Clone, Copy)]
pub(super) enum Meeting<'m> {
    /// That is a failure.
    Fail,
    /// It is dropped.
    Ignore(&'m [usize]),
    /// The one that is there gets these values, where the caller may see it.
    Merge(&'m [usize], &'m [(usize, To<'m>)]),
}

impl<'v> NewRows<'v> {
    fn new(plan: &Plan<'_>, columns: &[usize], rows: &'v [Vec<Option<Value>>]) -> NewRows<'v> {
        let given = |slot: usize| {
            rows.iter()
                .filter(|row| row.get(slot).is_some_and(Option::is_some))
                .count()
        };
        let slots: Vec<usize> = (0..columns.len()).filter(|slot| given(*slot) > 0).collect();
        let row = |row: &'v Vec<Option<Value>>| slots.iter().map(|slot| row.get(*slot)?.as_ref()).collect();
        NewRows {
            columns: slots
                .iter()
                .map(|slot| (columns[*slot], given(*slot) < rows.len()))
                .collect(),
            rows: rows.iter().map(row).collect(),
            version: NewRows::version(plan, columns),
        }
    }

    /// One row.
    pub(super) fn one(plan: &Plan<'_>, values: &'v [(usize, Value)]) -> NewRows<'v> {
        let columns: Vec<usize> = values.iter().map(|(column, _)| *column).collect();
        NewRows {
            version: NewRows::version(plan, &columns),
            columns: columns.into_iter().map(|column| (column, false)).collect(),
            rows: vec![values.iter().map(|(_, value)| Some(value)).collect()],
        }
    }

    fn version(plan: &Plan<'_>, columns: &[usize]) -> Option<usize> {
        let version = plan.resource.version.filter(|version| !columns.contains(version))?;
        let column = &plan.relation.columns[version];
        (column.default.is_none() && !column.generated).then_some(version)
    }

    /// A row's value of a column; NULL where it has none.
    pub(super) fn value(&self, row: &[Option<&Value>], column: usize) -> Value {
        let slot = self.columns.iter().position(|(place, _)| *place == column);
        slot.and_then(|slot| row[slot]).cloned().unwrap_or(Value::Null)
    }
}

impl<'c> Plan<'c> {
    /// The insertion of rows.
    pub(super) fn insert(
        self,
        columns: &[usize],
        rows: &[Vec<Option<Value>>],
        conflict: Option<&Conflict>,
    ) -> Result<Changes> {
        let rows = NewRows::new(&self, columns, rows);
        let Some(conflict) = conflict else {
            return self.insert_rows(&rows, Meeting::Fail, Expect::anything(), Made::Yes);
        };
        let key = &conflict.columns;
        if !self.relation.is_key(key) {
            return Err(unsupported("`on_conflict`: the columns are no key of the table"));
        }
        if !conflict.merge {
            return self.insert_rows(&rows, Meeting::Ignore(key), Expect::anything(), Made::Yes);
        }
        let others = rows.columns.iter().filter(|(column, _)| !key.contains(column));
        let mut sets: Vec<(usize, To<'_>)> = others.map(|(column, _)| (*column, To::Excluded)).collect();
        if sets.is_empty() {
            // Nothing else is given: a row that is there gives what it has.
            sets.extend(key.first().map(|column| (*column, To::Excluded)));
        } else {
            sets.extend(self.resource.version.map(|version| (version, To::Next)));
        }
        let all = Expect {
            least: rows.rows.len() as u64,
            fewer: Box::new(Fewer::Fails(Failure::Forbidden)),
            most: u64::MAX,
        };
        if self.merges_in_one(key) {
            return self.insert_rows(&rows, Meeting::Merge(key, &sets), all, Made::Yes);
        }
        let keyed = |(column, _): &&(usize, bool)| key.contains(column);
        match rows.columns.iter().filter(keyed).collect::<Vec<_>>().as_slice() {
            // Without a key no row can meet another one.
            [] => self.insert_rows(&rows, Meeting::Fail, Expect::anything(), Made::Yes),
            given if given.len() == key.len() && given.iter().all(|(_, mixed)| !mixed) => {
                let key = key.clone();
                self.merge_by_steps(&rows, &key, &sets, Made::Yes)
            }
            _ => Err(unsupported(
                "`on_conflict`: its columns must be given for all rows, or for none",
            )),
        }
    }

    /// Whether one statement can insert or change. MariaDB's looks at every key of the table, and at no rule: there that
    /// is so where there is no other key and no rule.
    fn merges_in_one(&self, key: &[usize]) -> bool {
        let same = |other: &[usize]| other.len() == key.len() && other.iter().all(|column| key.contains(column));
        let relation = self.relation;
        match self.dialect {
            Dialect::Sqlite | Dialect::Postgres => true,
            Dialect::MariaDb { mysql } => {
                let primary = relation.primary_key.is_empty() || same(&relation.primary_key);
                let only = primary && relation.unique.iter().all(|unique| same(unique));
                !mysql && only && self.change.rule.is_none()
            }
        }
    }

    /// Inserts in one step.
    pub(super) fn insert_rows(
        mut self,
        rows: &NewRows<'_>,
        meeting: Meeting<'_>,
        expect: Expect,
        made: Made,
    ) -> Result<Changes> {
        let mysql = self.dialect == (Dialect::MariaDb { mysql: true });
        let wanted = if mysql { Wanted::NOTHING } else { self.wanted() };
        let as_json = self.dialect == Dialect::Postgres && rows.rows.len() > 1 && self.fits_json(rows);
        let written = if as_json {
            let statement = self.insert_json(rows, meeting, wanted)?;
            self.push(statement, expect)
        } else {
            let (statement, batch) = self.each(rows, |plan, row| plan.insert_one(rows, row, meeting, wanted))?;
            self.push_batch(statement, batch, expect)
        };
        if !mysql {
            return self.finish(written, made);
        }
        match self.read_inserted(rows)? {
            Some(written) => self.finish(written, made),
            None => Ok(Changes {
                steps: self.steps,
                answer: written,
                hidden: written,
                made,
            }),
        }
    }

    /// Inserts or changes in several steps: rows that are there are locked; those the caller may see are changed; rows
    /// that aren't there are inserted; all are read and checked, so that one that was left alone is a refusal.
    pub(super) fn merge_by_steps(
        mut self,
        rows: &NewRows<'_>,
        key: &[usize],
        sets: &[(usize, To<'_>)],
        made: Made,
    ) -> Result<Changes> {
        let of_row = |plan: &Plan<'c>, row: &[Option<&Value>]| plan.by_key(key, |column| rows.value(row, column));
        let (statement, batch) = self.each(rows, |plan, row| plan.select(Wanted::NOTHING, Some(&of_row(plan, row))))?;
        self.push_batch(statement, batch, Expect::anything());
        // A table of nothing but its key has nothing to change in a row that is there.
        if !sets.is_empty() {
            self.set_each(rows, key, sets)?;
        }
        let (statement, batch) = self.each(rows, |plan, row| {
            plan.insert_one(rows, row, Meeting::Ignore(key), Wanted::NOTHING)
        })?;
        self.push_batch(statement, batch, Expect::anything());
        let (statement, batch) = self.each(rows, |plan, row| plan.select(plan.wanted(), Some(&of_row(plan, row))))?;
        let all = Expect {
            least: rows.rows.len() as u64,
            fewer: Box::new(Fewer::Fails(Failure::Forbidden)),
            most: u64::MAX,
        };
        let written = self.push_batch(statement, batch, all);
        self.finish(written, made)
    }

    /// Gives the rows that are there their new values.
    fn set_each(&mut self, rows: &NewRows<'_>, key: &[usize], sets: &[(usize, To<'_>)]) -> Result<()> {
        let (statement, batch) = self.each(rows, |plan, row| {
            let values: Vec<(usize, Value)> = sets
                .iter()
                .map(|(column, _)| (*column, rows.value(row, *column)))
                .collect();
            let sets: Vec<(usize, To<'_>)> = sets
                .iter()
                .zip(&values)
                .map(|((column, to), (_, value))| match to {
                    To::Excluded => (*column, To::Value(value)),
                    to => (*column, *to),
                })
                .collect();
            let of_row = plan.by_key(key, |column| rows.value(row, column));
            let all = plan.change.rule.iter().cloned().chain([of_row]).collect();
            plan.set_statement(&sets, Some(&Filter::And(all)), Wanted::NOTHING)
        })?;
        self.push_batch(statement, batch, Expect::anything());
        Ok(())
    }

    /// A statement that is the same for all rows but for its values: that of the first row, and the values of the others.
    fn each(
        &self,
        rows: &NewRows<'_>,
        write: impl Fn(&Plan<'c>, &[Option<&Value>]) -> Result<Statement>,
    ) -> Result<(Statement, Vec<Vec<Value>>)> {
        let first = write(self, rows.rows.first().map(Vec::as_slice).unwrap_or_default())?;
        let mut batch = Vec::with_capacity(rows.rows.len().saturating_sub(1));
        for row in rows.rows.iter().skip(1) {
            let statement = write(self, row)?;
            debug_assert_eq!(statement.text, first.text, "the text depends on the shape only");
            batch.push(statement.values);
        }
        Ok((first, batch))
    }

    /// Reads what MySQL inserted: by the key where it was given, or by the number that it gave to the one row. `None` where
    /// neither is known, and nobody asked.
    fn read_inserted(&mut self, rows: &NewRows<'_>) -> Result<Option<usize>> {
        let key = &self.relation.primary_key;
        let given = |column: &usize| rows.columns.iter().any(|(place, mixed)| place == column && !mixed);
        if !key.is_empty() && key.iter().all(given) {
            let of_row = |plan: &Plan<'c>, row: &[Option<&Value>]| plan.by_key(key, |column| rows.value(row, column));
            let (statement, batch) =
                self.each(rows, |plan, row| plan.select(plan.wanted(), Some(&of_row(plan, row))))?;
            return Ok(Some(self.push_batch(statement, batch, Expect::anything())));
        }
        if let ([column], 1) = (key.as_slice(), rows.rows.len()) {
            let mut writer = self.writer();
            writer.words("SELECT ");
            let outputs = self.returned(&mut writer, None, self.wanted())?;
            writer.words(" FROM ").relation(self.relation).words(" WHERE ");
            writer
                .identifier(&self.relation.columns[*column].name)
                .words(" = LAST_INSERT_ID()");
            let statement = writer.finish(outputs);
            return Ok(Some(self.push(statement, Expect::anything())));
        }
        if self.change.shown.is_some() || self.change.rule.is_some() || !self.change.keep.is_empty() {
            return Err(unsupported(
                "MySQL tells nothing of several new rows whose keys it makes: send the keys, or one row",
            ));
        }
        Ok(None)
    }

    /// Whether all values can stand in one JSON document: those that earlier steps give can't, since only the driver
    /// knows them.
    fn fits_json(&self, rows: &NewRows<'_>) -> bool {
        let known = |value: &Value| !matches!(value, Value::Of { .. } | Value::AllOf { .. });
        !rows.columns.is_empty() && rows.rows.iter().flatten().flatten().all(|value| known(value))
    }
}
