use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Which certificate to keep, from whom, and where. Two that are equal mean the same certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The URL of the authority's directory; `https` alone (RFC 8555, section 6.1).
    pub directory: String,
    /// A PEM file of authorities to trust for the directory itself, in place of the system's.
    pub ca: Option<PathBuf>,
    /// The names, in small letters.
    pub domains: Vec<String>,
    /// An address of electronic mail.
    pub contact: Option<String>,
    /// How the authority sees that the names are ours.
    pub challenge: ChallengeKind,
    /// The folder of accounts, certificates and challenges.
    pub storage: PathBuf,
    /// How long before its end a certificate is renewed; by default a third of its lifetime.
    pub renew_before: Option<Duration>,
    /// What binds our account to one that the authority has already.
    pub external_account: Option<ExternalAccount>,
    /// How often things happen that nobody can be told of.
    pub pace: Pace,
}

/// How the authority sees that a name is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeKind {
    /// By a TLS handshake (RFC 8737).
    TlsAlpn,
    /// By a request in clear text (RFC 8555, section 8.3).
    Http,
}

/// What an authority gave to bind our account to one that it has already (RFC 8555, section 7.3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    /// The name of the key.
    pub key_id: String,
    /// The key itself, for HMAC-SHA-256.
    pub key: Vec<u8>,
}

/// The key is not shown.
impl fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAccount")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// How often things happen that nobody can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks into the storage. A shared file system tells nobody of a change.
    pub look: Duration,
    /// From the time when challenges are in the storage to the time when the authority is told, in which every gate that
    /// shares it sees them: an authority asks from several places and may meet any of the gates.
    pub settle: Duration,
    /// How long the holder of a turn may show no sign of life until another takes it.
    pub lost: Duration,
    /// How long one order may take.
    pub order: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        let look = Duration::from_secs(1);
        Pace {
            look,
            // Two looks, and a moment for the look itself.
            settle: look * 2 + Duration::from_millis(500),
            // Short enough that a gate that died at the last minute doesn't cost the certificate, and longer than a file
            // system usually hangs.
            lost: Duration::from_secs(30),
            // Authorities take seconds, and a minute or two on a bad day.
            order: Duration::from_secs(300),
        }
    }
}

/// Takes lines for the operators' log.
#[derive(Clone, Copy)]
pub struct Journal {
    /// Something went as it should.
    pub info: fn(&str),
    /// Something went wrong, and the gate goes on.
    pub warn: fn(&str),
}
