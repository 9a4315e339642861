//! The order of rows, which is total, and places in it.

use portcullis_core::Result;

use super::aggregate::Computation;
use super::dialect::Dialect;
use super::field::Operand;
use super::frame::Frame;
use super::part::{Part, Source, is_grouped};
use super::write::{Alias, Label, Writer, unsupported};
use crate::query::{Field, Item, Nulls, Order, OrderBy};
use crate::schema::{Identifier, Type};
use crate::value::Value;

/// A term of an order.
#[derive(Clone)]
pub(super) struct Term<'q> {
    pub(super) by: By<'q>,
    pub(super) descending: bool,
    pub(super) nulls: Nulls,
}

/// What a term goes by.
#[derive(Clone)]
pub(super) enum By<'q> {
    /// A field.
    Field(Operand<'q>, bool),
    /// A column that only the order has: a key's.
    Column(Alias, &'q Identifier, Type, bool),
    /// A computation, and the position of the part that it is.
    Computed(Computation<'q>, usize),
    /// A part of the answer, by its position, and the field that it is.
    Position(usize, Option<Operand<'q>>),
    /// A column that the statement within gave a name.
    Label(Alias, Label, bool),
}

impl Term<'_> {
    fn nullable(&self) -> bool {
        match self.by {
            By::Field(_, nullable) | By::Column(_, _, _, nullable) | By::Label(_, _, nullable) => nullable,
            By::Position(_, operand) => operand.is_none_or(Operand::nullable),
            By::Computed(..) => true,
        }
    }

    /// Whether NULLs come after everything.
    fn nulls_last(&self) -> bool {
        match self.nulls {
            Nulls::Largest => !self.descending,
            Nulls::First => false,
            Nulls::Last => true,
        }
    }

    /// What the term goes by holds.
    pub(super) fn kind(&self) -> Type {
        match &self.by {
            By::Field(operand, _) => operand.kind(),
            By::Column(_, _, kind, _) => kind.clone(),
            By::Computed(computation, _) => computation.kind(),
            By::Position(..) | By::Label(..) => Type::Any,
        }
    }

    /// The same term by a name that the statement within gave it.
    pub(super) fn labelled(&self, row: Alias, label: Label) -> Term<'static> {
        Term {
            by: By::Label(row, label, self.nullable()),
            descending: self.descending,
            nulls: self.nulls,
        }
    }

    /// The same term of a group, by the name that the statement within gave its part.
    pub(super) fn of_group(&self, row: Alias) -> Term<'static> {
        match self.by {
            By::Position(place, _) | By::Computed(_, place) => self.labelled(row, Label::Shown(place)),
            _ => self.labelled(row, Label::Shown(0)),
        }
    }

    /// The term of the opposite order.
    pub(super) fn reversed(self) -> Self {
        let nulls = if self.nulls_last() { Nulls::First } else { Nulls::Last };
        Term {
            by: self.by,
            descending: !self.descending,
            nulls,
        }
    }
}

