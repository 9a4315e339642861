//! The durable store, for the policies that ask for it.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::sync::Arc;

use portcullis_config::Loaded;
use portcullis_policies::api_key::stored::Stored;
use portcullis_policies::quota::leases::Leases;
use portcullis_stores::durable::idempotency::Records;
use portcullis_stores::durable::keys::Keys;
use portcullis_stores::durable::sqlite::Sqlite;
use portcullis_stores::durable::unopened::Unopened;

use super::Purpose;
use crate::kept::Kept;

/// Its file in the folder `state`.
const FILE: &str = "portcullis.db";

/// The durable store of a configuration: opened when the first policy asks for it, so that a gate without such a policy
/// needs no file.
pub(super) struct Durable<'c> {
    loaded: &'c Loaded,
    kept: &'c Kept,
    purpose: Purpose,
    /// What came of opening it; `None` where it was only looked at.
    opened: OnceCell<Result<Option<Arc<Sqlite>>, String>>,
    consumers: OnceCell<Arc<Stored>>,
}

impl<'c> Durable<'c> {
    pub(super) fn new(loaded: &'c Loaded, kept: &'c Kept, purpose: Purpose) -> Durable<'c> {
        Durable {
            loaded,
            kept,
            purpose,
            opened: OnceCell::new(),
            consumers: OnceCell::new(),
        }
    }

    /// The consumers that operators add: the same for all policies, so that what is remembered of them is, too.
    ///
    /// # Errors
    /// When the file names no store, or it can't be opened.
    pub(super) fn consumers(&self) -> Result<Arc<Stored>, String> {
        let keys: Arc<dyn Keys> = match self.open()? {
            Some(store) => store,
            None => Arc::new(Unopened),
        };
        Ok(self.consumers.get_or_init(|| Arc::new(Stored::new(keys))).clone())
    }

    /// The units of quotas that this gate has taken.
    ///
    /// # Errors
    /// As [`Durable::consumers`].
    pub(super) fn leases(&self) -> Result<Arc<Leases>, String> {
        Ok(match self.open()? {
            Some(store) => self.kept.stores.leases(store),
            None => Arc::new(Leases::new(Arc::new(Unopened))),
        })
    }

    /// The answers that may be asked for again.
    ///
    /// # Errors
    /// As [`Durable::consumers`].
    pub(super) fn records(&self) -> Result<Arc<dyn Records>, String> {
        Ok(match self.open()? {
            Some(store) => store,
            None => Arc::new(Unopened),
        })
    }

    /// The consumers that operators add, where a policy asked for them.
    pub(super) fn known_consumers(&self) -> Option<Arc<Stored>> {
        self.consumers.get().cloned()
    }

    fn open(&self) -> Result<Option<Arc<Sqlite>>, String> {
        let opened = self.opened.get_or_init(|| {
            let path = path_of(self.loaded)?;
            match self.purpose {
                Purpose::Run => self.kept.stores.open(&path).map(Some),
                Purpose::Check => Sqlite::check(&path).map(|()| None),
            }
        });
        opened.clone()
    }
}

/// The file of the durable store of a configuration.
///
/// # Errors
/// When it has none.
pub(crate) fn path_of(loaded: &Loaded) -> Result<PathBuf, String> {
    let file = &loaded.file;
    let path = match (&file.stores.durable, &file.state) {
        // The form of the URL was checked with the file.
        (Some(url), _) => PathBuf::from(url.strip_prefix("sqlite:").unwrap_or(url)),
        (None, Some(state)) => state.join(FILE),
        (None, None) => {
            return Err(
                "this needs the durable store: set `state` to a folder for what the gate keeps, or `stores.durable` to \
                 `sqlite:PATH`"
                    .to_owned(),
            );
        }
    };
    Ok(loaded.base.join(path))
}
