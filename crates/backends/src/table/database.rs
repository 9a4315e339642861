//! A database, its connections, and the threads that own them: one that writes and a few that read. A slow statement
//! holds up a thread here and never a worker.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portcullis_config::database::Database as Config;
use portcullis_core::{Error, Result, codes};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::failure;
use super::migrations;
use super::percent;
use super::queue::Queue;
use super::schema::Schema;

/// Threads that read, at the most; no more than there are cores.
const MAX_READERS: usize = 4;
/// Prepared statements that a connection keeps: more than the shapes of queries that a few dozen routes see.
const PREPARED: usize = 256;
/// Instructions of SQLite's machine between two looks at the clock: some tens of microseconds.
const BETWEEN_CHECKS: i32 = 2000;
/// Bytes of the largest database that `portcullis check` copies into memory to try migrations on.
const MOST_COPIED: i64 = 64 << 20;

/// An open SQLite database.
///
/// Changes are durable when they are answered (`synchronous=FULL`): in WAL mode `NORMAL` would keep the file
/// consistent, too, but a loss of power could take back what a client was told is stored.
pub struct Database {
    name: String,
    schema: Arc<Schema>,
    writers: Pool,
    readers: Pool,
}

/// A statement's work, on the thread of a connection.
type Job = Box<dyn FnOnce(&Session) + Send>;

/// Threads with one connection each that share a queue.
struct Pool {
    queue: Arc<Queue<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// A connection and the clock that stops its statements.
struct Session {
    connection: Connection,
    deadline: Arc<Deadline>,
    timeout: Duration,
}

impl Database {
    /// Opens the database that `config` names, with `base` as the folder that relative paths start from, runs its
    /// migrations and reads its schema. One that has migrations is created where it is missing.
    ///
    /// # Errors
    /// One line that says which file failed, and why.
    pub fn open(name: &str, config: &Config, base: &Path) -> std::result::Result<Arc<Database>, String> {
        let path = file(config, base)?;
        open_at(name, config, base, &path).map_err(|error| format!("{}: {}", path.display(), error.replace('\n', " ")))
    }

    /// Reads the schema that a database has and changes nothing. `None` where migrations are still to run on it.
    ///
    /// # Errors
    /// One line that says which file failed, and why.
    pub fn inspect(config: &Config, base: &Path) -> std::result::Result<Option<Arc<Schema>>, String> {
        let path = file(config, base)?;
        inspect_at(config, base, &path).map_err(|error| format!("{}: {}", path.display(), error.replace('\n', " ")))
    }

    /// Reads the schema that a database will have once it is open and changes nothing: for `portcullis check`.
    /// Migrations that are still to run are tried on a copy in memory. `None` where that can't be done: the database is
    /// larger than 64 MiB, or locked.
    ///
    /// # Errors
    /// One line that says which file failed, and why: the database or a migration.
    pub fn rehearse(config: &Config, base: &Path) -> std::result::Result<Option<Arc<Schema>>, String> {
        let path = file(config, base)?;
        rehearse_at(config, base, &path).map_err(|error| format!("{}: {}", path.display(), error.replace('\n', " ")))
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its tables and views.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Does `work` on a connection that can only read. One statement sees one state of the database; `work` that has
    /// several, and needs them to see the same, begins a transaction.
    ///
    /// # Errors
    /// Those of `work`; `database_busy` when the queue is full.
    pub(super) async fn read<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.readers.run(move |session| session.timed(work)).await
    }

    /// Does `work` in one transaction that is rolled back when `work` fails.
    ///
    /// # Errors
    /// Those of `work`; `database_busy` when the queue is full or another process holds the lock for too long; what
    /// else may prevent a commit. Nothing was changed then.
    pub(super) async fn write<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.writers.run(move |session| session.transaction(work)).await
    }
}

