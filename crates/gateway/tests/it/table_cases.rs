//! One grammar, one answer: the same requests to the same shop in SQLite, PostgreSQL and MariaDB.
//!
//! `cases/*.txt` say what is asked and what is answered; see [`case`] for how they are written. They go through the files in
//! the order below, and within a file from the top, each engine with a database of its own. What no route exposes holds a
//! marker, and no answer may have it.

mod case;
mod words;

use std::collections::BTreeMap;

use super::folder::Folder;
use super::gate::Gate;
use case::{Case, Names};
use words::Engine;

/// What stands in columns and tables that no route exposes.
const MARKER: &str = "canary-7f3b";

const FILES: [(&str, &str); 6] = [
    ("filters", include_str!("table_cases/cases/filters.txt")),
    ("shapes", include_str!("table_cases/cases/shapes.txt")),
    ("related", include_str!("table_cases/cases/related.txt")),
    ("rules", include_str!("table_cases/cases/rules.txt")),
    ("calls", include_str!("table_cases/cases/calls.txt")),
    ("writing", include_str!("table_cases/cases/writing.txt")),
];

#[test]
fn sqlite_answers_as_is_written() {
    let folder = Folder::new();
    let connection = rusqlite::Connection::open(folder.path().join("shop.db")).unwrap();
    connection.execute_batch(&Engine::Sqlite.shop()).unwrap();
    drop(connection);
    all_pass(Engine::Sqlite, folder, "sqlite:shop.db");
}

#[test]
fn postgresql_answers_as_is_written() {
    let server = portcullis_servers::shared_postgres();
    let database = server.fresh_database().unwrap();
    server
        .run_sql(
            &database,
            &format!("SET TimeZone = 'UTC';\n{}", Engine::Postgres.shop()),
        )
        .unwrap();
    all_pass(Engine::Postgres, Folder::new(), &server.url_for(&database));
}

#[test]
fn mariadb_answers_as_is_written() {
    let server = portcullis_servers::shared_mariadb();
    let database = server.fresh_database().unwrap();
    let session = "SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES';";
    server
        .run_sql(&database, &format!("{session}\n{}", Engine::MariaDb.shop()))
        .unwrap();
    all_pass(Engine::MariaDb, Folder::new(), &server.url_for(&database));
}

fn all_pass(engine: Engine, folder: Folder, url: &str) {
    let gate = Gate::start_in(folder, &engine.configuration(url));
    let (mut asked, mut failed) = (0, Vec::new());
    for (file, text) in FILES {
        let mut names: Names = BTreeMap::new();
        for case in Case::all(text) {
            if !case.is_for(engine) {
                continue;
            }
            asked += 1;
            if let Err(why) = case.run(&gate, &mut names) {
                failed.push(format!("{file}.txt:{}: {case}\n    {why}", case.line));
            }
        }
    }
    let failures = failed.join("\n");
    assert!(failed.is_empty(), "{} of {asked} cases fail:\n{failures}", failed.len());
    assert!(asked > 550, "{asked} cases only");
}
