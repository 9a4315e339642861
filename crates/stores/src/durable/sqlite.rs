//! The store in a file.

use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::readers::Readers;
use super::writer::Writer;
use super::{Answer, Error, schema};

/// Threads that read: lookups of rows that are mostly in memory.
const READERS: usize = 2;
/// Prepared statements that a connection keeps: all there are.
const PREPARED: usize = 64;
/// How long a write waits for another process, which is there while one binary takes over from another.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of the file from which on clients can't make it grow; operators still can.
pub const SIZE: u64 = 4 << 30;
/// Reads, and as many writes, that may wait at a time.
pub const QUEUE: usize = 4096;
/// Bytes of answers that wait to be written, at the most.
const MOST_WAITING: usize = 64 << 20;

/// A store in one SQLite file, which one process at a time serves from, but for the moment in which one takes over from
/// another.
///
/// Every transaction is on the disk before it is acknowledged (`synchronous=FULL` with a write-ahead log).
pub struct Sqlite {
    path: PathBuf,
    /// Readers end before the writer, whose connection writes the log back when it is the last one.
    readers: Readers,
    writer: Writer,
    size: u64,
    /// Bytes of what waits to be written.
    waiting: Arc<AtomicUsize>,
}

/// Bytes that wait to be written.
pub(super) struct Waiting {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

/// What a store may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Reads, and as many writes, that may wait at a time: one more is refused at once ([`Error::Busy`]).
    pub queue: usize,
    /// Bytes of the file from which on clients can't make it grow ([`Error::Full`]); operators still can.
    pub size: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            queue: QUEUE,
            size: SIZE,
        }
    }
}

impl Sqlite {
    /// Opens the store in this file, which is made where it is missing, readable by its owner alone.
    ///
    /// # Errors
    /// One line that says which file failed, and why: it is damaged, another program's, of a newer version, or can't be
    /// written.
    pub fn open(path: &Path, limits: Limits) -> Result<Sqlite, String> {
        open(path, limits).map_err(|error| format!("{}: {}", path.display(), error.replace('\n', " ")))
    }

    /// Says what would keep the file from being opened, and changes nothing.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn check(path: &Path) -> Result<(), String> {
        schema::check(path).map_err(|error| format!("{}: {}", path.display(), error.replace('\n', " ")))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        self.readers.read(work)
    }

    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        self.writer.write(work)
    }

    /// Room for so many bytes that wait to be written; none when too many wait already, for a slow disk must not fill the
    /// memory.
    pub(super) fn wait_with(&self, bytes: usize) -> Option<Waiting> {
        let waiting = Waiting {
            all: self.waiting.clone(),
            bytes,
        };
        let before = waiting.all.fetch_add(bytes, Ordering::Relaxed);
        (before + bytes <= MOST_WAITING).then_some(waiting)
    }

    /// Bytes from which on clients can't make the file grow.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Whether clients may make a file of that size grow.
