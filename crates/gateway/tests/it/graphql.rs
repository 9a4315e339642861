//! What GraphQL may ask for.

use super::gate::Gate;
use super::upstream::Upstream;

#[test]
fn documents_are_judged_before_the_service_sees_them() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: \"http://{}\"}}\nroutes:\n  \
         - {{path: /graphql, policies: [{{graphql: {{depth: 3, cost: 1000}}}}], to: {{service: up}}}}\n",
        upstream.address()
    ));
    let mut client = gate.connect();
    let mut send = |document: &str| {
        let content = serde_json::json!({"query": document, "variables": {"n": 50}}).to_string();
        client.ask("POST", "/graphql", &[("Content-Type", "application/json")], content)
    };
    assert_eq!(send("query ($n: Int) {items(first: $n) {name}}").status, 200);
    assert_eq!(upstream.requests().len(), 1);
    send("{a {...F}} fragment F on A {b {c {d}}}").assert_problem(422, "graphql_refused");
    send("query ($n: Int) {a(first: $n) {b(first: $n) {c}}}").assert_problem(422, "graphql_refused");
    send("{__schema {types {name}}}").assert_problem(403, "graphql_not_allowed");
    send("{a").assert_problem(400, "bad_content");
    gate.get("/graphql?query=mutation%7Ba%7D")
        .assert_problem(405, "method_not_allowed");
    assert_eq!(gate.get("/graphql?query=%7Ba%7D").status, 200);
    assert_eq!(upstream.requests().len(), 2);
}
