use portcullis_config::policy::graphql::Cost;
use portcullis_config::units::ByteSize;
use portcullis_core::{Response, Status, Upgrade};
use serde_json::{Value, json};

use super::*;
use crate::trial::{Trial, exchange, request};

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn config() -> Written {
    Written {
        depth: 3,
        cost: Cost {
            max: 1_000,
            ..Cost::default()
        },
        aliases: 2,
        directives: 2,
        root_fields: 2,
        operations: 2,
        ..Written::default()
    }
}

fn compiled(config: &Written) -> (GraphQl, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let policy = GraphQl::new(config, "default", runtime.handle(), &Reported::default()).unwrap();
    (policy, runtime)
}

fn judge(config: &Written, form: Form, content: &str) -> std::result::Result<(), Wrong> {
    compiled(config).0.rules.judge(form, content.as_bytes())
}

fn too_much(document: &str, what: &str) {
    let wrong = judge(&config(), Form::Document, document);
    assert_eq!(wrong, Err(Wrong::TooMuch(what.to_owned())), "{document}");
}

fn is_malformed(config: &Written, form: Form, content: &str) {
    let wrong = judge(config, form, content);
    assert!(matches!(wrong, Err(Wrong::Malformed(_))), "{content}: {wrong:?}");
}

#[test]
fn what_keeps_the_limits_passes() {
    for document in [
        "{a}",
        "query {a {b {c}} d}",
        "mutation M($a: Int = 1, $b: [I!]! @d) @e {x: a(b: $a, c: {d: [1, \"}{\", null, E]}) {y: b}}",
        "{...F} fragment F on Query {a {...G}} fragment G on A {b {c}}",
        "{... on Query {a} ... {b}}",
        "query A {a} query B {b}",
        "# }}}}}}}} a comment\n{ a(b: \"\"\"{{{{{{\"\"\") }",
        "{__typename}",
    ] {
        let asked = Asked::of_document(document.as_bytes()).unwrap();
        let asked = Asked {
            operation: document.contains("query A").then(|| "A".to_owned()),
            ..asked
        };
        let (policy, _runtime) = compiled(&config());
        assert!(policy.rules.request(&asked, false).is_ok(), "{document}");
    }
}

#[test]
fn one_more_is_refused() {
    too_much("{a {b {c {d}}}}", "an operation has more than 3 levels of fields");
    too_much(
        "{a {...F}} fragment F on A {b {c {d}}}",
        "an operation has more than 3 levels of fields",
    );
    too_much(
        "{a {... on B {b {... {c {... @x {d}}}}}}}",
        "an operation has more than 3 levels of fields",
    );
    too_much("{a b c}", "an operation has more than 2 fields at the root");
    too_much(
        "{...F ...F} fragment F on Query {a b}",
        "an operation has more than 2 fields at the root",
    );
    too_much("{a {x: b y: b z: b}}", "an operation has more than 2 aliases");
    too_much(
        "{a {...F ...F}} fragment F on A {x: b y: b}",
        "an operation has more than 2 aliases",
    );
    too_much("query @a @b {c @d}", "an operation has more than 2 directives");
    too_much(
        "query ($a: Int @a) {c {...F @b}} fragment F on C @c {d}",
        "an operation has more than 2 directives",
    );
    let asked = Asked {
        operation: Some("A".to_owned()),
        ..Asked::of_document(b"query A {a} query B {b} query C {c}").unwrap()
    };
    let (policy, _runtime) = compiled(&config());
    assert_eq!(
        policy.rules.request(&asked, false),
        Err(Wrong::TooMuch("there are more than 2 operations".to_owned()))
    );
    // All operations of a document are judged, not only the one that is run.
    let hidden = Asked {
        operation: Some("A".to_owned()),
        ..Asked::of_document(b"query A {a} query B {a {b {c {d}}}}").unwrap()
    };
    assert!(matches!(policy.rules.request(&hidden, false), Err(Wrong::TooMuch(_))));
}

