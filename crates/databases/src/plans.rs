//! How databases would execute statements: asked on a connection of its own, apart from those that serve requests.

use std::sync::Arc;

use crate::mysql::MySql;
use crate::postgres::Postgres;
use crate::settings::{Kind, Settings};
use crate::sqlite::Sqlite;

/// A statement whose plan is asked for, as it would be with whatever values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The statement's text.
    pub text: Arc<str>,
    /// A `CREATE INDEX` that is imagined for this question: the plan is the one that there would be with that index.
    pub index: Option<String>,
}

/// What came of a question: the plan in the engine's own words. `None` where an index can't be imagined: on MariaDB and
/// MySQL, and on PostgreSQL without the extension HypoPG, which is the operator's to install.
pub type Answered = Result<Option<String>, String>;

/// Asks for plans. Nothing is executed and nothing is made: SQLite plans on a copy of the schema in memory that has the
/// statistics of the file, PostgreSQL with HypoPG. It blocks.
///
/// # Errors
/// The database can't be reached, in one line without a password. What is wrong with one question is its own answer.
pub fn plans(settings: &Settings, questions: &[Question]) -> Result<Vec<Answered>, String> {
    match settings.kind()? {
        Kind::Sqlite => Sqlite::plans(settings, questions),
        Kind::Postgres => Postgres::plans(settings, questions),
        Kind::MySql => MySql::plans(settings, questions),
    }
}
