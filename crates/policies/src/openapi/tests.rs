use std::task::{Context, Poll};

use portcullis_config::units::ByteSize;
use portcullis_core::{BodyStream, Frame, Response, Status};

use super::*;
use crate::trial::{Trial, exchange, request, send};

const DOCUMENT: &str = r##"
openapi: 3.0.3
servers: [{url: https://api.example.com/v1}]
paths:
  /orders:
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, maximum: 100, exclusiveMaximum: true}}
        - {name: ids, in: query, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: tag, in: query, schema: {type: array, items: {type: string, maxLength: 2}}}
        - {name: filter, in: query, style: deepObject, schema: {type: object, properties: {age: {type: integer}}, additionalProperties: false}}
        - {name: pipe, in: query, style: pipeDelimited, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: X-Tenant, in: header, required: true, schema: {type: string, pattern: '^[a-z]+$'}}
        - {name: session, in: cookie, schema: {type: string, minLength: 3}}
      responses:
        200:
          headers: {X-Total: {required: true, schema: {type: integer}}}
          content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Order'}}}}
        4XX: {description: no}
    post:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/Order'}}
          application/x-www-form-urlencoded: {schema: {$ref: '#/components/schemas/Order'}}
          image/*: {}
      responses: {201: {description: made}}
  /orders/{id}:
    parameters: [{$ref: '#/components/parameters/id'}]
    get: {responses: {default: {description: any}}}
components:
  parameters: {id: {name: id, in: path, required: true, schema: {type: integer}}}
  schemas:
    Order:
      type: object
      required: [id, name]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string, nullable: true}
        count: {type: integer}
        next: {$ref: '#/components/schemas/Order'}
"##;

fn config() -> Written {
    Written {
        document: "api.yaml".to_owned(),
        strip: None,
        mode: Mode::Enforce,
        responses: WrittenResponses::Ignore,
        unknown_paths: Unknown::Refuse,
        unknown_query: Unknown::Allow,
        max_body: ByteSize(1_000),
        formats: false,
    }
}

struct Tried {
    requests: Arc<dyn Policy>,
    responses: Option<Arc<dyn Policy>>,
    reported: Reported,
    _runtime: tokio::runtime::Runtime,
}

fn compiled(config: &Written) -> Tried {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("api.yaml"), DOCUMENT).unwrap();
    let reported = Reported::default();
    let policy = OpenApi::new(config, "default", folder.path(), runtime.handle(), &reported).unwrap();
    Tried {
        responses: policy.responses().map(|it| Arc::new(it) as _),
        requests: Arc::new(policy),
        reported,
        _runtime: runtime,
    }
}

fn check(trial: &Trial, status: u16, code: &str, places: &[&str]) {
    assert_eq!(trial.status().code(), status, "{:?}", trial.result);
    assert_eq!(trial.seen.is_some(), status == 200);
    if let Err(error) = &trial.result {
        assert_eq!((error.code().name, error.policy()), (code, Some("openapi")));
        let found: Vec<String> = error
            .findings()
            .iter()
            .map(|it| format!("{}{}", it.part, it.pointer))
            .collect();
        assert_eq!(found, places, "{error:?}");
    }
}

fn get(tried: &Tried, target: &str) -> Trial {
    send(&tried.requests, request("GET", target, &[("X-Tenant", "a")]), &[])
}

#[test]
fn paths_and_methods_are_those_of_the_description() {
    let tried = compiled(&config());
    check(&get(&tried, "/v1/orders"), 200, "", &[]);
    check(&get(&tried, "/v1/orders/7"), 200, "", &[]);
    check(&get(&tried, "/v1/orders/x"), 400, "invalid_parameters", &["path/id"]);
    for path in ["/orders", "/v1", "/v1/orders/7/x", "/v1/orders/", "/v1orders"] {
        check(&get(&tried, path), 404, "resource_not_found", &[]);
    }
    let trial = send(&tried.requests, request("DELETE", "/v1/orders", &[]), &[]);
    check(&trial, 405, "method_not_allowed", &[]);
    assert_eq!(trial.field("allow").as_deref(), Some("GET, POST"));
    check(
        &send(&tried.requests, request("HEAD", "/v1/orders/7", &[]), &[]),
        200,
        "",
        &[],
    );

    let stripped = Written {
        strip: Some("/shop".to_owned()),
        unknown_paths: Unknown::Allow,
        ..config()
    };
    let tried = compiled(&stripped);
    check(&get(&tried, "/shop/orders/x"), 400, "invalid_parameters", &["path/id"]);
    check(&get(&tried, "/v1/orders/x"), 200, "", &[]);
}

#[test]
fn parameters_are_read_in_their_styles() {
    let tried = compiled(&Written {
        unknown_query: Unknown::Refuse,
        ..config()
    });
    for (query, places) in [
        ("limit=99&ids=1,2&tag=a&tag=b&filter%5Bage%5D=7&pipe=1%7C2", &[][..]),
        ("limit=100", &["query/limit"]),
        ("limit=1&limit=2", &["query/limit"]),
        ("limit=", &["query/limit"]),
        ("ids=1,x", &["query/ids/1"]),
        ("ids=1&ids=2", &["query/ids"]),
        ("tag=a&tag=long", &["query/tag/1"]),
        (
            "filter[age]=x&filter[size]=1",
            &["query/filter/age", "query/filter/size"],
        ),
        ("pipe=1|x", &["query/pipe/1"]),
        ("more=1", &["query/more"]),
        ("limit=%zz", &["query"]),
    ] {
        let status = if places.is_empty() { 200 } else { 400 };
        check(
            &get(&tried, &format!("/v1/orders?{query}")),
            status,
            "invalid_parameters",
            places,
        );
    }
    let missing = send(&tried.requests, request("GET", "/v1/orders", &[]), &[]);
    check(&missing, 400, "invalid_parameters", &["header/X-Tenant"]);
    let wrong = [("x-tenant", "a"), ("x-tenant", "b"), ("cookie", "a=1; session=ab")];
    let trial = send(&tried.requests, request("GET", "/v1/orders", &wrong), &[]);
    check(
        &trial,
        400,
        "invalid_parameters",
        &["header/X-Tenant", "cookie/session"],
    );
}

fn post(tried: &Tried, content_type: &str, body: &str) -> Trial {
    let mut request = request("POST", "/v1/orders", &[("content-type", content_type)]);
    request.body = Body::from(body.to_owned());
    exchange(&tried.requests, request, Response::new(Status::OK))
}

#[test]
fn bodies_are_judged_by_their_types() {
    let tried = compiled(&config());
    let json = "application/json";
    check(
        &post(&tried, json, r#"{"name": null, "next": {"name": "x"}}"#),
        200,
        "",
        &[],
    );
    check(
        &post(&tried, json, r#"{"next": {"name": 1}}"#),
        422,
        "invalid_content",
        &["body", "body/next/name"],
    );
    check(
        &post(&tried, json, r#"{"name": "a", "name": "b"}"#),
        400,
        "bad_content",
        &[],
    );
    check(&post(&tried, json, ""), 400, "bad_content", &[]);
    check(&post(&tried, json, &" ".repeat(1_001)), 413, "content_too_large", &[]);
    let form = "application/x-www-form-urlencoded";
    check(&post(&tried, form, "name=x&count=12"), 200, "", &[]);
    check(
        &post(&tried, form, "name=x&count=a"),
        422,
        "invalid_content",
        &["body/count"],
    );
    check(&post(&tried, form, "name=x&name=y"), 400, "bad_content", &[]);
    check(&post(&tried, "image/png", "anything"), 200, "", &[]);
    check(
        &post(&tried, "text/plain", "anything"),
        415,
        "unsupported_content_type",
        &[],
    );
    let mut unexpected = request("GET", "/v1/orders/7", &[("content-type", json)]);
    unexpected.body = Body::from("{}");
    check(
        &send(&tried.requests, unexpected, &[]),
        415,
        "unsupported_content_type",
        &[],
    );
    for (pieces, status) in [(&[][..], 200), (&["{}"], 415)] {
        let mut request = request("GET", "/v1/orders/7", &[]);
        request.body = Body::Stream(Box::new(Pieces(pieces.to_vec())));
        let trial = send(&tried.requests, request, &[]);
        check(&trial, status, "unsupported_content_type", &[]);
    }
}

/// Content of unknown length.
struct Pieces(Vec<&'static str>);

impl BodyStream for Pieces {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let piece = self.0.pop();
        Poll::Ready(piece.map(|text| Ok(Frame::Data(Bytes::from_static(text.as_bytes())))))
    }
}

#[test]
fn responses_that_break_the_contract_are_withheld_or_counted() {
    let answer = |status: u16, total: &str, body: &str| {
        let mut response = Response::new(Status::new(status).unwrap()).with_body("application/json", body.to_owned());
        response.headers.append("X-Total", total);
        response
    };
    let asked = || request("GET", "/v1/orders", &[("Accept-Encoding", "gzip")]);
    let good = r#"[{"id": 1, "name": "a"}]"#;
    let cases = [
        (answer(200, "1", good), true),
        (answer(404, "", "{}"), true),
        (answer(200, "x", good), false),
        (answer(200, "1", r#"[{"name": "a"}]"#), false),
        (answer(200, "1", "{"), false),
        (answer(500, "1", good), false),
        (answer(200, "1", good).with_body("text/html", "x"), false),
        (answer(200, "1", good).with_header("Content-Encoding", "gzip"), false),
        (answer(200, "1", &format!("[{}]", " ".repeat(2_000))), true),
    ];
    let enforced = compiled(&Written {
        responses: WrittenResponses::Enforce,
        ..config()
    });
    let reported = compiled(&Written {
        responses: WrittenResponses::Report,
        ..config()
    });
    let (enforcing, reporting) = (
        enforced.responses.as_ref().unwrap(),
        reported.responses.as_ref().unwrap(),
    );
    let mut wrong = 0;
    for (response, fine) in cases {
        let copy = || {
            let mut copy = Response::new(response.status);
            copy.headers = response.headers.clone();
            if let Body::Full(bytes) = &response.body {
                copy.body = Body::from(bytes.clone());
            }
            copy
        };
        let trial = exchange(enforcing, asked(), copy());
        assert_eq!(trial.result.is_ok(), fine, "{response:?}");
        assert!(!trial.seen.unwrap().headers.contains(Known::AcceptEncoding));
        if let Err(error) = trial.result {
            assert_eq!((error.code().name, error.status().code()), ("response_invalid", 502));
            assert!(error.detail().is_none() && error.cause().is_some());
        }
        assert!(exchange(reporting, asked(), copy()).result.is_ok());
        wrong += usize::from(!fine);
    }
    let mut text = String::new();
    reported.reported.render(&mut text);
    // One more than is wrong: what is too large to be judged is counted, too.
    assert!(
        text.contains(&format!("message=\"response\"}} {}", wrong + 1)),
        "{text}"
    );
}

#[test]
fn what_is_only_reported_passes_and_is_counted() {
    let tried = compiled(&Written {
        mode: Mode::Report,
        ..config()
    });
    check(&get(&tried, "/none"), 200, "", &[]);
    check(&post(&tried, "application/json", "{}"), 200, "", &[]);
    check(&post(&tried, "text/plain", "{}"), 200, "", &[]);
    let mut text = String::new();
    tried.reported.render(&mut text);
    assert!(text.contains("message=\"request\"} 3"), "{text}");
}

#[test]
fn a_description_that_cant_be_used_is_told() {
    let (folder, runtime) = (
        tempfile::tempdir().unwrap(),
        tokio::runtime::Builder::new_multi_thread().build().unwrap(),
    );
    for (text, reason) in [
        ("openapi: 4.0.0", "4.0.0"),
        ("a: 1", "no API"),
        (
            "openapi: 3.1.0\npaths: {/a: {get: {parameters: [{$ref: '#/b'}]}}}",
            "leads nowhere",
        ),
        (
            "openapi: 3.1.0\npaths: {/a: {get: {parameters: [{name: x, in: query, schema: {type: x}}]}}}",
            "`type`",
        ),
        ("openapi: 3.1.0\npaths: {a: {}}", "begins with `/`"),
        (
            "openapi: 3.1.0\npaths: {/a: {get: {responses: {200x: {}}}}}",
            "no status",
        ),
    ] {
        std::fs::write(folder.path().join("api.yaml"), text).unwrap();
        let error = OpenApi::new(&config(), "a", folder.path(), runtime.handle(), &Reported::default()).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}
