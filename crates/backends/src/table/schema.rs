//! What a database holds: its tables and views as they were found when it was opened. It never changes afterwards.

use std::sync::Arc;

use rusqlite::Connection;

/// The table in which the migrations that ran are recorded. It is no part of the schema.
pub(super) const MIGRATIONS_TABLE: &str = "portcullis_migrations";

/// The tables and views of a database.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    relations: Vec<Arc<Relation>>,
}

/// A table or a view.
#[derive(Debug, PartialEq, Eq)]
pub struct Relation {
    name: Identifier,
    kind: Kind,
    columns: Vec<Column>,
    primary_key: Vec<usize>,
    tie_break: Vec<Identifier>,
    foreign_keys: Vec<ForeignKey>,
}

/// Whether rows can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rows are stored here.
    Table,
    /// Rows are computed from other relations, or kept by an extension: read only.
    View,
}

/// A column of a table or view.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    name: Identifier,
    value_type: ValueType,
    not_null: bool,
    default: Option<String>,
    generated: bool,
    member: String,
}

/// A reference from columns of one table to columns of another.
#[derive(Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The columns that refer, by their place in the relation.
    pub columns: Vec<usize>,
    /// The table referred to.
    pub table: String,
    /// The columns referred to; empty where it is that table's primary key.
    pub referred: Vec<String>,
}

/// What a column takes, by its declared type: the rules are SQLite's own (datatype3, section 3.1), with `BOOLEAN` told
/// apart, which SQLite keeps as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum ValueType {
    Integer,
    Real,
    /// A number where the value is one, else text: `NUMERIC`, `DECIMAL`, `DATE`, `DATETIME`.
    Numeric,
    Text,
    Blob,
    Boolean,
    /// No type was declared.
    Any,
}

/// A name that stands in the schema, and the only kind of name that a statement can be made of: nothing but the
/// introspection of a database constructs one, so that no request can put a name of its own into SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    name: Arc<str>,
    quoted: Arc<str>,
}

impl Identifier {
    fn new(name: &str) -> Identifier {
        Identifier {
            name: name.into(),
            quoted: format!("\"{}\"", name.replace('"', "\"\"")).into(),
        }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The name as it stands in a statement, quoted.
    pub(super) fn quoted(&self) -> &str {
        &self.quoted
    }
}

impl Schema {
    /// The relation of that name.
    pub fn relation(&self, name: &str) -> Option<&Arc<Relation>> {
        self.relations.iter().find(|relation| relation.name.as_str() == name)
    }

    /// All relations, in the order of their names.
    pub fn relations(&self) -> &[Arc<Relation>] {
        &self.relations
    }

    /// Reads the schema of an open database.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Schema> {
        let mut statement = connection.prepare(
            "SELECT name, type, wr FROM pragma_table_list \
             WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') \
             AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> ?1 ORDER BY name",
        )?;
        let found = statement.query_map([MIGRATIONS_TABLE], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, bool>(2)?,
            ))
        })?;
        let mut relations = Vec::new();
        for relation in found {
            let (name, kind, without_rowid) = relation?;
            let is_table = kind == "table";
            relations.push(Arc::new(read_relation(
                connection,
                &name,
                is_table,
                is_table && !without_rowid,
            )?));
        }
        Ok(Schema { relations })
    }
}

impl Relation {
    /// Its name.
    pub fn name(&self) -> &Identifier {
        &self.name
    }

    /// Whether it is a table or a view.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its columns, in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The places of the columns of its primary key, in the key's order. Empty where there is none.
    pub fn primary_key(&self) -> &[usize] {
        &self.primary_key
    }

    /// What it refers to.
    pub fn foreign_keys(&self) -> &[ForeignKey] {
        &self.foreign_keys
    }

    /// What makes any order of rows a total one: the primary key, else the row's number, else nothing.
    pub(super) fn tie_break(&self) -> &[Identifier] {
        &self.tie_break
    }
}

