//! Who may do what; what expressions are worth in detail is tested beside them.

use super::folder::Folder;
use super::gate::{Gate, command, refused};
use super::upstream::Upstream;

/// SHA-256 of `reader` and of `writer`.
const READER: &str = "3d0941964aa3ebdcb00ccef58b1bb399f9f898465e9886d5aec7f31090a0fb30";
const WRITER: &str = "b93006774cbdd4b299389a03ac3d88c3a76b460d538795bc12718011a909fba5";

fn configuration(service: &str, authorize: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: 'http://{service}'}}\n\
         routes:\n- path: /tenants/{{tenant}}/**\n  to: {{service: up}}\n  policies:\n  - api_key:\n      consumers:\n\
         \x20     - {{name: reader, sha256: {READER}, scopes: [read]}}\n\
         \x20     - {{name: writer, sha256: {WRITER}, scopes: [read, write]}}\n    authorize: {authorize}\n"
    )
}

#[test]
fn requests_pass_that_are_allowed() {
    let upstream = Upstream::ok();
    let tenant = "consumer.name == params.tenant";
    let method = "request.method == 'GET' || 'write' in consumer.scopes";
    let rule = format!("{{scopes: [read], allow: [\"{tenant}\", \"{method}\"]}}");
    let gate = Gate::start(&configuration(&upstream.address().to_string(), &rule));
    let ask = |method: &str, target: &str, key: &str| gate.connect().ask(method, target, &[("X-Api-Key", key)], "");
    assert_eq!(ask("GET", "/tenants/reader/a", "reader").status, 200);
    assert_eq!(ask("DELETE", "/tenants/writer/a", "writer").status, 200);
    ask("DELETE", "/tenants/reader/a", "reader").assert_problem(403, "forbidden");
    ask("GET", "/tenants/writer/a", "reader").assert_problem(403, "forbidden");
    // However a path is written, it is judged as it is routed.
    assert_eq!(ask("GET", "/tenants/%72eader/a", "reader").status, 200);
    ask("GET", "/tenants/reader/../writer/a", "reader").assert_problem(403, "forbidden");
    ask("GET", "/tenants/reader/a", "").assert_problem(401, "unauthenticated");
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn too_few_scopes_are_told() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&configuration(&upstream.address().to_string(), "{scopes: [write]}"));
    let answer = gate
        .connect()
        .ask("GET", "/tenants/a/b", &[("X-Api-Key", "reader")], "");
    answer.assert_problem(403, "forbidden");
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"write\"";
    assert_eq!(answer.field("www-authenticate"), Some(challenge));
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_mistake_in_an_expression_is_told_before_the_start() {
    let folder = Folder::new();
    let (said, code) = refused(&folder, &configuration("127.0.0.1:1", "request.path = '/a'"));
    assert_eq!(code, Some(1), "{said}");
    let expected =
        "portcullis.yaml:11:5: routes[0].policies[0].authorize: column 14 of the expression: `=` is no operator";
    assert!(said.contains(expected), "{said}");
    folder.write("portcullis.yaml", configuration("127.0.0.1:1", "consumer.name == 'a'"));
    let explained = command(
        folder.path(),
        &["explain", "GET", "/tenants/a/b", "--file", "portcullis.yaml"],
    );
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.contains("authorize"), "{explained}");
}
