//! What a database holds, as it was found: relations, keys, references, indexes, routines. It never changes; when the
//! database does, another one takes its place.

mod found;
mod lookup;
mod types;

use std::collections::HashMap;
use std::sync::Arc;

pub use self::found::{
    FoundArgument, FoundColumn, FoundForeignKey, FoundIndex, FoundRelation, FoundReturns, FoundRoutine, FoundSchema,
    Volatile,
};
pub use self::lookup::did_you_mean;
pub use self::types::{Cast, Type};

/// The database's kind, and with it the dialect of its SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
    /// MySQL.
    MySql,
}

/// A name that was found in the schema, and the only kind of name that a statement can be made of. Nothing but
/// [`Schema::new`] makes one, from what the introspection of a database found: so no request can put a name of its own
/// into SQL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identifier {
    name: Arc<str>,
    quoted: Arc<str>,
}

/// Relations and routines of a database.
#[derive(Debug)]
pub struct Schema {
    engine: Engine,
    relations: Vec<Arc<Relation>>,
    by_name: HashMap<(Arc<str>, Arc<str>), usize>,
    namespaces: Vec<Arc<str>>,
    routines: Vec<Arc<Routine>>,
    fingerprint: u64,
}

/// A table or a view.
#[derive(Debug)]
pub struct Relation {
    /// The namespace it is in: a schema of PostgreSQL, a database of MariaDB; `main` in SQLite.
    pub namespace: Identifier,
    /// Its name.
    pub name: Identifier,
    /// Whether it is a table or a view.
    pub kind: Kind,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// The places of the columns of its primary key, in the key's order; of a view none.
    pub primary_key: Vec<usize>,
    /// The other keys whose columns hold no value twice.
    pub unique: Vec<Vec<usize>>,
    /// What it refers to.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its indexes, the primary key's among them.
    pub indexes: Vec<Index>,
    /// The table's comment.
    pub comment: Option<String>,
    /// How many rows the database believes there are, where it keeps such a number.
    pub estimated_rows: Option<u64>,
    /// A table of SQLite that has a rowid: its name (`rowid`, `_rowid_` or `oid`), where no column hides it.
    pub rowid: Option<Identifier>,
    /// Whether rows can be inserted, updated and deleted: of a table true, of a view what the engine says.
    pub writable: bool,
}

/// What a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Rows are stored here.
    Table,
    /// Rows are computed from other relations, or kept by an extension.
    View,
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: Identifier,
    /// Its name as the member of a JSON object, escaped and with quotes and colon.
    pub member: Box<str>,
    /// What it holds.
    pub kind: Type,
    /// The type as the database declares it, for a cast in a statement (`numeric(10,2)`, `app.mood[]`).
    pub declared: TypeName,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// The expression of its default, or what stands for one (`auto_increment`, a rowid).
    pub default: Option<String>,
    /// Whether the database computes it, so that it can't be written.
    pub generated: bool,
    /// Characters at the most, where the type has a limit.
    pub max_length: Option<u32>,
    /// Its comment.
    pub comment: Option<String>,
}

/// A type's name, as the database spells it, with what needs quotes quoted. Made like an [`Identifier`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TypeName(Arc<str>);

/// A reference to another relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The constraint's name; in SQLite, which has none, `TABLE_COLUMN_fkey` as PostgreSQL would name it.
    pub name: Box<str>,
    /// The columns that refer.
    pub columns: Vec<usize>,
    /// The relation referred to, by its place in the schema.
    pub relation: usize,
    /// The columns referred to, in the order of `columns`.
    pub referred: Vec<usize>,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: Identifier,
    /// The columns that it is sorted by; `None` stands for an expression.
    pub columns: Vec<Option<usize>>,
    /// Columns that it holds beside (`INCLUDE`).
    pub included: Vec<usize>,
    /// Whether it refuses the same values twice.
    pub unique: bool,
    /// Whether it is the primary key's.
    pub primary: bool,
    /// Whether it holds only some of the rows.
    pub partial: bool,
    /// Its method, in lower case: `btree`, `gin`, `fulltext`.
    pub method: Box<str>,
    /// How often the database says it was used, where it counts that.
    pub scans: Option<u64>,
    /// Its bytes, where the database knows.
    pub bytes: Option<u64>,
}

/// A function or procedure.
#[derive(Debug)]
pub struct Routine {
    /// The namespace it is in.
    pub namespace: Identifier,
    /// Its name.
    pub name: Identifier,
    /// Whether it is called by `CALL`.
    pub procedure: bool,
    /// Whether it may change something.
    pub volatile: bool,
    /// What it takes.
    pub arguments: Vec<Argument>,
    /// What it gives.
    pub returns: Returns,
    /// Its comment.
    pub comment: Option<String>,
}

/// An argument of a routine.
#[derive(Debug)]
pub struct Argument {
    /// Its name.
    pub name: Identifier,
    /// What it takes.
    pub kind: Type,
    /// The type as the database declares it.
    pub declared: TypeName,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it takes all that remain.
    pub variadic: bool,
}

/// What a routine gives.
#[derive(Debug)]
pub enum Returns {
    /// Nothing.
    Nothing,
    /// One value.
    Value(Type),
    /// A set of values.
    Values(Type),
    /// One row of named columns.
    Row(Vec<Column>),
    /// Rows of named columns.
    Rows(Vec<Column>),
    /// Rows of a relation of the schema (by its place), which can be filtered and embedded like the relation itself;
    /// and whether there may be several.
    Relation {
        /// The relation's place in the schema.
        relation: usize,
        /// Whether there may be several.
        many: bool,
    },
}

impl Engine {
    /// Its name, as metrics and documents have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
            Engine::MariaDb => "mariadb",
            Engine::MySql => "mysql",
        }
    }

    /// Whether its SQL is that of MySQL, which MariaDB shares.
    pub fn is_mysql_like(self) -> bool {
        matches!(self, Engine::MariaDb | Engine::MySql)
    }
}

impl Identifier {
    fn new(engine: Engine, name: &str) -> Identifier {
        let quote = if engine.is_mysql_like() { '`' } else { '"' };
        let doubled = [quote, quote].iter().collect::<String>();
        Identifier {
            name: name.into(),
            quoted: format!("{quote}{}{quote}", name.replace(quote, &doubled)).into(),
        }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The name as it stands in a statement, quoted.
    pub fn quoted(&self) -> &str {
        &self.quoted
    }
}

impl TypeName {
    /// The name as it stands in a statement.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Schema {
    /// The database's kind.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// All relations; places elsewhere are places in here.
    pub fn relations(&self) -> &[Arc<Relation>] {
        &self.relations
    }

    /// All routines.
    pub fn routines(&self) -> &[Arc<Routine>] {
        &self.routines
    }

    /// The namespaces that were looked at, the first one being where names without a namespace are looked for first.
    pub(crate) fn namespaces(&self) -> &[Arc<str>] {
        &self.namespaces
    }

    /// A digest of all that was found but numbers of rows and uses: equal schemas have equal ones.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl Relation {
    /// The place of the column of that name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.as_str() == name)
    }

    /// Whether these columns, in any order, hold no combination of values twice.
    pub fn is_key(&self, columns: &[usize]) -> bool {
        let within = |key: &Vec<usize>| !key.is_empty() && key.iter().all(|place| columns.contains(place));
        within(&self.primary_key) || self.unique.iter().any(within)
    }
}
