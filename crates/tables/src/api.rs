//! What a route exposes of a database: resources, their limits and rules, and how they are related. Nothing is public
//! but what stands here.

mod make;
mod relationships;
mod statements;

use std::collections::HashMap;
use std::sync::Arc;

use portcullis_core::Method;

use crate::schema::{Relation, Routine, Schema};

/// What a route says of a database, in the file's words: what [`Api::new`] checks against the schema.
#[derive(Clone, Debug, Default)]
pub struct Exposed {
    /// The tables and views, by the name they have in paths.
    pub resources: Vec<(String, ExposedResource)>,
    /// The routines, by the name they have under `/rpc/`, with the routine's name in the database.
    pub routines: Vec<(String, String)>,
    /// Statements written in the file, by the name they have under `/rpc/`.
    pub statements: Vec<(String, ExposedStatement)>,
    /// Limits that hold for all of it.
    pub limits: Limits,
}

/// A table or view, in the file's words.
#[derive(Clone, Debug)]
pub struct ExposedResource {
    /// Its name in the database, with or without the namespace.
    pub relation: String,
    /// Columns that can be read; `None` is all of them.
    pub columns: Option<Vec<String>>,
    /// Columns that can be written; `None` is all that can be read.
    pub writable: Option<Vec<String>>,
    /// Columns that can be filtered and ordered by; `None` is all that can be read.
    pub filters: Option<Vec<String>>,
    /// Methods that it takes.
    pub methods: Vec<Method>,
    /// The column that tells a row's version.
    pub version: Option<String>,
    /// Whether changes of one row need `If-Match` (428).
    pub require_if_match: bool,
    /// Which rows who may see and change; none are all rows for everybody.
    pub rules: Vec<ExposedRule>,
    /// Whether computations over groups may be asked for.
    pub aggregates: bool,
    /// Whether regular expressions may be asked for.
    pub patterns: bool,
    /// Whether PATCH and DELETE may do without a filter.
    pub full_table: bool,
    /// Its limits.
    pub limits: ResourceLimits,
}

/// Which rows some callers may see and change. Of several rules the first that is for the caller decides; who has none
/// sees no row.
#[derive(Clone, Debug, Default)]
pub struct ExposedRule {
    /// For callers with one of these roles; empty is for all.
    pub roles: Vec<String>,
    /// For callers with one of these scopes; empty is for all.
    pub scopes: Vec<String>,
    /// The rows, as a filter in the grammar of queries (`owner=eq.{claims.sub}&state=neq.gone`); `None` is all rows.
    /// `{consumer}` and `{claims.NAME}` stand for what is known of the caller: a value, or in `in.{claims.NAME}` a list.
    pub rows: Option<String>,
}

/// A statement of the file, in the file's words.
#[derive(Clone, Debug)]
pub struct ExposedStatement {
    /// Its text, with `:name` for its arguments.
    pub sql: String,
    /// Its arguments, with the type of each, in the words of [`crate::schema::Cast::named`].
    pub arguments: Vec<(String, String)>,
    /// Whether it changes something: then POST only.
    pub writes: bool,
}

/// Limits of one resource.
#[derive(Clone, Copy, Debug)]
pub struct ResourceLimits {
    /// Rows in one answer where the client doesn't say.
    pub default_rows: Option<u64>,
    /// Rows in one answer at the most; `None` is no limit.
    pub max_rows: Option<u64>,
    /// Rows left out before the first, at the most.
    pub max_offset: u64,
    /// Rows that one request may change.
    pub max_affected: u64,
    /// Bytes of a body.
    pub max_body: u64,
}

/// Limits that hold for every request to an API.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How deep embeds may be in embeds, and conditions in conditions.
    pub max_depth: usize,
    /// Parts of a query: conditions, items, terms.
    pub max_nodes: usize,
    /// Values in lists.
    pub max_listed: usize,
    /// Bytes of one value.
    pub max_value: usize,
    /// Rows that are counted exactly; more are `*`.
    pub max_counted: u64,
    /// Steps of one transaction.
    pub max_steps: usize,
}

/// An API over a database.
#[derive(Debug)]
pub struct Api {
    pub(crate) schema: Arc<Schema>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) names: HashMap<Box<str>, usize>,
    pub(crate) routines: Vec<(Box<str>, Vec<Arc<Routine>>)>,
    pub(crate) statements: Vec<NamedStatement>,
    pub(crate) limits: Limits,
}

