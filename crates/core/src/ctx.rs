//! What is known of one request beside the request itself, and travels with it.

use std::cell::Cell;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::{ClientCertificate, Headers, Known, Name, Status};

/// The facts about one request: who, where, when, which route. No services.
#[derive(Debug)]
pub struct Ctx {
    /// The connection that it came by.
    pub connection: Rc<Connection>,
    /// The client's address: the peer's, or what a trusted proxy said.
    pub client: IpAddr,
    /// Whether the client speaks TLS: to us, or to the trusted proxy before us.
    pub scheme: Scheme,
    /// Names the request in answers, logs and to upstreams.
    pub request_id: RequestId,
    /// When its first byte was there, for durations.
    pub started: Instant,
    /// When its first byte was there, for people.
    pub received: SystemTime,
    /// The route that claimed it.
    pub route: Option<RouteName>,
    /// What the path's `{param}` and `*` segments matched.
    pub params: PathParams,
    /// Who it is, once an authentication policy knows.
    pub consumer: Option<Arc<Consumer>>,
    /// Fields for whatever answer goes out, refusals and failures too. One replaces the response's own of that name, but
    /// `Set-Cookie`, of which each stands for itself (RFC 6265 §3).
    pub answer: Headers,
    /// Values of `Set-Cookie` for whatever answer goes out, beside those that the response has of its own.
    pub cookies: Vec<String>,
    /// What whatever answer goes out depends on: a bit of [`crate::Known::bit`] for each request field that its `Vary`
    /// must name. These are added to the response's own `Vary`, since a backend knows of others.
    pub vary: u64,
    /// What the backend that forwards requests tells the log.
    pub upstream: UpstreamFacts,
    /// Set by a policy that has begun something which must come to its end although the client goes away. Only there where a
    /// request may need it, see the gate's pipeline.
    pub goes_on: Option<Rc<Cell<bool>>>,
    /// Where a backend hands on interim responses; `None` where the client can't take any.
    pub interim: Option<Rc<dyn Interim>>,
}

/// The way of interim responses (1xx but 100 and 101), such as 103 with early hints, to the client.
pub trait Interim {
    /// Sends the response ahead of the final one.
    fn send(&self, status: Status, headers: &Headers);
}

impl fmt::Debug for dyn Interim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interim")
    }
}

/// The facts about one client connection.
#[derive(Debug)]
pub struct Connection {
    /// The other end of the socket: a client or a proxy before us.
    pub peer: SocketAddr,
    /// The peer's address as text, made once for all its requests.
    pub peer_ip: Box<str>,
    /// Our end of the socket.
    pub local: SocketAddr,
    /// The host that the client named in its TLS hello, for a TLS connection.
    pub tls_server_name: Option<Box<str>>,
    /// Whether the connection speaks TLS.
    pub tls: bool,
    /// The certificate that the client showed, where the listener asks for one. It was verified.
    pub client_certificate: Option<Box<ClientCertificate>>,
}

impl Connection {
    /// The facts about a connection. An IPv4 address that came mapped into IPv6 is taken as what it is.
    pub fn new(peer: SocketAddr, local: SocketAddr, tls_server_name: Option<Box<str>>, tls: bool) -> Connection {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Connection {
            peer,
            peer_ip: peer.ip().to_string().into(),
            local,
            tls_server_name,
            tls,
            client_certificate: None,
        }
    }
}

/// How the client reaches us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// A request's name: at most 64 visible ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    text: [u8; RequestId::LONGEST],
    len: u8,
}

impl RequestId {
    /// The most characters that a name may have.
    pub const LONGEST: usize = 64;

    /// The name, if it is one: 1 to 64 visible ASCII characters.
    pub fn new(text: &[u8]) -> Option<RequestId> {
        if text.is_empty() || text.len() > RequestId::LONGEST || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut id = RequestId {
            text: [0; RequestId::LONGEST],
            len: u8::try_from(text.len()).ok()?,
        };
        id.text[..text.len()].copy_from_slice(text);
        Some(id)
    }

    /// The name's characters.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.len)]
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("a request id is ASCII")
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a route, for logs and metrics, and its place in the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct RouteName {
    /// As the file gives it, or made of its match. It lives as long as the process, so that no request counts it.
    pub name: &'static str,
    /// Its place among the routes of the snapshot.
    pub index: u32,
}

/// What the variable parts of a route's path matched, in order, percent-decoded where that is UTF-8.
#[derive(Clone, Debug, Default)]
pub struct PathParams(Vec<(Arc<str>, Box<str>)>);

impl PathParams {
    /// Adds what a part matched.
    pub fn push(&mut self, name: Arc<str>, value: Box<str>) {
        self.0.push((name, value));
    }

