//! What the content of requests may be made of.

use std::io::Write;

use super::gate::Gate;
use super::upstream::Upstream;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn content_is_plain_and_within_its_limits_for_whoever_stands_behind() {
    let upstream = Upstream::echo();
    let schema = "'{\"properties\": {\"id\": {\"type\": \"integer\"}}}'";
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: \"http://{}\"}}\nroutes:\n  \
         - {{path: /**, policies: [{{payload: true, validate: {{body: {schema}}}}}], to: {{service: up}}}}\n",
        upstream.address()
    ));
    let mut client = gate.connect();
    let json = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    let mut send = |fields: &[(&str, &str)], content: Vec<u8>| client.ask("POST", "/", fields, content);
    let answer = send(&json, gzip(b"{\"id\": 1}"));
    assert_eq!((answer.status, &answer.json()["body"]), (200, &"{\"id\": 1}".into()));
    let received = upstream.last();
    assert_eq!(
        (received.field("content-encoding"), received.field("content-length")),
        (None, Some("9"))
    );
    // What stands behind judges what came compressed.
    send(&json, gzip(b"{\"id\": \"a\"}")).assert_problem(422, "invalid_content");
    // A bomb of ten mebibytes, and brackets that would take a stack.
    send(&json, gzip(&vec![b' '; 10 << 20])).assert_problem(413, "content_too_large");
    let deep = send(&json[..1], b"[".repeat(100_000));
    deep.assert_problem(422, "payload_refused");
    assert_eq!(deep.json()["errors"][0]["pointer"], "/0".repeat(32));
    let laughs = b"<!DOCTYPE a [<!ENTITY b \"ha\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>".to_vec();
    send(&[("Content-Type", "application/xml")], laughs).assert_problem(422, "payload_refused");
    let other = send(&[("Content-Encoding", "deflate")], b"1".to_vec());
    other.assert_problem(415, "unsupported_content_type");
    assert_eq!(other.field("accept-encoding"), Some("gzip, br, zstd"));
}
