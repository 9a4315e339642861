//! gRPC through the gate, from a client that speaks HTTP/2 to a server that does.

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::task::LocalSet;

use super::gate::{Gate, PATIENCE, eventually};
use super::http2_peer::{Call, Http2Upstream, given_up};
use super::http2_upstream::gate_before;
use super::upstream::Upstream;

/// Runs a client to its end, and fails one that hangs.
pub(crate) fn run<T>(client: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(PATIENCE, client).await.unwrap()
    })
}

pub(crate) async fn connect(gate: &Gate) -> SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(gate.address()).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::task::spawn_local(connection);
    sender
}

/// Starts a call; what it sends is to follow.
async fn start(gate: &Gate, fields: &[(&'static str, &str)]) -> (ResponseFuture, SendStream<Bytes>) {
    let mut request = Request::post("http://api.test/echo.Echo/Say")
        .header("te", "trailers")
        .body(())
        .unwrap();
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    for (name, value) in fields {
        headers.insert(*name, value.parse().unwrap());
    }
    connect(gate)
        .await
        .ready()
        .await
        .unwrap()
        .send_request(request, false)
        .unwrap()
}

/// A whole call with one message, and how it ended: the head, the content, the trailers.
async fn call(gate: &Gate, fields: &[(&'static str, &str)]) -> (HeaderMap, Vec<u8>, HeaderMap) {
    let (response, mut stream) = start(gate, fields).await;
    let _ = stream.send_data(message("hello"), true);
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let (head, mut content) = response.into_parts();
    let mut all = Vec::new();
    while let Some(piece) = content.data().await {
        all.extend_from_slice(&piece.unwrap());
    }
    let trailers = content.trailers().await.unwrap().unwrap_or_default();
    (head.headers, all, trailers)
}

fn message(text: &str) -> Bytes {
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(u32::try_from(text.len()).unwrap());
    message.put_slice(text.as_bytes());
    message.freeze()
}

/// The next message of a stream that sends each in a frame of its own.
async fn next(content: &mut RecvStream) -> Option<Bytes> {
    let piece = content.data().await?.unwrap();
    content.flow_control().release_capacity(piece.len()).unwrap();
    Some(piece)
}

fn head() -> Response<()> {
    Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .unwrap()
}

fn status(number: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(number));
    trailers
}

/// Answers each message with the same one.
async fn echo(mut call: Call) {
    let mut stream = call.begin(head());
    while let Some(piece) = call.piece().await {
        stream.send_data(piece, false).unwrap();
    }
    stream.send_trailers(status("0")).unwrap();
}

fn logged(gate: &Gate) -> Vec<serde_json::Value> {
    let log = std::fs::read_to_string(gate.folder.path().join("access.log")).unwrap_or_default();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_call_passes_whole() {
    let upstream = Http2Upstream::answering(echo);
    let gate = gate_before(upstream.address(), "");
    let (fields, content, trailers) = run(call(&gate, &[("x-mine", "1")]));
    assert_eq!(fields["content-type"], "application/grpc");
    assert_eq!(content, message("hello"));
    assert_eq!(trailers["grpc-status"], "0");
    let request = upstream.last();
    assert_eq!(request.uri().path(), "/echo.Echo/Say");
    assert_eq!(request.headers()["te"], "trailers");
    assert_eq!(request.headers()["x-mine"], "1");
    assert!(!request.headers().contains_key("content-length"));
    eventually("a line of the log", || !logged(&gate).is_empty());
    assert_eq!(logged(&gate)[0]["grpc_status"], 0);
}

#[test]
fn messages_pass_both_ways_at_once() {
    let upstream = Http2Upstream::answering(echo);
    let gate = gate_before(upstream.address(), "");
    run(async {
        let (response, mut stream) = start(&gate, &[]).await;
        // The head comes while nothing has been sent yet, and each answer while the next message is not known.
        let mut content = response.await.unwrap().into_body();
        for text in ["one", "two", "three"] {
            stream.send_data(message(text), false).unwrap();
            assert_eq!(next(&mut content).await.unwrap(), message(text));
        }
        stream.send_data(Bytes::new(), true).unwrap();
        assert_eq!(next(&mut content).await, None);
        let trailers = content.trailers().await.unwrap().unwrap();
        assert_eq!(trailers["grpc-status"], "0");
    });
}

#[test]
fn a_conversation_may_pause() {
    let upstream = Http2Upstream::answering(echo);
    let gate = Gate::start(&format!(
        "listeners: [{{bind: 127.0.0.1:0, timeouts: {{body: 200ms}}}}]\nservices:\n  \
         up: {{targets: [\"http://{}\"], protocol: http2, timeout: {{idle: 200ms}}}}\n\
         routes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    ));
    run(async {
        let (response, mut stream) = start(&gate, &[]).await;
        let mut content = response.await.unwrap().into_body();
        for text in ["one", "two"] {
            // For longer than a body may stall, and a server.
            tokio::time::sleep(Duration::from_millis(600)).await;
            stream.send_data(message(text), false).unwrap();
            assert_eq!(next(&mut content).await.unwrap(), message(text));
        }
    });
}

#[test]
fn a_call_that_never_comes_to_its_message_ends() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        call.abandoned().await;
    });
    let gate = Gate::start(&format!(
        "listeners: [{{bind: 127.0.0.1:0, timeouts: {{body: 200ms}}}}]\nservices:\n  \
         up: {{targets: [\"http://{}\"], protocol: http2}}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    ));
    run(async {
        let (response, _stream) = start(&gate, &[]).await;
        assert_eq!(response.await.unwrap().headers()["grpc-status"], "4");
    });
}

#[test]
fn a_status_without_content_passes() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let mut head = head();
        head.headers_mut().insert("grpc-status", HeaderValue::from_static("5"));
        head.headers_mut()
            .insert("grpc-message", HeaderValue::from_static("no such thing"));
        call.answer.send_response(head, true).unwrap();
    });
    let gate = gate_before(upstream.address(), "");
    let (fields, content, _) = run(call(&gate, &[]));
    assert_eq!(fields["grpc-status"], "5");
    assert_eq!(fields["grpc-message"], "no such thing");
    assert!(content.is_empty());
    eventually("a line of the log", || !logged(&gate).is_empty());
    assert_eq!(logged(&gate)[0]["grpc_status"], 5);
}

#[test]
fn an_answer_that_breaks_off_is_a_failed_call() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let mut stream = call.begin(head());
        stream.send_data(message("first"), false).unwrap();
        // The reset would overtake the data: it waits until the client has taken it.
        call.all().await;
        stream.send_reset(Reason::INTERNAL_ERROR);
    });
    let gate = gate_before(upstream.address(), "");
    run(async {
        let (response, mut stream) = start(&gate, &[]).await;
        let mut content = response.await.unwrap().into_body();
        assert_eq!(next(&mut content).await.unwrap(), message("first"));
        stream.send_data(Bytes::new(), true).unwrap();
        assert_eq!(next(&mut content).await, None);
        let trailers = content.trailers().await.unwrap().unwrap();
        assert_eq!(trailers["grpc-status"], "14");
        assert!(
            trailers["grpc-message"]
                .to_str()
                .unwrap()
                .contains("closed the connection")
        );
    });
    eventually("a line of the log", || !logged(&gate).is_empty());
    assert_eq!(logged(&gate)[0]["grpc_status"], 14);
}

