//! Consumers that operators added, and their keys.

use rusqlite::{Connection, OptionalExtension, Row};

use super::sqlite::Sqlite;
use super::{Answer, Digest, Error, Millis};

pub(super) const TABLES: &str = "
    CREATE TABLE consumer (
        name TEXT NOT NULL PRIMARY KEY,
        scopes TEXT NOT NULL,
        roles TEXT NOT NULL,
        created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE consumer_key (
        sha256 BLOB NOT NULL PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        consumer TEXT NOT NULL REFERENCES consumer (name),
        not_before INTEGER,
        expires INTEGER,
        revoked INTEGER,
        created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX consumer_key_by_consumer ON consumer_key (consumer);
    CREATE INDEX consumer_key_by_end ON consumer_key (min(ifnull(expires, revoked), ifnull(revoked, expires)));
";

/// A key that was good for nothing for thirty days is of interest to nobody.
pub(super) const SWEEP: &str = "
    DELETE FROM consumer_key WHERE sha256 IN (
        SELECT sha256 FROM consumer_key
        WHERE min(ifnull(expires, revoked), ifnull(revoked, expires)) <= ?1 - 2592000000 LIMIT ?2)";

/// Keys that a consumer has at the most, those included that ended within thirty days.
pub const KEYS: u32 = 100;

/// Consumers and their keys. Keys themselves are not kept: only their SHA-256, of which nobody guesses 256 random bits.
pub trait Keys: Send + Sync {
    /// Whose key has this SHA-256, whether it is good now or not.
    fn find(&self, sha256: Digest) -> Answer<Option<Found>>;

    /// The consumers behind this name in the order of names, `most` of them.
    fn consumers(&self, behind: String, most: u32) -> Answer<Vec<Consumer>>;

    /// The consumer of this name with its keys.
    fn consumer(&self, name: String) -> Answer<Option<(Consumer, Vec<Key>)>>;

    /// Adds a consumer, or gives the one of that name other scopes and roles. Whether it was added.
    fn put_consumer(&self, consumer: Consumer) -> Answer<bool>;

    /// Takes a consumer away with all its keys. Whether it was there.
    fn remove_consumer(&self, name: String) -> Answer<bool>;

    /// Adds a key. With `overlap`, the others of the consumer end then at the latest.
    fn add_key(&self, consumer: String, sha256: Digest, key: Key, overlap: Option<Millis>) -> Answer<Added>;

    /// Ends a key for good. Whether it was there and had not been ended.
    fn revoke(&self, consumer: String, id: String, now: Millis) -> Answer<bool>;
}

/// Who a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The consumer.
    pub consumer: Consumer,
    /// The key.
    pub key: Key,
}

/// A consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// What it may do. None has a space.
    pub scopes: Vec<String>,
    /// What it is. None has a space.
    pub roles: Vec<String>,
    /// When it was added.
    pub created: Millis,
}

/// What is known of a key, beside itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// By which operators name it. No two keys have the same.
    pub id: String,
    /// From when on it is good.
    pub not_before: Option<Millis>,
    /// Until when it is good.
    pub expires: Option<Millis>,
    /// When it was ended.
    pub revoked: Option<Millis>,
    /// When it was added.
    pub created: Millis,
}

/// What came of adding a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Added,
    /// There is no such consumer.
    NoConsumer,
    /// The consumer has [`KEYS`] already.
    TooMany,
}

