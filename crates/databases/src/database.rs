//! A database, whatever engine it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use bytes::Bytes;
use portcullis_core::Result;
use portcullis_tables::content::Format;
use portcullis_tables::schema::Schema;
use portcullis_tables::statement::{Outcome, Script, Statement};

use crate::mysql::MySql;
use crate::postgres::Postgres;
use crate::settings::{Kind, Settings};
use crate::sqlite::Sqlite;

/// An open database.
#[derive(Debug)]
pub struct Database {
    settings: Settings,
    schema: ArcSwap<Schema>,
    generation: AtomicU64,
    driver: Driver,
}

/// The engines. Each has the same functions: `open`, `inspect`, `rehearse` and `look`, which block, and `run`, `read`
/// and `explain`, which are awaited on a worker and do not.
#[derive(Debug)]
enum Driver {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
    MySql(MySql),
}

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
    /// The next piece; `None` at the end. After an error or the end it is not called again.
    ///
    /// # Errors
    /// What went wrong in the middle: the answer can't be completed.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>>;
}

/// What executing a statement took, summed over all of its executions with whatever values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The statement's text.
    pub text: Arc<str>,
    /// How often it ran.
    pub runs: u64,
    /// Steps of going through a table from end to end.
    pub scanned: u64,
    /// Times that rows had to be sorted.
    pub sorts: u64,
    /// Rows put into an index that was made for one execution only.
    pub indexed: u64,
    /// Instructions of the database's machine.
    pub instructions: u64,
}

/// How much a database has to do at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Connections that are open for requests.
    pub connections: usize,
    /// Those of them that are at work.
    pub busy: usize,
    /// Requests that wait for one.
    pub waiting: usize,
}

impl Database {
    /// Opens it: connects, runs its migrations, reads its schema. It blocks: not for event loops.
    ///
    /// # Errors
    /// One line that says what failed, and why, without a password.
    pub fn open(settings: Settings) -> std::result::Result<Arc<Database>, String> {
        let (driver, schema) = match settings.kind()? {
            Kind::Sqlite => Sqlite::open(&settings).map(|(driver, schema)| (Driver::Sqlite(driver), schema)),
            Kind::Postgres => {
                Postgres::open(&settings).map(|(driver, schema)| (Driver::Postgres(Box::new(driver)), schema))
            }
            Kind::MySql => MySql::open(&settings).map(|(driver, schema)| (Driver::MySql(driver), schema)),
        }?;
        Ok(Arc::new(Database {
            settings,
            schema: ArcSwap::from_pointee(schema),
            generation: AtomicU64::new(1),
            driver,
        }))
    }

    /// Reads the schema that a database has and changes nothing. `None` where migrations are still to run on it. It
    /// blocks.
    ///
    /// # Errors
    /// One line that says what failed, and why, without a password.
    pub fn inspect(settings: &Settings) -> std::result::Result<Option<Arc<Schema>>, String> {
        let schema = match settings.kind()? {
            Kind::Sqlite => Sqlite::inspect(settings),
            Kind::Postgres => Postgres::inspect(settings),
            Kind::MySql => MySql::inspect(settings),
        }?;
        Ok(schema.map(Arc::new))
    }

    /// Reads the schema that a database will have once it is open and changes nothing: for `portcullis check`.
    /// Migrations that are still to run are tried where they leave nothing behind. `None` where that can't be done. It
    /// blocks.
    ///
    /// # Errors
    /// One line that says what failed, and why, without a password: the database or a migration.
    pub fn rehearse(settings: &Settings) -> std::result::Result<Option<Arc<Schema>>, String> {
        let schema = match settings.kind()? {
            Kind::Sqlite => Sqlite::rehearse(settings),
            Kind::Postgres => Postgres::rehearse(settings),
            Kind::MySql => MySql::rehearse(settings),
        }?;
        Ok(schema.map(Arc::new))
    }

    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Its schema as it was found last.
    pub fn schema(&self) -> Arc<Schema> {
        self.schema.load_full()
    }

    /// How many schemas there were, counted from 1. Whoever keeps something that was made of the schema compares it.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Asks the database whether its schema changed, and reads the new one where it did: whether so. Requests go on
    /// with the old one meanwhile. It blocks: for one task in the background, every `settings.look`.
    ///
    /// # Errors
    /// One line that says what failed. The old schema stays.
    pub fn refresh(&self) -> std::result::Result<bool, String> {
        let found = match &self.driver {
            Driver::Sqlite(driver) => driver.look(),
            Driver::Postgres(driver) => driver.look(),
            Driver::MySql(driver) => driver.look(),
        }?;
        let Some(schema) = found else { return Ok(false) };
        // What changed may be nothing that the schema has, such as a trigger: then nothing needs to be made anew. What
        // the database counts is newer all the same.
        let changed = schema.fingerprint() != self.schema.load().fingerprint();
        self.schema.store(Arc::new(schema));
        if changed {
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(changed)
    }

    /// Runs a script and gives what each step came to.
    ///
    /// # Errors
    /// What the database, or an expectation of a step, had against it. Nothing of it has happened then, but for
    /// `database_failed` with a lost connection while a transaction was being committed, where nobody knows.
    /// [`crate::failure::constraint`] tells which columns a constraint was about.
    pub async fn run(&self, script: Script, format: Format) -> Result<Vec<Outcome>> {
        match &self.driver {
            Driver::Sqlite(driver) => driver.run(script, format).await,
            Driver::Postgres(driver) => driver.run(script, format).await,
            Driver::MySql(driver) => driver.run(script, format).await,
        }
    }

    /// Runs a script whose last step reads, and gives its answer: whole where it is smaller than `hold` bytes, else as
    /// it comes. Steps before the last are given like those of [`Database::run`].
    ///
    /// # Errors
    /// Those of [`Database::run`].
    pub async fn read(&self, script: Script, format: Format, hold: usize) -> Result<(Vec<Outcome>, Answer)> {
        match &self.driver {
            Driver::Sqlite(driver) => driver.read(script, format, hold).await,
            Driver::Postgres(driver) => driver.read(script, format, hold).await,
            Driver::MySql(driver) => driver.read(script, format, hold).await,
        }
    }

    /// How the database would execute a statement, which is not executed: in the engine's own words (SQLite: lines of
    /// `EXPLAIN QUERY PLAN`, indented; the others: a JSON document).
    ///
    /// # Errors
    /// What the database had against it.
    pub async fn explain(&self, statement: &Statement) -> Result<String> {
        match &self.driver {
            Driver::Sqlite(driver) => driver.explain(statement).await,
            Driver::Postgres(driver) => driver.explain(statement).await,
            Driver::MySql(driver) => driver.explain(statement).await,
        }
    }

    /// How much it has to do at the moment.
    pub fn load(&self) -> Load {
        match &self.driver {
            Driver::Sqlite(driver) => driver.load(),
            Driver::Postgres(driver) => driver.load(),
            Driver::MySql(driver) => driver.load(),
        }
    }

    /// What statements took, where the gate itself can tell: of SQLite. Of the others none.
    pub fn counters(&self) -> Vec<Counted> {
        match &self.driver {
            Driver::Sqlite(driver) => driver.counters(),
            Driver::Postgres(_) | Driver::MySql(_) => Vec::new(),
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("outcome", &self.outcome)
            .field("complete", &self.rest.is_none())
            .finish()
    }
}
