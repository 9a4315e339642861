//! What may leave.

use super::gate::Gate;
use super::upstream::Upstream;

#[test]
fn a_response_loses_what_nobody_may_see() {
    let document = r#"{"id":7,"password":"x","note":"see\nAKIAABCDEFGHIJKLMNOP"}"#;
    let upstream = Upstream::playing(move |peer| {
        while let Some(request) = peer.request() {
            let length = document.len();
            let fields = match request.target() {
                "/compressed" => "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
                _ => "Content-Type: application/json\r\nServer: secret/1.0\r\nETag: \"1\"\r\n",
            };
            match request.target() {
                "/failure" => peer.answer("500 Internal Server Error", "at line 7 of db.py"),
                _ => peer.send(format!(
                    "HTTP/1.1 200 OK\r\n{fields}Content-Length: {length}\r\n\r\n{document}"
                )),
            }
        }
    });
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: 'http://{}'}}\npolicies:\n  guard:\n    \
         reveal: {{remove: [password], find: [keys]}}\n\
         routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
        upstream.address()
    ));
    let mut client = gate.connect();
    let fields = [("Accept-Encoding", "gzip"), ("Range", "bytes=0-3")];
    let answer = client.ask("GET", "/", &fields, "");
    let expected = format!(r#"{{"id":7,"note":"see\n{}"}}"#, "*".repeat(20));
    assert_eq!((answer.status, answer.text()), (200, expected.clone()));
    assert_eq!((answer.field("server"), answer.field("etag")), (None, None));
    assert_eq!(
        answer.field("content-length"),
        Some(expected.len().to_string().as_str())
    );
    let seen = upstream.last();
    assert_eq!((seen.field("accept-encoding"), seen.field("range")), (None, None));
    client
        .ask("GET", "/compressed", &[], "")
        .assert_problem(502, "response_withheld");
    let failure = client.ask("GET", "/failure", &[], "");
    assert_eq!(failure.status, 500);
    assert!(!failure.text().contains("db.py"));
}
