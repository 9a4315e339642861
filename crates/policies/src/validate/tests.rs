use std::time::Duration;

use portcullis_config::units::ByteSize;
use portcullis_core::Response;

use super::*;
use crate::trial::{Trial, context, exchange, request, send, send_as};

const ORDER: &str = r#"{
    "type": "object", "required": ["id"], "additionalProperties": false,
    "properties": {"id": {"type": "integer", "minimum": 1}, "tags": {"items": {"type": "string"}}}
}"#;

fn config() -> Written {
    Written {
        body: None,
        content_types: Vec::new(),
        methods: Vec::new(),
        query: None,
        unknown_query: Unknown::Allow,
        headers: None,
        params: None,
        max_body: ByteSize(1_000),
        formats: false,
        mode: Mode::Enforce,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap()
}

fn compiled(config: &Written, reported: &Reported) -> (Arc<dyn Policy>, tokio::runtime::Runtime) {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let policy = Validate::new(config, "default", folder.path(), runtime.handle(), reported);
    (Arc::new(policy.unwrap()), runtime)
}

fn each(parameters: &[(&str, &str)]) -> Option<WrittenParameters> {
    let each = parameters
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), (*schema).to_owned()));
    Some(WrittenParameters::Each(each.collect()))
}

fn check(trial: &Trial, status: u16, code: &str, places: &[&str]) {
    assert_eq!(trial.status().code(), status, "{:?}", trial.result);
    assert_eq!(trial.seen.is_some(), status == 200);
    if let Err(error) = &trial.result {
        assert_eq!((error.code().name, error.policy()), (code, Some("validate")));
        let found: Vec<String> = error
            .findings()
            .iter()
            .map(|it| format!("{}{}", it.part, it.pointer))
            .collect();
        assert_eq!(found, places, "{error:?}");
    }
}

fn post(policy: &Arc<dyn Policy>, content_type: &str, body: &str) -> Trial {
    let mut request = request("POST", "/orders", &[("content-type", content_type)]);
    request.body = Body::from(body.to_owned());
    exchange(policy, request, Response::new(portcullis_core::Status::OK))
}

#[test]
fn a_body_passes_as_it_came_or_not_at_all() {
    let config = Written {
        body: Some(ORDER.to_owned()),
        ..config()
    };
    let (policy, _runtime) = compiled(&config, &Reported::default());
    let json = "application/json";
    let body = "{ \"id\" : 1.0,\n\"tags\":[\"a\"] }";
    let mut trial = post(&policy, json, body);
    check(&trial, 200, "", &[]);
    let seen = std::mem::take(&mut trial.seen.as_mut().unwrap().body);
    assert!(matches!(seen, Body::Full(bytes) if bytes == body));

    check(
        &post(&policy, "application/merge-patch+json", "{\"id\": 2}"),
        200,
        "",
        &[],
    );
    let broken = "{\"id\": 0, \"tags\": [1], \"x\": \"secret\"}";
    let trial = post(&policy, json, broken);
    check(&trial, 422, "invalid_content", &["body/id", "body/tags/0", "body/x"]);
    assert!(!format!("{:?}", trial.result).contains("secret"));
    for malformed in [
        "",
        "{",
        "{\"id\": 1, \"id\": 2}",
        "{\"id\": 1} x",
        "\u{feff}{\"id\": 1}",
    ] {
        check(&post(&policy, json, malformed), 400, "bad_content", &[]);
    }
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    check(&post(&policy, json, &deep), 400, "bad_content", &[]);
    for other in [
        "text/plain",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded",
        "json",
    ] {
        check(
            &post(&policy, other, "{\"id\": 1}"),
            415,
            "unsupported_content_type",
            &[],
        );
    }
    check(&post(&policy, json, &" ".repeat(1_001)), 413, "content_too_large", &[]);
}

#[test]
fn a_body_that_is_compressed_or_has_no_type_is_refused() {
    let config = Written {
        body: Some(ORDER.to_owned()),
        ..config()
    };
    let (policy, _runtime) = compiled(&config, &Reported::default());
    for fields in [
        &[][..],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
        &[("content-type", "application/json"), ("content-type", "text/plain")],
    ] {
        let mut request = request("POST", "/", fields);
        request.body = Body::from("{\"id\": 1}");
        check(&send(&policy, request, &[]), 415, "unsupported_content_type", &[]);
    }
    check(&send(&policy, request("GET", "/", &[]), &[]), 200, "", &[]);
    check(
        &send(&policy, request("POST", "/", &[]), &[]),
        415,
        "unsupported_content_type",
        &[],
    );
}

