//! One server of a service: its address, and what is kept for it across reloads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use portcullis_config::service::{KeepAlive, Protocol, ProxyProtocol};
use portcullis_core::{Error, Status, codes, proxy_protocol};
use portcullis_http1::client::Connection;
use portcullis_http2::client as http2;
use portcullis_resilience::Moment;
use portcullis_resilience::latency::Ewma;
use portcullis_resilience::members::Member;
use portcullis_resilience::outlier::{self, Outcome, Outlier};
use portcullis_resilience::standing::Standing;
use rustls::pki_types::ServerName;
use thread_local::ThreadLocal;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::discovery::{Parts, Place};
use super::health;
use super::kept::TargetTold;
use super::pending::Pending;
use super::pool_http1::Http1Pool;
use super::pool_http2::Http2Pool;
use super::tls::{self, TlsSettings};
use super::transport::{Stream, Transport};
use crate::client_key;

/// A server of a service. All workers share it; each keeps connections of its own.
pub(super) struct Target {
    pub(super) key: TargetKey,
    /// `host:port`, or `host` where the port is the scheme's own: what `Host` says for `host: target`.
    pub(super) authority: String,
    /// The URL, for logs; of a name with the address to which it leads.
    pub(super) label: Arc<str>,
    address: Address,
    tls: Option<Secure>,
    /// Connections that are open now, idle ones too, over all workers.
    open: AtomicU32,
    /// Requests in progress, over all workers.
    in_progress: AtomicU32,
    /// Whether it may get requests.
    pub(super) standing: Standing,
    /// How long it takes to answer.
    pub(super) latency: Ewma,
    /// What requests met.
    pub(super) outlier: Outlier,
    /// What is counted of its health.
    pub(super) health: health::Tallies,
    /// Who waits for a request of its service to end.
    pending: Arc<Pending>,
    /// A hash of its address, the same on every node.
    identity: u64,
    http1: ThreadLocal<RefCell<Http1Pool>>,
    http2: ThreadLocal<RefCell<Http2Pool>>,
}

/// What speaks TLS to a target, by what it offers to speak over it.
struct Secure {
    http1: TlsConnector,
    /// What `protocol` says may be spoken: HTTP/2, or either.
    http2: TlsConnector,
    name: ServerName<'static>,
}

/// What makes a target the same one after a reload: its pool is kept then.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct TargetKey {
    pub(super) service: String,
    pub(super) url: String,
    /// Where it is: of a name one of its addresses; nothing for a socket of this machine.
    pub(super) address: Option<SocketAddr>,
    pub(super) protocol: Protocol,
    pub(super) proxy_protocol: Option<ProxyProtocol>,
    pub(super) tls: TlsSettings,
}

enum Address {
    Fixed(SocketAddr),
    /// A socket of this machine.
    Unix(PathBuf),
}

/// How a new connection is made.
#[derive(Clone)]
pub(super) struct Opener(Arc<Settings>);

struct Settings {
    /// How long it may take, with all handshakes.
    timeout: Duration,
    keep_alive: KeepAlive,
}

impl Opener {
    pub(super) fn new(timeout: Duration, keep_alive: KeepAlive) -> Opener {
        Opener(Arc::new(Settings { timeout, keep_alive }))
    }

    pub(super) fn keep_alive(&self) -> &KeepAlive {
        &self.0.keep_alive
    }
}

/// What is offered to speak on a new connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    Http1,
    Http2,
}

/// Counts a request to a target until its response is over.
pub(super) struct Turn(Arc<Target>);

impl Turn {
    /// Where the request goes.
    pub(super) fn target(&self) -> &Arc<Target> {
        &self.0
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Ordering::Relaxed);
        self.0.pending.wake_one();
    }
}

/// How an attempt to have a request answered by a target ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// No connection could be made.
    Unreachable,
    /// The connection broke, or what came was no response.
    Broken,
    /// No response in time.
    Timeout,
    /// A response.
    Status(Status),
}

