//! Tables over real database files.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use portcullis_backends::table::{Open, Table, settings};
use portcullis_config::route::To;
use portcullis_core::{Backend, Connection, Consumer, Ctx, Method, Request, RequestId, Target};
use portcullis_databases::Database;
use portcullis_databases::settings::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

#[path = "table/api.rs"]
mod api;
#[path = "table/changes.rs"]
mod changes;
#[path = "table/description.rs"]
mod description;
#[path = "table/indexes.rs"]
mod indexes;
#[path = "table/injection.rs"]
mod injection;
#[path = "table/opening.rs"]
mod opening;
#[path = "table/pressure.rs"]
mod pressure;
#[path = "table/queries.rs"]
mod queries;

/// Two tables and two views that most tests use.
const HIRING: &str = "
    CREATE TABLE topics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE questions (
        id INTEGER PRIMARY KEY,
        topic_id INTEGER NOT NULL REFERENCES topics (id),
        level INTEGER NOT NULL DEFAULT 1 CHECK (level BETWEEN 1 AND 3),
        text TEXT NOT NULL,
        public BOOLEAN NOT NULL DEFAULT 0,
        weight REAL,
        sketch BLOB,
        note TEXT,
        length INTEGER AS (length(text))
    );
    CREATE TABLE scores (
        interview TEXT NOT NULL, question INTEGER NOT NULL, points INTEGER NOT NULL,
        PRIMARY KEY (interview, question)
    ) WITHOUT ROWID;
    CREATE VIEW counts AS SELECT topic_id, count(*) AS questions FROM questions GROUP BY topic_id;
    CREATE VIEW endless AS
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n;
    INSERT INTO topics VALUES (1, 'REST'), (2, 'SQL');
    INSERT INTO questions (id, topic_id, level, text, public, weight, sketch, note) VALUES
        (1, 1, 1, 'What is REST?', 1, 1.5, x'00ff', NULL),
        (2, 1, 2, 'Why are URIs simple?', 0, NULL, NULL, 'ask late'),
        (3, 2, 3, 'What is a B-tree?', 1, 2.0, NULL, '50%_*'),
        (4, 2, 1, 'what is a join?', 0, NULL, NULL, 'a,b');
    INSERT INTO scores VALUES ('a,b', 1, 9007199254740993), ('c', 2, 5);
";

/// A database in a folder of its own.
struct Fixture {
    database: Arc<Database>,
    folder: TempDir,
}

impl Fixture {
    /// A database that a migration of these statements makes.
    fn new(sql: &str) -> Fixture {
        Fixture::with(sql, json!({}))
    }

    /// The same with settings of its own.
    fn with(sql: &str, settings: Value) -> Fixture {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("migrations")).unwrap();
        std::fs::write(folder.path().join("migrations/001.sql"), sql).unwrap();
        let database = Database::open(database_settings(settings, folder.path())).unwrap();
        Fixture { database, folder }
    }

    /// The table of that name, on a route with these settings.
    fn table(&self, name: &str, settings: Value) -> Table {
        Table::new(&Open::still(self.database.clone()), &table_config(name, settings), 1).unwrap()
    }

    /// An API of these tables, below `/v1`.
    fn api(&self, tables: Value) -> Table {
        Table::new(&Open::still(self.database.clone()), &api_config(tables), 1).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("data/hiring.db")
    }

    /// A connection like that of another process.
    fn outside(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).unwrap()
    }
}

fn database_settings(settings: Value, base: &Path) -> Settings {
    settings::of("hiring", &database_config(settings), base).unwrap()
}

fn database_config(settings: Value) -> portcullis_config::database::Database {
    let mut config = json!({"url": "sqlite:data/hiring.db", "migrations": "migrations"});
    config
        .as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

fn table_config(name: &str, settings: Value) -> To {
    let mut config = json!({"table": format!("hiring.{name}")});
    config
        .as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    To::Table(Box::new(serde_json::from_value(config).unwrap()))
}

fn api_config(tables: Value) -> To {
    let mut config = json!({"database": "hiring"});
    config
        .as_object_mut()
        .unwrap()
        .extend(tables.as_object().unwrap().clone());
    To::Tables(Box::new(serde_json::from_value(json!({"tables": config})).unwrap()))
}

/// What a client sends.
struct Ask<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: String,
    consumer: Option<Consumer>,
}

fn get(target: &str) -> Ask<'_> {
    ask("GET", target)
}

fn ask<'a>(method: &'a str, target: &'a str) -> Ask<'a> {
    Ask {
        method,
        target,
        headers: Vec::new(),
        body: String::new(),
        consumer: None,
    }
}

impl<'a> Ask<'a> {
    fn header(mut self, name: &'a str, value: &'a str) -> Ask<'a> {
        self.headers.push((name, value));
        self
    }

    fn json(mut self, body: &Value) -> Ask<'a> {
        self.body = body.to_string();
        self.header("Content-Type", "application/json")
    }

    fn text(mut self, content_type: &'a str, body: &str) -> Ask<'a> {
        self.body = body.to_owned();
        self.header("Content-Type", content_type)
    }

    fn by(mut self, consumer: Consumer) -> Ask<'a> {
        self.consumer = Some(consumer);
        self
    }

    /// The answer, on a runtime of its own.
    fn of(self, table: &Table) -> Answer {
        block_on(self.send(table))
    }

    async fn send(self, table: &Table) -> Answer {
        let mut request = Request::new(
            Method::from_token(self.method),
            Target::parse(self.target.as_bytes()).unwrap(),
        );
        for (name, value) in self.headers {
            request.headers.append(name, value);
        }
        request.body = self.body.into();
        let mut cx = context();
        cx.consumer = self.consumer.map(Arc::new);
        match table.call(&mut cx, request).await {
            Ok(response) => {
                let fields = response
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8(value.to_vec()).unwrap()));
                Answer {
                    status: response.status.code(),
                    fields: fields.collect(),
                    code: "",
                    detail: String::new(),
                    body: response.body.read_to_end(u64::MAX).await.unwrap().to_vec(),
                }
            }
            Err(error) => Answer {
                status: error.status().code(),
                fields: error
                    .headers()
                    .iter()
                    .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8(value.to_vec()).unwrap()))
                    .collect(),
                code: error.code().name,
                detail: error.detail().unwrap_or_default().to_owned(),
                body: Vec::new(),
            },
        }
    }
}

/// What came back: a response, or an error before it is made one.
#[derive(Debug)]
struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    code: &'static str,
    detail: String,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    #[track_caller]
    fn json(&self) -> Value {
        assert!(self.status < 300, "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The values of the member `id`, in order.
    #[track_caller]
    fn ids(&self) -> Vec<i64> {
        self.json()
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_i64().unwrap())
            .collect()
    }

    /// Fails unless it is that error, with these words in its detail.
    #[track_caller]
    fn is_error(&self, code: &str, words: &str) {
        assert!(
            self.code == code && self.detail.contains(words),
            "not {code} with {words:?}: {self:?}"
        );
    }
}

fn context() -> Ctx {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let connection = Connection::new(address, address, None, false);
    Ctx::new(
        Rc::new(connection),
        RequestId::new(b"test").unwrap(),
        Instant::now(),
        SystemTime::UNIX_EPOCH,
    )
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
