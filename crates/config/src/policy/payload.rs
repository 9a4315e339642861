//! What the content of requests may be made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults::policies as defaults;
use crate::schema::form;
use crate::units;

/// Limits what the content of requests is made of, before anything else reads it: compressed content is decompressed, and JSON and
/// XML are held against limits of their parts. The defaults are for APIs: `payload: true`. Of several that apply to a route, the last
/// one counts.
///
/// JSON and XML are known by their media types; content of other types passes unread, but for its compression. List what a service
/// takes under `content_types`, so that nothing passes for something else.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("enabled"))]
pub struct Payload {
    /// Whether it applies: `false` takes a route out of what another set says.
    pub enabled: bool,
    /// The media types that content may have (415): `application/json`, `text/*`, or `*+json` for a suffix. By default any.
    #[schemars(transform = form::items("media-type"), transform = form::single)]
    pub content_types: Vec<String>,
    /// The largest content that is read (413), as it comes: what is decompressed or judged is read whole before the request goes on.
    pub max: units::ByteSize,
    /// Whether content that comes compressed is decompressed, so that what stands behind sees what it says. Encodings are `gzip`,
    /// `br` and `zstd`, one at a time; others are refused (415). Digests of the content as it came (`Content-Digest`) are taken out.
    /// Where it is `false`, compressed JSON and XML are refused.
    pub decompress: Decompress,
    /// What JSON may be made of (422): `application/json` and what ends in `+json`.
    pub json: JsonLimits,
    /// What XML may be made of (422): `application/xml`, `text/xml` and what ends in `+xml`. Document types, entities that one would
    /// declare, processing instructions and inclusions are refused always.
    pub xml: XmlLimits,
}

/// How far content may grow when it is decompressed (413). Short form: `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("enabled"))]
pub struct Decompress {
    /// Whether it is done.
    pub enabled: bool,
    /// The largest content after it is decompressed.
    pub max: units::ByteSize,
    /// How many times as large it may become. What stays below 64 KiB may grow more.
    #[schemars(range(min = 1, max = 100_000))]
    pub ratio: u32,
}

/// What JSON may be made of. Short form: `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("enabled"))]
pub struct JsonLimits {
    /// Whether JSON is looked at: by `false` it passes unread.
    pub enabled: bool,
    /// How deep lists and objects may stand in each other.
    #[schemars(range(min = 1, max = 1000))]
    pub depth: u32,
    /// The most members of one object.
    #[schemars(range(min = 1))]
    pub keys: u32,
    /// The most values in all; lists and objects count, too.
    #[schemars(range(min = 1))]
    pub values: u32,
    /// The longest text, as it is written.
    pub string: units::ByteSize,
    /// The longest name of a member in bytes, as it is written.
    #[schemars(range(min = 1))]
    pub key: u32,
    /// The longest number in characters: programs that read numbers of any length need long for them.
    #[schemars(range(min = 1))]
    pub number: u32,
    /// What becomes of an object that has a member twice: which of them counts is for each program to say.
    pub duplicates: Duplicates,
}

/// What becomes of members that are there twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// They are refused.
    #[default]
    Refuse,
    /// They pass.
    Allow,
}

/// What XML may be made of. Short form: `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = form::short("enabled"))]
pub struct XmlLimits {
    /// Whether XML is looked at: by `false` it passes unread.
    pub enabled: bool,
    /// How deep elements may stand in each other.
    #[schemars(range(min = 1, max = 1000))]
    pub depth: u32,
    /// The most elements in all.
    #[schemars(range(min = 1))]
    pub elements: u32,
    /// The most attributes of one element, with declarations of namespaces.
    #[schemars(range(min = 1))]
    pub attributes: u32,
    /// The longest text between two tags, value of an attribute or comment, as it is written.
    pub text: units::ByteSize,
    /// The longest name of an element or an attribute in bytes, with its prefix.
    #[schemars(range(min = 1))]
    pub name: u32,
}

impl Default for Payload {
    fn default() -> Payload {
        Payload {
            enabled: true,
            content_types: Vec::new(),
            max: defaults::validated_body(),
            decompress: Decompress::default(),
            json: JsonLimits::default(),
            xml: XmlLimits::default(),
        }
    }
}

impl Default for Decompress {
    fn default() -> Decompress {
        defaults::decompress()
    }
}

impl Default for JsonLimits {
    fn default() -> JsonLimits {
        defaults::json_limits()
    }
}

impl Default for XmlLimits {
    fn default() -> XmlLimits {
        defaults::xml_limits()
    }
}
