//! One operation of a transaction, as it is written.

use std::borrow::Cow;

use portcullis_core::{Method, Result};
use serde_json::value::RawValue;

use super::{object, refused, shown};
use crate::content::document;

/// What kinds there are, each with the members that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    Patch,
    Put,
    Delete,
    Get,
}

/// An operation as it is written.
pub(super) struct Written<'w> {
    pub(super) verb: Verb,
    pub(super) target: Cow<'w, str>,
    pub(super) name: Option<Box<str>>,
    pub(super) values: Option<&'w RawValue>,
    pub(super) select: Option<Cow<'w, str>>,
    pub(super) on_conflict: Option<String>,
    pub(super) resolution: Option<bool>,
    pub(super) if_match: Option<Cow<'w, str>>,
    pub(super) if_none_match: Option<Cow<'w, str>>,
}

impl Verb {
    fn of(name: &str) -> Option<Verb> {
        Some(match name {
            "insert" => Verb::Insert,
            "patch" => Verb::Patch,
            "put" => Verb::Put,
            "delete" => Verb::Delete,
            "get" => Verb::Get,
            _ => return None,
        })
    }

    /// The method of a request of its own.
    pub(super) fn method(self) -> Method {
        match self {
            Verb::Insert => Method::Post,
            Verb::Patch => Method::Patch,
            Verb::Put => Method::Put,
            Verb::Delete => Method::Delete,
            Verb::Get => Method::Get,
        }
    }

    /// Whether it takes the member.
    fn takes(self, member: &str) -> bool {
        match member {
            "as" => true,
            "values" => matches!(self, Verb::Insert | Verb::Patch | Verb::Put),
            "select" => self != Verb::Get,
            "on_conflict" | "resolution" => self == Verb::Insert,
            "if_match" => matches!(self, Verb::Patch | Verb::Put | Verb::Delete),
            "if_none_match" => self == Verb::Put,
            _ => false,
        }
    }
}

impl<'w> Written<'w> {
    /// Reads an operation.
    ///
    /// # Errors
    /// `bad_content` for what is none.
    pub(super) fn parse(json: &'w RawValue) -> Result<Written<'w>> {
        let members = object(json)?;
        let mut verbs = members
            .iter()
            .filter_map(|(name, value)| Some((Verb::of(name)?, value)));
        let (Some((verb, target)), None) = (verbs.next(), verbs.next()) else {
            return Err(refused(
                "an operation has one of `insert`, `patch`, `put`, `delete` and `get`".to_owned(),
            ));
        };
        let mut written = Written {
            verb,
            target: text(target, "the target")?,
            name: None,
            values: None,
            select: None,
            on_conflict: None,
            resolution: None,
            if_match: None,
            if_none_match: None,
        };
        for (name, value) in members.into_iter().filter(|(name, _)| Verb::of(name).is_none()) {
            if !verb.takes(&name) {
                return Err(refused(format!("`{}` is no member of this operation", shown(&name))));
            }
            match &*name {
                "as" => written.name = Some(reference_name(value)?),
                "values" => written.values = Some(value),
                "select" => written.select = Some(text(value, "`select`")?),
                "on_conflict" => written.on_conflict = Some(text(value, "`on_conflict`")?.into_owned()),
                "resolution" => written.resolution = Some(resolution(value)?),
                "if_match" => written.if_match = Some(text(value, "`if_match`")?),
                _ => written.if_none_match = Some(text(value, "`if_none_match`")?),
            }
        }
        Ok(written)
    }

    /// The values.
    ///
    /// # Errors
    /// `bad_content` where there are none.
    pub(super) fn values(&self) -> Result<&'w RawValue> {
        self.values.ok_or_else(|| refused("`values` is missing".to_owned()))
    }
}

fn text<'w>(value: &'w RawValue, what: &str) -> Result<Cow<'w, str>> {
    document::text(value).ok_or_else(|| refused(format!("{what} must be a text")))
}

/// A name: letters, digits, `_` and `-`, so that the dot before a column ends it.
fn reference_name(value: &RawValue) -> Result<Box<str>> {
    let name = text(value, "`as`")?;
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        return Err(refused("`as` takes up to 64 letters, digits, `_` and `-`".to_owned()));
    }
    Ok(name.into_owned().into())
}

/// Whether rows that are there get the new values.
fn resolution(value: &RawValue) -> Result<bool> {
    match &*text(value, "`resolution`")? {
        "merge-duplicates" => Ok(true),
        "ignore-duplicates" => Ok(false),
        _ => Err(refused(
            "`resolution` is `merge-duplicates` or `ignore-duplicates`".to_owned(),
        )),
    }
}
