#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use portcullis_core::{Headers, Method};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::load::Spacing;
use crate::plan::Plan;
use crate::target::{Protocol, Target};
use crate::tls;

/// As long as a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn run<F: Future>(test: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.unwrap() })
}

fn lines(address: SocketAddr, count: usize, fresh_connections: bool) -> Vec<Http2Line> {
    let target = Target::of(&format!("http://{address}"), Protocol::Http2, &tls::Settings::default());
    lines_to(target.unwrap(), count, fresh_connections)
}

fn lines_to(target: Target, count: usize, fresh_connections: bool) -> Vec<Http2Line> {
    let plan = Plan {
        target,
        flows: Arc::new([]),
        routes: Vec::new(),
        connections: 1,
        streams: count,
        fresh_connections,
        threads: 1,
        processors: Vec::new(),
        timeout: PATIENCE,
        backlog: 1,
        spacing: Spacing::Uniform,
        seed: 0,
    };
    Http2Line::of_connection(&Rc::new(Dialer::new(&plan, 0)), count)
}

fn request(method: Method, path: &str, body: &'static str) -> Request {
    let mut headers = Headers::new();
    headers.append("X-Test", "yes");
    Request::new("a.test", method, path, headers, Bytes::from_static(body.as_bytes())).unwrap()
}

const ALL: Wants = Wants {
    headers: true,
    body: Some(6),
};

async fn ask(line: &mut Http2Line, path: &str) -> Result<Answer, Failed> {
    line.exchange(&request(Method::Get, path, ""), ALL, Instant::now())
        .await
}

/// What a server saw.
#[derive(Default)]
struct Seen {
    connections: Cell<usize>,
    requests: Cell<usize>,
}

type Asked = http::Request<RecvStream>;

/// A server that answers `/refuse` and the like in the way that they say.
async fn server() -> (SocketAddr, Rc<Seen>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Rc::new(Seen::default());
    let counts = seen.clone();
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counts.connections.set(counts.connections.get() + 1);
            tokio::task::spawn_local(serve(stream, counts.clone()));
        }
    });
    (address, seen)
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, seen: Rc<Seen>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((asked, respond))) = connection.accept().await {
        seen.requests.set(seen.requests.get() + 1);
        match asked.uri().path() {
            "/goodbye" => {
                tokio::task::spawn_local(answer(asked, respond));
                connection.graceful_shutdown();
            }
            "/end" => return,
            _ => drop(tokio::task::spawn_local(answer(asked, respond))),
        }
    }
}

async fn answer(asked: Asked, mut respond: SendResponse<Bytes>) {
    let head = |status: u16| http::Response::builder().status(status).header("x-answer", "1");
    match asked.uri().path() {
        "/refuse" => respond.send_reset(Reason::REFUSED_STREAM),
        "/reset" => {
            let mut content = respond.send_response(head(200).body(()).unwrap(), false).unwrap();
            content.send_data(Bytes::from_static(b"part"), false).unwrap();
            content.send_reset(Reason::INTERNAL_ERROR);
        }
        "/hang" => std::future::pending().await,
        "/hints" => {
            respond
                .send_informational(http::Response::builder().status(103).body(()).unwrap())
                .unwrap();
            respond.send_response(head(204).body(()).unwrap(), true).unwrap();
        }
        "/length" => {
            let mut length = 0;
            let mut content = asked.into_body();
            while let Some(piece) = content.data().await {
                let piece = piece.unwrap().len();
                content.flow_control().release_capacity(piece).unwrap();
                length += piece;
            }
            let mut content = respond.send_response(head(200).body(()).unwrap(), false).unwrap();
            content.send_data(length.to_string().into(), true).unwrap();
        }
        _ => {
            assert_eq!(asked.uri().authority().unwrap(), "a.test");
            assert_eq!(asked.headers()["x-test"], "yes");
            let mut content = respond.send_response(head(200).body(()).unwrap(), false).unwrap();
            content.send_data(Bytes::from_static(b"hello, "), false).unwrap();
            content.send_data(Bytes::from_static(b"world"), false).unwrap();
            content.send_trailers(http::HeaderMap::new()).unwrap();
        }
    }
}

#[test]
fn lines_share_a_connection_and_what_is_wanted_is_kept() {
    run(async {
        let (address, seen) = server().await;
        let mut asking = tokio::task::JoinSet::new();
        for mut line in lines(address, 5, false) {
            asking.spawn_local(async move {
                for _ in 0..10 {
                    let answer = ask(&mut line, "/").await.unwrap();
                    assert_eq!((answer.status, answer.length), (200, 12));
                    assert_eq!(answer.body.unwrap(), "hello,");
                    assert_eq!(answer.headers.unwrap().get("x-answer"), Some(&b"1"[..]));
                }
            });
        }
        while let Some(asked) = asking.join_next().await {
            asked.unwrap();
        }
        assert_eq!((seen.connections.get(), seen.requests.get()), (1, 50));
    });
}

