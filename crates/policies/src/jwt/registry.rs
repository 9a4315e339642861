//! Keys that are fetched, found again after a reload.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use portcullis_jose::algorithm::Algorithms;
use tokio::runtime::Handle;

use super::keyring::{Keyring, Warn};
use super::source::{Place, Source};

/// The keys that are fetched for tokens, by where they are. They are let go with the last configuration that needs them.
#[derive(Default)]
pub struct Keyrings {
    known: Mutex<HashMap<Identity, Weak<Keyring>>>,
    warn: Warn,
}

#[derive(PartialEq, Eq, Hash)]
struct Identity {
    place: Place,
    allowed: Option<Algorithms>,
    ca: Option<PathBuf>,
}

impl Keyrings {
    /// Says where people are told that keys can't be fetched. Only the first call counts.
    pub fn set_warn(&self, warn: fn(&str)) {
        let _ = self.warn.set(warn);
    }

    /// The keys of that place: those that are known, or those that are fetched by `runtime` from now on.
    pub(super) fn fetched(
        &self,
        place: Place,
        allowed: Option<Algorithms>,
        ca: Option<&Path>,
        refresh: Duration,
        runtime: &Handle,
    ) -> Result<Arc<Keyring>, String> {
        let identity = Identity {
            place: place.clone(),
            allowed,
            ca: ca.map(Path::to_owned),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keyring) = known.get(&identity).and_then(Weak::upgrade) {
            keyring.set_refresh(refresh);
            return Ok(keyring);
        }
        known.retain(|_, keyring| keyring.strong_count() > 0);
        let source = Source::new(place, allowed, ca, runtime)?;
        let keyring = Keyring::fetched(source, refresh, runtime, self.warn.clone());
        known.insert(identity, Arc::downgrade(&keyring));
        Ok(keyring)
    }
}
