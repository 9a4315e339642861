//! Who a consumer is by what an issuer says of it.

use portcullis_core::Consumer;
use serde_json::{Map, Value};

use crate::consumer::is_word;

/// The most scopes or roles that are taken over. They stand in a field for backends.
const MOST: usize = 200;

/// Which claims say who it is.
pub(crate) struct Claimed {
    /// The first of these that is there.
    pub(crate) name: Box<[Box<str>]>,
    pub(crate) scopes: Option<Box<str>>,
    pub(crate) roles: Option<Box<str>>,
    /// The policy that takes them for true.
    pub(crate) by: &'static str,
}

impl Claimed {
    /// The consumer that claims describe.
    ///
    /// # Errors
    /// Says what is missing or can't be told to backends.
    pub(crate) fn consumer(&self, claims: Map<String, Value>) -> Result<Consumer, String> {
        let name = self.name.iter().find_map(|claim| find(&claims, claim));
        let name = match name {
            Some(Value::String(name)) if is_word(name) => name.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err("the claim that names the consumer is no name".to_owned()),
            None => return Err("no claim names the consumer".to_owned()),
        };
        let mut consumer = Consumer::new(name, self.by);
        consumer.scopes = words(&claims, self.scopes.as_deref());
        consumer.roles = words(&claims, self.roles.as_deref());
        consumer.claims = claims;
        Ok(consumer)
    }
}

/// The claim of that name, or, where there is none, the one that its dots lead to.
fn find<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut parts = name.split('.');
    let first = claims.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

/// The words of a list, or of a text with spaces between (RFC 6749 §3.3). What can't be a word can't be asked for by any rule, and
/// is left out, for it would become two in a field.
fn words(claims: &Map<String, Value>, name: Option<&str>) -> Box<[Box<str>]> {
    let fine = |word: &&str| is_word(word);
    match name.and_then(|name| find(claims, name)) {
        Some(Value::String(text)) => text.split(' ').filter(fine).take(MOST).map(Box::from).collect(),
        Some(Value::Array(list)) => {
            let words = list.iter().filter_map(Value::as_str).filter(fine);
            words.take(MOST).map(Box::from).collect()
        }
        _ => Box::default(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn consumer(claims: &Value) -> Result<Consumer, String> {
        let claimed = Claimed {
            name: ["sub".into(), "user.name".into()].into(),
            scopes: Some("scope".into()),
            roles: Some("realm.roles".into()),
            by: "oidc",
        };
        claimed.consumer(claims.as_object().unwrap().clone())
    }

    #[test]
    fn claims_name_a_consumer() {
        let ann = consumer(&json!({"sub": "ann", "scope": "a  b", "realm": {"roles": ["c", "d"]}})).unwrap();
        assert_eq!((&*ann.name, ann.by), ("ann", "oidc"));
        assert!(ann.has_scope("a") && ann.has_scope("b") && ann.has_role("c") && ann.has_role("d"));
        assert_eq!(ann.claims["sub"], "ann");
        assert_eq!(&*consumer(&json!({"user": {"name": "bob"}})).unwrap().name, "bob");
        assert_eq!(&*consumer(&json!({"sub": 7})).unwrap().name, "7");
        let dotted = consumer(&json!({"sub": "a", "realm.roles": ["whole"], "realm": {"roles": ["part"]}})).unwrap();
        assert!(dotted.has_role("whole") && !dotted.has_role("part"));
    }

    #[test]
    fn what_cant_be_told_to_backends_names_nobody() {
        for claims in [
            json!({}),
            json!({"sub": ""}),
            json!({"sub": "a b"}),
            json!({"sub": "a\nb"}),
            json!({"sub": null}),
            json!({"sub": ["a"]}),
            json!({"sub": "x".repeat(257)}),
        ] {
            assert!(consumer(&claims).is_err(), "{claims}");
        }
    }

    #[test]
    fn what_is_no_word_is_left_out() {
        let ann = consumer(&json!({"sub": "a", "scope": ["b", "c d", 1, "e\r\nX: y"], "realm": {"roles": 7}})).unwrap();
        assert_eq!(ann.scopes.len(), 1);
        assert!(ann.roles.is_empty());
        let many = consumer(&json!({"sub": "a", "scope": "a ".repeat(1000)})).unwrap();
        assert_eq!(many.scopes.len(), MOST);
    }
}
