//! Against a server.

mod connections;
mod introspection;
mod migrations;
mod plans;
mod roles;
mod scripts;
mod streams;

use portcullis_tables::output::{Output, Outputs, Shown};
use portcullis_tables::schema::{Schema, Type};
use portcullis_tables::statement::{Access, Script, Statement, Step};
use portcullis_tables::value::Value;

use super::Postgres;
use crate::settings::Settings;
use crate::tests::{script, settings};

/// Settings for a new database of the shared server, made by that SQL.
fn database(sql: &str) -> Settings {
    let server = portcullis_servers::shared_postgres();
    let name = server.fresh_database().unwrap();
    server.run_sql(&name, sql).unwrap();
    settings(&server.url_for(&name))
}

/// Opens a database, as from a thread for slow work.
fn open(settings: &Settings) -> (Postgres, Schema) {
    let settings = settings.clone();
    std::thread::spawn(move || Postgres::open(&settings).unwrap())
        .join()
        .unwrap()
}

/// A statement whose first columns are shown under these names, and then `hidden` ones are not.
fn statement(text: &str, values: Vec<Value>, shown: &[(&str, Type)], hidden: usize) -> Statement {
    let columns: Vec<Output> = shown
        .iter()
        .map(|(name, kind)| Output::new(name, kind.clone()))
        .collect();
    let shown = if columns.is_empty() {
        Shown::Nothing
    } else {
        Shown::Columns(columns.into())
    };
    Statement {
        text: text.into(),
        values,
        outputs: Outputs {
            shown,
            hidden,
            checked: false,
        },
    }
}

/// A script of one statement that reads one column of text under the name `it`.
fn reading(text: &str, values: Vec<Value>) -> Script {
    script(
        Access::ReadOnly,
        vec![Step::of(statement(text, values, &[("it", Type::Text)], 0))],
    )
}
