//! Clients that speak HTTP/2.

use std::io::Write as _;

use bytes::Bytes;
use h2::Reason;
use h2::client::Builder;
use h2::ext::Protocol;
use http::{HeaderMap, HeaderValue, Request};

use super::gate::{Gate, forward_all};
use super::http2_client::{Http2Client, get, request, run, send_all, until, whole};
use super::upstream::Upstream;

const MIB: usize = 1 << 20;

#[test]
fn requests_share_a_connection() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let mut answers = Vec::new();
        for number in 0..50 {
            answers.push(client.start(get(&format!("/{number}?a=b")), true).await.0);
        }
        for (number, answer) in answers.into_iter().enumerate() {
            let answer = whole(answer.await.unwrap()).await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.field("date").map(str::len), Some(29));
            let seen: serde_json::Value = serde_json::from_slice(&answer.content).unwrap();
            assert_eq!(seen["line"], format!("GET /{number}?a=b HTTP/1.1"));
        }
    });
    let request = upstream.last();
    assert_eq!(request.field("host"), Some("gate.test"));
    assert_eq!(request.field("via"), Some("2 portcullis"));
    assert_eq!(request.field("x-forwarded-proto"), Some("http"));
}

#[test]
fn pieces_of_a_cookie_become_one_line() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let mut request = get("/");
        request.headers_mut().append("cookie", HeaderValue::from_static("a=b"));
        request.headers_mut().append("cookie", HeaderValue::from_static("c=d"));
        request.headers_mut().append("te", HeaderValue::from_static("trailers"));
        request
            .headers_mut()
            .append("x_request_id", HeaderValue::from_static("forged"));
        assert_eq!(client.ask(request).await.text(), "ok");
    });
    let request = upstream.last();
    assert_eq!(request.field("cookie"), Some("a=b; c=d"));
    assert_eq!(request.field("x_request_id"), None);
}

#[test]
fn content_and_trailers_pass_both_ways() {
    let upstream = Upstream::playing(|peer| {
        let request = peer.request().unwrap();
        assert_eq!(request.field("transfer-encoding"), Some("chunked"));
        assert_eq!(request.trailers, [("x-sum".to_owned(), "1".to_owned())]);
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
        for piece in request.body.chunks(100_000) {
            peer.send(format!("{:x}\r\n", piece.len()));
            peer.send(piece);
            peer.send("\r\n");
        }
        peer.send("0\r\nX-Sum: 2\r\n\r\n");
    });
    let gate = Gate::before(upstream.address());
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let content: Vec<u8> = (0..3 * MIB).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let (response, mut stream) = client.start(request("POST", "/"), false).await;
        send_all(&mut stream, content.clone().into(), false).await;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("1"));
        stream.send_trailers(trailers).unwrap();
        let answer = whole(response.await.unwrap()).await.unwrap();
        assert!(answer.content == content, "{} bytes came back", answer.content.len());
        assert_eq!(answer.trailers.unwrap()["x-sum"], "2");
    });
}

#[test]
fn a_length_is_told_and_the_last_piece_ends_the_stream() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let mut post = request("POST", "/");
        post.headers_mut()
            .insert("content-length", HeaderValue::from_static("5"));
        let (response, mut stream) = client.start(post, false).await;
        stream.send_data(Bytes::from_static(b"hello"), true).unwrap();
        let answer = whole(response.await.unwrap()).await.unwrap();
        assert_eq!(
            answer.field("content-length"),
            Some(answer.content.len().to_string()).as_deref()
        );
        let head = client.ask(request("HEAD", "/")).await;
        assert!(head.content.is_empty() && head.field("content-length").is_some());
    });
    assert_eq!(upstream.requests()[0].field("content-length"), Some("5"));
}

