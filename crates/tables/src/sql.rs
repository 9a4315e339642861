//! From what is asked for to SQL, in three dialects.
//!
//! Text compares in its column's own collation, so that indexes can be used: in MariaDB most collations take capitals
//! for small letters, and some letters with accents for those without, where PostgreSQL and SQLite tell them apart.
//! `like` and `match` tell them apart on every engine. All else means what it means in PostgreSQL: NULLs are the
//! largest values, `sum` of nothing is NULL, a list of nothing is `[]`.

mod aggregate;
mod call;
mod change;
mod count;
mod dialect;
mod embed;
mod field;
mod filter;
mod frame;
mod json;
mod order;
mod part;
mod pattern;
mod search;
mod select;
mod union;
mod write;

use portcullis_core::Result;

pub use self::call::{call, count_call};
pub use self::change::{Changes, Made, change, key_and_version};
use self::write::Writer;
use crate::api::Api;
use crate::content::Format;
use crate::output::Outputs;
use crate::query::{Filter, Read};
use crate::statement::Statement;

/// The form in which a row comes from the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowForm {
    /// One column for each part.
    Columns,
    /// One column that is the whole row as a JSON object, where the engine makes that faster than we do: PostgreSQL. On
    /// other engines it is the same as [`RowForm::Columns`].
    Json,
}

impl RowForm {
    /// The form for an answer of that one.
    pub fn of(format: Format) -> RowForm {
        match format {
            Format::Json | Format::JsonObject | Format::NdJson => RowForm::Json,
            Format::Csv | Format::Xml => RowForm::Columns,
        }
    }
}

/// The hidden columns of a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// The terms of the order, with the tie-break behind: the values of a cursor. None where no cursor is asked for.
    pub terms: usize,
    /// The column that tells a row's version, where there is one: it comes behind the terms.
    pub version: Option<usize>,
}

impl Hidden {
    /// How many columns they are.
    pub(crate) fn len(self) -> usize {
        self.terms + usize::from(self.version.is_some())
    }

    /// Whether there are none.
    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// The hidden columns of a read: a cursor's values, and the row's version. Groups and unions have neither.
pub fn hidden(api: &Api, read: &Read) -> Hidden {
    if read.union.is_some() || frame::computes(&read.items) {
        return Hidden::default();
    }
    Hidden {
        terms: if read.window.cursors { order_terms(api, read) } else { 0 },
        version: api.resources()[read.resource].version,
    }
}

/// The terms of a read's order with the tie-break: as many values has a cursor.
pub fn order_terms(api: &Api, read: &Read) -> usize {
    let relation = &api.resources()[read.resource].relation;
    let rowid = relation.primary_key.is_empty() && relation.rowid.is_some();
    read.order.len() + order::tie_break(&read.order, &relation.primary_key).count() + usize::from(rowid)
}

/// The rows that are asked for, in their order.
///
/// # Errors
/// `bad_query` where the engine can't do what is asked for.
pub fn read(api: &Api, read: &Read, form: RowForm) -> Result<Statement> {
    let mut writer = Writer::new(api);
    let outputs = match read.union {
        Some(_) => writer.united(read, form)?,
        None => writer.read(read, form)?,
    };
    Ok(writer.finish(outputs))
}

/// How many rows there are without the window; where there are more than `cap`, one more than that.
///
/// # Errors
/// `bad_query` where the engine can't do what is asked for.
pub fn count(api: &Api, read: &Read, cap: u64) -> Result<Statement> {
    let mut writer = Writer::new(api);
    let outputs = writer.counted(read, cap)?;
    Ok(writer.finish(outputs))
}

/// The rows without the window and in no order: what the planner is asked how many there are.
///
/// # Errors
/// `bad_query` where the engine can't do what is asked for.
pub fn planned(api: &Api, read: &Read) -> Result<Statement> {
    let mut writer = Writer::new(api);
    writer.all_rows(read)?;
    Ok(writer.finish(Outputs::NONE))
}

/// One row where the resource has one that passes all filters, else none.
///
/// # Errors
/// `bad_query` where the engine can't do what is asked for.
pub(crate) fn exists(api: &Api, resource: usize, filters: &[&Filter]) -> Result<Statement> {
    let mut writer = Writer::new(api);
    let outputs = writer.found(resource, filters)?;
    Ok(writer.finish(outputs))
}

#[cfg(test)]
mod tests;
