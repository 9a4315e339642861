//! The shop on an engine: a file, or a server that is started for it.

use std::path::{Path, PathBuf};

use portcullis_servers::{MariaDb, Postgres};
use rusqlite::Connection;

use crate::bench::process_tree::{self, Spent};
use crate::bench::proxies::CPU;
use crate::process;

/// How many orders there are, with keys from 1.
pub(super) const ORDERS: usize = 100_000;

/// How many customers there are, with keys from 1.
pub(super) const CUSTOMERS: usize = 2_000;

const DATABASE: &str = "shop";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
    MariaDb,
}

impl Engine {
    pub(super) const ALL: [Engine; 3] = [Engine::Sqlite, Engine::Postgres, Engine::MariaDb];

    pub(super) fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgres",
            Engine::MariaDb => "mariadb",
        }
    }

    fn script(self) -> PathBuf {
        templates().join(format!("shop.{}.sql", self.name()))
    }
}

/// Where the files of this comparison are.
pub(super) fn templates() -> PathBuf {
    process::root().join("conformance/peers/tables")
}

/// The shop, filled. A server has the processor of the load, so that a service has its own to itself.
pub(super) enum Shop {
    Sqlite(PathBuf),
    Postgres(Postgres),
    MariaDb(MariaDb),
}

impl Shop {
    /// Commits reach the disk before they are told, on every engine.
    ///
    /// # Errors
    /// When a server doesn't start or doesn't take the script.
    pub(super) fn open(engine: Engine, folder: &Path) -> Result<Shop, String> {
        let script = engine.script();
        let shop = match engine {
            Engine::Sqlite => {
                let path = folder.join("shop.db");
                run_script(&path, &script, None)?;
                Shop::Sqlite(path)
            }
            Engine::Postgres => {
                let server = Postgres::builder().durable().start()?;
                server.create_database(DATABASE)?;
                server.run_file(DATABASE, &script)?;
                Shop::Postgres(server)
            }
            Engine::MariaDb => {
                let server = MariaDb::builder().durable().start()?;
                server.create_database(DATABASE)?;
                server.run_file(DATABASE, &script)?;
                Shop::MariaDb(server)
            }
        };
        for process in shop.processes() {
            let line = format!("taskset --all-tasks --cpu-list --pid {} {process}", CPU + 1);
            // One that has ended meanwhile can't be told, and needn't be.
            let _ = process::output(&mut process::command(&line));
        }
        Ok(shop)
    }

    /// Where the shop is, for one service: with a file each has its own, as it grows.
    ///
    /// # Errors
    /// When it can't be copied.
    pub(super) fn url(&self, name: &str) -> Result<String, String> {
        match self {
            Shop::Sqlite(path) => {
                let copy = path.with_file_name(format!("{name}.db"));
                std::fs::copy(path, &copy).map_err(|failure| failure.to_string())?;
                Ok(format!("sqlite:{}", copy.display()))
            }
            Shop::Postgres(server) => Ok(server.url_for(DATABASE)),
            Shop::MariaDb(server) => Ok(server.url_for(DATABASE)),
        }
    }

    /// What the server has used so far. A file has none: its engine's time is the service's.
    pub(super) fn spent(&self) -> Spent {
        let server = match self {
            Shop::Sqlite(_) => None,
            Shop::Postgres(server) => server.pid(),
            Shop::MariaDb(server) => server.pid(),
        };
        server.map(process_tree::spent).unwrap_or_default()
    }

    fn processes(&self) -> Vec<u32> {
        match self {
            Shop::Sqlite(_) => Vec::new(),
            Shop::Postgres(server) => server.pids(),
            Shop::MariaDb(server) => server.pids(),
        }
    }
}

/// Runs a script on a database of SQLite, with another one attached as the shop.
///
/// # Errors
/// What SQLite says.
pub(super) fn run_script(database: &Path, script: &Path, attached: Option<&str>) -> Result<(), String> {
    let text = std::fs::read_to_string(script).map_err(|failure| format!("{}: {failure}", script.display()))?;
    let run = || {
        let connection = Connection::open(database)?;
        if let Some(attached) = attached {
            connection.execute("ATTACH ? AS shop", [attached])?;
        }
        connection.execute_batch(&text)
    };
    run().map_err(|failure| format!("{}: {failure}", script.display()))
}
