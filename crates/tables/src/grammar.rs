//! From a request's text to what it asks for.
//!
//! It goes in two steps. A text becomes a syntax tree, in which operators are a closed set and everything else is
//! text; the tree is then resolved against an [`Api`], whereby names become places and texts become values of the
//! columns' types. What isn't understood is refused, since a filter that is silently dropped shows or deletes too
//! much.
//!
//! The grammar is PostgREST's, with cursors, unions and conditions on groups beside it.

mod call;
mod key;
mod literal;
mod preferences;
mod resolve;
mod syntax;
mod template;

use std::borrow::Cow;

use portcullis_core::{Consumer, Error, Result, codes};

pub use self::call::{Call, Callee, Effect, call, callable};
pub use self::key::{filter_of_key, key, path_of_key};
pub use self::literal::literal;
pub use self::preferences::{Preferences, Resolution, Return};
pub(crate) use self::resolve::kind_of;
pub use self::template::{Template, admits};
use crate::api::Api;
use crate::percent;
use crate::query::{Filter, Item, Read};

/// Characters of the client's own text that an answer repeats.
const SHOWN: usize = 64;

/// Who asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'c> {
    /// The consumer, where the route found one out.
    pub consumer: Option<&'c Consumer>,
}

/// What the query of a change says.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which rows are meant; `None` where no filter is given.
    pub filter: Option<Filter>,
    /// What the answer shows of them, where it shows rows.
    pub items: Vec<Item>,
    /// `columns`: what of the content is taken, by place; the rest is left alone.
    pub columns: Option<Vec<usize>>,
    /// `on_conflict`: the key by which a row is found to be there already, by places.
    pub on_conflict: Option<Vec<usize>>,
}

/// Reads the query of a request that reads rows. The caller's rules are in it, and limits are applied.
///
/// # Errors
/// `bad_query`, naming the parameter.
pub fn read(api: &Api, resource: usize, query: Option<&str>, caller: &Caller<'_>) -> Result<Read> {
    read_pairs(api, resource, &pairs(query)?, caller)
}

/// The same, of names and values that did not come in a query alone, such as the content of `POST …/$query`.
///
/// # Errors
/// `bad_query`, naming the parameter.
pub fn read_pairs(api: &Api, resource: usize, pairs: &[(String, String)], caller: &Caller<'_>) -> Result<Read> {
    let query = syntax::parse(borrowed(pairs), &api.limits)?;
    resolve::read(api, resource, &query, caller)
}

/// Reads the query of a request that changes rows: filter, `select`, `columns` and `on_conflict`. The rule is not in
/// it ([`rule`]).
///
/// # Errors
/// `bad_query`, naming the parameter.
pub fn change(api: &Api, resource: usize, query: Option<&str>, caller: &Caller<'_>) -> Result<Change> {
    change_pairs(api, resource, &pairs(query)?, caller)
}

/// The same, of names and values that did not come in a query alone, such as the members of an operation of `$tx`.
pub(crate) fn change_pairs(
    api: &Api,
    resource: usize,
    pairs: &[(String, String)],
    caller: &Caller<'_>,
) -> Result<Change> {
    let query = syntax::parse(borrowed(pairs), &api.limits)?;
    resolve::change(api, resource, &query, caller)
}

/// Which rows a request to change or delete means, and what its answer shows of them.
///
/// # Errors
/// `bad_query`, naming the parameter.
pub fn affected(
    api: &Api,
    resource: usize,
    query: Option<&str>,
    caller: &Caller<'_>,
) -> Result<(Option<Filter>, Vec<Item>)> {
    let change = change(api, resource, query, caller)?;
    Ok((change.filter, change.items))
}

/// Which rows of a resource the caller may see and change; `None` is all of them. A caller for whom no rule is written
/// gets a filter that lets nothing through.
pub fn rule(api: &Api, resource: usize, caller: &Caller<'_>) -> Option<Filter> {
    template::rule(&api.resources[resource], caller)
}

/// A column's name as the parameter that filters by it: in quotes where the grammar would take it for something else.
pub(crate) fn parameter_of(column: &str) -> Cow<'_, str> {
    syntax::of_column(column)
}

/// Names and values of a query string, decoded.
///
/// # Errors
/// `bad_query` where they are no UTF-8.
pub fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>> {
    let decoded = |text| {
        let decoded = percent::decode_form(text).map(Cow::into_owned);
        decoded.ok_or_else(|| refused(text, "its percent-encoding does not encode UTF-8"))
    };
    query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        })
        .collect()
}

fn borrowed(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

fn refused(parameter: &str, problem: &str) -> Error {
    Error::new(&codes::BAD_QUERY).with_detail(format!("`{}`: {problem}", shown(parameter)))
}

/// As much of the client's own text as an answer repeats.
fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

#[cfg(test)]
mod tests;
