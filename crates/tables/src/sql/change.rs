//! A change to the steps that make it: which statements, what must come of each, and which of them is the answer.
//!
//! A statement gives back what it wrote (`RETURNING`) where the engine can do that. Elsewhere, and where the answer shows
//! rows of other tables too, a further step reads it by the keys that an earlier one gave. MariaDB knows no `UPDATE …
//! RETURNING`: the rows are found and locked, changed, and read. MySQL knows none at all: what is written there is read by
//! its key, as far as that is known.

mod assign;
mod document;
mod insert;
mod insertion;
mod keys;
mod put;
mod returned;
mod touch;

use portcullis_core::Result;

use self::returned::Wanted;
use super::dialect::Dialect;
use super::write::{Writer, unsupported};
use super::{RowForm, exists, read};
use crate::api::{Api, Resource};
use crate::change::{Action, Change, Condition};
use crate::query::{Field, Filter, Item, Read, Test};
use crate::schema::Relation;
use crate::statement::{Expect, Failure, Fewer, Outcome, Statement, Step};
use crate::value::Value;

/// The steps of a change, and where to find in their outcomes what the answer needs. Places are those in the whole script.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// The step whose body is what the answer shows, and whose rows are counted.
    pub answer: usize,
    /// The step whose hidden outputs are the primary key's columns, then the version column where there is one, then those
    /// of [`Change::keep`]. Where nothing needs them (a bulk change that shows nothing) it has none.
    pub hidden: usize,
    /// Whether a row came to be.
    pub made: Made,
}

/// Whether a PUT made a row, which is 201 and not 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// None did, or could.
    No,
    /// One did, where all went well.
    Yes,
    /// One did, unless the step at that place found a row.
    Unless(usize),
}

impl Made {
    /// Whether a row was made, by what the script's steps came to.
    pub fn is_true(self, outcomes: &[Outcome]) -> bool {
        match self {
            Made::No => false,
            Made::Yes => true,
            Made::Unless(step) => outcomes.get(step).is_none_or(|outcome| outcome.rows == 0),
        }
    }
}

/// The key of a row and its version, out of the hidden outputs of the step that has them ([`Changes::hidden`]): each where rows
/// have one that can be told.
pub fn key_and_version<'v>(resource: &Resource, hidden: &'v [Value]) -> (Option<&'v [Value]>, Option<&'v Value>) {
    let keys = resource.relation.primary_key.len();
    let key = hidden.get(..keys).filter(|_| !resource.key.is_empty());
    (key, resource.version.and_then(|_| hidden.get(keys)))
}

/// The steps of a change that come from the place `first_step` on in their script.
///
/// # Errors
/// `bad_query` where the engine, or the table without a primary key, can't do what is asked for.
pub fn change(api: &Api, change: &Change, form: RowForm, first_step: usize) -> Result<Changes> {
    let plan = Plan::new(api, change, form, first_step);
    match &change.action {
        Action::Insert {
            columns,
            rows,
            conflict,
        } => plan.insert(columns, rows, conflict.as_ref()),
        Action::Update { values, filter } => plan.update(values, filter.as_ref()),
        Action::Put { values } => plan.put(values),
        Action::Delete { filter } => plan.delete(filter.as_ref()),
    }
}

/// A change that is being planned.
struct Plan<'c> {
    api: &'c Api,
    change: &'c Change,
    resource: &'c Resource,
    relation: &'c Relation,
    dialect: Dialect,
    form: RowForm,
    first: usize,
    steps: Vec<Step>,
}

