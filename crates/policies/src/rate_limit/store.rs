//! The soft store as limits know it, and what is counted of it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use portcullis_config::stores::soft::{SoftPlace, SoftStore};
use portcullis_stores::soft::{Answer, Away, Question, Settings, Soft};
use tokio::runtime::Handle;

/// A server in which several nodes count.
#[derive(Debug)]
pub struct Store {
    /// `None` where a configuration is only looked at.
    soft: Option<Soft>,
    nodes: u32,
    fallbacks: [AtomicU64; 3],
}

/// What became of a limit while the store was away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// This node counted its share.
    Local,
    /// The request was refused.
    Deny,
    /// The request was let through uncounted.
    Admit,
}

impl Fallback {
    /// All of them, with what they are called in the file and in metrics.
    pub const ALL: [(Fallback, &'static str); 3] = [
        (Fallback::Local, "local"),
        (Fallback::Deny, "deny"),
        (Fallback::Admit, "admit"),
    ];
}

impl Store {
    /// Whether the server answers.
    pub fn is_up(&self) -> bool {
        self.soft.as_ref().is_some_and(Soft::is_up)
    }

    /// How often a limit was judged so, because the server didn't answer.
    pub fn fallbacks(&self, fallback: Fallback) -> u64 {
        self.fallbacks[fallback as usize].load(Ordering::Relaxed)
    }

    pub(super) fn nodes(&self) -> u32 {
        self.nodes
    }

    pub(super) async fn ask(&self, question: Question) -> Result<Answer, Away> {
        match &self.soft {
            Some(soft) => soft.ask(question).await,
            None => Err(Away),
        }
    }

    pub(super) fn count(&self, fallback: Fallback) {
        self.fallbacks[fallback as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// What is kept across reloads: connections to servers, by all that the file says of them.
#[derive(Debug, Default)]
pub struct Stores(Mutex<HashMap<String, Weak<Store>>>);

impl Stores {
    /// The store that the file names: the one in use, or a new one that is connected in the background; `None` for the
    /// memory of this node. `tell` takes lines for operators. Without `slow` nothing is connected. It may read a file.
    ///
    /// # Errors
    /// When authorities can't be read.
    pub fn open(
        &self,
        config: &SoftStore,
        base: &Path,
        slow: Option<&Handle>,
        tell: fn(&str),
    ) -> Result<Option<Arc<Store>>, String> {
        let SoftPlace::Redis(place) = &config.at else {
            return Ok(None);
        };
        let ca = config.ca.as_deref().map(|ca| base.join(ca));
        let authorities = place.tls.then(|| portcullis_fetch::roots(ca.as_deref())).transpose()?;
        let Some(slow) = slow else {
            return Ok(Some(Arc::new(Store::new(None, config.nodes))));
        };
        let password = config.password.as_ref().map(|secret| secret.expose().to_owned());
        let identity = format!("{config:?} {} {password:?}", base.display());
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = stores.get(&identity).and_then(Weak::upgrade) {
            return Ok(Some(known));
        }
        let settings = Settings {
            host: place.host.clone(),
            port: place.port,
            authorities,
            username: config.username.clone(),
            password,
            database: place.database,
            deadline: config.deadline.0,
            tell,
        };
        let new = Arc::new(Store::new(Some(Soft::connect(settings, slow)), config.nodes));
        stores.retain(|_, store| store.strong_count() > 0);
        stores.insert(identity, Arc::downgrade(&new));
        Ok(Some(new))
    }

    /// Those in use.
    pub fn all(&self) -> Vec<Arc<Store>> {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stores.values().filter_map(Weak::upgrade).collect()
    }
}

impl Store {
    fn new(soft: Option<Soft>, nodes: u16) -> Store {
        Store {
            soft,
            nodes: u32::from(nodes),
            fallbacks: Default::default(),
        }
    }
}
