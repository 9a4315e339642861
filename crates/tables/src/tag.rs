//! Entity tags (RFC 9110 §8.8.3): what tells one version of a row, or of an answer, from another.
//!
//! A row of a resource with a version column has a strong tag that carries the version itself, so that what `If-Match`
//! names can be bound in the statement that changes the row: `"VERSION.BINDING"` or `"VERSION.BINDING-hFORM"`. `BINDING`
//! is a digest of table, key and version, so that the tag of one row is none of another's; it is no secret, since nothing
//! depends on who made a tag. `FORM` is a digest of what the answer shows of the row: other columns are another
//! representation to a cache, and the same row to a change.
//!
//! Without a version column there are weak tags of an answer's content, which serve `If-None-Match` only: a change can't
//! be made to depend on what a statement can't compare.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use portcullis_core::{Error, Result, codes};
use sha2::{Digest as _, Sha256};

use crate::api::{Api, Resource};
use crate::change::Condition;
use crate::content;
use crate::schema::Engine;
use crate::value::Value;

/// Bytes of a digest: enough that two rows don't meet by chance.
const DIGEST: usize = 9;
/// Tags that one field may name.
const MAX_TAGS: usize = 32;
/// What stands before the digest of a representation.
const FORM: &str = "-h";

/// The strong tag of a row with that key and version. `form` is what the answer shows of the row, as the query says it
/// (`select`, the content type), for answers to GET; answers to changes give none.
pub fn strong(api: &Api, resource: usize, key: &[Value], version: &Value, form: Option<&str>) -> String {
    let version = text(version);
    let row = Row {
        api,
        resource: &api.resources()[resource],
        key,
    };
    let mut tag = format!("\"{}.{}", BASE64.encode(&version), row.binding(&version));
    if let Some(form) = form {
        tag.push_str(FORM);
        tag.push_str(&digest(&[form]));
    }
    tag.push('"');
    tag
}

/// The weak tag of an answer with that content.
pub fn weak(content: &[u8]) -> String {
    format!("W/\"{}\"", BASE64.encode(&Sha256::digest(content)[..DIGEST]))
}

/// What `If-Match` asks of the row with that key. Tags of other rows, weak ones (RFC 9110 §13.1.1) and what is no version
/// of the column match nothing: of none but such, the condition can't hold.
///
/// # Errors
/// `bad_query` for what is no list of tags; `precondition_failed` where the resource has no version to compare.
pub fn if_match(api: &Api, resource: usize, key: &[Value], field: &str) -> Result<Condition> {
    let resource = &api.resources()[resource];
    let row = Row { api, resource, key };
    match tags(field)? {
        Tags::Any => Ok(Condition::Present),
        Tags::These(tags) => {
            let Some(version) = resource.version else {
                let detail = "rows of this resource have no version to compare: the route must name one (`version`)";
                return Err(Error::new(&codes::PRECONDITION_FAILED).with_detail(detail));
            };
            let kind = &resource.relation.columns[version].kind;
            let strong = tags.iter().filter(|tag| !tag.weak);
            let version_of = |tag: &Tag<'_>| content::from_text(row.engine(), kind, &row.carried(tag.opaque)?);
            Ok(Condition::Version(strong.filter_map(version_of).collect()))
        }
    }
}

/// Whether `If-None-Match` names the tag that an answer to GET would have (RFC 9110 §13.1.2): then it is 304.
///
/// # Errors
/// `bad_query` for what is no list of tags.
pub fn none_match(field: &str, current: &str) -> Result<bool> {
    let current = current.strip_prefix("W/").unwrap_or(current).trim_matches('"');
    Ok(match tags(field)? {
        Tags::Any => true,
        Tags::These(tags) => tags.iter().any(|tag| tag.opaque == current),
    })
}

/// What `If-None-Match` asks of a change: `*`, that the row is not there. Tags ask that the row has none of these versions,
/// which no statement here compares.
///
/// # Errors
/// `bad_query` for what is no list of tags, and for a list.
pub fn absent(field: &str) -> Result<Condition> {
    match tags(field)? {
        Tags::Any => Ok(Condition::Absent),
        Tags::These(_) => Err(malformed("`If-None-Match` of a change takes `*` only")),
    }
}

enum Tags<'f> {
    Any,
    These(Vec<Tag<'f>>),
}

struct Tag<'f> {
    weak: bool,
    opaque: &'f str,
}

fn tags(field: &str) -> Result<Tags<'_>> {
    let mut rest = field.trim();
    if rest == "*" {
        return Ok(Tags::Any);
    }
    let mut tags = Vec::new();
    while !rest.is_empty() {
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        // A tag may hold a comma, and no quote.
        let found = quoted.strip_prefix('"').and_then(|quoted| quoted.split_once('"'));
        let Some((opaque, after)) = found else {
            return Err(malformed("an entity tag is a text in double quotes"));
        };
        if tags.len() == MAX_TAGS {
            return Err(malformed("there are too many entity tags"));
        }
        tags.push(Tag { weak, opaque });
        let after = after.trim_start();
        rest = after.trim_start_matches([',', ' ', '\t']);
        if !rest.is_empty() && rest.len() == after.len() {
            return Err(malformed("entity tags have commas between them"));
        }
    }
    if tags.is_empty() {
        return Err(malformed("there is no entity tag"));
    }
    Ok(Tags::These(tags))
}

