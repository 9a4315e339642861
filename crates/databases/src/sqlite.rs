//! The driver of SQLite: one thread writes, workers read, and a few threads read what takes longer.

mod checks;
mod connection;
mod counters;
mod execute;
mod failure;
mod functions;
mod inline;
mod introspection;
mod migrations;
mod plans;
mod queue;
mod reader;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use portcullis_core::Result;
use portcullis_tables::content::Format;
use portcullis_tables::schema::Schema;
use portcullis_tables::statement::{Access, Outcome, Script, Statement};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use self::connection::Session;
use self::counters::Counters;
use self::inline::{Inline, Inlined};
use self::reader::Readers;
use self::writer::Writer;
use crate::database::{Answer, Counted, Load};
use crate::plans::{Answered, Question};
use crate::settings::Settings;

/// Bytes of the largest database that `portcullis check` copies into memory to try migrations on.
const MOST_COPIED: i64 = 64 << 20;

/// Said of a database that nobody makes. A file made of a mistyped name would hide the mistake.
const MISSING: &str = "the file does not exist: name the right one, or a folder of `migrations` that make it";

/// An open database of SQLite.
///
/// Changes are durable when they are answered (`synchronous=FULL`): in WAL mode `NORMAL` would keep the file
/// consistent, too, but a loss of power could take back what a client was told is stored.
pub(crate) struct Sqlite {
    inline: Arc<Inline>,
    readers: Readers,
    written: Arc<Counters>,
    looking: Mutex<Looking>,
    /// The last, so that its connection is the last to be closed: it writes the log back into the database file, which one
    /// that can only read could not.
    writer: Writer,
}

/// The connection that looks at the schema, and the number that the schema had when it was read.
struct Looking {
    session: Session,
    version: i64,
}

type Opened<T> = std::result::Result<T, String>;

impl Sqlite {
    /// Opens the file, runs its migrations and reads its schema. One that has migrations is created where it is missing.
    pub(crate) fn open(settings: &Settings) -> Opened<(Sqlite, Schema)> {
        let path = connection::file(&settings.url)?;
        open_at(settings, &path).map_err(|reason| about(&path, &reason))
    }

    pub(crate) fn inspect(settings: &Settings) -> Opened<Option<Schema>> {
        let path = connection::file(&settings.url)?;
        inspect_at(settings, &path).map_err(|reason| about(&path, &reason))
    }

    /// Migrations that are still to run are tried on a copy in memory. `None` where that can't be done: the database is
    /// larger than 64 MiB, or locked.
    pub(crate) fn rehearse(settings: &Settings) -> Opened<Option<Schema>> {
        let path = connection::file(&settings.url)?;
        rehearse_at(settings, &path).map_err(|reason| about(&path, &reason))
    }

    /// Plans of statements, on a copy of the schema in memory.
    pub(crate) fn plans(settings: &Settings, questions: &[Question]) -> Opened<Vec<Answered>> {
        let path = connection::file(&settings.url)?;
        let plan = || -> Opened<Vec<Answered>> {
            let session =
                migrated(settings, &path)?.ok_or("it is too large, or locked, for its migrations to be tried")?;
            let copy = plans::copy(&session).map_err(text)?;
            Ok(questions
                .iter()
                .map(|question| plans::answer(&copy, question))
                .collect())
        };
        plan().map_err(|reason| about(&path, &reason))
    }

    /// The schema, where it is another one than when it was read last.
    pub(crate) fn look(&self) -> Opened<Option<Schema>> {
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let version = introspection::version(&looking.session.connection).map_err(text)?;
        if version == looking.version {
            return Ok(None);
        }
        let (schema, version) = introspection::read(&looking.session).map_err(text)?;
        self.inline.renew().map_err(text)?;
        looking.version = version;
        Ok(Some(schema))
    }

    pub(crate) async fn run(&self, script: Script, format: Format) -> Result<Vec<Outcome>> {
        if script.access == Access::ReadWrite {
            return self.writer.run(script, format).await;
        }
        // None of it is larger than what is held.
        let (mut outcomes, answer) = self.read(script, format, usize::MAX).await?;
        outcomes.push(answer.outcome);
        Ok(outcomes)
    }

    pub(crate) async fn read(&self, script: Script, format: Format, hold: usize) -> Result<(Vec<Outcome>, Answer)> {
        if script.access == Access::ReadWrite {
            let mut outcomes = self.writer.run(script, format).await?;
            let outcome = outcomes.pop().unwrap_or_default();
            return Ok((outcomes, Answer { outcome, rest: None }));
        }
        match self.inline.read(&script, format, hold) {
            Inlined::Answered(answer) => {
                return answer.map(|(outcomes, outcome)| (outcomes, Answer { outcome, rest: None }));
            }
            Inlined::Elsewhere => {}
            Inlined::Unopened => self.readers.begin(open_one(Arc::clone(&self.inline)))?,
        }
        self.readers.read(script, format, hold).await
    }

    pub(crate) async fn explain(&self, statement: &Statement) -> Result<String> {
        let statement = statement.clone();
        self.readers
            .run(move |session| execute::explain(session, &statement))
            .await
    }

    /// The threads' load. What workers read themselves is done at once.
    pub(crate) fn load(&self) -> Load {
        let (read, written) = (self.readers.load(), self.writer.load());
        Load {
            connections: read.connections + written.connections,
            busy: read.busy + written.busy,
            waiting: read.waiting + written.waiting,
        }
    }

