//! A connection to a file: how it is opened, what it may not do, and the clock that stops its statements.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, Result};

use super::counters::Counters;
use super::functions;

/// Prepared statements that a connection keeps: more than the shapes of queries that a few dozen routes see.
const PREPARED: usize = 512;
/// Instructions of SQLite's machine between two looks at the clock: some tens of microseconds.
const BETWEEN_CHECKS: u16 = 1000;
/// Kibibytes of pages that a connection keeps. The rest is in the kernel's cache, a system call away.
const CACHED: i64 = 4096;
/// Bytes of a value. SQLite works in our memory: rows within rows within rows, as one JSON text, would fill it.
const LARGEST: i32 = 64 << 20;

/// A connection, the clock that stops its statements, the guard over what they do, and what they took.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) counters: Arc<Counters>,
    clock: Arc<Clock>,
    guard: Arc<Guard>,
}

/// When the statements that run now must be stopped. Looked at by SQLite itself every few thousand instructions.
struct Clock {
    base: Instant,
    /// Nanoseconds since `base`; the largest number where nothing runs.
    at: AtomicU64,
    /// Looks at the clock that are left; the largest number is no limit.
    looks: AtomicU32,
}

/// Stops the clock when it goes.
pub(super) struct Running<'s>(&'s Clock);

/// What statements may do at the moment.
struct Guard(AtomicU8);

/// Whose statements are run.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Author {
    /// Our own, which begin and end transactions.
    Gate,
    /// Those of a migration.
    Migration,
    /// Those of a script.
    Script,
}

impl Session {
    /// Opens the file that way. Statements that find it locked wait for `busy` at the most.
    pub(super) fn open(path: &Path, access: OpenFlags, busy: Duration) -> Result<Session> {
        // Each connection is with one thread at a time, so SQLite needs no locks around it.
        Session::new(
            Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?,
            busy,
        )
    }

    /// Opens a file that can only be read, in a way that statements can't change.
    pub(super) fn open_reader(path: &Path, busy: Duration) -> Result<Session> {
        let session = Session::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, busy)?;
        session.connection.pragma_update(None, "query_only", true)?;
        // The schema is parsed now rather than by the first request.
        session
            .connection
            .query_row("SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)", [], |_| {
                Ok(())
            })?;
        Ok(session)
    }

    /// Opens a file to look at it. Even reading makes SQLite put files beside one that is in WAL mode, unless it is
    /// told that nobody changes it: which is so where it has neither a log nor a journal.
    pub(super) fn open_untouched(path: &Path, busy: Duration) -> Result<Session> {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            Path::new(&name).exists()
        };
        match path.to_str() {
            Some(name) if !beside("-wal") && !beside("-journal") => {
                let access = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                Session::open(
                    &PathBuf::from(format!("file:{}?immutable=1", encoded(name))),
                    access,
                    busy,
                )
            }
            _ => Session::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, busy),
        }
    }

    /// Makes an open connection one of ours.
    pub(super) fn new(mut connection: Connection, busy: Duration) -> Result<Session> {
        connection.busy_timeout(busy)?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST)?;
        // No statement may damage the file, whatever it says.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        // The schema may come from elsewhere: its views and triggers call harmless functions only.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // A name in double quotes is never taken for a text.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        // One text has one plan, whatever its values are. Otherwise each new value of a bound LIMIT makes SQLite plan
        // anew, which costs more than a read by a key itself.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -CACHED)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        functions::register(&connection)?;
        let clock = Arc::new(Clock::new());
        let handler = Arc::clone(&clock);
        connection.progress_handler(BETWEEN_CHECKS.into(), Some(move || handler.is_over()))?;
        let guard = Arc::new(Guard(AtomicU8::new(Author::Gate as u8)));
        let authorizer = Arc::clone(&guard);
        connection.authorizer(Some(move |context: AuthContext<'_>| authorizer.judge(&context.action)))?;
        Ok(Session {
            connection,
            counters: Arc::default(),
            clock,
            guard,
        })
    }

    /// Starts the clock: what runs longer than that is interrupted.
    pub(super) fn limit(&self, time: Duration) -> Running<'_> {
        self.clock.start(time, u32::MAX);
        Running(&self.clock)
    }

    /// Starts the clock, with a limit of instructions beside.
    pub(super) fn limit_steps(&self, time: Duration, instructions: u32) -> Running<'_> {
        self.clock.start(time, instructions / u32::from(BETWEEN_CHECKS));
        Running(&self.clock)
    }

    /// Runs the statements of a script: they can't end the transaction around them.
    pub(super) fn guarded<T>(&self, work: impl FnOnce() -> T) -> T {
        self.guard.during(Author::Script, work)
    }

    /// Runs the statements of a migration: they can't end the transaction around them.
    pub(super) fn migrating<T>(&self, work: impl FnOnce() -> T) -> T {
        self.guard.during(Author::Migration, work)
    }
}

impl Running<'_> {
    /// Starts it anew.
    pub(super) fn again(&self, time: Duration) {
        self.0.start(time, u32::MAX);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.at.store(u64::MAX, Ordering::Relaxed);
        self.0.looks.store(u32::MAX, Ordering::Relaxed);
    }
}

