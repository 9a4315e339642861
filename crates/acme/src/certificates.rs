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

/// The certificate of one set of names, as it is at the moment. Reading it never waits.
pub struct Certificates {
    /// Tells one set from another among those that publish challenges.
    pub(crate) number: u64,
    pub(crate) domains: Vec<String>,
    pub(crate) challenges: Arc<Challenges>,
    current: ArcSwapOption<Current>,
    pub(crate) tallies: Tallies,
}

/// While it is held, a task looks after a certificate. Whoever only reads the certificate does not keep the task going:
/// what is left of an old configuration must not order anything.
pub struct Keeping {
    certificates: Arc<Certificates>,
    task: AbortHandle,
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
    pub(crate) fn new(number: u64, domains: Vec<String>, challenges: Arc<Challenges>) -> Certificates {
        Certificates {
            number,
            domains,
            challenges,
            current: ArcSwapOption::empty(),
            tallies: Tallies::default(),
        }
    }

    /// The certificate for a server name, if that is one of ours and there is a certificate that has not ended.
    pub fn certificate_for(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
        let ours = |domain: &String| domain.eq_ignore_ascii_case(server_name);
        if !self.domains.iter().any(ours) {
            return None;
        }
        let current = self.current.load();
        current.as_ref().map(|current| current.key.clone())
    }

    /// The certificate that answers the authority's question for a name (RFC 8737). It is for handshakes in which the
    /// client offers `acme-tls/1` and nothing else, which must then be what is agreed on.
    pub fn challenge_for(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
        self.challenges.of_tls(server_name)
    }

    /// The certificate in use.
    pub(crate) fn current(&self) -> Option<Arc<Current>> {
        self.current.load_full()
    }

    pub(crate) fn publish(&self, current: Option<Arc<Current>>) {
        self.current.store(current);
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("domains", &self.domains)
            .finish_non_exhaustive()
    }
}

impl Keeping {
    pub(crate) fn new(certificates: Arc<Certificates>, task: AbortHandle) -> Keeping {
        Keeping { certificates, task }
    }

    /// What is looked after.
    pub fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// How it stands with the certificate.
    pub fn report(&self) -> Report {
        let certificates = &self.certificates;
        Report {
            domain: certificates.domains.first().cloned().unwrap_or_default(),
            ends: certificates.current().map(|current| current.validity.ends),
            issued: certificates.tallies.issued.load(Ordering::Relaxed),
            failed: certificates.tallies.failed.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.task.abort();
        self.certificates.challenges.withdraw(self.certificates.number);
    }
}
