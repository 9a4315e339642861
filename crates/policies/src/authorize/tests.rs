use std::sync::Arc;

use portcullis_config::policy::authorize;
use portcullis_core::{Consumer, Policy};

use super::Authorize;
use crate::trial::{Trial, context, request, send_as};

fn compile(allow: &[&str], scopes: &[&str], roles: &[&str]) -> Result<Arc<dyn Policy>, String> {
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let config = authorize::Authorize {
        allow: list(allow),
        scopes: list(scopes),
        roles: list(roles),
    };
    Authorize::new(&config).map(|policy| Arc::new(policy) as _)
}

/// A request by a consumer with those scopes and roles, found out by that policy.
fn send(policy: &Arc<dyn Policy>, consumer: Option<(&'static str, &[&str], &[&str])>) -> Trial {
    let mut cx = context();
    cx.consumer = consumer.map(|(by, scopes, roles)| {
        let mut consumer = Consumer::new("ann", by);
        consumer.scopes = scopes.iter().map(|word| (*word).into()).collect();
        consumer.roles = roles.iter().map(|word| (*word).into()).collect();
        consumer.claims.insert("age".to_owned(), 41.into());
        Arc::new(consumer)
    });
    send_as(policy, cx, request("GET", "/items/1", &[("x-number", "seven")]), &[])
}

#[test]
fn all_that_is_written_must_hold() {
    let policy = compile(&["claims.age > 40", "consumer.name == 'ann'"], &["read"], &["clerk"]).unwrap();
    for (scopes, roles, status) in [
        (&["read", "write"][..], &["clerk"][..], 200),
        (&["read"], &["clerk", "admin"], 200),
        (&["write"], &["clerk"], 403),
        (&["read"], &["admin"], 403),
        (&[], &[], 403),
    ] {
        let trial = send(&policy, Some(("jwt", scopes, roles)));
        assert_eq!(trial.status().code(), status, "{scopes:?} {roles:?}");
        assert_eq!(trial.seen.is_some(), status == 200);
    }
    let policy = compile(&["claims.age > 40", "consumer.name == 'bob'"], &[], &[]).unwrap();
    let trial = send(&policy, Some(("jwt", &[], &[])));
    let error = trial.result.unwrap_err();
    assert_eq!((error.code().name, error.policy()), ("forbidden", Some("authorize")));
    assert_eq!(error.detail(), None);
}

#[test]
fn what_fails_is_refused_with_the_cause_in_the_log() {
    for (text, cause) in [
        ("claims.level > 3", "allow[0] failed: there is no key `level`"),
        (
            "int(request.headers['x-number']) > 3",
            "allow[0] failed: a text is no int",
        ),
        (
            "claims.age",
            "allow[0] failed: what wants true or false was given a value of a type that it isn't for",
        ),
        ("1 / (claims.age - 41) > 0", "allow[0] failed: division by zero"),
        ("request.path == '/'", "allow[0] is not true of the request"),
    ] {
        let trial = send(&compile(&[text], &[], &[]).unwrap(), Some(("jwt", &[], &[])));
        assert_eq!(trial.status().code(), 403);
        assert!(trial.seen.is_none());
        let error = trial.result.unwrap_err();
        assert_eq!(error.cause().unwrap().to_string(), cause);
    }
}

#[test]
fn who_has_too_few_scopes_is_told_which() {
    let policy = compile(&[], &["orders:read", "orders:write"], &[]).unwrap();
    let trial = send(&policy, Some(("jwt", &["orders:read"], &[])));
    assert_eq!(trial.status().code(), 403);
    let expected = "Bearer error=\"insufficient_scope\", scope=\"orders:read orders:write\"";
    assert_eq!(trial.field("www-authenticate").unwrap(), expected);
}

#[test]
fn who_shows_nothing_is_asked_who_it_is() {
    for (scopes, roles, challenge) in [
        (&["orders"][..], &[][..], "Bearer scope=\"orders\""),
        (&[], &["clerk"], "Bearer"),
    ] {
        let policy = compile(&[], scopes, roles).unwrap();
        for consumer in [None, Some(("anonymous", &[][..], &["guest"][..]))] {
            let trial = send(&policy, consumer);
            assert_eq!(trial.status().code(), 401);
            assert_eq!(trial.field("www-authenticate").unwrap(), challenge);
        }
    }
    let policy = compile(&[], &[], &["guest"]).unwrap();
    let guest = send(&policy, Some(("anonymous", &[], &["guest"])));
    assert_eq!(guest.status().code(), 200);
    let policy = compile(&["consumer.name == 'ann'"], &[], &[]).unwrap();
    assert_eq!(send(&policy, None).status().code(), 403);
}

#[test]
fn mistakes_are_told() {
    for (allow, scopes, expected) in [
        (&[][..], &[][..], "nothing is demanded"),
        (&["request.path"], &[], "the expression must be true or false"),
        (
            &["true", "request.path == 1"],
            &[],
            "allow[1]: column 14 of the expression: `==` compares a string with an int",
        ),
        (&[], &["a b"], "`a b` can't be a scope or role"),
        (&[], &["a\"b"], "`a\\\"b` can't be a scope or role"),
        (&[], &[""], "`` can't be a scope or role"),
    ] {
        let error = compile(allow, scopes, &[]).err().unwrap();
        assert!(error.starts_with(expected), "{error}");
    }
}
