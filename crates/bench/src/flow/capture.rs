//! What of an answer later requests need.

use std::sync::{Arc, OnceLock};

use regex::bytes::Regex;

use super::Iteration;
use super::expect::Content;
use super::value::Value;

/// The longest value that is captured, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// A value that is taken from an answer.
#[derive(Debug)]
pub struct Capture {
    /// The name under which templates find it.
    pub name: String,
    /// Where in the answer it stands.
    pub from: From,
    /// Where it is kept, as [`super::scope::Scope`] says.
    pub keep: Keep,
}

/// Where in an answer a value stands.
#[derive(Debug)]
pub enum From {
    /// At a place in its JSON (JSON Pointer, RFC 6901).
    Json(String),
    /// In a field: the first of that name.
    Header(String),
    /// In its content: what the first group of the pattern matched, or all of it where there is none.
    Matches(Regex),
}

/// Where a captured value is kept.
#[derive(Clone, Debug)]
pub enum Keep {
    /// With the iteration, in that slot.
    Own(usize),
    /// For all flows, once and for all.
    ForAll(Arc<OnceLock<Value>>),
}

impl Capture {
    pub(super) fn wants_headers(&self) -> bool {
        matches!(self.from, From::Header(_))
    }

    pub(super) fn wants_body(&self) -> bool {
        !self.wants_headers()
    }

    /// Takes the value and keeps it.
    ///
    /// # Errors
    /// Names the capture when nothing is there.
    pub(super) fn take(&self, content: &Content<'_>, iteration: &mut Iteration) -> Result<(), String> {
        let name = &self.name;
        let value = self
            .from
            .value(content)
            .map_err(|why| format!("capture `{name}`: {why}"))?;
        if value.as_str().len() > LONGEST {
            return Err(format!("capture `{name}`: more than {LONGEST} bytes"));
        }
        match &self.keep {
            Keep::Own(slot) => {
                if iteration.captured.len() <= *slot {
                    iteration.captured.resize(slot + 1, None);
                }
                iteration.captured[*slot] = Some(value);
            }
            // Only the first counts: what others have used must not change.
            Keep::ForAll(kept) => _ = kept.set(value),
        }
        Ok(())
    }
}

impl From {
    /// In the content, by a pattern.
    ///
    /// # Errors
    /// When it is no regular expression that runs in linear time.
    pub fn matches(pattern: &str) -> Result<From, String> {
        super::pattern(pattern).map(From::Matches)
    }

    fn value(&self, content: &Content<'_>) -> Result<Value, String> {
        match self {
            From::Json(pointer) => {
                let found = content.json()?.pointer(pointer);
                found.map(Value::json).ok_or_else(|| format!("nothing at `{pointer}`"))
            }
            From::Header(field) => {
                let found = content.field(field);
                found
                    .map(|value| Value::text(&value))
                    .ok_or_else(|| format!("no field `{field}`"))
            }
            From::Matches(pattern) => {
                let captures = pattern.captures(content.body());
                let captures = captures.ok_or_else(|| format!("nothing matches `{pattern}`"))?;
                let found = captures.get(1).or_else(|| captures.get(0));
                let found = found.map_or(&b""[..], |found| found.as_bytes());
                Ok(Value::text(&String::from_utf8_lossy(found)))
            }
        }
    }
}

impl Keep {
    /// The value, once there is one.
    pub(super) fn value(&self, iteration: &Iteration) -> Option<Value> {
        match self {
            Keep::Own(slot) => iteration.captured.get(*slot).cloned().flatten(),
            Keep::ForAll(kept) => kept.get().cloned(),
        }
    }
}
