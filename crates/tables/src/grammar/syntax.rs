//! What a query says, before anything is known of the tables that it is about: names are text, values are text,
//! operators are a closed set already.

mod condition;
mod order;
mod parameters;
mod scanner;
mod select;

pub(super) use self::parameters::{PARAMETERS, Query, Union, of_column, parse, parse_rule};
pub(super) use self::scanner::{placeholder, split_list};
use crate::api::Limits;
use crate::query::{Aggregate, Comparison, Containment, Is, Nulls, Quantifier, RangeTest, SearchForm, Step};
use crate::schema::Cast;

/// What is wrong with a parameter, for the client.
pub(super) type Parsed<T> = Result<T, String>;

/// Something that a parameter says, with where it belongs: the names of embeds on the way to it.
#[derive(Debug)]
pub(super) struct Placed<T> {
    /// The parameter, as the client wrote it.
    pub(super) parameter: String,
    /// The embeds, outermost first; none for the resource itself.
    pub(super) path: Vec<String>,
    /// What it says.
    pub(super) what: T,
}

/// A part of `select`.
#[derive(Debug)]
pub(super) enum Select {
    /// `*`.
    Everything,
    /// `alias:column->path::cast.sum()::cast`.
    Field {
        alias: Option<String>,
        field: Field,
        cast: Option<Cast>,
        aggregate: Option<(Aggregate, Option<Cast>)>,
    },
    /// `alias:count()::cast`.
    Count { alias: Option<String>, cast: Option<Cast> },
    /// `alias:target!hint!inner(…)`.
    Embed(Embed),
}

/// An embed.
#[derive(Debug)]
pub(super) struct Embed {
    pub(super) alias: Option<String>,
    pub(super) target: String,
    pub(super) hint: Option<String>,
    pub(super) inner: bool,
    pub(super) spread: bool,
    pub(super) items: Vec<Select>,
}

/// A column and a path into it.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) column: String,
    pub(super) steps: Vec<Step>,
    pub(super) as_text: bool,
}

/// A condition.
#[derive(Debug)]
pub(super) enum Condition {
    /// `and(…)` or `or(…)`.
    Group {
        negated: bool,
        any: bool,
        parts: Vec<Condition>,
    },
    /// `column.operator.value`.
    Test {
        field: Field,
        negated: bool,
        operation: Operation,
    },
}

/// An operator with its values.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Compare(Comparison, Option<Quantifier>, String),
    Like {
        insensitive: bool,
        quantifier: Option<Quantifier>,
        pattern: String,
    },
    Match {
        insensitive: bool,
        quantifier: Option<Quantifier>,
        pattern: String,
    },
    In(Vec<String>),
    /// `in.{claims.groups}`, in the rules of the file only.
    InPlaceholder(String),
    Is(Is),
    Distinct(String),
    Search {
        form: SearchForm,
        language: Option<String>,
        words: String,
    },
    Contain(Containment, String),
    Range(RangeTest, String),
}

/// A term of `order`.
#[derive(Debug)]
pub(super) struct Term {
    /// The embed whose field it is.
    pub(super) embed: Option<String>,
    pub(super) field: Field,
    pub(super) descending: bool,
    pub(super) nulls: Nulls,
}

/// What is left of the limits on one query. Everything in it counts, so that no nesting and no repetition makes work
/// beyond them.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    nodes: usize,
    listed: usize,
    depth: usize,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Budget {
        Budget {
            limits: *limits,
            nodes: 0,
            listed: 0,
            depth: 0,
        }
    }

    /// Counts a part of the query.
    fn node(&mut self) -> Parsed<()> {
        self.nodes += 1;
        if self.nodes > self.limits.max_nodes {
            return Err(format!("the query has more than {} parts", self.limits.max_nodes));
        }
        Ok(())
    }

    /// Counts a value in a list.
    pub(super) fn listed(&mut self) -> Parsed<()> {
        self.listed += 1;
        if self.listed > self.limits.max_listed {
            return Err(format!(
                "there are more than {} values in lists",
                self.limits.max_listed
            ));
        }
        Ok(())
    }

    /// Checks the length of one value.
    fn value(&self, text: &str) -> Parsed<()> {
        if text.len() > self.limits.max_value {
            return Err(format!("a value is longer than {} bytes", self.limits.max_value));
        }
        Ok(())
    }

    /// Goes one level deeper for as long as `parse` takes.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Budget) -> Parsed<T>) -> Parsed<T> {
        if self.depth == self.limits.max_depth {
            return Err(format!("it is nested deeper than {} levels", self.limits.max_depth));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }
}
