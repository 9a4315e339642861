//! One row as a whole, by its primary key.

use portcullis_core::Result;

use super::assign::To;
use super::insert::{Meeting, NewRows};
use super::returned::Wanted;
use super::{Changes, Made, Plan};
use crate::change::Condition;
use crate::sql::dialect::Dialect;
use crate::sql::write::unsupported;
use crate::statement::{Expect, Failure, Fewer};
use crate::value::Value;

impl Plan<'_> {
    /// The row is made, or gets these values and defaults for the rest.
    pub(super) fn put(mut self, values: &[(usize, Value)]) -> Result<Changes> {
        let key = self.relation.primary_key.clone();
        let given = |column: usize| {
            values
                .iter()
                .find(|(place, _)| *place == column)
                .map(|(_, value)| value)
        };
        if key.is_empty() || !key.iter().all(|column| given(*column).is_some()) {
            return Err(unsupported("the whole primary key is needed to put a row"));
        }
        let filter = self.by_key(&key, |column| given(column).cloned().unwrap_or(Value::Null));
        let others = self.resource.writable.iter().filter(|column| {
            !key.contains(column)
                && Some(**column) != self.resource.version
                && !self.relation.columns[**column].generated
        });
        let mut sets: Vec<(usize, To<'_>)> = others
            .map(|column| (*column, given(*column).map_or(To::Default, To::Value)))
            .collect();
        sets.extend(self.resource.version.map(|version| (version, To::Next)));
        match self.change.condition {
            Condition::Present | Condition::Version(_) => {
                // What is not there has no version, and there would be 201 without the condition.
                let expect = one_or(Failure::PreconditionFailed);
                if sets.is_empty() {
                    let wanted = Wanted {
                        checked: false,
                        ..self.wanted()
                    };
                    let statement = self.select(wanted, self.target(Some(&filter)).as_ref())?;
                    let written = self.push(statement, expect);
                    return self.finish(written, Made::No);
                }
                self.set(&sets, &[], Some(&filter), expect)
            }
            Condition::Absent => {
                let rows = NewRows::one(&self, values);
                self.insert_rows(
                    &rows,
                    Meeting::Ignore(&key),
                    one_or(Failure::PreconditionFailed),
                    Made::Yes,
                )
            }
            Condition::None => {
                let probe = self.select(Wanted::NOTHING, Some(&filter))?;
                let found = self.push(probe, Expect::anything());
                let rows = NewRows::one(&self, values);
                if matches!(self.dialect, Dialect::MariaDb { .. }) {
                    return self.merge_by_steps(&rows, &key, &sets, Made::Unless(found));
                }
                let mut sets: Vec<(usize, To<'_>)> = sets
                    .into_iter()
                    .map(|(column, to)| (column, if matches!(to, To::Next) { to } else { To::Excluded }))
                    .collect();
                if sets.is_empty() {
                    // A row that is all key stays as it is; but it must be touched to be seen.
                    sets.push((key[0], To::Excluded));
                }
                // A row that the caller may not see is left as it is, and gives nothing.
                self.insert_rows(
                    &rows,
                    Meeting::Merge(&key, &sets),
                    one_or(Failure::Forbidden),
                    Made::Unless(found),
                )
            }
        }
    }
}

fn one_or(failure: Failure) -> Expect {
    Expect {
        least: 1,
        fewer: Box::new(Fewer::Fails(failure)),
        most: 1,
    }
}