#[test]
fn parameters_are_read_as_their_schemas_ask() {
    let config = Written {
        query: each(&[
            ("limit", r#"{"type": "integer", "maximum": 100}"#),
            (
                "tag",
                r#"{"type": "array", "items": {"type": "integer"}, "maxItems": 2}"#,
            ),
            ("on", r#"{"type": "boolean"}"#),
        ]),
        unknown_query: Unknown::Refuse,
        headers: each(&[("x-tenant", r#"{"pattern": "^[a-z]+$"}"#)]),
        params: each(&[("id", r#"{"type": "integer"}"#)]),
        ..config()
    };
    let (policy, _runtime) = compiled(&config, &Reported::default());
    let get = |target: &str, tenant: &str, id: &str| {
        let mut cx = context();
        cx.params.push("id".into(), id.into());
        send_as(&policy, cx, request("GET", target, &[("X-Tenant", tenant)]), &[])
    };
    check(&get("/?limit=10&tag=1&tag=2&on=true", "a", "7"), 200, "", &[]);
    check(&get("/", "a", "7"), 200, "", &[]);
    let wrong = "/?limit=101&tag=x&on=1&more=1";
    let places = [
        "path/id",
        "query/limit",
        "query/more",
        "query/on",
        "query/tag",
        "header/x-tenant",
    ];
    let trial = get(wrong, "A", "x");
    assert_eq!(trial.result.as_ref().unwrap_err().findings().len(), places.len());
    check(
        &get("/?limit=1&limit=2", "a", "7"),
        400,
        "invalid_parameters",
        &["query/limit"],
    );
    check(&get("/?limit=%ff", "a", "7"), 400, "invalid_parameters", &["query"]);
    check(&get("/?limit=1%32", "a", "7"), 200, "", &[]);
}

#[test]
fn one_schema_may_be_for_all_parameters() {
    let all = r#"{"required": ["q"], "properties": {"q": {"type": "string", "minLength": 2}, "n": {"items": {"type": "integer"}, "type": "array"}}, "additionalProperties": false}"#;
    let config = Written {
        query: Some(WrittenParameters::All(all.to_owned())),
        ..config()
    };
    let (policy, _runtime) = compiled(&config, &Reported::default());
    let get = |target: &str| send(&policy, request("GET", target, &[]), &[]);
    check(&get("/?q=12&n=1"), 200, "", &[]);
    check(&get("/?q=1&x=1"), 400, "invalid_parameters", &["query/q", "query/x"]);
    check(&get("/"), 400, "invalid_parameters", &["query"]);
}

#[test]
fn methods_and_types_may_be_listed_alone() {
    let config = Written {
        methods: vec!["GET".to_owned(), "POST".to_owned()],
        content_types: vec!["text/*".to_owned()],
        ..config()
    };
    let (policy, _runtime) = compiled(&config, &Reported::default());
    check(&post(&policy, "text/csv; charset=latin1", "a,b"), 200, "", &[]);
    check(
        &post(&policy, "application/json", "{}"),
        415,
        "unsupported_content_type",
        &[],
    );
    check(&send(&policy, request("POST", "/", &[]), &[]), 200, "", &[]);
    let trial = send(&policy, request("DELETE", "/", &[]), &[]);
    check(&trial, 405, "method_not_allowed", &[]);
    assert_eq!(trial.field("allow").as_deref(), Some("GET, POST"));
}

#[test]
fn what_is_only_reported_passes_and_is_counted() {
    let reported = Reported::default();
    let config = Written {
        body: Some(ORDER.to_owned()),
        mode: Mode::Report,
        ..config()
    };
    let (policy, _runtime) = compiled(&config, &reported);
    for (content_type, body) in [
        ("application/json", "{}".to_owned()),
        ("application/json", "{".to_owned()),
        ("text/plain", "x".to_owned()),
        ("application/json", " ".repeat(2_000)),
    ] {
        let mut trial = post(&policy, content_type, &body);
        check(&trial, 200, "", &[]);
        let seen = std::mem::take(&mut trial.seen.as_mut().unwrap().body);
        assert!(matches!(seen, Body::Full(bytes) if bytes == body));
    }
    let mut text = String::new();
    reported.render(&mut text);
    assert!(
        text.contains(r#"{policies="default",policy="validate",message="request"} 4"#),
        "{text}"
    );
}

#[test]
fn large_bodies_are_judged_elsewhere() {
    let config = Written {
        body: Some(r#"{"items": {"type": "integer"}}"#.to_owned()),
        max_body: ByteSize::mib(1),
        ..config()
    };
    let (policy, runtime) = compiled(&config, &Reported::default());
    let local = tokio::task::LocalSet::new();
    let judged = |body: String| {
        let mut request = request("POST", "/", &[("content-type", "application/json")]);
        request.body = Body::from(body);
        let policies = [Arc::clone(&policy)];
        let trial = async move {
            let mut cx = context();
            let next = Next::new(&policies, &Nothing);
            next.run(&mut cx, request).await.map(|response| response.status.code())
        };
        local.block_on(&runtime, async {
            tokio::time::timeout(Duration::from_secs(20), trial).await
        })
    };
    let numbers = format!("[1{}]", ",1".repeat(100_000));
    assert_eq!(judged(numbers).unwrap().unwrap(), 200);
    let wrong = format!("[1{},\"x\"]", ",1".repeat(100_000));
    assert_eq!(judged(wrong).unwrap().unwrap_err().findings()[0].pointer, "/100001");
}

struct Nothing;

impl portcullis_core::Backend for Nothing {
    fn call<'a>(&'a self, _: &'a mut Ctx, _: Request) -> Reply<'a> {
        Response::new(portcullis_core::Status::OK).into()
    }
}

#[test]
fn what_cant_be_used_is_told() {
    let (folder, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let refused = |body: &str| {
        let config = Written {
            body: Some(body.to_owned()),
            ..config()
        };
        Validate::new(&config, "a", folder.path(), runtime.handle(), &Reported::default()).unwrap_err()
    };
    assert!(refused("none.json").contains("none.json"));
    assert!(refused("{\"type\": \"strng\"}").contains("`type`"));
    assert!(refused("{\"$ref\": \"https://example.com/a\"}").contains("nothing is ever fetched"));
}
