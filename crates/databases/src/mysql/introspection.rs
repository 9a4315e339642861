//! The schema, as the server's `information_schema` tells it. It is asked for all tables at once: whatever their number, there
//! are as many questions as there are kinds of things.

mod queries;
mod types;

use std::collections::HashMap;

use mysql_async::prelude::{FromRow, Queryable as _};
use mysql_async::{Conn, Row};
use portcullis_tables::schema::{
    Engine, FoundArgument, FoundColumn, FoundForeignKey, FoundIndex, FoundRelation, FoundReturns, FoundRoutine,
    FoundSchema, Kind, Schema, Volatile,
};

use super::failure::describe;
use crate::migrations::TABLE;

/// What is known of one namespace while it is read.
struct Reading {
    engine: Engine,
    namespace: String,
    relations: Vec<FoundRelation>,
    places: HashMap<String, usize>,
    /// Of each relation, the places of its columns.
    columns: Vec<HashMap<String, usize>>,
}

/// Reads the schema of these namespaces.
///
/// # Errors
/// One line: what the server had against it.
pub(super) async fn read(connection: &mut Conn, engine: Engine, namespaces: &[String]) -> Result<Schema, String> {
    let mut found = FoundSchema {
        namespaces: namespaces.to_vec(),
        ..FoundSchema::default()
    };
    for namespace in namespaces {
        let known = rows::<(String,)>(connection, queries::NAMESPACE, namespace).await?;
        if known.is_empty() {
            return Err(format!(
                "there is no database `{namespace}`, or nothing in it may be seen"
            ));
        }
        let mut reading = Reading {
            engine,
            namespace: namespace.clone(),
            relations: Vec::new(),
            places: HashMap::new(),
            columns: Vec::new(),
        };
        reading.read(connection).await?;
        found.relations.append(&mut reading.relations);
        found
            .routines
            .append(&mut routines(connection, engine, namespace).await?);
    }
    Ok(Schema::new(engine, found))
}

impl Reading {
    async fn read(&mut self, connection: &mut Conn) -> Result<(), String> {
        let namespace = self.namespace.clone();
        for table in rows(connection, queries::TABLES, &namespace).await? {
            self.table(table);
        }
        for (name, updatable) in rows::<(String, String)>(connection, queries::VIEWS, &namespace).await? {
            if let Some(place) = self.places.get(&name) {
                self.relations[*place].writable = updatable == "YES";
            }
        }
        for column in rows(connection, queries::COLUMNS, &namespace).await? {
            self.column(column);
        }
        if self.engine == Engine::MariaDb {
            for (table, check) in rows::<(String, String)>(connection, queries::CHECKS, &namespace).await? {
                self.check(&table, &check);
            }
        }
        let statistics = match self.engine {
            Engine::MariaDb => queries::INDEXES_MARIADB,
            _ => queries::INDEXES_MYSQL,
        };
        for part in rows(connection, statistics, &namespace).await? {
            self.index(part);
        }
        for reference in rows(connection, queries::REFERENCES, &namespace).await? {
            self.reference(reference);
        }
        Ok(())
    }

    fn table(&mut self, (name, kind, count, comment): (String, String, Option<u64>, Option<String>)) {
        let kind = match kind.as_str() {
            "BASE TABLE" | "SYSTEM VERSIONED" => Kind::Table,
            "VIEW" => Kind::View,
            // Sequences and the server's own views.
            _ => return,
        };
        if name == TABLE {
            return;
        }
        self.places.insert(name.clone(), self.relations.len());
        self.columns.push(HashMap::new());
        self.relations.push(FoundRelation {
            namespace: self.namespace.clone(),
            name,
            kind,
            columns: Vec::new(),
            primary_key: Vec::new(),
            unique: Vec::new(),
            foreign_keys: Vec::new(),
            indexes: Vec::new(),
            // Each view has this word for a comment.
            comment: comment.filter(|comment| !comment.is_empty() && kind == Kind::Table),
            estimated_rows: Volatile(count.filter(|_| kind == Kind::Table)),
            rowid: None,
            writable: kind == Kind::Table,
        });
    }

    fn column(&mut self, row: Row) {
        type Described = (
            String,
            String,
            Option<String>,
            String,
            String,
            String,
            Option<u64>,
            String,
            Option<String>,
        );
        let Ok((table, name, default, nullable, kind, declared, length, extra, comment)) = Described::from_row_opt(row)
        else {
            return;
        };
        let Some(place) = self.places.get(&table).copied() else {
            return;
        };
        let default = if extra.contains("auto_increment") {
            Some("auto_increment".to_owned())
        } else {
            // MariaDB has expressions there, and so the word for what has none.
            default.filter(|default| self.engine != Engine::MariaDb || default != "NULL")
        };
        let extra = extra.to_ascii_uppercase();
        let is_generated = extra.contains("VIRTUAL GENERATED")
            || extra.contains("STORED GENERATED")
            || extra.contains("PERSISTENT GENERATED");
        let relation = &mut self.relations[place];
        self.columns[place].insert(name.clone(), relation.columns.len());
        relation.columns.push(FoundColumn {
            name,
            kind: types::of(&kind, &declared),
            max_length: types::max_length(&kind, length),
            declared,
            nullable: nullable == "YES",
            default: default.filter(|_| !is_generated),
            generated: is_generated,
            comment: comment.filter(|comment| !comment.is_empty()),
        });
    }

