#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;

/// As long as a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(20);

const PLAIN: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn connect(server: &StandIn) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends, and reads so many bytes or up to the end of the connection.
fn exchange(stream: &mut TcpStream, request: &str, length: usize) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.take(length as u64).read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The answer to a request that asks for the end of the connection.
fn last(stream: &mut TcpStream, request: &str) -> String {
    let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    exchange(stream, &request, usize::MAX)
}

fn failing(fault: Fault) -> Behaviour {
    let which = Which::Every(1);
    Behaviour {
        failures: Some(Failures { which, fault }),
        ..Behaviour::default()
    }
}

#[test]
fn a_connection_serves_requests_of_every_form() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let mut stream = connect(&server);
    for request in [
        GET,
        GET,
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        assert_eq!(exchange(&mut stream, request, PLAIN.len()), PLAIN, "{request}");
    }
    let three = GET.repeat(3);
    assert_eq!(exchange(&mut stream, &three, 3 * PLAIN.len()), PLAIN.repeat(3));
    let head = exchange(&mut stream, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN.len() - 2);
    assert_eq!(head, PLAIN[..PLAIN.len() - 2]);
    let end = last(&mut stream, GET);
    assert!(end.contains("Connection: close\r\n\r\nok"), "{end}");
    assert_eq!((server.requests(), server.connections()), (9, 1));
    let refused = exchange(&mut connect(&server), "GARBAGE\r\n\r\n", usize::MAX);
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
}

#[test]
fn a_request_that_comes_in_pieces_is_one() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let mut stream = connect(&server);
    for _ in 0..2 {
        for piece in [&GET[..7], &GET[7..25]] {
            stream.write_all(piece.as_bytes()).unwrap();
            stream.flush().unwrap();
        }
        assert_eq!(exchange(&mut stream, &GET[25..], PLAIN.len()), PLAIN);
    }
    assert_eq!(server.requests(), 2);
}

#[test]
fn faults_are_what_clients_see() {
    let server = StandIn::start(failing(Fault::Status(502))).unwrap();
    assert!(last(&mut connect(&server), GET).starts_with("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n"));

    server.change(failing(Fault::Close)).unwrap();
    assert_eq!(exchange(&mut connect(&server), GET, usize::MAX), "");

    server.change(failing(Fault::Garbage)).unwrap();
    assert!(!exchange(&mut connect(&server), GET, usize::MAX).starts_with("HTTP/"));

    server.change(failing(Fault::Reset)).unwrap();
    let mut stream = connect(&server);
    stream.write_all(GET.as_bytes()).unwrap();
    let failure = stream.read(&mut [0; 1]).unwrap_err();
    assert_eq!(failure.kind(), io::ErrorKind::ConnectionReset);

    server.change(failing(Fault::Hang)).unwrap();
    let mut stream = connect(&server);
    stream.write_all(GET.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);

    server.change(Behaviour::default()).unwrap();
    assert!(last(&mut connect(&server), GET).ends_with("ok"));
}

#[test]
fn a_capacity_is_kept_exactly() {
    let capacity = Some(Capacity {
        rate: 200.0,
        queue: None,
    });
    let server = StandIn::start(Behaviour {
        capacity,
        ..Behaviour::default()
    })
    .unwrap();
    let mut streams: Vec<TcpStream> = (0..10).map(|_| connect(&server)).collect();
    let began = Instant::now();
    for stream in &mut streams {
        stream.write_all(GET.repeat(5).as_bytes()).unwrap();
    }
    for stream in &mut streams {
        let mut answers = vec![0; 5 * PLAIN.len()];
        stream.read_exact(&mut answers).unwrap();
    }
    // Fifty requests take a quarter of a second and never less. How much more depends on how busy this machine is.
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(250), "{took:?}");
    assert!(took < PATIENCE, "{took:?}");
}

#[test]
fn a_queue_that_is_full_refuses() {
    let capacity = Some(Capacity {
        rate: 0.1,
        queue: Some(1),
    });
    let server = StandIn::start(Behaviour {
        capacity,
        ..Behaviour::default()
    })
    .unwrap();
    let mut first = connect(&server);
    first.write_all(GET.as_bytes()).unwrap();
    let began = Instant::now();
    while server.requests() == 0 && began.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    let refused = exchange(&mut connect(&server), GET, 12);
    assert_eq!((refused.as_str(), server.refused()), ("HTTP/1.1 503", 1));
}

#[test]
fn a_stall_holds_answers_until_it_ends() {
    let stalls = Stalls {
        period: Duration::from_millis(300),
        length: Duration::from_millis(299),
    };
    let server = StandIn::start(Behaviour {
        stalls: Some(stalls),
        ..Behaviour::default()
    })
    .unwrap();
    let mut stream = connect(&server);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(700) {
        let sent = server.epoch().elapsed();
        exchange(&mut stream, GET, PLAIN.len());
        let truth = stalls.release(sent);
        let came = server.epoch().elapsed();
        assert!(
            came >= truth,
            "sent at {sent:?}, came at {came:?}, held until {truth:?}"
        );
    }
}

#[test]
fn no_more_connections_are_kept_than_allowed() {
    let settings = Settings {
        connections: 1,
        ..Settings::default()
    };
    let server = StandIn::start_with(Behaviour::default(), settings).unwrap();
    let mut first = connect(&server);
    exchange(&mut first, GET, PLAIN.len());
    let mut second = connect(&server);
    let end = second.read(&mut [0; 1]);
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert_eq!(server.open_connections(), 1);
    drop(first);
    let began = Instant::now();
    while server.open_connections() > 0 && began.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    exchange(&mut connect(&server), GET, PLAIN.len());
}

#[test]
fn it_ends_when_it_is_dropped() {
    let server = StandIn::start(failing(Fault::Hang)).unwrap();
    let mut stream = connect(&server);
    stream.write_all(GET.as_bytes()).unwrap();
    let address = server.address();
    drop(server);
    let end = stream.read(&mut [0; 1]);
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn it_speaks_tls() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let settings = Settings {
        tls: Some(Arc::new(config)),
        ..Settings::default()
    };
    let server = StandIn::start_with(Behaviour::default(), settings).unwrap();

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let session = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
    let mut stream = rustls::StreamOwned::new(session, connect(&server));
    stream.write_all(GET.as_bytes()).unwrap();
    let mut answer = [0; PLAIN.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, PLAIN.as_bytes());
}