impl<'c> Plan<'c> {
    fn new(api: &'c Api, change: &'c Change, form: RowForm, first: usize) -> Plan<'c> {
        let resource = &api.resources()[change.resource];
        Plan {
            api,
            change,
            resource,
            relation: &resource.relation,
            dialect: Dialect::of(api.schema().engine()),
            form,
            first,
            steps: Vec::new(),
        }
    }

    /// Adds a step and gives its place in the script.
    fn push(&mut self, statement: Statement, expect: Expect) -> usize {
        self.push_batch(statement, Vec::new(), expect)
    }

    fn push_batch(&mut self, statement: Statement, batch: Vec<Vec<Value>>, expect: Expect) -> usize {
        self.steps.push(Step {
            statement,
            batch,
            expect,
        });
        self.first + self.steps.len() - 1
    }

    fn writer(&self) -> Writer<'c> {
        Writer::new(self.api)
    }

    /// The changes, where the step at `written` gives hidden outputs, and what is shown unless rows of other tables are.
    fn finish(mut self, written: usize, made: Made) -> Result<Changes> {
        let answer = if self.shows_others() {
            self.read_back(written)?
        } else {
            written
        };
        Ok(Changes {
            steps: self.steps,
            answer,
            hidden: written,
            made,
        })
    }

    /// Whether the answer shows rows of other tables, which no statement that writes can give.
    fn shows_others(&self) -> bool {
        let items = self.change.shown.as_deref().unwrap_or_default();
        items.iter().any(|item| matches!(item, Item::Embed(_)))
    }

    /// Reads what the answer shows of the rows that the step at `written` gave.
    fn read_back(&mut self, written: usize) -> Result<usize> {
        let filter = self.keys_of(written, &[])?;
        let statement = self.read_shown(Some(filter), None)?;
        Ok(self.push(statement, Expect::anything()))
    }

    fn read_shown(&self, filter: Option<Filter>, rule: Option<Filter>) -> Result<Statement> {
        let items = self.change.shown.clone().unwrap_or_default();
        let shown = Read::all(self.change.resource, items, filter, rule);
        read(self.api, &shown, self.form)
    }

    /// The rows with the keys that the step at `step` gave. Of columns in `given` the values are known, and may not be
    /// what they were then.
    fn keys_of(&self, step: usize, given: &[(usize, Value)]) -> Result<Filter> {
        let key = &self.relation.primary_key;
        if key.is_empty() {
            return Err(unsupported(
                "the table has no primary key, by which its rows could be read again",
            ));
        }
        let (mut columns, mut filters) = (Vec::new(), Vec::new());
        for (output, column) in key.iter().enumerate() {
            match given.iter().find(|(place, _)| place == column) {
                Some((_, value)) => filters.push(Filter::equal(*column, value.clone())),
                None => columns.push((*column, output)),
            }
        }
        if !columns.is_empty() {
            filters.push(Filter::Keys { columns, step });
        }
        Ok(Filter::And(filters))
    }

    /// The rows that are meant: those the caller may see, that pass the filter, and whose version is the one asked for.
    fn target(&self, filter: Option<&Filter>) -> Option<Filter> {
        let mut all: Vec<Filter> = self.change.rule.iter().chain(filter).cloned().collect();
        if let Condition::Version(versions) = &self.change.condition {
            all.push(match self.resource.version {
                Some(column) => Filter::Test {
                    field: Field::of(column),
                    test: Test::In(versions.clone()),
                },
                None => Filter::Or(Vec::new()),
            });
        }
        match all.len() {
            0 | 1 => all.pop(),
            _ => Some(Filter::And(all)),
        }
    }

    /// What must come of a step that changes the rows that are meant.
    fn expected(&self, filter: Option<&Filter>) -> Result<Expect> {
        let fewer = match self.change.condition {
            Condition::Version(_) => Fewer::Depends {
                probe: exists(
                    self.api,
                    self.change.resource,
                    &self.change.rule.iter().chain(filter).collect::<Vec<_>>(),
                )?,
                found: Failure::PreconditionFailed,
                missing: Failure::NotFound,
            },
            // RFC 9110 §13.2.1: a condition has no say where the answer would be 404 without it.
            Condition::None | Condition::Present | Condition::Absent => Fewer::Fails(Failure::NotFound),
        };
        Ok(Expect {
            least: u64::from(self.change.single),
            fewer: Box::new(fewer),
            most: self.change.max_affected,
        })
    }

    /// ` WHERE` and the condition, where there is one.
    fn matching(&self, writer: &mut Writer<'c>, target: Option<&Filter>) -> Result<()> {
        match target {
            None => Ok(()),
            Some(target) => {
                writer.words(" WHERE ");
                writer.filter(self.change.resource, None, target)
            }
        }
    }

    /// Rows as they are, locked for what follows where the engine lets others write meanwhile.
    fn select(&self, wanted: Wanted, target: Option<&Filter>) -> Result<Statement> {
        let mut writer = self.writer();
        writer.words("SELECT ");
        let outputs = self.returned(&mut writer, None, wanted)?;
        writer.words(" FROM ").relation(self.relation);
        self.matching(&mut writer, target)?;
        if self.dialect != Dialect::Sqlite {
            writer.words(" FOR UPDATE");
        }
        Ok(writer.finish(outputs))
    }

    /// The row with that key.
    fn by_key(&self, columns: &[usize], value: impl Fn(usize) -> Value) -> Filter {
        Filter::And(
            columns
                .iter()
                .map(|column| Filter::equal(*column, value(*column)))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests;