/// A row that a tag is of.
struct Row<'r> {
    api: &'r Api,
    resource: &'r Resource,
    key: &'r [Value],
}

impl Row<'_> {
    fn engine(&self) -> Engine {
        self.api.schema().engine()
    }

    /// The version that a tag carries, where it is one of this row.
    fn carried(&self, opaque: &str) -> Option<String> {
        let (version, rest) = opaque.split_once('.')?;
        let bound = rest.split_once(FORM).map_or(rest, |(bound, _)| bound);
        let version = String::from_utf8(BASE64.decode(version).ok()?).ok()?;
        (self.binding(&version) == bound).then_some(version)
    }

    fn binding(&self, version: &str) -> String {
        let relation = &self.resource.relation;
        // A moment in an address is written in another way than the database writes it, and is the same.
        let canonical = |(place, value): (&usize, &Value)| {
            let written = text(value);
            let read = content::from_text(self.engine(), &relation.columns[*place].kind, &written);
            read.as_ref().map_or(written, text)
        };
        let key: Vec<String> = relation.primary_key.iter().zip(self.key).map(canonical).collect();
        let mut parts = vec![relation.namespace.as_str(), relation.name.as_str(), version];
        parts.extend(key.iter().map(String::as_str));
        digest(&parts)
    }
}

/// A digest of texts that tells `ab`, `c` from `a`, `bc`. It holds no `-`, which [`FORM`] begins with.
fn digest(parts: &[&str]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part.len().to_le_bytes());
        sha.update(part);
    }
    sha.finalize()[..DIGEST]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A value as text, the same whether a driver read it or a client wrote it.
fn text(value: &Value) -> String {
    match value {
        Value::Null | Value::List(_) | Value::Of { .. } | Value::AllOf { .. } => String::new(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) | Value::Json(text) => text.clone(),
        Value::Bytes(bytes) => base64::engine::general_purpose::STANDARD.encode(bytes),
    }
}

fn malformed(detail: &'static str) -> Error {
    Error::new(&codes::BAD_QUERY).with_detail(detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::fixture;

    fn api() -> Api {
        Api::new(fixture::schema(Engine::Postgres), fixture::exposed()).unwrap()
    }

    fn number(number: i64) -> Value {
        Value::Integer(number)
    }

    #[test]
    fn a_tag_leads_back_to_the_version_of_its_row_only() {
        let api = api();
        let (orders, _) = api.resource("orders").unwrap();
        let matched = |field: &str, key: i64| if_match(&api, orders, &[number(key)], field).unwrap();
        let tag = strong(&api, orders, &[number(7)], &number(3), None);
        let shown = strong(&api, orders, &[number(7)], &number(3), Some("select=id"));
        assert_ne!(tag, shown);
        assert_eq!(matched(&tag, 7), Condition::Version(vec![number(3)]));
        assert_eq!(matched(&shown, 7), Condition::Version(vec![number(3)]));
        assert_eq!(
            matched(&format!("\"a,b\" , {tag},, {shown}"), 7),
            Condition::Version(vec![number(3), number(3)])
        );
        assert_eq!(matched(&tag, 8), Condition::Version(vec![]));
        assert_eq!(matched(&format!("W/{tag}"), 7), Condition::Version(vec![]));
        assert_eq!(matched("*", 7), Condition::Present);
        // PostgreSQL gives what is hidden as text.
        let as_text = strong(
            &api,
            orders,
            &[Value::Text("7".to_owned())],
            &Value::Text("3".to_owned()),
            None,
        );
        assert_eq!(as_text, tag);
    }

    #[test]
    fn what_somebody_made_up_is_no_version() {
        let api = api();
        let (orders, resource) = api.resource("orders").unwrap();
        let key = [number(7)];
        let row = Row {
            api: &api,
            resource,
            key: &key,
        };
        for forged in ["1 or 1=1", "", "99999999999999999999", "1.5"] {
            let tag = format!("\"{}.{}\"", BASE64.encode(forged), row.binding(forged));
            assert_eq!(
                if_match(&api, orders, &key, &tag).unwrap(),
                Condition::Version(vec![]),
                "{forged}"
            );
        }
    }

    #[test]
    fn lists_of_tags_are_read_or_refused() {
        let api = api();
        let (orders, _) = api.resource("orders").unwrap();
        let many = vec!["\"a\""; MAX_TAGS + 1].join(",");
        for field in [
            "",
            ",",
            "a",
            "\"a",
            "\"a\"\"b\"",
            "\"a\" \"b\"",
            "w/\"a\"",
            "*, \"a\"",
            many.as_str(),
        ] {
            let refused = if_match(&api, orders, &[number(1)], field).unwrap_err();
            assert_eq!(refused.code(), &codes::BAD_QUERY, "{field}");
        }
    }

    #[test]
    fn an_answer_that_is_known_is_not_sent_again() {
        let tag = weak(b"[]");
        assert_ne!(tag, weak(b"[1]"));
        assert!(none_match(&tag, &tag).unwrap());
        assert!(none_match(tag.strip_prefix("W/").unwrap(), &tag).unwrap());
        assert!(none_match("*", &tag).unwrap());
        assert!(!none_match("\"x\", W/\"y\"", &tag).unwrap());
        assert_eq!(absent("*").unwrap(), Condition::Absent);
        assert_eq!(absent(&tag).unwrap_err().code(), &codes::BAD_QUERY);
    }
}