impl Drop for Database {
    /// Ends the threads after what they do now. The writer goes last: its connection writes the log back into the
    /// database file when it closes.
    fn drop(&mut self) {
        self.readers.end();
        self.writers.end();
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Pool {
    fn start(name: &str, sessions: Vec<Session>, queue: u32) -> std::io::Result<Pool> {
        let queue = Arc::new(Queue::new(usize::try_from(queue).unwrap_or(usize::MAX).max(1)));
        let mut pool = Pool {
            queue,
            threads: Vec::new(),
        };
        for session in sessions {
            let queue = Arc::clone(&pool.queue);
            match thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || serve(&session, &queue))
            {
                Ok(thread) => pool.threads.push(thread),
                Err(error) => {
                    pool.end();
                    return Err(error);
                }
            }
        }
        Ok(pool)
    }

    async fn run<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Session) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |session| {
            // Whoever asked is gone: the client closed the connection, or a deadline passed.
            if !sender.is_closed() {
                let answer = work(session);
                // When they go while the work is done, the answer has nobody to go to.
                let _ = sender.send(answer);
            }
        });
        if self.queue.push(job).is_err() {
            return Err(failure::busy());
        }
        receiver
            .await
            .unwrap_or_else(|lost| Err(Error::new(&codes::DATABASE_FAILED).with_cause(lost)))
    }

    fn end(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has closed its connection on the way.
            let _ = thread.join();
        }
    }
}

impl Session {
    fn new(mut connection: Connection, config: &Config) -> rusqlite::Result<Session> {
        let deadline = Arc::new(Deadline::new());
        let clock = Arc::clone(&deadline);
        connection.progress_handler(BETWEEN_CHECKS, Some(move || clock.has_passed()))?;
        Ok(Session {
            connection,
            deadline,
            timeout: config.statement_timeout.0,
        })
    }

    fn timed<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let _running = self.deadline.start(self.timeout);
        work(&self.connection)
    }

    /// Takes the lock at once: a transaction that began with reading could find, when it comes to write, that another
    /// process was faster. The wait for the lock has its own limit, so the clock starts after it; and it stands still
    /// for the commit and the rollback, which are not to be stopped half-way.
    fn transaction<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let failed = |error| failure::to_error(error, None);
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate).map_err(failed)?;
        let outcome = self.timed(work)?;
        transaction.commit().map_err(failed)?;
        Ok(outcome)
    }
}

/// When the statement that runs now must be stopped. Looked at by SQLite itself every few thousand instructions.
struct Deadline {
    base: Instant,
    /// Nanoseconds since `base`; the largest number where nothing runs.
    at: AtomicU64,
}

/// Stops the clock when it goes.
struct Running<'d>(&'d Deadline);

impl Deadline {
    fn new() -> Deadline {
        Deadline {
            base: Instant::now(),
            at: AtomicU64::new(u64::MAX),
        }
    }

    fn start(&self, timeout: Duration) -> Running<'_> {
        self.at.store(
            nanoseconds(self.base.elapsed().saturating_add(timeout)),
            Ordering::Relaxed,
        );
        Running(self)
    }

    fn has_passed(&self) -> bool {
        nanoseconds(self.base.elapsed()) > self.at.load(Ordering::Relaxed)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.at.store(u64::MAX, Ordering::Relaxed);
    }
}

/// What a thread does until the queue is closed.
fn serve(session: &Session, queue: &Queue<Job>) {
    while let Some(job) = queue.pop() {
        // A bug in one request's work must not take the connection from all others. Its transaction is rolled back on
        // the way out, and the sender that it drops answers for it.
        let _ = catch_unwind(AssertUnwindSafe(|| job(session)));
    }
}

fn open_at(name: &str, config: &Config, base: &Path, path: &Path) -> std::result::Result<Arc<Database>, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let mut access = OpenFlags::SQLITE_OPEN_READ_WRITE;
    if config.migrations.is_some() {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        }
        access |= OpenFlags::SQLITE_OPEN_CREATE;
    } else if !exists(path)? {
        return Err(MISSING.to_owned());
    }
    let mut writer = connect(path, access, config).map_err(text)?;
    let mode: String = writer
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(text)?;
    if mode != "wal" {
        return Err(format!("the journal mode stays {mode}, and WAL is needed"));
    }
    writer.pragma_update(None, "synchronous", "full").map_err(text)?;
    if let Some(folder) = &config.migrations {
        migrations::run(&mut writer, &base.join(folder))?;
    }
    let schema = Arc::new(Schema::read(&writer).map_err(text)?);
    let mut readers = Vec::new();
    for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(MAX_READERS) {
        let reader = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, config).map_err(text)?;
        reader.pragma_update(None, "query_only", true).map_err(text)?;
        readers.push(Session::new(reader, config).map_err(text)?);
    }
    let start = |kind: &str, sessions| {
        Pool::start(kind, sessions, config.queue).map_err(|error| format!("a thread can't be started: {error}"))
    };
    let writers = start("database-write", vec![Session::new(writer, config).map_err(text)?])?;
    let readers = start("database-read", readers)?;
    Ok(Arc::new(Database {
        name: name.to_owned(),
        schema,
        writers,
        readers,
    }))
}

