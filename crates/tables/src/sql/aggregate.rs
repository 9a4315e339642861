//! Computations over groups: all parts that are none are what rows are grouped by.

use portcullis_core::Result;

use super::dialect::{Dialect, operator};
use super::field::Operand;
use super::frame::Frame;
use super::part::Part;
use super::write::{Writer, unsupported};
use crate::query::{Aggregate, Having, Item};
use crate::schema::{Cast, Type};

/// A computation over the rows of a group.
#[derive(Clone, Copy)]
pub(super) struct Computation<'q> {
    function: Aggregate,
    operand: Option<Operand<'q>>,
    inner_cast: Option<Cast>,
    cast: Option<Cast>,
}

impl<'q> Computation<'q> {
    /// The computation that an item is.
    pub(super) fn of(frame: &Frame<'q>, item: &'q Item) -> Option<Computation<'q>> {
        let Item::Aggregate {
            function,
            field,
            inner_cast,
            cast,
            ..
        } = item
        else {
            return None;
        };
        let operand = |field| Operand {
            alias: Some(frame.alias),
            relation: frame.relation,
            field,
        };
        Some(Computation {
            function: *function,
            operand: field.as_ref().map(operand),
            inner_cast: *inner_cast,
            cast: *cast,
        })
    }

    /// What it computes from.
    fn input(&self) -> Option<Type> {
        self.inner_cast
            .map(Cast::kind)
            .or_else(|| self.operand.map(Operand::kind))
    }

    /// What it gives.
    pub(super) fn kind(&self) -> Type {
        self.cast.map_or_else(|| self.own_kind(), Cast::kind)
    }

    fn own_kind(&self) -> Type {
        match (self.function, self.input()) {
            (Aggregate::Count, _) => Type::Integer {
                bytes: 8,
                unsigned: false,
            },
            (Aggregate::Sum | Aggregate::Average, Some(Type::Real)) => Type::Real,
            (Aggregate::Sum | Aggregate::Average, Some(Type::Interval)) => Type::Interval,
            (Aggregate::Sum | Aggregate::Average, _) => Type::Decimal,
            (Aggregate::Minimum | Aggregate::Maximum, kind) => kind.unwrap_or(Type::Any),
        }
    }

    /// Refuses what no engine, or only some, would compute.
    fn check(&self, dialect: Dialect) -> Result<()> {
        let Some(input) = self.input() else {
            return if self.function == Aggregate::Count {
                Ok(())
            } else {
                Err(unsupported("`select`: only `count` goes without a column"))
            };
        };
        let number = matches!(
            input,
            Type::Integer { .. } | Type::Real | Type::Decimal | Type::Numeric | Type::Any
        );
        let ordered = number
            || matches!(
                input,
                Type::Text
                    | Type::Date
                    | Type::Time
                    | Type::Timestamp
                    | Type::Moment
                    | Type::Interval
                    | Type::Enumeration(_)
            );
        match self.function {
            Aggregate::Count => Ok(()),
            Aggregate::Sum | Aggregate::Average if number => Ok(()),
            Aggregate::Sum | Aggregate::Average if dialect == Dialect::Postgres && input == Type::Interval => Ok(()),
            Aggregate::Minimum | Aggregate::Maximum if ordered => Ok(()),
            _ => Err(unsupported("`select`: this can't be computed of what the column holds")),
        }
    }
}

impl Writer<'_> {
    /// The computation.
    ///
    /// # Errors
    /// `bad_query` where it can't be computed of what the column holds.
    pub(super) fn computation(&mut self, computation: &Computation<'_>) -> Result<()> {
        computation.check(self.dialect())?;
        match computation.cast {
            None => self.bare_computation(computation),
            Some(cast) => {
                let kind = computation.own_kind();
                self.cast(cast, &kind, |writer| writer.bare_computation(computation))
            }
        }
    }

    fn bare_computation(&mut self, computation: &Computation<'_>) -> Result<()> {
        self.words(match computation.function {
            Aggregate::Count => "count(",
            Aggregate::Sum => "sum(",
            Aggregate::Average => "avg(",
            Aggregate::Minimum => "min(",
            Aggregate::Maximum => "max(",
        });
        match (computation.operand, computation.inner_cast) {
            (None, _) => {
                self.words("*");
            }
            (Some(operand), None) => {
                self.operand(operand);
            }
            (Some(operand), Some(cast)) => self.cast(cast, &operand.kind(), |writer| {
                writer.operand(operand);
                Ok(())
            })?,
        }
        // The mean of whole numbers has four decimals only in MariaDB, unless it is one of binary numbers.
        let whole = matches!(computation.input(), Some(Type::Integer { .. }));
        if computation.function == Aggregate::Average && whole && matches!(self.dialect(), Dialect::MariaDb { .. }) {
            self.words(" + 0e0");
        }
        self.words(")");
        Ok(())
    }

    /// ` GROUP BY` the positions of all parts that are no computation, and ` HAVING`.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn groups(&mut self, frame: &Frame<'_>, parts: &[Part<'_>]) -> Result<()> {
        self.groups_with(frame, parts, 0)
    }

    /// The same where that many columns behind the parts belong to the groups too.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn groups_with(&mut self, frame: &Frame<'_>, parts: &[Part<'_>], behind: usize) -> Result<()> {
        let mut separator = " GROUP BY ";
        let grouped = (0..parts.len()).filter(|place| !parts[*place].is_computed());
        for place in grouped.chain(parts.len()..parts.len() + behind) {
            self.words(separator).position(place);
            separator = ", ";
        }
        if let Some(having) = &frame.read.having {
            self.words(" HAVING ");
            self.having(frame, having)?;
        }
        Ok(())
    }

    fn having(&mut self, frame: &Frame<'_>, having: &Having) -> Result<()> {
        match having {
            Having::And(all) | Having::Or(all) if all.is_empty() => {
                self.words(if matches!(having, Having::And(_)) {
                    "TRUE"
                } else {
                    "FALSE"
                });
            }
            Having::And(all) | Having::Or(all) => {
                let separator = if matches!(having, Having::And(_)) {
                    " AND "
                } else {
                    " OR "
                };
                self.words("(");
                self.list(separator, all, |writer, having| writer.having(frame, having))?;
                self.words(")");
            }
            Having::Not(having) => {
                self.words("(NOT ");
                self.having(frame, having)?;
                self.words(")");
            }
            Having::Test(item, comparison, value) => {
                let computation = frame
                    .read
                    .items
                    .get(*item)
                    .and_then(|item| Computation::of(frame, item));
                let Some(computation) = computation else {
                    return Err(unsupported("`having`: it takes the name of a computation"));
                };
                self.words("(");
                self.computation(&computation)?;
                self.words(operator(*comparison)).value(value.clone()).words(")");
            }
        }
        Ok(())
    }
}