#[test]
fn what_stands_in_a_list_costs_as_often_as_it_is_there() {
    let cost = |document: &str, variables: Value| {
        let asked = json!({"query": document, "variables": variables});
        let asked = Asked::of_json(asked.to_string().as_bytes(), 0).unwrap();
        compiled(&config()).0.rules.request(&asked[0], false)
    };
    let none = json!({});
    assert_eq!(cost("{a}", none.clone()), Ok(1));
    assert_eq!(cost("{a {b c}}", none.clone()), Ok(3));
    assert_eq!(
        cost("{a(first: 10) {b(last: 5) {c}}}", none.clone()),
        Ok(1 + 10 * (1 + 5))
    );
    assert_eq!(
        cost(
            "{a(first: 10) {...F}} fragment F on A {b(limit: 3) {c d}}",
            none.clone()
        ),
        Ok(1 + 10 * (1 + 3 * 2))
    );
    // The largest of several counts, wherever it stands; what is no number counts as the default.
    assert_eq!(
        cost("{a(first: 2, last: 7, page: {limit: 9}) {b}}", none.clone()),
        Ok(10)
    );
    for argument in ["0", "-5", "null", "\"7\"", "ALL", "1.5", "[1]"] {
        assert_eq!(
            cost(&format!("{{a(first: {argument}) {{b}}}}"), none.clone()),
            Ok(101),
            "{argument}"
        );
    }
    let by_variable = "query ($n: Int = 4, $p: Page = {first: 6}) {a(first: $n) {b} c(page: $p) {d}}";
    assert_eq!(cost(by_variable, none.clone()), Ok(1 + 4 + 1 + 6));
    assert_eq!(
        cost(by_variable, json!({"n": 8, "p": {"q": [{"last": 20}]}})),
        Ok(1 + 8 + 1 + 20)
    );
    assert_eq!(cost(by_variable, json!({"n": null, "p": null})), Ok(1 + 100 + 1 + 1));
    assert_eq!(cost("query ($n: Int) {a(first: $n) {b}}", none.clone()), Ok(101));
    assert_eq!(cost("{a(id: 5000) {b}}", none.clone()), Ok(2));
    assert_eq!(cost("{a(first: 999) {b}}", none.clone()), Ok(1_000));
    for document in [
        "{a(first: 1000) {b}}",
        "{a(first: 99999999999999999999) {b(first: 99999999999999999999) {c}}}",
    ] {
        assert_eq!(
            cost(document, none.clone()),
            Err(Wrong::TooMuch("an operation costs more than 1000".to_owned()))
        );
    }
    assert!(cost("query ($n: Int) {a(first: $n) {b}}", json!({"n": 1e300})).is_err());
}

#[test]
fn what_is_no_document_is_malformed() {
    for document in [
        "",
        " ",
        "{",
        "}",
        "{a",
        "{a}}",
        "{a(}",
        "{a(b:)}",
        "{a(b: $)}",
        "{a @}",
        "query",
        "query A",
        "a {b}",
        "{...}",
        "{a(b: \"}",
        "{a(b: \"\"\"}",
        "{1}",
        "{a: }",
        "{a} {b}",
        "query A {a} query A {b}",
        "{\0}",
        "type A {b: C}",
        "{a} type A {b: C}",
        "extend type A {b: C}",
        "{...F}",
        "{...F} fragment F on A {...F}",
        "{...F} fragment F on A {b {...G}} fragment G on B {...F}",
        "{...F} fragment F on A {b} fragment F on A {c}",
        "fragment F on A {b}",
        "fragment on on A {b}",
    ] {
        is_malformed(&config(), Form::Document, document);
    }
    assert_eq!(
        Asked::of_document(b"{\xff}"),
        Err(Wrong::Malformed("the document is no UTF-8".to_owned()))
    );
}

