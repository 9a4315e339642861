//! New values of columns.

use portcullis_core::Result;

use super::Plan;
use crate::schema::{Column, Type};
use crate::sql::dialect::Dialect;
use crate::sql::write::{Alias, Writer, unsupported};
use crate::value::Value;

/// What a column gets.
#[derive(Clone, Copy, Debug)]
pub(super) enum To<'v> {
    /// That value.
    Value(&'v Value),
    /// Its default.
    Default,
    /// What the row that could not be inserted has (`EXCLUDED`).
    Excluded,
    /// The next version.
    Next,
}

impl<'c> Plan<'c> {
    /// `a = 1, b = 2`. `alias` is that of the row as it was.
    pub(super) fn assignments(
        &self,
        writer: &mut Writer<'c>,
        alias: Option<Alias>,
        sets: &[(usize, To<'_>)],
    ) -> Result<()> {
        writer.list(", ", sets, |writer, (place, to)| {
            let column = &self.relation.columns[*place];
            writer.identifier(&column.name).words(" = ");
            match to {
                To::Value(value) => {
                    self.bind(writer, column, (*value).clone());
                }
                To::Default if self.dialect == Dialect::Sqlite => {
                    self.default_of(writer, column);
                }
                To::Default => {
                    writer.words("DEFAULT");
                }
                To::Excluded if matches!(self.dialect, Dialect::MariaDb { .. }) => {
                    writer.words("VALUES(").identifier(&column.name).words(")");
                }
                To::Excluded => {
                    writer.words("EXCLUDED.").identifier(&column.name);
                }
                To::Next => self.next_version(writer, alias, column)?,
            }
            Ok(())
        })
    }

    /// A placeholder for a value of the column. Composite types come as JSON objects.
    pub(super) fn bind(&self, writer: &mut Writer<'c>, column: &Column, value: Value) {
        if self.dialect == Dialect::Postgres && column.kind == Type::Composite {
            writer
                .words("json_populate_record(NULL::")
                .type_name(&column.declared)
                .words(", ");
            writer.value(value).words("::json)");
            return;
        }
        writer.value(value);
    }

    /// What the column has where no value is given. PostgreSQL's identities have no expression of their own: it is the
    /// next number of the sequence behind them.
    pub(super) fn default_of(&self, writer: &mut Writer<'c>, column: &Column) {
        let identity = |default: &String| default.starts_with("generated ");
        if self.dialect != Dialect::Postgres || !column.default.as_ref().is_some_and(identity) {
            writer.default_of(column);
            return;
        }
        let table = format!("{}.{}", self.relation.namespace.quoted(), self.relation.name.quoted());
        writer
            .words("nextval(pg_get_serial_sequence(")
            .text_value(&table)
            .words(", ");
        writer.text_value(column.name.as_str()).words("))");
    }

    /// The version that follows the row's own.
    fn next_version(&self, writer: &mut Writer<'c>, alias: Option<Alias>, column: &Column) -> Result<()> {
        match column.kind {
            Type::Integer { .. } => {
                writer.column(alias, &column.name).words(" + 1");
                Ok(())
            }
            _ => self.now(writer, column),
        }
    }

    /// The version of a new row, where the column has no default.
    pub(super) fn first_version(&self, writer: &mut Writer<'c>, column: &Column) -> Result<()> {
        match column.kind {
            Type::Integer { .. } => {
                writer.words("1");
                Ok(())
            }
            _ => self.now(writer, column),
        }
    }

    /// Now, to the microsecond. PostgreSQL's `now()` would be the same for all changes of one transaction. SQLite's clock
    /// has milliseconds: the digits behind them are there by chance, so that two changes within one tell apart.
    fn now(&self, writer: &mut Writer<'c>, column: &Column) -> Result<()> {
        match (self.dialect, &column.kind) {
            (Dialect::Postgres, Type::Timestamp | Type::Moment) => writer.words("clock_timestamp()"),
            (Dialect::MariaDb { .. }, Type::Timestamp | Type::Moment) => writer.words("NOW(6)"),
            (Dialect::Sqlite, Type::Timestamp | Type::Moment | Type::Text | Type::Numeric | Type::Any) => {
                writer.words("strftime('%Y-%m-%d %H:%M:%f', 'now') || printf('%03d', abs(random() % 1000))")
            }
            _ => {
                return Err(unsupported(
                    "the version column is neither an integer nor a point in time",
                ));
            }
        };
        Ok(())
    }
}