#[test]
fn a_deadline_is_kept_and_told() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        assert_eq!(call.abandoned().await, Reason::CANCEL);
    });
    let gate = gate_before(upstream.address(), "");
    let began = Instant::now();
    let (fields, _, _) = run(call(&gate, &[("grpc-timeout", "300m")]));
    assert_eq!(fields["grpc-status"], "4");
    assert!(began.elapsed() >= Duration::from_millis(290), "{:?}", began.elapsed());
    let told = upstream.last().headers()["grpc-timeout"].to_str().unwrap().to_owned();
    let (unit, digits) = (&told[told.len() - 1..], told[..told.len() - 1].parse::<u32>().unwrap());
    assert!(unit == "u" && (1..300_000).contains(&digits), "{told}");
    eventually("the end of the call", || upstream.in_progress() == 0);
}

#[test]
fn the_sooner_deadline_counts() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        call.abandoned().await;
    });
    let gate = gate_before(upstream.address(), ", timeout: {request: 900ms}");
    let (fields, _, _) = run(call(&gate, &[("grpc-timeout", "1H")]));
    assert_eq!(fields["grpc-status"], "4");
    let told = upstream.last().headers()["grpc-timeout"].to_str().unwrap().to_owned();
    assert!(told.ends_with('u') && told.len() <= 7, "{told}");
}

