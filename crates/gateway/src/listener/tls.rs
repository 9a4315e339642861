//! TLS of a listener: certificates and clients' authorities, from files that may change while it runs.
//!
//! `pair.rs` reads a certificate with its key, and `ocsp.rs` what an authority says of it; `certificates.rs` chooses one
//! for a client. `clients.rs` decides which clients may come and `identity.rs` says who they are. `watch.rs` makes the gate
//! look whether files have changed. `tickets.rs` lets clients resume sessions.

mod certificates;
mod clients;
mod handshake;
mod identity;
mod ocsp;
mod pair;
mod tickets;
mod watch;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use portcullis_config::listener::{Tls, TlsVersion};
use portcullis_core::ClientCertificate;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, SupportedProtocolVersion};

pub(crate) use self::certificates::Issued;
use self::certificates::{ACME_TLS, Certificates, Challenges};
use self::clients::{ClientFiles, Clients};
pub(crate) use self::handshake::{Handshake, Unserved, handshake};
use self::pair::{Pair, PairFiles, since_1970};
pub(crate) use self::tickets::Tickets;
pub(crate) use self::watch::watch;
use crate::snapshot::ListenerKey;
use crate::watched::Watched;

const FROM_1_2: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
const FROM_1_3: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// TLS of a listener.
pub(crate) struct ListenerTls {
    in_force: ArcSwap<InForce>,
    sources: Mutex<Sources>,
}

/// What holds for handshakes that begin now.
pub(crate) struct InForce {
    server: Arc<ServerConfig>,
    quic: Arc<ServerConfig>,
    /// For authorities that look whether a host is ours.
    challenges: Option<Arc<ServerConfig>>,
    clients: Option<Clients>,
    /// When the first of the certificates ends, since 1970.
    expires: Option<Duration>,
}

/// What is beside the file about a listener's TLS.
pub(crate) struct Surroundings<'s> {
    /// Where relative paths begin.
    pub(crate) base: &'s Path,
    pub(crate) key: ListenerKey,
    pub(crate) tickets: Arc<Tickets>,
    /// The protocols to agree on over TCP, the preferred one first (RFC 7301).
    pub(crate) protocols: Vec<Vec<u8>>,
    /// Certificates that come from no file.
    pub(crate) issued: Option<Arc<dyn Issued>>,
}

/// What it is made of, to be made anew when a file changes.
struct Sources {
    pairs: Vec<(PairFiles, Watched, Pair)>,
    clients: Option<(ClientFiles, Watched, Clients)>,
    issued: Option<Arc<dyn Issued>>,
    strict: bool,
    versions: &'static [&'static SupportedProtocolVersion],
    protocols: Vec<Vec<u8>>,
    key: ListenerKey,
    tickets: Arc<Tickets>,
    provider: Arc<CryptoProvider>,
}

impl ListenerTls {
    /// Reads the files of a listener, and says what is odd about them.
    ///
    /// # Errors
    /// Says in words for people which file can't be used.
    pub(crate) fn load(
        config: &Tls,
        around: Surroundings<'_>,
        odd: &mut dyn FnMut(String),
    ) -> Result<ListenerTls, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let now = since_1970();
        let mut pairs = Vec::with_capacity(config.certificates.len());
        for written in &config.certificates {
            let files = PairFiles::new(written, around.base);
            let watched = Watched::new(files.paths());
            let pair = files.load(&provider, now, odd)?;
            pairs.push((files, watched, pair));
        }
        let clients = match &config.client_certificates {
            None => None,
            Some(written) => {
                let files = ClientFiles::new(written, around.base);
                let watched = Watched::new(files.paths());
                let clients = files.load(&provider)?;
                Some((files, watched, clients))
            }
        };
        let sources = Sources {
            pairs,
            clients,
            issued: around.issued,
            strict: config.strict_sni,
            versions: match config.min_version {
                TlsVersion::V1_2 => FROM_1_2,
                TlsVersion::V1_3 => FROM_1_3,
            },
            protocols: around.protocols,
            key: around.key,
            tickets: around.tickets,
            provider,
        };
        Ok(ListenerTls {
            in_force: ArcSwap::from_pointee(sources.put_together()?),
            sources: Mutex::new(sources),
        })
    }

    /// What holds for handshakes that begin now.
    fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// What holds for handshakes over QUIC that begin now: TLS 1.3 and the protocol `h3`, all else as over TCP.
    pub(crate) fn quic(&self) -> Arc<ServerConfig> {
        self.in_force.load().quic.clone()
    }

    /// Who a client over QUIC is, if it showed that. Its certificate is verified again, for it may come from a session
    /// that was resumed.
    ///
    /// # Errors
    /// Why it is refused.
    pub(crate) fn identify(
        &self,
        shown: Option<&[CertificateDer<'_>]>,
    ) -> Result<Option<Box<ClientCertificate>>, rustls::Error> {
        match &self.in_force.load().clients {
            None => Ok(None),
            Some(clients) => Ok(clients.identify(shown, true)?.map(Box::new)),
        }
    }

    /// When the first of the certificates ends, since 1970.
    pub(crate) fn expires(&self) -> Option<Duration> {
        self.in_force.load().expires
    }

    /// Looks whether files have changed, and puts in force what can be used of them; the rest stays as it was. `told`
    /// learns of every change, and whether it was taken. Reads files: not for event loops.
    pub(crate) fn renew(&self, told: &mut dyn FnMut(Result<String, String>)) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.renew(told) {
            match sources.put_together() {
                Ok(in_force) => self.in_force.store(Arc::new(in_force)),
                Err(why) => told(Err(why)),
            }
        }
    }
}