fn inspect_at(config: &Config, base: &Path, path: &Path) -> std::result::Result<Option<Arc<Schema>>, String> {
    match look(config, base, path)? {
        (_, true) => Ok(None),
        (connection, false) => schema_of(&connection).map(Some),
    }
}

fn rehearse_at(config: &Config, base: &Path, path: &Path) -> std::result::Result<Option<Arc<Schema>>, String> {
    let (connection, pending) = look(config, base, path)?;
    let Some(folder) = config.migrations.as_ref().filter(|_| pending) else {
        return schema_of(&connection).map(Some);
    };
    let Some(mut copy) = copied(&connection, config).map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    migrations::run(&mut copy, &base.join(folder))?;
    schema_of(&copy).map(Some)
}

/// What is there, an empty database in place of one that is yet to be made, and whether migrations are to run on it.
fn look(config: &Config, base: &Path, path: &Path) -> std::result::Result<(Connection, bool), String> {
    let text = |error: rusqlite::Error| error.to_string();
    match (exists(path)?, &config.migrations) {
        (false, None) => Err(MISSING.to_owned()),
        (false, Some(_)) => Ok((Connection::open_in_memory().map_err(text)?, true)),
        (true, None) => Ok((look_at(path, config).map_err(text)?, false)),
        (true, Some(folder)) => {
            let connection = look_at(path, config).map_err(text)?;
            let pending = migrations::pending(&connection, &base.join(folder))? > 0;
            Ok((connection, pending))
        }
    }
}

fn schema_of(connection: &Connection) -> std::result::Result<Arc<Schema>, String> {
    Schema::read(connection)
        .map(Arc::new)
        .map_err(|error| error.to_string())
}

/// Said of a database that nobody makes. A file made of a mistyped name would hide the mistake.
const MISSING: &str = "the file does not exist: name the right one, or a folder of `migrations` that make it";

fn exists(path: &Path) -> std::result::Result<bool, String> {
    path.try_exists().map_err(|error| error.to_string())
}

/// A copy in memory; `None` of a database that is too large for one, or locked.
fn copied(from: &Connection, config: &Config) -> rusqlite::Result<Option<Connection>> {
    let number = |pragma: &str| from.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("page_count")?.saturating_mul(number("page_size")?) > MOST_COPIED {
        return Ok(None);
    }
    let mut copy = Connection::open_in_memory()?;
    let outcome = Backup::new(from, &mut copy)?.step(-1)?;
    if outcome != StepResult::Done {
        return Ok(None);
    }
    harden(&copy, config)?;
    Ok(Some(copy))
}

/// The file that the URL names.
fn file(config: &Config, base: &Path) -> std::result::Result<PathBuf, String> {
    let path = config.url.expose().strip_prefix("sqlite:").unwrap_or_default();
    if path.is_empty() || path.starts_with("//") || path == ":memory:" {
        return Err(format!(
            "`{}` is not a database URL of the form sqlite:PATH",
            config.url
        ));
    }
    let path = base.join(path);
    // SQLite takes a name that starts with `file:` for a URI with options in it.
    Ok(if path.is_absolute() {
        path
    } else {
        Path::new(".").join(path)
    })
}

fn connect(path: &Path, access: OpenFlags, config: &Config) -> rusqlite::Result<Connection> {
    // Each connection stays on its thread, so SQLite needs no locks around it.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    harden(&connection, config)?;
    Ok(connection)
}

/// Opens a file to look at it. Even reading makes SQLite put files beside one that is in WAL mode, unless it is told
/// that nobody changes it: which is so where it has neither a log nor a journal.
fn look_at(path: &Path, config: &Config) -> rusqlite::Result<Connection> {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        Path::new(&name).exists()
    };
    match path.to_str() {
        Some(name) if !beside("-wal") && !beside("-journal") => {
            let mut uri = "file:".to_owned();
            percent::encode_into(&mut uri, name);
            uri.push_str("?immutable=1");
            let access = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            connect(Path::new(&uri), access, config)
        }
        _ => connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, config),
    }
}

fn harden(connection: &Connection, config: &Config) -> rusqlite::Result<()> {
    connection.busy_timeout(config.busy_timeout.0)?;
    // No statement may damage the file, whatever it says.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // The schema may come from elsewhere: its views and triggers call harmless functions only.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A name in double quotes is never taken for a text.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(())
}

fn nanoseconds(duration: Duration) -> u64 {
    // More than five hundred years are never.
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX - 1)
}
