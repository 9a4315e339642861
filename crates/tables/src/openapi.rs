//! What a caller may ask of an API, as an OpenAPI document (3.1), and as a page for people.
//!
//! It holds nothing but what the API exposes and the caller's rules admit: a resource without a rule for the caller isn't
//! in it, nor are columns that can't be read. So it depends on the API and on [`Visible`] alone, and callers who see the
//! same share it.

mod answer;
mod call;
mod index;
mod page;
mod parameter;
mod resource;
mod schema;
mod transaction;

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

pub use self::page::{page, policy};
use crate::api::{Api, Resource};
use crate::grammar::{Caller, admits};

/// The resources that are described for a caller: a document is made for each set of them once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Visible(Box<[u64]>);

/// What a document says beside what the API has.
#[derive(Clone, Copy, Debug)]
pub struct Description<'d> {
    /// What it is called.
    pub title: &'d str,
    /// The path below which the API's paths are, without a slash at its end.
    pub base_path: &'d str,
    /// Whether several changes may be asked for at once, by `$tx`.
    pub transactions: bool,
}

/// Paths and components, as they are gathered.
#[derive(Debug, Default)]
struct Parts {
    tags: Vec<Json>,
    paths: Map<String, Json>,
    parameters: Map<String, Json>,
    schemas: Map<String, Json>,
    responses: Map<String, Json>,
}

impl Visible {
    /// What that caller may know of.
    pub fn of(api: &Api, caller: &Caller<'_>) -> Visible {
        let resources = api.resources();
        let mut bits = vec![0_u64; resources.len().div_ceil(64)];
        for (place, _) in resources.iter().enumerate().filter(|(_, it)| admits(it, caller)) {
            bits[place / 64] |= 1 << (place % 64);
        }
        Visible(bits.into())
    }

    fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|bits| bits >> (place % 64) & 1 == 1)
    }

    fn resources<'a>(&self, api: &'a Api) -> impl Iterator<Item = &'a Resource> {
        let each = api.resources().iter().enumerate();
        each.filter(|(place, _)| self.has(*place)).map(|(_, resource)| resource)
    }
}

/// The document of what can be asked of `api` by those who see that of it. Its `info.version` is a digest of the rest, so that
/// equal APIs have equal versions. It takes some 50 µs for each resource: not for event loops.
pub fn document(api: &Api, visible: &Visible, description: &Description<'_>) -> Json {
    let mut parts = Parts::default();
    parameter::add_shared(&mut parts.parameters);
    answer::add_shared(&mut parts);
    for resource in visible.resources(api) {
        resource::add(&mut parts, api, visible, resource);
    }
    call::add(&mut parts, api, visible);
    if description.transactions {
        transaction::add(&mut parts, api, visible);
    }
    let components = json!({
        "parameters": parts.parameters,
        "schemas": parts.schemas,
        "responses": parts.responses,
    });
    let paths = Json::Object(parts.paths);
    let base_path = if description.base_path.is_empty() {
        "/"
    } else {
        description.base_path
    };
    let version = version(&paths, &components);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": description.title,
            "version": version,
            "description": "Tables as resources. Collections are filtered by parameters of their columns, such as \
                `column=eq.value`; `select` chooses columns and related rows; rows are addressed by their keys.",
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": base_path}],
        "tags": parts.tags,
        "paths": paths,
        "components": components,
    })
}

fn version(paths: &Json, components: &Json) -> String {
    let mut digest = Sha256::new();
    digest.update(paths.to_string());
    digest.update(components.to_string());
    let mut version = String::with_capacity(16);
    for byte in &digest.finalize()[..8] {
        // Writing to a String can't fail.
        let _ = write!(version, "{byte:02x}");
    }
    version
}

/// A name as the key of a component, which has letters, digits, `_`, `-` and `.` only (OpenAPI 3.1 §4.8.7.1). Others are
/// `_xHHHH_` with their code point; `.` is left to whoever joins keys.
fn key(name: &str) -> String {
    let mut key = String::with_capacity(name.len());
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        let is_escape = character == '_' && characters.peek() == Some(&'x');
        if (character.is_ascii_alphanumeric() || matches!(character, '_' | '-')) && !is_escape {
            key.push(character);
        } else {
            let _ = write!(key, "_x{:04x}_", u32::from(character));
        }
    }
    key
}

/// A name as a segment of a path template: what RFC 3986 doesn't let stand in a segment, and braces, is encoded.
fn segment(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'$' => {
                segment.push(char::from(byte));
            }
            other => {
                let _ = write!(segment, "%{other:02X}");
            }
        }
    }
    segment
}

fn reference(kind: &str, key: &str) -> Json {
    json!({"$ref": format!("#/components/{kind}/{key}")})
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
