//! Whole statements that read.

use portcullis_core::Result;

use super::dialect::Dialect;
use super::frame::{Frame, Link};
use super::order::Term;
use super::part::{Part, is_grouped};
use super::write::{Alias, Label, Writer, unsupported};
use super::{Hidden, RowForm, hidden};
use crate::output::{Output, Outputs, Shown};
use crate::query::{Read, Window};
use crate::schema::Type;

/// A statement, or one within, of a frame: what it shows and in which order.
pub(super) struct Select<'q> {
    pub(super) frame: &'q Frame<'q>,
    pub(super) parts: &'q [Part<'q>],
    pub(super) terms: &'q [Term<'q>],
    pub(super) link: Option<Link<'q>>,
}

impl<'a> Writer<'a> {
    /// The rows of a read.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn read(&mut self, read: &Read, form: RowForm) -> Result<Outputs> {
        let frame = self.frame(read);
        let parts = self.parts(&frame);
        let terms = self.terms(&frame, &parts)?;
        let hidden = hidden(self.api(), read);
        let select = Select {
            frame: &frame,
            parts: &parts,
            terms: &terms,
            link: None,
        };
        let before = read.window.cursor.as_ref().is_some_and(|cursor| cursor.before);
        let json = form == RowForm::Json && self.dialect() == Dialect::Postgres && !parts.iter().all(Part::is_plain);
        let shown = if json || before {
            self.around_rows(&select, hidden, json, before)?
        } else {
            self.plain_rows(&select, hidden)?
        };
        Ok(Outputs {
            shown,
            hidden: hidden.len(),
            checked: false,
        })
    }

    /// One statement: what is shown, and what is hidden.
    fn plain_rows(&mut self, select: &Select<'_>, hidden: Hidden) -> Result<Shown> {
        let grouped = is_grouped(select.frame);
        self.words("SELECT ");
        let mut columns = Vec::with_capacity(select.parts.len());
        self.list(", ", select.parts, |writer, part| {
            let kind = writer.shown(part, |writer| writer.comparable_part(part, grouped))?;
            columns.push(Output::new(part.name, kind));
            Ok(())
        })?;
        let mut separator = self.separator(select.parts, hidden);
        for term in &select.terms[..hidden.terms] {
            self.words(separator);
            separator = ", ";
            self.hidden(&term.kind(), |writer| writer.term(term))?;
        }
        if let Some(version) = hidden.version {
            let column = &select.frame.relation.columns[version];
            self.words(separator);
            self.hidden(&column.kind, |writer| {
                writer.column(Some(select.frame.alias), &column.name);
                Ok(())
            })?;
        }
        self.source(select, select.terms)?;
        Ok(Shown::Columns(columns.into()))
    }

    /// A statement around the one that finds the rows: it makes JSON of those only that are in the window, or brings
    /// those before a cursor, which are found in the opposite order, into their own.
    fn around_rows(&mut self, select: &Select<'_>, hidden: Hidden, json: bool, before: bool) -> Result<Shown> {
        let row = self.new_alias();
        self.words("SELECT ");
        let mut named = None;
        let shown = if json {
            named = self.object_of_row(select.parts, row)?;
            Shown::Json
        } else {
            Shown::Columns(self.labelled_columns(select.parts, row)?.into())
        };
        let mut separator = if json {
            ", "
        } else {
            self.separator(select.parts, hidden)
        };
        let version = hidden.version.map(|place| &select.frame.relation.columns[place]);
        let kinds = select.terms[..hidden.terms]
            .iter()
            .map(Term::kind)
            .chain(version.map(|column| column.kind.clone()));
        let labels = (0..hidden.terms).chain(version.map(|_| select.terms.len()));
        for (kind, label) in kinds.zip(labels) {
            self.words(separator);
            separator = ", ";
            self.hidden(&kind, |writer| {
                writer.labelled(row, Label::Hidden(label));
                Ok(())
            })?;
        }
        self.words(" FROM (SELECT ");
        self.labelled_parts(select.parts, is_grouped(select.frame))?;
        let kept = if before { select.terms.len() } else { hidden.terms };
        for (place, term) in select.terms[..kept].iter().enumerate() {
            self.words(", ");
            self.term(term)?;
            self.words(" AS ").label(Label::Hidden(place));
        }
        if let Some(column) = version {
            self.words(", ").column(Some(select.frame.alias), &column.name);
            self.words(" AS ").label(Label::Hidden(select.terms.len()));
        }
        let reversed = || select.terms.iter().cloned().map(Term::reversed).collect::<Vec<_>>();
        if before {
            self.source(select, &reversed())?;
        } else {
            self.source(select, select.terms)?;
        }
        self.words(") AS ").alias(row);
        if let Some(named) = named {
            self.named_row(select.parts, row, named)?;
        }
        if before {
            let labelled = |(place, term): (usize, &Term<'_>)| term.labelled(row, Label::Hidden(place));
            let outside: Vec<Term<'_>> = select.terms.iter().enumerate().map(labelled).collect();
            self.ordered(&outside)?;
        }
        Ok(shown)
    }

    /// What stands between the parts and the hidden columns. Where there are neither, the engines want a column all the
    /// same.
    fn separator(&mut self, parts: &[Part<'_>], hidden: Hidden) -> &'static str {
        if parts.is_empty() && hidden.is_empty() {
            self.words("NULL");
        }
        if parts.is_empty() { "" } else { ", " }
    }

    /// The parts as columns of the answer, by the names that the statement within gave them.
    ///
    /// # Errors
    /// None of its own.
    pub(super) fn labelled_columns(&mut self, parts: &[Part<'_>], row: Alias) -> Result<Vec<Output>> {
        let mut columns = Vec::with_capacity(parts.len());
        self.list(", ", parts.iter().enumerate(), |writer, (place, part)| {
            let kind = writer.shown(part, |writer| {
                writer.labelled(row, Label::Shown(place));
                Ok(())
            })?;
            columns.push(Output::new(part.name, kind));
            Ok(())
        })?;
        Ok(columns)
    }

    /// The parts, each with a name that is given here. `compared` tells that rows will be compared by them.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn labelled_parts(&mut self, parts: &[Part<'_>], compared: bool) -> Result<()> {
        // A row without any part is a row all the same.
        if parts.is_empty() {
            self.words("1 AS ").label(Label::Shown(0));
        }
        self.list(", ", parts.iter().enumerate(), |writer, (place, part)| {
            writer.comparable_part(part, compared)?;
            writer.words(" AS ").label(Label::Shown(place));
            Ok(())
        })
    }

    /// A part in a form by which rows can be compared: PostgreSQL can't compare values of type `json`.
    fn comparable_part(&mut self, part: &Part<'_>, compared: bool) -> Result<()> {
        let json = part.kind == Type::Json { binary: false } && !part.is_computed();
        if compared && json && self.dialect() == Dialect::Postgres {
            self.words("(");
            self.part(part)?;
            self.words(")::jsonb");
            return Ok(());
        }
        self.part(part)
    }

    /// From where, which rows, which groups, in which order, and which of them: all that follows what is shown.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn source(&mut self, select: &Select<'_>, terms: &[Term<'_>]) -> Result<()> {
        self.found_rows(select, terms)?;
        self.ordered(terms)?;
        self.window(&select.frame.read.window);
        Ok(())
    }

    /// The same without order and window.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub(super) fn unlimited(&mut self, select: &Select<'_>) -> Result<()> {
        self.found_rows(select, &[])
    }

    fn found_rows(&mut self, select: &Select<'_>, terms: &[Term<'_>]) -> Result<()> {
        let frame = select.frame;
        self.words(" FROM ");
        self.tables(frame, select.link)?;
        let mut started = false;
        self.rows(frame, select.link, &mut started)?;
        if let Some(cursor) = frame.read.window.cursor.as_ref().filter(|_| !terms.is_empty()) {
            if is_grouped(frame) {
                return Err(unsupported("`after`, `before`: groups have no cursors"));
            }
            self.and(&mut started);
            self.behind(terms, &cursor.values)?;
        }
        if is_grouped(frame) {
            self.groups(frame, select.parts)?;
        }
        Ok(())
    }

    /// ` LIMIT` and ` OFFSET`.
    pub(super) fn window(&mut self, window: &Window) {
        match window.limit {
            Some(limit) => {
                self.words(" LIMIT ").number(limit);
            }
            None if window.offset == 0 => {}
            // PostgreSQL alone knows one without the other.
            None => {
                self.words(match self.dialect() {
                    Dialect::Postgres => "",
                    Dialect::Sqlite => " LIMIT -1",
                    Dialect::MariaDb { .. } => " LIMIT 18446744073709551615",
                });
            }
        }
        if window.offset > 0 {
            self.words(" OFFSET ").number(window.offset);
        }
    }
}