impl Clock {
    fn new() -> Clock {
        Clock {
            base: Instant::now(),
            at: AtomicU64::new(u64::MAX),
            looks: AtomicU32::new(u32::MAX),
        }
    }

    fn start(&self, time: Duration, looks: u32) {
        let at = nanoseconds(self.base.elapsed().saturating_add(time));
        self.at.store(at, Ordering::Relaxed);
        self.looks.store(looks, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        let looks = self.looks.load(Ordering::Relaxed);
        if looks != u32::MAX {
            if looks <= 1 {
                return true;
            }
            self.looks.store(looks - 1, Ordering::Relaxed);
        }
        let at = self.at.load(Ordering::Relaxed);
        at != u64::MAX && nanoseconds(self.base.elapsed()) > at
    }
}

impl Guard {
    fn during<T>(&self, author: Author, work: impl FnOnce() -> T) -> T {
        /// Gives the statements back to us even where the work panics.
        struct Restore<'g>(&'g AtomicU8);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.0.store(Author::Gate as u8, Ordering::Relaxed);
            }
        }
        let _restore = Restore(&self.0);
        self.0.store(author as u8, Ordering::Relaxed);
        work()
    }

    /// Nobody attaches files: that reaches out of the database. Only we begin and end transactions: another's COMMIT
    /// would make a half of it permanent. A script changes no setting of the connection, which is not its own.
    fn judge(&self, action: &AuthAction<'_>) -> Authorization {
        let author = self.0.load(Ordering::Relaxed);
        let denied = match action {
            AuthAction::Attach { .. } | AuthAction::Detach { .. } => true,
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => author != Author::Gate as u8,
            AuthAction::Pragma {
                pragma_value: Some(_), ..
            } => author == Author::Script as u8,
            _ => false,
        };
        if denied {
            Authorization::Deny
        } else {
            Authorization::Allow
        }
    }
}

/// The file that the URL names.
///
/// # Errors
/// It names none.
pub(super) fn file(url: &str) -> std::result::Result<PathBuf, String> {
    let path = url.strip_prefix("sqlite:").unwrap_or_default();
    if path.is_empty() || path.starts_with("//") || path == ":memory:" {
        return Err(format!("`{url}` is not a database URL of the form sqlite:PATH"));
    }
    let path = Path::new(path);
    // SQLite takes a name that starts with `file:` for a URI with options in it.
    Ok(if path.is_absolute() {
        path.to_owned()
    } else {
        Path::new(".").join(path)
    })
}

/// A path for a URI (RFC 3986 §2.1).
fn encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(byte.into());
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

fn nanoseconds(duration: Duration) -> u64 {
    // More than five hundred years are never.
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new(Connection::open_in_memory().unwrap(), Duration::ZERO).unwrap()
    }

    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

    #[test]
    fn a_statement_is_stopped_at_its_limit_and_the_next_one_is_not() {
        let session = session();
        let ask = |sql: &str| session.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let running = session.limit(Duration::from_millis(20));
        assert!(super::super::failure::is_interrupt(&ask(ENDLESS).unwrap_err()));
        drop(running);
        let running = session.limit_steps(Duration::MAX, 20_000);
        assert!(super::super::failure::is_interrupt(&ask(ENDLESS).unwrap_err()));
        drop(running);
        assert_eq!(ask("SELECT 1"), Ok(1));
    }

    #[test]
    fn no_value_fills_the_memory() {
        let session = session();
        let ask = |sql: &str| session.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        assert_eq!(ask("SELECT length(zeroblob(1 << 20))"), Ok(1 << 20));
        for sql in [
            "SELECT length(zeroblob((64 << 20) + 1))",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) \
             SELECT length(json_group_array(hex(zeroblob(1 << 20)))) FROM n",
        ] {
            let refused = ask(sql).unwrap_err();
            assert_eq!(refused.sqlite_error_code(), Some(rusqlite::ErrorCode::TooBig), "{sql}");
        }
    }

    #[test]
    fn nobody_attaches_files_and_scripts_end_no_transaction() {
        let session = session();
        let ask = |sql: &str| session.connection.execute_batch(sql);
        assert!(ask("ATTACH ':memory:' AS other").is_err());
        for sql in [
            "COMMIT",
            "SAVEPOINT a",
            "PRAGMA synchronous = off",
            "ATTACH ':memory:' AS other",
        ] {
            assert!(
                session
                    .guarded(|| ask(sql))
                    .unwrap_err()
                    .to_string()
                    .contains("not authorized"),
                "{sql}"
            );
        }
        ask("BEGIN; SAVEPOINT a; RELEASE a; COMMIT").unwrap();
    }

    #[test]
    fn a_url_names_a_file() {
        for url in ["sqlite:", "sqlite://x", "sqlite::memory:", "postgres://x"] {
            assert!(file(url).is_err(), "{url}");
        }
        assert_eq!(file("sqlite:/a/b.db"), Ok(PathBuf::from("/a/b.db")));
        assert_eq!(file("sqlite:file:x?mode=rwc"), Ok(PathBuf::from("./file:x?mode=rwc")));
        assert_eq!(encoded("/a b/ü?.db"), "/a%20b/%C3%BC%3F.db");
    }
}
