//! Rows as JSON that the database makes, and values as answers show them: the same on every engine.

use portcullis_core::Result;

use super::dialect::Dialect;
use super::part::Part;
use super::write::{Alias, Label, Writer};
use crate::schema::{Identifier, Type};

/// Members from which on an object is written in another way: functions take 100 arguments in PostgreSQL, and 127 in
/// SQLite.
const MANY: usize = 48;

impl<'a> Writer<'a> {
    /// An object of the parts, whose values `value` writes.
    ///
    /// # Errors
    /// Those of `value`.
    pub(super) fn object(
        &mut self,
        parts: &[Part<'_>],
        mut value: impl FnMut(&mut Writer<'a>, usize) -> Result<()>,
    ) -> Result<()> {
        let (before, between_members, within_member, after) = match self.dialect() {
            Dialect::Postgres if parts.len() > MANY => {
                self.words("(SELECT json_object_agg(m.k, m.v) FROM (VALUES ");
                ("(", "), (", ", to_json(", ")) AS m(k, v))")
            }
            Dialect::Postgres => ("json_build_object(", ", ", ", ", ")"),
            Dialect::Sqlite if parts.len() > MANY => (
                "json('{' || json_quote(",
                ") || ',' || json_quote(",
                ") || ':' || json_quote(",
                ") || '}')",
            ),
            Dialect::Sqlite => ("json_object(", ", ", ", ", ")"),
            Dialect::MariaDb { .. } => ("JSON_OBJECT(", ", ", ", ", ")"),
        };
        let many_postgres = self.dialect() == Dialect::Postgres && parts.len() > MANY;
        self.words(before);
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                self.words(between_members);
            }
            self.text_value(part.name).words(within_member);
            self.member_value(part, |writer| value(writer, place))?;
            if many_postgres {
                self.words(")");
            }
        }
        self.words(after);
        Ok(())
    }