#[test]
fn a_deadline_ends_a_stream_of_answers() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let mut stream = call.begin(head());
        stream.send_data(message("first"), false).unwrap();
        given_up(&mut stream).await;
    });
    let gate = gate_before(upstream.address(), "");
    let (_, content, trailers) = run(call(&gate, &[("grpc-timeout", "2S")]));
    assert_eq!(content, message("first"));
    assert_eq!(trailers["grpc-status"], "4");
}

#[test]
fn a_deadline_that_nobody_can_read_is_refused() {
    let upstream = Http2Upstream::answering(echo);
    let gate = gate_before(upstream.address(), "");
    for malformed in ["1", "123456789m", "1s", "-1S"] {
        let (fields, _, _) = run(call(&gate, &[("grpc-timeout", malformed)]));
        assert_eq!(fields["grpc-status"], "3", "{malformed}");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn failures_of_the_gate_are_statuses() {
    let gate = gate_before(Upstream::nobody(), "");
    let (fields, content, _) = run(call(&gate, &[("content-type", "application/grpc+proto")]));
    assert_eq!(fields["grpc-status"], "14");
    assert_eq!(fields["content-type"], "application/grpc");
    assert!(content.is_empty());
    let (fields, ..) = run(call(&gate, &[("content-type", "application/grpc-web-text")]));
    assert_eq!(fields["content-type"], "application/grpc-web-text");
    eventually("two lines of the log", || logged(&gate).len() == 2);
    assert_eq!(logged(&gate)[0]["grpc_status"], 14);
    assert_eq!(logged(&gate)[0]["error"], "upstream_refused");

    let gate = Gate::start("listeners: [127.0.0.1:0]\nroutes:\n  - {path: /other, to: {respond: ok}}\n");
    let (fields, ..) = run(call(&gate, &[]));
    assert_eq!(fields["grpc-status"], "12");
}

#[test]
fn a_client_that_cancels_cancels_at_the_server() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let mut stream = call.begin(head());
        stream.send_data(message("first"), false).unwrap();
        assert_eq!(given_up(&mut stream).await, Reason::CANCEL);
    });
    let gate = gate_before(upstream.address(), "");
    run(async {
        let (response, mut stream) = start(&gate, &[]).await;
        let mut content = response.await.unwrap().into_body();
        assert_eq!(next(&mut content).await.unwrap(), message("first"));
        stream.send_reset(Reason::CANCEL);
        // This task must not block: the connection needs the thread.
        while upstream.in_progress() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn a_call_that_was_refused_is_made_again() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        if call.number == 0 {
            call.piece().await;
            call.answer.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        echo(call).await;
    });
    let gate = gate_before(upstream.address(), "");
    let (_, content, trailers) = run(call(&gate, &[]));
    assert_eq!(content, message("hello"));
    assert_eq!(trailers["grpc-status"], "0");
}