#[test]
fn nesting_takes_no_stack() {
    for (open, close) in [("{a", "}"), ("{a(b: [", "]"), ("{...", "}"), ("{a(b: {c: ", "}")] {
        let once = judge(&Written::default(), Form::Document, &open.repeat(100_000));
        assert!(once.is_err(), "{open}");
        let whole = format!("{}{}", open.repeat(100_000), close.repeat(100_000));
        assert!(judge(&Written::default(), Form::Document, &whole).is_err());
    }
    for value in ["[", "{a:", "(", "$", "@a(b:", "!"] {
        let document = format!("{{a(b: {}", value.repeat(100_000));
        assert!(
            judge(&Written::default(), Form::Document, &document).is_err(),
            "{value}"
        );
    }
    let types = format!("query ($a: {}I{}) {{a}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(judge(&Written::default(), Form::Document, &types).is_err());
}

#[test]
fn fragments_are_measured_once() {
    // Each spreads the next one twice: 2 to the power of 60 fields.
    let mut doubled: String = (0..60)
        .map(|nth| format!("fragment F{nth} on A {{...F{0} ...F{0}}} ", nth + 1))
        .collect();
    doubled.push_str("fragment F60 on A {b} {a {...F0}}");
    let most = Written::default();
    let wrong = judge(&most, Form::Document, &doubled);
    assert_eq!(
        wrong,
        Err(Wrong::TooMuch("an operation costs more than 10000".to_owned()))
    );
    // A long chain takes no stack, and is one level deep.
    let long = Written {
        tokens: 1_000_000,
        ..Written::default()
    };
    let mut chain: String = (0..20_000)
        .map(|nth| format!("fragment F{nth} on A {{...F{}}} ", nth + 1))
        .collect();
    chain.push_str("fragment F20000 on A {b} {a {...F0}}");
    assert_eq!(judge(&long, Form::Document, &chain), Ok(()));
}

#[test]
fn documents_end_where_their_limit_is() {
    let few = Written {
        tokens: 6,
        ..Written::default()
    };
    // The end is a token, too.
    assert_eq!(judge(&few, Form::Document, "{a b}"), Ok(()));
    let too_many = Err(Wrong::TooMuch("the document has more than 6 tokens".to_owned()));
    assert_eq!(judge(&few, Form::Document, "{a b }"), too_many);
    let many = "a ".repeat(400_000);
    assert!(matches!(
        judge(&Written::default(), Form::Document, &format!("{{{many}}}")),
        Err(Wrong::TooMuch(_))
    ));
}

#[test]
fn what_is_not_allowed_is_refused() {
    let judge = |config: &Written, document: &str| judge(config, Form::Document, document);
    let refused = |what: &str| Err(Wrong::NotAllowed(what.to_owned()));
    assert_eq!(
        judge(&config(), "subscription {a}"),
        refused("a subscription is not allowed")
    );
    let queries = Written {
        kinds: vec![OperationKind::Query],
        ..config()
    };
    assert_eq!(judge(&queries, "mutation {a}"), refused("a mutation is not allowed"));
    for document in [
        "{__schema {a}}",
        "{__type(name: \"A\") {b}}",
        "{...F} fragment F on Query {x: __schema {a}}",
    ] {
        assert_eq!(judge(&config(), document), refused("the schema may not be asked for"));
        let open = Written {
            introspection: true,
            ..config()
        };
        assert_eq!(judge(&open, document), Ok(()));
    }
    let named = Written {
        names: vec!["A".to_owned()],
        ..config()
    };
    assert_eq!(judge(&named, "query A {a}"), Ok(()));
    for document in ["query B {a}", "{a}"] {
        assert_eq!(
            judge(&named, document),
            refused("this operation is not among those that are")
        );
    }
}

#[test]
fn listed_documents_pass_by_their_hash() {
    let digest = Sha256::digest(b"{a}");
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let listed = Written {
        hashes: vec![hash.to_ascii_uppercase()],
        ..config()
    };
    let by_hash =
        |hash: &str| json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash}}}).to_string();
    let both =
        |document: &str| json!({"query": document, "extensions": {"persistedQuery": {"sha256Hash": hash}}}).to_string();
    let other = "0".repeat(64);
    assert_eq!(judge(&listed, Form::Document, "{a}"), Ok(()));
    assert!(matches!(
        judge(&listed, Form::Document, "{a }"),
        Err(Wrong::NotAllowed(_))
    ));
    assert_eq!(judge(&listed, Form::Json, &by_hash(&hash)), Ok(()));
    assert!(matches!(
        judge(&listed, Form::Json, &by_hash(&other)),
        Err(Wrong::NotAllowed(_))
    ));
    assert!(matches!(
        judge(&config(), Form::Json, &by_hash(&hash)),
        Err(Wrong::NotAllowed(_))
    ));
    assert_eq!(judge(&config(), Form::Json, &both("{a}")), Ok(()));
    // A document under another one's hash would be remembered for it.
    is_malformed(&config(), Form::Json, &both("{b}"));
    is_malformed(&config(), Form::Json, &by_hash("a"));
    let persisted = Written {
        persisted: true,
        ..config()
    };
    assert_eq!(judge(&persisted, Form::Json, &by_hash(&other)), Ok(()));
    assert_eq!(judge(&persisted, Form::Json, "{\"documentId\": \"a\"}"), Ok(()));
    is_malformed(&persisted, Form::Json, "{\"documentId\": \"a\", \"query\": \"{a}\"}");
    is_malformed(&config(), Form::Json, "{\"documentId\": \"a\"}");
    let wrong = Written {
        hashes: vec!["abc".to_owned()],
        ..config()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(GraphQl::new(&wrong, "default", runtime.handle(), &Reported::default()).is_err());
}