    /// What statements took, those that take most first.
    pub(crate) fn counters(&self) -> Vec<Counted> {
        let mut sums = HashMap::new();
        let counters = self.inline.counters().into_iter().chain(self.readers.counters());
        for counters in counters.chain([Arc::clone(&self.written)]) {
            counters.sum_into(&mut sums);
        }
        let mut sums: Vec<Counted> = sums.into_values().collect();
        sums.sort_by(|a, b| b.instructions.cmp(&a.instructions).then_with(|| a.text.cmp(&b.text)));
        sums
    }
}

impl Drop for Sqlite {
    /// Ends the threads that read after what they do now. The writer goes last.
    fn drop(&mut self) {
        self.readers.end();
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").finish_non_exhaustive()
    }
}

fn open_one(inline: Arc<Inline>) -> impl FnOnce(Result<&Session>) + Send {
    move |_| {
        // Where it fails, the worker goes on asking the threads, and they tell why.
        let _ = inline.open_one();
    }
}

fn open_at(settings: &Settings, path: &Path) -> Opened<(Sqlite, Schema)> {
    let mut access = OpenFlags::SQLITE_OPEN_READ_WRITE;
    if settings.migrations.is_some() {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        }
        access |= OpenFlags::SQLITE_OPEN_CREATE;
    } else if !exists(path)? {
        return Err(MISSING.to_owned());
    }
    let writer = Session::open(path, access, settings.busy_timeout).map_err(text)?;
    let mode: String = writer
        .connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(text)?;
    if mode != "wal" {
        return Err(format!("the journal mode stays {mode}, and WAL is needed"));
    }
    writer
        .connection
        .pragma_update(None, "synchronous", "full")
        .map_err(text)?;
    if let Some(folder) = &settings.migrations {
        migrations::run(&writer, folder)?;
    }
    let session = Session::open_reader(path, settings.busy_timeout).map_err(text)?;
    let (schema, version) = introspection::read(&session).map_err(text)?;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let written = Arc::clone(&writer.counters);
    let writer = Writer::start(writer, settings.queue, settings.wait)
        .map_err(|error| format!("a thread can't be started: {error}"))?;
    let sqlite = Sqlite {
        inline: Arc::new(Inline::open(path.to_owned(), workers).map_err(text)?),
        readers: Readers::new(path.to_owned(), settings),
        writer,
        written,
        looking: Mutex::new(Looking { session, version }),
    };
    Ok((sqlite, schema))
}

fn inspect_at(settings: &Settings, path: &Path) -> Opened<Option<Schema>> {
    match look_at(settings, path)? {
        (_, true) => Ok(None),
        (session, false) => schema_of(&session).map(Some),
    }
}

fn rehearse_at(settings: &Settings, path: &Path) -> Opened<Option<Schema>> {
    migrated(settings, path)?.map(|session| schema_of(&session)).transpose()
}

/// The database as it is, or where migrations are still to run, a copy on which they ran. `None` where that can't be done.
fn migrated(settings: &Settings, path: &Path) -> Opened<Option<Session>> {
    let (session, pending) = look_at(settings, path)?;
    let Some(folder) = settings.migrations.as_ref().filter(|_| pending) else {
        return Ok(Some(session));
    };
    let Some(copy) = copied(&session, settings).map_err(text)? else {
        return Ok(None);
    };
    migrations::run(&copy, folder)?;
    Ok(Some(copy))
}

/// What is there, an empty database in place of one that is yet to be made, and whether migrations are to run on it.
fn look_at(settings: &Settings, path: &Path) -> Opened<(Session, bool)> {
    let busy = settings.busy_timeout;
    match (exists(path)?, &settings.migrations) {
        (false, None) => Err(MISSING.to_owned()),
        (false, Some(_)) => {
            let empty = Connection::open_in_memory().map_err(text)?;
            Ok((Session::new(empty, busy).map_err(text)?, true))
        }
        (true, None) => Ok((Session::open_untouched(path, busy).map_err(text)?, false)),
        (true, Some(folder)) => {
            let session = Session::open_untouched(path, busy).map_err(text)?;
            let pending = !migrations::pending(&session, folder)?.is_empty();
            Ok((session, pending))
        }
    }
}

fn schema_of(session: &Session) -> Opened<Schema> {
    introspection::read(session).map(|(schema, _)| schema).map_err(text)
}

fn exists(path: &Path) -> Opened<bool> {
    path.try_exists().map_err(|error| error.to_string())
}

/// A copy in memory; `None` of a database that is too large for one, or locked.
fn copied(from: &Session, settings: &Settings) -> rusqlite::Result<Option<Session>> {
    let from = &from.connection;
    let number = |pragma: &str| from.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("page_count")?.saturating_mul(number("page_size")?) > MOST_COPIED {
        return Ok(None);
    }
    let mut copy = Connection::open_in_memory()?;
    let outcome = Backup::new(from, &mut copy)?.step(-1)?;
    if outcome != StepResult::Done {
        return Ok(None);
    }
    Session::new(copy, settings.busy_timeout).map(Some)
}

fn about(path: &Path, reason: &str) -> String {
    format!("{}: {}", path.display(), reason.replace('\n', " "))
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn text(error: rusqlite::Error) -> String {
    error.to_string()
}
