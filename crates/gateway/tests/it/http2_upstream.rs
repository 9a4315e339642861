//! Services that speak HTTP/2, and do it well.

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::Builder;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tokio::sync::Notify;

use super::client::{Client, socket};
use super::folder::Folder;
use super::gate::{Gate, PATIENCE, eventually};
use super::grpc::{connect, run};
use super::http2_peer::{Call, Http2Upstream};

/// A gate with one worker before a service that speaks HTTP/2, with `more` said of the service.
pub(crate) fn gate_before(upstream: SocketAddr, more: &str) -> Gate {
    let service = format!("{{targets: [\"http://{upstream}\"], protocol: http2{more}}}");
    gate_in(Folder::new(), &service)
}

/// A gate with one worker before a service.
fn gate_in(folder: Folder, service: &str) -> Gate {
    folder.write(
        "portcullis.yaml",
        format!(
            "listeners:\n  - bind: 127.0.0.1:0\nadmin: {{bind: \"127.0.0.1:0\"}}\nservices:\n  up: {service}\n\
             policies: {{watch: {{access_log: {{file: access.log}}}}}}\n\
             routes:\n  - {{path: /**, to: {{service: up}}, policies: [watch]}}\n"
        ),
    );
    // Each worker has connections of its own.
    let mut command = Command::new("env");
    command.args([
        "PORTCULLIS_WORKERS=1",
        env!("CARGO_BIN_EXE_portcullis"),
        "run",
        "portcullis.yaml",
    ]);
    Gate::spawn(folder, command)
}

/// A gate before a service that is reached by TLS and may choose among `offered`.
fn gate_before_secure(protocol: &str, offered: &[&str]) -> (Gate, Http2Upstream) {
    let folder = Folder::new();
    let upstream = Http2Upstream::secure(&folder, offered);
    let service = format!(
        "{{targets: [\"https://{}\"], protocol: {protocol}, tls: {{ca: upstream.pem, server_name: upstream.test}}}}",
        upstream.address()
    );
    (gate_in(folder, &service), upstream)
}

async fn say_ok(mut call: Call) {
    call.whole("ok");
}

#[test]
fn a_request_and_its_answer_pass() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let (content, trailers) = call.all().await;
        assert_eq!(content, b"hello");
        assert_eq!(trailers.unwrap()["x-sum"], "5");
        let head = Response::builder()
            .status(201)
            .header("x-from", "there")
            .body(())
            .unwrap();
        let mut stream = call.begin(head);
        stream.send_data("hi ".into(), false).unwrap();
        stream.send_data("there".into(), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", HeaderValue::from_static("all"));
        stream.send_trailers(trailers).unwrap();
    });
    let gate = gate_before(upstream.address(), "");
    let mut client = gate.connect();
    client.send(
        "POST /a?b=c HTTP/1.1\r\nHost: example.org\r\nTE: trailers\r\nX-Mine: 1\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n",
    );
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (201, "hi there"));
    assert_eq!(answer.field("x-from"), Some("there"));
    assert_eq!(answer.trailers, [("x-end".to_owned(), "all".to_owned())]);

    let request = upstream.last();
    assert_eq!(request.uri().to_string(), "http://example.org/a?b=c");
    let fields = request.headers();
    assert_eq!(fields["x-mine"], "1");
    assert_eq!(fields["via"], "1.1 portcullis");
    assert_eq!(fields["x-forwarded-for"], "127.0.0.1");
    assert!(!fields.contains_key("te") && !fields.contains_key("host"));
}

#[test]
fn a_length_is_told_and_kept() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let length = call
            .head
            .headers
            .get("content-length")
            .map(|it| it.to_str().unwrap().to_owned());
        let (content, _) = call.all().await;
        assert_eq!(length.as_deref(), Some("5"));
        let head = Response::builder()
            .header("content-length", content.len())
            .body(())
            .unwrap();
        let mut stream = call.begin(head);
        stream.send_data(content.into(), true).unwrap();
    });
    let gate = gate_before(upstream.address(), "");
    let answer = gate.connect().ask("POST", "/", &[], "hello");
    assert_eq!(answer.text(), "hello");
    assert_eq!(answer.field("content-length"), Some("5"));
}

