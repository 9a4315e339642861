//! How much of their quotas clients have used.

use rusqlite::{Connection, OptionalExtension};

use super::sqlite::{Sqlite, room};
use super::{Answer, Digest, Error, Millis};

pub(super) const TABLES: &str = "
    CREATE TABLE quota (
        counter BLOB NOT NULL,
        ends INTEGER NOT NULL,
        used INTEGER NOT NULL,
        PRIMARY KEY (counter, ends)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX quota_by_end ON quota (ends);
";

/// A window that is over is of no use to anybody.
pub(super) const SWEEP: &str = "
    DELETE FROM quota WHERE (counter, ends) IN (SELECT counter, ends FROM quota WHERE ends <= ?1 LIMIT ?2)";

/// Counters, each with one window after another.
pub trait Quotas: Send + Sync {
    /// Takes up to `take.most` units of what a window still has, at once and for good.
    fn take(&self, take: Take) -> Answer<Taken>;

    /// Gives back units that were taken and not used.
    fn give_back(&self, returned: Vec<Returned>) -> Answer<()>;
}

/// Units that somebody wants of a window.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    /// Whose quota, and of which kind.
    pub counter: Digest,
    /// When the window ends, which tells it from the others of the counter.
    pub ends: Millis,
    /// Units that are of use at all: where fewer are left, none is taken.
    pub least: u64,
    /// Units that are wanted.
    pub most: u64,
    /// Units that the window has in all.
    pub limit: u64,
}

/// Units of a window that were taken and not used.
#[derive(Clone, Copy, Debug)]
pub struct Returned {
    /// Whose quota, and of which kind.
    pub counter: Digest,
    /// When the window ends.
    pub ends: Millis,
    /// How many.
    pub units: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Units that were taken.
    pub units: u64,
    /// Units of the window that nobody has taken yet.
    pub left: u64,
}

impl Quotas for Sqlite {
    fn take(&self, take: Take) -> Answer<Taken> {
        // Counters are small and others depend on them: they still have room when answers that are kept have taken all of it.
        let size = self.size().saturating_add(self.size() / 4);
        self.write(move |connection| take_units(connection, take, size))
    }

    fn give_back(&self, returned: Vec<Returned>) -> Answer<()> {
        self.write(move |connection| {
            let statement = "UPDATE quota SET used = max(used - ?3, 0) WHERE counter = ?1 AND ends = ?2";
            let mut statement = connection.prepare_cached(statement)?;
            for Returned { counter, ends, units } in returned {
                statement.execute((counter, ends, stored(units)))?;
            }
            Ok(())
        })
    }
}

fn take_units(connection: &Connection, take: Take, size: u64) -> Result<Taken, Error> {
    let used: Option<i64> = connection
        .prepare_cached("SELECT used FROM quota WHERE counter = ?1 AND ends = ?2")?
        .query_row((take.counter, take.ends), |row| row.get(0))
        .optional()?;
    if used.is_none() {
        room(connection, size)?;
    }
    let used = used.map_or(0, |used| u64::try_from(used).unwrap_or(0));
    let left = take.limit.saturating_sub(used);
    if left < take.least.max(1) {
        return Ok(Taken { units: 0, left });
    }
    let units = take.most.max(take.least).min(left);
    connection
        .prepare_cached(
            "INSERT INTO quota (counter, ends, used) VALUES (?1, ?2, ?3)
             ON CONFLICT (counter, ends) DO UPDATE SET used = excluded.used",
        )?
        .execute((take.counter, take.ends, stored(used.saturating_add(units))))?;
    Ok(Taken {
        units,
        left: left - units,
    })
}

/// No quota is as large as SQLite's largest number.
fn stored(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::durable::sqlite::Limits;

    fn take(ends: Millis, least: u64, most: u64) -> Take {
        Take {
            counter: [7; 32],
            ends,
            least,
            most,
            limit: 10,
        }
    }

    #[test]
    fn a_window_gives_what_it_has_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap();
        for (wanted, (units, left)) in [
            (take(1000, 1, 4), (4, 6)),
            (take(1000, 1, 4), (4, 2)),
            (take(1000, 3, 4), (0, 2)),
            (take(1000, 1, 4), (2, 0)),
            (take(1000, 1, 4), (0, 0)),
            (take(2000, 1, 20), (10, 0)),
        ] {
            assert_eq!(store.take(wanted).wait().unwrap(), Taken { units, left });
        }
        let returned = Returned {
            counter: [7; 32],
            ends: 1000,
            units: 3,
        };
        store.give_back(vec![returned]).wait().unwrap();
        assert_eq!(
            store.take(take(1000, 1, 9)).wait().unwrap(),
            Taken { units: 3, left: 0 }
        );
        let other = Take {
            counter: [8; 32],
            ..take(1000, 1, 1)
        };
        assert_eq!(store.take(other).wait().unwrap(), Taken { units: 1, left: 9 });
    }

    #[test]
    fn strangers_get_nothing_once_the_store_has_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.db");
        let store = Sqlite::open(&path, Limits::default()).unwrap();
        assert_eq!(store.take(take(1000, 1, 1)).wait().unwrap().units, 1);
        drop(store);
        let full = Limits {
            size: 1,
            ..Limits::default()
        };
        let store = Sqlite::open(&path, full).unwrap();
        assert_eq!(store.take(take(1000, 1, 1)).wait().unwrap().units, 1, "it is there");
        assert_eq!(store.take(take(2000, 1, 1)).wait(), Err(Error::Full));
    }
}