#[test]
fn a_client_sends_no_more_than_the_upstream_takes() {
    let upstream = Upstream::playing(|peer| {
        peer.head();
        wait_for_ever();
    });
    let gate = Gate::before(upstream.address());
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let (_response, mut stream) = client.start(request("POST", "/"), false).await;
        let mut sent = 0;
        let endless = async {
            loop {
                send_all(&mut stream, Bytes::from(vec![b'x'; 16 * 1024]), false).await;
                sent += 16 * 1024;
            }
        };
        // The silence of a window that stays shut is all there is to see.
        let silence = std::time::Duration::from_millis(500);
        let _: Result<(), _> = tokio::time::timeout(silence, endless).await;
        assert!((256 * 1024..24 * MIB).contains(&sent), "{sent} bytes were taken");
        // Another request is not held up.
        assert_eq!(client.ask(get("/%")).await.status(), 400);
    });
}

#[test]
fn an_answer_may_come_before_the_content() {
    let upstream = Upstream::playing(|peer| {
        peer.head();
        peer.answer("403 Forbidden", "no");
        wait_for_ever();
    });
    let gate = Gate::before(upstream.address());
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let (response, mut stream) = client.start(request("POST", "/"), false).await;
        stream.send_data(Bytes::from_static(b"some"), false).unwrap();
        let answer = whole(response.await.unwrap()).await.unwrap();
        assert_eq!((answer.status(), answer.text()), (403, "no"));
        let reset = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
        assert_eq!(reset.unwrap(), Reason::NO_ERROR);
        assert_eq!(client.ask(get("/%")).await.status(), 400, "the connection goes on");
    });
}

#[test]
fn a_request_that_is_taken_back_is_stopped() {
    let upstream = Upstream::playing(|peer| {
        peer.head();
        peer.rest();
    });
    let gate = Gate::before(upstream.address());
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let (_response, mut stream) = client.start(get("/"), true).await;
        until("the request at the upstream", || upstream.open() == 1).await;
        stream.send_reset(Reason::CANCEL);
        tokio::task::yield_now().await;
        let (again, _stream) = client.start(get("/%"), true).await;
        assert_eq!(again.await.unwrap().status(), 400);
        until("the end of the upstream's connection", || upstream.open() == 0).await;
    });
}

#[test]
fn an_answer_that_breaks_off_is_no_whole_one() {
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let upstream = Upstream::playing(move |peer| {
            peer.request();
            peer.send(broken);
        });
        let gate = Gate::before(upstream.address());
        run(async {
            let client = Http2Client::connect(gate.address()).await;
            let (response, _) = client.start(get("/"), true).await;
            let error = match response.await {
                Ok(response) => whole(response).await.unwrap_err(),
                // The reset may overtake the head.
                Err(error) => error,
            };
            assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
        });
    }
}

#[test]
fn interim_answers_come_first() {
    let upstream = Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            if request.body.is_empty() {
                peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\n\r\n");
            }
            peer.answer("200 OK", "ok");
        }
    });
    let gate = Gate::before(upstream.address());
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let (mut response, _) = client.start(get("/"), true).await;
        let hints = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        let hints = hints.unwrap().unwrap();
        assert_eq!(
            (hints.status().as_u16(), &hints.headers()["link"]),
            (103, &HeaderValue::from_static("</a>"))
        );
        assert_eq!(whole(response.await.unwrap()).await.unwrap().text(), "ok");

        let mut waiting = request("POST", "/");
        waiting
            .headers_mut()
            .insert("expect", HeaderValue::from_static("100-continue"));
        let (mut response, mut stream) = client.start(waiting, false).await;
        let go = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(go.unwrap().unwrap().status(), 100);
        stream.send_data(Bytes::from_static(b"content"), true).unwrap();
        assert_eq!(whole(response.await.unwrap()).await.unwrap().text(), "ok");
    });
}