impl Keys for Sqlite {
    fn find(&self, sha256: Digest) -> Answer<Option<Found>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, scopes, roles, consumer.created, id, not_before, expires, revoked, consumer_key.created
                 FROM consumer_key JOIN consumer ON name = consumer WHERE sha256 = ?1",
            )?;
            let found = statement.query_row((sha256,), |row| {
                Ok(Found {
                    consumer: consumer_of(row)?,
                    key: key_of(row, 4)?,
                })
            });
            Ok(found.optional()?)
        })
    }

    fn consumers(&self, behind: String, most: u32) -> Answer<Vec<Consumer>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name, scopes, roles, created FROM consumer WHERE name > ?1 ORDER BY name LIMIT ?2",
            )?;
            let rows = statement.query_map((behind, most), consumer_of)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn consumer(&self, name: String) -> Answer<Option<(Consumer, Vec<Key>)>> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT name, scopes, roles, created FROM consumer WHERE name = ?1")?;
            let Some(consumer) = statement.query_row((&name,), consumer_of).optional()? else {
                return Ok(None);
            };
            let mut statement = connection.prepare_cached(
                "SELECT id, not_before, expires, revoked, created FROM consumer_key
                 WHERE consumer = ?1 ORDER BY created, id",
            )?;
            let keys = statement.query_map((&name,), |row| key_of(row, 0))?;
            Ok(Some((consumer, keys.collect::<Result<_, _>>()?)))
        })
    }

    fn put_consumer(&self, consumer: Consumer) -> Answer<bool> {
        self.write(move |connection| {
            let changed = connection
                .prepare_cached("UPDATE consumer SET scopes = ?2, roles = ?3 WHERE name = ?1")?
                .execute((&consumer.name, consumer.scopes.join(" "), consumer.roles.join(" ")))?;
            if changed > 0 {
                return Ok(false);
            }
            connection
                .prepare_cached("INSERT INTO consumer (name, scopes, roles, created) VALUES (?1, ?2, ?3, ?4)")?
                .execute((
                    &consumer.name,
                    consumer.scopes.join(" "),
                    consumer.roles.join(" "),
                    consumer.created,
                ))?;
            Ok(true)
        })
    }

    fn remove_consumer(&self, name: String) -> Answer<bool> {
        self.write(move |connection| {
            connection
                .prepare_cached("DELETE FROM consumer_key WHERE consumer = ?1")?
                .execute((&name,))?;
            let mut statement = connection.prepare_cached("DELETE FROM consumer WHERE name = ?1")?;
            Ok(statement.execute((&name,))? > 0)
        })
    }

    fn add_key(&self, consumer: String, sha256: Digest, key: Key, overlap: Option<Millis>) -> Answer<Added> {
        self.write(move |connection| add_key(connection, &consumer, sha256, &key, overlap))
    }

    fn revoke(&self, consumer: String, id: String, now: Millis) -> Answer<bool> {
        self.write(move |connection| {
            let mut statement = connection.prepare_cached(
                "UPDATE consumer_key SET revoked = ?3 WHERE consumer = ?1 AND id = ?2 AND revoked IS NULL",
            )?;
            Ok(statement.execute((consumer, id, now))? > 0)
        })
    }
}

fn add_key(
    connection: &Connection,
    consumer: &str,
    sha256: Digest,
    key: &Key,
    overlap: Option<Millis>,
) -> Result<Added, Error> {
    let known: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM consumer WHERE name = ?1)")?
        .query_row((consumer,), |row| row.get(0))?;
    if !known {
        return Ok(Added::NoConsumer);
    }
    let keys: u32 = connection
        .prepare_cached("SELECT count(*) FROM consumer_key WHERE consumer = ?1")?
        .query_row((consumer,), |row| row.get(0))?;
    if keys >= KEYS {
        return Ok(Added::TooMany);
    }
    if let Some(end) = overlap {
        connection
            .prepare_cached("UPDATE consumer_key SET expires = min(ifnull(expires, ?2), ?2) WHERE consumer = ?1")?
            .execute((consumer, end))?;
    }
    connection
        .prepare_cached(
            "INSERT INTO consumer_key (sha256, id, consumer, not_before, expires, revoked, created)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            sha256,
            &key.id,
            consumer,
            key.not_before,
            key.expires,
            key.revoked,
            key.created,
        ))?;
    Ok(Added::Added)
}

fn consumer_of(row: &Row<'_>) -> rusqlite::Result<Consumer> {
    let words = |column: usize| -> rusqlite::Result<Vec<String>> {
        let text: String = row.get(column)?;
        Ok(text.split_ascii_whitespace().map(str::to_owned).collect())
    };
    Ok(Consumer {
        name: row.get(0)?,
        scopes: words(1)?,
        roles: words(2)?,
        created: row.get(3)?,
    })
}

