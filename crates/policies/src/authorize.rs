//! `authorize` lets requests pass that are allowed to do what they ask for.
//!
//! ```yaml
//! authorize:
//!   allow: claims.tenant == params.tenant && (request.method == 'GET' || 'editor' in consumer.roles)
//!   scopes: [orders]
//! ```
//!
//! All that is written must hold. What can't be found out, because an expression fails, doesn't hold.

use portcullis_config::policy::authorize;
use portcullis_core::{Consumer, Ctx, Error, Known, Next, Policy, Reply, Request, codes};

use crate::expression::Expression;

/// Refuses requests for which not all holds that must.
pub struct Authorize {
    allow: Box<[Expression]>,
    scopes: Box<[Box<str>]>,
    roles: Box<[Box<str>]>,
}

impl Authorize {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// When an expression is none, a scope or role can't be one, or nothing is demanded.
    pub fn new(config: &authorize::Authorize) -> Result<Authorize, String> {
        if config.allow.is_empty() && config.scopes.is_empty() && config.roles.is_empty() {
            return Err("nothing is demanded: write an expression, `scopes` or `roles`".to_owned());
        }
        for word in config.scopes.iter().chain(&config.roles) {
            if !is_scope(word) {
                return Err(format!("`{}` can't be a scope or role", word.escape_debug()));
            }
        }
        let boxed = |words: &[String]| words.iter().map(|word| word.as_str().into()).collect();
        let several = config.allow.len() > 1;
        let compiled = config.allow.iter().enumerate().map(|(index, text)| {
            Expression::boolean(text).map_err(|said| {
                if several {
                    format!("allow[{index}]: {said}")
                } else {
                    said
                }
            })
        });
        Ok(Authorize {
            allow: compiled.collect::<Result<_, _>>()?,
            scopes: boxed(&config.scopes),
            roles: boxed(&config.roles),
        })
    }

    fn judge(&self, cx: &Ctx, request: &Request) -> Result<(), Error> {
        if !self.scopes.is_empty() || !self.roles.is_empty() {
            self.judge_consumer(cx.consumer.as_deref())?;
        }
        for (index, expression) in self.allow.iter().enumerate() {
            match expression.holds(cx, request) {
                Ok(true) => {}
                Ok(false) => return Err(refusal(format!("allow[{index}] is not true of the request"))),
                Err(failure) => return Err(refusal(format!("allow[{index}] failed: {failure}"))),
            }
        }
        Ok(())
    }

    fn judge_consumer(&self, consumer: Option<&Consumer>) -> Result<(), Error> {
        let lacks = |consumer: &Consumer| {
            let scope = self.scopes.iter().find(|scope| !consumer.has_scope(scope));
            let role = self.roles.iter().find(|role| !consumer.has_role(role));
            (scope.cloned(), role.cloned())
        };
        // Who may enter without a credential has shown none, and may have one.
        let known = consumer.filter(|consumer| consumer.by != "anonymous");
        match (consumer.map(lacks), known) {
            (Some((None, None)), _) => Ok(()),
            (_, None) => Err(self.unknown()),
            (Some((Some(scope), _)), Some(_)) => Err(self.insufficient(&scope)),
            (Some((None, Some(role))), Some(_)) => Err(refusal(format!("the role `{role}` is missing"))),
            (None, Some(_)) => Err(self.unknown()),
        }
    }

    /// Nobody is known who could be allowed anything (RFC 6750 §3.1: without a credential there is no error code).
    #[cold]
    fn unknown(&self) -> Error {
        let challenge = match &*self.scopes {
            [] => "Bearer".to_owned(),
            scopes => format!("Bearer scope=\"{}\"", scopes.join(" ")),
        };
        Error::new(&codes::UNAUTHENTICATED)
            .by_policy(NAME)
            .with_header(Known::WwwAuthenticate, challenge)
    }

    #[cold]
    fn insufficient(&self, missing: &str) -> Error {
        let challenge = format!(
            "Bearer error=\"insufficient_scope\", scope=\"{}\"",
            self.scopes.join(" ")
        );
        refusal(format!("the scope `{missing}` is missing")).with_header(Known::WwwAuthenticate, challenge)
    }
}

const NAME: &str = "authorize";

impl Policy for Authorize {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        match self.judge(cx, &request) {
            Ok(()) => next.run(cx, request),
            Err(error) => error.into(),
        }
    }
}

/// The reason is for the log alone: what is demanded is nobody's business who doesn't have it.
#[cold]
fn refusal(reason: String) -> Error {
    Error::new(&codes::FORBIDDEN).by_policy(NAME).with_cause(reason)
}

/// Whether the text is a scope-token (RFC 6749 §3.3), which can stand in quotes.
fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