#[test]
fn requests_are_read_strictly() {
    for content in [
        "",
        "{",
        "1",
        "\"{a}\"",
        "[]]",
        "{}",
        "{\"query\": null}",
        "{\"query\": 1}",
        "{\"query\": \"{a}\", \"query\": \"{b}\"}",
        "{\"query\": \"{a}\", \"variables\": []}",
        "{\"query\": \"{a}\", \"variables\": \"{}\"}",
        "{\"query\": \"{a}\", \"id\": \"b\"}",
        "{\"query\": \"{a}\", \"operationName\": \"A\"}",
        "{\"query\": \"{a}\", \"extensions\": {\"persistedQuery\": 1}}",
        "{\"query\": \"query A {a} query B {b}\"}",
        "{\"query\": \"{a}\", \"operationName\": {}}",
    ] {
        is_malformed(&config(), Form::Json, content);
    }
    for query in [
        "",
        "a=b",
        "query=",
        "query=%7Ba%7D&query=%7Bb%7D",
        "query=%7Ba%7D&variables=%7B",
        "query=%7Ba%7D&variables=1",
        "query=%7Ba%7D&id=1",
        "query=%ff",
    ] {
        is_malformed(&config(), Form::Query, query);
    }
    assert_eq!(
        judge(
            &config(),
            Form::Query,
            "query=query+A%7Ba%7D&operationName=A&variables=%7B%7D&key=1"
        ),
        Ok(())
    );
    assert_eq!(
        judge(&config(), Form::Query, "query=mutation%7Ba%7D"),
        Err(Wrong::ChangesByGet)
    );
}

#[test]
fn lists_cost_as_much_as_all_that_is_in_them() {
    let list = |count: usize, first: u32| {
        let one = json!({"query": format!("{{a(first: {first}) {{b}}}}")});
        Value::from(vec![one; count]).to_string()
    };
    let batches = Written { batch: 3, ..config() };
    assert!(matches!(
        judge(&config(), Form::Json, &list(1, 1)),
        Err(Wrong::TooMuch(_))
    ));
    assert_eq!(judge(&batches, Form::Json, &list(3, 332)), Ok(()));
    let too_dear = Err(Wrong::TooMuch("the request costs more than 1000".to_owned()));
    assert_eq!(judge(&batches, Form::Json, &list(3, 333)), too_dear);
    let too_many = Err(Wrong::TooMuch("there are more than 3 requests".to_owned()));
    assert_eq!(judge(&batches, Form::Json, &list(4, 1)), too_many);
    is_malformed(&batches, Form::Json, "[1]");
    is_malformed(&batches, Form::Json, "[[]]");
}

fn sent(config: &Written, method: &str, target: &str, fields: &[(&str, &str)], content: &str) -> Trial {
    let (policy, _runtime) = compiled(config);
    let mut request = request(method, target, fields);
    request.body = Body::from(content.to_owned());
    exchange(
        &(Arc::new(policy) as Arc<dyn Policy>),
        request,
        Response::new(Status::OK),
    )
}

fn check(trial: &Trial, status: u16, code: &str) {
    assert_eq!(trial.status().code(), status, "{:?}", trial.result);
    assert_eq!(trial.seen.is_some(), status == 200);
    if let Err(error) = &trial.result {
        assert_eq!((error.code().name, error.policy()), (code, Some("graphql")));
    }
}

