//! How often clients may ask.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::formats;
use crate::schema::form;
use crate::units::{self, written_as_text};

/// How often a client may ask (429). Counted exactly over all workers of this node; a reload loses no count.
/// Short form: the quota.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("quota"))]
pub struct RateLimit {
    /// Requests in a period: `100/1m`.
    pub quota: units::Quota,
    /// How many may come at once. By default as many as the quota.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub burst: Option<u32>,
    /// What tells clients apart.
    #[serde(default)]
    pub by: RateLimitKey,
}

/// What tells clients apart: `client_ip`, `route` for all of them together, or `header:NAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum RateLimitKey {
    /// Their address; for IPv6 the /64 network.
    #[default]
    ClientIp,
    /// Nothing: all clients of a route share the quota.
    Route,
    /// The value of this header field; requests without it share one quota.
    Header(String),
}

written_as_text!(
    RateLimitKey,
    "rate-limit-key",
    "^(client_ip|route|header:.+)$",
    ["client_ip", "route", "header:X-Tenant"]
);

impl FromStr for RateLimitKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "client_ip" => Ok(RateLimitKey::ClientIp),
            "route" => Ok(RateLimitKey::Route),
            _ => match text.strip_prefix("header:") {
                Some(name) if formats::is_token(name) => Ok(RateLimitKey::Header(name.to_owned())),
                Some(name) => Err(format!("`{name}` is no name of a header field")),
                None => Err(format!(
                    "`{text}` tells no clients apart; write `client_ip`, `route` or `header:NAME`"
                )),
            },
        }
    }
}

impl fmt::Display for RateLimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RateLimitKey::ClientIp => f.write_str("client_ip"),
            RateLimitKey::Route => f.write_str("route"),
            RateLimitKey::Header(name) => write!(f, "header:{name}"),
        }
    }
}
