//! A route that ends in a pool of upstream servers.
//!
//! `service.rs` chooses the way of a request, and another one after a failure; `over_http1.rs` and `over_http2.rs` send it,
//! `forwarded.rs` tells about the client. `target.rs` makes connections to one server, `pool_http1.rs` and `pool_http2.rs`
//! keep them, `tls.rs` verifies the server.

mod forwarded;
mod grpc_answer;
mod outgoing;
mod over_http1;
mod over_http2;
mod websocket;

mod pool_http1;
mod pool_http2;
mod target;
mod tls;
mod transport;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis_config::service as written;
use portcullis_core::{Backend, Ctx, Error, Known, Reply, Request, Response, Result, codes, proxy_protocol};
use portcullis_http1::HeadLimits;
use portcullis_http1::client::Timeouts;

use self::outgoing::{Attempt, Outgoing};
use self::pool_http2::Found;
pub use self::target::Targets;
use self::target::{Opener, Target, TargetKey};
use self::transport::Transport;

/// How large the head of a response may be. A server of ours is trusted with more than a client is.
const RESPONSE_LIMITS: HeadLimits = HeadLimits {
    head_bytes: 64 * 1024,
    target_bytes: 0,
    fields: 256,
};

/// How long a connection that was switched to another protocol may be silent. WebSocket clients commonly ping every
/// minute or less; those that don't should still outlive a coffee break.
const TUNNEL_IDLE: Duration = Duration::from_secs(3600);

/// How often a request is sent at the most: again where a kept connection had ended, or a server refused to begin.
const MOST_ATTEMPTS: u32 = 3;

/// A pool of servers that do the same: what all routes to a service share.
pub struct Pool {
    name: Arc<str>,
    targets: Vec<Arc<Target>>,
    balance: written::Balance,
    timeout: written::ServiceTimeout,
    max_connections: u32,
    protocol: written::Protocol,
    proxy_protocol: Option<written::ProxyProtocol>,
    opener: Opener,
    host: written::HostHeader,
    turn: AtomicUsize,
}

impl Pool {
    /// The pool of a service. Targets that `known` holds are taken over with their connections. Names are resolved on
    /// `slow`. Paths are relative to `base`.
    ///
    /// # Errors
    /// Says in words for people what in the service can't be used.
    pub fn new(
        name: &str,
        config: &written::Service,
        base: &Path,
        known: &Targets,
        slow: tokio::runtime::Handle,
    ) -> std::result::Result<Pool, String> {
        let tls = tls::TlsSettings::new(&config.tls, base)?;
        let target = |written::Target { url, .. }: &written::Target| {
            known.get(
                TargetKey {
                    service: name.to_owned(),
                    url: match url.strip_prefix("unix:") {
                        Some(path) => format!("unix:{}", base.join(path).display()),
                        None => url.clone(),
                    },
                    protocol: config.protocol,
                    proxy_protocol: config.proxy_protocol,
                    tls: tls.clone(),
                },
                Target::new,
            )
        };
        let targets = config
            .targets
            .iter()
            .map(target)
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let mut keep_alive = config.keep_alive.clone();
        if config.proxy_protocol.is_some() {
            // A connection that began with the address of one client must not carry the request of another.
            keep_alive.connections = 0;
        }
        if targets.is_empty() {
            return Err("a service needs at least one target".to_owned());
        }
        Ok(Pool {
            name: name.into(),
            targets,
            balance: config.balance,
            timeout: config.timeout.clone(),
            max_connections: config.max_connections,
            protocol: config.protocol,
            proxy_protocol: config.proxy_protocol,
            opener: Opener::new(config.timeout.connect.0, slow, keep_alive),
            host: config.host,
            turn: AtomicUsize::new(0),
        })
    }

    /// The target for the next request: another one than `failed`, where there is another.
    fn choose(&self, failed: Option<&Arc<Target>>) -> &Arc<Target> {
        if let [only] = &self.targets[..] {
            return only;
        }
        let candidate = || match self.balance {
            written::Balance::RoundRobin => {
                &self.targets[self.turn.fetch_add(1, Ordering::Relaxed) % self.targets.len()]
            }
            written::Balance::LeastRequest => {
                let (one, other) = two_of(self.targets.len());
                let (one, other) = (&self.targets[one], &self.targets[other]);
                let load = |target: &Target| target.load();
                if load(other) < load(one) { other } else { one }
            }
        };
        let first = candidate();
        match failed {
            Some(failed) if Arc::ptr_eq(first, failed) => {
                let at = self
                    .targets
                    .iter()
                    .position(|target| Arc::ptr_eq(target, failed))
                    .unwrap_or(0);
                &self.targets[(at + 1) % self.targets.len()]
            }
            _ => first,
        }
    }

