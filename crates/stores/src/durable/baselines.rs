//! Runs of load that later ones are compared with.

use rusqlite::Connection;

use super::sqlite::Sqlite;
use super::{Answer, Error};

pub(super) const TABLES: &str = "
    CREATE TABLE baseline (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        run TEXT NOT NULL
    ) STRICT;
    CREATE INDEX baseline_by_name ON baseline (name, number);
";

/// The most runs that a name keeps; with one more the oldest is forgotten.
pub const MOST_OF_A_NAME: u32 = 1_000;

/// Runs by the name of their baseline, each a line of text.
pub trait Baselines: Send + Sync {
    /// Keeps a run, after those that the name has.
    fn keep(&self, name: String, run: String) -> Answer<()>;

    /// The runs of a name, the oldest first.
    fn runs(&self, name: String) -> Answer<Vec<String>>;

    /// All names, with how many runs each has.
    fn names(&self) -> Answer<Vec<(String, u64)>>;
}

impl Baselines for Sqlite {
    fn keep(&self, name: String, run: String) -> Answer<()> {
        self.write(move |connection| keep(connection, &name, &run))
    }

    fn runs(&self, name: String) -> Answer<Vec<String>> {
        self.read(move |connection| {
            let statement = "SELECT run FROM baseline WHERE name = ?1 ORDER BY number";
            let mut statement = connection.prepare_cached(statement)?;
            let runs = statement.query_map([name], |row| row.get(0))?;
            Ok(runs.collect::<Result<_, _>>()?)
        })
    }

    fn names(&self) -> Answer<Vec<(String, u64)>> {
        self.read(|connection| {
            let statement = "SELECT name, count(*) FROM baseline GROUP BY name ORDER BY name";
            let mut statement = connection.prepare_cached(statement)?;
            let names = statement.query_map((), |row| {
                let count: i64 = row.get(1)?;
                Ok((row.get(0)?, u64::try_from(count).unwrap_or(0)))
            })?;
            Ok(names.collect::<Result<_, _>>()?)
        })
    }
}

fn keep(connection: &Connection, name: &str, run: &str) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT INTO baseline (name, run) VALUES (?1, ?2)")?
        .execute((name, run))?;
    connection
        .prepare_cached(
            "DELETE FROM baseline WHERE name = ?1 AND number <= (
                 SELECT number FROM baseline WHERE name = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute((name, MOST_OF_A_NAME))?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::durable::sqlite::Limits;

    #[test]
    fn runs_come_back_in_their_order_and_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        let store = Sqlite::open(&path, Limits::default()).unwrap();
        for (name, run) in [("main", "1"), ("other", "2"), ("main", "3")] {
            store.keep(name.to_owned(), run.to_owned()).wait().unwrap();
        }
        drop(store);
        let store = Sqlite::open(&path, Limits::default()).unwrap();
        assert_eq!(store.runs("main".to_owned()).wait().unwrap(), ["1", "3"]);
        assert_eq!(store.runs("none".to_owned()).wait().unwrap(), [""; 0]);
        let names = [("main".to_owned(), 2), ("other".to_owned(), 1)];
        assert_eq!(store.names().wait().unwrap(), names);
    }

    #[test]
    fn the_oldest_runs_of_a_name_are_forgotten() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLES).unwrap();
        for run in 0..MOST_OF_A_NAME + 2 {
            keep(&connection, "main", &run.to_string()).unwrap();
        }
        let (count, oldest): (u32, String) = connection
            .query_row(
                "SELECT count(*), min(CAST(run AS INTEGER)) || '' FROM baseline",
                (),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!((count, &*oldest), (MOST_OF_A_NAME, "2"));
    }
}
