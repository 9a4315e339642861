//! Columns, and paths into the JSON that they hold.

use portcullis_core::Result;

use super::dialect::Dialect;
use super::write::{Alias, Writer};
use crate::query::{Field, Step};
use crate::schema::{Cast, Column, Relation, Type};
use crate::value::Value;

/// A field of a table that the statement names.
#[derive(Clone, Copy)]
pub(crate) struct Operand<'q> {
    /// The table's alias, or none where it is the only one.
    pub(crate) alias: Option<Alias>,
    /// The table.
    pub(crate) relation: &'q Relation,
    /// The field.
    pub(crate) field: &'q Field,
}

impl<'q> Operand<'q> {
    /// The column.
    pub(crate) fn column(self) -> &'q Column {
        &self.relation.columns[self.field.column]
    }

    /// What the field holds.
    pub(crate) fn kind(self) -> Type {
        if self.field.path.is_empty() {
            self.column().kind.clone()
        } else if self.field.as_text {
            Type::Text
        } else {
            Type::Json { binary: true }
        }
    }

    /// Whether the field may hold NULL.
    pub(crate) fn nullable(self) -> bool {
        !self.field.path.is_empty() || self.column().nullable
    }
}

impl Writer<'_> {
    /// The field's value.
    pub(crate) fn operand(&mut self, operand: Operand<'_>) -> &mut Self {
        if operand.field.path.is_empty() {
            return self.column(operand.alias, &operand.column().name);
        }
        match self.dialect() {
            Dialect::Postgres => self.postgres_path(operand),
            Dialect::Sqlite => self.sqlite_path(operand),
            Dialect::MariaDb { mysql } => self.mariadb_path(operand, mysql),
        }
    }

    /// The field's value as text, for patterns.
    pub(crate) fn operand_as_text(&mut self, operand: Operand<'_>) -> &mut Self {
        self.operand(operand);
        if self.dialect() == Dialect::Postgres && operand.kind() != Type::Text {
            self.words("::text");
        }
        self
    }

    /// The field's value cast to a type.
    ///
    /// # Errors
    /// `bad_query` where the engine has no such type.
    pub(crate) fn cast(&mut self, cast: Cast, kind: &Type, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        match (self.dialect(), self.dialect().cast(cast)) {
            (Dialect::Postgres, Some(name)) => {
                self.words("(");
                write(self)?;
                self.words(")::").words(name);
            }
            (Dialect::Sqlite, Some("INTEGER")) if !matches!(kind, Type::Integer { .. } | Type::Boolean) => {
                // As PostgreSQL does it, the number is rounded; SQLite would cut it off.
                self.words("CAST(round(");
                write(self)?;
                self.words(") AS INTEGER)");
            }
            (Dialect::Sqlite | Dialect::MariaDb { .. }, Some("TEXT" | "CHAR")) if *kind == Type::Boolean => {
                self.words("CASE ");
                write(self)?;
                self.words(" WHEN 0 THEN 'false' WHEN 1 THEN 'true' END");
            }
            (_, Some(name)) => {
                self.words("CAST(");
                write(self)?;
                self.words(" AS ").words(name).words(")");
            }
            (dialect, None) => {
                let (before, after) = function_of_cast(dialect, cast)?;
                self.words(before);
                write(self)?;
                self.words(after);
            }
        }
        Ok(())
    }

    /// `->` and `->>`, step by step. What is no JSON (arrays, composite types) is made JSON first.
    fn postgres_path(&mut self, operand: Operand<'_>) -> &mut Self {
        let column = operand.column();
        self.words("(");
        if matches!(column.kind, Type::Json { .. }) {
            self.column(operand.alias, &column.name);
        } else {
            self.words("to_jsonb(").column(operand.alias, &column.name).words(")");
        }
        let last = operand.field.path.len() - 1;
        for (at, step) in operand.field.path.iter().enumerate() {
            self.words(if at == last && operand.field.as_text {
                " ->> "
            } else {
                " -> "
            });
            match step {
                Step::Member(name) => self.text_value(name),
                Step::Item(place) => self.value(Value::Integer(i64::from(*place))).words("::integer"),
            };
        }
        // A path in a column of type `json` gives `json`, which knows no comparison.
        if !operand.field.as_text && column.kind == (Type::Json { binary: false }) {
            self.words(")::jsonb");
        } else {
            self.words(")");
        }
        self
    }

    /// A path of SQLite's JSON functions. A column that holds no JSON gives NULL, where the functions would fail.
    fn sqlite_path(&mut self, operand: Operand<'_>) -> &mut Self {
        let name = &operand.column().name;
        let path = sqlite_path(&operand.field.path);
        self.words("(CASE WHEN json_valid(")
            .column(operand.alias, name)
            .words(") THEN ");
        if operand.field.as_text {
            // `->>` would give numbers and 1 for true, where PostgreSQL gives the text as it stands there.
            self.words("CASE json_type(")
                .column(operand.alias, name)
                .words(", ")
                .text_value(&path);
            self.words(") WHEN 'text' THEN ")
                .column(operand.alias, name)
                .words(" ->> ")
                .text_value(&path);
            self.words(" WHEN 'null' THEN NULL ELSE ")
                .column(operand.alias, name)
                .words(" -> ")
                .text_value(&path);
            self.words(" END");
        } else {
            self.column(operand.alias, name).words(" -> ").text_value(&path);
        }
        self.words(" END)")
    }

    fn mariadb_path(&mut self, operand: Operand<'_>, mysql: bool) -> &mut Self {
        let name = &operand.column().name;
        // JSON's null is no text. MariaDB has JSON as text, in which a text has its quotes.
        self.words(if operand.field.as_text {
            "JSON_UNQUOTE(NULLIF("
        } else {
            ""
        });
        self.words("JSON_EXTRACT(").column(operand.alias, name).words(", ");
        let path = mariadb_path(&operand.field.path);
        if !mysql && operand.field.path.iter().any(|step| matches!(step, Step::Item(..0))) {
            // MariaDB counts from the end once, for the first row, and keeps that place for all others, unless the path
            // is another one with every row.
            self.words("CONCAT(")
                .text_value(&path)
                .words(", LEFT(")
                .column(operand.alias, name)
                .words(", 0))");
        } else {
            self.text_value(&path);
        }
        self.words(match (operand.field.as_text, mysql) {
            (false, _) => ")",
            (true, true) => "), CAST('null' AS JSON)))",
            (true, false) => "), 'null'))",
        })
    }
}