impl<'a> Writer<'a> {
    /// The terms of the frame's order, with what makes it total.
    ///
    /// # Errors
    /// `bad_query` for an order by what is not there to order by.
    pub(super) fn terms<'q>(&self, frame: &'q Frame<'q>, parts: &[Part<'q>]) -> Result<Vec<Term<'q>>>
    where
        'a: 'q,
    {
        let grouped = is_grouped(frame);
        let mut terms = Vec::with_capacity(frame.read.order.len() + 1);
        for order in &frame.read.order {
            let by = if grouped {
                grouped_by(frame, parts, order)?
            } else {
                ungrouped_by(frame, order)?
            };
            terms.push(Term {
                by,
                descending: order.descending,
                nulls: order.nulls,
            });
        }
        let ascending = |by| Term {
            by,
            descending: false,
            nulls: Nulls::Largest,
        };
        if grouped {
            let ordered = |place| {
                terms
                    .iter()
                    .any(|term| matches!(term.by, By::Position(known, _) if known == place))
            };
            let computed = parts.iter().map(Part::is_computed);
            let rest: Vec<usize> = computed
                .enumerate()
                .filter(|(place, computed)| !computed && !ordered(*place))
                .map(|(place, _)| place)
                .collect();
            terms.extend(
                rest.into_iter()
                    .map(|place| ascending(By::Position(place, field_of(&parts[place])))),
            );
            return Ok(terms);
        }
        let relation = frame.relation;
        let keys = tie_break(&frame.read.order, &relation.primary_key);
        terms.extend(keys.map(|place| {
            let column = &relation.columns[place];
            ascending(By::Column(
                frame.alias,
                &column.name,
                column.kind.clone(),
                column.nullable,
            ))
        }));
        if relation.primary_key.is_empty()
            && let Some(rowid) = &relation.rowid
        {
            let kind = Type::Integer {
                bytes: 8,
                unsigned: false,
            };
            terms.push(ascending(By::Column(frame.alias, rowid, kind, false)));
        }
        Ok(terms)
    }

    /// What a term goes by.
    ///
    /// # Errors
    /// `bad_query` where it can't be computed.
    pub(super) fn term(&mut self, term: &Term<'_>) -> Result<()> {
        match &term.by {
            By::Field(operand, _) => {
                self.operand(*operand);
            }
            By::Column(alias, column, _, _) => {
                self.column(Some(*alias), column);
            }
            By::Computed(computation, _) => return self.computation(computation),
            By::Position(place, _) => {
                self.position(*place);
            }
            By::Label(row, label, _) => {
                self.labelled(*row, *label);
            }
        }
        Ok(())
    }

    /// ` ORDER BY` the terms.
    ///
    /// # Errors
    /// `bad_query` where a term can't be computed.
    pub(super) fn ordered(&mut self, terms: &[Term<'_>]) -> Result<()> {
        for (at, term) in terms.iter().enumerate() {
            self.words(if at == 0 { " ORDER BY " } else { ", " });
            self.ordered_term(term)?;
        }
        Ok(())
    }

    /// NULLs are placed by words only where there may be some and the engine has them elsewhere: an index that is
    /// sorted as the engine does it by itself can be used then.
    fn ordered_term(&mut self, term: &Term<'_>) -> Result<()> {
        let by_itself = match self.dialect() {
            Dialect::Postgres => !term.descending,
            Dialect::Sqlite | Dialect::MariaDb { .. } => term.descending,
        };
        let placed = term.nullable() && by_itself != term.nulls_last();
        if placed && matches!(self.dialect(), Dialect::MariaDb { .. }) {
            match term.by {
                // A position stands for a column only where it stands alone.
                By::Position(_, Some(operand)) => {
                    self.operand(operand);
                }
                By::Position(_, None) => {
                    self.words("0");
                }
                _ => self.term(term)?,
            }
            self.words(if term.nulls_last() {
                " IS NULL, "
            } else {
                " IS NOT NULL, "
            });
        }
        self.term(term)?;
        self.words(if term.descending { " DESC" } else { "" });
        if placed && !matches!(self.dialect(), Dialect::MariaDb { .. }) {
            self.words(if term.nulls_last() {
                " NULLS LAST"
            } else {
                " NULLS FIRST"
            });
        }
        Ok(())
    }

    /// Whether a row stands behind these values in the order.
    ///
    /// # Errors
    /// `bad_query` where there is not a value for each term.
    pub(super) fn behind(&mut self, terms: &[Term<'_>], values: &[Value]) -> Result<()> {
        if terms.len() != values.len() || terms.is_empty() {
            return Err(unsupported("`after`, `before`: the cursor belongs to another order"));
        }
        let plain = terms.iter().all(|term| !term.nullable());
        let one_way = terms.iter().all(|term| term.descending == terms[0].descending);
        // MariaDB finds no range of an index by comparisons of rows.
        if plain && one_way && (terms.len() == 1 || !matches!(self.dialect(), Dialect::MariaDb { .. })) {
            let many = terms.len() > 1;
            self.words(if many { "(" } else { "" });
            self.list(", ", terms, |writer, term| writer.term(term))?;
            self.words(if many { ")" } else { "" });
            self.words(if terms[0].descending { " < " } else { " > " })
                .words(if many { "(" } else { "" });
            self.list(", ", values, |writer, value| {
                writer.value(value.clone());
                Ok(())
            })?;
            self.words(if many { ")" } else { "" });
            return Ok(());
        }
        self.words("(");
        if !terms[0].nullable() {
            // This follows from the rest; said by itself, it bounds the range of an index.
            self.term(&terms[0])?;
            self.words(if terms[0].descending { " <= " } else { " >= " })
                .value(values[0].clone())
                .words(" AND ");
        }
        self.behind_each(terms, values)?;
        self.words(")");
        Ok(())
    }

    /// `a > 1 OR (a = 1 AND (b > 2 OR …))`.
    fn behind_each(&mut self, terms: &[Term<'_>], values: &[Value]) -> Result<()> {
        let ([term, terms @ ..], [value, values @ ..]) = (terms, values) else {
            return Ok(());
        };
        self.words("(");
        self.behind_one(term, value)?;
        if !terms.is_empty() {
            self.words(" OR (");
            self.term(term)?;
            if *value == Value::Null {
                self.words(" IS NULL AND ");
            } else {
                self.words(" = ").value(value.clone()).words(" AND ");
            }
            self.behind_each(terms, values)?;
            self.words(")");
        }
        self.words(")");
        Ok(())
    }

    fn behind_one(&mut self, term: &Term<'_>, value: &Value) -> Result<()> {
        match (*value == Value::Null, term.nulls_last()) {
            (true, true) => {
                self.words("FALSE");
            }
            (true, false) => {
                self.term(term)?;
                self.words(" IS NOT NULL");
            }
            (false, last) => {
                self.term(term)?;
                self.words(if term.descending { " < " } else { " > " })
                    .value(value.clone());
                if last && term.nullable() {
                    self.words(" OR ");
                    self.term(term)?;
                    self.words(" IS NULL");
                }
            }
        }
        Ok(())
    }
}

/// The columns of the primary key that the order doesn't go by already.
pub(super) fn tie_break(order: &[Order], primary_key: &[usize]) -> impl Iterator<Item = usize> {
    primary_key.iter().copied().filter(|place| {
        !order.iter().any(|order| match &order.by {
            OrderBy::Field(field) => field.column == *place && field.path.is_empty(),
            OrderBy::Embedded(..) | OrderBy::Item(_) => false,
        })
    })
}

fn ungrouped_by<'q>(frame: &'q Frame<'q>, order: &'q Order) -> Result<By<'q>> {
    match &order.by {
        OrderBy::Field(field) => {
            let operand = Operand {
                alias: Some(frame.alias),
                relation: frame.relation,
                field,
            };
            Ok(By::Field(operand, operand.nullable()))
        }
        OrderBy::Embedded(item, field) => {
            let Some(Some(joined)) = frame.joined.get(*item) else {
                return Err(unsupported(
                    "`order`: it goes by related rows of which there is one at the most",
                ));
            };
            let operand = Operand {
                alias: Some(joined.alias),
                relation: joined.relation,
                field,
            };
            Ok(By::Field(operand, true))
        }
        OrderBy::Item(item) => match frame.read.items.get(*item) {
            Some(Item::Field { field, cast: None, .. }) => {
                let operand = Operand {
                    alias: Some(frame.alias),
                    relation: frame.relation,
                    field,
                };
                Ok(By::Field(operand, operand.nullable()))
            }
            _ => Err(unsupported("`order`: it goes by columns and computations")),
        },
    }
}

