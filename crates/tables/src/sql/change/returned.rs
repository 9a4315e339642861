//! What a statement that writes gives back.

use portcullis_core::Result;

use super::Plan;
use crate::output::{Output, Outputs, Shown};
use crate::query::Item;
use crate::schema::{Cast, Type};
use crate::sql::RowForm;
use crate::sql::dialect::Dialect;
use crate::sql::field::Operand;
use crate::sql::part::{Part, Source};
use crate::sql::write::{Alias, Writer, unsupported};

/// What is wanted of the rows of a statement.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// What the answer shows.
    pub(super) shown: bool,
    /// The key, the version, and what later steps refer to.
    pub(super) hidden: bool,
    /// Whether the caller may have such a row.
    pub(super) checked: bool,
}

impl Wanted {
    /// That rows are there, and nothing of them.
    pub(super) const NOTHING: Wanted = Wanted {
        shown: false,
        hidden: false,
        checked: false,
    };
    /// Their keys.
    pub(super) const KEYS: Wanted = Wanted {
        shown: false,
        hidden: true,
        checked: false,
    };

    fn is_nothing(self) -> bool {
        !(self.shown || self.hidden || self.checked)
    }
}

impl<'c> Plan<'c> {
    /// All that is wanted of rows that were written.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            shown: self.change.shown.is_some() && !self.shows_others(),
            hidden: true,
            checked: self.change.rule.is_some(),
        }
    }

    /// ` RETURNING` and what is wanted.
    pub(super) fn returning(&self, writer: &mut Writer<'c>, alias: Option<Alias>, wanted: Wanted) -> Result<Outputs> {
        if wanted.is_nothing() || (!wanted.shown && !wanted.checked && self.hidden_columns().is_empty()) {
            return Ok(Outputs::NONE);
        }
        writer.words(" RETURNING ");
        self.returned(writer, alias, wanted)
    }

    /// What is wanted, as a list of columns with at least one in it.
    pub(super) fn returned(&self, writer: &mut Writer<'c>, alias: Option<Alias>, wanted: Wanted) -> Result<Outputs> {
        let mut started = false;
        let shown = if wanted.shown {
            self.shown(writer, alias, &mut started)?
        } else {
            Shown::Nothing
        };
        let hidden = if wanted.hidden {
            self.hidden_columns()
        } else {
            Vec::new()
        };
        for place in &hidden {
            comma(writer, &mut started);
            let column = &self.relation.columns[*place];
            writer.hidden(&column.kind, |writer| {
                writer.column(alias, &column.name);
                Ok(())
            })?;
        }
        let rule = self.change.rule.as_ref().filter(|_| wanted.checked);
        if let Some(rule) = rule {
            comma(writer, &mut started);
            writer.filter(self.change.resource, alias, rule)?;
        }
        if !started {
            writer.words("1");
        }
        Ok(Outputs {
            shown,
            hidden: hidden.len(),
            checked: rule.is_some(),
        })
    }

    /// The columns that are given unseen: the primary key's, the version, and those that later steps refer to.
    pub(super) fn hidden_columns(&self) -> Vec<usize> {
        let key = &self.relation.primary_key;
        key.iter()
            .chain(&self.resource.version)
            .chain(&self.change.keep)
            .copied()
            .collect()
    }

    fn shown(&self, writer: &mut Writer<'c>, alias: Option<Alias>, started: &mut bool) -> Result<Shown> {
        let mut parts = Vec::new();
        for item in self.change.shown.as_deref().unwrap_or_default() {
            let Item::Field { field, name, cast } = item else {
                return Err(unsupported(
                    "`select`: what a change shows are columns and related rows",
                ));
            };
            let operand = Operand {
                alias,
                relation: self.relation,
                field,
            };
            parts.push(Part {
                name,
                identifier: None,
                kind: cast.map_or_else(|| operand.kind(), Cast::kind),
                source: Source::Field(operand, *cast),
            });
        }
        if self.form == RowForm::Json && self.dialect == Dialect::Postgres {
            comma(writer, started);
            writer.object(&parts, |writer, place| writer.part(&parts[place]))?;
            return Ok(Shown::Json);
        }
        let mut columns = Vec::with_capacity(parts.len());
        for part in &parts {
            comma(writer, started);
            let kind: Type = writer.shown(part, |writer| writer.part(part))?;
            columns.push(Output::new(part.name, kind));
        }
        Ok(Shown::Columns(columns.into()))
    }
}

fn comma(writer: &mut Writer<'_>, started: &mut bool) {
    if *started {
        writer.words(", ");
    }
    *started = true;
}
