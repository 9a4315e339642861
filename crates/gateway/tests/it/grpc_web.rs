//! gRPC from browsers, as a page and a server see it. The server's side is HTTP/1.1 here, which has trailers as well.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::gate::Gate;
use super::upstream::Upstream;

/// A message of gRPC: not compressed, three bytes long.
const MESSAGE: &[u8] = b"\0\0\0\0\x03abc";

/// An answer of a gRPC server: the message that is in it, and then the status.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc+proto\r\nTransfer-Encoding: chunked\r\n\
    Trailer: Grpc-Status\r\n\r\n8\r\n\0\0\0\0\x03abc\r\n0\r\nGrpc-Status: 0\r\nGrpc-Message: fine\r\n\r\n";

const STATUS: &str = "grpc-status: 0\r\ngrpc-message: fine\r\n";

fn bridging(upstream: &Upstream) -> Gate {
    Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: \"http://{}\"}}\nroutes:\n  \
         - path: /**\n    policies: [{{grpc_web: true, compress: true, cors: {{origins: \"*\", expose: [Grpc-Status]}}}}]\n    \
         to: {{service: up}}\n",
        upstream.address()
    ))
}

fn status_frame() -> Vec<u8> {
    let length = u8::try_from(STATUS.len()).unwrap();
    [&[0x80, 0, 0, 0, length], STATUS.as_bytes()].concat()
}

#[test]
fn a_page_calls_a_server() {
    let upstream = Upstream::answering(ANSWER);
    let gate = bridging(&upstream);
    let fields = [
        ("Content-Type", "application/grpc-web+proto"),
        ("X-Grpc-Web", "1"),
        ("Accept-Encoding", "gzip"),
        ("Origin", "https://app.example"),
    ];
    let answer = gate.connect().ask("POST", "/a.B/C", &fields, MESSAGE);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), Some("application/grpc-web+proto"));
    assert_eq!(answer.field("content-encoding"), None);
    assert_eq!(answer.field("access-control-expose-headers"), Some("Grpc-Status"));
    assert_eq!(answer.field("trailer"), None);
    assert_eq!(answer.body, [MESSAGE, &status_frame()].concat());
    assert!(answer.trailers.is_empty());
    let seen = upstream.last();
    assert_eq!(seen.field("content-type"), Some("application/grpc+proto"));
    assert_eq!(seen.body, MESSAGE);
}

#[test]
fn text_is_base64_in_both_directions() {
    let upstream = Upstream::answering(ANSWER);
    let gate = bridging(&upstream);
    let encoded = STANDARD.encode(MESSAGE);
    let fields = [
        ("Content-Type", "application/grpc-web-text"),
        ("Accept", "application/grpc-web-text"),
    ];
    let answer = gate
        .connect()
        .ask("POST", "/a.B/C", &fields, format!("{encoded}{encoded}"));
    assert_eq!(answer.field("content-type"), Some("application/grpc-web-text+proto"));
    assert_eq!(answer.text(), format!("{encoded}{}", STANDARD.encode(status_frame())));
    assert_eq!(upstream.last().body, [MESSAGE, MESSAGE].concat());
}

#[test]
fn a_status_alone_is_among_the_fields() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: 5\r\nGrpc-Message: no row\r\n\
         Content-Length: 0\r\n\r\n",
    );
    let gate = bridging(&upstream);
    let answer = gate
        .connect()
        .ask("POST", "/a.B/C", &[("Content-Type", "application/grpc-web")], MESSAGE);
    assert_eq!(answer.field("content-type"), Some("application/grpc-web"));
    assert_eq!(answer.field("grpc-status"), Some("5"));
    assert!(answer.body.is_empty(), "{answer}");
}

#[test]
fn grpc_itself_passes_as_it_is() {
    let upstream = Upstream::answering(ANSWER);
    let gate = bridging(&upstream);
    let answer = gate
        .connect()
        .ask("POST", "/a.B/C", &[("Content-Type", "application/grpc+proto")], MESSAGE);
    assert_eq!(answer.field("content-type"), Some("application/grpc+proto"));
    assert_eq!(answer.body, MESSAGE);
    assert_eq!(answer.trailers[0], ("grpc-status".to_owned(), "0".to_owned()));
}

#[test]
fn failures_of_the_gate_are_a_status_of_the_same_type() {
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: \"http://{}\"}}\nroutes:\n  \
         - {{path: /**, policies: [{{grpc_web: true}}], to: {{service: up}}}}\n",
        Upstream::nobody()
    ));
    let check = |content_type: &str, content: &[u8], status: &str| {
        let answer = gate
            .connect()
            .ask("POST", "/a.B/C", &[("Content-Type", content_type)], content);
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(answer.field("grpc-status"), Some(status), "{answer}");
        assert!(
            answer
                .field("content-type")
                .unwrap()
                .starts_with("application/grpc-web"),
            "{answer}"
        );
        assert!(answer.field("grpc-message").is_some(), "{answer}");
    };
    check("application/grpc-web+proto", MESSAGE, "14");
    check("application/grpc-web-text", STANDARD.encode(MESSAGE).as_bytes(), "14");
}