/// The field that a part is, without a cast.
fn field_of<'q>(part: &Part<'q>) -> Option<Operand<'q>> {
    match part.source {
        Source::Field(operand, None) => Some(operand),
        _ => None,
    }
}

/// What rows are grouped by can be ordered by, and what is computed of them.
fn grouped_by<'q>(frame: &'q Frame<'q>, parts: &[Part<'q>], order: &'q Order) -> Result<By<'q>> {
    let position = |alias: Alias, field: &Field| {
        let is_field = |part: &Part<'_>| match &part.source {
            Source::Field(operand, None) => operand.alias == Some(alias) && operand.field == field,
            _ => false,
        };
        let unknown = || unsupported("`order`: where groups are computed, it goes by what is selected");
        let place = parts.iter().position(is_field).ok_or_else(unknown)?;
        Ok(By::Position(place, field_of(&parts[place])))
    };
    match &order.by {
        OrderBy::Field(field) => position(frame.alias, field),
        OrderBy::Embedded(item, field) => match frame.joined.get(*item) {
            Some(Some(joined)) => position(joined.alias, field),
            _ => Err(unsupported(
                "`order`: it goes by related rows of which there is one at the most",
            )),
        },
        OrderBy::Item(item) => match frame.read.items.get(*item) {
            Some(Item::Field { name, .. }) => {
                let named = |part: &Part<'_>| part.name == &**name && matches!(part.source, Source::Field(..));
                let place = parts.iter().position(named);
                let place = place.ok_or_else(|| unsupported("`order`: it goes by columns and computations"))?;
                Ok(By::Position(place, field_of(&parts[place])))
            }
            Some(item @ Item::Aggregate { name, .. }) => {
                let place = parts.iter().position(|part| part.is_computed() && part.name == &**name);
                match (Computation::of(frame, item), place) {
                    (Some(computation), Some(place)) => Ok(By::Computed(computation, place)),
                    _ => Err(unsupported("`order`: it goes by columns and computations")),
                }
            }
            _ => Err(unsupported("`order`: it goes by columns and computations")),
        },
    }
}
