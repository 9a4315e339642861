//! Rows of related resources, by statements within the statement.

use portcullis_core::Result;

use super::dialect::Dialect;
use super::filter::Scope;
use super::frame::{Frame, computes};
use super::part::Part;
use super::select::Select;
use super::write::{Label, Writer};
use crate::query::{Embed, Item};

impl<'a> Writer<'a> {
    /// Whether a related row is there, or none, for the embed of that place among the items.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn embedded(&mut self, scope: Scope<'_>, item: usize, present: bool) -> Result<()> {
        let (Some(Item::Embed(embed)), Some(outer)) = (scope.items.get(item), scope.alias) else {
            // The grammar gives places of embeds only: anything else lets no row through.
            self.words("FALSE");
            return Ok(());
        };
        self.words(if present {
            "EXISTS (SELECT 1 FROM "
        } else {
            "NOT EXISTS (SELECT 1 FROM "
        });
        let frame = self.lone_frame(&embed.read);
        let link = self.link(scope.resource, outer, embed);
        self.tables(&frame, Some(link))?;
        self.rows(&frame, Some(link), &mut false)?;
        self.words(")");
        Ok(())
    }

    /// Whether the related row that is joined is there: what it was joined by is no NULL then.
    pub(super) fn is_there(&mut self, frame: &Frame<'_>, by: usize) {
        self.column(Some(frame.alias), &frame.relation.columns[by].name)
            .words(" IS NOT NULL");
    }

    /// The related rows as an array, or the one of a relation that has one at the most.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn related(&mut self, outside: &Frame<'_>, embed: &Embed, only: Option<usize>) -> Result<()> {
        let frame = self.frame(&embed.read);
        let link = self.link(outside.resource, outside.alias, embed);
        let parts = self.parts(&frame);
        let terms = self.terms(&frame, &parts)?;
        let select = Select {
            frame: &frame,
            parts: &parts,
            terms: &terms,
            link: Some(link),
        };
        let single = link.relationship.to_one;
        match self.dialect() {
            Dialect::MariaDb { mysql: false } => self.related_at_once(&select, only, single),
            _ => self.related_within(&select, only, single),
        }
    }

    /// A statement that finds the rows, within one that makes a value of them.
    fn related_within(&mut self, select: &Select<'_>, only: Option<usize>, single: bool) -> Result<()> {
        let row = self.new_alias();
        let (before, after) = match self.dialect() {
            _ if single => ("(SELECT ", ""),
            Dialect::Postgres => ("(SELECT coalesce(json_agg(", "), '[]'::json)"),
            Dialect::Sqlite => ("(SELECT json_group_array(", ")"),
            Dialect::MariaDb { .. } => ("(SELECT COALESCE(JSON_ARRAYAGG(", "), JSON_ARRAY())"),
        };
        self.words(before);
        let mut named = None;
        match only {
            None => named = self.object_of_row(select.parts, row)?,
            Some(place) => self.member_value(&select.parts[place], |writer| {
                writer.labelled(row, Label::Shown(place));
                Ok(())
            })?,
        }
        self.words(after).words(" FROM (SELECT ");
        self.labelled_parts(select.parts, computes(&select.frame.read.items))?;
        self.source(select, select.terms)?;
        let window = &select.frame.read.window;
        if self.dialect() == Dialect::Sqlite && !single && window.limit.is_none() && window.offset == 0 {
            // Without it SQLite would take the order for one that nobody sees.
            self.words(" LIMIT -1");
        }
        self.words(") AS ").alias(row);
        if let Some(named) = named {
            self.named_row(select.parts, row, named)?;
        }
        self.words(")");
        Ok(())
    }

    /// The same in MariaDB, where a statement within one within can't name the row outside: order and window are those
    /// of the function that makes an array.
    fn related_at_once(&mut self, select: &Select<'_>, only: Option<usize>, single: bool) -> Result<()> {
        if computes(&select.frame.read.items) {
            return self.related_groups(select, only, single);
        }
        self.words(if single {
            "(SELECT "
        } else {
            "(SELECT COALESCE(JSON_ARRAYAGG("
        });
        self.element(select, only, |writer, place| writer.part(&select.parts[place]))?;
        if !single {
            self.ordered(select.terms)?;
            self.window(&select.frame.read.window);
            self.words("), '[]')");
        }
        self.words(" FROM ");
        self.tables(select.frame, select.link)?;
        self.rows(select.frame, select.link, &mut false)?;
        self.words(if single { " LIMIT 1)" } else { ")" });
        Ok(())
    }

    /// Groups of related rows in MariaDB. Where all rows are one group, it is the one of a statement by itself. Else
    /// the groups are computed for all rows outside, and those of the one row are taken: a statement within one within
    /// can't name the row outside.
    fn related_groups(&mut self, select: &Select<'_>, only: Option<usize>, single: bool) -> Result<()> {
        if !select.parts.iter().all(Part::is_computed) {
            return self.related_many_groups(select, only, single);
        }
        self.words(if single {
            "(SELECT "
        } else {
            "COALESCE((SELECT JSON_ARRAY("
        });
        self.element(select, only, |writer, place| writer.part(&select.parts[place]))?;
        self.words(if single { " FROM " } else { ") FROM " });
        self.tables(select.frame, select.link)?;
        self.rows(select.frame, select.link, &mut false)?;
        self.groups(select.frame, select.parts)?;
        self.window(&select.frame.read.window);
        self.words(if single { ")" } else { "), '[]')" });
        Ok(())
    }

    fn related_many_groups(&mut self, select: &Select<'_>, only: Option<usize>, single: bool) -> Result<()> {
        let Some(link) = select.link else { return Ok(()) };
        let row = self.new_alias();
        self.words(if single {
            "(SELECT "
        } else {
            "(SELECT COALESCE(JSON_ARRAYAGG("
        });
        self.element(select, only, |writer, place| {
            writer.labelled(row, Label::Shown(place));
            Ok(())
        })?;
        if !single {
            let terms: Vec<_> = select.terms.iter().map(|term| term.of_group(row)).collect();
            self.ordered(&terms)?;
            self.window(&select.frame.read.window);
            self.words("), '[]')");
        }
        self.words(" FROM (SELECT ");
        self.labelled_parts(select.parts, true)?;
        let (here, there) = link.columns(select.frame, self);
        for (place, (alias, column)) in there.iter().enumerate() {
            self.words(", ")
                .column(Some(*alias), column)
                .words(" AS ")
                .label(Label::Hidden(place));
        }
        self.words(" FROM ");
        self.tables(select.frame, select.link)?;
        let mut started = false;
        self.through_rule(link, &mut started)?;
        self.rows(select.frame, None, &mut started)?;
        self.groups_with(select.frame, select.parts, there.len())?;
        self.words(") AS ").alias(row).words(" WHERE ");
        self.list(" AND ", here.iter().enumerate(), |writer, (place, column)| {
            writer
                .labelled(row, Label::Hidden(place))
                .words(" = ")
                .column(Some(link.outer), column);
            Ok(())
        })?;
        self.words(if single { " LIMIT 1)" } else { ")" });
        Ok(())
    }

    /// An element of an array: an object of all parts, or the one part that is wanted.
    fn element(
        &mut self,
        select: &Select<'_>,
        only: Option<usize>,
        mut value: impl FnMut(&mut Writer<'a>, usize) -> Result<()>,
    ) -> Result<()> {
        match only {
            None => self.object(select.parts, value),
            Some(place) => self.member_value(&select.parts[place], |writer| value(writer, place)),
        }
    }
}
