//! What became of requests that clients may send again.

use rusqlite::{Connection, OptionalExtension};

use super::sqlite::{Sqlite, room};
use super::{Answer, Digest, Error, Millis};

pub(super) const TABLES: &str = "
    CREATE TABLE idempotency (
        key BLOB NOT NULL UNIQUE,
        fingerprint BLOB NOT NULL,
        claim INTEGER NOT NULL,
        lease INTEGER,
        expires INTEGER NOT NULL,
        status INTEGER,
        headers BLOB,
        body BLOB
    ) STRICT;
    CREATE INDEX idempotency_by_end ON idempotency (expires);
";

pub(super) const SWEEP: &str = "
    DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency WHERE expires <= ?1 LIMIT ?2)";

/// Requests by the key that their clients gave them.
pub trait Records: Send + Sync {
    /// Says that a request with this key is being answered, if it is the first one; else what became of the first.
    fn claim(&self, claim: Claim) -> Answer<Claimed>;

    /// Keeps the answer of whoever claimed it. Whether it could be: a claim that another one has taken over keeps nothing.
    fn finish(&self, key: Digest, ticket: Ticket, outcome: Outcome, expires: Millis) -> Answer<bool>;

    /// Says that nobody will ever know what became of the request.
    fn lose(&self, key: Digest, ticket: Ticket) -> Answer<()>;

    /// Forgets the request, so that it may be sent again.
    fn free(&self, key: Digest, ticket: Ticket) -> Answer<()>;
}

/// A request that is about to be answered.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The client's key, with all that it is valid within.
    pub key: Digest,
    /// What the request is, so that another one with its key is known.
    pub fingerprint: Digest,
    /// When it is claimed.
    pub now: Millis,
    /// When its answer must be there: later than that, it is lost.
    pub lease: Millis,
    /// When all is forgotten.
    pub expires: Millis,
}

/// Says who claimed a key: nobody else may finish or free it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(i64);

/// What came of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is the first: answer it, and say what the answer was.
    First(Ticket),
    /// Another request has this key.
    Different,
    /// The first is being answered, until this time at the latest.
    InFlight(Millis),
    /// Nobody knows what became of the first: whoever answered it is gone.
    Lost,
    /// The first was answered.
    Finished(Outcome),
}

/// What a request was answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This response.
    Response(Stored),
    /// A response that was not kept, of this status.
    NotKept(u16),
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The status.
    pub status: u16,
    /// The fields, in the form of whoever stored them.
    pub headers: Vec<u8>,
    /// The content.
    pub body: Vec<u8>,
}

impl Records for Sqlite {
    fn claim(&self, claim: Claim) -> Answer<Claimed> {
        let size = self.size();
        self.write(move |connection| take(connection, claim, size))
    }

    fn finish(&self, key: Digest, ticket: Ticket, outcome: Outcome, expires: Millis) -> Answer<bool> {
        let bytes = match &outcome {
            Outcome::Response(stored) => stored.headers.len() + stored.body.len(),
            Outcome::NotKept(_) => 0,
        };
        let Some(waiting) = self.wait_with(bytes) else {
            return Answer::refused(Error::Busy);
        };
        self.write(move |connection| {
            let _waiting = waiting;
            let (status, stored) = match outcome {
                Outcome::Response(stored) => (stored.status, Some((stored.headers, stored.body))),
                Outcome::NotKept(status) => (status, None),
            };
            let (headers, body) = stored.unzip();
            let mut statement = connection.prepare_cached(
                "UPDATE idempotency SET lease = NULL, expires = ?3, status = ?4, headers = ?5, body = ?6
                 WHERE key = ?1 AND claim = ?2 AND lease IS NOT NULL",
            )?;
            Ok(statement.execute((key, ticket.0, expires, status, headers, body))? > 0)
        })
    }

    fn lose(&self, key: Digest, ticket: Ticket) -> Answer<()> {
        self.write(move |connection| {
            connection
                .prepare_cached("UPDATE idempotency SET lease = 0 WHERE key = ?1 AND claim = ?2 AND lease IS NOT NULL")?
                .execute((key, ticket.0))?;
            Ok(())
        })
    }

    fn free(&self, key: Digest, ticket: Ticket) -> Answer<()> {
        self.write(move |connection| {
            connection
                .prepare_cached("DELETE FROM idempotency WHERE key = ?1 AND claim = ?2 AND lease IS NOT NULL")?
                .execute((key, ticket.0))?;
            Ok(())
        })
    }
}

