//! The driver of PostgreSQL.

use portcullis_core::Result;
use portcullis_tables::content::Format;
use portcullis_tables::schema::Schema;
use portcullis_tables::statement::{Outcome, Script, Statement};

use crate::database::Answer;
use crate::settings::Settings;

/// An open database of PostgreSQL.
#[derive(Debug)]
pub(crate) enum Postgres {}

const MISSING: &str = "there is no driver for PostgreSQL yet";

impl Postgres {
    pub(crate) fn open(_settings: &Settings) -> std::result::Result<(Postgres, Schema), String> {
        Err(MISSING.to_owned())
    }

    pub(crate) fn inspect(_settings: &Settings) -> std::result::Result<Option<Schema>, String> {
        Err(MISSING.to_owned())
    }

    pub(crate) fn rehearse(_settings: &Settings) -> std::result::Result<Option<Schema>, String> {
        Err(MISSING.to_owned())
    }

    /// The schema, where it is another one than when it was read last.
    pub(crate) fn look(&self) -> std::result::Result<Option<Schema>, String> {
        match *self {}
    }

    pub(crate) async fn run(&self, _script: Script, _format: Format) -> Result<Vec<Outcome>> {
        match *self {}
    }

    pub(crate) async fn read(&self, _script: Script, _format: Format, _hold: usize) -> Result<(Vec<Outcome>, Answer)> {
        match *self {}
    }

    pub(crate) async fn explain(&self, _statement: &Statement) -> Result<String> {
        match *self {}
    }
}
