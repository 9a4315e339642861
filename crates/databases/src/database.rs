//! A database, whatever engine it is.

use std::sync::Arc;

use bytes::Bytes;
use portcullis_core::Result;
use portcullis_tables::content::Format;
use portcullis_tables::schema::Schema;
use portcullis_tables::statement::{Outcome, Script};

use crate::settings::Settings;

/// An open database.
#[derive(Debug)]
pub struct Database {
    settings: Settings,
    schema: arc_swap::ArcSwap<Schema>,
    driver: Driver,
}

#[derive(Debug)]
enum Driver {}

/// The answer to a read.
pub struct Answer {
    /// What came of it so far: of a complete answer all of it, else what was there when the answer became too large to
    /// be held, which is what the body begins with.
    pub outcome: Outcome,
    /// What comes after, where the answer is not complete yet.
    pub rest: Option<Box<dyn Rest>>,
}

/// The rest of a large answer: pieces of content, made as they are taken, in constant memory. Dropped before its end, it
/// cancels the statement.
pub trait Rest {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// What went wrong in the middle: the answer can't be completed.
    fn next<'a>(&'a mut self) -> std::pin::Pin<Box<dyn Future<Output = Option<Result<Bytes>>> + 'a>>;
}

impl Database {
    /// Opens it: connects, runs its migrations, reads its schema. It blocks: not for event loops.
    ///
    /// # Errors
    /// One line that says what failed, and why, without a password.
    pub fn open(_settings: Settings) -> std::result::Result<Arc<Database>, String> {
        Err("no driver".to_owned())
    }

    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its schema as it was found last.
    pub fn schema(&self) -> Arc<Schema> {
        self.schema.load_full()
    }

    /// Runs a script and gives what each step came to.
    ///
    /// # Errors
    /// What the database, or an expectation of a step, had against it. Nothing of it has happened then, but for
    /// `database_failed` with a lost connection while a transaction was being committed, where nobody knows.
    pub async fn run(&self, _script: Script, _format: Format) -> Result<Vec<Outcome>> {
        match self.driver {}
    }

    /// Runs a script whose last step reads, and gives its answer: whole where it is smaller than `hold` bytes, else as
    /// it comes. Steps before the last are given like those of [`Database::run`].
    ///
    /// # Errors
    /// Those of [`Database::run`].
    pub async fn read(&self, _script: Script, _format: Format, _hold: usize) -> Result<(Vec<Outcome>, Answer)> {
        match self.driver {}
    }
}
