//! JSON documents, read without a tree: members as they come, with their names seen once only, values as their text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use portcullis_core::{Error, codes};
use serde::de::{self, Deserialize, Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// How deep the JSON of a body may be.
pub(crate) const MAX_DEPTH: usize = 100;

/// A member of an object: its name, and its value as it is written.
pub(crate) type Member<'d> = (Cow<'d, str>, &'d RawValue);

/// The document that a body holds.
///
/// # Errors
/// `bad_content` for what is no JSON, or is too deep.
pub(crate) fn parse(body: &[u8]) -> Result<&RawValue, Error> {
    let document = serde_json::from_slice::<&RawValue>(body).map_err(|error| {
        let detail = format!("it is not JSON: line {}, column {}", error.line(), error.column());
        Error::new(&codes::BAD_CONTENT).with_detail(detail).with_cause(error)
    })?;
    if check_depth(document.get(), MAX_DEPTH) {
        return Ok(document);
    }
    let detail = format!("the JSON is deeper than {MAX_DEPTH} levels");
    Err(Error::new(&codes::BAD_CONTENT).with_detail(detail))
}

/// Whether JSON is no deeper than that many arrays and objects in each other.
pub(super) fn check_depth(json: &str, max: usize) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                if depth > max {
                    return false;
                }
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// The members of an object, in their order. `None` where it is no object.
///
/// # Errors
/// The name of a member that is there twice.
pub(crate) fn members(document: &RawValue) -> Option<Result<Vec<Member<'_>>, String>> {
    if !document.get().starts_with('{') {
        return None;
    }
    let mut deserializer = serde_json::Deserializer::from_str(document.get());
    let members = deserializer
        .deserialize_map(Members)
        .unwrap_or_else(|error| Err(error.to_string()));
    Some(members)
}

/// The items of an array, no more than `most` and one. `None` where it is no array.
pub(crate) fn items(document: &RawValue, most: usize) -> Option<Vec<&RawValue>> {
    if !document.get().starts_with('[') {
        return None;
    }
    let mut deserializer = serde_json::Deserializer::from_str(document.get());
    let mut items = Vec::new();
    // Whoever reads no further than that leaves the rest of the array behind, which is an error of its own to serde.
    let _ = deserializer.deserialize_seq(Items {
        items: &mut items,
        most,
    });
    Some(items)
}

/// The text that a JSON string stands for. `None` where it is none, or holds half of a surrogate pair.
pub(crate) fn text(document: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Name>(document.get()).ok().map(|name| name.0)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Result<Vec<Member<'de>>, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        /// Names that are compared one by one; of more, a set is made.
        const FEW: usize = 16;
        let mut members: Vec<Member<'de>> = Vec::new();
        let mut seen: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            let twice = if members.len() < FEW {
                members.iter().any(|(known, _)| *known == name)
            } else {
                if seen.is_empty() {
                    seen.extend(members.iter().map(|(known, _)| known.clone()));
                }
                !seen.insert(name.clone())
            };
            if twice {
                return Ok(Err(name.into_owned()));
            }
            members.push((name, value));
        }
        Ok(Ok(members))
    }
}

struct Items<'i, 'de> {
    items: &'i mut Vec<&'de RawValue>,
    most: usize,
}

impl<'de> Visitor<'de> for Items<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while self.items.len() <= self.most {
            let Some(item) = sequence.next_element::<&'de RawValue>()? else {
                break;
            };
            self.items.push(item);
        }
        Ok(())
    }
}

/// A text, borrowed where it has no escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_name_twice_is_found() {
        let many = |last: &str| {
            let names: Vec<_> = (0..40).map(|number| format!("\"n{number}\":0")).collect();
            format!("{{{},\"{last}\":1}}", names.join(","))
        };
        for (body, twice) in [
            (r#"{"a":1,"b":2}"#.to_owned(), None),
            (r#"{"a":1,"\u0061":2}"#.to_owned(), Some("a")),
            (many("x"), None),
            (many("n3"), Some("n3")),
            (many("n39"), Some("n39")),
        ] {
            let found = members(parse(body.as_bytes()).unwrap()).unwrap();
            assert_eq!(found.err().as_deref(), twice, "{body}");
        }
    }

    #[test]
    fn depth_is_counted_outside_of_texts() {
        assert!(check_depth(r#"{"a[[[[\"[[[":[1]}"#, 2));
        assert!(!check_depth(r#"{"a":[[1]]}"#, 2));
        assert!(check_depth("[],[],[]", 1));
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(parse(deep.as_bytes()).unwrap_err().code(), &codes::BAD_CONTENT);
    }

    #[test]
    fn no_more_items_are_read_than_asked_for() {
        let document = parse(b"[1,2,3,4]").unwrap();
        assert_eq!(items(document, 1).unwrap().len(), 2);
        assert_eq!(items(document, 9).unwrap().len(), 4);
        assert!(items(parse(b"{}").unwrap(), 1).is_none());
    }
}
