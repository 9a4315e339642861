//! Services: pools of upstream servers.

pub mod discover;

mod adaptive_concurrency;
mod balance;
mod circuit_breaker;
mod health;
mod max_pending;
mod outlier;
mod retry;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::discover::Discover;
use crate::listener::TlsVersion;
use crate::schema::form;
use crate::{defaults, units};

pub use adaptive_concurrency::AdaptiveConcurrency;
pub use balance::{Algorithm, Balance, BalanceKey, Sticky};
pub use circuit_breaker::CircuitBreaker;
pub use health::{Health, HealthKind, HealthMethod, StatusRange};
pub use max_pending::MaxPending;
pub use outlier::Outlier;
pub use retry::{GrpcStatus, Hedge, HedgeDelay, Retry, RetryBudget, RetryOn};

/// A pool of upstream servers that do the same. Short form: a list of targets, or one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("targets"))]
pub struct Service {
    /// The servers.
    #[serde(default)]
    #[schemars(transform = form::single)]
    pub targets: Vec<Target>,
    /// Where the service learns of more targets, as long as the gate runs.
    #[serde(default)]
    pub discover: Option<Discover>,
    /// Which target gets the next request.
    #[serde(default)]
    pub balance: Balance,
    /// Keep each client with the target that answered it first. By default requests of a client are independent.
    #[serde(default)]
    pub sticky: Option<Sticky>,
    /// How long the share of a target grows from a tenth to the whole after it came, came back or became healthy, so that it
    /// can fill its caches. With 0 it has all of it at once.
    #[serde(default = "defaults::slow_start")]
    pub slow_start: units::Duration,
    /// When less than this share of the targets of a priority are healthy and no other priority can help, the unhealthy ones
    /// are used too (but those that are draining): a health check that is wrong is worse than a server that is, and the few
    /// would be crushed. With `0%` they never are, and requests fail (503) when there is no healthy target.
    #[serde(default = "defaults::panic_threshold")]
    pub panic_threshold: units::Percent,
    /// How long a target may take.
    #[serde(default)]
    pub timeout: ServiceTimeout,
    /// What is spoken with the targets.
    #[serde(default)]
    pub protocol: Protocol,
    /// Requests to each target that are in progress at a time, over all workers (503 beyond it): as many connections in
    /// HTTP/1.1, and streams in HTTP/2. Idle connections are limited by `keep_alive`.
    #[serde(default = "defaults::max_connections")]
    #[schemars(range(min = 1))]
    pub max_connections: u32,
    /// Requests that wait while every target has so many.
    #[serde(default)]
    pub max_pending: MaxPending,
    /// When a request that failed is sent again.
    #[serde(default)]
    pub retry: Retry,
    /// A second attempt beside the first, when that takes longer than most do.
    #[serde(default)]
    pub hedge: Option<Hedge>,
    /// Checks of each target, beside the requests of clients. By default there are none.
    #[serde(default)]
    pub health: Option<Health>,
    /// When a target is left alone for a while because of what requests met.
    #[serde(default)]
    pub outlier: Outlier,
    /// When the service is left alone as a whole. By default it never is.
    #[serde(default)]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// A limit for the requests in progress that follows what the service can take. By default there is none but
    /// `max_connections`.
    #[serde(default)]
    pub adaptive_concurrency: Option<AdaptiveConcurrency>,
    /// Connections that are kept open between requests.
    #[serde(default)]
    pub keep_alive: KeepAlive,
    /// The `Host` that targets see.
    #[serde(default)]
    pub host: HostHeader,
    /// Begin each connection with a header of the PROXY protocol, which tells the target who the client is. A connection
    /// then serves one request only, for the next one may be another client's. Not together with HTTP/2.
    #[serde(default)]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// How targets with `https` are verified.
    #[serde(default)]
    pub tls: ServiceTls,
}

/// A server of a service. Short form: its URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("url"))]
pub struct Target {
    /// `http://host:port` or `https://host:port`, without a path, or `unix:PATH` for a socket of this machine. Each address
    /// of a host name is a target of its own.
    #[schemars(extend("format" = "target-url"))]
    pub url: String,
    /// Its share of the requests, beside the weights of the others.
    #[serde(default = "defaults::weight")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
    /// Targets of the lowest number get the requests. Those of the next one get what these can't take, when too few of them
    /// are healthy.
    #[serde(default)]
    #[schemars(range(max = 7))]
    pub priority: u8,
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// What is spoken with targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, as gRPC needs it: `https` targets must offer it (ALPN `h2`), and `http` ones are taken to speak it.
    Http2,
    /// What an `https` target chooses of the two, and HTTP/1.1 with `http` ones.
    Auto,
}

/// How long a target may take.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceTimeout {
    /// To accept a connection, with its TLS handshake (504).
    #[schemars(extend("format" = "timeout"))]
    pub connect: units::Duration,
    /// From the end of the request to the response's head (504).
    #[schemars(extend("format" = "timeout"))]
    pub first_byte: units::Duration,
    /// From the request's first byte to the response's last. By default there is no such limit, because downloads and
    /// streams may rightly take long.
    #[schemars(extend("format" = "timeout"))]
    pub request: Option<units::Duration>,
    /// Between two pieces of the response's body, or of the request's that the target takes.
    #[schemars(extend("format" = "timeout"))]
    pub idle: units::Duration,
    /// The name of the field in which targets are told how many milliseconds are left of `request`. Clients may shorten that
    /// time by sending the field. Calls of gRPC have `grpc-timeout` for it, always.
    #[schemars(extend("format" = "editable-field-name"))]
    pub header: Option<String>,
}

impl Default for ServiceTimeout {
    fn default() -> Self {
        defaults::service_timeout()
    }
}

/// Connections that are kept open between requests.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeepAlive {
    /// For each target and worker, at the most.
    pub connections: u16,
    /// For how long without a request.
    pub idle: units::Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        defaults::keep_alive()
    }
}

/// The `Host` that targets see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostHeader {
    /// The one that the client sent.
    #[default]
    Preserve,
    /// The target's own host and port.
    Target,
}

/// How targets with `https` are verified, and what the gate shows them. Verification can't be switched off. Files are
/// read anew by a reload.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceTls {
    /// A PEM file of authorities to trust in place of the system's.
    #[schemars(extend("format" = "path"))]
    pub ca: Option<PathBuf>,
    /// The name that the certificate must have, in place of the target's host.
    #[schemars(extend("format" = "host-name"))]
    pub server_name: Option<String>,
    /// A PEM file with the certificate that the gate shows to targets that ask for one, and its chain. It needs `key`.
    #[schemars(extend("format" = "path"))]
    pub cert: Option<PathBuf>,
    /// The PEM file of the private key of `cert`.
    #[schemars(extend("format" = "path"))]
    pub key: Option<PathBuf>,
    /// The oldest version to speak.
    pub min_version: TlsVersion,
}