    /// MariaDB's JSON is text, with a check that it is.
    fn check(&mut self, table: &str, check: &str) {
        let Some(place) = self.places.get(table).copied() else {
            return;
        };
        let column = check
            .strip_prefix("json_valid(`")
            .and_then(|rest| rest.strip_suffix("`)"));
        let Some(column) = column.and_then(|name| self.columns[place].get(&name.replace("``", "`")).copied()) else {
            return;
        };
        let column = &mut self.relations[place].columns[column];
        if column.declared == "longtext" {
            column.kind = portcullis_tables::schema::Type::Json { binary: false };
        }
    }

    /// One column of an index. They come in their order.
    fn index(&mut self, part: (String, String, bool, Option<String>, String)) {
        let (table, name, repeats, column, method) = part;
        let Some(place) = self.places.get(&table).copied() else {
            return;
        };
        let column = column.and_then(|column| self.columns[place].get(&column).copied());
        let relation = &mut self.relations[place];
        let is_next = relation.indexes.last().is_none_or(|index| index.name != name);
        if is_next {
            relation.indexes.push(FoundIndex {
                primary: name == "PRIMARY",
                name,
                columns: Vec::new(),
                included: Vec::new(),
                unique: !repeats,
                partial: false,
                method: method.to_ascii_lowercase(),
                scans: Volatile(None),
                bytes: Volatile(None),
            });
        }
        let Some(index) = relation.indexes.last_mut() else {
            return;
        };
        index.columns.push(column);
        let key: Option<Vec<usize>> = index.columns.iter().copied().collect();
        match (index.primary, index.unique) {
            (true, _) => relation.primary_key = key.unwrap_or_default(),
            (false, true) => {
                // As long as it grows, it takes the place of its beginning.
                if !is_next {
                    relation.unique.pop();
                }
                relation.unique.push(key.unwrap_or_default());
            }
            (false, false) => {}
        }
    }

    /// One column of a reference. They come in their order.
    fn reference(&mut self, part: (String, String, String, String, String, String)) {
        let (table, name, column, namespace, referred_table, referred) = part;
        let Some(place) = self.places.get(&table).copied() else {
            return;
        };
        let Some(column) = self.columns[place].get(&column).copied() else {
            return;
        };
        let keys = &mut self.relations[place].foreign_keys;
        if keys.last().is_none_or(|key| key.name != name) {
            keys.push(FoundForeignKey {
                name,
                columns: Vec::new(),
                namespace,
                relation: referred_table,
                referred: Vec::new(),
            });
        }
        if let Some(key) = keys.last_mut() {
            key.columns.push(column);
            key.referred.push(referred);
        }
    }
}

/// Functions and procedures. One that gives values back by its arguments is left out: nothing takes them.
async fn routines(connection: &mut Conn, engine: Engine, namespace: &str) -> Result<Vec<FoundRoutine>, String> {
    type Described = (
        String,
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    type Parameter = (String, String, u64, Option<String>, Option<String>, String, String);
    let mut found = Vec::new();
    let mut places = HashMap::new();
    for routine in rows::<Described>(connection, queries::ROUTINES, namespace).await? {
        let (name, kind, access, deterministic, data_type, declared, comment) = routine;
        let procedure = kind == "PROCEDURE";
        let returns = match (procedure, data_type) {
            (false, Some(data_type)) => {
                FoundReturns::Value(types::of(&data_type, &declared.unwrap_or_else(|| data_type.clone())))
            }
            _ => FoundReturns::Nothing,
        };
        // What nobody declared is CONTAINS SQL, which may be anything.
        let only_reads = matches!(access.as_str(), "READS SQL DATA" | "NO SQL") || deterministic == "YES";
        places.insert((kind, name.clone()), found.len());
        found.push(Some(FoundRoutine {
            namespace: namespace.to_owned(),
            name,
            procedure,
            volatile: procedure || !only_reads,
            arguments: Vec::new(),
            returns,
            comment: comment.filter(|comment| !comment.is_empty()),
        }));
    }
    for parameter in rows::<Parameter>(connection, queries::PARAMETERS, namespace).await? {
        let (routine, kind, _position, mode, name, data_type, declared) = parameter;
        let Some(place) = places.get(&(kind, routine)).copied() else {
            continue;
        };
        match (&mut found[place], mode.as_deref(), name) {
            (Some(routine), Some("IN") | None, Some(name)) => routine.arguments.push(FoundArgument {
                name,
                kind: types::argument(engine, &data_type, &declared),
                declared,
                optional: false,
                variadic: false,
            }),
            (routine, ..) => *routine = None,
        }
    }
    Ok(found.into_iter().flatten().collect())
}

/// What a question about a namespace gives. Rows of another form than is expected are left out.
async fn rows<T: FromRow + Send + 'static>(
    connection: &mut Conn,
    question: &str,
    namespace: &str,
) -> Result<Vec<T>, String> {
    let given = question.matches('?').count();
    let values = vec![mysql_async::Value::from(namespace); given];
    let rows: Vec<Row> = connection
        .exec(question, values)
        .await
        .map_err(|failure| format!("the schema can't be read: {}", describe(&failure)))?;
    Ok(rows.into_iter().filter_map(|row| T::from_row_opt(row).ok()).collect())
}
