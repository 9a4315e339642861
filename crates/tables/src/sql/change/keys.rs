//! Rows by the keys that an earlier step gave, which come as a JSON array of arrays: one shape for any number of them.

use portcullis_core::Result;

use crate::schema::{Column, Relation, Type};
use crate::sql::dialect::Dialect;
use crate::sql::write::{Alias, Label, Writer};
use crate::value::Value;

impl<'a> Writer<'a> {
    /// Whether the columns have the values of hidden outputs of a row of that step: pairs of column and output.
    pub(in crate::sql) fn keys(
        &mut self,
        relation: &Relation,
        alias: Option<Alias>,
        pairs: &[(usize, usize)],
        step: usize,
    ) -> Result<()> {
        let dialect = self.dialect();
        let several = pairs.len() > 1;
        self.words(if several { "((" } else { "(" });
        self.list(", ", pairs, |writer, (column, _)| {
            let column = &relation.columns[*column];
            // What is base64 in JSON is compared so: SQLite has no function for the way back.
            let encoded = dialect == Dialect::Sqlite && column.kind == Type::Bytes;
            writer.words(if encoded { "portcullis_base64(" } else { "" });
            writer.column(alias, &column.name).words(if encoded { ")" } else { "" });
            Ok(())
        })?;
        self.words(if several { ") IN (SELECT " } else { " IN (SELECT " });
        let keys = self.new_alias();
        self.list(", ", pairs, |writer, (column, output)| {
            writer.key(&relation.columns[*column], keys, *output);
            Ok(())
        })?;
        self.words(" FROM ");
        let all = Value::AllOf { step };
        match dialect {
            Dialect::Postgres => {
                self.words("json_array_elements(")
                    .value(all)
                    .words("::json) AS ")
                    .alias(keys)
                    .words("(");
                self.label(Label::Hidden(0)).words(")");
            }
            Dialect::Sqlite => {
                self.words("json_each(").value(all).words(") AS ").alias(keys);
            }
            Dialect::MariaDb { .. } => {
                self.words("JSON_TABLE(").value(all).words(", '$[*]' COLUMNS (");
                self.list(", ", pairs, |writer, (column, output)| {
                    writer
                        .label(Label::Hidden(*output))
                        .words(" ")
                        .words(type_of(&relation.columns[*column].kind));
                    writer.words(" PATH '$[").place(*output).words("]'");
                    Ok(())
                })?;
                self.words(")) AS ").alias(keys);
            }
        }
        self.words("))");
        Ok(())
    }

    /// One column of a key.
    fn key(&mut self, column: &Column, keys: Alias, output: usize) {
        match self.dialect() {
            Dialect::Postgres => {
                self.words("(")
                    .labelled(keys, Label::Hidden(0))
                    .words(" ->> ")
                    .place(output)
                    .words(")::");
                self.type_name(&column.declared);
            }
            Dialect::Sqlite => {
                self.alias(keys).words(".value ->> ").place(output);
            }
            Dialect::MariaDb { .. } if column.kind == Type::Bytes => {
                self.words("FROM_BASE64(")
                    .labelled(keys, Label::Hidden(output))
                    .words(")");
            }
            Dialect::MariaDb { .. } => {
                self.labelled(keys, Label::Hidden(output));
            }
        }
    }
}

/// The type in which a key is compared, so that no digit of it is lost.
fn type_of(kind: &Type) -> &'static str {
    match kind {
        Type::Integer { unsigned: true, .. } => "BIGINT UNSIGNED",
        Type::Integer { .. } | Type::Boolean => "BIGINT",
        Type::Decimal => "DECIMAL(65, 30)",
        _ => "VARCHAR(3072)",
    }
}
