use std::sync::Arc;

use portcullis_cel::Failure;
use portcullis_core::{Consumer, Ctx, PathParams};

use super::Expression;
use crate::trial::{context, request};

fn known() -> Ctx {
    let mut cx = context();
    let mut consumer = Consumer::new("ann", "jwt");
    consumer.scopes = ["orders:read".into(), "orders:write".into()].into();
    consumer.roles = ["clerk".into()].into();
    consumer.claims.insert("tenant".to_owned(), "t1".into());
    consumer.claims.insert("groups".to_owned(), vec!["a", "b"].into());
    cx.consumer = Some(Arc::new(consumer));
    cx.params = PathParams::default();
    cx.params.push("tenant".into(), "t1".into());
    cx
}

/// Checks what an expression says of `GET /orders/1?a=1&a=%32&b=x+y` by the consumer ann.
#[allow(clippy::needless_pass_by_value, reason = "what a test expects it gives away")]
fn check(text: &str, expected: Result<bool, Failure>) {
    let request = request(
        "GET",
        "/orders/1?a=1&a=%32&b=x+y",
        &[
            ("Host", "Shop.example:8080"),
            ("X-Tag", "one"),
            ("x-tag", "two"),
            ("Cookie", "a=1"),
            ("cookie", "b=2"),
        ],
    );
    let expression = Expression::boolean(text).unwrap();
    assert_eq!(expression.holds(&known(), &request), expected, "{text}");
}

#[test]
fn requests_are_seen() {
    for text in [
        "request.method == 'GET' && request.path == '/orders/1' && request.host == 'shop.example'",
        "request.scheme == 'http' && request.size == 0 && request.id == 'id-1' && request.version == 'HTTP/1.1'",
        "request.query.a == ['1', '2'] && 'x y' in request.query['b'] && !has(request.query.c)",
        "request.query.all(name, name in ['a', 'b'])",
        "request.headers['X-TAG'] == 'one, two' && request.headers.`x-tag` == 'one, two'",
        "request.headers.cookie == 'a=1; b=2' && !('x-other' in request.headers)",
        "request.headers.map(name, name) == ['cookie', 'host', 'x-tag']",
        "client.address == '192.0.2.7' && client.peer == '192.0.2.7' && client.port == 50000",
        "client.address.inNetwork('192.0.2.0/24') && !client.address.inNetwork('10.0.0.0/8')",
        "consumer != null && consumer.name == 'ann' && consumer.by == 'jwt'",
        "'orders:read' in consumer.scopes && consumer.roles == ['clerk']",
        "claims.tenant == params.tenant && claims.groups.exists(group, group == 'b')",
        "route == 'items' && time.getFullYear() == 2026 && tls == null",
    ] {
        check(text, Ok(true));
    }
}

#[test]
fn what_is_not_there_fails() {
    check("claims.nothing == 1", Err(Failure::NoSuchKey("nothing".into())));
    check("tls.server_name == ''", Err(Failure::WrongType("a field")));
    check(
        "request.headers.authorization == ''",
        Err(Failure::NoSuchKey("authorization".into())),
    );
    check("claims.tenant", Err(Failure::WrongType("what wants true or false")));
}

#[test]
fn nobody_has_no_name() {
    let expression = Expression::boolean("consumer == null && size(claims) == 0").unwrap();
    let request = request("GET", "/", &[]);
    assert_eq!(expression.holds(&context(), &request), Ok(true));
    let expression = Expression::boolean("consumer.name == 'ann'").unwrap();
    assert!(expression.holds(&context(), &request).is_err());
}

#[test]
fn expressions_can_be_texts_and_numbers() {
    let request = request("GET", "/orders?n=5", &[]);
    let text = Expression::text("consumer.name + ':' + claims.tenant").unwrap();
    assert_eq!(text.text_of(&known(), &request), Ok("ann:t1".to_owned()));
    for (text, expected) in [
        ("request.method == 'GET' ? 1 : 5", Ok(1)),
        ("int(request.query.n[0]) * 2", Ok(10)),
        ("2.9", Ok(2)),
        ("18446744073709551615u", Err(Failure::OutOfRange)),
        ("1e300", Err(Failure::OutOfRange)),
        ("claims.tenant", Err(Failure::WrongType("what wants a number"))),
    ] {
        assert_eq!(
            Expression::number(text).unwrap().number_of(&known(), &request),
            expected,
            "{text}"
        );
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, expected) in [
        (
            "request.method == 1",
            "column 16 of the expression: `==` compares a string with an int, which are never equal",
        ),
        (
            "request.metod == ''",
            "column 9 of the expression: `request` has no field `metod`; is `method` meant?",
        ),
        (
            "request.query.a == 'x'",
            "column 17 of the expression: `==` compares a list(string) with a string, which are never equal",
        ),
        (
            "true &&\n  foo",
            "line 2, column 3 of the expression: there is no variable `foo`",
        ),
        (
            "request.method",
            "the expression must be true or false, and it is of the type string",
        ),
    ] {
        assert_eq!(Expression::boolean(text).unwrap_err(), expected);
    }
    assert!(Expression::text("1").is_err());
    assert!(Expression::number("'1'").is_err());
}

#[test]
fn who_needs_identity_is_known() {
    for (text, expected) in [
        ("consumer == null", true),
        ("has(claims.sub)", true),
        ("request.method == 'GET' || [1].all(consumer, consumer == 1)", false),
    ] {
        assert_eq!(Expression::boolean(text).unwrap().needs_identity(), expected, "{text}");
    }
}

#[test]
fn no_request_makes_an_expression_run_for_long() {
    let many: String = (0..5000).map(|number| format!("&p{number}=1")).collect();
    let request = request("GET", &format!("/?{many}"), &[]);
    let expression = Expression::boolean("request.query.all(name, request.query[name] == ['1'])").unwrap();
    assert_eq!(expression.holds(&known(), &request), Err(Failure::TooCostly));
}
