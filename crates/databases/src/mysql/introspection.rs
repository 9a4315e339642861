//! The schema, as the server's `information_schema` tells it. It is asked for all tables at once: whatever their number, there
//! are as many questions as there are kinds of things.

mod innodb;
mod queries;
mod routines;
mod types;

use std::collections::HashMap;

use mysql_async::prelude::{FromRow, Queryable as _};
use mysql_async::{Conn, Row};
use portcullis_tables::schema::{
    Engine, FoundColumn, FoundForeignKey, FoundIndex, FoundRelation, FoundSchema, Kind, Schema, Type, Volatile,
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
    /// The relations that have a column which may be JSON.
    perhaps_json: Vec<usize>,
}

/// One column of a reference: the table, the reference's name, the column; and the namespace, table and column referred to.
type Referring = (String, String, String, String, String, String);

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
            perhaps_json: Vec::new(),
        };
        reading.read(connection).await?;
        found.relations.append(&mut reading.relations);
        found
            .routines
            .append(&mut routines::read(connection, engine, namespace).await?);
    }
    Ok(Schema::new(engine, found))
}

impl Reading {
    async fn read(&mut self, connection: &mut Conn) -> Result<(), String> {
        let namespace = self.namespace.clone();
        for table in rows(connection, queries::TABLES, &namespace).await? {
            self.table(table);
        }
        if self.relations.iter().any(|relation| relation.kind == Kind::View) {
            for (name, updatable) in rows::<(String, String)>(connection, queries::VIEWS, &namespace).await? {
                if let Some(place) = self.places.get(&name) {
                    self.relations[*place].writable = updatable == "YES";
                }
            }
        }
        for column in rows(connection, queries::COLUMNS, &namespace).await? {
            self.column(column);
        }
        for (name, number) in innodb::numbers_of_rows(connection, &namespace).await? {
            if let Some(place) = self.places.get(&name)
                && self.relations[*place].kind == Kind::Table
            {
                self.relations[*place].estimated_rows = Volatile(Some(number));
            }
        }
        self.checks(connection).await?;
        let statistics = match self.engine {
            Engine::MariaDb => queries::INDEXES_MARIADB,
            _ => queries::INDEXES_MYSQL,
        };
        for part in rows(connection, statistics, &namespace).await? {
            self.index(part);
        }
        let is_mariadb = self.engine == Engine::MariaDb;
        if is_mariadb {
            self.methods(connection).await?;
        }
        let references = if is_mariadb {
            innodb::references(connection, &namespace).await
        } else {
            None
        };
        let references = match references {
            Some(references) => references,
            None => rows(connection, queries::REFERENCES, &namespace).await?,
        };
        for reference in references {
            self.reference(reference);
        }
        Ok(())
    }

    /// Which texts are JSON: asked of each table that may have some, unless these are most of all.
    async fn checks(&mut self, connection: &mut Conn) -> Result<(), String> {
        let tables = std::mem::take(&mut self.perhaps_json);
        if self.engine != Engine::MariaDb || tables.is_empty() {
            return Ok(());
        }
        let checks: Vec<(String, String)> = if tables.len() * 2 > self.relations.len() {
            rows(connection, queries::CHECKS, &self.namespace).await?
        } else {
            self.rows_of(connection, queries::CHECKS_OF_TABLE, &tables).await?
        };
        for (table, check) in checks {
            self.check(&table, &check);
        }
        Ok(())
    }

    /// Which indexes are no B-trees: else asked of each table that has an index of texts or of what has no other type here.
    async fn methods(&mut self, connection: &mut Conn) -> Result<(), String> {
        let methods = match innodb::methods(connection, &self.namespace).await {
            Some(methods) => methods,
            None => {
                let may_be_another = |relation: &FoundRelation| {
                    let mut columns = relation
                        .indexes
                        .iter()
                        .filter(|index| !index.unique)
                        .flat_map(|index| &index.columns);
                    columns.any(|column| {
                        column.is_none_or(|place| matches!(relation.columns[place].kind, Type::Text | Type::Other))
                    })
                };
                let places = 0..self.relations.len();
                let tables: Vec<_> = places.filter(|place| may_be_another(&self.relations[*place])).collect();
                self.rows_of(connection, queries::METHODS_OF_TABLE, &tables).await?
            }
        };
        for (table, index, method) in methods {
            let Some(place) = self.places.get(&table) else { continue };
            let mut indexes = self.relations[*place].indexes.iter_mut();
            if let Some(index) = indexes.find(|known| known.name == index) {
                index.method = method.to_ascii_lowercase();
            }
        }
        Ok(())
    }

    /// What a question gives about each of these relations.
    async fn rows_of<T: FromRow + Send + 'static>(
        &self,
        connection: &mut Conn,
        question: &str,
        places: &[usize],
    ) -> Result<Vec<T>, String> {
        let statement = connection
            .prep(question)
            .await
            .map_err(|failure| unreadable(&failure))?;
        let mut rows = Vec::new();
        for place in places {
            let values = (&self.namespace, &self.relations[*place].name);
            let found: Vec<Row> = connection
                .exec(&statement, values)
                .await
                .map_err(|failure| unreadable(&failure))?;
            rows.extend(found.into_iter().filter_map(|row| T::from_row_opt(row).ok()));
        }
        connection
            .close(statement)
            .await
            .map_err(|failure| unreadable(&failure))?;
        Ok(rows)
    }

    fn table(&mut self, (name, kind, comment): (String, String, Option<String>)) {
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
            // Each view has this word for a comment.
            comment: comment.filter(|comment| !comment.is_empty() && kind == Kind::Table),
            ..FoundRelation::new(self.namespace.clone(), name, kind)
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
            Option<String>,
        );
        let Ok(described) = Described::from_row_opt(row) else {
            return;
        };
        let (table, name, default, nullable, kind, declared, length, extra, comment, collation) = described;
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
        // So is each column that was declared as JSON.
        let perhaps_json = kind == "longtext" && collation.as_deref() == Some("utf8mb4_bin");
        if perhaps_json && self.perhaps_json.last() != Some(&place) {
            self.perhaps_json.push(place);
        }
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
            column.kind = Type::Json { binary: false };
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
    fn reference(&mut self, (table, name, column, namespace, referred_table, referred): Referring) {
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
        .map_err(|failure| unreadable(&failure))?;
    Ok(rows.into_iter().filter_map(|row| T::from_row_opt(row).ok()).collect())
}

fn unreadable(failure: &mysql_async::Error) -> String {
    format!("the schema can't be read: {}", describe(failure))
}
