//! Which target gets the next request.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::formats;
use crate::schema::form;
use crate::secret::Secret;
use crate::units::{self, Percent, written_as_text};

/// Which target gets the next request. All ways go by the weights of the targets. Short form: the algorithm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("algorithm"))]
pub struct Balance {
    /// How a target is chosen.
    pub algorithm: Algorithm,
    /// For `consistent_hash`, what requests have in common that go to the same target.
    #[serde(default)]
    pub by: Option<BalanceKey>,
    /// For `consistent_hash`, the most requests in progress that a target may have, of its fair part of all of them: `125%` is
    /// a quarter more. What comes beyond goes to another target. By default there is no such bound, and a busy key
    /// makes for a busy target. Among more than 64 targets the sum may be a millisecond old, and the bound as inexact.
    #[serde(default)]
    pub bounded_load: Option<Percent>,
}

/// How a target is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// One after the other.
    #[default]
    RoundRobin,
    /// The one with fewer requests in progress of two chosen at random. Where they have as many and one is more than twice as
    /// slow as the other, the quicker one. Good where requests take differently long.
    LeastRequest,
    /// The one of two chosen at random that would answer sooner, by its latency of late and its requests in progress. It
    /// leaves slow targets alone and tries them again from time to time. Good where targets are differently fast or far away.
    Ewma,
    /// Any.
    Random,
    /// The same one for the same key (`by`), on every node and after every restart. When a target goes, its keys alone move;
    /// requests without the key go to any.
    ConsistentHash,
}

/// What requests have in common that go to the same target: `client_ip` (for IPv6 the /64 network), `path` (without the
/// query), `header:NAME`, or `cookie:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BalanceKey {
    /// The client's address; for IPv6 the /64 network.
    ClientIp,
    /// The path in its normal form, without the query.
    Path,
    /// The value of this header field.
    Header(String),
    /// The value of this cookie.
    Cookie(String),
}

written_as_text!(
    BalanceKey,
    "balance-key",
    "^(client_ip|path|header:.+|cookie:.+)$",
    ["client_ip", "path", "header:X-User", "cookie:session"]
);

impl FromStr for BalanceKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |name: &str, what: &str| match formats::is_token(name) {
            true => Ok(name.to_owned()),
            false => Err(format!("`{name}` is no name of a {what}")),
        };
        match (text, text.split_once(':')) {
            ("client_ip", _) => Ok(BalanceKey::ClientIp),
            ("path", _) => Ok(BalanceKey::Path),
            (_, Some(("header", name))) => named(name, "header field").map(BalanceKey::Header),
            (_, Some(("cookie", name))) => named(name, "cookie").map(BalanceKey::Cookie),
            _ => Err(format!(
                "`{text}` holds no requests together; write `client_ip`, `path`, `header:NAME` or `cookie:NAME`"
            )),
        }
    }
}

impl fmt::Display for BalanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BalanceKey::ClientIp => f.write_str("client_ip"),
            BalanceKey::Path => f.write_str("path"),
            BalanceKey::Header(name) => write!(f, "header:{name}"),
            BalanceKey::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

impl Balance {
    /// What makes no sense in it: the key, and why.
    pub(crate) fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.algorithm != Algorithm::ConsistentHash {
            let message = "only `algorithm: consistent_hash` has it; remove one of the two";
            let written = [("by", self.by.is_some()), ("bounded_load", self.bounded_load.is_some())];
            let keys = written.into_iter().filter(|(_, is_there)| *is_there);
            found.extend(keys.map(|(key, _)| (key, message.to_owned())));
            return found;
        }
        if self.by.is_none() {
            let message = "`by` is missing: write what requests have in common that go to the same target, such as `by: client_ip`";
            found.push(("algorithm", message.to_owned()));
        }
        if self.bounded_load.is_some_and(|load| load < Percent::whole(100)) {
            let message = "with less than `100%` of its fair part for each target, some requests would find none";
            found.push(("bounded_load", message.to_owned()));
        }
        found
    }
}

/// Keeps a client with the target that answered it first, by a cookie. The cookie names the target in a way that only the gate can
/// read and make; one that is forged or damaged is ignored and replaced. A target that is drained, fails or was tried in
/// vain is left for another one, which the cookie names from then on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sticky {
    /// The name of the cookie. It is set for the whole host with `HttpOnly` and `SameSite=Lax`, and with `Secure` when the
    /// client speaks TLS. A name that begins with `__Host-` keeps other hosts of the domain from setting it.
    #[schemars(extend("format" = "cookie-name"))]
    pub cookie: String,
    /// What the cookie is encrypted with: 16 bytes at least, the same on every node. With another one, clients are assigned
    /// anew.
    pub key: Secret,
    /// How long clients keep the cookie. By default until the browser ends.
    #[serde(default)]
    #[schemars(extend("format" = "timeout"))]
    pub max_age: Option<units::Duration>,
}

/// The least bytes of a key: as many as an attacker could not guess.
const SHORTEST_KEY: usize = 16;

impl Sticky {
    /// What makes no sense in it: the key, and why.
    pub(crate) fn contradictions(&self) -> Option<(&'static str, String)> {
        let message = format!("the secret has fewer than {SHORTEST_KEY} bytes, and could be guessed");
        (self.key.expose().len() < SHORTEST_KEY).then_some(("key", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_written_back() {
        for text in ["client_ip", "path", "header:X-User", "cookie:session"] {
            let key: BalanceKey = text.parse().expect("it is a key");
            assert_eq!(key.to_string(), text);
        }
        for text in ["", "ip", "header", "header:", "cookie:a b", "path:/", "query:x"] {
            assert!(text.parse::<BalanceKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_hash_needs_a_key_and_nothing_else_does() {
        let found = |algorithm, by: Option<BalanceKey>, bound: Option<u32>| {
            let balance = Balance {
                algorithm,
                by,
                bounded_load: bound.map(Percent::whole),
            };
            let found = balance.contradictions();
            found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        let path = || Some(BalanceKey::Path);
        assert_eq!(found(Algorithm::Ewma, None, None), Vec::<&str>::new());
        assert_eq!(found(Algorithm::Random, path(), Some(150)), ["by", "bounded_load"]);
        assert_eq!(found(Algorithm::ConsistentHash, None, None), ["algorithm"]);
        assert_eq!(found(Algorithm::ConsistentHash, path(), Some(100)), Vec::<&str>::new());
        assert_eq!(found(Algorithm::ConsistentHash, path(), Some(99)), ["bounded_load"]);
    }
}