#[test]
fn requests_are_taken_in_three_forms() {
    let text = "{\"query\": \"{a}\"}";
    let posted = sent(&config(), "POST", "/?tenant=a", &[JSON], text);
    check(&posted, 200, "");
    assert!(matches!(&posted.seen.unwrap().body, Body::Full(content) if *content == text));
    check(
        &sent(
            &config(),
            "POST",
            "/",
            &[("Content-Type", "application/graphql")],
            "{a}",
        ),
        200,
        "",
    );
    check(&sent(&config(), "GET", "/?query=%7Ba%7D", &[], ""), 200, "");
    let refused = sent(&config(), "GET", "/?query=mutation%7Ba%7D", &[], "");
    check(&refused, 405, "method_not_allowed");
    assert_eq!(refused.field("allow").as_deref(), Some("POST"));
    let refused = sent(&config(), "PUT", "/", &[JSON], text);
    check(&refused, 405, "method_not_allowed");
    assert_eq!(refused.field("allow").as_deref(), Some("GET, POST"));
    for target in ["/?query=%7Bb%7D", "/?operationName=A", "/?variables=%7B%7D", "/?id=1"] {
        check(&sent(&config(), "POST", target, &[JSON], text), 400, "bad_content");
    }
    check(
        &sent(&config(), "GET", "/?query=%7Ba%7D", &[JSON], text),
        400,
        "bad_content",
    );
    for fields in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[("Content-Type", "multipart/form-data; boundary=a")],
        &[("Content-Type", "application/json; charset=utf-16")],
        &[JSON, ("Content-Encoding", "gzip")],
    ] {
        check(
            &sent(&config(), "POST", "/", fields, text),
            415,
            "unsupported_content_type",
        );
    }
    check(&sent(&config(), "POST", "/", &[JSON], ""), 400, "bad_content");
    check(
        &sent(&config(), "POST", "/", &[JSON], "{\"query\": \"{a b c}\"}"),
        422,
        "graphql_refused",
    );
    check(
        &sent(&config(), "POST", "/", &[JSON], "{\"query\": \"{__schema {a}}\"}"),
        403,
        "graphql_not_allowed",
    );
    let small = Written {
        max_body: ByteSize(10),
        ..config()
    };
    check(&sent(&small, "POST", "/", &[JSON], text), 413, "content_too_large");
}

#[test]
fn a_websocket_passes_where_it_may() {
    let upgraded = |config: &Written, protocol: &str| {
        let (policy, _runtime) = compiled(config);
        let mut request = request("GET", "/", &[]);
        request.upgrade = Some(Upgrade {
            protocol: protocol.into(),
            stream: Body::Empty,
        });
        exchange(
            &(Arc::new(policy) as Arc<dyn Policy>),
            request,
            Response::new(Status::OK),
        )
    };
    check(&upgraded(&config(), "WebSocket"), 403, "graphql_not_allowed");
    // Other wishes are ignored, and what is asked for is judged.
    check(&upgraded(&config(), "h2c"), 400, "bad_content");
    let open = Written {
        websocket: true,
        ..config()
    };
    check(&upgraded(&open, "websocket"), 200, "");
}

#[test]
fn what_is_only_reported_passes_and_is_counted() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let reported = Reported::default();
    let config = Written {
        mode: Mode::Report,
        max_body: ByteSize(100),
        ..config()
    };
    let policy = GraphQl::new(&config, "default", runtime.handle(), &reported).unwrap();
    let policy: Arc<dyn Policy> = Arc::new(policy);
    let long = "a".repeat(101);
    for (count, content) in ["{\"query\": \"{a b c}\"}", "{", &long].into_iter().enumerate() {
        let mut request = request("POST", "/", &[JSON]);
        request.body = Body::from(content.to_owned());
        let trial = exchange(&policy, request, Response::new(Status::OK));
        check(&trial, 200, "");
        assert!(matches!(&trial.seen.unwrap().body, Body::Full(seen) if *seen == content));
        let counter = reported.counter("default", "graphql", "request");
        assert_eq!(counter.load(Ordering::Relaxed), count as u64 + 1);
    }
}

#[test]
fn long_content_is_judged_elsewhere() {
    let (policy, runtime) = compiled(&Written::default());
    let long = |document: &str| {
        let text = json!({"query": document, "variables": {"text": "a".repeat(2 * LARGEST_HERE)}});
        Bytes::from(text.to_string())
    };
    runtime.block_on(policy.judge(Form::Json, long("{a}"))).unwrap();
    let refused = runtime
        .block_on(policy.judge(Form::Json, long("{__schema {a}}")))
        .unwrap_err();
    assert_eq!(refused.code().name, "graphql_not_allowed");
}