    fn timeouts(&self, deadline: Option<Instant>) -> Timeouts {
        Timeouts {
            first_byte: self.timeout.first_byte.0,
            idle: self.timeout.idle.0,
            tunnel_idle: TUNNEL_IDLE,
            deadline,
        }
    }

    /// A way to a target, before the request's deadline. A kept connection of HTTP/1.1 is only taken where `may_reuse`, for
    /// after a failure another kept one would be no safer.
    async fn way_to(&self, target: &Arc<Target>, now: Instant, may_reuse: bool, outgoing: &Outgoing) -> Result<Way> {
        let turn = target.enter(self.max_connections)?;
        let speaks_http2 = match self.protocol {
            written::Protocol::Http1 => false,
            written::Protocol::Http2 => true,
            // Every server that switches protocols does so in HTTP/1.1.
            written::Protocol::Auto => target.is_secure() && outgoing.protocol.is_none(),
        };
        let connection = match self.kept_way(target, now, may_reuse, speaks_http2) {
            Some(connection) => connection,
            // Boxed, for a new connection needs much room, and most requests need none.
            None => Box::pin(self.new_way(target, now, may_reuse, speaks_http2, outgoing)).await?,
        };
        Ok(match connection {
            Connection::Http1(connection, fresh) => Way::Http1(over_http1::Way {
                connection,
                turn,
                fresh,
            }),
            Connection::Http2(connection) => Way::Http2(over_http2::Way { connection, turn }),
        })
    }

    /// A connection that is there.
    fn kept_way(&self, target: &Arc<Target>, now: Instant, may_reuse: bool, http2: bool) -> Option<Connection> {
        if http2 {
            let kept = target.http2().borrow_mut().find(self.opener.keep_alive());
            return kept.map(Connection::Http2);
        }
        let kept = may_reuse.then(|| target.http1().borrow_mut().reuse(now)).flatten();
        kept.map(|connection| Connection::Http1(connection, false))
    }

    /// A connection that is made, or waited for.
    async fn new_way(
        &self,
        target: &Arc<Target>,
        now: Instant,
        may_reuse: bool,
        http2: bool,
        outgoing: &Outgoing,
    ) -> Result<Connection> {
        let finding = async {
            if http2 && let Found::Http2(connection) = pool_http2::acquire(target, &self.opener, now).await? {
                return Ok(Connection::Http2(connection));
            }
            // A target that could choose and chose HTTP/1.1 left a connection of it among the kept ones.
            let kept = (http2 && may_reuse)
                .then(|| target.http1().borrow_mut().reuse(now))
                .flatten();
            match kept {
                Some(connection) => Ok(Connection::Http1(connection, false)),
                None => {
                    let header = outgoing.proxy_header.as_deref();
                    let connection = target.open_http1(&self.opener, header).await?;
                    Ok(Connection::Http1(connection, true))
                }
            }
        };
        match outgoing.deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), finding)
                .await
                .unwrap_or_else(|_| Err(Error::new(&codes::UPSTREAM_TIMEOUT).with_cause("no connection in time"))),
            None => finding.await,
        }
    }
}

/// A connection to a target; of HTTP/1.1 with whether it is new.
enum Connection {
    Http1(portcullis_http1::client::Connection<Transport>, bool),
    Http2(portcullis_http2::client::Connection),
}

/// Two different numbers below `count`, which is at least two, at random.
fn two_of(count: usize) -> (usize, usize) {
    let one = fastrand::usize(..count);
    let other = fastrand::usize(..count - 1);
    (one, if other >= one { other + 1 } else { other })
}

/// The end of one route in a pool.
pub struct Service {
    pool: Arc<Pool>,
    strip: Option<Box<str>>,
}

impl Service {
    /// Forwards to `pool`; targets don't see the prefix `strip` of the path.
    pub fn new(pool: Arc<Pool>, strip: Option<&str>) -> Service {
        let strip = strip
            .map(|prefix| prefix.trim_end_matches('/'))
            .filter(|prefix| !prefix.is_empty());
        Service {
            pool,
            strip: strip.map(Box::from),
        }
    }