impl Column {
    /// Its name.
    pub fn name(&self) -> &Identifier {
        &self.name
    }

    /// What it takes.
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// Whether it refuses NULL.
    pub fn is_not_null(&self) -> bool {
        self.not_null
    }

    /// The expression of its default.
    pub fn default(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Whether it is computed from other columns, and so can't be written.
    pub fn is_generated(&self) -> bool {
        self.generated
    }

    /// Its name as the member of a JSON object, with quotes and colon.
    pub(super) fn member(&self) -> &str {
        &self.member
    }
}

impl ValueType {
    /// The type that a declaration means.
    fn of_declaration(declared: &str) -> ValueType {
        let declared = declared.to_ascii_uppercase();
        let has = |part: &str| declared.contains(part);
        match () {
            () if declared.is_empty() || declared == "ANY" => ValueType::Any,
            () if has("BOOL") => ValueType::Boolean,
            () if has("INT") => ValueType::Integer,
            () if has("CHAR") || has("CLOB") || has("TEXT") => ValueType::Text,
            () if has("BLOB") => ValueType::Blob,
            () if has("REAL") || has("FLOA") || has("DOUB") => ValueType::Real,
            () => ValueType::Numeric,
        }
    }

    /// What it takes, in words for a client.
    pub(super) fn description(self) -> &'static str {
        match self {
            ValueType::Integer => "an integer of 64 bits",
            ValueType::Real => "a number",
            ValueType::Numeric => "a number or a text",
            ValueType::Text => "a text",
            ValueType::Blob => "bytes in base64",
            ValueType::Boolean => "true or false",
            ValueType::Any => "a text, a number, true or false",
        }
    }
}

