//! The store whose counts may be lost.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::form;
use crate::secret::Secret;
use crate::units::written_as_text;
use crate::{defaults, units};

/// The soft store, whose counts may be lost: `memory` of this gate, or a Redis server (version 5 or later, or one that
/// speaks as it does) that several gates share. Short form: where it is.
///
/// While the server is away nobody waits for it: each limit says what becomes of its requests (`on_failure`), and the gate
/// looks for the server in the background. A server that is started anew has lost all counts, unless it keeps them itself.
/// It is one server, not a cluster of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("at"))]
pub struct SoftStore {
    /// `memory`, `redis://HOST:PORT`, or `rediss://HOST:PORT` over TLS; a number behind a slash chooses one of the
    /// server's databases. The port is 6379 unless it is written.
    pub at: SoftPlace,
    /// Who the gate is there. Without it the server's default user.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub username: Option<String>,
    /// What proves that.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A PEM file of authorities to verify the server by, in place of the system's.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub ca: Option<PathBuf>,
    /// How long an answer may take. When one is late, no request is let wait until the server has caught up.
    #[serde(default = "defaults::soft_store_deadline")]
    #[schemars(extend("format" = "timeout"))]
    pub deadline: units::Duration,
    /// How many gates share the server: what a limit allows is divided by it while the server is away.
    #[serde(default = "defaults::soft_store_nodes")]
    #[schemars(range(min = 1, max = 1024))]
    pub nodes: u16,
}

impl Default for SoftStore {
    fn default() -> SoftStore {
        SoftStore {
            at: SoftPlace::Memory,
            username: None,
            password: None,
            ca: None,
            deadline: defaults::soft_store_deadline(),
            nodes: defaults::soft_store_nodes(),
        }
    }
}

/// Where counts are kept that may be lost: `memory`, or `redis://HOST:PORT`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum SoftPlace {
    /// Each gate counts for itself, exactly over all its workers.
    #[default]
    Memory,
    /// All gates that name this server count together.
    Redis(RedisPlace),
}

/// A server of Redis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RedisPlace {
    /// Whether it is spoken to over TLS.
    pub tls: bool,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Which of its databases.
    pub database: u32,
}

/// The port that Redis is registered for.
const PORT: u16 = 6379;

written_as_text!(
    SoftPlace,
    "soft-store",
    "^(memory|rediss?://.+)$",
    [
        "memory",
        "redis://redis.internal:6379",
        "rediss://redis.internal:6380/1"
    ]
);

impl FromStr for SoftPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "memory" {
            return Ok(SoftPlace::Memory);
        }
        let wrong = || {
            format!(
                "`{text}` is no store; write `memory` or `redis://HOST:PORT`, such as `redis://redis.internal:6379`"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "redis" => false,
            "rediss" => true,
            _ => return Err(wrong()),
        };
        // Not repeated in the message: it may hold a secret.
        if rest.contains('@') {
            return Err(
                "a password doesn't stand in the address: write `soft: {at: redis://HOST:PORT, password: \
                        \"${REDIS_PASSWORD}\"}`"
                    .to_owned(),
            );
        }
        let (authority, database) = match rest.split_once('/') {
            None | Some((_, "")) => (rest.trim_end_matches('/'), 0),
            Some((authority, number)) => (authority, number.parse().map_err(|_| wrong())?),
        };
        // An IPv6 address stands in brackets (RFC 3986 §3.2.2).
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
                (host, after.strip_prefix(':').or(after.is_empty().then_some("")))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || !host.bytes().all(plain) {
            return Err(wrong());
        }
        let port = match port.ok_or_else(wrong)? {
            "" => PORT,
            port => port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
        };
        Ok(SoftPlace::Redis(RedisPlace {
            tls,
            host: host.to_owned(),
            port,
            database,
        }))
    }
}

impl fmt::Display for SoftPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SoftPlace::Redis(place) = self else {
            return f.write_str("memory");
        };
        f.write_str(if place.tls { "rediss://" } else { "redis://" })?;
        if place.host.contains(':') {
            write!(f, "[{}]:{}", place.host, place.port)?;
        } else {
            write!(f, "{}:{}", place.host, place.port)?;
        }
        match place.database {
            0 => Ok(()),
            number => write!(f, "/{number}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_back() {
        for (text, written) in [
            ("memory", "memory"),
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("redis://redis.internal", "redis://redis.internal:6379"),
            ("redis://redis.internal/", "redis://redis.internal:6379"),
            ("rediss://cache_1:6380/7", "rediss://cache_1:6380/7"),
            ("redis://[::1]:7000/1", "redis://[::1]:7000/1"),
            ("redis://[::1]", "redis://[::1]:6379"),
        ] {
            assert_eq!(text.parse::<SoftPlace>().unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn the_rest_is_refused() {
        for text in [
            "",
            "redis",
            "redis://",
            "redis:///1",
            "redis://a:0",
            "redis://a:99999",
            "redis://a/x",
            "redis://a/-1",
            "redis://[::1",
            "redis://[x]",
            "redis://[::1]x",
            "redis://a b",
            "valkey://x",
        ] {
            assert!(
                text.parse::<SoftPlace>().unwrap_err().contains("redis://HOST"),
                "{text}"
            );
        }
        let told = "redis://:hunter2@a:1".parse::<SoftPlace>().unwrap_err();
        assert!(told.contains("password") && !told.contains("hunter2"), "{told}");
    }
}
