//! How often clients may ask.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::formats;
use crate::schema::form;
use crate::units::{self, written_as_text};

/// How often a client may ask (429). Counted exactly over all workers of this node, or over all nodes with the store
/// `soft`; a reload loses no count. Short form: the quota.
///
/// Requests are spread evenly: `100/1m` lets one through each 0.6 s, and `burst` of them at once after a pause. So in any
/// minute it lets through at most 100 and a burst. A limit whose `by`, `cost` or `when` asks who the client is stands
/// behind what finds that out; every other one stands before, so that guessing is limited, too.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = form::short("quota"))]
pub struct RateLimit {
    /// Requests in a period: `100/1m`. Of several, such as `[10/1s, 1000/1h]`, each must let a request through; one that
    /// doesn't takes nothing from the others.
    #[schemars(length(min = 1, max = 4), transform = form::single)]
    pub quota: Vec<units::Quota>,
    /// How many may come at once: a number for each quota, in their order. By default as many as the quota.
    #[serde(default)]
    #[schemars(length(max = 4), inner(range(min = 1)), transform = form::single)]
    pub burst: Vec<u32>,
    /// What tells clients apart. Of several, such as `[consumer, route]`, each combination has its own count.
    #[serde(default = "by_address")]
    #[schemars(length(min = 1, max = 4), transform = form::single)]
    pub by: Vec<RateLimitKey>,
    /// What a request counts as: a number, or a CEL expression of one. By default 1.
    #[serde(default)]
    pub cost: RateLimitCost,
    /// A CEL expression: only requests for which it is true are counted.
    #[serde(default)]
    pub when: Option<String>,
    /// What clients see the limit under. By default the name of the set of policies, or of the route.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64))]
    pub name: Option<String>,
    /// What answers tell of the limit.
    #[serde(default)]
    pub headers: RateLimitHeaders,
    /// Where it is counted. By default in the soft store, where the file names a server for it, or else on this node.
    #[serde(default)]
    pub store: Option<RateLimitStore>,
    /// What becomes of requests while the soft store is away. None waits for it longer than its `deadline`.
    #[serde(default)]
    pub on_failure: RateLimitFallback,
}

fn by_address() -> Vec<RateLimitKey> {
    vec![RateLimitKey::ClientIp]
}

/// What tells clients apart. What a request doesn't have counts as one value that all such requests share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum RateLimitKey {
    /// Their address; for IPv6 the /64 network.
    #[default]
    ClientIp,
    /// Nothing: all clients of a route share the quota.
    Route,
    /// Who they were found to be.
    Consumer,
    /// The value of this header field.
    Header(String),
    /// A claim of their token, by its path: `tenant`, or `realm.id` for one inside of another.
    Claim(String),
    /// What a part of the route's path matched.
    Param(String),
    /// What a CEL expression gives.
    Cel(String),
}

written_as_text!(
    RateLimitKey,
    "rate-limit-key",
    "^(client_ip|route|consumer|(header|claim|param|cel):.+)$",
    [
        "client_ip",
        "route",
        "consumer",
        "header:X-Tenant",
        "claim:tenant",
        "param:id",
        "cel:request.method"
    ]
);

const KEYS: &str = "`client_ip`, `route`, `consumer`, `header:NAME`, `claim:PATH`, `param:NAME` or `cel:EXPRESSION`";

impl FromStr for RateLimitKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = match text {
            "client_ip" => return Ok(RateLimitKey::ClientIp),
            "route" => return Ok(RateLimitKey::Route),
            "consumer" => return Ok(RateLimitKey::Consumer),
            _ => text.split_once(':').map(|(kind, name)| (kind, name.trim())),
        };
        match named {
            Some(("header", name)) if formats::is_token(name) => Ok(RateLimitKey::Header(name.to_owned())),
            Some(("header", name)) => Err(format!("`{name}` is no name of a header field")),
            Some(("claim" | "param" | "cel", "")) => Err(format!("nothing follows the colon; write {KEYS}")),
            Some(("claim", path)) => Ok(RateLimitKey::Claim(path.to_owned())),
            Some(("param", name)) => Ok(RateLimitKey::Param(name.to_owned())),
            Some(("cel", expression)) => Ok(RateLimitKey::Cel(expression.to_owned())),
            _ => Err(format!("`{text}` tells no clients apart; write {KEYS}")),
        }
    }
}

