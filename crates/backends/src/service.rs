//! A route that ends in a pool of upstream servers.
//!
//! `attempts.rs` chooses a target, and another one after a failure, as `retry.rs` allows; `over_http1.rs` and `over_http2.rs`
//! send the request, `replay.rs` keeps its body, `forwarded.rs` tells about the client. `membership.rs` knows the targets of a
//! service, and `health.rs` looks after them; `target.rs` makes connections to one of them, `pool_http1.rs` and `pool_http2.rs` keep them, `tls.rs` verifies the
//! server.

mod affinity;
mod attempts;
mod balancing;
mod forwarded;
mod grpc_answer;
mod outgoing;
mod over_http1;
mod over_http2;
mod replay;
mod retry;
mod websocket;

mod decisions;
mod discovery;
mod explained;
mod health;
mod journal;
mod kept;
mod membership;
mod pending;
mod pool_http1;
mod pool_http2;
mod protection;
mod seating;
mod target;
mod tls;
mod told;
mod transport;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis_config::service as written;
use portcullis_config::service::discover::Discover;
use portcullis_core::{Backend, Ctx, Error, Known, Reply, Request, Response, Result, codes, proxy_protocol};
use portcullis_http1::HeadLimits;
use portcullis_http1::client::Timeouts;
use portcullis_resilience::balance::Balancer;
use portcullis_resilience::budget::Budget;
use portcullis_resilience::members::Member;

use self::affinity::Affinity;
use self::attempts::{Hedge, Wish};
pub use self::decisions::{Decision, Refusal};
use self::discovery::{More, Resolver, Sources};
pub use self::explained::Explained;
pub use self::health::HealthTold;
use self::health::{Rules, Watchmen};
pub use self::journal::Journal;
pub use self::kept::{ServiceTold, Services, TargetTold};
use self::membership::Membership;
use self::outgoing::{Content, Outgoing};
use self::pool_http2::Found;
use self::protection::Protection;
use self::retry::Retry;
use self::seating::Offer;
use self::target::{Opener, Target, TargetKey, Turn};
pub use self::told::{MemberTold, STATES};
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

/// A pool of servers that do the same: what all routes to a service share.
pub struct Pool {
    name: Arc<str>,
    membership: Arc<Membership>,
    /// The targets that the configuration names, until they take effect.
    offer: Arc<Offer>,
    balancer: Balancer,
    affinity: Affinity,
    retry: Retry,
    budget: Arc<Budget>,
    hedge: Option<Hedge>,
    protection: Protection,
    /// How its targets are looked after.
    rules: Arc<Rules>,
    watchmen: Arc<Watchmen>,
    timeout: written::ServiceTimeout,
    max_connections: u32,
    max_pending: written::MaxPending,
    protocol: written::Protocol,
    proxy_protocol: Option<written::ProxyProtocol>,
    opener: Opener,
    host: written::HostHeader,
}

impl Pool {
    /// The pool of a service. What `known` holds of it is taken over: targets with their connections, the membership, the budget.
    /// Targets are looked for on `slow`. Paths are relative to `base`. Until [`Pool::take_effect`] a membership that is in use
    /// stays as it is.
    ///
    /// # Errors
    /// Says in words for people what in the service can't be used.
    pub fn new(
        name: &str,
        config: &written::Service,
        base: &Path,
        known: &Services,
        slow: tokio::runtime::Handle,
    ) -> std::result::Result<Pool, String> {
        let tls = tls::TlsSettings::new(&config.tls, base)?;
        let membership = known.memberships.of(name);
        if config.targets.is_empty() && config.discover.is_none() {
            return Err("a service needs at least one target, or `discover`".to_owned());
        }
        let offer = Arc::new(Offer {
            written: config.clone(),
            sources: sources(config, base, known.resolver()),
            common: TargetKey {
                service: name.to_owned(),
                url: String::new(),
                address: None,
                protocol: config.protocol,
                proxy_protocol: config.proxy_protocol,
                tls,
            },
            base: base.to_owned(),
            targets: known.targets.clone(),
            journal: known.journal(),
            runtime: slow,
        });
        for target in &config.targets {
            Target::check(&offer.key(&target.url, None))?;
        }
        let mut keep_alive = config.keep_alive.clone();
        if config.proxy_protocol.is_some() {
            // A connection that began with the address of one client must not carry the request of another.
            keep_alive.connections = 0;
        }
        let workers = known.workers();
        let pool = Pool {
            name: name.into(),
            offer,
            balancer: balancing::balancer(config),
            affinity: Affinity::new(name, config),
            budget: membership.budget(retry::budget_settings(&config.retry.budget), workers),
            retry: Retry::new(&config.retry),
            protection: Protection::new(config, &membership.protection, workers),
            hedge: config.hedge.as_ref().map(|hedge| Hedge::new(hedge, workers)),
            rules: Arc::new(Rules::new(config)?),
            watchmen: known.watchmen.clone(),
            membership,
            timeout: config.timeout.clone(),
            max_connections: config.max_connections,
            max_pending: config.max_pending.clone(),
            protocol: config.protocol,
            proxy_protocol: config.proxy_protocol,
            opener: Opener::new(config.timeout.connect.0, keep_alive),
            host: config.host,
        };
        // Where nobody uses it yet, who does must find somebody.
        pool.membership.preview(&pool.offer);
        Ok(pool)
    }