#[test]
fn requests_share_a_connection() {
    let gathered = Arc::new(tokio::sync::Barrier::new(20));
    let upstream = Http2Upstream::answering(move |mut call| {
        let gathered = gathered.clone();
        async move {
            gathered.wait().await;
            call.whole("ok");
        }
    });
    let gate = gate_before(upstream.address(), "");
    let clients = (0..20).map(|_| {
        let mut client = gate.connect();
        std::thread::spawn(move || client.get("/").status)
    });
    for client in clients.collect::<Vec<_>>() {
        assert_eq!(client.join().unwrap(), 200);
    }
    assert_eq!(upstream.accepted(), 1);
    assert_eq!(upstream.most_in_progress(), 20);
}

#[test]
fn a_server_that_takes_one_request_at_a_time_gets_connections() {
    let gathered = Arc::new(tokio::sync::Barrier::new(5));
    let mut settings = Builder::new();
    settings.max_concurrent_streams(1);
    let upstream = Http2Upstream::with(settings, move |mut call| {
        let gathered = gathered.clone();
        async move {
            gathered.wait().await;
            call.whole("ok");
        }
    });
    let gate = gate_before(upstream.address(), "");
    let clients = (0..5).map(|_| {
        let mut client = gate.connect();
        std::thread::spawn(move || client.get("/").status)
    });
    for client in clients.collect::<Vec<_>>() {
        assert_eq!(client.join().unwrap(), 200);
    }
    assert_eq!(upstream.accepted(), 5);
}

#[test]
fn requests_in_progress_have_a_limit() {
    let free = Arc::new(Notify::new());
    let wait = free.clone();
    let upstream = Http2Upstream::answering(move |mut call| {
        let wait = wait.clone();
        async move {
            wait.notified().await;
            call.whole("ok");
        }
    });
    let gate = gate_before(upstream.address(), ", max_connections: 1");
    let mut first = gate.connect();
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the first request", || upstream.in_progress() == 1);
    let second = gate.get("/");
    assert_eq!(second.status, 503);
    assert_eq!(second.json()["code"], "upstream_busy");
    free.notify_one();
    assert_eq!(first.answer().status, 200);
}

#[test]
fn a_client_that_goes_away_cancels_its_request() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        assert_eq!(call.abandoned().await, Reason::CANCEL);
    });
    let gate = gate_before(upstream.address(), "");
    let mut client = socket(gate.address());
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    eventually("the request", || upstream.in_progress() == 1);
    // A client that merely sends no more may still read: this one is gone.
    socket2::SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    eventually("the end of the request", || upstream.in_progress() == 0);
    assert_eq!(upstream.open(), 1);
}

#[test]
fn a_client_that_takes_nothing_holds_up_its_own_request_only() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        if call.head.uri.path() == "/small" {
            return call.whole("ok");
        }
        let mut stream = call.begin(Response::new(()));
        let piece = Bytes::from(vec![b'x'; 64 * 1024]);
        for _ in 0..1024 {
            stream.reserve_capacity(piece.len());
            while stream.capacity() < piece.len() {
                let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
                if !matches!(room, Some(Ok(_))) {
                    return;
                }
            }
            call.sends(piece.len());
            stream.send_data(piece.clone(), false).unwrap();
        }
        stream.send_data(Bytes::new(), true).unwrap();
    });
    let gate = gate_before(upstream.address(), "");
    let mut slow = gate.connect();
    slow.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the answer", || upstream.sent() > 0);
    // As long as it takes for this the server can go on, if anything lets it.
    for _ in 0..50 {
        assert_eq!(gate.get("/small").text(), "ok");
    }
    let sent = upstream.sent();
    assert!(sent < 16 * 1024 * 1024, "{sent} bytes are on their way");
    assert_eq!(slow.answer().body.len(), 64 * 1024 * 1024);
}