    /// Makes a request ready to be sent.
    fn prepare(&self, cx: &mut Ctx, mut request: Request) -> Result<Outgoing> {
        let pool = &*self.pool;
        if let Some(prefix) = &self.strip {
            strip_prefix(&mut request, prefix);
        }
        let lines = forwarded::describe(cx, request.version, &mut request.headers);
        request.headers.remove(Known::Expect);
        cx.upstream.service = Some(pool.name.clone());

        let limit = pool.timeout.request.as_ref().map(|limit| limit.0);
        let mut outgoing = Outgoing::of(request, cx, limit, lines)?;
        outgoing.proxy_header = pool.proxy_protocol.map(|version| proxy_header(version, cx));
        Ok(outgoing)
    }

    async fn forward(&self, cx: &mut Ctx, outgoing: &mut Outgoing) -> Result<Response> {
        let pool = &*self.pool;
        let mut failed: Option<Arc<Target>> = None;
        loop {
            let target = pool.choose(failed.as_ref());
            cx.upstream.target = Some(target.label.clone());
            cx.upstream.attempts += 1;
            let first_attempt = cx.upstream.attempts == 1;
            outgoing.tell_time_left()?;
            let way = match pool.way_to(target, cx.started, first_attempt, outgoing).await {
                Ok(way) => way,
                // Nothing was sent: another target may take it.
                Err(_) if first_attempt && pool.targets.len() > 1 => {
                    failed = Some(target.clone());
                    continue;
                }
                Err(error) => return Err(error),
            };
            if pool.host == written::HostHeader::Target {
                outgoing.request.headers.set(Known::Host, &target.authority);
            }
            let attempt = match way {
                Way::Http1(way) => over_http1::attempt(pool, cx, target, way, outgoing).await,
                Way::Http2(way) => over_http2::attempt(pool, cx, target, way, outgoing).await,
            };
            match attempt {
                Ok(response) if outgoing.grpc => return Ok(grpc_answer::watched(cx, response)),
                Ok(response) => return Ok(response),
                Err(Attempt { again: Some(body), .. }) if cx.upstream.attempts < MOST_ATTEMPTS => {
                    outgoing.body = body;
                    failed = Some(target.clone());
                }
                Err(attempt) => return Err(attempt.error),
            }
        }
    }
}

impl Backend for Service {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        match self.prepare(cx, request) {
            // A future holds what it captures once, and an argument that it takes twice.
            Ok(mut outgoing) => Reply::later(async move { self.forward(cx, &mut outgoing).await }),
            Err(error) => Reply::from(error),
        }
    }
}

/// What a target is told of the client ahead of the first byte. The port of a client behind a proxy is not known.
fn proxy_header(version: written::ProxyProtocol, cx: &Ctx) -> Vec<u8> {
    let peer = cx.connection.peer;
    let port = if peer.ip() == cx.client { peer.port() } else { 0 };
    let version = match version {
        written::ProxyProtocol::V1 => proxy_protocol::Version::V1,
        written::ProxyProtocol::V2 => proxy_protocol::Version::V2,
    };
    proxy_protocol::encode(version, SocketAddr::new(cx.client, port), cx.connection.local)
}

/// The way that a request takes to a target.
enum Way {
    Http1(over_http1::Way),
    Http2(over_http2::Way),
}

/// Takes a prefix off the path, at a border between segments.
fn strip_prefix(request: &mut Request, prefix: &str) {
    if let Some(rest) = request.target.path().strip_prefix(prefix)
        && (rest.is_empty() || rest.starts_with('/'))
    {
        let rest = if rest.is_empty() {
            "/".to_owned()
        } else {
            rest.to_owned()
        };
        request.target.set_path(&rest);
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Method, Target};

    use super::*;

    #[test]
    fn a_prefix_is_taken_off_between_segments_only() {
        for (path, expected) in [
            ("/a", "/"),
            ("/a/b?q", "/b?q"),
            ("/ab", "/ab"),
            ("/a/", "/"),
            ("/b/a", "/b/a"),
        ] {
            let target = Target::parse(path.as_bytes()).expect("it is valid");
            let mut request = Request::new(Method::Get, target);
            strip_prefix(&mut request, "/a");
            assert_eq!(request.target.as_str(), expected);
        }
    }

    #[test]
    fn two_different_targets_are_compared() {
        for count in 2..5 {
            for _ in 0..100 {
                let (one, other) = two_of(count);
                assert!(one != other && one < count && other < count);
            }
        }
    }
}