#[test]
fn a_websocket_goes_through() {
    let upstream = Upstream::playing(|peer| {
        let request = peer.head().unwrap();
        assert_eq!(request.line, "GET /chat HTTP/1.1");
        assert_eq!(request.field("upgrade"), Some("websocket"));
        let key = request.field("sec-websocket-key").unwrap();
        peer.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: {}\r\n\r\nhello",
            proof_of(key)
        ));
        while let Some(message) = peer.take(5) {
            peer.send(message);
        }
    });
    let gate = Gate::before(upstream.address());
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        client.ask(get("/..")).await.assert_problem(400, "bad_target");
        assert!(client.requests.is_extended_connect_protocol_enabled());
        let (response, mut stream) = client.start(tunnel("websocket"), false).await;
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
        assert!(!response.headers().contains_key("sec-websocket-accept"));
        assert!(!response.headers().contains_key("content-length"));
        let mut content = response.into_body();
        let mut read = async |length: usize| {
            let mut all = Vec::new();
            while all.len() < length {
                all.extend(content.data().await.unwrap().unwrap());
            }
            all
        };
        assert_eq!(read(5).await, b"hello");
        for message in ["first", "again"] {
            stream.send_data(Bytes::from_static(message.as_bytes()), false).unwrap();
            assert_eq!(read(5).await, message.as_bytes());
        }
        stream.send_data(Bytes::new(), true).unwrap();
        while let Some(data) = content.data().await {
            assert!(data.unwrap().is_empty(), "the upstream has ended its side");
        }
    });
}

#[test]
fn a_websocket_needs_a_proof_and_may_be_declined() {
    let unproven = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let declined = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (answer, status) in [(unproven, 502), (declined, 200)] {
        let upstream = Upstream::playing(move |peer| {
            peer.head();
            peer.send(answer);
        });
        let gate = Gate::before(upstream.address());
        run(async {
            let client = Http2Client::connect(gate.address()).await;
            client.ask(get("/..")).await.assert_problem(400, "bad_target");
            let (response, _stream) = client.start(tunnel("websocket"), false).await;
            assert_eq!(response.await.unwrap().status(), status);
            let (response, _stream) = client.start(tunnel("h2c"), false).await;
            assert_eq!(response.await.unwrap().status(), 501);
        });
    }
}

#[test]
fn requests_in_progress_end_well_when_the_gate_ends() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::playing(move |peer| {
        peer.request();
        gone.lock().unwrap().recv().unwrap();
        peer.answer("200 OK", "late");
    });
    let mut gate = Gate::start(&forward_all(upstream.address(), ""));
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        let idle = Http2Client::connect(gate.address()).await;
        assert_eq!(idle.ask(get("/..")).await.status(), 400);
        let (response, _) = client.start(get("/"), true).await;
        let response = tokio::task::spawn_local(response);
        until("the request at the upstream", || upstream.open() == 1).await;
        gate.signal("TERM");
        idle.connection.await.unwrap().unwrap();
        go.send(()).unwrap();
        let answer = whole(response.await.unwrap().unwrap()).await.unwrap();
        assert_eq!(answer.text(), "late");
        client.connection.await.unwrap().unwrap();
    });
    assert!(gate.await_exit().success(), "{}", gate.log());
}

#[test]
fn large_answers_wait_for_a_slow_client() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 4 * MIB));
        for _ in 0..4 {
            peer.send(vec![b'x'; MIB]);
        }
    });
    let gate = Gate::before(upstream.address());
    run(async {
        let mut small = Builder::new();
        small.initial_window_size(20_000).initial_connection_window_size(70_000);
        let client = Http2Client::with(&small, gate.address()).await;
        let (response, _) = client.start(get("/"), true).await;
        let (other, _) = client.start(get("/%"), true).await;
        assert_eq!(
            whole(other.await.unwrap()).await.unwrap().status(),
            400,
            "it is not behind the large one"
        );
        let answer = whole(response.await.unwrap()).await.unwrap();
        assert_eq!(answer.content.len(), 4 * MIB);
    });
}

/// Neither reads nor ends a connection, until the process of the tests ends.
fn wait_for_ever() {
    loop {
        std::thread::park();
    }
}

/// What RFC 6455 §4.2.2 has a server answer to a key, by a program that everybody has.
fn proof_of(key: &str) -> String {
    let script = "openssl dgst -sha1 -binary | openssl base64";
    let mut shell = std::process::Command::new("sh")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn tunnel(protocol: &'static str) -> Request<()> {
    let mut request = request("CONNECT", "/chat");
    request.extensions_mut().insert(Protocol::from_static(protocol));
    request
}
