//! Migrations: `.sql` files of a folder, run in the order of their names, forward only, each of them once. Here is what
//! is the same for all engines: which there are, and which have yet to run. How one runs wholly or not at all is a
//! matter of each engine.

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// The table in which the migrations that ran are recorded: `name`, `sha256` and `applied_at`. It is no part of the
/// schema.
pub(crate) const TABLE: &str = "portcullis_migrations";

/// Migrations in one folder.
const MAX_FILES: usize = 10_000;
/// Bytes of one migration.
const MAX_BYTES: u64 = 16 << 20;

/// One file.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) name: String,
    pub(crate) sql: String,
    pub(crate) sha256: String,
}

/// Why a migration did not run.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The line of the statement at fault, from 1; nothing where it is none of the migration's own.
    pub(crate) line: Option<usize>,
    /// The database's words.
    pub(crate) reason: String,
}

impl Failure {
    /// What is told of it, in one line: the file, the line and the reason.
    pub(crate) fn describe(&self, folder: &Path, migration: &str) -> String {
        let line = self.line.map(|line| format!(":{line}")).unwrap_or_default();
        let file = folder.join(migration);
        format!("{}{line}: {}", file.display(), self.reason.replace('\n', " "))
    }
}

/// The migrations of a folder that have not run yet, in their order, given those that ran (name and digest), in the order
/// of their names.
///
/// # Errors
/// One line: what can't be read, or that what ran is not the beginning of what there is.
pub(crate) fn pending(folder: &Path, recorded: &[(String, String)]) -> Result<Vec<Migration>, String> {
    compare(read(folder)?, recorded)
}

/// The line of that place in a text, counted from 1.
pub(crate) fn line_of(sql: &str, at: usize) -> usize {
    let before = &sql.as_bytes()[..at.min(sql.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

fn compare(migrations: Vec<Migration>, recorded: &[(String, String)]) -> Result<Vec<Migration>, String> {
    let mut migrations = migrations.into_iter();
    for (name, sha256) in recorded {
        match migrations.next() {
            Some(migration) if migration.name == *name => {
                if migration.sha256 != *sha256 {
                    return Err(format!(
                        "{name}: the migration was changed after it ran; restore it and add a new one"
                    ));
                }
            }
            Some(migration) if migration.name < *name => {
                let early = migration.name;
                return Err(format!(
                    "{early}: the migration comes before {name}, which ran already; rename it"
                ));
            }
            _ => {
                return Err(format!(
                    "{name}: the migration ran earlier and is missing now; restore it"
                ));
            }
        }
    }
    Ok(migrations.collect())
}

fn read(folder: &Path) -> Result<Vec<Migration>, String> {
    let in_folder = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(in_folder)? {
        let name = entry.map_err(in_folder)?.file_name();
        let name = name
            .into_string()
            .map_err(|name| format!("{}: the name is not UTF-8", name.display()))?;
        if name.ends_with(".sql") {
            names.push(name);
        }
        if names.len() > MAX_FILES {
            return Err(format!(
                "{}: there are more than {MAX_FILES} migrations",
                folder.display()
            ));
        }
    }
    names.sort_unstable();
    names.into_iter().map(|name| read_file(folder, name)).collect()
}

fn read_file(folder: &Path, name: String) -> Result<Migration, String> {
    let path = folder.join(&name);
    let in_file = |error: std::io::Error| format!("{}: {error}", path.display());
    if std::fs::metadata(&path).map_err(in_file)?.len() > MAX_BYTES {
        return Err(format!(
            "{}: the file is larger than {} MiB",
            path.display(),
            MAX_BYTES >> 20
        ));
    }
    let sql = std::fs::read_to_string(&path).map_err(in_file)?;
    let mut sha256 = String::with_capacity(64);
    for byte in Sha256::digest(&sql) {
        write!(sha256, "{byte:02x}").expect("a String takes every write");
    }
    Ok(Migration { name, sql, sha256 })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn migration(name: &str, sha256: &str) -> Migration {
        Migration {
            name: name.to_owned(),
            sql: String::new(),
            sha256: sha256.to_owned(),
        }
    }

    #[test]
    fn what_ran_is_the_beginning_of_what_there_is() {
        let there = || {
            vec![
                migration("1.sql", "a"),
                migration("2.sql", "b"),
                migration("3.sql", "c"),
            ]
        };
        for (ran, expected) in [
            (&[][..], Ok(3)),
            (&[("1.sql", "a")][..], Ok(2)),
            (&[("1.sql", "a"), ("2.sql", "b"), ("3.sql", "c")][..], Ok(0)),
            (&[("1.sql", "x")][..], Err("changed after it ran")),
            (&[("2.sql", "b")][..], Err("comes before 2.sql")),
            (&[("0.sql", "z")][..], Err("is missing now")),
        ] {
            let ran: Vec<_> = ran
                .iter()
                .map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned()))
                .collect();
            match (compare(there(), &ran), expected) {
                (Ok(left), Ok(count)) => assert_eq!(left.len(), count),
                (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
                (found, _) => panic!("{found:?}"),
            }
        }
    }

    #[test]
    fn only_sql_files_are_read_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["2.sql", "1.sql", "notes.txt"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let names: Vec<_> = pending(folder.path(), &[])
            .unwrap()
            .into_iter()
            .map(|migration| migration.name)
            .collect();
        assert_eq!(names, ["1.sql", "2.sql"]);
    }
}
