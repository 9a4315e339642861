//! Who a token is about: from claims to a consumer, and to fields for the backend.

use std::borrow::Cow;
use std::sync::Arc;

use portcullis_config::policy::jwt;
use portcullis_core::{Consumer, Headers};
use serde_json::{Map, Value};

use crate::consumer::is_word;
use crate::field_name::FieldName;

/// What of a token's claims is told to whom.
#[derive(Debug)]
pub(super) struct Mapping {
    name: Box<str>,
    scopes: Vec<Box<str>>,
    roles: Option<Box<str>>,
    fields: Vec<(FieldName, Box<str>)>,
}

/// Who holds a token that was verified.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) consumer: Arc<Consumer>,
    fields: Vec<(FieldName, Box<str>)>,
}

impl Holder {
    /// Tells the backend the claims that it is to know.
    pub(super) fn tell(&self, headers: &mut Headers) {
        for (name, value) in &self.fields {
            headers.set(name.name(), value.as_bytes());
        }
    }
}

impl Mapping {
    /// # Errors
    /// When a name of a field can't be used.
    pub(super) fn new(config: &jwt::Issuer) -> Result<Mapping, String> {
        let scopes = match &config.scopes_claim {
            Some(claim) => vec![claim.as_str().into()],
            // RFC 8693 §4.2, and what some large issuers write in its place.
            None => vec!["scope".into(), "scp".into()],
        };
        let fields = config.forward_claims.iter().map(|(field, claim)| {
            let field = FieldName::new(field)?;
            Ok((field, claim.as_str().into()))
        });
        Ok(Mapping {
            name: config.name_claim.as_str().into(),
            scopes,
            roles: config.roles_claim.as_deref().map(Box::from),
            fields: fields.collect::<Result<_, String>>()?,
        })
    }

    /// The fields in which the backend is told claims.
    pub(super) fn own_fields(&self) -> impl Iterator<Item = &FieldName> {
        self.fields.iter().map(|(field, _)| field)
    }

    /// Who it is; `None` where the claim that names it is missing or can't be a name.
    pub(super) fn holder(&self, claims: Map<String, Value>) -> Option<Holder> {
        let name = match claim(&claims, &self.name)? {
            Value::String(name) => Cow::Borrowed(name.as_str()),
            // Some issuers count those whom they know.
            Value::Number(number) => Cow::Owned(number.to_string()),
            _ => return None,
        };
        if !is_word(&name) {
            return None;
        }
        let mut consumer = Consumer::new(&*name, "jwt");
        consumer.scopes = self
            .scopes
            .iter()
            .find_map(|name| claim(&claims, name))
            .map_or_else(Box::default, words);
        let roles = self.roles.as_ref().and_then(|name| claim(&claims, name));
        consumer.roles = roles.map_or_else(Box::default, words);
        let fields = self.fields.iter().filter_map(|(field, name)| {
            let value = claim(&claims, name).filter(|value| !value.is_null())?;
            Some((field.clone(), told(value)))
        });
        let fields = fields.collect();
        consumer.claims = claims;
        Some(Holder {
            consumer: Arc::new(consumer),
            fields,
        })
    }
}

/// The claim of that whole name, or the one that its parts lead to: names with dots are names of hosts, too.
fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    rest.split('.')
        .try_fold(claims.get(first)?, |value, part| value.get(part))
}

/// The words of a list, or of a text with spaces between. What can't be a word can't be asked for by any rule, and is left
/// out, for it would become two in a field.
fn words(value: &Value) -> Box<[Box<str>]> {
    let fine = |word: &&str| is_word(word);
    match value {
        Value::String(text) => text.split(' ').filter(fine).map(Box::from).collect(),
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .filter(fine)
            .map(Box::from)
            .collect(),
        _ => Box::default(),
    }
}

fn told(value: &Value) -> Box<str> {
    match value {
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapping(name: &str, scopes: &[&str], roles: Option<&str>) -> Mapping {
        Mapping {
            name: name.into(),
            scopes: scopes.iter().map(|name| (*name).into()).collect(),
            roles: roles.map(Box::from),
            fields: vec![(FieldName::new("X-Tenant").unwrap(), "org.tenant".into())],
        }
    }

    fn holder(mapping: &Mapping, claims: Value) -> Option<Holder> {
        match claims {
            Value::Object(claims) => mapping.holder(claims),
            _ => None,
        }
    }

    fn words_of(words: &[Box<str>]) -> Vec<&str> {
        words.iter().map(|word| &**word).collect()
    }

    #[test]
    fn claims_become_a_consumer() {
        let mapping = mapping("sub", &["scope", "scp"], Some("realm.roles"));
        let claims =
            json!({"sub": "auth0|7", "scp": ["read", "two words", 7, ""], "realm": {"roles": ["admin", "b\r\nX: y"]}});
        let known = holder(&mapping, claims.clone()).unwrap().consumer;
        assert_eq!((&*known.name, known.by), ("auth0|7", "jwt"));
        assert_eq!(words_of(&known.scopes), ["read"]);
        assert_eq!(words_of(&known.roles), ["admin"]);
        assert_eq!(Value::Object(known.claims.clone()), claims);
        let known = holder(&mapping, json!({"sub": 7, "scope": " a  b ", "scp": "c", "realm": []})).unwrap();
        assert_eq!(&*known.consumer.name, "7");
        assert_eq!(words_of(&known.consumer.scopes), ["a", "b"]);
        assert!(known.consumer.roles.is_empty());
    }

    #[test]
    fn a_claim_with_dots_in_its_name_goes_before_a_path() {
        let mapping = mapping("https://a.example/name", &[], Some("a.b"));
        let claims = json!({"https://a.example/name": "ann", "a.b": "whole", "a": {"b": "path"}});
        let known = holder(&mapping, claims).unwrap().consumer;
        assert_eq!((&*known.name, words_of(&known.roles)), ("ann", vec!["whole"]));
    }

    #[test]
    fn whoever_has_no_name_is_nobody() {
        let mapping = mapping("sub", &[], None);
        for name in [
            json!(null),
            json!(""),
            json!("two words"),
            json!("é"),
            json!(["a"]),
            json!(true),
            json!("a\nb"),
        ] {
            assert!(holder(&mapping, json!({"sub": name})).is_none());
        }
        assert!(holder(&mapping, json!({})).is_none());
    }

    #[test]
    fn the_backend_is_told_claims() {
        let mapping = mapping("sub", &[], None);
        for (tenant, told) in [
            (json!("blue"), Some("blue")),
            (json!(7), Some("7")),
            (json!(true), Some("true")),
            (json!(["a", 1]), Some("[\"a\",1]")),
            (json!("a\r\nX-Admin: 1"), Some("a  X-Admin: 1")),
            (json!(null), None),
        ] {
            let mut headers = Headers::new();
            holder(&mapping, json!({"sub": "ann", "org": {"tenant": tenant}}))
                .unwrap()
                .tell(&mut headers);
            assert_eq!(headers.get_str("x-tenant"), told);
            assert_eq!(headers.len(), usize::from(told.is_some()));
        }
    }
}
