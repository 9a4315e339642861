//! `anonymous` lets in those who show no credential of any kind that the route understands.
//!
//! ```yaml
//! anonymous: {name: guest}
//! ```
//!
//! It comes after every way of authentication, and never in the place of one: a token that is forged or has expired is
//! refused, whether or not its bearer would have been let in without it. So a client learns that its token is no good,
//! and is not served as somebody else. It also says, for whoever reads the file, that a route is open on purpose.

use std::sync::Arc;

use portcullis_config::policy::anonymous;
use portcullis_core::{Consumer, Ctx, Request, headers};

use crate::authenticate::{Authenticator, Verdict};

/// Lets in those who show nothing.
pub struct Anonymous(Option<Arc<Consumer>>);

impl Anonymous {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// When a name or role can't stand in a field, or there are roles and no name.
    pub fn new(config: &anonymous::Anonymous) -> Result<Anonymous, String> {
        let Some(name) = &config.name else {
            if config.roles.is_empty() {
                return Ok(Anonymous(None));
            }
            return Err("who has roles needs a name: rules and logs tell by it who it was".to_owned());
        };
        for word in config.roles.iter().chain([name]) {
            if !headers::is_token(word.as_bytes()) {
                return Err(format!(
                    "`{word}` is no name or role here: write letters, digits and hyphens"
                ));
            }
        }
        let mut consumer = Consumer::new(name.as_str(), "anonymous");
        consumer.roles = config.roles.iter().map(|role| role.as_str().into()).collect();
        Ok(Anonymous(Some(Arc::new(consumer))))
    }
}

impl Authenticator for Anonymous {
    fn name(&self) -> &'static str {
        "anonymous"
    }

    fn judge(&self, _: &mut Ctx, _: &mut Request) -> Verdict {
        match &self.0 {
            Some(consumer) => Verdict::Known(Arc::clone(consumer)),
            None => Verdict::Admitted,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_config::policy::api_key::{self, KeyHolder};
    use portcullis_config::secret::Secret;
    use portcullis_core::Policy;

    use super::*;
    use crate::api_key::ApiKey;
    use crate::authenticate::Authenticate;
    use crate::trial::{request, send};

    fn policy(name: Option<&str>) -> Arc<dyn Policy> {
        let keys = api_key::ApiKey {
            consumers: vec![KeyHolder {
                name: "alice".to_owned(),
                key: Some(Secret::new("alices-key".to_owned())),
                ..KeyHolder::default()
            }],
            ..api_key::ApiKey::default()
        };
        let anonymous = anonymous::Anonymous {
            name: name.map(str::to_owned),
            ..anonymous::Anonymous::default()
        };
        let ways: [Arc<dyn Authenticator>; 2] = [
            Arc::new(ApiKey::new(&keys, None).unwrap()),
            Arc::new(Anonymous::new(&anonymous).unwrap()),
        ];
        Arc::new(Authenticate::new(ways))
    }

    #[test]
    fn whoever_shows_nothing_is_let_in_and_whoever_shows_something_wrong_is_not() {
        for (name, known) in [(None, None), (Some("guest"), Some("guest"))] {
            let policy = policy(name);
            let trial = send(&policy, request("GET", "/", &[("X-Consumer", "alice")]), &[]);
            assert_eq!(trial.status().code(), 200);
            let seen = trial.seen.unwrap();
            assert_eq!(seen.headers.get_str("x-consumer"), known);
            let trial = send(&policy, request("GET", "/", &[("X-Api-Key", "alices-key")]), &[]);
            assert_eq!(&*trial.cx.consumer.unwrap().name, "alice");
            let trial = send(&policy, request("GET", "/", &[("X-Api-Key", "bobs-key")]), &[]);
            assert_eq!(trial.status().code(), 401);
        }
    }

    #[test]
    fn roles_without_a_name_and_names_that_no_field_can_hold_are_refused() {
        for (name, roles) in [(None, vec!["a"]), (Some("a b"), vec![]), (Some("a"), vec!["b\n"])] {
            let config = anonymous::Anonymous {
                enabled: true,
                name: name.map(str::to_owned),
                roles: roles.into_iter().map(str::to_owned).collect(),
            };
            assert!(Anonymous::new(&config).is_err());
        }
    }
}
