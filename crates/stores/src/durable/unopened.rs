//! Stands for a store where nothing is served, and so nothing opened.

use super::idempotency::{Claim, Claimed, Outcome, Records, Ticket};
use super::keys::{Added, Consumer, Found, Key, Keys};
use super::quota::{Quotas, Returned, Take, Taken};
use super::{Answer, Digest, Error, Millis};

/// A store that keeps nothing, and says so.
#[derive(Debug)]
pub struct Unopened;

fn refused<T>() -> Answer<T> {
    Answer::refused(Error::Failed("it is not open".to_owned()))
}

impl Keys for Unopened {
    fn find(&self, _: Digest) -> Answer<Option<Found>> {
        refused()
    }

    fn consumers(&self, _: String, _: u32) -> Answer<Vec<Consumer>> {
        refused()
    }

    fn consumer(&self, _: String) -> Answer<Option<(Consumer, Vec<Key>)>> {
        refused()
    }

    fn put_consumer(&self, _: Consumer) -> Answer<bool> {
        refused()
    }

    fn remove_consumer(&self, _: String) -> Answer<bool> {
        refused()
    }

    fn add_key(&self, _: String, _: Digest, _: Key, _: Option<Millis>) -> Answer<Added> {
        refused()
    }

    fn revoke(&self, _: String, _: String, _: Millis) -> Answer<bool> {
        refused()
    }
}

impl Quotas for Unopened {
    fn take(&self, _: Take) -> Answer<Taken> {
        refused()
    }

    fn give_back(&self, _: Vec<Returned>) -> Answer<()> {
        refused()
    }
}

impl Records for Unopened {
    fn claim(&self, _: Claim) -> Answer<Claimed> {
        refused()
    }

    fn finish(&self, _: Digest, _: Ticket, _: Outcome, _: Millis) -> Answer<bool> {
        refused()
    }

    fn lose(&self, _: Digest, _: Ticket) -> Answer<()> {
        refused()
    }

    fn free(&self, _: Digest, _: Ticket) -> Answer<()> {
        refused()
    }
}