///
/// # Errors
/// [`Error::Full`] when they may not.
pub(super) fn room(connection: &Connection, size: u64) -> Result<(), Error> {
    let number = |pragma: &str| -> Result<u64, Error> {
        let mut statement = connection.prepare_cached(pragma)?;
        let number: i64 = statement.query_row((), |row| row.get(0))?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    let used = number("PRAGMA page_count")?.saturating_sub(number("PRAGMA freelist_count")?);
    match used.saturating_mul(number("PRAGMA page_size")?) < size {
        true => Ok(()),
        false => Err(Error::Full),
    }
}

fn open(path: &Path, limits: Limits) -> Result<Sqlite, String> {
    let text = |error: rusqlite::Error| error.to_string();
    // SQLite gives its other files the mode of this one.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| error.to_string())?;
    // Nothing of another program's file is changed, not even how it keeps its journal.
    schema::check(path)?;
    let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(text)?;
    let mode: String = writer
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(text)?;
    if mode != "wal" {
        return Err(format!("the journal mode stays {mode}, and WAL is needed"));
    }
    writer.pragma_update(None, "synchronous", "full").map_err(text)?;
    schema::bring_up(&mut writer)?;
    let readers: Result<Vec<_>, _> = (0..READERS)
        .map(|_| connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
        .collect();
    Ok(Sqlite {
        path: path.to_owned(),
        readers: Readers::start(readers.map_err(text)?, limits.queue)?,
        writer: Writer::start(writer, limits.queue)?,
        size: limits.size,
        waiting: Arc::default(),
    })
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // A name that begins with `file:` is no URI here. Each connection stays on its thread, so SQLite needs no locks.
    let path = if path.is_absolute() {
        path.to_owned()
    } else {
        Path::new(".").join(path)
    };
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    Ok(connection)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::durable::keys::{Consumer, Keys};
    use crate::durable::quota::{Quotas, Take};

    fn take(counter: u8) -> Take {
        Take {
            counter: [counter; 32],
            ends: 1000,
            least: 1,
            most: 1,
            limit: 100,
        }
    }

    fn check_refused(path: &Path, part: &str) {
        let before = std::fs::read(path).unwrap();
        for error in [
            Sqlite::check(path).unwrap_err(),
            Sqlite::open(path, Limits::default()).unwrap_err(),
        ] {
            assert!(error.contains(part) && error.contains("s.db"), "{error}");
        }
        assert_eq!(std::fs::read(path).unwrap(), before, "it was changed");
    }

    #[test]
    fn a_store_is_made_for_its_owner_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        Sqlite::check(&path).unwrap();
        assert!(!path.exists());
        for left in [99, 98] {
            let store = Sqlite::open(&path, Limits::default()).unwrap();
            assert_eq!(store.take(take(1)).wait().unwrap().left, left);
            Sqlite::check(&path).unwrap();
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let missing = folder.path().join("none/s.db");
        assert!(Sqlite::check(&missing).unwrap_err().contains("folder"));
        assert!(Sqlite::open(&missing, Limits::default()).is_err());
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        std::fs::write(&path, [b'x'; 8192]).unwrap();
        check_refused(&path, "not a database");

        std::fs::remove_file(&path).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE theirs (a)").unwrap();
        drop(other);
        check_refused(&path, "another program");
    }

    #[test]
    fn a_newer_or_damaged_store_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        drop(Sqlite::open(&path, Limits::default()).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        check_refused(&path, "newer version");

        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        drop(connection);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4096..].fill(0xAA);
        std::fs::write(&path, bytes).unwrap();
        check_refused(&path, "damaged");
    }

    #[test]
    fn who_finds_the_queue_full_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits {
            queue: 2,
            ..Limits::default()
        };
        let store = Sqlite::open(&folder.path().join("s.db"), limits).unwrap();
        let (begun, has_begun) = channel();
        let (go_on, may_go_on) = channel();
        let held = store.write(move |_| {
            begun.send(()).unwrap();
            may_go_on.recv().unwrap();
            Ok(())
        });
        has_begun.recv().unwrap();
        let waiting = [store.take(take(1)), store.take(take(2))];
        assert_eq!(store.take(take(3)).wait(), Err(Error::Busy));
        go_on.send(()).unwrap();
        held.wait().unwrap();
        assert!(waiting.into_iter().all(|answer| answer.wait().unwrap().units == 1));
    }

    #[test]
    fn what_waits_to_be_written_is_bounded_in_bytes_too() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap();
        let half = store.wait_with(MOST_WAITING / 2);
        let rest = store.wait_with(MOST_WAITING / 2);
        assert!(half.is_some() && rest.is_some() && store.wait_with(1).is_none());
        drop(half);
        assert!(store.wait_with(1).is_some());
    }

    #[test]
    fn what_fails_is_undone_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap();
        let add = |name: &str| {
            let name = name.to_owned();
            move |connection: &Connection| -> Result<(), Error> {
                let statement = "INSERT INTO consumer (name, scopes, roles, created) VALUES (?1, '', '', 0)";
                connection.execute(statement, (name,))?;
                Ok(())
            }
        };
        let (one, two, three) = (add("one"), add("two"), add("three"));
        let answers = [
            store.write(one),
            store.write(move |connection| {
                two(connection)?;
                Err(Error::Failed("no".to_owned()))
            }),
            store.write(move |connection| {
                three(connection)?;
                panic!("a mistake");
            }),
        ];
        let outcomes = answers.map(Answer::wait);
        assert!(outcomes[0].is_ok() && outcomes[1].is_err() && outcomes[2].is_err());
        let names: Vec<Consumer> = store.consumers(String::new(), 10).wait().unwrap();
        assert_eq!(names.len(), 1);
    }

    #[test]
    fn what_waits_when_the_store_is_let_go_is_still_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        let store = Sqlite::open(&path, Limits::default()).unwrap();
        for _ in 0..50 {
            drop(store.take(take(1)));
        }
        drop(store);
        let store = Sqlite::open(&path, Limits::default()).unwrap();
        assert_eq!(store.take(take(1)).wait().unwrap().left, 49);
    }
}
