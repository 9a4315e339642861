//! Other values in rows that are there, and rows that go.

use portcullis_core::Result;

use super::assign::To;
use super::returned::Wanted;
use super::{Changes, Made, Plan};
use crate::query::Filter;
use crate::sql::dialect::Dialect;
use crate::sql::write::unsupported;
use crate::statement::{Expect, Failure, Fewer, Statement};
use crate::value::Value;

impl Plan<'_> {
    /// The change of the rows that pass the filter.
    pub(super) fn update(self, values: &[(usize, Value)], filter: Option<&Filter>) -> Result<Changes> {
        let mut sets: Vec<(usize, To<'_>)> = values.iter().map(|(place, value)| (*place, To::Value(value))).collect();
        if sets.is_empty() {
            return self.look(filter);
        }
        sets.extend(self.resource.version.map(|version| (version, To::Next)));
        let expect = self.expected(filter)?;
        self.set(&sets, values, filter, expect)
    }

    /// Sets columns of the rows that pass the filter.
    pub(super) fn set(
        mut self,
        sets: &[(usize, To<'_>)],
        values: &[(usize, Value)],
        filter: Option<&Filter>,
        expect: Expect,
    ) -> Result<Changes> {
        let target = self.target(filter);
        if !matches!(self.dialect, Dialect::MariaDb { .. }) {
            let statement = self.set_statement(sets, target.as_ref(), self.wanted())?;
            let written = self.push(statement, expect);
            return self.finish(written, Made::No);
        }
        if self.relation.primary_key.is_empty() {
            if self.change.shown.is_some() || self.change.rule.is_some() || !self.change.keep.is_empty() {
                return Err(unsupported(
                    "the table has no primary key, by which changed rows could be read again",
                ));
            }
            let statement = self.set_statement(sets, target.as_ref(), Wanted::NOTHING)?;
            let written = self.push(statement, expect);
            return self.finish(written, Made::No);
        }
        // A count of changed rows says nothing of rows that had the values already: those that are found are counted.
        let found = self.select(Wanted::KEYS, target.as_ref())?;
        let found = self.push(found, expect);
        let keys = self.keys_of(found, &[])?;
        let statement = self.set_statement(sets, Some(&keys), Wanted::NOTHING)?;
        self.push(statement, Expect::anything());
        let keys = self.keys_of(found, values)?;
        let statement = self.select(self.wanted(), Some(&keys))?;
        // A key that the column rounds is not found by what was given. Then nobody knows whether the rule holds.
        let is_moved = values
            .iter()
            .any(|(column, _)| self.relation.primary_key.contains(column));
        let expect = Expect {
            least: u64::from(is_moved && self.change.rule.is_some()),
            fewer: Box::new(Fewer::Fails(Failure::Forbidden)),
            most: u64::MAX,
        };
        let written = self.push(statement, expect);
        self.finish(written, Made::No)
    }

    /// A patch that names nothing changes nothing (RFC 7396 §2), but its rows must be there.
    fn look(mut self, filter: Option<&Filter>) -> Result<Changes> {
        let expect = self.expected(filter)?;
        let wanted = Wanted {
            checked: false,
            ..self.wanted()
        };
        let statement = self.select(wanted, self.target(filter).as_ref())?;
        let written = self.push(statement, expect);
        self.finish(written, Made::No)
    }

    /// The removal of the rows that pass the filter.
    pub(super) fn delete(mut self, filter: Option<&Filter>) -> Result<Changes> {
        let target = self.target(filter);
        let expect = self.expected(filter)?;
        let wanted = Wanted {
            checked: false,
            ..self.wanted()
        };
        if self.dialect == (Dialect::MariaDb { mysql: true }) && !self.relation.primary_key.is_empty() {
            let found = self.select(wanted, target.as_ref())?;
            let found = self.push(found, expect);
            let answer = if self.shows_others() {
                self.read_back(found)?
            } else {
                found
            };
            let keys = self.keys_of(found, &[])?;
            let statement = self.delete_statement(Some(&keys), Wanted::NOTHING)?;
            self.push(statement, Expect::anything());
            return Ok(Changes {
                steps: self.steps,
                answer,
                hidden: found,
                made: Made::No,
            });
        }
        // What is gone can't be read any more.
        let shown = if self.shows_others() {
            let statement = self.read_shown(target.clone(), None)?;
            Some(self.push(statement, Expect::anything()))
        } else {
            None
        };
        let statement = self.delete_statement(target.as_ref(), wanted)?;
        let gone = self.push(statement, expect);
        Ok(Changes {
            steps: self.steps,
            answer: shown.unwrap_or(gone),
            hidden: gone,
            made: Made::No,
        })
    }

    /// An UPDATE statement.
    pub(super) fn set_statement(
        &self,
        sets: &[(usize, To<'_>)],
        target: Option<&Filter>,
        wanted: Wanted,
    ) -> Result<Statement> {
        let mut writer = self.writer();
        writer.words("UPDATE ").relation(self.relation).words(" SET ");
        self.assignments(&mut writer, None, sets)?;
        self.matching(&mut writer, target)?;
        let outputs = self.returning(&mut writer, None, wanted)?;
        Ok(writer.finish(outputs))
    }

    fn delete_statement(&self, target: Option<&Filter>, wanted: Wanted) -> Result<Statement> {
        let mut writer = self.writer();
        writer.words("DELETE FROM ").relation(self.relation);
        self.matching(&mut writer, target)?;
        let wanted = if self.dialect == (Dialect::MariaDb { mysql: true }) {
            Wanted::NOTHING
        } else {
            wanted
        };
        let outputs = self.returning(&mut writer, None, wanted)?;
        Ok(writer.finish(outputs))
    }
}
