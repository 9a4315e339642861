#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use h3::server::RequestStream as Served;
use portcullis_core::Method;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, ServerConfig};

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

/// What a server saw.
#[derive(Default)]
struct Seen {
    connections: Cell<usize>,
    requests: Cell<usize>,
    cancelled: Cell<usize>,
}

struct Server {
    address: SocketAddr,
    seen: Rc<Seen>,
    /// Its certificate (PEM).
    authority: Vec<u8>,
}

fn server() -> Server {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = vec![b"h3".to_vec()];
    let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(config).unwrap()));
    let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = endpoint.local_addr().unwrap();
    let seen = Rc::new(Seen::default());
    let counts = seen.clone();
    tokio::task::spawn_local(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::task::spawn_local(serve(incoming, counts.clone()));
        }
    });
    let authority = made.cert.pem().into_bytes();
    Server {
        address,
        seen,
        authority,
    }
}

async fn serve(incoming: quinn::Incoming, seen: Rc<Seen>) {
    let Ok(connection) = incoming.await else { return };
    seen.connections.set(seen.connections.get() + 1);
    let quic = connection.clone();
    let mut connection = h3::server::Connection::<_, Bytes>::new(h3_quinn::Connection::new(connection))
        .await
        .unwrap();
    while let Ok(Some(resolver)) = connection.accept().await {
        let Ok((asked, stream)) = resolver.resolve_request().await else {
            return;
        };
        seen.requests.set(seen.requests.get() + 1);
        if asked.uri().path() == "/end" {
            quic.close(quinn::VarInt::from_u32(0x102), b"");
            return;
        }
        tokio::task::spawn_local(answer(asked, stream, seen.clone()));
    }
}

async fn answer(asked: http::Request<()>, mut stream: Served<BidiStream<Bytes>, Bytes>, seen: Rc<Seen>) {
    let head = || http::Response::builder().status(200).header("x-answer", "1");
    match asked.uri().path() {
        "/refuse" => stream.stop_stream(Code::H3_REQUEST_REJECTED),
        "/reset" => {
            stream.send_response(head().body(()).unwrap()).await.unwrap();
            stream.stop_stream(Code::H3_INTERNAL_ERROR);
        }
        "/short" => {
            stream
                .send_response(head().header("content-length", "10").body(()).unwrap())
                .await
                .unwrap();
            stream.send_data(Bytes::from_static(b"short")).await.unwrap();
            stream.finish().await.unwrap();
        }
        "/hang" => {
            stream.send_response(head().body(()).unwrap()).await.unwrap();
            // It ends when the client gives the request up.
            while let Ok(()) = stream.send_data(Bytes::from_static(&[0; 1024])).await {
                tokio::task::yield_now().await;
            }
            seen.cancelled.set(seen.cancelled.get() + 1);
        }
        "/length" => {
            let mut length = 0;
            while let Some(piece) = stream.recv_data().await.unwrap() {
                length += piece.remaining();
            }
            stream
                .send_response(http::Response::builder().status(103).body(()).unwrap())
                .await
                .unwrap();
            stream.send_response(head().body(()).unwrap()).await.unwrap();
            stream.send_data(length.to_string().into()).await.unwrap();
            stream.finish().await.unwrap();
        }
        _ => {
            assert_eq!(asked.uri().authority().unwrap(), "a.test");
            assert_eq!(asked.headers()["x-test"], "yes");
            stream.send_response(head().body(()).unwrap()).await.unwrap();
            stream.send_data(Bytes::from_static(b"hello, ")).await.unwrap();
            stream.send_data(Bytes::from_static(b"world")).await.unwrap();
            stream.finish().await.unwrap();
        }
    }
}

fn lines(server: &Server, settings: &tls::Settings, count: usize, fresh_connections: bool) -> Vec<Http3Line> {
    let mut target = Target::of("https://localhost", Protocol::Http3, settings).unwrap();
    target.addresses = vec![server.address];
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
    Http3Line::of_connection(&Rc::new(Dialer::new(&plan, 0)), count)
}

