//! Statements, made of three things only: words of this source text, names of the schema, and bound values. No request
//! can add a fourth.

use rusqlite::types::Value;

use super::query::{Comparison, Direction, Filter, Is, Nulls, Order, Test};
use super::schema::{Column, Identifier, Relation};

/// A statement and the values bound to it.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    text: String,
    values: Vec<Value>,
}

impl Statement {
    /// The text, in which every value is a `?`.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The values, in the order of the text.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The rows that all `filters` let through.
    pub(super) fn select(
        relation: &Relation,
        columns: &[&Column],
        filters: &[Filter<'_>],
        order: &[Order<'_>],
        window: Window,
    ) -> Statement {
        let mut statement = Statement::start("SELECT ");
        statement.names(columns.iter().map(|column| column.name()));
        statement
            .words(" FROM ")
            .name(relation.name())
            .matching(filters)
            .ordered(order, relation.tie_break());
        statement.words(" LIMIT ").value(number(window.limit));
        if window.offset > 0 {
            statement.words(" OFFSET ").value(number(window.offset));
        }
        statement
    }

    /// How many rows all `filters` let through, but no more than `limit` where there is one.
    pub(super) fn count(relation: &Relation, filters: &[Filter<'_>], limit: Option<u64>) -> Statement {
        let mut statement = Statement::start("SELECT count(*) FROM (SELECT 1 FROM ");
        statement.name(relation.name()).matching(filters);
        if let Some(limit) = limit {
            statement.words(" LIMIT ").value(number(limit));
        }
        statement.words(")");
        statement
    }

    /// One more row.
    pub(super) fn insert(relation: &Relation, row: Vec<(&Column, Value)>, returning: &[&Column]) -> Statement {
        let mut statement = Statement::start("INSERT INTO ");
        statement.name(relation.name());
        if row.is_empty() {
            statement.words(" DEFAULT VALUES");
        } else {
            statement.words(" (").names(row.iter().map(|(column, _)| column.name()));
            statement.words(") VALUES (");
            statement.list(row.into_iter().map(|(_, value)| value));
            statement.words(")");
        }
        statement.returning(returning);
        statement
    }

    /// Other values for the rows that all `filters` let through.
    pub(super) fn update(
        relation: &Relation,
        changes: Vec<(&Column, Value)>,
        filters: &[Filter<'_>],
        returning: &[&Column],
    ) -> Statement {
        let mut statement = Statement::start("UPDATE ");
        statement.name(relation.name()).words(" SET ");
        for (at, (column, value)) in changes.into_iter().enumerate() {
            statement
                .words(if at > 0 { ", " } else { "" })
                .name(column.name())
                .words(" = ")
                .value(value);
        }
        statement.matching(filters).returning(returning);
        statement
    }

    /// No more of the rows that all `filters` let through.
    pub(super) fn delete(relation: &Relation, filters: &[Filter<'_>], returning: &[&Column]) -> Statement {
        let mut statement = Statement::start("DELETE FROM ");
        statement.name(relation.name()).matching(filters).returning(returning);
        statement
    }

    fn start(words: &'static str) -> Statement {
        Statement {
            text: words.to_owned(),
            values: Vec::new(),
        }
    }

    fn words(&mut self, words: &'static str) -> &mut Statement {
        self.text.push_str(words);
        self
    }

    fn name(&mut self, name: &Identifier) -> &mut Statement {
        self.text.push_str(name.quoted());
        self
    }

    fn value(&mut self, value: Value) -> &mut Statement {
        self.values.push(value);
        self.words("?")
    }

    fn names<'n>(&mut self, names: impl Iterator<Item = &'n Identifier>) -> &mut Statement {
        for (at, name) in names.enumerate() {
            self.words(if at > 0 { ", " } else { "" }).name(name);
        }
        self
    }

    fn list(&mut self, values: impl Iterator<Item = Value>) -> &mut Statement {
        for (at, value) in values.enumerate() {
            self.words(if at > 0 { ", " } else { "" }).value(value);
        }
        self
    }

    fn matching(&mut self, filters: &[Filter<'_>]) -> &mut Statement {
        for (at, filter) in filters.iter().enumerate() {
            self.words(if at > 0 { " AND " } else { " WHERE " });
            self.words(if filter.negated { "NOT (" } else { "(" });
            self.name(filter.column.name()).test(&filter.test).words(")");
        }
        self
    }

    fn test(&mut self, test: &Test) -> &mut Statement {
        match test {
            Test::Compare(comparison, value) => self.words(operator(*comparison)).value(value.clone()),
            Test::Glob(pattern) => self.words(" GLOB ").value(Value::Text(pattern.clone())),
            Test::Like(pattern) => self
                .words(" LIKE ")
                .value(Value::Text(pattern.clone()))
                .words(" ESCAPE '\\'"),
            Test::In(values) => {
                // The list is filled up to a power of two with its last value, so that lists of all lengths share a
                // dozen prepared statements.
                let filled = if values.is_empty() {
                    0
                } else {
                    values.len().next_power_of_two() - values.len()
                };
                let last = values.last().into_iter().cycle().take(filled);
                self.words(" IN (").list(values.iter().chain(last).cloned()).words(")")
            }
            Test::Is(Is::Null) => self.words(" IS NULL"),
            Test::Is(Is::True) => self.words(" IS TRUE"),
            Test::Is(Is::False) => self.words(" IS FALSE"),
        }
    }

    fn ordered(&mut self, order: &[Order<'_>], tie_break: &[Identifier]) -> &mut Statement {
        let mut separator = " ORDER BY ";
        for term in order {
            self.words(separator).name(term.column.name());
            separator = ", ";
            self.words(match term.direction {
                Direction::Ascending => "",
                Direction::Descending => " DESC",
            });
            self.words(match term.nulls {
                Nulls::Smallest => "",
                Nulls::First => " NULLS FIRST",
                Nulls::Last => " NULLS LAST",
            });
        }
        for name in tie_break
            .iter()
            .filter(|name| !order.iter().any(|term| term.column.name() == *name))
        {
            self.words(separator).name(name);
            separator = ", ";
        }
        self
    }

    fn returning(&mut self, columns: &[&Column]) -> &mut Statement {
        if !columns.is_empty() {
            self.words(" RETURNING ")
                .names(columns.iter().map(|column| column.name()));
        }
        self
    }
}

/// Which of the rows in their order are meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// How many at the most.
    pub(super) limit: u64,
    /// How many are left out before the first.
    pub(super) offset: u64,
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => " = ",
        Comparison::NotEqual => " <> ",
        Comparison::Greater => " > ",
        Comparison::GreaterOrEqual => " >= ",
        Comparison::Less => " < ",
        Comparison::LessOrEqual => " <= ",
    }
}

fn number(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
