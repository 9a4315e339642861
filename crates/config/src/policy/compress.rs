//! Compression of responses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::schema::form;
use crate::units;

/// Compresses what goes to clients that can take it. Of several that apply to a route, the last one counts.
/// Short form: `true` or `false`.
///
/// Left as they are: what is encoded already or marked `no-transform`, parts of a whole (206), gRPC, and what no type of
/// the list names. A page that shows both a secret and what others can put into it must not be compressed over TLS, for
/// its length tells of the secret (BREACH): write `compress: false` for its route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("enabled"))]
pub struct Compress {
    /// Whether it is done: `false` takes a route out of what another set says.
    pub enabled: bool,
    /// The encodings, the most wanted first. Among those that a client likes equally the first one is taken.
    #[schemars(length(min = 1), transform = form::single)]
    pub encodings: Vec<Encoding>,
    /// What is known to be smaller goes out as it is.
    pub min_size: units::ByteSize,
    /// The types that are compressed: `application/json`, `text/*`, or `*+json` for a suffix.
    #[schemars(length(min = 1), transform = form::items("media-type"), transform = form::single)]
    pub types: Vec<String>,
    /// How hard each encoding tries: more takes longer and holds more memory.
    pub level: CompressLevel,
    /// Memory that the compressors of one worker may hold at a time. What comes when it is used up goes out as it is.
    pub memory: units::ByteSize,
}

/// How hard each encoding tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompressLevel {
    /// Of `zstd`.
    #[schemars(range(min = 1, max = 6))]
    pub zstd: u16,
    /// Of `br`.
    #[schemars(range(min = 1, max = 6))]
    pub br: u16,
    /// Of `gzip`.
    #[schemars(range(min = 1, max = 9))]
    pub gzip: u16,
}

/// An encoding of content, by its registered name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Zstandard (RFC 8878): the fastest, known to newer clients.
    Zstd,
    /// Brotli (RFC 7932): the smallest.
    Br,
    /// gzip (RFC 1952): known to every client.
    Gzip,
}

impl Default for Compress {
    fn default() -> Compress {
        Compress {
            enabled: true,
            encodings: defaults::compress_encodings(),
            min_size: defaults::compress_min_size(),
            types: defaults::compress_types(),
            level: CompressLevel::default(),
            memory: defaults::compress_memory(),
        }
    }
}

impl Default for CompressLevel {
    fn default() -> CompressLevel {
        defaults::compress_level()
    }
}