fn trusting(server: &Server) -> tls::Settings {
    tls::Settings {
        authorities: Some(server.authority.clone()),
        ..tls::Settings::default()
    }
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

async fn ask(line: &mut Http3Line, path: &str) -> Result<Answer, Failed> {
    line.exchange(&request(Method::Get, path, ""), ALL, Instant::now())
        .await
}

#[test]
fn lines_share_a_connection_and_what_is_wanted_is_kept() {
    run(async {
        let server = server();
        let mut asking = tokio::task::JoinSet::new();
        for mut line in lines(&server, &trusting(&server), 5, false) {
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
        assert_eq!((server.seen.connections.get(), server.seen.requests.get()), (1, 50));
    });
}

#[test]
fn content_is_sent_and_interim_answers_are_passed_over() {
    run(async {
        let server = server();
        let mut line = lines(&server, &trusting(&server), 1, false).remove(0);
        let body = "x".repeat(200_000).leak();
        let asked = request(Method::Post, "/length", body);
        let answer = line.exchange(&asked, ALL, Instant::now()).await.unwrap();
        assert_eq!((answer.status, &answer.body.unwrap()[..]), (200, &b"200000"[..]));
    });
}

#[test]
fn what_fails_is_classified_and_never_sent_again() {
    run(async {
        let server = server();
        let mut line = lines(&server, &trusting(&server), 1, false).remove(0);
        for (path, why) in [
            ("/refuse", "stream refused"),
            ("/reset", "stream reset: H3_INTERNAL_ERROR"),
            ("/short", "the content was cut off"),
        ] {
            let before = server.seen.requests.get();
            let failed = ask(&mut line, path).await.unwrap_err();
            assert_eq!((failed.kind, failed.why.as_str()), (Failure::Reset, why));
            assert_eq!(server.seen.requests.get(), before + 1, "{path}");
        }
        let failed = ask(&mut line, "/end").await.unwrap_err();
        assert_eq!(failed.kind, Failure::Reset, "{failed:?}");
        assert_eq!(ask(&mut line, "/").await.unwrap().status, 200, "by a new connection");
        assert_eq!((server.seen.connections.get(), server.seen.requests.get()), (2, 5));
    });
}

#[test]
fn a_line_is_good_after_an_exchange_was_given_up() {
    run(async {
        let server = server();
        let mut line = lines(&server, &trusting(&server), 1, false).remove(0);
        line.open().await.unwrap();
        let given_up = tokio::time::timeout(Duration::from_millis(50), ask(&mut line, "/hang")).await;
        assert!(given_up.is_err());
        assert_eq!(ask(&mut line, "/").await.unwrap().status, 200);
        assert_eq!(server.seen.connections.get(), 1, "only the stream was given up");
        while server.seen.cancelled.get() == 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn fresh_connections_are_one_for_each_request() {
    run(async {
        let server = server();
        let mut line = lines(&server, &trusting(&server), 1, true).remove(0);
        line.open().await.unwrap();
        for _ in 0..3 {
            assert_eq!(ask(&mut line, "/").await.unwrap().status, 200);
        }
        assert_eq!((server.seen.connections.get(), server.seen.requests.get()), (3, 3));
    });
}

#[test]
fn what_is_wrong_with_a_certificate_is_told() {
    run(async {
        let server = server();
        let mut other = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        other.distinguished_name.push(rcgen::DnType::CommonName, "a stranger");
        let other = other.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let stranger = tls::Settings {
            authorities: Some(other.pem().into_bytes()),
            ..tls::Settings::default()
        };
        let misnamed = tls::Settings {
            server_name: Some("other.test".to_owned()),
            ..trusting(&server)
        };
        for (settings, why) in [(stranger, "unknown issuer"), (misnamed, "wrong name")] {
            let failed = lines(&server, &settings, 1, false)[0].open().await.unwrap_err();
            assert_eq!((failed.kind, failed.why.as_str()), (Failure::Tls, why));
        }
        let unverified = tls::Settings {
            unverified: true,
            ..tls::Settings::default()
        };
        lines(&server, &unverified, 1, false)[0].open().await.unwrap();
    });
}
