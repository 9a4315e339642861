//! Rows of several resources of one shape.

use portcullis_core::Result;

use super::RowForm;
use super::dialect::Dialect;
use super::order::{By, Term};
use super::part::{Part, Source, is_grouped};
use super::select::Select;
use super::write::{Alias, Label, Writer, unsupported};
use crate::output::{Outputs, Shown};
use crate::query::{Item, Nulls, Order, OrderBy, Read};
use crate::schema::Type;

impl<'a> Writer<'a> {
    /// The rows of a read and of the resources that are united with it.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn united(&mut self, read: &Read, form: RowForm) -> Result<Outputs> {
        if read.window.cursor.is_some() {
            return Err(unsupported("`after`, `before`: a union has no cursors"));
        }
        let row = self.new_alias();
        let frame = self.frame(read);
        let parts = self.parts(&frame);
        let json = form == RowForm::Json && self.dialect() == Dialect::Postgres;
        self.words("SELECT ");
        let mut named = None;
        let shown = if json {
            named = self.object_of_row(&parts, row)?;
            Shown::Json
        } else {
            Shown::Columns(self.labelled_columns(&parts, row)?.into())
        };
        // JSON is made of those rows only that are in the window.
        self.words(if json { " FROM (SELECT * FROM (" } else { " FROM (" });
        self.members(read)?;
        let united = if json { self.new_alias() } else { row };
        self.words(") AS ").alias(united);
        let terms = terms(read, &parts, united)?;
        self.ordered(&terms)?;
        self.window(&read.window);
        if json {
            self.words(") AS ").alias(row);
        }
        if let Some(named) = named {
            self.named_row(&parts, row, named)?;
        }
        Ok(Outputs {
            shown,
            hidden: 0,
            checked: false,
        })
    }

    /// The statements of all members, one after the other.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn members(&mut self, read: &Read) -> Result<()> {
        let Some(union) = &read.union else {
            return self.member_rows(read, false);
        };
        let separator = if union.distinct { " UNION " } else { " UNION ALL " };
        let members = std::iter::once(read).chain(&union.members);
        self.list(separator, members, |writer, member| {
            writer.member_rows(member, union.distinct)
        })
    }

    fn member_rows(&mut self, read: &Read, distinct: bool) -> Result<()> {
        let frame = self.frame(read);
        let parts = self.parts(&frame);
        self.words("SELECT ");
        self.labelled_parts(&parts, distinct || is_grouped(&frame))?;
        let select = Select {
            frame: &frame,
            parts: &parts,
            terms: &[],
            link: None,
        };
        self.unlimited(&select)
    }
}

/// The terms of the order, by the names that the columns have within. What is not ordered by comes behind, so that
/// equal rows don't change places from page to page.
fn terms(read: &Read, parts: &[Part<'_>], row: Alias) -> Result<Vec<Term<'static>>> {
    let by = |place| By::Label(row, Label::Shown(place), true);
    let mut places = Vec::with_capacity(read.order.len());
    for order in &read.order {
        places.push(place_of(read, parts, order)?);
    }
    let ordered = read.order.iter().zip(&places);
    let mut terms: Vec<Term<'static>> = ordered
        .map(|(order, place)| Term {
            by: by(*place),
            descending: order.descending,
            nulls: order.nulls,
        })
        .collect();
    if !terms.is_empty() || read.window.offset > 0 {
        let comparable = |part: &Part<'_>| !matches!(part.kind, Type::Json { .. } | Type::Composite | Type::Other);
        let rest = (0..parts.len()).filter(|place| !places.contains(place) && comparable(&parts[*place]));
        terms.extend(rest.map(|place| Term {
            by: by(place),
            descending: false,
            nulls: Nulls::Largest,
        }));
    }
    Ok(terms)
}

/// The place of the part that a term goes by: an order of a union goes by what is shown.
fn place_of(read: &Read, parts: &[Part<'_>], order: &Order) -> Result<usize> {
    let place = match &order.by {
        OrderBy::Field(field) => parts.iter().position(|part| match &part.source {
            Source::Field(operand, None) => operand.field == field,
            _ => false,
        }),
        OrderBy::Item(item) => read.items.get(*item).and_then(|item| {
            let name = match item {
                Item::Field { name, .. } | Item::Aggregate { name, .. } | Item::Origin { name } => name,
                Item::Embed(_) => return None,
            };
            parts.iter().position(|part| part.name == &**name)
        }),
        OrderBy::Embedded(..) => None,
    };
    place.ok_or_else(|| unsupported("`order`: in a union it goes by what is selected"))
}
