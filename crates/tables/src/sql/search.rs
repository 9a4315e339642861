//! Full-text search.

use portcullis_core::Result;

use super::dialect::Dialect;
use super::field::Operand;
use super::write::{Writer, unsupported};
use crate::query::{Search, SearchForm};
use crate::schema::Type;
use crate::value::Value;

mod words;

use self::words::Words;

impl Writer<'_> {
    /// Whether the field's words are those that are searched for.
    ///
    /// # Errors
    /// `bad_query` where no index for full text covers the column, and where the words can't be understood.
    pub(crate) fn search(&mut self, operand: Operand<'_>, search: &Search) -> Result<()> {
        match self.dialect() {
            Dialect::Postgres => {
                self.postgres_search(operand, search);
                Ok(())
            }
            Dialect::Sqlite => self.sqlite_search(operand, search),
            Dialect::MariaDb { .. } => self.mariadb_search(operand, search),
        }
    }

    fn postgres_search(&mut self, operand: Operand<'_>, search: &Search) {
        if operand.kind() == Type::SearchVector {
            self.operand(operand);
        } else {
            self.words("to_tsvector(").language(search).operand(operand).words(")");
        }
        self.words(match search.form {
            SearchForm::Query => " @@ to_tsquery(",
            SearchForm::Plain => " @@ plainto_tsquery(",
            SearchForm::Phrase => " @@ phraseto_tsquery(",
            SearchForm::Web => " @@ websearch_to_tsquery(",
        });
        self.language(search).text_value(&search.words).words(")");
    }

    fn language(&mut self, search: &Search) -> &mut Self {
        if let Some(language) = &search.language {
            self.value(Value::Text(language.clone())).words("::regconfig, ");
        }
        self
    }

    /// FTS5 has `MATCH` for the columns of its own tables. Within a statement of its own it can stand in every
    /// condition; beside others, SQLite would refuse it in some.
    fn sqlite_search(&mut self, operand: Operand<'_>, search: &Search) -> Result<()> {
        covered(operand, search)?;
        let query = Words::read(search)?.to_fts5();
        let inner = self.new_alias();
        self.qualifier(operand)
            .words("rowid IN (SELECT rowid FROM ")
            .relation(operand.relation);
        self.words(" AS ")
            .alias(inner)
            .words(" WHERE ")
            .column(Some(inner), &operand.column().name);
        self.words(" MATCH ").text_value(&query).words(")");
        Ok(())
    }

    fn qualifier(&mut self, operand: Operand<'_>) -> &mut Self {
        match operand.alias {
            Some(alias) => self.alias(alias).words("."),
            None => self,
        }
    }

    fn mariadb_search(&mut self, operand: Operand<'_>, search: &Search) -> Result<()> {
        covered(operand, search)?;
        let query = Words::read(search)?.to_boolean_mode();
        self.words("MATCH (")
            .operand(operand)
            .words(") AGAINST (")
            .value(Value::Text(query));
        self.words(" IN BOOLEAN MODE)");
        Ok(())
    }
}

/// Whether there is an index for full text: without one the statement would fail.
fn covered(operand: Operand<'_>, search: &Search) -> Result<()> {
    if search.language.is_some() {
        return Err(unsupported("`fts`: this database knows no languages"));
    }
    let place = operand.field.column;
    let indexed = operand.relation.indexes.iter().any(|index| match &*index.method {
        "fulltext" => index.columns == [Some(place)],
        "fts5" => index.columns.contains(&Some(place)),
        _ => false,
    });
    if !indexed || !operand.field.path.is_empty() {
        return Err(unsupported("`fts`: the column has no index for full text of its own"));
    }
    Ok(())
}
