//! What is in the file, and how it came to be there.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{baselines, idempotency, keys, quota};

/// Written into the file's head, so that no other program's database is taken for ours, nor ours for another's: `PCLS`.
const APPLICATION: i32 = 0x5043_4C53;

/// What each version adds to the one before. Never change one that was released: add another.
const VERSIONS: &[&[&str]] = &[
    &[keys::TABLES, quota::TABLES, idempotency::TABLES],
    &[baselines::TABLES],
];

/// Bytes of the largest file that is looked through as a whole at the start, which takes about a tenth of a second.
const LOOKED_THROUGH: i64 = 64 << 20;

/// What the head of a file says.
enum State {
    /// There is nothing in it.
    New,
    /// It is ours, and of this version.
    Version(usize),
}

/// Brings the tables of an open file to this version.
///
/// # Errors
/// When it is damaged, another program's, or of a newer version.
pub(super) fn bring_up(connection: &mut Connection) -> Result<(), String> {
    let text = |error: rusqlite::Error| error.to_string();
    // Another process may be about to do the same: whoever comes second finds it done.
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(text)?;
    let from = match look(&transaction)? {
        State::New => {
            transaction
                .pragma_update(None, "application_id", APPLICATION)
                .map_err(text)?;
            0
        }
        State::Version(version) => version,
    };
    if from < VERSIONS.len() {
        for tables in VERSIONS[from..].iter().copied().flatten() {
            transaction.execute_batch(tables).map_err(text)?;
        }
        let version = i32::try_from(VERSIONS.len()).map_err(|error| error.to_string())?;
        transaction.pragma_update(None, "user_version", version).map_err(text)?;
    }
    transaction.commit().map_err(text)
}

/// Says what is wrong with a file, and changes nothing, neither it nor what is beside it. One that isn't there yet is fine
/// where its folder is.
///
/// # Errors
/// When it is damaged, another program's, or of a newer version; or can't be made.
pub(super) fn check(path: &Path) -> Result<(), String> {
    if !path.try_exists().map_err(|error| error.to_string())? {
        return match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                Err("the folder of this file doesn't exist".to_owned())
            }
            _ => Ok(()),
        };
    }
    let text = |error: rusqlite::Error| error.to_string();
    // Even reading makes SQLite put files beside one that is in WAL mode, unless it is told that nobody changes it: which
    // is so where it has no log.
    let has_log = path.with_file_name(log_name(path)).exists();
    let connection = if has_log {
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    } else {
        let uri = format!("file:{}?immutable=1", encoded(path)?);
        Connection::open_with_flags(uri, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
    };
    look(&connection.map_err(text)?).map(drop)
}

fn look(connection: &Connection) -> Result<State, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let number = |pragma: &str| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(text)
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(text)?;
    let (application, version) = (number("application_id")?, number("user_version")?);
    if application == 0 && version == 0 && tables == 0 {
        return Ok(State::New);
    }
    if application != i64::from(APPLICATION) {
        return Err("this is another program's database; name a file that is nobody else's".to_owned());
    }
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > VERSIONS.len() {
        return Err(format!(
            "this store was made by a newer version of the gate (its version is {version}, and {} is the newest that is \
             understood here); run that one, or name another file",
            VERSIONS.len()
        ));
    }
    if number("page_count")?.saturating_mul(number("page_size")?) <= LOOKED_THROUGH {
        let found: String = connection
            .query_row("PRAGMA quick_check(1)", (), |row| row.get(0))
            .map_err(text)?;
        if found != "ok" {
            return Err(format!("this store is damaged: {}", found.replace('\n', " ")));
        }
    }
    Ok(State::Version(version))
}

fn log_name(path: &Path) -> std::ffi::OsString {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-wal");
    name
}

/// A path within a URI. What SQLite would take for a part of it other than the path is escaped.
fn encoded(path: &Path) -> Result<String, String> {
    let path = path.to_str().ok_or("the path is not UTF-8")?;
    Ok(path.replace('%', "%25").replace('?', "%3f").replace('#', "%23"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_an_older_version_gets_what_it_lacks() {
        let mut connection = Connection::open_in_memory().unwrap();
        for tables in VERSIONS[0] {
            connection.execute_batch(tables).unwrap();
        }
        connection.pragma_update(None, "application_id", APPLICATION).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        bring_up(&mut connection).unwrap();
        let count: i64 = connection
            .query_row("SELECT count(*) FROM baseline", (), |row| row.get(0))
            .unwrap();
        assert_eq!(count, 0);
        assert!(matches!(look(&connection).unwrap(), State::Version(version) if version == VERSIONS.len()));
    }
}
