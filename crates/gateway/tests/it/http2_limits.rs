//! What a client that speaks HTTP/2 may not do, and what it must not take too long for.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use h2::Reason;
use http::HeaderValue;

use super::gate::{Gate, PATIENCE, eventually, forward_all};
use super::http2_client::{Http2Client, get, request, run, whole};
use super::upstream::Upstream;

// Types of frames and their flags (RFC 9113 §6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A gate that answers by itself, with `more` said of its listener.
fn gate(more: &str) -> Gate {
    Gate::start(&format!(
        "listeners:\n  - {{bind: 127.0.0.1:0{more}}}\nroutes:\n  - {{path: /**, to: {{respond: ok}}}}\n"
    ))
}

/// What a client begins with.
fn opening() -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat()
}

/// A GET of the root, by what HPACK knows (RFC 7541, appendix A): method, scheme, path; and the authority.
fn asking(flags: u8) -> Vec<u8> {
    asking_on(1, flags)
}

/// The same on a stream of its own.
fn asking_on(stream: u32, flags: u8) -> Vec<u8> {
    frame(
        HEADERS,
        flags,
        stream,
        &[&[0x82, 0x86, 0x84, 1, 9][..], b"gate.test"].concat(),
    )
}

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

/// All frames that come, as type, flags and content, until the connection ends.
fn answer_to(gate: &Gate, frames: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
    let mut stream = TcpStream::connect(gate.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(frames).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let mut rest = &bytes[..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let length = usize::from(rest[1]) << 8 | usize::from(rest[2]);
        all.push((rest[3], rest[4], rest[9..9 + length].to_vec()));
        rest = &rest[9 + length..];
    }
    all
}

/// The error that the last GOAWAY gives (RFC 9113 §7).
fn reason(frames: &[(u8, u8, Vec<u8>)]) -> Option<u8> {
    let mut leaves = frames.iter().filter(|(kind, ..)| *kind == GOAWAY);
    leaves.next_back().map(|(_, _, content)| content[7])
}

#[test]
fn a_head_has_limits() {
    let gate = gate(", limits: {head: 2KiB, target: 100B, fields: 10}");
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let with = |fields: &[(&'static str, String)]| {
            let mut request = get("/");
            for (name, value) in fields {
                request
                    .headers_mut()
                    .append(*name, HeaderValue::try_from(value).unwrap());
            }
            request
        };
        client
            .ask(get(&format!("/{}", "a".repeat(100))))
            .await
            .assert_problem(414, "uri_too_long");
        let long = with(&[("x", "a".repeat(2100))]);
        client.ask(long).await.assert_problem(431, "head_too_large");
        let many: Vec<_> = (0..11).map(|_| ("x", "a".to_owned())).collect();
        client.ask(with(&many)).await.assert_problem(431, "head_too_large");
        assert_eq!(
            client.ask(with(&many[1..])).await.text(),
            "ok",
            "the connection goes on"
        );
    });
}

#[test]
fn malformed_requests_are_refused() {
    let gate = gate("");
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let with = |name: &'static str, value: &'static str| {
            let mut request = get("/");
            request.headers_mut().insert(name, HeaderValue::from_static(value));
            request
        };
        client
            .ask(with("host", "other.test"))
            .await
            .assert_problem(400, "bad_request");
        client
            .ask(with("expect", "more"))
            .await
            .assert_problem(417, "expectation_failed");
        client.ask(get("/%zz")).await.assert_problem(400, "bad_target");
        client
            .ask(request("A".repeat(40).as_str(), "/"))
            .await
            .assert_problem(501, "method_not_implemented");
        let connect = http::Request::builder()
            .method("CONNECT")
            .uri("gate.test:80")
            .body(())
            .unwrap();
        client.ask(connect).await.assert_problem(501, "method_not_implemented");
        assert_eq!(client.ask(with("host", "gate.test")).await.text(), "ok");
    });
}

