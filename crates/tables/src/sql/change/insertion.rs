//! Statements that insert.

use portcullis_core::Result;

use super::insert::{Meeting, NewRows};
use super::returned::Wanted;
use super::{Plan, document};
use crate::sql::dialect::Dialect;
use crate::sql::write::{Alias, Label, Writer, unsupported};
use crate::statement::Statement;
use crate::value::Value;

impl<'c> Plan<'c> {
    /// One row by `VALUES`.
    pub(super) fn insert_one(
        &self,
        rows: &NewRows<'_>,
        row: &[Option<&Value>],
        meeting: Meeting<'_>,
        wanted: Wanted,
    ) -> Result<Statement> {
        let mut writer = self.writer();
        let alias = self.insert_into(&mut writer, rows);
        let unless = match (self.dialect, meeting) {
            (Dialect::MariaDb { .. }, Meeting::Ignore(key)) => Some(key),
            _ => None,
        };
        if rows.columns.is_empty() && rows.version.is_none() {
            writer.words(match self.dialect {
                Dialect::MariaDb { .. } => " () VALUES ()",
                Dialect::Sqlite | Dialect::Postgres => " DEFAULT VALUES",
            });
        } else {
            writer.words(if unless.is_some() { " SELECT " } else { " VALUES (" });
            writer.list(", ", rows.columns.iter().zip(row), |writer, ((place, mixed), value)| {
                let column = &self.relation.columns[*place];
                if *mixed && unless.is_some() {
                    return Err(unsupported(
                        "where rows may be there already, this engine needs the same columns in all rows",
                    ));
                }
                if *mixed {
                    writer.words("CASE WHEN ").value(Value::Boolean(value.is_some()));
                    writer.words(if self.dialect == Dialect::Postgres {
                        "::boolean THEN "
                    } else {
                        " THEN "
                    });
                }
                self.bind(writer, column, value.cloned().unwrap_or(Value::Null));
                if *mixed {
                    if self.dialect == Dialect::Postgres {
                        writer.words("::").type_name(&column.declared);
                    }
                    writer.words(" ELSE ");
                    self.default_of(writer, column);
                    writer.words(" END");
                }
                Ok(())
            })?;
            self.version_of_new(&mut writer, rows)?;
            match unless {
                None => {
                    writer.words(")");
                }
                Some(key) => {
                    writer
                        .words(" FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM ")
                        .relation(self.relation);
                    let same = self.by_key(key, |column| rows.value(row, column));
                    self.matching(&mut writer, Some(&same))?;
                    writer.words(")");
                }
            }
        }
        self.meet(&mut writer, alias, meeting)?;
        let outputs = self.returning(&mut writer, alias, wanted)?;
        Ok(writer.finish(outputs))
    }

    /// All rows from one JSON document: one shape for any number of them, and one round trip.
    pub(super) fn insert_json(&self, rows: &NewRows<'_>, meeting: Meeting<'_>, wanted: Wanted) -> Result<Statement> {
        let mut writer = self.writer();
        let alias = self.insert_into(&mut writer, rows);
        let new = writer.new_alias();
        writer.words(" SELECT ");
        writer.list(
            ", ",
            rows.columns.iter().enumerate(),
            |writer, (slot, (place, mixed))| {
                if *mixed {
                    writer
                        .words("CASE WHEN ")
                        .labelled(new, Label::Hidden(slot))
                        .words(" THEN ");
                }
                writer.labelled(new, Label::Shown(slot));
                if *mixed {
                    writer.words(" ELSE ");
                    self.default_of(writer, &self.relation.columns[*place]);
                    writer.words(" END");
                }
                Ok(())
            },
        )?;
        self.version_of_new(&mut writer, rows)?;
        writer
            .words(" FROM json_to_recordset(")
            .value(Value::Json(document::of(rows)))
            .words("::json) AS ")
            .alias(new)
            .words("(");
        writer.list(
            ", ",
            rows.columns.iter().enumerate(),
            |writer, (slot, (place, mixed))| {
                writer
                    .label(Label::Shown(slot))
                    .words(" ")
                    .type_name(&self.relation.columns[*place].declared);
                if *mixed {
                    writer.words(", ").label(Label::Hidden(slot)).words(" boolean");
                }
                Ok(())
            },
        )?;
        writer.words(")");
        self.meet(&mut writer, alias, meeting)?;
        let outputs = self.returning(&mut writer, alias, wanted)?;
        Ok(writer.finish(outputs))
    }

    /// `INSERT INTO`, the table, and the columns that get values. PostgreSQL needs a name for the row that is there
    /// already, since `ON CONFLICT` knows two.
    fn insert_into(&self, writer: &mut Writer<'c>, rows: &NewRows<'_>) -> Option<Alias> {
        writer.words("INSERT INTO ").relation(self.relation);
        let alias = (self.dialect == Dialect::Postgres).then(|| writer.new_alias());
        if let Some(alias) = alias {
            writer.words(" AS ").alias(alias);
        }
        let columns = rows.columns.iter().map(|(column, _)| column).chain(&rows.version);
        for (at, column) in columns.enumerate() {
            writer
                .words(if at == 0 { " (" } else { ", " })
                .identifier(&self.relation.columns[*column].name);
        }
        if !(rows.columns.is_empty() && rows.version.is_none()) {
            writer.words(")");
        }
        alias
    }

    fn version_of_new(&self, writer: &mut Writer<'c>, rows: &NewRows<'_>) -> Result<()> {
        let Some(version) = rows.version else {
            return Ok(());
        };
        if !rows.columns.is_empty() {
            writer.words(", ");
        }
        self.first_version(writer, &self.relation.columns[version])
    }

    /// What happens where the key is there.
    fn meet(&self, writer: &mut Writer<'c>, alias: Option<Alias>, meeting: Meeting<'_>) -> Result<()> {
        let (key, sets) = match meeting {
            Meeting::Fail => return Ok(()),
            Meeting::Ignore(key) => (key, None),
            Meeting::Merge(key, sets) => (key, Some(sets)),
        };
        if matches!(self.dialect, Dialect::MariaDb { .. }) {
            if let Some(sets) = sets {
                writer.words(" ON DUPLICATE KEY UPDATE ");
                self.assignments(writer, None, sets)?;
            }
            return Ok(());
        }
        writer.words(" ON CONFLICT (");
        writer.list(", ", key, |writer, column| {
            writer.identifier(&self.relation.columns[*column].name);
            Ok(())
        })?;
        let Some(sets) = sets.filter(|sets| !sets.is_empty()) else {
            writer.words(") DO NOTHING");
            return Ok(());
        };
        writer.words(") DO UPDATE SET ");
        self.assignments(writer, alias, sets)?;
        if let Some(rule) = &self.change.rule {
            writer.words(" WHERE ");
            writer.filter(self.change.resource, alias, rule)?;
        }
        Ok(())
    }
}
