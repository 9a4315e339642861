//! Tables of a database as REST resources: one of them, or several as one API.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;
use crate::{defaults, units};

/// Gives a type all that can be said of a table, beside its own keys: a table at a route's own path and one among others
/// differ only in how they are named.
macro_rules! said_of_a_table {
    ($(#[$meta:meta])* pub struct $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        pub struct $name {
            $($own)*
            /// Methods that the resource takes. By default all that it knows: GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE; of a
            /// view that can't be written, those that read.
            #[serde(default = "defaults::table_methods")]
            #[schemars(length(min = 1), transform = form::choices(defaults::TABLE_METHODS), transform = form::single)]
            pub methods: Vec<String>,
            /// Columns that can be seen, filtered and written. By default all.
            #[serde(default)]
            #[schemars(transform = form::items("column"), transform = form::single)]
            pub columns: Vec<String>,
            /// Columns that can be written, out of those that can be seen. By default all of them.
            #[serde(default)]
            #[schemars(transform = form::items("column"), transform = form::single)]
            pub writable: Option<Vec<String>>,
            /// Columns that can be filtered and ordered by, out of those that can be seen. By default all of them.
            #[serde(default)]
            #[schemars(transform = form::items("column"), transform = form::single)]
            pub filters: Option<Vec<String>>,
            /// The column that tells a row's version: an integer, which the gate increments, or a moment, which it sets. With it
            /// rows have strong entity tags, and `If-Match` is kept inside of the statement (412).
            #[serde(default)]
            #[schemars(extend("format" = "column"))]
            pub version: Option<String>,
            /// Whether changes of one row need `If-Match` (428).
            #[serde(default)]
            pub require_if_match: bool,
            /// Which rows who may see and change. Of several rules the first that is for the caller decides, and who has none sees no
            /// row. By default all rows are for everybody whom the route lets in.
            #[serde(default)]
            #[schemars(transform = form::single)]
            pub rows: Vec<RowRule>,
            /// Whether sums, averages and the like may be asked for, with groups and `having`.
            #[serde(default)]
            pub aggregates: bool,
            /// Whether regular expressions (`match`, `imatch`) may be asked for. Some take very long; see `statement_timeout`.
            #[serde(default)]
            pub patterns: bool,
            /// Whether PATCH and DELETE of the collection may do without a filter.
            #[serde(default)]
            pub full_table: bool,
            /// Rows in one answer where the client doesn't say. By default as many as `max_rows`.
            #[serde(default)]
            #[schemars(range(min = 1))]
            pub default_rows: Option<u32>,
            /// Rows in one answer at the most.
            #[serde(default = "defaults::max_rows")]
            #[schemars(range(min = 1))]
            pub max_rows: u32,
            /// Rows that `offset` may leave out (400): the database reads each of them. Cursors (`after`) know no such limit.
            #[serde(default = "defaults::max_offset")]
            pub max_offset: u32,
            /// Rows that one PATCH or DELETE may touch; one more and none is. POST takes no more rows either.
            #[serde(default = "defaults::max_affected")]
            #[schemars(range(min = 1))]
            pub max_affected: u32,
            /// Bytes of a body at the most (413).
            #[serde(default = "defaults::table_body")]
            pub max_body: units::ByteSize,
        }
    };
}

said_of_a_table! {
    /// A table of a database, as a REST resource. The route's path is the collection; `/{key}` below it is one row.
    #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    pub struct ToTable {
        /// `DATABASE.TABLE`: a name under `databases`, and a table or view in it.
        #[schemars(extend("format" = "table", "x-names" = "databases"))]
        pub table: String,
    }
}

said_of_a_table! {
    /// A table or view among others. Short form: its name in the database.
    #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[schemars(transform = form::short("table"))]
    pub struct Exposed {
        /// Its name in the database, with or without its schema: `orders`, `api.orders`. By default its name in paths.
        #[serde(default)]
        #[schemars(extend("format" = "database-name"))]
        pub table: Option<String>,
    }
}

/// Several tables of a database, as one API.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToTables {
    /// The API. The route's path must end in `/**`.
    pub tables: Tables,
}

/// An API over tables of a database: `/NAME` below the fixed part of the route's path is a collection, `/NAME/KEY` one row,
/// `/NAME/$query` takes a long query by POST, `/rpc/NAME` a function or statement, `/$tx` several changes at once, and
/// `/openapi.json` describes it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tables {
    /// The name of a database under `databases`.
    #[schemars(extend("x-names" = "databases"))]
    pub database: String,
    /// Tables and views, by their names in paths; or a list of names; or `"*"` for all that the database has.
    pub tables: Which,
    /// Functions, procedures and statements that can be called.
    #[serde(default)]
    pub rpc: Rpc,
    /// Whether `POST /$tx` takes several changes that happen all or not at all.
    #[serde(default)]
    pub transactions: bool,
    /// Whether `/openapi.json` describes the API, as far as the caller may use it; and a page of it for browsers.
    #[serde(default = "defaults::yes")]
    pub openapi: bool,
    /// Who may see how the database finds its rows (`Accept: application/vnd.portcullis.plan+json`). By default nobody.
    #[serde(default)]
    pub plans: Plans,
    /// Refuses queries that would read through a whole table of so many rows or more because no index helps (400). By default
    /// none is refused.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub reject_full_scan: Option<u32>,
    /// Limits of queries.
    #[serde(default)]
    pub limits: QueryLimits,
}

