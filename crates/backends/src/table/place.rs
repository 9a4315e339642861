//! What a path leads to.

use std::borrow::Cow;

use portcullis_core::Method;
use portcullis_tables::api::{Api, Resource};
use portcullis_tables::percent;

use super::exposed::METHODS;

/// What a path leads to. Resources are told by their places in the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place<'p> {
    /// All rows of a resource.
    Collection(usize),
    /// One row, by the segment that is its key, still encoded.
    Row(usize, &'p str),
    /// Long queries of a resource.
    Query(usize),
    /// What can be called, by its name.
    Call(Cow<'p, str>),
    /// Several changes at once.
    Transaction,
    /// The description of the API.
    Description,
}

/// The segment for long queries. No key is like it: a `$` in a key may be encoded (RFC 3986 §2.2).
const QUERY: &str = "$query";

impl<'p> Place<'p> {
    /// What lies at that path below the first `base` segments: of an API of one resource, whose collection is there, or
    /// of several. `None` where nothing can.
    pub(super) fn of(path: &'p str, base: usize, is_one: bool, api: &Api) -> Option<Place<'p>> {
        let path = path.strip_prefix('/').unwrap_or(path);
        if path.is_empty() {
            return (base == 0 && is_one).then_some(Place::Collection(0));
        }
        let mut below = path.split('/').skip(base);
        if is_one {
            return below_resource(0, below.next(), below.next());
        }
        let (first, second, third) = (below.next()?, below.next(), below.next());
        match (first, second, third) {
            ("$tx", None, _) => Some(Place::Transaction),
            ("openapi.json", None, _) => Some(Place::Description),
            ("rpc", Some(name), None) if !name.is_empty() => percent::decode(name).map(Place::Call),
            (name, segment, None) => {
                let (resource, _) = api.resource(&percent::decode(name)?)?;
                below_resource(resource, segment, None)
            }
            _ => None,
        }
    }
}

fn below_resource<'p>(resource: usize, segment: Option<&'p str>, more: Option<&str>) -> Option<Place<'p>> {
    match (segment, more) {
        (None, _) => Some(Place::Collection(resource)),
        (Some(QUERY), None) => Some(Place::Query(resource)),
        (Some(segment), None) if !segment.is_empty() => Some(Place::Row(resource, segment)),
        _ => None,
    }
}

/// Where a method of a resource may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Collection,
    Row,
}

/// Whether that method may be used there. OPTIONS tells no more than a refusal's Allow.
pub(super) fn allows(resource: &Resource, method: &Method, level: Level) -> bool {
    *method == Method::Options || resource.takes(method, level == Level::Row)
}

/// The value of `Allow`.
pub(super) fn allowed(resource: &Resource, level: Level) -> String {
    let allowed: Vec<_> = METHODS
        .iter()
        .filter(|method| allows(resource, method, level))
        .map(Method::as_str)
        .collect();
    allowed.join(", ")
}
