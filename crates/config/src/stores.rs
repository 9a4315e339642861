//! Where the gate keeps what it is told to remember.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::written_as_text;

/// Where the gate keeps what it is told to remember: what must not be lost in the one store, and what may in the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stores {
    /// The durable store: keys that operators add (`api_key` with `store`), units used of a `quota`, and the answers that
    /// `idempotency` repeats. `sqlite:PATH`, relative to the configuration file; the file is created where it is missing, and
    /// nobody else may write it. By default `portcullis.db` in the folder that `state` names; without either, what needs the
    /// store can't be used.
    #[schemars(extend("format" = "database-url"))]
    pub durable: Option<String>,
    /// The soft store, whose counts may be lost: `memory` of this gate, or the Redis that several gates share.
    pub soft: Soft,
}

/// Where counts are kept that may be lost: `memory`, or `redis://HOST:PORT`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Soft {
    /// Each gate counts for itself, exactly over all its workers.
    #[default]
    Memory,
    /// All gates that name this server, `redis://HOST:PORT[/DATABASE]`, count together.
    Redis(String),
}

written_as_text!(
    Soft,
    "soft-store",
    "^(memory|redis://.+)$",
    ["memory", "redis://redis.internal:6379"]
);

impl FromStr for Soft {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("redis://") {
            Some(rest) if !rest.is_empty() => Ok(Soft::Redis(text.to_owned())),
            None if text == "memory" => Ok(Soft::Memory),
            _ => Err(format!(
                "`{text}` is no store; write `memory` or `redis://HOST:PORT`, such as `redis://redis.internal:6379`"
            )),
        }
    }
}

impl fmt::Display for Soft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Soft::Memory => f.write_str("memory"),
            Soft::Redis(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_back() {
        for text in ["memory", "redis://127.0.0.1:6379"] {
            assert_eq!(text.parse::<Soft>().unwrap().to_string(), text);
        }
        for text in ["", "redis", "redis://", "valkey://x"] {
            assert!(text.parse::<Soft>().unwrap_err().contains("redis://HOST"), "{text}");
        }
    }
}