/// Which tables and views there are.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Which {
    /// All that the database has.
    All(All),
    /// These, by their names in the database.
    Listed(#[schemars(length(min = 1), transform = form::items("database-name"))] Vec<String>),
    /// These, by their names in paths, with what is said of each; `"*"` is said of all that aren't named.
    Named(#[schemars(transform = form::keys("resource-pattern"))] BTreeMap<String, Exposed>),
}

/// All tables and views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("type" = "string"))]
pub enum All {
    /// Every one, with the defaults. Whoever adds a table to the database adds it to the API.
    #[serde(rename = "*")]
    All,
}

/// Which rows some callers may see and change. Short form: the rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("rows"))]
pub struct RowRule {
    /// For callers with one of these roles. By default for all.
    #[schemars(transform = form::single)]
    pub roles: Vec<String>,
    /// For callers with one of these scopes. By default for all.
    #[schemars(transform = form::single)]
    pub scopes: Vec<String>,
    /// The rows, as a filter of a query: `owner=eq.{claims.sub}&state=neq.gone`. `{consumer}` is the caller's name, `{claims.NAME}`
    /// what its token says; where there is no such claim, no row is meant. New values must comply with it too (403). By default
    /// all rows.
    pub rows: Option<String>,
}

/// What can be called, under `/rpc/NAME`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rpc {
    /// Functions and procedures of the database, by their names there; `"*"` for all. What is volatile takes POST; GET
    /// calls PostgreSQL's functions where they can't change anything (405 for those that try).
    #[schemars(transform = form::items("database-name"), transform = form::single)]
    pub functions: Vec<String>,
    /// Statements, by their names in paths.
    #[schemars(transform = form::keys("resource-name"))]
    pub statements: BTreeMap<String, NamedStatement>,
}

/// A statement that can be called by a name. Short form: its text.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("sql"))]
pub struct NamedStatement {
    /// Its text, with `:name` where an argument stands.
    #[schemars(length(min = 1))]
    pub sql: String,
    /// Its arguments, by name, and the type of each: `integer`, `text`, `boolean`, `numeric`, `timestamptz` and the like.
    #[serde(default)]
    #[schemars(transform = form::keys("resource-name"))]
    pub arguments: BTreeMap<String, String>,
    /// Whether it changes something: then it takes POST only.
    #[serde(default)]
    pub writes: bool,
}

/// Who may see plans.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Plans {
    /// Callers with one of these roles.
    #[schemars(transform = form::single)]
    pub roles: Vec<String>,
}

/// Limits of queries (400).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueryLimits {
    /// How deep resources may be embedded in each other, and conditions in conditions.
    #[schemars(range(min = 1, max = 32))]
    pub max_depth: u16,
    /// Parts of a query: conditions, columns, terms.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_nodes: u16,
    /// Values in a list, as in `in.(1,2)`.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_listed: u32,
    /// Bytes of one value of a query.
    pub max_value: units::ByteSize,
    /// Rows that are counted exactly; of more the number isn't told.
    #[schemars(range(min = 1))]
    pub max_counted: u32,
    /// Steps of one transaction.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_steps: u16,
}

impl Default for QueryLimits {
    fn default() -> QueryLimits {
        defaults::query_limits()
    }
}

impl Default for Exposed {
    fn default() -> Exposed {
        Exposed {
            table: None,
            methods: defaults::table_methods(),
            columns: Vec::new(),
            writable: None,
            filters: None,
            version: None,
            require_if_match: false,
            rows: Vec::new(),
            aggregates: false,
            patterns: false,
            full_table: false,
            default_rows: None,
            max_rows: defaults::max_rows(),
            max_offset: defaults::max_offset(),
            max_affected: defaults::max_affected(),
            max_body: defaults::table_body(),
        }
    }
}

impl ToTable {
    /// The names of the database, and of the table in it.
    pub fn parts(&self) -> (&str, &str) {
        // The form was checked with the file.
        self.table.split_once('.').unwrap_or((&self.table, ""))
    }

    /// What is said of the table, as of one among others.
    pub fn exposed(&self) -> Exposed {
        Exposed {
            table: Some(self.parts().1.to_owned()),
            methods: self.methods.clone(),
            columns: self.columns.clone(),
            writable: self.writable.clone(),
            filters: self.filters.clone(),
            version: self.version.clone(),
            require_if_match: self.require_if_match,
            rows: self.rows.clone(),
            aggregates: self.aggregates,
            patterns: self.patterns,
            full_table: self.full_table,
            default_rows: self.default_rows,
            max_rows: self.max_rows,
            max_offset: self.max_offset,
            max_affected: self.max_affected,
            max_body: self.max_body,
        }
    }
}

impl Tables {
    /// The tables that the file says something of, by their names in paths.
    pub fn named(&self) -> Vec<(&str, &Exposed)> {
        match &self.tables {
            Which::All(_) | Which::Listed(_) => Vec::new(),
            Which::Named(named) => named.iter().map(|(name, exposed)| (name.as_str(), exposed)).collect(),
        }
    }
}

impl Exposed {
    /// Whether a method that it takes changes something.
    pub fn is_writable(&self) -> bool {
        let reads = |method: &String| matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS");
        !self.methods.iter().all(reads)
    }
}
