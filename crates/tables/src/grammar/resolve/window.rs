//! Which of the rows, in their order: limits, offsets and cursors.

use portcullis_core::{Error, Result, codes};

use super::embed::has_aggregate;
use super::{Parent, Resolver, Scope};
use crate::api::Api;
use crate::cursor;
use crate::grammar::refused;
use crate::grammar::syntax::Query;
use crate::query::{Cursor, Read, Window};

impl Resolver<'_> {
    /// The window of a resource, with the route's limits.
    pub(super) fn window(&self, resource: usize, scope: &Scope<'_>, parent: Option<Parent>) -> Result<Window> {
        let limits = &self.resource(resource).limits;
        let limit = scope.own(&scope.limits).first().map(|placed| placed.what);
        let mut window = Window::default();
        if let Some(placed) = scope.own(&scope.offsets).first() {
            if placed.what > limits.max_offset {
                let problem = format!(
                    "no more than {} rows can be left out; filter by the last row's values, or follow the links",
                    limits.max_offset
                );
                return Err(refused(&placed.parameter, &problem));
            }
            window.offset = placed.what;
        }
        window.limit = match parent {
            // A default would cut an embed short without a word: the answer tells no numbers of embedded rows.
            Some(Parent { to_one: false }) => least(limit, limits.max_rows),
            Some(Parent { to_one: true }) => limit,
            None => least(limit.or(limits.default_rows), limits.max_rows),
        };
        Ok(window)
    }
}

/// Puts the cursor of a query into what it reads, and tells whether the answer can have cursors.
pub(super) fn place(api: &Api, read: &mut Read, query: &Query) -> Result<()> {
    let resource = &api.resources[read.resource];
    let grouped = has_aggregate(&read.items);
    read.window.cursors = cursor::is_possible(resource) && !grouped && read.union.is_none();
    let (name, text, before) = match (&query.after, &query.before) {
        (None, None) => return Ok(()),
        (Some(text), None) => ("after", text, false),
        (None, Some(text)) => ("before", text, true),
        (Some(_), Some(_)) => return Err(refused("before", "it doesn't go with `after`")),
    };
    if !read.window.cursors {
        return Err(refused(name, "these rows have no key, so that there are no cursors"));
    }
    if read.window.offset > 0 {
        return Err(refused("offset", &format!("it doesn't go with `{name}`")));
    }
    let values = cursor::parse(api, read, text).ok_or_else(|| {
        Error::new(&codes::BAD_QUERY).with_detail(format!(
            "`{name}`: it is no cursor of this resource in this order and with this filter"
        ))
    })?;
    read.window.cursor = Some(Cursor { values, before });
    Ok(())
}

fn least(asked: Option<u64>, most: Option<u64>) -> Option<u64> {
    match (asked, most) {
        (Some(asked), Some(most)) => Some(asked.min(most)),
        (asked, most) => asked.or(most),
    }
}
