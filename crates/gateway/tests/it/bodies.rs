//! Bodies pass through whole, in constant memory, and with the framing that the other side understands.

use super::client::Answer;
use super::gate::Gate;
use super::upstream::Upstream;

fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| b"0123456789abcdefghijklmnopqrstuvwxyz\n"[at % 37])
        .collect()
}

#[test]
fn bodies_of_any_size_go_up() {
    let upstream = Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            let same = request.body == pattern(request.body.len());
            peer.answer("200 OK", &format!("{} {same}", request.body.len()));
        }
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for length in [1, 100, 4096, 65_536, 1_000_000, 5_000_000] {
        let answer = client.ask("POST", "/", &[], pattern(length));
        assert_eq!(answer.text(), format!("{length} true"));
    }
}

#[test]
fn chunks_of_any_size_go_up() {
    let upstream = Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            let same = request.body == pattern(request.body.len());
            peer.answer("200 OK", &format!("{} {same}", request.body.len()));
        }
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for (length, piece) in [(1, 1), (1000, 1), (100_000, 4096), (1_000_000, 70_000)] {
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for part in pattern(length).chunks(piece) {
            client.send(format!("{:x}\r\n", part.len()));
            client.send(part);
            client.send("\r\n");
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.answer().text(), format!("{length} true"));
    }
}

#[test]
fn bodies_of_any_size_come_down() {
    let upstream = Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            let length = request.target()[1..].parse().unwrap();
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
            peer.send(pattern(length));
        }
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for length in [0, 1, 1000, 16_384, 70_000, 5_000_000] {
        let answer = client.get(&format!("/{length}"));
        assert_eq!(answer.field("content-length"), Some(length.to_string().as_str()));
        assert!(answer.body == pattern(length), "{length} bytes came changed");
    }
}

#[test]
fn chunks_and_trailers_come_down() {
    let upstream = Upstream::playing(|peer| {
        while peer.request().is_some() {
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
            for part in pattern(200_000).chunks(5000) {
                peer.send(format!("{:x}\r\n", part.len()));
                peer.send(part);
                peer.send("\r\n");
            }
            peer.send("0\r\nX-Sum: 42\r\n\r\n");
        }
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for _ in 0..3 {
        let answer = client.get("/");
        assert!(answer.body == pattern(200_000));
        assert_eq!(answer.trailers, [("x-sum".to_owned(), "42".to_owned())]);
    }
}

#[test]
fn trailers_go_up() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    assert_eq!(upstream.last().trailers, [("x-sum".to_owned(), "7".to_owned())]);
}

#[test]
fn pieces_are_passed_on_as_they_come() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::playing(move |peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        // The second piece follows only when the client has read the first.
        gone.lock().unwrap().recv().unwrap();
        peer.send("3\r\ntwo\r\n0\r\n\r\n");
        peer.rest();
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    while !client.line().unwrap().is_empty() {}
    assert_eq!(client.line().unwrap(), "3");
    assert_eq!(client.take(5).unwrap(), b"one\r\n");
    go.send(()).unwrap();
    assert_eq!(client.line().unwrap(), "3");
    assert_eq!(client.take(5).unwrap(), b"two\r\n");
}

#[test]
fn answers_without_a_body_have_none() {
    let upstream = Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            peer.send(match (request.line.split(' ').next().unwrap(), request.target()) {
                ("HEAD", _) => "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n".to_owned(),
                (_, "/204") => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
                (_, "/304") => "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\n".to_owned(),
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend".to_owned(),
            });
        }
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    let head = client.ask("HEAD", "/", &[], "");
    assert_eq!((head.status, head.field("content-length")), (200, Some("500")));
    let none = client.get("/204");
    assert_eq!(
        (
            none.status,
            none.field("content-length"),
            none.field("transfer-encoding")
        ),
        (204, None, None)
    );
    let same = client.get("/304");
    assert_eq!((same.status, same.field("etag")), (304, Some("\"a\"")));
    assert_eq!(client.get("/").text(), "end", "the connection is still in step");
}

#[test]
fn our_own_answers_to_head_have_no_body() {
    let gate = Gate::start("listeners: [127.0.0.1:0]\nroutes:\n  - {path: /hello, to: {respond: hello}}\n");
    let mut client = gate.connect();
    assert_eq!(client.ask("HEAD", "/hello", &[], "").field("content-length"), Some("5"));
    assert_eq!(client.ask("HEAD", "/nothing", &[], "").status, 404);
    assert_eq!(client.get("/hello").text(), "hello");
}

#[test]
fn expect_is_answered_before_the_body_is_sent() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.try_answer(false).unwrap().status, 100);
    client.send("hello");
    let answer = client.answer();
    assert_eq!(answer.json()["body"], "hello");
}

#[test]
fn expect_with_a_refusal_gets_no_continue() {
    let gate = Gate::start(
        "listeners: [127.0.0.1:0]\npolicies: {small: {limits: {body: 10}}}\n\
         routes:\n  - {path: /**, policies: [small], to: {respond: hello}}\n",
    );
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
    assert_eq!(client.try_answer(false).unwrap().status, 413);
}

#[test]
fn interim_answers_come_through() {
    let upstream = Upstream::playing(|peer| {
        while peer.request().is_some() {
            peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    assert_eq!(client.get("/").text(), "ok");
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let first = client.try_answer(false).unwrap();
    // RFC 9110 §15.2: a proxy passes interim responses on, except for those it asked for itself.
    assert_eq!(
        (first.status, first.field("link")),
        (103, Some("</a.css>; rel=preload"))
    );
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn an_answer_may_come_before_the_body_is_through() {
    let upstream = Upstream::playing(|peer| {
        peer.head();
        peer.send("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
        peer.end();
        peer.rest();
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    client.send(pattern(100_000));
    let answer: Answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
}

#[test]
fn a_body_that_nobody_reads_doesnt_put_the_connection_out_of_step() {
    let gate = Gate::start("listeners: [127.0.0.1:0]\nroutes:\n  - {path: /hello, to: {respond: hello}}\n");
    let mut client = gate.connect();
    let answer = client.ask("POST", "/nothing", &[], pattern(100_000));
    answer.assert_problem(404, "route_not_found");
    if answer.field("connection") == Some("close") {
        client.assert_closed();
    } else {
        assert_eq!(client.get("/hello").text(), "hello");
    }
}

#[test]
fn an_upstream_that_breaks_off_breaks_the_answer_off() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this");
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // The head is out already, so that the only honest end is one that the client notices.
    assert!(client.try_answer(false).is_err());
}

#[test]
fn an_upstream_that_breaks_off_between_chunks_does_so_too() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.try_answer(false).is_err(), "a cut body looked whole");
}
