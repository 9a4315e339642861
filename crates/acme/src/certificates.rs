//! What a TLS handshake reads.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use rustls::sign::CertifiedKey;
use tokio::task::AbortHandle;

use crate::challenges::Challenges;
use crate::validity::Validity;

/// The certificate of one set of names, as it is at the moment. Reading it never waits. While it is held, a task looks
/// after the certificate; the task ends with it.
pub struct Certificates {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What the task and the readers share.
pub(crate) struct Shared {
    /// Tells one set from another among those that publish challenges.
    pub(crate) number: u64,
    pub(crate) domains: Vec<String>,
    pub(crate) challenges: Arc<Challenges>,
    current: ArcSwapOption<Current>,
    pub(crate) tallies: Tallies,
}

/// What has been done for one set of names by this process.
#[derive(Default)]
pub(crate) struct Tallies {
    pub(crate) issued: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// A certificate with its key, ready for handshakes.
pub(crate) struct Current {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) validity: Validity,
}

/// How it stands with the certificate of one set of names.
pub struct Report {
    /// The first of the names.
    pub domain: String,
    /// When the certificate ends that is in use; `None` while there is none.
    pub ends: Option<SystemTime>,
    /// Certificates that this gate got.
    pub issued: u64,
    /// Orders of this gate that failed.
    pub failed: u64,
}

impl Certificates {
    pub(crate) fn new(shared: Arc<Shared>, task: AbortHandle) -> Certificates {
        Certificates { shared, task }
    }

    /// The certificate for a server name, if that is one of ours and there is a certificate that has not ended.
    pub fn certificate_for(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
        let ours = |domain: &String| domain.eq_ignore_ascii_case(server_name);
        self.shared.domains.iter().any(ours).then(|| self.certificate())?
    }

    /// The certificate, whatever name was asked for: for clients that name none.
    pub fn certificate(&self) -> Option<Arc<CertifiedKey>> {
        let current = self.shared.current.load();
        current.as_ref().map(|current| current.key.clone())
    }

    /// The certificate that answers the authority's question for a name (RFC 8737). It is for handshakes in which the
    /// client offers `acme-tls/1` and nothing else, which must then be what is agreed on.
    pub fn challenge_for(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
        self.shared.challenges.of_tls(server_name)
    }

    pub(crate) fn report(&self) -> Report {
        self.shared.report()
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("domains", &self.shared.domains)
            .finish_non_exhaustive()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.challenges.withdraw(self.shared.number);
    }
}

impl Shared {
    pub(crate) fn new(number: u64, domains: Vec<String>, challenges: Arc<Challenges>) -> Shared {
        Shared {
            number,
            domains,
            challenges,
            current: ArcSwapOption::empty(),
            tallies: Tallies::default(),
        }
    }

    /// The certificate in use.
    pub(crate) fn current(&self) -> Option<Arc<Current>> {
        self.current.load_full()
    }

    pub(crate) fn publish(&self, current: Option<Arc<Current>>) {
        self.current.store(current);
    }

    fn report(&self) -> Report {
        Report {
            domain: self.domains.first().cloned().unwrap_or_default(),
            ends: self.current().map(|current| current.validity.ends),
            issued: self.tallies.issued.load(Ordering::Relaxed),
            failed: self.tallies.failed.load(Ordering::Relaxed),
        }
    }
}
