//! Compressed answers, as clients get them.

use std::io::Read;

use super::client::{Answer, Client};
use super::gate::Gate;
use super::upstream::{Peer, Upstream};

/// A gate whose routes are compressed everywhere, but for `/plain/**`.
fn compressing(upstream: &Upstream, compress: &str) -> Gate {
    Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: \"http://{}\"}}\n\
         policies:\n  everyone: {{compress: {compress}}}\neverywhere: [everyone]\nroutes:\n  \
         - {{path: /plain/**, policies: [{{compress: false}}], to: {{service: up}}}}\n  \
         - {{path: /fixed, to: {{respond: {{body: {:?}, content_type: text/css}}}}}}\n  \
         - {{path: /**, to: {{service: up}}}}\n",
        upstream.address(),
        text(3000)
    ))
}

fn text(length: usize) -> String {
    "It was the best of times, it was the worst of times. "
        .chars()
        .cycle()
        .take(length)
        .collect()
}

/// An upstream that answers with so much text, and an entity tag.
fn texts(length: usize) -> Upstream {
    Upstream::playing(move |peer| {
        while let Some(request) = peer.request() {
            let head = "Content-Type: text/html\r\nETag: \"one\"\r\nAccept-Ranges: bytes\r\n";
            if request.field("if-none-match") == Some("\"one\"") {
                peer.send("HTTP/1.1 304 Not Modified\r\nETag: \"one\"\r\n\r\n");
            } else if request.line.starts_with("HEAD") {
                peer.send(format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {length}\r\n\r\n"));
            } else {
                peer.send(format!(
                    "HTTP/1.1 200 OK\r\n{head}Content-Length: {length}\r\n\r\n{}",
                    text(length)
                ));
            }
        }
    })
}

fn ask(client: &mut Client, target: &str, accept_encoding: &str) -> Answer {
    client.ask("GET", target, &[("Accept-Encoding", accept_encoding)], "")
}

fn decoded(content: &[u8], encoding: &str) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        "gzip" => flate2::read::GzDecoder::new(content).read_to_end(&mut out),
        "br" => brotli::Decompressor::new(content, 4096).read_to_end(&mut out),
        "zstd" => zstd::stream::read::Decoder::new(content).unwrap().read_to_end(&mut out),
        other => panic!("an unknown encoding: {other}"),
    }
    .unwrap();
    out
}

#[test]
fn each_client_gets_what_it_can_take() {
    let upstream = texts(300_000);
    let gate = compressing(&upstream, "true");
    let mut client = gate.connect();
    for (accepted, encoding) in [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, br", "br"),
        ("gzip", "gzip"),
        ("zstd;q=0.5, gzip;q=0.8", "gzip"),
    ] {
        let answer = ask(&mut client, "/", accepted);
        assert_eq!(answer.field("content-encoding"), Some(encoding), "{accepted}");
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.field("etag"), Some(&*format!("W/\"one~{encoding}\"")));
        assert_eq!(answer.field("accept-ranges"), None);
        assert!(answer.body.len() < 30_000, "{}", answer.body.len());
        assert_eq!(decoded(&answer.body, encoding), text(300_000).as_bytes());
    }
    let answer = ask(&mut client, "/", "identity");
    assert_eq!(answer.field("content-encoding"), None);
    assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
    assert_eq!(answer.field("content-length"), Some("300000"));
    assert_eq!(upstream.accepted(), 1, "one connection carries all of it");
}

#[test]
fn small_answers_of_the_gate_keep_a_length() {
    let gate = compressing(&Upstream::ok(), "{encodings: gzip, level: {gzip: 9}}");
    let answer = ask(&mut gate.connect(), "/fixed", "zstd, gzip");
    assert_eq!(answer.field("content-encoding"), Some("gzip"));
    assert_eq!(answer.field("content-length"), Some(&*answer.body.len().to_string()));
    assert_eq!(decoded(&answer.body, "gzip"), text(3000).as_bytes());
}

#[test]
fn a_route_can_be_left_out() {
    let upstream = texts(5000);
    let gate = compressing(&upstream, "true");
    let answer = ask(&mut gate.connect(), "/plain/secret", "gzip");
    assert_eq!(answer.field("content-encoding"), None);
    assert_eq!(answer.field("vary"), None);
    assert_eq!(answer.text(), text(5000));
}

#[test]
fn head_tells_what_get_would_send() {
    let upstream = texts(5000);
    let gate = compressing(&upstream, "true");
    let mut client = gate.connect();
    let head = client.ask("HEAD", "/", &[("Accept-Encoding", "br")], "");
    let get = ask(&mut client, "/", "br");
    for name in ["content-encoding", "vary", "etag", "content-type", "accept-ranges"] {
        assert_eq!(head.field(name), get.field(name), "{name}");
    }
    assert_eq!(head.field("content-length"), None);
    assert_eq!(head.field("transfer-encoding"), None);
}

