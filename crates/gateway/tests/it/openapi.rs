//! Requests and responses that are held against the description of an API.

use super::client::Client;
use super::folder::Folder;
use super::gate::Gate;
use super::upstream::Upstream;

const DESCRIPTION: &str = r"
openapi: 3.1.0
paths:
  /items/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses:
        200: {content: {application/json: {schema: {$ref: 'schemas.yaml#/Item'}}}}
";

const SCHEMAS: &str = "Item: {type: object, required: [name], properties: {name: {type: string}}}\n";

fn gate(upstream: &Upstream, settings: &str) -> Gate {
    let folder = Folder::new();
    folder.write("api.yaml", DESCRIPTION);
    folder.write("schemas.yaml", SCHEMAS);
    Gate::start_in(
        folder,
        &format!(
            "listeners: [127.0.0.1:0]\nservices: {{up: 'http://{}'}}\npolicies:\n  shop:\n    \
             openapi: {{document: api.yaml{settings}}}\n\
             routes:\n  - {{path: /**, policies: [shop], to: {{service: up}}}}\n",
            upstream.address()
        ),
    )
}

#[test]
fn only_what_is_described_gets_through_either_way() {
    let upstream = Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            let good = request.target() == "/items/1";
            let content = if good { "{\"name\": \"hat\"}" } else { "{\"secret\": 1}" };
            peer.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{content}",
                content.len()
            ));
        }
    });
    let gate = gate(&upstream, ", responses: enforce");
    let mut client = Client::connect(gate.address());
    let mut get = |target: &str| client.ask("GET", target, &[("Accept-Encoding", "gzip")], "");
    assert_eq!(get("/items/1").status, 200);
    assert_eq!(upstream.last().field("accept-encoding"), None);
    let withheld = get("/items/2");
    withheld.assert_problem(502, "response_invalid");
    assert!(!String::from_utf8_lossy(&withheld.body).contains("secret"));
    let before = upstream.requests().len();
    get("/items/x").assert_problem(400, "invalid_parameters");
    get("/none").assert_problem(404, "resource_not_found");
    let other = Client::connect(gate.address()).ask("PUT", "/items/1", &[], "");
    other.assert_problem(405, "method_not_allowed");
    assert_eq!(other.field("allow"), Some("GET"));
    assert_eq!(upstream.requests().len(), before);
}