#[test]
fn content_is_sent_and_interim_answers_are_passed_over() {
    run(async {
        let (address, _) = server().await;
        let mut line = lines(address, 1, false).remove(0);
        let body = "x".repeat(200_000).leak();
        let answer = line
            .exchange(&request(Method::Post, "/length", body), ALL, Instant::now())
            .await
            .unwrap();
        assert_eq!(answer.body.unwrap(), "200000");
        let answer = line
            .exchange(&request(Method::Get, "/hints", ""), Wants::default(), Instant::now())
            .await
            .unwrap();
        assert_eq!((answer.status, answer.length), (204, 0));
        assert!(answer.headers.is_none() && answer.body.is_none());
    });
}

#[test]
fn what_fails_is_classified_and_never_sent_again() {
    run(async {
        let (address, seen) = server().await;
        let mut line = lines(address, 1, false).remove(0);
        for (path, why) in [
            ("/refuse", "stream refused"),
            ("/reset", "stream reset: INTERNAL_ERROR"),
        ] {
            let before = seen.requests.get();
            let failed = ask(&mut line, path).await.unwrap_err();
            assert_eq!((failed.kind, failed.why.as_str()), (Failure::Reset, why));
            assert_eq!(seen.requests.get(), before + 1, "{path}");
        }
        let failed = ask(&mut line, "/end").await.unwrap_err();
        assert_eq!(failed.kind, Failure::Reset, "{failed:?}");
        assert_eq!(ask(&mut line, "/").await.unwrap().status, 200, "by a new connection");
        assert_eq!((seen.connections.get(), seen.requests.get()), (2, 4));
    });
}

#[test]
fn a_connection_that_says_goodbye_is_replaced() {
    run(async {
        let (address, seen) = server().await;
        let mut lines = lines(address, 2, false);
        assert_eq!(ask(&mut lines[0], "/goodbye").await.unwrap().status, 200);
        for line in &mut lines {
            assert_eq!(ask(line, "/").await.unwrap().status, 200);
        }
        assert_eq!((seen.connections.get(), seen.requests.get()), (2, 3));
    });
}

#[test]
fn a_line_is_good_after_an_exchange_was_given_up() {
    run(async {
        let (address, seen) = server().await;
        let mut line = lines(address, 1, false).remove(0);
        let given_up = tokio::time::timeout(Duration::from_millis(20), ask(&mut line, "/hang")).await;
        assert!(given_up.is_err());
        assert_eq!(ask(&mut line, "/").await.unwrap().status, 200);
        assert_eq!(seen.connections.get(), 1, "only the stream was given up");
    });
}

#[test]
fn fresh_connections_are_one_for_each_request() {
    run(async {
        let (address, seen) = server().await;
        let mut line = lines(address, 1, true).remove(0);
        line.open().await.unwrap();
        for _ in 0..3 {
            assert_eq!(ask(&mut line, "/").await.unwrap().status, 200);
        }
        assert_eq!((seen.connections.get(), seen.requests.get()), (3, 3));
    });
}

#[test]
fn a_server_of_another_protocol_is_told_from_one_that_is_not_there() {
    run(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let speaking = tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                .await
                .unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let mut both = lines(address, 2, false);
        let failed = both[0].open().await.unwrap_err();
        assert_eq!(
            (failed.kind, failed.why.as_str()),
            (Failure::Protocol, "the server does not speak HTTP/2")
        );
        speaking.await.unwrap();
        let failed = ask(&mut both[1], "/").await.unwrap_err();
        assert_eq!(
            (failed.kind, failed.why.as_str()),
            (Failure::Connect, "connection refused")
        );
    });
}

#[test]
fn it_is_agreed_on_by_tls() {
    run(async {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let settings = tls::Settings {
            authorities: Some(made.cert.pem().into_bytes()),
            ..tls::Settings::default()
        };
        for (spoken, agreed) in [(&b"h2"[..], true), (b"http/1.1", false)] {
            let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let mut config = rustls::ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key.into())
                .unwrap();
            config.alpn_protocols = vec![spoken.to_vec()];
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::task::spawn_local(async move {
                let (stream, _) = listener.accept().await.unwrap();
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, Rc::default()).await;
                }
            });
            let mut target = Target::of(&format!("https://localhost:{port}"), Protocol::Http2, &settings).unwrap();
            target.addresses = vec![(Ipv4Addr::LOCALHOST, port).into()];
            let mut line = lines_to(target, 1, false).remove(0);
            if agreed {
                for _ in 0..3 {
                    assert_eq!(ask(&mut line, "/").await.unwrap().length, 12);
                }
            } else {
                let failed = line.open().await.unwrap_err();
                let why = "the server refused: NoApplicationProtocol";
                assert_eq!((failed.kind, failed.why.as_str()), (Failure::Tls, why));
            }
        }
    });
}
