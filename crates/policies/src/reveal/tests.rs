use std::sync::Arc;

use portcullis_config::policy::reveal::{Findable, HiddenField, MaskedField};
use portcullis_config::units::ByteSize;
use portcullis_core::{Body, Status};
use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};

use super::*;
use crate::trial::{Trial, exchange, request};

fn handle() -> (tokio::runtime::Runtime, Handle) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let handle = runtime.handle().clone();
    (runtime, handle)
}

fn hidden(path: &str) -> HiddenField {
    HiddenField {
        path: path.to_owned(),
        unless_role: Vec::new(),
    }
}

fn masked(path: &str, keep_last: u8, unless_role: &[&str]) -> MaskedField {
    MaskedField {
        path: path.to_owned(),
        keep_last,
        unless_role: unless_role.iter().map(|role| (*role).to_owned()).collect(),
    }
}

fn rules(config: &Written, consumer: Option<&Consumer>) -> Arc<Rules> {
    let (_runtime, handle) = handle();
    Reveal::new(config, &handle).unwrap().rules_for(consumer)
}

fn rewritten(config: &Written, text: &str) -> String {
    let changed = rewrite::json(&rules(config, None), text.as_bytes()).unwrap();
    changed.map_or_else(|| text.to_owned(), |changed| String::from_utf8(changed).unwrap())
}