impl Sources {
    /// Reads what has changed, and says whether something has.
    fn renew(&mut self, told: &mut dyn FnMut(Result<String, String>)) -> bool {
        let now = since_1970();
        let mut renewed = false;
        for (files, watched, pair) in &mut self.pairs {
            if watched.changed() {
                let mut odd = Vec::new();
                match files.load(&self.provider, now, &mut |what| odd.push(what)) {
                    Ok(new) => {
                        *pair = new;
                        renewed = true;
                        told(Ok(files.shown()));
                    }
                    Err(why) => told(Err(why)),
                }
                odd.into_iter().for_each(|what| told(Err(what)));
            } else if let Some(without) = pair.without_old_staple(now) {
                *pair = without;
                renewed = true;
                told(Err(format!("the OCSP response of {} is out of date", files.shown())));
            }
        }
        if let Some((files, watched, clients)) = &mut self.clients
            && watched.changed()
        {
            match files.load(&self.provider) {
                Ok(new) => {
                    *clients = new;
                    renewed = true;
                    told(Ok(files.shown()));
                }
                Err(why) => told(Err(why)),
            }
        }
        renewed
    }

    fn put_together(&self) -> Result<InForce, String> {
        let pairs = self.pairs.iter().map(|(_, _, pair)| pair);
        let certificates = Arc::new(Certificates::new(pairs.clone(), self.issued.clone(), self.strict));
        let clients = self.clients.as_ref().map(|(_, _, clients)| clients.clone());
        let audience = clients.as_ref().map(|clients| clients.digest).unwrap_or_default();
        let tickets = self.tickets.of((self.key, audience))?;
        let make = |versions, protocols: Vec<Vec<u8>>| -> Result<Arc<ServerConfig>, String> {
            let builder = ServerConfig::builder_with_provider(self.provider.clone())
                .with_protocol_versions(versions)
                .map_err(|error| error.to_string())?;
            let builder = match &clients {
                None => builder.with_no_client_auth(),
                Some(clients) => builder.with_client_cert_verifier(clients.verifier.clone()),
            };
            let mut server = builder.with_cert_resolver(certificates.clone());
            server.alpn_protocols = protocols;
            server.ticketer = tickets.clone();
            // Of the good ciphers the one that we like best: a client's order may be of a time when it had no choice.
            server.ignore_client_order = true;
            // Tickets let clients resume with no memory of ours: a store of sessions would be each worker's to lock.
            server.session_storage = Arc::new(NoServerSessionStorage {});
            // One for the connection that follows, and one for another at the same time, as browsers open them.
            server.send_tls13_tickets = 2;
            Ok(Arc::new(server))
        };
        Ok(InForce {
            server: make(self.versions, self.protocols.clone())?,
            quic: make(FROM_1_3, vec![b"h3".to_vec()])?,
            challenges: self.challenges()?,
            expires: pairs.filter_map(|pair| pair.expires).min(),
            clients,
        })
    }

    /// An authority that looks whether a host is ours shows no certificate of its own, whatever clients must show.
    fn challenges(&self) -> Result<Option<Arc<ServerConfig>>, String> {
        let Some(issued) = &self.issued else { return Ok(None) };
        let mut server = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(self.versions)
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Challenges(issued.clone())));
        server.alpn_protocols = vec![ACME_TLS.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Some(Arc::new(server)))
    }
}
