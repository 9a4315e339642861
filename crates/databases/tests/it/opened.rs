//! A new database of each engine, in which some SQL was run, and scripts for it.

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::Result;
use portcullis_databases::Database;
use portcullis_databases::settings::Settings;
use portcullis_tables::content::Format;
use portcullis_tables::schema::Schema;
use portcullis_tables::statement::{Access, Isolation, Outcome, Script, Session, Step};
use tempfile::TempDir;

/// A database, and what it is asked from.
pub(super) struct Opened {
    pub(super) engine: &'static str,
    database: Arc<Database>,
    runtime: tokio::runtime::Runtime,
    _folder: Option<TempDir>,
}

pub(super) fn sqlite(sql: &str) -> Opened {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("t.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(sql).unwrap();
    Opened::new("sqlite", &format!("sqlite:{}", path.display()), Some(folder))
}

pub(super) fn postgres(sql: &str) -> Opened {
    let server = portcullis_servers::shared_postgres();
    let database = server.fresh_database().unwrap();
    server.run_sql(&database, sql).unwrap();
    Opened::new("postgres", &server.url_for(&database), None)
}

pub(super) fn mariadb(sql: &str) -> Opened {
    let server = portcullis_servers::shared_mariadb();
    let database = server.fresh_database().unwrap();
    server.run_sql(&database, sql).unwrap();
    Opened::new("mariadb", &server.url_for(&database), None)
}

impl Opened {
    fn new(engine: &'static str, url: &str, folder: Option<TempDir>) -> Opened {
        Opened {
            engine,
            database: Database::open(settings(url)).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            _folder: folder,
        }
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        self.database.schema()
    }

    pub(super) fn run(&self, script: Script) -> Result<Vec<Outcome>> {
        self.runtime.block_on(self.database.run(script, Format::Json))
    }
}

/// What a database is opened with.
pub(super) fn settings(url: &str) -> Settings {
    Settings {
        name: "t".to_owned(),
        url: url.to_owned(),
        namespaces: Vec::new(),
        migrations: None,
        connections: 4,
        queue: 1000,
        wait: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(10),
        busy_timeout: Duration::from_secs(1),
        pooled: false,
        look: Duration::from_secs(10),
    }
}

/// A script of those steps, for nobody in particular.
pub(super) fn script(access: Access, steps: Vec<Step>) -> Script {
    Script {
        access,
        isolation: Isolation::Default,
        session: Session::default(),
        steps,
        roll_back: false,
        timeout: Duration::from_secs(10),
    }
}
