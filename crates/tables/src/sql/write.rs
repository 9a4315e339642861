//! Statements are made of four things only: words of this source text, names of the schema, names that are numbered
//! here, and bound values. No request can add a fifth: the text is private to this file, and nothing in it takes a
//! string that isn't one of these.

use std::fmt::Write as _;

use portcullis_core::{Error, Result, codes};

use super::call::Called;
use super::dialect::Dialect;
use crate::api::{Api, Resource};
use crate::output::Outputs;
use crate::schema::{Column, Identifier, Relation, TypeName};
use crate::statement::Statement;
use crate::value::Value;

/// A statement that is being written.
pub(crate) struct Writer<'a> {
    api: &'a Api,
    dialect: Dialect,
    text: String,
    values: Vec<Value>,
    aliases: u32,
    /// What the first table of the statement is in place of a table.
    source: Option<Called>,
}

/// The name of a table, or of a statement within the statement, that is given here: `t0`, `t1` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alias(u32);

/// The name of a column that is given here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// One that is shown: `c0` and so on.
    Shown(usize),
    /// One that is hidden: `h0` and so on.
    Hidden(usize),
}

impl<'a> Writer<'a> {
    /// A writer for the API's engine.
    pub(crate) fn new(api: &'a Api) -> Writer<'a> {
        Writer {
            api,
            dialect: Dialect::of(api.schema().engine()),
            text: String::with_capacity(256),
            values: Vec::new(),
            aliases: 0,
            source: None,
        }
    }

    /// Reads from what a routine gives in place of the first table.
    pub(super) fn read_from(&mut self, called: Called) {
        self.source = Some(called);
    }

    /// What the table of that alias is read from, where that is no table.
    pub(super) fn source_of(&self, alias: Alias) -> Option<Called> {
        self.source.clone().filter(|_| alias == Alias(0))
    }

    /// The API whose names are written.
    pub(crate) fn api(&self) -> &'a Api {
        self.api
    }

    /// The dialect that is written.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The resource of that place.
    pub(crate) fn resource(&self, place: usize) -> &'a Resource {
        &self.api.resources()[place]
    }

    /// The relation of the resource of that place.
    pub(crate) fn relation_of(&self, resource: usize) -> &'a Relation {
        &self.api.resources()[resource].relation
    }

    /// A table's name that is written so.
    pub(crate) fn relation_named(&self, name: &str) -> Option<&'a Identifier> {
        let (_, resource) = self.api.resource(name)?;
        Some(&resource.relation.name).filter(|own| own.as_str() == name)
    }

    /// A name for a table that this statement has not used yet.
    pub(crate) fn new_alias(&mut self) -> Alias {
        self.aliases += 1;
        Alias(self.aliases - 1)
    }

    /// Words of the source text.
    pub(crate) fn words(&mut self, words: &'static str) -> &mut Writer<'a> {
        self.text.push_str(words);
        self
    }

    /// A name of the schema.
    pub(crate) fn identifier(&mut self, identifier: &Identifier) -> &mut Writer<'a> {
        self.text.push_str(identifier.quoted());
        self
    }

    /// A type's name, as the database spells it.
    pub(crate) fn type_name(&mut self, name: &TypeName) -> &mut Writer<'a> {
        self.text.push_str(name.as_str());
        self
    }

    /// A name that is given here.
    pub(crate) fn alias(&mut self, alias: Alias) -> &mut Writer<'a> {
        write!(self.text, "t{}", alias.0).expect("a String takes every write");
        self
    }

    /// A column's name that is given here.
    pub(crate) fn label(&mut self, label: Label) -> &mut Writer<'a> {
        match label {
            Label::Shown(place) => write!(self.text, "c{place}"),
            Label::Hidden(place) => write!(self.text, "h{place}"),
        }
        .expect("a String takes every write");
        self
    }

    /// A column of the result by its position, counted from 0 here and from 1 in SQL.
    pub(crate) fn position(&mut self, place: usize) -> &mut Writer<'a> {
        write!(self.text, "{}", place + 1).expect("a String takes every write");
        self
    }

    /// A place in a list of JSON, counted from 0.
    pub(crate) fn place(&mut self, place: usize) -> &mut Writer<'a> {
        write!(self.text, "{place}").expect("a String takes every write");
        self
    }

    /// What a column has where no value is given: the expression that the schema was found with.
    pub(crate) fn default_of(&mut self, column: &Column) -> &mut Writer<'a> {
        match (self.dialect, &column.default) {
            (Dialect::MariaDb { .. }, _) => return self.words("DEFAULT(").identifier(&column.name).words(")"),
            // Given NULL, a rowid takes the next number.
            (Dialect::Sqlite, Some(default)) if default == "rowid" => self.text.push_str("NULL"),
            (_, None) => self.text.push_str("NULL"),
            (_, Some(default)) => write!(self.text, "({default})").expect("a String takes every write"),
        }
        self
    }

    /// A placeholder, and the value that is bound to it.
    pub(crate) fn value(&mut self, value: Value) -> &mut Writer<'a> {
        self.values.push(value);
        match self.dialect {
            Dialect::Postgres => write!(self.text, "${}", self.values.len()).expect("a String takes every write"),
            Dialect::Sqlite | Dialect::MariaDb { .. } => self.text.push('?'),
        }
        self
    }

    /// A placeholder for a text, where the database could not tell by itself that it is one.
    pub(crate) fn text_value(&mut self, text: &str) -> &mut Writer<'a> {
        self.value(Value::Text(text.to_owned()));
        if self.dialect == Dialect::Postgres {
            self.words("::text");
        }
        self
    }

    /// A placeholder for a number of rows.
    pub(crate) fn number(&mut self, number: u64) -> &mut Writer<'a> {
        self.value(Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    /// The relation's name with its namespace.
    pub(crate) fn relation(&mut self, relation: &Relation) -> &mut Writer<'a> {
        self.identifier(&relation.namespace)
            .words(".")
            .identifier(&relation.name)
    }

    /// A column of the table of that alias, or of the only table that the statement is about.
    pub(crate) fn column(&mut self, alias: Option<Alias>, column: &Identifier) -> &mut Writer<'a> {
        if let Some(alias) = alias {
            self.alias(alias).words(".");
        }
        self.identifier(column)
    }

    /// A column with a name given here, of the table of that alias.
    pub(crate) fn labelled(&mut self, alias: Alias, label: Label) -> &mut Writer<'a> {
        self.alias(alias).words(".").label(label)
    }

    /// What `write` writes for each of the items, with `separator` between.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn list<T>(
        &mut self,
        separator: &'static str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Writer<'a>, T) -> Result<()>,
    ) -> Result<()> {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.words(separator);
            }
            write(self, item)?;
        }
        Ok(())
    }

    /// The statement.
    pub(crate) fn finish(self, outputs: Outputs) -> Statement {
        Statement {
            text: self.text.into(),
            values: self.values,
            outputs,
        }
    }
}

/// Refuses what the grammar knows and the engine can't do.
pub(crate) fn unsupported(detail: &'static str) -> Error {
    Error::new(&codes::BAD_QUERY).with_detail(detail)
}