    /// What `{name}` matched.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| &**known == name)
            .map(|(_, value)| &**value)
    }

    /// All of them, in the path's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// Who a request was found to come from. Made once, for a key or a token, and shared by its requests.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// The consumer's name in the file, the store or the token: visible ASCII, so that it can stand in a field.
    pub name: Box<str>,
    /// The policy that found it out, by its name in the file.
    pub by: &'static str,
    /// What it was allowed to do (RFC 6749 §3.3): visible ASCII without spaces.
    pub scopes: Box<[Box<str>]>,
    /// What it is, in the words of whoever says so: visible ASCII without spaces.
    pub roles: Box<[Box<str>]>,
    /// What its token says of it; nothing where there is no token.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

impl Consumer {
    /// A consumer of whom nothing but the name is known.
    pub fn new(name: impl Into<Box<str>>, by: &'static str) -> Consumer {
        Consumer {
            name: name.into(),
            by,
            scopes: Box::default(),
            roles: Box::default(),
            claims: serde_json::Map::new(),
        }
    }

    /// Whether it was allowed to do that.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|known| **known == *scope)
    }

    /// Whether it is that.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|known| **known == *role)
    }
}

/// What a backend that forwards requests tells the log. Never shown to clients.
#[derive(Clone, Debug, Default)]
pub struct UpstreamFacts {
    /// The service, by its name in the file.
    pub service: Option<Arc<str>>,
    /// The target that answered, or was tried last.
    pub target: Option<Arc<str>>,
    /// How many times the request was sent.
    pub attempts: u32,
    /// From the request's first byte sent to the response's head.
    pub first_byte: Option<Duration>,
    /// For a call of gRPC, how it ended, once that is known: the trailers tell.
    pub grpc_status: Option<Rc<Cell<Option<u32>>>>,
}

impl Ctx {
    /// The context of a request that has just arrived.
    pub fn new(connection: Rc<Connection>, request_id: RequestId, started: Instant, received: SystemTime) -> Ctx {
        let client = connection.peer.ip();
        let scheme = if connection.tls { Scheme::Https } else { Scheme::Http };
        Ctx {
            connection,
            client,
            scheme,
            request_id,
            started,
            received,
            route: None,
            params: PathParams::default(),
            consumer: None,
            answer: Headers::new(),
            cookies: Vec::new(),
            vary: 0,
            upstream: UpstreamFacts::default(),
            goes_on: None,
            interim: None,
        }
    }

    /// Puts [`Ctx::answer`] in place of a response's fields of those names, adds [`Ctx::vary`] to its `Vary`, and
    /// [`Ctx::cookies`].
    pub fn put_answer_into(&self, headers: &mut Headers) {
        for (known, name, _) in self.answer.iter_known() {
            if known == Some(Known::SetCookie) {
                continue;
            }
            headers.remove(known.map_or(Name::Other(name), |known| Name::Cased(known, name)));
        }
        headers.extend(&self.answer);
        for cookie in &self.cookies {
            headers.append("Set-Cookie", cookie);
        }
        for known in Known::in_set(self.vary) {
            headers.append(Known::Vary, known.as_str());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_replaces_and_vary_adds() {
        let local = SocketAddr::from(([127, 0, 0, 1], 80));
        let connection = Connection::new(local, local, None, false);
        let id = RequestId::new(b"1").expect("it is visible ASCII");
        let mut cx = Ctx::new(Rc::new(connection), id, Instant::now(), SystemTime::UNIX_EPOCH);
        cx.answer.append("x-a", "gate");
        cx.answer.append("X-A", "gate too");
        cx.answer.append(Known::SetCookie, "ours=1");
        cx.vary = Known::Origin.bit();
        let mut headers = Headers::new();
        headers.append("X-A", "backend");
        headers.append(Known::SetCookie, "theirs=1");
        headers.append(Known::Vary, "Accept");
        cx.put_answer_into(&mut headers);
        assert_eq!(headers.get_all("x-a").collect::<Vec<_>>(), [&b"gate"[..], b"gate too"]);
        let cookies: Vec<_> = headers.get_all(Known::SetCookie).collect();
        assert_eq!(cookies, [&b"theirs=1"[..], b"ours=1"]);
        assert_eq!(
            headers.list(Known::Vary).collect::<Vec<_>>(),
            [&b"Accept"[..], b"Origin"]
        );
    }
}
