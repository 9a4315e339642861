//! The schema of a database, as it is found: one query for all tables at a time, since there may be ten thousand of
//! them.

use std::collections::HashMap;

use portcullis_tables::schema::{
    Engine, FoundColumn, FoundForeignKey, FoundIndex, FoundRelation, FoundSchema, Kind, Schema, Type, Volatile,
};
use rusqlite::{Connection, Result, Row};

use super::checks::{Check, checks};
use super::connection::Session;
use crate::migrations;

/// Tables that are asked for their largest rowid: there may be ten thousand.
const MOST_ASKED: usize = 1000;

/// The one namespace.
const MAIN: &str = "main";

/// Relations as they are put together, and where each is by its name in lower case, as SQLite compares names.
struct Found {
    relations: Vec<FoundRelation>,
    places: HashMap<String, usize>,
}

/// Reads the schema, and the number that SQLite changes with it.
pub(super) fn read(session: &Session) -> Result<(Schema, i64)> {
    let connection = &session.connection;
    // All of it is read of one state.
    let _transaction = connection.unchecked_transaction()?;
    let version = version(connection)?;
    let mut found = relations(connection)?;
    table_columns(connection, &mut found)?;
    other_columns(connection, &mut found);
    indexes(connection, &mut found)?;
    keys_of_rows(&mut found);
    foreign_keys(connection, &mut found)?;
    searchable(connection, &mut found)?;
    refine(connection, &mut found)?;
    estimates(connection, &mut found)?;
    // What has no columns is a view or an extension's table that can't be read at the moment.
    found.relations.retain(|relation| !relation.columns.is_empty());
    let schema = FoundSchema {
        namespaces: vec![MAIN.to_owned()],
        relations: found.relations,
        routines: Vec::new(),
    };
    Ok((Schema::new(Engine::Sqlite, schema), version))
}

/// The number that changes with the schema.
pub(super) fn version(connection: &Connection) -> Result<i64> {
    connection.pragma_query_value(None, "schema_version", |row| row.get(0))
}

impl Found {
    fn relation(&mut self, name: &str) -> Option<&mut FoundRelation> {
        let place = *self.places.get(&name.to_lowercase())?;
        Some(&mut self.relations[place])
    }
}

fn relations(connection: &Connection) -> Result<Found> {
    let mut statement = connection.prepare(
        "SELECT name, type, wr FROM pragma_table_list \
         WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> ?1 ORDER BY name",
    )?;
    let mut rows = statement.query([migrations::TABLE])?;
    let mut found = Found {
        relations: Vec::new(),
        places: HashMap::new(),
    };
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let is_table = row.get_ref(1)?.as_str()? == "table";
        let has_rowid = is_table && !row.get::<_, bool>(2)?;
        found.places.insert(name.to_lowercase(), found.relations.len());
        let kind = if is_table { Kind::Table } else { Kind::View };
        found.relations.push(FoundRelation {
            // Which of its names is free is seen when the columns are there.
            rowid: has_rowid.then(String::new),
            ..FoundRelation::new(MAIN.to_owned(), name, kind)
        });
    }
    Ok(found)
}

const COLUMNS: &str = "c.name, c.type, c.\"notnull\", c.dflt_value, c.pk, c.hidden";

fn table_columns(connection: &Connection, found: &mut Found) -> Result<()> {
    let mut statement = connection.prepare(&format!(
        "SELECT t.name, {COLUMNS} FROM (SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0) t, \
         pragma_table_xinfo(t.name, 'main') c"
    ))?;
    let mut rows = statement.query([])?;
    let mut keys: HashMap<String, Vec<(u32, usize)>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let table = row.get_ref(0)?.as_str()?;
        let Some(relation) = found.relation(table) else {
            continue;
        };
        let place_in_key: u32 = row.get(5)?;
        if place_in_key > 0 {
            keys.entry(table.to_owned())
                .or_default()
                .push((place_in_key, relation.columns.len()));
        }
        relation.columns.extend(column(row)?);
    }
    for (table, mut key) in keys {
        key.sort_unstable();
        if let Some(relation) = found.relation(&table) {
            relation.primary_key = key.into_iter().map(|(_, place)| place).collect();
        }
    }
    Ok(())
}

/// The columns of views and of extensions' tables: one by one, since one that is broken fails the whole query.
fn other_columns(connection: &Connection, found: &mut Found) {
    for relation in found
        .relations
        .iter_mut()
        .filter(|relation| relation.kind == Kind::View)
    {
        let read = || -> Result<Vec<FoundColumn>> {
            let mut statement =
                connection.prepare_cached(&format!("SELECT ?1, {COLUMNS} FROM pragma_table_xinfo(?1, 'main') c"))?;
            let columns = statement.query_and_then([&relation.name], column)?;
            columns.filter_map(Result::transpose).collect()
        };
        relation.columns = read().unwrap_or_default();
    }
}

