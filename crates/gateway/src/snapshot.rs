//! The running configuration: immutable, shared by all workers, swapped whole.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use ipnet::IpNet;
use portcullis_acme::Keeping;
use portcullis_backends::service::Pool;
use portcullis_core::{Backend, Ctx, Headers, Observer, Outcome, Policy, RouteName};
use portcullis_http1::server::Settings;
use portcullis_policies::access_log::AccessLog;
use portcullis_policies::api_key::stored::Stored;
use portcullis_policies::metrics::Metrics;

use crate::bans;
use crate::listener::crowd::Crowd;
use crate::listener::quic::Quic;
use crate::listener::{ListenerTls, Protocols};
use crate::overload::Limits;
use crate::rollouts::Course;
use crate::router::Router;

/// Everything that decides on a request.
pub(crate) struct Snapshot {
    /// Finds the rule that claims a request.
    pub(crate) router: Router,
    /// For each rule of the router, its route: a table's collection and rows are two rules of one route.
    pub(crate) route_of_rule: Vec<u32>,
    /// The routes, in the order of the file.
    pub(crate) routes: Vec<Route>,
    /// What holds for requests that no route claims.
    pub(crate) unrouted: Unrouted,
    /// The listeners, in the order of the file.
    pub(crate) listeners: Vec<Arc<ListenerRules>>,
    /// The services, by name.
    pub(crate) services: BTreeMap<String, Arc<Pool>>,
    /// Certificates that are ordered and renewed for as long as this configuration is in force.
    pub(crate) certificates: Vec<Arc<Keeping>>,
    /// What the node can take, where that is limited.
    pub(crate) overload: Option<Limits>,
    /// Who is kept out, where offences or operators ban.
    pub(crate) bans: Option<bans::Settings>,
    /// The consumers that operators add, where they may enter.
    pub(crate) consumers: Option<Arc<Stored>>,
    /// Roll-outs under way, in the order of their routes.
    pub(crate) rollouts: Vec<Arc<Course>>,
    /// How long requests may go on after SIGTERM.
    pub(crate) drain: Duration,
    /// How long requests may go on that began under an older configuration.
    pub(crate) max_age: Duration,
}

impl Snapshot {
    /// What is in force before the first configuration: it listens nowhere and claims nothing.
    pub(crate) fn empty() -> Snapshot {
        Snapshot {
            router: Router::new(Vec::new()).0,
            route_of_rule: Vec::new(),
            routes: Vec::new(),
            unrouted: Unrouted {
                policies: Arc::new([]),
                observers: Observers {
                    metrics: None,
                    access_log: None,
                },
            },
            listeners: Vec::new(),
            certificates: Vec::new(),
            services: BTreeMap::new(),
            overload: None,
            bans: None,
            consumers: None,
            rollouts: Vec::new(),
            drain: Duration::ZERO,
            max_age: Duration::MAX / 4,
        }
    }

    /// Who learns how a request ended that this route claimed, or none.
    pub(crate) fn observers_of(&self, route: Option<&RouteName>) -> &Observers {
        match route {
            Some(route) => &self.routes[route.index as usize].observers,
            None => &self.unrouted.observers,
        }
    }
}

/// What guards, sees and answers the requests of a route. What each request needs stands first and together: among
/// thousands of routes it is found cold in memory.
#[repr(C, align(128))]
pub(crate) struct Route {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) policies: Arc<[Arc<dyn Policy>]>,
    pub(crate) name: RouteName,
    pub(crate) observers: Observers,
    /// What people want to know of it.
    pub(crate) told: Box<Told>,
}

/// What people want to know of a route.
pub(crate) struct Told {
    /// The names of its policies in the order in which they run.
    pub(crate) guards: Arc<[&'static str]>,
    /// What it ends in.
    pub(crate) end: String,
    /// The services in which it ends.
    pub(crate) services: Box<[&'static str]>,
}

/// Two lines of the processor's cache, which it fetches together.
const _: () = assert!(size_of::<Route>() == 128);

/// The policies of every request, for those that no route claims.
pub(crate) struct Unrouted {
    pub(crate) policies: Arc<[Arc<dyn Policy>]>,
    pub(crate) observers: Observers,
}

/// Who learns how a request ended. Held in place, for a gate of many routes finds each of them cold in memory.
pub(crate) struct Observers {
    pub(crate) metrics: Option<Metrics>,
    pub(crate) access_log: Option<Arc<AccessLog>>,
}

impl Observers {
    /// Tells them.
    pub(crate) fn ended(&self, cx: &Ctx, outcome: &Outcome<'_>) {
        let log: Option<&dyn Observer> = self.access_log.as_deref().map(|log| log as _);
        let metrics: Option<&dyn Observer> = self.metrics.as_ref().map(|metrics| metrics as _);
        for observer in log.into_iter().chain(metrics) {
            observer.ended(cx, outcome);
        }
    }

    /// Whether one of them wants the texts of the request, which are then kept until it ends.
    pub(crate) fn want_texts(&self) -> bool {
        self.access_log.is_some()
    }
}

/// Which listener it is, across reloads: the address that the file binds it to, and a number that tells those apart
/// which leave the port to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ListenerKey {
    pub(crate) bind: Bind,
    pub(crate) nth: usize,
}

/// What a listener is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bind {
    Tcp(SocketAddr),
    /// A path lives as long as the process, so that a key can be copied.
    Unix(&'static Path),
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bind::Tcp(address) => write!(f, "{address}"),
            Bind::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What holds for the connections of a listener.
pub(crate) struct ListenerRules {
    pub(crate) key: ListenerKey,
    /// Connections that are open, over all workers and across reloads.
    pub(crate) open: Arc<AtomicU32>,
    pub(crate) name: Arc<str>,
    /// The permissions of a Unix socket.
    pub(crate) mode: u32,
    pub(crate) settings: Settings,
    pub(crate) protocols: Protocols,
    /// Requests in progress on one connection of HTTP/2 or HTTP/3.
    pub(crate) max_streams: u32,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Networks whose connections begin with a header of the PROXY protocol.
    pub(crate) proxy_protocol: Vec<IpNet>,
    pub(crate) max_connections: u32,
    /// What one client may take, where that is limited.
    pub(crate) crowd: Option<Arc<Crowd>>,
    pub(crate) tls: Option<ListenerTls>,
    /// QUIC beside TLS, where HTTP/3 is spoken.
    pub(crate) quic: Option<Quic>,
    /// Whether backends see the certificates of clients, as `Client-Cert`.
    pub(crate) forward_certificates: bool,
    /// The port of HTTPS to which requests in clear text are redirected.
    pub(crate) redirect_to_https: Option<u16>,
    /// Fields of every answer on this listener, where it has any.
    pub(crate) answer: Option<Headers>,
}
