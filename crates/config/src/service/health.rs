//! Checks of a service's targets, beside the requests of clients.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Protocol;
use crate::schema::form;
use crate::units::written_as_text;
use crate::{defaults, units};

/// Checks of each target, by this node once for each service, however many routes lead to it. A target whose checks fail gets no
/// requests, unless so many fail that `panic_threshold` holds. It counts as healthy until its first check, which decides
/// at once. Short form: the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("path"))]
pub struct Health {
    /// What is asked for, with its query: a path that says whether the target can do its work, and costs little. Only for
    /// `kind: http`.
    #[schemars(extend("format" = "check-path"))]
    pub path: String,
    /// What a check does.
    pub kind: HealthKind,
    /// The time between two checks, a tenth more or less. A result that contradicts what is known of the target is checked
    /// again after a quarter of it.
    #[schemars(extend("format" = "timeout"))]
    pub every: units::Duration,
    /// How long a check may take, with the connection that it makes.
    #[schemars(extend("format" = "timeout"))]
    pub timeout: units::Duration,
    /// Checks in a row that must pass until a target gets requests again.
    #[schemars(range(min = 1, max = 100))]
    pub healthy: u32,
    /// Checks in a row that must fail until a target gets no more requests.
    #[schemars(range(min = 1, max = 100))]
    pub unhealthy: u32,
    /// The statuses of a response that passes, such as `200-299` or `[200, 204, 401]`. Redirections are not followed. Only for
    /// `kind: http`.
    #[schemars(length(min = 1), transform = form::single)]
    pub status: Vec<StatusRange>,
    /// A text that must be in the first 64 KiB of the response. Only for `kind: http`.
    #[schemars(length(min = 1))]
    pub body: Option<String>,
    /// The method of the request. Only for `kind: http`.
    pub method: HealthMethod,
    /// The port to connect to, in place of the target's own.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The `Host` of the request, in place of the target's own. The name that the certificate must have stays the same.
    #[schemars(extend("format" = "authority"))]
    pub host: Option<String>,
    /// The service that `kind: grpc` asks after. By default the server as a whole.
    #[schemars(length(min = 1))]
    pub grpc_service: Option<String>,
}

impl Default for Health {
    fn default() -> Self {
        defaults::health()
    }
}

impl Health {
    /// What is written and can't be meant: the key, and why.
    pub(crate) fn contradictions(&self, protocol: Protocol) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let only = |kind: &str| format!("only `kind: {kind}` has it; remove one of the two");
        let (http, grpc) = (self.kind == HealthKind::Http, self.kind == HealthKind::Grpc);
        if self.body.is_some() && !http {
            found.push(("body", only("http")));
        }
        if self.body.is_some() && self.method == HealthMethod::Head {
            found.push(("body", "the response to HEAD has no body; take `method` out".to_owned()));
        }
        if self.grpc_service.is_some() && !grpc {
            found.push(("grpc_service", only("grpc")));
        }
        if self.host.is_some() && !http && !grpc {
            found.push(("host", "`kind: tcp` sends no request; remove one of the two".to_owned()));
        }
        if grpc && protocol == Protocol::Http1 {
            let why = "gRPC is spoken over HTTP/2; the service needs `protocol: http2`";
            found.push(("kind", why.to_owned()));
        }
        found
    }
}

/// What a check does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthKind {
    /// It sends a request of HTTP, in the protocol that requests of clients take, and looks at the response.
    #[default]
    Http,
    /// It makes a connection, with a TLS handshake for `https`.
    Tcp,
    /// It asks by the health checking protocol of gRPC (`grpc.health.v1.Health/Check`), and passes for `SERVING`.
    Grpc,
}

/// The method of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the registered names say it")]
pub enum HealthMethod {
    #[default]
    Get,
    Head,
    Options,
    Post,
}

/// A status or a range of statuses: `200` or `200-299`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    first: u16,
    last: u16,
}

written_as_text!(
    StatusRange,
    "status-range",
    "^[2-5][0-9]{2}(-[2-5][0-9]{2})?$",
    ["200", "200-299"]
);

impl StatusRange {
    /// From the first status to the last one.
    pub(crate) const fn new(first: u16, last: u16) -> StatusRange {
        StatusRange { first, last }
    }

    /// The first status and the last one, and all between.
    pub fn range(self) -> std::ops::RangeInclusive<u16> {
        self.first..=self.last
    }

    /// Whether a status is one of them.
    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

impl FromStr for StatusRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let status = |text: &str| {
            let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|status| digits && (200..600).contains(status))
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (status(first), status(last)) {
            (Some(first), Some(last)) if first <= last => Ok(StatusRange { first, last }),
            _ => Err(format!(
                "`{text}` is no status of a response; write one from 200 to 599, or a range such as `200-299`"
            )),
        }
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_and_written_back() {
        for (text, within, without) in [("200", 200, 201), ("200-299", 299, 300), ("200-200", 200, 199)] {
            let range: StatusRange = text.parse().expect("it is a range");
            assert!(range.contains(within) && !range.contains(without), "{text}");
            assert_eq!(range.to_string().parse(), Ok(range));
        }
        for text in [
            "",
            "2xx",
            "99",
            "101",
            "600",
            "299-200",
            "200-",
            "-200",
            "200-299-300",
            "+200",
        ] {
            assert!(text.parse::<StatusRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_kind_does_not_have_is_found() {
        let found = |health: Health, protocol| {
            let found = health.contradictions(protocol);
            found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        let text = || Some("x".to_owned());
        assert_eq!(found(Health::default(), Protocol::Http1), Vec::<&str>::new());
        let tcp = Health {
            kind: HealthKind::Tcp,
            body: text(),
            host: text(),
            grpc_service: text(),
            ..Health::default()
        };
        assert_eq!(found(tcp, Protocol::Http1), ["body", "grpc_service", "host"]);
        let grpc = Health {
            kind: HealthKind::Grpc,
            grpc_service: text(),
            ..Health::default()
        };
        assert_eq!(found(grpc.clone(), Protocol::Http1), ["kind"]);
        assert_eq!(found(grpc, Protocol::Http2), Vec::<&str>::new());
        let head = Health {
            method: HealthMethod::Head,
            body: text(),
            ..Health::default()
        };
        assert_eq!(found(head, Protocol::Auto), ["body"]);
    }
}
