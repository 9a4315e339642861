//! Requests that are held against schemas.

use super::client::Client;
use super::folder::Folder;
use super::gate::Gate;
use super::upstream::Upstream;

const ORDER: &str = r#"{
    "type": "object", "required": ["id"], "additionalProperties": false,
    "properties": {"id": {"type": "integer"}, "lines": {"items": {"type": "integer"}}}
}"#;

#[test]
fn the_backend_sees_what_was_judged_and_nothing_else() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    folder.write("order.json", ORDER);
    let gate = Gate::start_in(
        folder,
        &format!(
            "listeners: [127.0.0.1:0]\nservices: {{up: 'http://{}'}}\npolicies:\n  orders:\n    \
             validate: {{body: order.json, query: {{dry: '{{\"type\": \"boolean\"}}'}}}}\n\
             routes:\n  - {{path: /**, policies: [orders], to: {{service: up}}}}\n",
            upstream.address()
        ),
    );
    let mut client = Client::connect(gate.address());
    let mut post = |target: &str, body: &str| client.ask("POST", target, &[("Content-Type", "application/json")], body);
    let body = "{ \"id\": 7 }";
    assert_eq!(post("/?dry=true", body).status, 200);
    assert_eq!(upstream.last().body, body.as_bytes());
    // More than is judged on a worker.
    let large = format!("{{\"id\": 1, \"lines\": [1{}]}}", ",1".repeat(50_000));
    assert_eq!(post("/", &large).status, 200);
    assert_eq!(upstream.last().body.len(), large.len());

    let before = upstream.requests().len();
    let refused = post("/", "{\"id\": \"secret\", \"x\": 1}");
    refused.assert_problem(422, "invalid_content");
    let problem: serde_json::Value = serde_json::from_slice(&refused.body).unwrap();
    let places: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["pointer"])
        .collect();
    assert_eq!(places, ["/id", "/x"]);
    assert!(!problem.to_string().contains("secret"));
    post("/", "{\"id\": 1, \"id\": 2}").assert_problem(400, "bad_content");
    post("/?dry=1", body).assert_problem(400, "invalid_parameters");
    assert_eq!(upstream.requests().len(), before);
}