#[test]
fn a_server_that_takes_nothing_holds_up_its_client() {
    let free = Arc::new(Notify::new());
    let wait = free.clone();
    let upstream = Http2Upstream::answering(move |mut call| {
        let wait = wait.clone();
        async move {
            wait.notified().await;
            let (content, _) = call.all().await;
            call.whole(content.len().to_string());
        }
    });
    let gate = gate_before(upstream.address(), "");
    let mut stream = socket(gate.address());
    let length = 64 * 1024 * 1024;
    write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let piece = vec![b'x'; 64 * 1024];
    let mut sent = 0;
    loop {
        match stream.write(&piece[..piece.len().min(length - sent)]) {
            Ok(count) => sent += count,
            Err(stuck) => break assert_eq!(stuck.kind(), ErrorKind::WouldBlock),
        }
    }
    assert!(sent < 32 * 1024 * 1024, "{sent} bytes went out");
    free.notify_one();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&vec![b'x'; length - sent]).unwrap();
    let mut client = Client::over(Box::new(stream));
    assert_eq!(client.answer().text(), length.to_string());
}

#[test]
fn an_early_answer_comes_before_the_request_is_over() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let mut stream = call.begin(Response::new(()));
        stream.send_data("early".into(), true).unwrap();
        call.all().await;
    });
    let gate = gate_before(upstream.address(), "");
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    assert_eq!(client.answer().text(), "early");
}

#[test]
fn both_directions_flow_at_once() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let mut stream = call.begin(Response::new(()));
        while let Some(piece) = call.piece().await {
            stream.send_data(piece, false).unwrap();
        }
        stream.send_data(Bytes::new(), true).unwrap();
    });
    let gate = gate_before(upstream.address(), "");
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for word in ["one", "two", "six"] {
        client.send(format!("3\r\n{word}\r\n"));
        client.until(word);
    }
    client.send("0\r\n\r\n");
    client.until("\r\n0\r\n\r\n");
}

#[test]
fn interim_responses_are_passed_on() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let hints = Response::builder()
            .status(103)
            .header("link", "</a.css>; rel=preload")
            .body(())
            .unwrap();
        call.answer.send_informational(hints).unwrap();
        call.whole("ok");
    });
    let gate = gate_before(upstream.address(), "");
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.until("103 Early Hints");
    client.until("rel=preload");
    client.until("200 OK");
    client.until("ok");
}

#[test]
fn answers_without_content_are_whole() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let status = if call.head.method == "HEAD" { 200 } else { 204 };
        let mut head = Response::new(());
        *head.status_mut() = StatusCode::from_u16(status).unwrap();
        if status == 200 {
            head.headers_mut()
                .insert("content-length", HeaderValue::from_static("7"));
        }
        call.answer.send_response(head, true).unwrap();
    });
    let gate = gate_before(upstream.address(), "");
    let mut client = gate.connect();
    assert_eq!(client.get("/").status, 204);
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.until("content-length: 7\r\n");
}

#[test]
fn an_answer_with_too_large_a_head_is_refused() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let large = HeaderValue::from_bytes(&vec![b'a'; 100 * 1024]).unwrap();
        let head = Response::builder().header("x-large", large).body(()).unwrap();
        call.answer.send_response(head, true).unwrap();
    });
    let gate = gate_before(upstream.address(), "");
    assert_eq!(gate.get("/").json()["code"], "upstream_invalid");
}

#[test]
fn an_idle_connection_ends() {
    let upstream = Http2Upstream::answering(say_ok);
    let gate = gate_before(upstream.address(), ", keep_alive: {idle: 100ms}");
    assert_eq!(gate.get("/").text(), "ok");
    eventually("the end of the connection", || upstream.open() == 0);
    assert_eq!(gate.get("/").text(), "ok");
}

#[test]
fn connections_live_through_a_reload() {
    let upstream = Http2Upstream::answering(say_ok);
    let gate = gate_before(upstream.address(), "");
    assert_eq!(gate.get("/").text(), "ok");
    let configuration = std::fs::read_to_string(gate.folder.path().join("portcullis.yaml")).unwrap();
    gate.rewrite(&format!("{configuration}# changed\n"));
    let reloaded = Client::connect(gate.admin()).ask("POST", "/reload", &[("Host", "localhost")], "");
    assert_eq!(reloaded.status, 200);
    assert_eq!(gate.get("/").text(), "ok");
    assert_eq!(upstream.accepted(), 1);
}