#[test]
fn a_tag_that_was_given_out_is_known_again() {
    let upstream = texts(5000);
    let gate = compressing(&upstream, "true");
    let mut client = gate.connect();
    let answer = ask(&mut client, "/", "gzip");
    let tag = answer.field("etag").unwrap().to_owned();
    let again = |client: &mut Client, encoding: &str| {
        client.ask(
            "GET",
            "/",
            &[("Accept-Encoding", encoding), ("If-None-Match", &tag)],
            "",
        )
    };
    let unchanged = again(&mut client, "gzip");
    assert_eq!((unchanged.status, unchanged.field("etag")), (304, Some(&*tag)));
    assert_eq!(unchanged.field("vary"), Some("Accept-Encoding"));
    // Who can't take the form that it has must get another one.
    assert_eq!(again(&mut client, "br").status, 200);
}

#[test]
fn events_arrive_when_they_happen() {
    for encoding in ["zstd", "br", "gzip"] {
        let upstream = Upstream::playing(|peer: &mut Peer| {
            peer.head().unwrap();
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
            peer.send("9\r\ndata: 1\n\n\r\n");
            // The second one comes only after the client has told that it has read the first one.
            assert_eq!(peer.take(4).as_deref(), Some(&b"read"[..]));
            peer.send("9\r\ndata: 2\n\n\r\n0\r\n\r\n");
        });
        let gate = compressing(&upstream, "true");
        let mut client = gate.connect();
        client.send(format!(
            "POST /events HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {encoding}\r\nContent-Length: 4\r\n\r\n"
        ));
        let mut head = String::new();
        loop {
            let line = client.line().unwrap();
            if line.is_empty() {
                break;
            }
            head.push_str(&line.to_ascii_lowercase());
        }
        assert!(head.contains(&format!("content-encoding: {encoding}")), "{head}");
        let mut content = Vec::new();
        while begun(&content, encoding) != b"data: 1\n\n" {
            content.extend(chunk(&mut client).expect("the first event is held back"));
        }
        client.send("read");
        while let Some(more) = chunk(&mut client) {
            content.extend(more);
        }
        assert_eq!(decoded(&content, encoding), b"data: 1\n\ndata: 2\n\n");
    }
}

/// What can be decoded so far.
fn begun(content: &[u8], encoding: &str) -> Vec<u8> {
    let mut decoder: Box<dyn Read + '_> = match encoding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(content)),
        "br" => Box::new(brotli::Decompressor::new(content, 4096)),
        _ => Box::new(zstd::stream::read::Decoder::new(content).unwrap()),
    };
    let mut out = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = decoder.read(&mut piece) {
        out.extend_from_slice(&piece[..length]);
    }
    out
}

/// The next chunk; none at the end.
fn chunk(client: &mut Client) -> Option<Vec<u8>> {
    let line = client.line().unwrap();
    let size = usize::from_str_radix(&line, 16).unwrap();
    let chunk = client.take(size).unwrap();
    assert_eq!(client.line().unwrap(), "");
    (size > 0).then_some(chunk)
}

#[test]
fn what_is_encoded_already_passes_as_it_is() {
    let upstream = Upstream::answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Encoding: br\r\nETag: \"a\"\r\n\
         Content-Length: 2000\r\n\r\n{}",
        text(2000)
    ));
    let gate = compressing(&upstream, "true");
    let answer = ask(&mut gate.connect(), "/", "br, gzip");
    assert_eq!(answer.field("content-encoding"), Some("br"));
    assert_eq!(answer.field("etag"), Some("\"a\""));
    assert_eq!(answer.text(), text(2000));
}

#[test]
fn an_answer_that_breaks_off_does_not_seem_whole() {
    let upstream = Upstream::playing(|peer| {
        peer.request().unwrap();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Length: 9000\r\n\r\n";
        peer.send([head, &text(5000)].concat());
    });
    let gate = compressing(&upstream, "true");
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    assert!(client.try_answer(false).is_err(), "the last chunk must not come");
}

#[test]
fn a_long_answer_keeps_nobody_waiting() {
    // Both go by one worker; while the long one is compressed and read, the short ones are answered.
    let upstream = texts(16 * 1024 * 1024);
    let configuration = format!(
        "workers: 1\nlisteners: [127.0.0.1:0]\nservices: {{up: \"http://{}\"}}\n\
         policies:\n  small: {{compress: {{encodings: br}}}}\neverywhere: [small]\nroutes:\n  \
         - {{path: /short, to: {{respond: ok}}}}\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    );
    let gate = Gate::start(&configuration);
    let address = gate.address();
    let (ended, end) = std::sync::mpsc::channel();
    let long = std::thread::spawn(move || {
        let answer = ask(&mut Client::connect(address), "/long", "br");
        ended.send(()).unwrap();
        answer.body.len()
    });
    let mut client = gate.connect();
    let mut answered = 0;
    while end.try_recv().is_err() {
        assert_eq!(client.get("/short").status, 200);
        answered += 1;
    }
    assert!(long.join().unwrap() > 0);
    // 16 MiB are 512 slices; a worker that never lets others go first would have answered a handful.
    assert!(answered > 50, "{answered} short answers meanwhile");
}