/// The name out of `names` that was probably meant.
fn closest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wanted = wanted.to_lowercase();
    // A third of the letters may be wrong; more, and the suggestion would only puzzle.
    let tolerated = wanted.chars().count().div_ceil(3);
    names
        .map(|name| (strsim::osa_distance(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// "; did you mean `name`?", or nothing.
pub(super) fn did_you_mean<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> String {
    closest(wanted, names).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn read_relation(connection: &Connection, name: &str, is_table: bool, has_rowid: bool) -> rusqlite::Result<Relation> {
    let mut statement = connection
        .prepare("SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let mut rows = statement.query([name])?;
    let mut columns = Vec::new();
    let mut key: Vec<(u32, usize)> = Vec::new();
    while let Some(row) = rows.next()? {
        // 1 marks the hidden columns of a virtual table, 2 and 3 generated ones (PRAGMA table_xinfo).
        let hidden: u8 = row.get(5)?;
        if hidden == 1 {
            continue;
        }
        let place_in_key: u32 = row.get(4)?;
        if place_in_key > 0 {
            key.push((place_in_key, columns.len()));
        }
        let column: String = row.get(0)?;
        columns.push(Column {
            name: Identifier::new(&column),
            value_type: ValueType::of_declaration(&row.get::<_, Option<String>>(1)?.unwrap_or_default()),
            not_null: row.get(2)?,
            default: row.get(3)?,
            generated: hidden > 1,
            member: format!("{}:", serde_json::Value::from(column)),
        });
    }
    key.sort_unstable();
    let primary_key: Vec<usize> = key.into_iter().map(|(_, place)| place).collect();
    let tie_break = if !primary_key.is_empty() {
        primary_key.iter().map(|place| columns[*place].name.clone()).collect()
    } else if has_rowid {
        // Any of these names is the row's number, unless a column took it.
        let free = |alias: &&str| {
            !columns
                .iter()
                .any(|column| column.name.as_str().eq_ignore_ascii_case(alias))
        };
        ["rowid", "_rowid_", "oid"]
            .iter()
            .find(|alias| free(alias))
            .map(|alias| Identifier::new(alias))
            .into_iter()
            .collect()
    } else {
        Vec::new()
    };
    let foreign_keys = read_foreign_keys(connection, name, &columns)?;
    let kind = if is_table { Kind::Table } else { Kind::View };
    Ok(Relation {
        name: Identifier::new(name),
        kind,
        columns,
        primary_key,
        tie_break,
        foreign_keys,
    })
}

fn read_foreign_keys(connection: &Connection, name: &str, columns: &[Column]) -> rusqlite::Result<Vec<ForeignKey>> {
    let mut statement = connection
        .prepare("SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq")?;
    let mut rows = statement.query([name])?;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        if keys.last().is_none_or(|(last, _)| *last != id) {
            keys.push((
                id,
                ForeignKey {
                    columns: Vec::new(),
                    table: row.get(1)?,
                    referred: Vec::new(),
                },
            ));
        }
        let (_, key) = keys.last_mut().expect("one was pushed just now");
        let from: String = row.get(2)?;
        key.columns.extend(
            columns
                .iter()
                .position(|column| column.name.as_str().eq_ignore_ascii_case(&from)),
        );
        key.referred.extend(row.get::<_, Option<String>>(3)?);
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn declared_types_follow_the_rules_of_sqlite() {
        for (declared, expected) in [
            ("INTEGER", ValueType::Integer),
            ("bigint", ValueType::Integer),
            ("VARCHAR(20)", ValueType::Text),
            ("", ValueType::Any),
            ("ANY", ValueType::Any),
            ("blob", ValueType::Blob),
            ("DOUBLE PRECISION", ValueType::Real),
            ("boolean", ValueType::Boolean),
            ("DECIMAL(10,2)", ValueType::Numeric),
            ("DATETIME", ValueType::Numeric),
        ] {
            assert_eq!(ValueType::of_declaration(declared), expected, "{declared}");
        }
    }

    #[test]
    fn a_schema_is_read_whole() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT NOT NULL DEFAULT 'z', z INT AS (x * 2));
                 CREATE TABLE b (p TEXT, q INT, r INT REFERENCES a, PRIMARY KEY (q, p)) WITHOUT ROWID;
                 CREATE TABLE c (rowid TEXT, v);
                 CREATE VIEW d AS SELECT y, count(*) AS n FROM a GROUP BY y;
                 CREATE TABLE portcullis_migrations (name TEXT);",
            )
            .unwrap();
        let schema = Schema::read(&connection).unwrap();
        let names: Vec<_> = schema
            .relations()
            .iter()
            .map(|relation| relation.name().as_str())
            .collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        let a = schema.relation("a").unwrap();
        assert_eq!((a.kind(), a.primary_key()), (Kind::Table, &[0][..]));
        assert!(a.columns()[1].is_not_null() && a.columns()[1].default() == Some("'z'"));
        assert!(a.columns()[2].is_generated());
        let b = schema.relation("b").unwrap();
        assert_eq!(b.primary_key(), [1, 0]);
        assert_eq!(
            (b.foreign_keys()[0].table.as_str(), &b.foreign_keys()[0].columns[..]),
            ("a", &[2][..])
        );
        let c = schema.relation("c").unwrap();
        assert_eq!(
            c.tie_break().iter().map(Identifier::as_str).collect::<Vec<_>>(),
            ["_rowid_"]
        );
        let d = schema.relation("d").unwrap();
        assert!(d.kind() == Kind::View && d.tie_break().is_empty());
    }

    #[test]
    fn identifiers_are_quoted() {
        assert_eq!(
            Identifier::new("a\"; DROP TABLE x; --").quoted(),
            "\"a\"\"; DROP TABLE x; --\""
        );
    }

    #[test]
    fn suggestions_are_close() {
        assert_eq!(closest("nmae", ["name", "level"].into_iter()), Some("name"));
        assert_eq!(closest("NAME", ["name", "level"].into_iter()), Some("name"));
        assert_eq!(closest("salary", ["name", "level"].into_iter()), None);
    }
}