#[test]
fn a_service_without_extended_connect_refuses_websocket() {
    let upstream = Http2Upstream::answering(say_ok);
    let gate = gate_before(upstream.address(), "");
    let answer = gate
        .connect()
        .ask("GET", "/", &[("Connection", "upgrade"), ("Upgrade", "websocket")], "");
    assert_eq!(answer.status, 501);
    assert_eq!(answer.json()["code"], "upgrade_not_offered");
}

#[test]
fn websocket_is_an_extended_connect() {
    let mut settings = Builder::new();
    settings.enable_connect_protocol();
    let upstream = Http2Upstream::with(settings, |mut call| async move {
        let protocol = call
            .head
            .extensions
            .get::<h2::ext::Protocol>()
            .map(|it| it.as_str().to_owned());
        assert_eq!(
            (call.head.method.as_str(), protocol.as_deref()),
            ("CONNECT", Some("websocket"))
        );
        assert!(!call.head.headers.contains_key("sec-websocket-key"));
        let mut stream = call.begin(Response::new(()));
        while let Some(piece) = call.piece().await {
            stream.send_data(piece, false).unwrap();
        }
        stream.send_data(Bytes::new(), true).unwrap();
    });
    let gate = gate_before(upstream.address(), "");
    let mut client = gate.connect();
    client.send(
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    client.until("101 Switching Protocols");
    client.until("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    client.until("\r\n\r\n");
    client.send("ping");
    client.until("ping");
    client.end();
    assert_eq!(client.rest().unwrap(), b"");
}

#[test]
fn http2_is_agreed_by_tls() {
    let (gate, upstream) = gate_before_secure("http2", &["http/1.1", "h2"]);
    assert_eq!(gate.get("/").text(), "http2");
    assert_eq!(gate.get("/").text(), "http2");
    assert_eq!(upstream.accepted(), 1);
    assert_eq!(upstream.last().uri().scheme_str(), Some("https"));
}

#[test]
fn a_server_without_http2_is_no_service_that_must_speak_it() {
    let (gate, _upstream) = gate_before_secure("http2", &[]);
    gate.get("/").assert_problem(502, "upstream_tls");
}

#[test]
fn a_server_may_choose() {
    let (gate, upstream) = gate_before_secure("auto", &["h2", "http/1.1"]);
    assert_eq!(gate.get("/").text(), "http2");
    assert_eq!(gate.get("/").text(), "http2");
    assert_eq!(upstream.accepted(), 1);
    // WebSocket is asked for in HTTP/1.1, on a connection of its own.
    let fields = [("Connection", "upgrade"), ("Upgrade", "websocket")];
    assert_eq!(gate.connect().ask("GET", "/", &fields, "").text(), "http1");

    let (gate, upstream) = gate_before_secure("auto", &["http/1.1"]);
    let mut client = gate.connect();
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "http1");
    }
    assert_eq!(upstream.accepted(), 1);
}

#[test]
fn websocket_passes_from_http2_to_http2() {
    let mut settings = Builder::new();
    settings.enable_connect_protocol();
    let upstream = Http2Upstream::with(settings, |mut call| async move {
        assert_eq!(call.head.method, "CONNECT");
        assert!(!call.head.headers.contains_key("sec-websocket-key"));
        let mut stream = call.begin(Response::new(()));
        while let Some(piece) = call.piece().await {
            stream.send_data(piece, false).unwrap();
        }
        stream.send_data(Bytes::new(), true).unwrap();
    });
    let gate = gate_before(upstream.address(), "");
    run(async {
        let mut request = Request::connect("http://a.test/chat").body(()).unwrap();
        *request.uri_mut() = "http://a.test/chat".parse().unwrap();
        request.extensions_mut().insert(h2::ext::Protocol::from("websocket"));
        let (response, mut stream) = connect(&gate).await.send_request(request, false).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        let mut content = response.into_body();
        stream.send_data("ping".into(), false).unwrap();
        assert_eq!(content.data().await.unwrap().unwrap(), "ping");
        stream.send_data(Bytes::new(), true).unwrap();
        assert!(content.data().await.is_none_or(|end| end.unwrap().is_empty()));
    });
}