fn key_of(row: &Row<'_>, first: usize) -> rusqlite::Result<Key> {
    Ok(Key {
        id: row.get(first)?,
        not_before: row.get(first + 1)?,
        expires: row.get(first + 2)?,
        revoked: row.get(first + 3)?,
        created: row.get(first + 4)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::durable::sqlite::Limits;
    use crate::durable::sweep;

    fn consumer(name: &str) -> Consumer {
        Consumer {
            name: name.to_owned(),
            scopes: vec!["read".to_owned(), "write".to_owned()],
            roles: Vec::new(),
            created: 5,
        }
    }

    fn key(id: &str) -> Key {
        Key {
            id: id.to_owned(),
            not_before: None,
            expires: None,
            revoked: None,
            created: 6,
        }
    }

    #[test]
    fn keys_are_found_until_they_are_revoked_or_their_consumer_goes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap();
        let add = |name: &str, sha256, id: &str, overlap| {
            let answer = store.add_key(name.to_owned(), sha256, key(id), overlap);
            answer.wait()
        };
        assert_eq!(add("alice", [1; 32], "a", None).unwrap(), Added::NoConsumer);
        assert!(store.put_consumer(consumer("alice")).wait().unwrap());
        assert!(!store.put_consumer(consumer("alice")).wait().unwrap());
        assert_eq!(add("alice", [1; 32], "a", None).unwrap(), Added::Added);
        assert!(add("alice", [1; 32], "b", None).is_err(), "no two are the same");
        assert_eq!(add("alice", [2; 32], "b", Some(1000)).unwrap(), Added::Added);

        let found = store.find([1; 32]).wait().unwrap().unwrap();
        assert_eq!((found.consumer, found.key.expires), (consumer("alice"), Some(1000)));
        assert_eq!(store.find([2; 32]).wait().unwrap().unwrap().key, key("b"));
        assert_eq!(store.find([3; 32]).wait().unwrap(), None);

        let revoke = |id: &str| store.revoke("alice".to_owned(), id.to_owned(), 7).wait().unwrap();
        assert!(revoke("b") && !revoke("b") && !revoke("c"));
        assert_eq!(store.find([2; 32]).wait().unwrap().unwrap().key.revoked, Some(7));
        let (_, keys) = store.consumer("alice".to_owned()).wait().unwrap().unwrap();
        assert_eq!(keys.iter().map(|key| &*key.id).collect::<Vec<_>>(), ["a", "b"]);

        assert!(store.put_consumer(consumer("bob")).wait().unwrap());
        let names = |behind: &str, most| {
            let all = store.consumers(behind.to_owned(), most).wait().unwrap();
            all.into_iter().map(|consumer| consumer.name).collect::<Vec<_>>()
        };
        assert_eq!(names("", 10), ["alice", "bob"]);
        assert_eq!(
            (names("", 1), names("alice", 10)),
            (vec!["alice".to_owned()], vec!["bob".to_owned()])
        );

        assert!(store.remove_consumer("alice".to_owned()).wait().unwrap());
        assert_eq!(store.find([1; 32]).wait().unwrap(), None);
        assert_eq!(store.consumer("alice".to_owned()).wait().unwrap(), None);
    }

    #[test]
    fn a_consumer_has_a_bounded_number_of_keys_and_old_ones_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap();
        assert!(store.put_consumer(consumer("alice")).wait().unwrap());
        let add = |nth: u32| {
            let mut sha256 = [0; 32];
            sha256[..4].copy_from_slice(&nth.to_be_bytes());
            let answer = store.add_key("alice".to_owned(), sha256, key(&nth.to_string()), None);
            answer.wait().unwrap()
        };
        for nth in 0..KEYS {
            assert_eq!(add(nth), Added::Added);
        }
        assert_eq!(add(KEYS), Added::TooMany);
        assert!(store.revoke("alice".to_owned(), "3".to_owned(), 1000).wait().unwrap());
        let removed = |now| store.write(move |connection| Ok(sweep::remove(connection, now)?));
        assert_eq!(removed(30 * 86_400_000).wait().unwrap(), 0);
        assert_eq!(removed(30 * 86_400_000 + 1000).wait().unwrap(), 1);
        assert_eq!(add(KEYS), Added::Added);
    }
}