    /// Puts the targets of the configuration in place, once that is in force, and looks after them as it says.
    pub fn take_effect(&self) {
        self.membership.follow(&self.name, &self.offer);
        self.watchmen
            .look_after(&self.name, &self.membership, self.rules.clone());
    }

    /// Whether targets see their own host and port as `Host`.
    fn shows_own_host(&self) -> bool {
        self.host == written::HostHeader::Target
    }

    fn timeouts(&self, deadline: Option<Instant>) -> Timeouts {
        Timeouts {
            first_byte: self.timeout.first_byte.0,
            idle: self.timeout.idle.0,
            tunnel_idle: TUNNEL_IDLE,
            deadline,
        }
    }

    /// The way to the target of that turn over a connection that is there; the turn, where there is none. One of HTTP/1.1 is only taken
    /// where `may_reuse`, for after a failure another kept one would be no safer.
    fn kept_way(
        &self,
        turn: Turn,
        now: Instant,
        may_reuse: bool,
        outgoing: &Outgoing,
    ) -> std::result::Result<Way, Turn> {
        let target = turn.target();
        if self.speaks_http2(target, outgoing) {
            let kept = target.http2().borrow_mut().find(self.opener.keep_alive());
            return match kept {
                Some(connection) => Ok(Way::Http2(over_http2::Way { connection, turn })),
                None => Err(turn),
            };
        }
        let kept = may_reuse.then(|| target.http1().borrow_mut().reuse(now)).flatten();
        match kept {
            Some(connection) => Ok(Way::http1(connection, turn, false)),
            None => Err(turn),
        }
    }

    /// The way over a connection that is made, or waited for, before the request's deadline.
    async fn new_way(&self, turn: Turn, now: Instant, may_reuse: bool, outgoing: &Outgoing) -> Result<Way> {
        let finding = async {
            let target = turn.target();
            let http2 = self.speaks_http2(target, outgoing);
            if http2 && let Found::Http2(connection) = pool_http2::acquire(target, &self.opener, now).await? {
                return Ok(Way::Http2(over_http2::Way { connection, turn }));
            }
            // A target that could choose and chose HTTP/1.1 left a connection of it among the kept ones.
            let kept = (http2 && may_reuse)
                .then(|| target.http1().borrow_mut().reuse(now))
                .flatten();
            match kept {
                Some(connection) => Ok(Way::http1(connection, turn, false)),
                None => {
                    let header = outgoing.proxy_header.as_deref();
                    let connection = target.open_http1(&self.opener, header).await?;
                    Ok(Way::http1(connection, turn, true))
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

    fn speaks_http2(&self, target: &Target, outgoing: &Outgoing) -> bool {
        match self.protocol {
            written::Protocol::Http1 => false,
            written::Protocol::Http2 => true,
            // Every server that switches protocols does so in HTTP/1.1.
            written::Protocol::Auto => target.is_secure() && outgoing.protocol.is_none(),
        }
    }
}

/// Where the targets of a service come from.
fn sources(config: &written::Service, base: &Path, oracle: Arc<Resolver>) -> Sources {
    let more = config.discover.as_ref().map(|discover| match discover {
        Discover::File(from) => More::File(base.join(&from.file)),
        Discover::Srv(from) => More::Srv(from.srv.clone(), from.scheme),
    });
    Sources {
        targets: config.targets.clone(),
        added: Vec::new(),
        more,
        oracle,
    }
}

/// The number of this worker, for counts of which each worker writes its own.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    SHARD.with(|shard| *shard)
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
    fn prepare(&self, cx: &mut Ctx, mut request: Request) -> Result<(Outgoing, Content, Wish)> {
        let pool = &*self.pool;
        let wish = Wish {
            key: pool.affinity.key(cx, &request),
            sticky: pool.affinity.sticky(&request),
        };
        if let Some(prefix) = &self.strip {
            strip_prefix(&mut request, prefix);
        }
        let lines = forwarded::describe(cx, request.version, &mut request.headers);
        request.headers.remove(Known::Expect);
        cx.upstream.service = Some(pool.name.clone());
        let (mut outgoing, body) = Outgoing::of(request, cx, pool, lines)?;
        outgoing.proxy_header = pool.proxy_protocol.map(|version| proxy_header(version, cx));
        let remembered = if outgoing.idempotent { pool.retry.body } else { 0 };
        Ok((outgoing, Content::of(body, remembered), wish))
    }

    /// What the client gets of a target's response.
    fn finish(&self, cx: &mut Ctx, wish: Wish, grpc: bool, mut response: Response, target: &Target) -> Response {
        self.pool
            .affinity
            .remember(cx, wish.sticky, target.identity(), &mut response.headers);
        if grpc {
            return grpc_answer::watched(cx, response);
        }
        response
    }
}

impl Backend for Service {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        match self.prepare(cx, request) {
            // A future holds what it captures once, and an argument that it takes twice.
            Ok((outgoing, mut content, wish)) => Reply::later(async move {
                let (response, target) = attempts::answer(&self.pool, cx, wish, &outgoing, &mut content).await?;
                Ok(self.finish(cx, wish, outgoing.grpc, response, &target))
            }),
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

impl Way {
    /// Over a connection of HTTP/1.1, with whether it is new.
    fn http1(connection: portcullis_http1::client::Connection<Transport>, turn: Turn, fresh: bool) -> Way {
        Way::Http1(over_http1::Way {
            connection,
            turn,
            fresh,
        })
    }
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
}