/// What stands around a value to cast it, where it isn't `CAST`.
fn function_of_cast(dialect: Dialect, cast: Cast) -> Result<(&'static str, &'static str)> {
    Ok(match (dialect, cast) {
        (_, Cast::Boolean) => ("(", " <> 0)"),
        (Dialect::Sqlite, Cast::Date) => ("date(", ")"),
        (Dialect::Sqlite, Cast::Time) => ("time(", ")"),
        (Dialect::Sqlite, Cast::Timestamp) => ("strftime('%Y-%m-%dT%H:%M:%S', ", ")"),
        (Dialect::Sqlite, Cast::Json | Cast::JsonBinary) => ("", ""),
        (Dialect::MariaDb { .. }, Cast::Json | Cast::JsonBinary) => ("JSON_EXTRACT(", ", '$')"),
        _ => {
            return Err(super::write::unsupported(
                "`select`: this database has no such type to cast to",
            ));
        }
    })
}

/// The path with each name in quotes, in which JSON's escapes hold; `#-1` counts from the end.
fn sqlite_path(path: &[Step]) -> String {
    path_text(path, |back| format!("[#-{back}]"))
}

/// The same where `last` counts from the end.
fn mariadb_path(path: &[Step]) -> String {
    path_text(path, |back| match back {
        1 => "[last]".to_owned(),
        _ => format!("[last-{}]", back - 1),
    })
}

fn path_text(path: &[Step], from_end: impl Fn(u32) -> String) -> String {
    let mut text = "$".to_owned();
    for step in path {
        match step {
            Step::Member(name) => {
                text.push('.');
                text.push_str(&serde_json::to_string(name).expect("a text can be written"));
            }
            Step::Item(place) if *place < 0 => text.push_str(&from_end(place.unsigned_abs())),
            Step::Item(place) => text.push_str(&format!("[{place}]")),
        }
    }
    text
}