#[test]
fn streams_have_a_limit() {
    let gate = gate(", limits: {streams: 3}");
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        assert_eq!(client.ask(get("/")).await.text(), "ok");
        assert_eq!(client.requests.current_max_send_streams(), 3);
    });
}

#[test]
fn a_head_must_come_to_its_end() {
    let gate = gate(", timeouts: {head: 1s}");
    // A head without its last frame, a frame without its end, a greeting without one.
    let block = [opening(), asking(0)].concat();
    assert_eq!(reason(&answer_to(&gate, &block)), Some(11));
    let whole = [opening(), asking(END_HEADERS)].concat();
    let mut stream = TcpStream::connect(gate.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&whole[..whole.len() - 3]).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    // Who is told to speak HTTP/2 must greet.
    let gate = self::gate(", protocols: [http2], timeouts: {head: 200ms}");
    let mut stream = TcpStream::connect(gate.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"PRI * HT").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn a_body_must_go_on() {
    let upstream = Upstream::echo();
    let gate = Gate::start(&forward_all(upstream.address(), "").replace(
        "bind: 127.0.0.1:0\nadmin",
        "bind: 127.0.0.1:0\n    timeouts: {body: 200ms}\nadmin",
    ));
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let (response, mut stream) = client.start(request("POST", "/"), false).await;
        stream.send_data(Bytes::from_static(b"some"), false).unwrap();
        let answer = whole(response.await.unwrap()).await.unwrap();
        answer.assert_problem(408, "request_timeout");
    });
}

#[test]
fn a_client_must_take_what_it_asked_for() {
    let upstream = Upstream::answering(
        [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"[..],
            &[b'x'; 1_000_000],
        ]
        .concat(),
    );
    let gate = Gate::start(&forward_all(upstream.address(), "").replace(
        "bind: 127.0.0.1:0\nadmin",
        "bind: 127.0.0.1:0\n    timeouts: {write: 200ms}\nadmin",
    ));
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let (response, _) = client.start(get("/"), true).await;
        let mut content = response.await.unwrap().into_body();
        // What fits the window comes; the window is never opened again.
        let error = loop {
            match content.data().await.expect("it does not end well") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.reason(), Some(Reason::CANCEL));
    });
}

#[test]
fn an_idle_connection_is_left() {
    let gate = gate(", timeouts: {idle: 1s}");
    let answer = answer_to(&gate, &[opening(), asking(END_STREAM | END_HEADERS)].concat());
    assert_eq!(reason(&answer), Some(0));
    assert!(answer.iter().any(|(kind, ..)| *kind == DATA), "{answer:?}");
}

#[test]
fn a_listener_speaks_what_it_is_told_to() {
    let old = gate(", protocols: [http1]");
    assert_eq!(old.get("/").text(), "ok");
    let frames = [opening(), asking(END_STREAM | END_HEADERS)].concat();
    assert!(answer_to(&old, &frames).is_empty());
    let new = gate(", protocols: [http2], timeouts: {head: 1s, idle: 1s}");
    assert!(answer_to(&new, &frames).iter().any(|(kind, ..)| *kind == DATA));
    let mut stream = TcpStream::connect(new.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    assert!(!said.starts_with(b"HTTP/"), "{}", said.escape_ascii());
}

#[test]
fn a_request_that_is_taken_back_at_once_reaches_no_server() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut frames = opening();
    // More than a connection begins at a time.
    for stream in (1..60).step_by(2) {
        frames.extend(asking_on(stream, END_STREAM | END_HEADERS));
        frames.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    frames.extend(asking_on(61, END_STREAM | END_HEADERS));
    let mut stream = TcpStream::connect(gate.address()).unwrap();
    stream.write_all(&frames).unwrap();

    // The last one was taken back by nobody.
    eventually("the request that is wanted", || !upstream.requests().is_empty());
    assert_eq!(upstream.accepted(), 1);
}