/// A column; `None` of a hidden one of an extension's table.
fn column(row: &Row<'_>) -> Result<Option<FoundColumn>> {
    // 1 marks the hidden columns of a virtual table, 2 and 3 generated ones (PRAGMA table_xinfo).
    let hidden: u8 = row.get(6)?;
    if hidden == 1 {
        return Ok(None);
    }
    let declared: Option<String> = row.get(2)?;
    let (kind, affinity) = type_of(declared.as_deref().unwrap_or_default());
    Ok(Some(FoundColumn {
        name: row.get(1)?,
        kind,
        declared: affinity.to_owned(),
        nullable: !row.get::<_, bool>(3)?,
        default: row.get(4)?,
        generated: hidden > 1,
        max_length: None,
        comment: None,
    }))
}

/// The type that a declaration means, and the name of its affinity: the rules are SQLite's own (datatype3, section 3.1),
/// with `BOOLEAN` told apart, which SQLite keeps as a number. A declaration may be any text, so that it isn't used in
/// statements; its affinity means the same.
fn type_of(declared: &str) -> (Type, &'static str) {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    match () {
        () if declared.is_empty() || declared == "ANY" => (Type::Any, ""),
        () if has("BOOL") => (Type::Boolean, "NUMERIC"),
        () if has("INT") => (
            Type::Integer {
                bytes: 8,
                unsigned: false,
            },
            "INTEGER",
        ),
        () if has("CHAR") || has("CLOB") || has("TEXT") => (Type::Text, "TEXT"),
        () if has("BLOB") => (Type::Bytes, "BLOB"),
        () if has("REAL") || has("FLOA") || has("DOUB") => (Type::Real, "REAL"),
        () => (Type::Numeric, "NUMERIC"),
    }
}

/// An index while its columns are being read.
struct Pending {
    table: String,
    index: FoundIndex,
}

fn indexes(connection: &Connection, found: &mut Found) -> Result<()> {
    // Tables without an index are the most, and asking costs a statement each. A table without rowid has no entry of
    // its own for its key.
    let mut statement = connection.prepare(
        "SELECT t.name, l.name, l.\"unique\", l.origin, l.partial, x.cid \
         FROM (SELECT DISTINCT tbl_name AS name FROM sqlite_schema WHERE type = 'index' \
               UNION SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND wr) t, \
         pragma_index_list(t.name, 'main') l, pragma_index_xinfo(l.name, 'main') x \
         WHERE x.key ORDER BY t.name, l.seq, x.seqno",
    )?;
    let mut rows = statement.query([])?;
    let mut pending: Option<Pending> = None;
    while let Some(row) = rows.next()? {
        let (table, name) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
        if pending.as_ref().is_none_or(|pending| pending.index.name != name) {
            if let Some(done) = pending.take() {
                note_index(found, done);
            }
            pending = Some(Pending {
                table: table.to_owned(),
                index: FoundIndex {
                    name: name.to_owned(),
                    columns: Vec::new(),
                    included: Vec::new(),
                    unique: row.get(2)?,
                    primary: row.get_ref(3)?.as_str()? == "pk",
                    partial: row.get(4)?,
                    method: "btree".to_owned(),
                    scans: Volatile(None),
                    bytes: Volatile(None),
                },
            });
        }
        // -1 is the rowid, -2 an expression.
        let place = usize::try_from(row.get::<_, i64>(5)?).ok();
        pending.as_mut().expect("it was begun above").index.columns.push(place);
    }
    if let Some(done) = pending {
        note_index(found, done);
    }
    Ok(())
}

fn note_index(found: &mut Found, done: Pending) {
    let Some(relation) = found.relation(&done.table) else {
        return;
    };
    if done.index.unique && !done.index.partial && !done.index.primary {
        relation
            .unique
            .extend(done.index.columns.iter().copied().collect::<Option<Vec<_>>>());
    }
    relation.indexes.push(done.index);
}

/// Tables of FTS5: all their columns are in one index, which is the table itself.
fn searchable(connection: &Connection, found: &mut Found) -> Result<()> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage = 0 AND sql LIKE '%using%fts5%'")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name = row.get_ref(0)?.as_str()?;
        let Some(relation) = found.relation(name) else { continue };
        relation.indexes.push(FoundIndex {
            name: name.to_owned(),
            columns: (0..relation.columns.len()).map(Some).collect(),
            included: Vec::new(),
            unique: false,
            primary: false,
            partial: false,
            method: "fts5".to_owned(),
            scans: Volatile(None),
            bytes: Volatile(None),
        });
    }
    Ok(())
}

/// Which name the rowid has, and which primary key is nothing but that.
fn keys_of_rows(found: &mut Found) {
    for relation in &mut found.relations {
        if relation.rowid.is_none() {
            continue;
        }
        let free = |alias: &&str| {
            !relation
                .columns
                .iter()
                .any(|column| column.name.eq_ignore_ascii_case(alias))
        };
        relation.rowid = ["rowid", "_rowid_", "oid"]
            .iter()
            .find(|alias| free(alias))
            .map(|alias| (*alias).to_owned());
        // An INTEGER PRIMARY KEY is another name of the rowid, which is why it needs no index. Given NULL, it takes the
        // next number.
        let has_index = relation.indexes.iter().any(|index| index.primary);
        if let ([place], false) = (&relation.primary_key[..], has_index) {
            let column = &mut relation.columns[*place];
            column.nullable = false;
            column.default = Some("rowid".to_owned());
        }
    }
}