    /// A value as a member of an object.
    ///
    /// # Errors
    /// Those of `value`.
    pub(super) fn member_value(
        &mut self,
        part: &Part<'_>,
        mut value: impl FnMut(&mut Writer<'a>) -> Result<()>,
    ) -> Result<()> {
        match self.dialect() {
            Dialect::Postgres => match part.kind {
                Type::Bytes => self.around("translate(encode(", value, ", 'base64'), E'\\n', '')"),
                _ => value(self),
            },
            Dialect::Sqlite => match part.kind {
                _ if part.is_made() => self.around("json(", value, ")"),
                Type::Boolean => {
                    self.words("json(CASE ");
                    value(self)?;
                    self.words(" WHEN 0 THEN 'false' WHEN 1 THEN 'true' ELSE json_quote(");
                    value(self)?;
                    self.words(") END)");
                    Ok(())
                }
                Type::Json { .. } => {
                    self.words("json(");
                    self.valid_json(value)?;
                    self.words(")");
                    Ok(())
                }
                Type::Bytes => self.around("portcullis_base64(", value, ")"),
                // Any column can hold bytes, which JSON can't.
                _ => {
                    self.words("CASE typeof(");
                    value(self)?;
                    self.words(") WHEN 'blob' THEN portcullis_base64(");
                    value(self)?;
                    self.words(") ELSE ");
                    value(self)?;
                    self.words(" END");
                    Ok(())
                }
            },
            Dialect::MariaDb { .. } => match part.kind {
                Type::Json { .. } => self.around("JSON_EXTRACT(", value, ", '$')"),
                Type::Boolean => self.around("(", value, " <> 0)"),
                // The function breaks lines after 76 characters.
                Type::Bytes => self.around("REPLACE(TO_BASE64(", value, "), CHAR(10 USING utf8mb4), '')"),
                Type::Uuid | Type::Other => self.around("CAST(", value, " AS CHAR)"),
                _ => self.moment(&part.kind, value),
            },
        }
    }

    /// A part as a column of the answer, and what that column holds.
    ///
    /// # Errors
    /// Those of `value`.
    pub(super) fn shown(
        &mut self,
        part: &Part<'_>,
        mut value: impl FnMut(&mut Writer<'a>) -> Result<()>,
    ) -> Result<Type> {
        let json = Type::Json { binary: false };
        match (self.dialect(), &part.kind) {
            (Dialect::Postgres, Type::Array(_) | Type::Composite) => {
                self.around("to_json(", value, ")")?;
                Ok(json)
            }
            // As JSON has them: with a `T` between date and time, and an address without the length of its network.
            (Dialect::Postgres, Type::Timestamp | Type::Moment | Type::Other) => {
                self.around("(to_json(", value, ") #>> '{}')")?;
                Ok(part.kind.clone())
            }
            (Dialect::Sqlite, Type::Json { .. }) if !part.is_made() => {
                self.valid_json(value)?;
                Ok(json)
            }
            // What its driver doesn't know in the server's binary form comes as text.
            (
                Dialect::Postgres,
                Type::Decimal
                | Type::Uuid
                | Type::Date
                | Type::Time
                | Type::Interval
                | Type::Range
                | Type::SearchVector,
            ) => {
                self.around("(", value, ")::text")?;
                Ok(part.kind.clone())
            }
            (_, kind) => {
                value(self)?;
                Ok(kind.clone())
            }
        }
    }

    /// A hidden column: the exact value, in a form that can be compared with the column again.
    ///
    /// # Errors
    /// Those of `value`.
    pub(super) fn hidden(&mut self, kind: &Type, mut value: impl FnMut(&mut Writer<'a>) -> Result<()>) -> Result<()> {
        match (self.dialect(), kind) {
            (Dialect::Postgres, kind) if *kind != Type::Text => self.around("(", value, ")::text"),
            (
                Dialect::MariaDb { .. },
                Type::Date
                | Type::Time
                | Type::Timestamp
                | Type::Moment
                | Type::Decimal
                | Type::Uuid
                | Type::Interval
                | Type::Other,
            ) => self.around("CAST(", value, " AS CHAR)"),
            _ => value(self),
        }
    }

    /// A row of a statement that is named `row`, as a JSON object. Where the schema has names for all parts,
    /// [`Writer::named_row`] must follow in the list of tables.
    ///
    /// # Errors
    /// None of its own.
    pub(super) fn object_of_row(&mut self, parts: &[Part<'_>], row: Alias) -> Result<Option<Alias>> {
        if self.dialect() == Dialect::Postgres && identifiers(parts).is_some() {
            let named = self.new_alias();
            self.words("row_to_json(").alias(named).words(")");
            return Ok(Some(named));
        }
        self.object(parts, |writer, place| {
            writer.labelled(row, Label::Shown(place));
            Ok(())
        })?;
        Ok(None)
    }

    /// The row with the names that its members have. PostgreSQL takes this apart again when it plans, so that it costs
    /// nothing, and makes JSON of a row with less work than of a list of names and values.
    ///
    /// # Errors
    /// None of its own.
    pub(super) fn named_row(&mut self, parts: &[Part<'_>], row: Alias, named: Alias) -> Result<()> {
        let names = identifiers(parts).unwrap_or_default();
        self.words(" CROSS JOIN LATERAL (SELECT ");
        self.list(
            ", ",
            parts.iter().zip(names).enumerate(),
            |writer, (place, (part, name))| {
                writer.member_value(part, |writer| {
                    writer.labelled(row, Label::Shown(place));
                    Ok(())
                })?;
                writer.words(" AS ").identifier(name);
                Ok(())
            },
        )?;
        self.words(") AS ").alias(named);
        Ok(())
    }

    /// Stored JSON as it is where it can be read, else as a text: SQLite checks nothing when it is stored.
    fn valid_json(&mut self, mut value: impl FnMut(&mut Writer<'a>) -> Result<()>) -> Result<()> {
        self.words("CASE WHEN json_valid(");
        value(self)?;
        self.words(") THEN ");
        value(self)?;
        self.words(" ELSE json_quote(CAST(");
        value(self)?;
        self.words(" AS TEXT)) END");
        Ok(())
    }

    /// Dates and times as JSON has them everywhere else (RFC 3339), without a fraction of nothing. The session's zone
    /// is UTC.
    fn moment(&mut self, kind: &Type, mut value: impl FnMut(&mut Writer<'a>) -> Result<()>) -> Result<()> {
        let (before, format) = match kind {
            Type::Timestamp => ("DATE_FORMAT(", ", '%Y-%m-%dT%H:%i:%s.%f'"),
            Type::Moment => ("DATE_FORMAT(", ", '%Y-%m-%dT%H:%i:%s.%f'"),
            Type::Time => ("TIME_FORMAT(", ", '%H:%i:%s.%f'"),
            _ => return value(self),
        };
        if *kind == Type::Moment {
            self.words("CONCAT(");
        }
        self.words("TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM ")
            .words(before);
        value(self)?;
        self.words(format).words(")))");
        if *kind == Type::Moment {
            self.words(", '+00:00')");
        }
        Ok(())
    }

    fn around(
        &mut self,
        before: &'static str,
        mut value: impl FnMut(&mut Writer<'a>) -> Result<()>,
        after: &'static str,
    ) -> Result<()> {
        self.words(before);
        value(self)?;
        self.words(after);
        Ok(())
    }
}

/// The names of the parts, where the schema has all of them.
fn identifiers<'q>(parts: &[Part<'q>]) -> Option<Vec<&'q Identifier>> {
    parts.iter().map(|part| part.identifier).collect()
}