/// A table or view that is exposed.
#[derive(Debug)]
pub struct Resource {
    /// Its name in paths.
    pub name: Box<str>,
    /// The table or view.
    pub relation: Arc<Relation>,
    /// The places of the columns that can be read, in the order of the file.
    pub readable: Vec<usize>,
    /// The places of the columns that can be written.
    pub writable: Vec<usize>,
    /// The places of the columns that can be filtered and ordered by.
    pub filterable: Vec<usize>,
    /// The columns that address a row: the primary key's, where all of them can be read. Empty where rows have no
    /// address.
    pub key: Vec<usize>,
    /// Methods that it takes.
    pub methods: Vec<Method>,
    /// The column that tells a row's version.
    pub version: Option<usize>,
    /// Whether changes of one row need `If-Match`.
    pub require_if_match: bool,
    /// Which rows who may see and change.
    pub rules: Vec<Rule>,
    /// Whether computations over groups may be asked for.
    pub aggregates: bool,
    /// Whether regular expressions may be asked for.
    pub patterns: bool,
    /// Whether PATCH and DELETE may do without a filter.
    pub full_table: bool,
    /// Its limits.
    pub limits: ResourceLimits,
    /// How it is related to resources of the same API, itself among them.
    pub relationships: Vec<Relationship>,
}

/// Which rows some callers may see and change, parsed.
#[derive(Debug)]
pub struct Rule {
    /// For callers with one of these roles; empty is for all.
    pub roles: Vec<Box<str>>,
    /// For callers with one of these scopes; empty is for all.
    pub scopes: Vec<Box<str>>,
    /// The rows; `None` is all.
    pub rows: Option<crate::grammar::Template>,
}

/// How a resource is related to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relationship {
    /// The name of the foreign key.
    pub constraint: Box<str>,
    /// The related resource, by its place in the API.
    pub target: usize,
    /// Whether there is one related row at the most.
    pub to_one: bool,
    /// Over which columns.
    pub join: Join,
}

/// Over which columns two resources are related.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Join {
    /// These columns here have the values of those there.
    Direct {
        /// Columns of the resource.
        here: Vec<usize>,
        /// Columns of the related one.
        there: Vec<usize>,
    },
    /// Through a table between, which refers to both.
    Through {
        /// The table between, a resource too.
        between: usize,
        /// The constraint of the table between that refers to the related resource.
        constraint: Box<str>,
        /// Columns of the resource.
        here: Vec<usize>,
        /// Columns of the table between that refer to them.
        from: Vec<usize>,
        /// Columns of the table between that refer to the related resource.
        to: Vec<usize>,
        /// Columns of the related resource.
        there: Vec<usize>,
    },
}

/// A statement of the file.
#[derive(Debug)]
pub struct NamedStatement {
    /// Its name under `/rpc/`.
    pub name: Box<str>,
    /// Its text, in the engine's placeholders, in the order of `order`.
    pub text: Arc<str>,
    /// Its arguments.
    pub arguments: Vec<(Box<str>, crate::schema::Type)>,
    /// For each placeholder, the argument.
    pub order: Vec<usize>,
    /// Whether it changes something.
    pub writes: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_depth: 8,
            max_nodes: 64,
            max_listed: 1000,
            max_value: 4096,
            max_counted: 1_000_000,
            max_steps: 100,
        }
    }
}

impl Default for ResourceLimits {
    fn default() -> ResourceLimits {
        ResourceLimits {
            default_rows: None,
            max_rows: Some(1000),
            max_offset: 10_000,
            max_affected: 1000,
            max_body: 1 << 20,
        }
    }
}

impl Resource {
    /// Whether a method may be used there: at a row's path, or at the collection's. HEAD goes with GET (RFC 9110 §9.3.2).
    /// What the database can't write takes no method that writes, and what has no key has no rows to address.
    pub fn takes(&self, method: &Method, is_row: bool) -> bool {
        let has = |wanted: &Method| self.methods.contains(wanted);
        if is_row && self.key.is_empty() {
            return false;
        }
        match method {
            Method::Get => has(method),
            Method::Head => has(&Method::Get) || has(method),
            Method::Post => !is_row && has(method) && self.relation.writable,
            Method::Put => is_row && has(method) && self.relation.writable,
            other => has(other) && self.relation.writable,
        }
    }
}

impl Api {
    /// The schema that it was made for.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// All resources; places elsewhere are places in here.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The resource of that name in paths, with its place.
    pub fn resource(&self, name: &str) -> Option<(usize, &Resource)> {
        let place = *self.names.get(name)?;
        Some((place, &self.resources[place]))
    }

    /// The routines under that name of `/rpc/`: several where it is overloaded.
    pub fn routines(&self) -> &[(Box<str>, Vec<Arc<Routine>>)] {
        &self.routines
    }

    /// The statements of the file.
    pub fn statements(&self) -> &[NamedStatement] {
        &self.statements
    }

    /// Limits that hold for all of it.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}