fn foreign_keys(connection: &Connection, found: &mut Found) -> Result<()> {
    let mut statement = connection.prepare(
        "SELECT t.name, f.id, f.\"table\", f.\"from\", f.\"to\" \
         FROM (SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%references%') t, \
         pragma_foreign_key_list(t.name, 'main') f ORDER BY t.name, f.id, f.seq",
    )?;
    let mut rows = statement.query([])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let (table, id): (String, i64) = (row.get(0)?, row.get(1)?);
        let target: String = row.get(2)?;
        let (from, to): (String, Option<String>) = (row.get(3)?, row.get(4)?);
        // Names are compared without regard to case; what is kept is the name as it was declared.
        let (target, to) = match found.relation(&target) {
            Some(target) => {
                let same = |to: &String| {
                    target
                        .columns
                        .iter()
                        .find(|column| column.name.eq_ignore_ascii_case(to))
                };
                let to = to.map(|to| same(&to).map_or(to.clone(), |column| column.name.clone()));
                (target.name.clone(), to)
            }
            None => (target, to),
        };
        let Some(relation) = found.relation(&table) else {
            continue;
        };
        if last.as_ref() != Some(&(table.clone(), id)) {
            last = Some((table.clone(), id));
            relation.foreign_keys.push(FoundForeignKey {
                name: String::new(),
                columns: Vec::new(),
                namespace: MAIN.to_owned(),
                relation: target,
                referred: Vec::new(),
            });
        }
        let place = relation
            .columns
            .iter()
            .position(|column| column.name.eq_ignore_ascii_case(&from));
        let key = relation.foreign_keys.last_mut().expect("one was pushed for this id");
        key.columns.extend(place);
        key.referred.extend(to);
    }
    found.relations.iter_mut().for_each(name_foreign_keys);
    Ok(())
}

/// Names each as PostgreSQL would, since SQLite has no names of them.
fn name_foreign_keys(relation: &mut FoundRelation) {
    // They are listed last first.
    relation.foreign_keys.reverse();
    let mut taken: HashMap<String, u32> = HashMap::new();
    for key in &mut relation.foreign_keys {
        let columns: Vec<&str> = key
            .columns
            .iter()
            .map(|place| relation.columns[*place].name.as_str())
            .collect();
        let name = format!("{}_{}_fkey", relation.name, columns.join("_"));
        let times = taken.entry(name.clone()).or_default();
        key.name = if *times == 0 { name } else { format!("{name}{times}") };
        *times += 1;
    }
}

/// Types that only a check tells: one of several words, or JSON.
fn refine(connection: &Connection, found: &mut Found) -> Result<()> {
    let mut statement =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%check%'")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(relation) = found.relation(row.get_ref(0)?.as_str()?) else {
            continue;
        };
        for (column, check) in checks(row.get_ref(1)?.as_str()?) {
            let column = relation
                .columns
                .iter_mut()
                .find(|known| known.name.eq_ignore_ascii_case(&column));
            match (column, check) {
                (Some(column), Check::OneOf(words)) if matches!(column.kind, Type::Text | Type::Any) => {
                    column.kind = Type::Enumeration(words);
                }
                (Some(column), Check::Json) if column.kind != Type::Bytes => {
                    column.kind = Type::Json { binary: false };
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Numbers of rows that `ANALYZE` left behind, or else the largest rowid: there are no more rows than that unless somebody
/// chose the numbers, and it is found in no time.
fn estimates(connection: &Connection, found: &mut Found) -> Result<()> {
    analysed(connection, found)?;
    let unknown = found
        .relations
        .iter_mut()
        .filter(|relation| relation.estimated_rows.0.is_none());
    for relation in unknown.take(MOST_ASKED) {
        let Some(rowid) = &relation.rowid else { continue };
        let table = relation.name.replace('"', "\"\"");
        let largest = format!("SELECT max(\"{rowid}\") FROM main.\"{table}\"");
        let largest: Option<i64> = connection.query_row(&largest, [], |row| row.get(0))?;
        relation.estimated_rows = Volatile(Some(largest.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)));
    }
    Ok(())
}

fn analysed(connection: &Connection, found: &mut Found) -> Result<()> {
    if !connection.table_exists(Some(MAIN), "sqlite_stat1")? {
        return Ok(());
    }
    let mut statement =
        connection.prepare("SELECT tbl, max(CAST(stat AS INTEGER)) FROM main.sqlite_stat1 GROUP BY tbl")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let rows: Option<i64> = row.get(1)?;
        if let Some(relation) = found.relation(row.get_ref(0)?.as_str()?) {
            relation.estimated_rows = Volatile(rows.and_then(|rows| u64::try_from(rows).ok()));
        }
    }
    Ok(())
}
