//! Who a script is for, as the database is told.

use std::sync::Arc;

use portcullis_config::database::DatabaseRole;
use portcullis_core::{Consumer, Error, Result, codes};
use portcullis_tables::statement::Session;

/// Which roles callers have in a database.
#[derive(Debug)]
pub(super) struct Roles {
    claim: Box<str>,
    allowed: Vec<Arc<str>>,
    anonymous: Option<Arc<str>>,
}

impl Roles {
    pub(super) fn new(config: &DatabaseRole) -> Roles {
        Roles {
            claim: config.claim.as_str().into(),
            allowed: config.allowed.iter().map(|role| role.as_str().into()).collect(),
            anonymous: config.anonymous.as_deref().map(Arc::from),
        }
    }

    /// The session of a caller.
    ///
    /// # Errors
    /// `forbidden` for a role that isn't in the list, `unauthenticated` where there is no role for who has none.
    pub(super) fn session(&self, consumer: Option<&Consumer>) -> Result<Session> {
        let claimed = consumer.and_then(|consumer| consumer.claims.get(&*self.claim));
        let role = match claimed {
            Some(claimed) => self
                .allowed
                .iter()
                .find(|role| claimed.as_str() == Some(&***role))
                .ok_or_else(|| {
                    let cause = "the claim names a role that the database's `role.allowed` doesn't list";
                    Error::new(&codes::FORBIDDEN).with_cause(cause)
                })?,
            None => self.anonymous.as_ref().ok_or_else(|| {
                Error::new(&codes::UNAUTHENTICATED).with_cause("the caller has no role in the database")
            })?,
        };
        Ok(Session {
            role: Some(role.clone()),
            claims: Some(claims(consumer, role)),
            time_zone: None,
        })
    }
}

/// What is known of a caller, as policies of row security read it. Who has no token is known by name.
fn claims(consumer: Option<&Consumer>, role: &str) -> String {
    let mut claims = consumer.map(|consumer| consumer.claims.clone()).unwrap_or_default();
    if let Some(consumer) = consumer {
        claims.entry("sub").or_insert_with(|| consumer.name.to_string().into());
    }
    claims.insert("role".to_owned(), role.into());
    serde_json::Value::Object(claims).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn roles(anonymous: Option<&str>) -> Roles {
        Roles::new(&DatabaseRole {
            claim: "role".to_owned(),
            allowed: vec!["reader".to_owned(), "editor".to_owned()],
            anonymous: anonymous.map(str::to_owned),
        })
    }

    fn caller(role: serde_json::Value) -> Consumer {
        let mut consumer = Consumer::new("ada", "jwt");
        consumer.claims.insert("role".to_owned(), role);
        consumer
    }

    #[test]
    fn a_claim_names_one_of_the_roles_that_are_listed() {
        let session = roles(None).session(Some(&caller("editor".into()))).unwrap();
        assert_eq!(session.role.as_deref(), Some("editor"));
        assert_eq!(session.claims.as_deref(), Some(r#"{"role":"editor","sub":"ada"}"#));
        for role in [
            "postgres".into(),
            "EDITOR".into(),
            "".into(),
            7.into(),
            serde_json::Value::Null,
        ] {
            let refused = roles(Some("anonymous")).session(Some(&caller(role))).unwrap_err();
            assert_eq!(refused.code().name, "forbidden");
        }
    }

    #[test]
    fn who_has_no_role_is_anonymous_or_refused() {
        let nameless = Consumer::new("ada", "api_key");
        for consumer in [None, Some(&nameless)] {
            let session = roles(Some("web")).session(consumer).unwrap();
            assert_eq!(session.role.as_deref(), Some("web"));
            assert_eq!(
                roles(None).session(consumer).unwrap_err().code().name,
                "unauthenticated"
            );
        }
    }
}
