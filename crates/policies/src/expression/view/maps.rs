//! What a request has by names: parameters of its query, fields, and variable parts of its path.

use std::borrow::Cow;
use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use portcullis_cel::{List, Mapping, Shared, Value};
use portcullis_core::{Headers, Known, PathParams};

/// The parameters of a query, each with all of its values: which of several a backend takes, nobody can know.
pub(super) struct Query<'r>(pub(super) &'r str);

/// The fields, by their names in small letters. Several of one name are one list (RFC 9110 §5.2).
pub(super) struct Fields<'r>(pub(super) &'r Headers);

/// What the variable parts of the route's path matched.
pub(super) struct Params<'r>(pub(super) &'r PathParams);

impl<'r> Query<'r> {
    /// Names and values as they are written.
    fn pairs(&self) -> impl Iterator<Item = (&'r str, &'r str)> {
        let pairs = self.0.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

impl Mapping for Query<'_> {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        let named = self.pairs().filter(|(name, _)| decoded(name) == key);
        let values: Vec<_> = named.map(|(_, value)| Value::String(shared(decoded(value)))).collect();
        (!values.is_empty()).then(|| Value::List(List::Made(values.into())))
    }

    fn keys(&self) -> Vec<Shared<'_, str>> {
        let names: BTreeSet<_> = self.pairs().map(|(name, _)| decoded(name)).collect();
        names.into_iter().map(shared).collect()
    }

    fn cost(&self) -> usize {
        self.0.len() / 16
    }
}

impl Mapping for Fields<'_> {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        let first = self.0.get(key)?;
        if self.0.get_all(key).nth(1).is_none() {
            return Some(Value::String(shared(String::from_utf8_lossy(first))));
        }
        // Cookies in several fields are joined as one would have them (RFC 9113 §8.2.3).
        let is_cookie = key.eq_ignore_ascii_case(Known::Cookie.as_str());
        let separator = if is_cookie { "; " } else { ", " };
        let values: Vec<_> = self.0.get_all(key).map(String::from_utf8_lossy).collect();
        Some(values.join(separator).into())
    }

    fn keys(&self) -> Vec<Shared<'_, str>> {
        let names: BTreeSet<_> = self.0.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.into_iter().map(Shared::from).collect()
    }

    fn cost(&self) -> usize {
        self.0.len() / 4
    }
}

impl Mapping for Params<'_> {
    fn get(&self, key: &str) -> Option<Value<'_>> {
        self.0.get(key).map(Value::text)
    }

    fn keys(&self) -> Vec<Shared<'_, str>> {
        self.0.iter().map(|(name, _)| Shared::Borrowed(name)).collect()
    }

    fn cost(&self) -> usize {
        self.0.iter().count()
    }
}

/// A part of a query as forms write it: a plus sign is a space, and what is broken stays as it is.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

fn shared(text: Cow<'_, str>) -> Shared<'_, str> {
    match text {
        Cow::Borrowed(text) => Shared::Borrowed(text),
        Cow::Owned(text) => text.into(),
    }
}
