//! The questions that an API allows, before anybody asks them: every filter and every order by itself, filters with
//! orders, and what is related.

use crate::api::Api;
use crate::grammar::{self, Caller};
use crate::query::{Item, Read};
use crate::schema::{Column, Type};
use portcullis_core::Method;

/// Questions with a filter and an order, of each resource. There may be hundreds of columns.
const MOST_PAIRS: usize = 64;
/// Questions of each resource in all.
const MOST: usize = 256;

/// A question that an API allows.
#[derive(Clone, Debug, PartialEq)]
pub struct Potential {
    /// The query, as a client would send it.
    pub query: String,
    /// The same, understood. Rules of callers are not in it.
    pub read: Read,
}

/// The questions that a resource allows.
pub fn of(api: &Api, place: usize) -> Vec<Potential> {
    let resource = &api.resources()[place];
    if !resource.methods.contains(&Method::Get) {
        return Vec::new();
    }
    let columns: Vec<&Column> = resource
        .filterable
        .iter()
        .map(|place| &resource.relation.columns[*place])
        .collect();
    let filters: Vec<String> = columns.iter().filter_map(|column| filter(column)).collect();
    let orders: Vec<String> = columns.iter().filter_map(|column| order(column)).collect();
    let pairs = filters
        .iter()
        .flat_map(|filter| orders.iter().map(move |order| format!("{filter}&{order}")));
    let relations = resource.relationships.iter().map(|relationship| {
        let target = &api.resources()[relationship.target].name;
        format!("select=*,{}!{}(*)", text(target), text(&relationship.constraint))
    });
    let queries = std::iter::once(String::new())
        .chain(filters.iter().cloned())
        .chain(orders.iter().cloned())
        .chain(relations)
        .chain(pairs.take(MOST_PAIRS));
    let understood = queries.take(MOST).filter_map(|query| {
        // A name that can't be said in a query is none that a client can ask for.
        let mut read = grammar::read(api, place, Some(&query), &Caller::default()).ok()?;
        forget_rules(&mut read);
        Some(Potential { query, read })
    });
    understood.collect()
}

/// Rules speak of callers, who aren't known here, and let nothing through where they aren't.
fn forget_rules(read: &mut Read) {
    read.rule = None;
    for item in &mut read.items {
        if let Item::Embed(embed) = item {
            embed.through_rule = None;
            forget_rules(&mut embed.read);
        }
    }
}

fn filter(column: &Column) -> Option<String> {
    let value = match &column.kind {
        Type::Boolean => "true",
        Type::Integer { .. } | Type::Real | Type::Decimal | Type::Numeric | Type::Any => "1",
        Type::Text => "a",
        Type::Uuid => "00000000-0000-0000-0000-000000000000",
        Type::Date => "2026-01-31",
        Type::Time => "12:30:00",
        Type::Timestamp => "2026-01-31T12:30:00",
        Type::Moment => "2026-01-31T12:30:00Z",
        Type::Interval => "1 day",
        Type::Enumeration(words) => words.first()?,
        Type::Bytes | Type::Json { .. } | Type::Array(_) | Type::Range => return None,
        Type::SearchVector | Type::Composite | Type::Other => return None,
    };
    let name = grammar::parameter_of(column.name.as_str());
    Some(format!("{}=eq.{}", encoded(&name), text(value)))
}

fn order(column: &Column) -> Option<String> {
    let is_ordered = !matches!(
        column.kind,
        Type::Json { .. } | Type::Bytes | Type::Range | Type::SearchVector | Type::Composite | Type::Other
    );
    is_ordered.then(|| format!("order={}", text(column.name.as_str())))
}

/// The same of a text in the quotes of the grammar where it needs them.
fn text(text: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "_-: ".contains(character);
    match text.chars().all(is_plain) {
        true => encoded(text),
        false => encoded(&format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
    }
}

/// A text as it stands in a query (RFC 3986 §2.1).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
