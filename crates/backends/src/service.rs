//! A route that ends in a pool of upstream servers.
//!
//! `service.rs` forwards a request; `target.rs` keeps the connections to one server, `forwarded.rs` tells it about the
//! client, `tls.rs` verifies it.

mod forwarded;
mod target;
mod tls;
mod transport;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis_config::service as written;
use portcullis_core::{Backend, Body, Ctx, Error, Known, Reply, Request, Response, Result, Status, Upgrade, codes};
use portcullis_http1::client::{Connection, Exchange, Failure, Outbound, Timeouts};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::response::ResponseHead;
use portcullis_http1::{HeadLimits, buffers, encode, hop_by_hop};

pub use self::target::Targets;
use self::target::{Target, TargetKey, Turn};
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
    targets: Vec<Arc<Target>>,
    balance: written::Balance,
    timeout: written::ServiceTimeout,
    max_connections: u32,
    keep_alive: written::KeepAlive,
    host: written::HostHeader,
    slow: tokio::runtime::Handle,
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
        let tls = tls::TlsSettings {
            ca: config.tls.ca.as_ref().map(|ca| base.join(ca)),
            server_name: config.tls.server_name.clone(),
        };
        let target = |url: &String| {
            known.get(
                TargetKey {
                    service: name.to_owned(),
                    url: url.clone(),
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
        if targets.is_empty() {
            return Err("a service needs at least one target".to_owned());
        }
        Ok(Pool {
            name: name.into(),
            targets,
            balance: config.balance,
            timeout: config.timeout.clone(),
            max_connections: config.max_connections,
            keep_alive: config.keep_alive.clone(),
            host: config.host,
            slow,
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

    async fn forward(&self, cx: &mut Ctx, mut request: Request) -> Result<Response> {
        let pool = &*self.pool;
        if let Some(prefix) = &self.strip {
            strip_prefix(&mut request, prefix);
        }
        let lines = forwarded::describe(cx, request.version, &mut request.headers);
        request.headers.remove(Known::Expect);
        cx.upstream.service = Some(pool.name.clone());

        let deadline = pool.timeout.request.map(|limit| Instant::now() + limit.0);
        let mut outgoing = Outgoing::of(request, lines);
        let mut failed: Option<Arc<Target>> = None;
        loop {
            let target = pool.choose(failed.as_ref());
            cx.upstream.target = Some(target.label.clone());
            cx.upstream.attempts += 1;
            let first_attempt = cx.upstream.attempts == 1;
            let way = match self.way_to(target, cx.started, first_attempt).await {
                Ok(way) => way,
                // Nothing was sent: another target may take it.
                Err(_) if first_attempt && pool.targets.len() > 1 => {
                    failed = Some(target.clone());
                    continue;
                }
                Err(error) => return Err(error),
            };
            let replay = if way.fresh { None } else { outgoing.replay() };
            match self.attempt(cx, target, way, &mut outgoing, deadline).await {
                Ok(response) => return Ok(response),
                // The server had ended the kept connection before the request reached it (RFC 9112 §9.3.1).
                Err(Attempt {
                    failure: Failure::Closed(_),
                    answered: false,
                }) if replay.is_some() => {
                    outgoing.body = replay.unwrap_or_default();
                }
                Err(attempt) => return Err(error_of(attempt.failure)),
            }
        }
    }

    /// A connection to a target: a kept one where there is one and `may_reuse`, for after a failure another kept one
    /// would be no safer.
    async fn way_to(&self, target: &Arc<Target>, now: Instant, may_reuse: bool) -> Result<Way> {
        let pool = &*self.pool;
        let turn = target.enter(pool.max_connections)?;
        if let Some(connection) = may_reuse.then(|| target.reuse(now)).flatten() {
            return Ok(Way {
                connection,
                turn,
                fresh: false,
            });
        }
        let connection = target.connect(pool.timeout.connect.0, &pool.slow).await?;
        Ok(Way {
            connection,
            turn,
            fresh: true,
        })
    }

    async fn attempt(
        &self,
        cx: &mut Ctx,
        target: &Arc<Target>,
        way: Way,
        outgoing: &mut Outgoing,
        deadline: Option<Instant>,
    ) -> std::result::Result<Response, Attempt> {
        let pool = &*self.pool;
        let upgrade = outgoing.protocol.is_some();
        let timeouts = Timeouts {
            first_byte: pool.timeout.first_byte.0,
            idle: pool.timeout.idle.0,
            tunnel_idle: TUNNEL_IDLE,
            deadline,
        };
        if pool.host == written::HostHeader::Target {
            outgoing.request.headers.set(Known::Host, &target.authority);
        }
        let Way { connection, turn, .. } = way;
        let mut exchange = connection.start(outgoing.take(), timeouts);
        let interim = cx.interim.clone();
        let pass_on = |mut head: ResponseHead| {
            if let Some(interim) = &interim
                && head.status != Status::CONTINUE
            {
                hop_by_hop::strip_hop_by_hop(&mut head.headers);
                interim.send(head.status, &head.headers);
            }
        };
        let head = match exchange.head(pass_on, &RESPONSE_LIMITS).await {
            Ok(head) => head,
            Err(failure) => {
                return Err(Attempt {
                    failure,
                    answered: exchange.has_response(),
                });
            }
        };
        cx.upstream.first_byte = exchange.sent_at().map(|sent| sent.elapsed());
        self.answer(target, exchange, head, upgrade, turn)
    }

    fn answer(
        &self,
        target: &Arc<Target>,
        exchange: Exchange<Transport>,
        mut head: ResponseHead,
        upgrade: bool,
        turn: Turn,
    ) -> std::result::Result<Response, Attempt> {
        let switching = head.status == Status::SWITCHING_PROTOCOLS;
        if switching && !upgrade {
            let failure = Failure::Unasked("101 to a request that asked for no other protocol");
            return Err(Attempt {
                failure,
                answered: true,
            });
        }
        let protocol = switching
            .then(|| head.headers.get(Known::Upgrade).map(<[u8]>::to_vec))
            .flatten();
        let keeper = target.clone();
        let keep_alive = self.pool.keep_alive.clone();
        let body = exchange.into_body(&head, &RESPONSE_LIMITS, move |connection| {
            drop(turn);
            if let Some(connection) = connection {
                keeper.keep(connection, &keep_alive);
            }
        });
        hop_by_hop::strip_hop_by_hop(&mut head.headers);
        if let Some(protocol) = protocol {
            head.headers.append(Known::Upgrade, protocol);
        }
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

impl Backend for Service {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        Reply::later(self.forward(cx, request))
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        buffers::give_output(std::mem::take(&mut self.lines));
    }
}

/// A connection to a target, and the right to use it.
struct Way {
    connection: Connection<Transport>,
    turn: Turn,
    /// It was made for this request.
    fresh: bool,
}

/// How an attempt came to nothing.
struct Attempt {
    failure: Failure,
    /// Whether the server had begun to answer.
    answered: bool,
}

/// A request that may have to be sent twice.
struct Outgoing {
    request: Request,
    body: Body,
    framing: BodyLength,
    /// The protocol to ask for; the body is then what follows the switch.
    protocol: Option<Box<str>>,
    /// What the target is told about the client, as lines of the head.
    lines: Vec<u8>,
}

impl Outgoing {
    fn of(mut request: Request, lines: Vec<u8>) -> Outgoing {
        if let Some(Upgrade { protocol, stream }) = request.upgrade.take() {
            return Outgoing {
                request,
                body: stream,
                framing: BodyLength::UntilClose,
                protocol: Some(protocol),
                lines,
            };
        }
        let body = std::mem::take(&mut request.body);
        let framing = match body.remaining() {
            Some(0) => BodyLength::None,
            Some(length) => BodyLength::Sized(length),
            None => BodyLength::Chunked,
        };
        Outgoing {
            request,
            body,
            framing,
            protocol: None,
            lines,
        }
    }

    /// The body to send again, if the request may be sent twice at all.
    fn replay(&self) -> Option<Body> {
        match &self.body {
            _ if !self.request.method.is_idempotent() => None,
            Body::Empty => Some(Body::Empty),
            Body::Full(bytes) => Some(Body::Full(bytes.clone())),
            Body::Stream(_) => None,
        }
    }

    fn take(&mut self) -> Outbound {
        let mut head = buffers::take_output();
        let Request {
            method,
            target,
            headers,
            ..
        } = &self.request;
        encode::request(
            &mut head,
            method,
            target,
            headers,
            &self.lines,
            self.framing,
            self.protocol.as_deref(),
        );
        Outbound {
            head,
            body: std::mem::take(&mut self.body),
            framing: self.framing,
            method: method.clone(),
        }
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

fn error_of(failure: Failure) -> Error {
    match failure {
        Failure::Closed(error) => Error::new(&codes::UPSTREAM_CLOSED).with_cause(error),
        Failure::Timeout => Error::new(&codes::UPSTREAM_TIMEOUT),
        Failure::Invalid(refusal) => Error::new(&codes::UPSTREAM_INVALID).with_cause(refusal.detail),
        Failure::Unasked(what) => Error::new(&codes::UPSTREAM_INVALID).with_cause(what),
        Failure::Request(error) => error,
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