impl fmt::Display for RateLimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RateLimitKey::ClientIp => f.write_str("client_ip"),
            RateLimitKey::Route => f.write_str("route"),
            RateLimitKey::Consumer => f.write_str("consumer"),
            RateLimitKey::Header(name) => write!(f, "header:{name}"),
            RateLimitKey::Claim(path) => write!(f, "claim:{path}"),
            RateLimitKey::Param(name) => write!(f, "param:{name}"),
            RateLimitKey::Cel(expression) => write!(f, "cel:{expression}"),
        }
    }
}

/// What a request counts as: a number, or a CEL expression of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RateLimitCost {
    /// The same for each.
    Number(u32),
    /// What the expression gives, without its fraction. A request for which it is no number from 0 on is refused (503,
    /// `guard_unavailable`).
    Cel(String),
}

written_as_text!(
    RateLimitCost,
    "rate-limit-cost",
    "^.+$",
    ["1", "10", "request.method == 'GET' ? 1 : 5"]
);

impl Default for RateLimitCost {
    fn default() -> RateLimitCost {
        RateLimitCost::Number(1)
    }
}

impl FromStr for RateLimitCost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text.trim(), text.trim().parse::<u32>()) {
            ("", _) => Err("nothing is no cost; write a number or a CEL expression".to_owned()),
            (_, Ok(0)) => Err("a cost of 0 limits nobody; take the limit out, or write a CEL expression".to_owned()),
            (_, Ok(number)) => Ok(RateLimitCost::Number(number)),
            (expression, Err(_)) if expression.contains('\0') => {
                Err("a CEL expression holds no zero byte; write it as `\\x00` in a text".to_owned())
            }
            (expression, Err(_)) => Ok(RateLimitCost::Cel(expression.to_owned())),
        }
    }
}

impl fmt::Display for RateLimitCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RateLimitCost::Number(number) => write!(f, "{number}"),
            RateLimitCost::Cel(expression) => f.write_str(expression),
        }
    }
}

/// What answers tell of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitHeaders {
    /// `RateLimit-Policy` and `RateLimit` as revision 11 of draft-ietf-httpapi-ratelimit-headers has them: all limits that
    /// the request met, each by its name.
    #[default]
    Ietf11,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (in seconds from now), of that limit of which
    /// the least is left.
    Legacy,
    /// Nothing but `Retry-After` with a refusal.
    Off,
}

/// Where a limit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitStore {
    /// In the soft store of the file: with Redis, all nodes that name the same server and limit count together.
    Soft,
    /// On this node, over all its workers.
    Node,
}

/// What becomes of requests while the soft store is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitFallback {
    /// This node goes on with its share: the quota and burst divided by `nodes` of the store. Its counts begin anew each
    /// time.
    #[default]
    Local,
    /// They are refused (503, `guard_unavailable`).
    Deny,
    /// They are let through, uncounted.
    Admit,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_written_back() {
        for text in [
            "client_ip",
            "route",
            "consumer",
            "header:X-Tenant",
            "claim:realm.id",
            "param:id",
            "cel:request.path + ':' + request.method",
        ] {
            assert_eq!(text.parse::<RateLimitKey>().unwrap().to_string(), text);
        }
        let spaced: RateLimitKey = "cel: request.path".parse().unwrap();
        assert_eq!(spaced, RateLimitKey::Cel("request.path".to_owned()));
        for (text, said) in [
            ("ip", "tells no clients apart"),
            ("", "tells no clients apart"),
            ("header:", "no name of a header field"),
            ("header:X Y", "no name of a header field"),
            ("claim:", "nothing follows"),
            ("cel: ", "nothing follows"),
            ("cookie:a", "tells no clients apart"),
        ] {
            let message = text.parse::<RateLimitKey>().unwrap_err();
            assert!(message.contains(said), "{text}: {message}");
        }
    }

    #[test]
    fn a_cost_is_a_number_or_an_expression() {
        assert_eq!("5".parse::<RateLimitCost>().unwrap(), RateLimitCost::Number(5));
        let expression = "request.method == 'GET' ? 1 : 5";
        assert_eq!(
            expression.parse::<RateLimitCost>().unwrap(),
            RateLimitCost::Cel(expression.to_owned())
        );
        assert!("0".parse::<RateLimitCost>().unwrap_err().contains("limits nobody"));
        assert!(" ".parse::<RateLimitCost>().unwrap_err().contains("no cost"));
    }
}
