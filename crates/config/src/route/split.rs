//! Requests shared by several services.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mirror::Mirror;
use crate::formats;
use crate::units::written_as_text;

/// Several services that share the requests, such as a version that is in use and one that is tried.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToSplit {
    /// The services and their weights. Put the one that is in use first: when the weight of the last one grows, clients move
    /// to it and none comes back.
    #[schemars(length(min = 1))]
    pub split: Vec<Part>,
    /// What keeps a client with the part that it was given. By default nothing: each request is given anew, at random.
    #[serde(default)]
    pub by: Option<SplitKey>,
    /// A prefix of the path that the targets don't see. It must end between two segments.
    #[serde(default)]
    #[schemars(extend("format" = "path-prefix"))]
    pub strip: Option<String>,
    /// A service that gets a copy of the requests; its answers are thrown away.
    #[serde(default)]
    pub mirror: Option<Mirror>,
}

/// A service and its share of the requests.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The name of a service under `services`.
    #[schemars(extend("x-names" = "services"))]
    pub service: String,
    /// Its share, beside the weights of the others: per cent where they make a hundred together. 0 gets nothing.
    #[schemars(range(max = 1000))]
    pub weight: u32,
}

/// What keeps a client with one of several services: `client_ip` (for IPv6 the /64 network), `header:NAME`, or `cookie:NAME`.
/// Requests without that header field go by the client's address. A client without that cookie is given one with a random
/// value, for as long as its browser runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SplitKey {
    /// Its address; for IPv6 the /64 network.
    ClientIp,
    /// The value of this header field.
    Header(String),
    /// The value of this cookie.
    Cookie(String),
}

written_as_text!(
    SplitKey,
    "split-key",
    "^(client_ip|header:.+|cookie:.+)$",
    ["client_ip", "header:X-Tenant", "cookie:version"]
);

impl FromStr for SplitKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |name: &str, what: &str| match formats::is_token(name) {
            true => Ok(name.to_owned()),
            false => Err(format!("`{name}` is no name of a {what}")),
        };
        if text == "client_ip" {
            Ok(SplitKey::ClientIp)
        } else if let Some(name) = text.strip_prefix("header:") {
            named(name, "header field").map(SplitKey::Header)
        } else if let Some(name) = text.strip_prefix("cookie:") {
            named(name, "cookie").map(SplitKey::Cookie)
        } else {
            Err(format!(
                "`{text}` tells no clients apart; write `client_ip`, `header:NAME` or `cookie:NAME`"
            ))
        }
    }
}

impl fmt::Display for SplitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SplitKey::ClientIp => f.write_str("client_ip"),
            SplitKey::Header(name) => write!(f, "header:{name}"),
            SplitKey::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

impl ToSplit {
    /// What makes no sense in it: the key, and why.
    pub(crate) fn contradictions(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.split.iter().all(|part| part.weight == 0) {
            let message = "every weight is 0, so nobody would answer; give at least one service a weight";
            found.push(("split".to_owned(), message.to_owned()));
        }
        for (at, part) in self.split.iter().enumerate() {
            if self.split[..at].iter().any(|other| other.service == part.service) {
                let message = format!("`{}` is in the list already; add the weights up", part.service);
                found.push((format!("split[{at}].service"), message));
            }
        }
        if let Some(mirror) = &self.mirror {
            let served = self.split.iter().filter(|part| part.weight > 0);
            found.extend(mirror.contradictions(served.map(|part| part.service.as_str())));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_written_back() {
        for text in ["client_ip", "header:X-Tenant", "cookie:version"] {
            let key: SplitKey = text.parse().expect("it is a key");
            assert_eq!(key.to_string(), text);
        }
        for text in ["", "ip", "header:", "header:a b", "cookie:a=b", "cookie", "path"] {
            assert!(text.parse::<SplitKey>().is_err(), "{text}");
        }
    }
}