#[test]
fn fields_are_taken_out_and_what_stays_is_as_it_was() {
    let config = Written {
        remove: ["password", "users.*.hash", "**.secret"].map(hidden).into(),
        ..Written::default()
    };
    for (text, expected) in [
        (r#"{"password":"x"}"#, "{}"),
        (r#"{"a":1,"password":"x","b":2}"#, r#"{"a":1,"b":2}"#),
        (r#"{"password":"x", "b": 2}"#, r#"{ "b": 2}"#),
        (r#"{ "b": 2, "password":"x" }"#, r#"{ "b": 2 }"#),
        (r#"{"pass\u0077ord":"x"}"#, "{}"),
        (r#"{"inner":{"password":"stays"}}"#, r#"{"inner":{"password":"stays"}}"#),
        (
            r#"{"users":[{"hash":"}\"{","n":1.50000000000000000001e400},[]]}"#,
            r#"{"users":[{"n":1.50000000000000000001e400},[]]}"#,
        ),
        (
            r#"[{"secret":{"a":[1,{"b":2}]},"x":[{"secret":null}]}]"#,
            r#"[{"x":[{}]}]"#,
        ),
        (r#"{"secret":1,"secret":2,"a":3}"#, r#"{"a":3}"#),
        (" [1, 2 , 3] ", " [1, 2 , 3] "),
        ("\"password\"", "\"password\""),
    ] {
        assert_eq!(rewritten(&config, text), expected);
    }
}

#[test]
fn only_what_is_allowed_stays() {
    let config = Written {
        allow: ["id", "lines.*.title", "address.city", "whole"]
            .map(str::to_owned)
            .into(),
        remove: vec![hidden("whole.but")],
        ..Written::default()
    };
    let text = r#"{"id":7,"cost":9,"lines":[{"title":"a","cost":1},{"cost":2},5],"address":{"street":"x","city":"y"},"whole":{"a":{"b":1},"but":2}}"#;
    let expected = r#"{"id":7,"lines":[{"title":"a"},{}],"address":{"city":"y"},"whole":{"a":{"b":1}}}"#;
    assert_eq!(rewritten(&config, text), expected);
    assert_eq!(rewritten(&config, r#"[{"id":7}]"#), "[]");
    // What stands where something deeper is allowed is not that.
    assert_eq!(
        rewritten(&config, r#"{"address": "here","lines":["all"],"id":{"a":1}}"#),
        r#"{"lines":[],"id":{"a":1}}"#
    );
    assert_eq!(rewritten(&config, "\"all\""), "null");
}

#[test]
fn values_are_covered() {
    let config = Written {
        mask: vec![masked("iban", 4, &[]), masked("all.*", 0, &[])],
        find: vec![Findable::CardNumbers],
        ..Written::default()
    };
    for (text, expected) in [
        (r#"{"iban":"DE02120300000000202051"}"#, r#"{"iban":"***2051"}"#),
        (r#"{"iban": 12345678}"#, r#"{"iban":"***5678"}"#),
        (r#"{"iban":"short"}"#, r#"{"iban":"***"}"#),
        (r#"{"iban":null}"#, r#"{"iban":"***"}"#),
        (r#"{"iban":{"a":[1]}}"#, r#"{"iban":"***"}"#),
        (r#"{"all":["a",{"b":"c"}]}"#, r#"{"all":["***","***"]}"#),
        (r#"{"x":"4111 1111 1111 1111"}"#, r#"{"x":"***************1111"}"#),
        (r#"{"x":4111111111111111}"#, r#"{"x":"************1111"}"#),
    ] {
        let got = rewritten(&config, text);
        assert!(serde_json::from_str::<Value>(&got).is_ok(), "{got}");
        assert_eq!(got.replace("\": \"", "\":\""), expected);
    }
}

#[test]
fn escapes_neither_hide_secrets_nor_are_torn() {
    let config = Written {
        find: vec![Findable::CardNumbers, Findable::Keys],
        ..Written::default()
    };
    let key = "AKIAABCDEFGHIJKLMNOP";
    let stars = "*".repeat(key.len());
    for (text, expected) in [
        (format!("the key:\n{key}"), format!("the key:\n{stars}")),
        (format!("\t\"{key}\""), format!("\t\"{stars}\"")),
        (
            "-----BEGIN PRIVATE KEY-----\"a".to_owned(),
            format!("{}\"a", "*".repeat(27)),
        ),
    ] {
        let document = json!({"a": text, "b": 1}).to_string();
        let got: Value = serde_json::from_str(&rewritten(&config, &document)).unwrap();
        assert_eq!(got, json!({"a": expected, "b": 1}));
    }
    assert_eq!(
        rewritten(&config, r#"{"a":"\u0034111111111111111"}"#),
        r#"{"a":"************1111"}"#
    );
    let half = format!(r#"{{"a":"\ud800 {key}"}}"#);
    assert_eq!(rewritten(&config, &half), r#"{"a":"***"}"#);
}

#[test]
fn those_with_a_role_see_more() {
    let config = Written {
        mask: vec![masked("iban", 0, &["accounting"])],
        ..Written::default()
    };
    let mut consumer = Consumer::new("ann", "jwt");
    assert!(!rules(&config, Some(&consumer)).is_empty());
    assert!(!rules(&config, None).is_empty());
    consumer.roles = ["accounting".into()].into();
    assert!(rules(&config, Some(&consumer)).is_empty());
}

/// What the policy makes of a response.
fn through(config: &Written, response: Response) -> (Trial, Option<String>) {
    let (_runtime, handle) = handle();
    let policy: Arc<dyn Policy> = Arc::new(Reveal::new(config, &handle).unwrap());
    let fields = [("Accept-Encoding", "gzip"), ("Range", "bytes=0-1")];
    let mut trial = exchange(&policy, request("GET", "/", &fields), response);
    let body = match &mut trial.result {
        Ok(response) => {
            let whole = crate::trial::now(std::mem::take(&mut response.body).read_to_end(u64::MAX));
            Some(String::from_utf8(whole.unwrap().to_vec()).unwrap())
        }
        Err(_) => None,
    };
    (trial, body)
}

fn json_response(text: &'static str) -> Response {
    let response = Response::new(Status::OK).with_body("application/json; charset=utf-8", text);
    response
        .with_header("ETag", "\"1\"")
        .with_header("Server", "secret/1.0")
}

#[test]
fn what_was_changed_has_no_validators_and_what_was_not_keeps_them() {
    let config = Written {
        remove: vec![hidden("a")],
        ..Written::default()
    };
    let (trial, body) = through(&config, json_response(r#"{"a":1,"b":2}"#));
    assert_eq!(body.unwrap(), r#"{"b":2}"#);
    assert_eq!((trial.field("etag"), trial.field("server")), (None, None));
    let seen = trial.seen.unwrap();
    assert!(!seen.headers.contains(Known::AcceptEncoding) && !seen.headers.contains(Known::Range));
    let (trial, body) = through(&config, json_response(r#"{"b":2}"#));
    assert_eq!(
        (body.unwrap().as_str(), trial.field("etag").unwrap().as_str()),
        (r#"{"b":2}"#, "\"1\"")
    );
    let (trial, _) = through(&Written::default(), json_response("{}"));
    assert!(trial.seen.unwrap().headers.contains(Known::AcceptEncoding));
}

#[test]
fn what_cannot_be_looked_at_does_not_leave() {
    let config = Written {
        remove: vec![hidden("a")],
        inspected: ByteSize(100),
        ..Written::default()
    };
    let large: &'static str = format!("{{\"a\":\"{}\"}}", "x".repeat(200)).leak();
    for response in [
        json_response("{\"a\":1"),
        json_response("{\"a\":1}{\"a\":2}"),
        json_response("{\"a\":1}").with_header("Content-Encoding", "gzip"),
        json_response("{\"a\":1}").with_header("Content-Range", "bytes 0-7/9"),
        json_response(large),
    ] {
        let (trial, _) = through(&config, response);
        let error = trial.result.unwrap_err();
        assert_eq!((error.code().name, error.status().code()), ("response_withheld", 502));
    }
    let image = Response::new(Status::OK).with_body("image/png", large);
    assert_eq!(through(&config, image).1.unwrap().len(), large.len());
}

#[test]
fn what_is_json_under_another_name_is_looked_at() {
    let config = Written {
        remove: vec![hidden("a")],
        ..Written::default()
    };
    let response = |types: &[&str]| {
        let mut response = Response::new(Status::OK).with_body("text/json", "{\"a\":1}");
        response.headers.remove(Known::ContentType);
        for media_type in types {
            response.headers.append(Known::ContentType, media_type);
        }
        response
    };
    for types in [&["text/json"][..], &["APPLICATION/JSON;charset=utf-8"], &[], &[""]] {
        assert_eq!(through(&config, response(types)).1.unwrap(), "{}", "{types:?}");
    }
    let several = through(&config, response(&["image/png", "application/json"]));
    assert_eq!(several.0.status().code(), 502);
    for call in ["application/grpc+json", "Application/GRPC-Web+json"] {
        assert_eq!(through(&config, response(&[call])).1.unwrap(), "{\"a\":1}");
    }
    let encoded = response(&["application/json"])
        .with_header("Content-Encoding", "identity")
        .with_header("Content-Encoding", "gzip");
    assert_eq!(through(&config, encoded).0.status().code(), 502);
}

#[test]
fn the_head_of_a_changed_response_tells_nothing_of_the_whole() {
    let (_runtime, handle) = handle();
    let config = Written {
        remove: vec![hidden("a")],
        max_body: Some(ByteSize(1)),
        ..Written::default()
    };
    let policy: Arc<dyn Policy> = Arc::new(Reveal::new(&config, &handle).unwrap());
    let mut head = json_response("").with_header("Content-Length", "7");
    head.body = Body::Empty;
    let trial = exchange(&policy, request("HEAD", "/", &[]), head);
    assert_eq!((trial.field("etag"), trial.field("content-length")), (None, None));
    let mut upgraded = Response::new(Status::new(101).unwrap());
    upgraded.body = "a tunnel".into();
    assert_eq!(through(&config, upgraded).1.unwrap(), "a tunnel");
}

#[test]
fn pages_of_failures_are_replaced() {
    let failure = |code| Response::new(Status::new(code).unwrap()).with_body("text/html", "at line 7 of db.py");
    for (errors, code, replaced) in [
        (ReplacedErrors::Failures, 500, true),
        (ReplacedErrors::Failures, 404, false),
        (ReplacedErrors::All, 404, true),
        (ReplacedErrors::Nothing, 500, false),
    ] {
        let config = Written {
            errors,
            ..Written::default()
        };
        let (trial, body) = through(&config, failure(code).with_header("Retry-After", "7"));
        assert_eq!(trial.status().code(), code);
        assert_eq!(!body.unwrap().contains("db.py"), replaced);
        assert_eq!(trial.field("retry-after").unwrap(), "7");
    }
}

#[test]
fn responses_have_a_largest_size() {
    let config = Written {
        max_body: Some(ByteSize(5)),
        ..Written::default()
    };
    assert_eq!(through(&config, json_response("[1,2]")).1.unwrap(), "[1,2]");
    assert_eq!(through(&config, json_response("[1,23]")).0.status().code(), 502);
}

#[test]
fn paths_that_allow_too_much_are_refused() {
    let (_runtime, handle) = handle();
    let deep = Written {
        allow: vec!["**.id".to_owned()],
        ..Written::default()
    };
    assert!(Reveal::new(&deep, &handle).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c\"\\\\{}\\[\\], é]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map("[a-c\"\\\\,]{1,2}", inner, 0..5).prop_map(Value::from_iter),
        ]
    })
}

/// What `remove: ["**.a"]` means.
fn without_a(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_a).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| *name != "a")
            .map(|(name, value)| (name.clone(), without_a(value)))
            .collect(),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn what_comes_out_is_what_a_tree_would_give(value in any_json(), pretty in any::<bool>()) {
        let config = Written { remove: vec![hidden("**.a")], ..Written::default() };
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        let got: Value = serde_json::from_str(&rewritten(&config, &text)).unwrap();
        assert_eq!(got, without_a(&value));
    }
}

#[test]
fn nothing_is_said_of_fields_that_are_not_there() {
    assert_eq!(
        json!({"b": 1}).to_string(),
        rewritten(
            &Written {
                remove: vec![hidden("a")],
                ..Written::default()
            },
            "{\"b\":1}"
        )
    );
}