fn take(connection: &Connection, claim: Claim, size: u64) -> Result<Claimed, Error> {
    let known = known(connection, &claim)?;
    if let Some(claimed) = known {
        return Ok(claimed);
    }
    room(connection, size)?;
    // What expired and was not yet taken away makes place. Its ticket may still be in somebody's hands, and must not fit.
    connection
        .prepare_cached("DELETE FROM idempotency WHERE key = ?1")?
        .execute((claim.key,))?;
    let ticket: i64 = connection
        .prepare_cached(
            "INSERT INTO idempotency (key, fingerprint, claim, lease, expires)
             VALUES (?1, ?2, random(), ?3, ?4) RETURNING claim",
        )?
        .query_row((claim.key, claim.fingerprint, claim.lease, claim.expires), |row| {
            row.get(0)
        })?;
    Ok(Claimed::First(Ticket(ticket)))
}

/// What is known of the first request with this key, unless that has expired.
fn known(connection: &Connection, claim: &Claim) -> Result<Option<Claimed>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT fingerprint, lease, status, headers, body FROM idempotency WHERE key = ?1 AND expires > ?2",
    )?;
    let claimed = statement.query_row((claim.key, claim.now), |row| {
        let (fingerprint, lease): (Digest, Option<Millis>) = (row.get(0)?, row.get(1)?);
        if fingerprint != claim.fingerprint {
            return Ok(Claimed::Different);
        }
        if let Some(lease) = lease {
            return Ok(match lease > claim.now {
                true => Claimed::InFlight(lease),
                false => Claimed::Lost,
            });
        }
        let (status, headers, body) = (row.get(2)?, row.get::<_, Option<_>>(3)?, row.get::<_, Option<_>>(4)?);
        Ok(Claimed::Finished(match headers.zip(body) {
            Some((headers, body)) => Outcome::Response(Stored { status, headers, body }),
            None => Outcome::NotKept(status),
        }))
    });
    Ok(claimed.optional()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::durable::sqlite::Limits;
    use crate::durable::sweep;

    fn claim(key: u8, fingerprint: u8, now: Millis) -> Claim {
        Claim {
            key: [key; 32],
            fingerprint: [fingerprint; 32],
            now,
            lease: now + 100,
            expires: now + 1000,
        }
    }

    fn answer() -> Outcome {
        Outcome::Response(Stored {
            status: 201,
            headers: b"a: b\r\n".to_vec(),
            body: b"made".to_vec(),
        })
    }

    #[test]
    fn the_first_answers_and_the_others_learn_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap();
        let ask = |key, fingerprint, now| store.claim(claim(key, fingerprint, now)).wait().unwrap();
        let Claimed::First(ticket) = ask(1, 1, 0) else {
            panic!("it is the first")
        };
        assert_eq!(ask(1, 1, 50), Claimed::InFlight(100));
        assert_eq!(ask(1, 2, 50), Claimed::Different);
        assert_eq!(ask(1, 1, 100), Claimed::Lost);
        assert!(
            store.finish([1; 32], ticket, answer(), 1000).wait().unwrap(),
            "late is better than never"
        );
        assert_eq!(ask(1, 1, 100), Claimed::Finished(answer()));
        assert!(
            !store
                .finish([1; 32], ticket, Outcome::NotKept(200), 1000)
                .wait()
                .unwrap()
        );
        store.free([1; 32], ticket).wait().unwrap();
        assert_eq!(
            ask(1, 1, 999),
            Claimed::Finished(answer()),
            "an answer is not taken back"
        );
        let Claimed::First(second) = ask(1, 2, 1000) else {
            panic!("the first has expired")
        };
        assert!(
            !store.finish([1; 32], ticket, answer(), 9000).wait().unwrap(),
            "an old ticket"
        );
        store.lose([1; 32], second).wait().unwrap();
        assert_eq!(ask(1, 2, 1000), Claimed::Lost);
        store.free([1; 32], second).wait().unwrap();
        assert!(matches!(ask(1, 3, 1001), Claimed::First(_)));
    }

    #[test]
    fn of_many_at_once_one_is_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap();
        let answers: Vec<_> = (0..100).map(|_| store.claim(claim(1, 1, 0))).collect();
        let claims = answers.into_iter().map(|answer| answer.wait().unwrap());
        assert_eq!(claims.filter(|claimed| matches!(claimed, Claimed::First(_))).count(), 1);
    }

    #[test]
    fn what_expired_goes_in_small_steps() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap();
        for key in 0..=250 {
            drop(store.claim(claim(key, 1, 0)));
        }
        let removed = |now| store.write(move |connection| Ok(sweep::remove(connection, now)?));
        assert_eq!(removed(999).wait().unwrap(), 0);
        assert_eq!(removed(1000).wait().unwrap(), 200);
        assert_eq!(removed(1000).wait().unwrap(), 51);
    }

    #[test]
    fn a_store_that_has_its_size_takes_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let full = Limits {
            size: 1,
            ..Limits::default()
        };
        let store = Sqlite::open(&folder.path().join("s.db"), full).unwrap();
        assert_eq!(store.claim(claim(1, 1, 0)).wait(), Err(Error::Full));
    }
}