/// Counts a connection as open until it is dropped.
pub(super) struct Opened(Arc<Target>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All targets that are in use, for the next configuration to take over.
#[derive(Default)]
pub(super) struct Targets(Mutex<HashMap<TargetKey, Weak<Target>>>);

impl Targets {
    /// The target of that key: the one that is in use, or a new one.
    pub(super) fn get(&self, key: TargetKey, pending: &Arc<Pending>) -> Result<Arc<Target>, String> {
        let mut targets = self.0.lock().expect("no thread panics while it holds this lock");
        if let Some(target) = targets.get(&key).and_then(Weak::upgrade) {
            return Ok(target);
        }
        let target = Arc::new(Target::new(key.clone(), pending.clone())?);
        targets.retain(|_, target| target.strong_count() > 0);
        targets.insert(key, Arc::downgrade(&target));
        Ok(target)
    }

    /// Closes this thread's connections that have been idle for too long, or that the servers ended. Each worker calls
    /// it now and then.
    pub(super) fn sweep(&self) {
        let targets: Vec<Arc<Target>> = {
            let targets = self.0.lock().expect("no thread panics while it holds this lock");
            targets.values().filter_map(Weak::upgrade).collect()
        };
        let now = Instant::now();
        for target in targets {
            // Dropped outside of the pools: dropping a connection may drop the target.
            let gone = target.http1.get().map(|pool| pool.borrow_mut().sweep(now));
            drop(gone);
            let gone = target.http2.get().map(|pool| pool.borrow_mut().sweep(now));
            drop(gone);
        }
    }

    /// All that are in use, in the order of services and URLs. What a reload changed, such as an authority of TLS, makes another
    /// target of a URL while the old one ends: the two are told of as one.
    pub(super) fn told(&self) -> Vec<TargetTold> {
        let now = Moment::of(Instant::now());
        let targets = self.0.lock().expect("no thread panics while it holds this lock");
        let alive = targets.values().filter_map(Weak::upgrade);
        let told = alive.map(|target| TargetTold {
            service: target.key.service.clone(),
            url: target.label.clone(),
            connections: target.open.load(Ordering::Relaxed),
            health: target.health.told(target.standing.is_healthy(now)),
        });
        let mut told: Vec<TargetTold> = told.collect();
        told.sort_by(|one, other| (&one.service, &one.url).cmp(&(&other.service, &other.url)));
        told.dedup_by(|next, first| {
            let same = (&next.service, &next.url) == (&first.service, &first.url);
            if same {
                first.connections += next.connections;
                first.health.add(&next.health);
            }
            same
        });
        told
    }
}

impl Target {
    /// The target of a URL, at one of its addresses.
    fn new(key: TargetKey, pending: Arc<Pending>) -> Result<Target, String> {
        let parts = Parts::of(&key.url)?;
        let address = match (parts.place, key.address) {
            (Place::Unix(path), _) => Address::Unix(path.to_owned()),
            (Place::Address(address), _) | (Place::Name(..), Some(address)) => Address::Fixed(address),
            (Place::Name(host, _), None) => return Err(format!("the name `{host}` has no address yet")),
        };
        let label = match (parts.place, key.address) {
            (Place::Name(..), Some(address)) => format!("{}#{}", key.url, address.ip()),
            _ => key.url.clone(),
        };
        let secure = if parts.secure {
            Some(Secure::new(&key, parts.host)?)
        } else {
            None
        };
        let authority = parts.authority.to_owned();
        Ok(Target::at(address, (authority, label), secure, key, pending))
    }

    /// Whether there could be such a target, wherever its name leads.
    ///
    /// # Errors
    /// Says in words what is wrong.
    pub(super) fn check(key: &TargetKey) -> Result<(), String> {
        let parts = Parts::of(&key.url)?;
        if parts.secure {
            Secure::new(key, parts.host)?;
        }
        Ok(())
    }

    fn at(
        address: Address,
        (authority, label): (String, String),
        tls: Option<Secure>,
        key: TargetKey,
        pending: Arc<Pending>,
    ) -> Target {
        Target {
            authority,
            identity: identity_of(&label),
            label: label.into(),
            address,
            tls,
            open: AtomicU32::new(0),
            in_progress: AtomicU32::new(0),
            standing: Standing::default(),
            latency: Ewma::default(),
            outlier: Outlier::default(),
            health: health::Tallies::default(),
            pending,
            http1: ThreadLocal::new(),
            http2: ThreadLocal::new(),
            key,
        }
    }

    /// Lets a request in, unless `most` are in progress. Idle connections don't count: another worker's would keep
    /// requests out that nobody else is served in place of.
    pub(super) fn enter(self: &Arc<Self>, most: u32) -> Option<Turn> {
        if self.in_progress.fetch_add(1, Ordering::Relaxed) < most {
            return Some(Turn(self.clone()));
        }
        self.in_progress.fetch_sub(1, Ordering::Relaxed);
        None
    }

    /// Learns how an attempt ended that began at that moment, and how long the head of its response took where there is one.
    /// `rules` say what makes an outlier. Whether there is reason to judge the targets now.
    pub(super) fn ended(
        &self,
        met: Met,
        took: Option<Duration>,
        began: Moment,
        rules: Option<&outlier::Settings>,
    ) -> bool {
        if let Some(took) = took {
            self.latency.observe(took, began);
        }
        let outcome = match met {
            Met::Status(status) if !matches!(status.code(), 502..=504) => Outcome::Answered(took.unwrap_or_default()),
            Met::Status(_) | Met::Unreachable | Met::Broken | Met::Timeout => Outcome::Failed,
        };
        rules.is_some_and(|rules| self.outlier.record(&self.standing, outcome, rules, began))
    }

    /// Connections that are open, idle ones too, over all workers.
    pub(super) fn connections(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    /// This thread's connections of HTTP/1.1.
    pub(super) fn http1(&self) -> &RefCell<Http1Pool> {
        self.http1.get_or_default()
    }

    /// This thread's connections of HTTP/2.
    pub(super) fn http2(&self) -> &RefCell<Http2Pool> {
        self.http2.get_or_default()
    }

    /// Whether connections to it speak TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Makes a connection that speaks HTTP/1.1. It begins with `header`, ahead of a TLS handshake.
    pub(super) async fn open_http1(
        self: &Arc<Self>,
        opener: &Opener,
        header: Option<&[u8]>,
    ) -> Result<Connection<Transport>, Error> {
        let opening = async {
            let transport = self.transport(Offer::Http1, header, None).await?;
            Ok(Connection::new(transport))
        };
        in_time(opener, opening).await
    }

    /// Makes a connection that speaks HTTP/2; nothing where the target may choose and chose HTTP/1.1: then the connection
    /// is among the kept ones.
    pub(super) async fn open_http2(self: &Arc<Self>, opener: &Opener) -> Result<Option<http2::Connection>, Error> {
        let opening = async {
            let transport = self.transport(Offer::Http2, None, None).await?;
            if self.is_secure() && transport.protocol() != Some(tls::HTTP2) {
                if self.key.protocol == Protocol::Auto {
                    let mut pool = self.http1().borrow_mut();
                    pool.keep(Connection::new(transport), opener.keep_alive());
                    return Ok(None);
                }
                return Err(Error::new(&codes::UPSTREAM_TLS).with_cause("the target doesn't offer HTTP/2 (ALPN `h2`)"));
            }
            transport.watch_over().map_err(refused)?;
            Ok(Some(http2::Connection::open(transport).await?))
        };
        in_time(opener, opening).await
    }

    /// Makes a connection for a check, to `port` in place of its own where one is given. The caller keeps the time.
    pub(super) async fn open_for_check(self: &Arc<Self>, offer: Offer, port: Option<u16>) -> Result<Transport, Error> {
        let header = self.key.proxy_protocol.map(|version| match version {
            ProxyProtocol::V1 => proxy_protocol::own(proxy_protocol::Version::V1),
            ProxyProtocol::V2 => proxy_protocol::own(proxy_protocol::Version::V2),
        });
        self.transport(offer, header.as_deref(), port).await
    }

    async fn transport(
        self: &Arc<Self>,
        offer: Offer,
        header: Option<&[u8]>,
        port: Option<u16>,
    ) -> Result<Transport, Error> {
        self.open.fetch_add(1, Ordering::Relaxed);
        let opened = Opened(self.clone());
        Ok(Transport {
            stream: self.open_stream(offer, header.unwrap_or_default(), port).await?,
            _opened: opened,
        })
    }

    async fn open_stream(&self, offer: Offer, header: &[u8], port: Option<u16>) -> Result<Stream, Error> {
        let mut stream = match &self.address {
            Address::Unix(path) => {
                let mut stream = UnixStream::connect(path).await.map_err(refused)?;
                stream.write_all(header).await.map_err(refused)?;
                return Ok(Stream::Unix(stream));
            }
            Address::Fixed(address) => {
                let address = SocketAddr::new(address.ip(), port.unwrap_or(address.port()));
                TcpStream::connect(address).await.map_err(refused)?
            }
        };
        stream.set_nodelay(true).map_err(refused)?;
        stream.write_all(header).await.map_err(refused)?;
        self.secure(stream, offer).await
    }

    async fn secure(&self, stream: TcpStream, offer: Offer) -> Result<Stream, Error> {
        let Some(secure) = &self.tls else {
            return Ok(Stream::Plain(stream));
        };
        let connector = match offer {
            Offer::Http1 => &secure.http1,
            Offer::Http2 => &secure.http2,
        };
        let stream = connector.connect(secure.name.clone(), stream).await;
        let stream = stream.map_err(|error| Error::new(&codes::UPSTREAM_TLS).with_cause(error))?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

impl Secure {
    fn new(key: &TargetKey, host: &str) -> Result<Secure, String> {
        let (config, name) = key.tls.config(host)?;
        let http2: &[&[u8]] = match key.protocol {
            Protocol::Http1 => &[tls::HTTP1],
            Protocol::Http2 => &[tls::HTTP2],
            Protocol::Auto => &[tls::HTTP2, tls::HTTP1],
        };
        Ok(Secure {
            http1: tls::connector(&config, &[tls::HTTP1]),
            http2: tls::connector(&config, http2),
            name,
        })
    }
}

impl Member for Target {
    fn standing(&self) -> &Standing {
        &self.standing
    }

    fn in_progress(&self) -> u32 {
        self.in_progress.load(Ordering::Relaxed)
    }

    fn latency(&self) -> &Ewma {
        &self.latency
    }

    fn identity(&self) -> u64 {
        self.identity
    }
}

/// A hash that doesn't depend on the process or the machine.
fn identity_of(address: &str) -> u64 {
    client_key::hash(client_key::NOTHING, address.as_bytes())
}

/// What opening gives, unless it takes too long.
async fn in_time<T>(opener: &Opener, opening: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(opener.0.timeout, opening)
        .await
        .unwrap_or_else(|_| Err(Error::new(&codes::UPSTREAM_CONNECT_TIMEOUT)))
}

fn refused(error: std::io::Error) -> Error {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    let ours = matches!(error.raw_os_error(), Some(EMFILE | ENFILE));
    Error::new(if ours {
        &codes::OVERLOADED
    } else {
        &codes::UPSTREAM_REFUSED
    })
    .with_cause(error)
}
