//! What services that speak HTTP/2 do wrong, and how they leave: refusals, resets, GOAWAY, breaks and silence.

use std::sync::Arc;

use h2::Reason;
use h2::server::Builder;
use http::Response;
use tokio::sync::Notify;

use super::gate::eventually;
use super::http2_peer::{Call, Http2Upstream};
use super::http2_upstream::gate_before;
use super::upstream::{Peer, Upstream};

#[test]
fn a_refused_request_is_sent_again_whatever_it_is() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        if call.number == 0 {
            call.piece().await;
            call.answer.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        let (content, _) = call.all().await;
        call.whole(content);
    });
    let gate = gate_before(upstream.address(), "");
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    eventually("the second attempt", || upstream.requests().len() == 2);
    client.send("4\r\n you\r\n0\r\n\r\n");
    assert_eq!(client.answer().text(), "hello you");
}

#[test]
fn a_server_that_always_refuses_is_asked_three_times() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        call.answer.send_reset(Reason::REFUSED_STREAM);
    });
    let gate = gate_before(upstream.address(), "");
    let answer = gate.get("/");
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["code"], "upstream_closed");
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn a_reset_is_a_reason_to_send_again_where_that_does_no_harm() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        call.answer.send_reset(Reason::INTERNAL_ERROR);
    });
    let gate = gate_before(upstream.address(), "");
    let answer = gate.connect().ask("POST", "/", &[], "once");
    answer.assert_problem(502, "upstream_closed");
    assert_eq!(upstream.requests().len(), 1);
    gate.get("/").assert_problem(502, "upstream_closed");
    assert_eq!(upstream.requests().len(), 4);
}

#[test]
fn a_reset_after_the_head_breaks_the_answer_off() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        let mut stream = call.begin(Response::new(()));
        stream.send_data("half".into(), false).unwrap();
        // The reset would overtake the data: it waits until the client has asked for what comes behind it.
        call.piece().await;
        stream.send_reset(Reason::INTERNAL_ERROR);
    });
    let gate = gate_before(upstream.address(), "");
    let mut client = gate.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    client.until("half");
    client.send("go");
    let rest = client.rest().unwrap_or_default();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
}

/// A server that says GOAWAY to its first connection once the first request has come, and finishes what it took.
fn going_away() -> (Http2Upstream, Arc<Notify>) {
    let go = Arc::new(Notify::new());
    let finish = go.clone();
    let upstream = Http2Upstream::playing(Builder::new(), move |mut connection, number, seen| {
        let finish = finish.clone();
        async move {
            while let Some(Ok((request, answer))) = connection.accept().await {
                let mut call = Call::of(request, answer, &seen);
                if number == 0 {
                    connection.graceful_shutdown();
                }
                let finish = finish.clone();
                tokio::task::spawn_local(async move {
                    if number == 0 {
                        finish.notified().await;
                    }
                    call.whole(format!("connection {number}"));
                });
            }
        }
    });
    (upstream, go)
}

#[test]
fn after_goaway_requests_go_elsewhere_and_those_under_way_finish() {
    let (upstream, go) = going_away();
    let gate = gate_before(upstream.address(), "");
    let mut first = gate.connect();
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the first request", || upstream.in_progress() == 1);
    // The announcement is on its way while these are sent: whichever connection they take, they are answered.
    eventually("a second connection", || {
        let mut client = gate.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        upstream.accepted() == 2
    });
    assert_eq!(gate.get("/").text(), "connection 1");
    go.notify_one();
    go.notify_waiters();
    assert_eq!(first.answer().text(), "connection 0");
    eventually("the end of the first connection", || upstream.open() == 1);
}

/// The next frame, as its kind and stream; none at the end.
fn next_frame(peer: &mut Peer) -> Option<(u8, u32)> {
    let head = peer.take(9)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    peer.take(length as usize)?;
    Some((head[3], u32::from_be_bytes(head[5..9].try_into().unwrap())))
}

#[test]
fn requests_beyond_the_last_one_of_a_goaway_are_sent_again() {
    const HEADERS: u8 = 1;
    // Frames as they stand in RFC 9113 §4.1: length, type, flags, stream, content.
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let begun_with_none = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let ok = [0, 0, 1, HEADERS, 5, 0, 0, 0, 1, 0x88];
    let upstream = Upstream::playing(move |peer| {
        assert_eq!(peer.take(24).unwrap(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        peer.send(settings);
        while let Some((kind, _)) = next_frame(peer) {
            if kind == HEADERS && peer.number == 0 {
                peer.send(begun_with_none);
                return;
            } else if kind == HEADERS {
                peer.send(ok);
            }
        }
    });
    let gate = gate_before(upstream.address(), "");
    assert_eq!(gate.connect().ask("POST", "/", &[], "hello").status, 200);
    assert_eq!(upstream.accepted(), 2);
}

#[test]
fn a_connection_that_breaks_fails_its_requests() {
    let upstream = Http2Upstream::playing(Builder::new(), |mut connection, _, seen| async move {
        let Some(Ok((request, answer))) = connection.accept().await else {
            return;
        };
        let call = Call::of(request, answer, &seen);
        // Both go at once, without a word.
        drop(connection);
        drop(call);
    });
    let gate = gate_before(upstream.address(), "");
    let answer = gate.connect().ask("POST", "/", &[], "hello");
    assert_eq!(answer.json()["code"], "upstream_closed");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_kept_connection_that_ended_is_replaced_for_a_get() {
    let upstream = Http2Upstream::playing(Builder::new(), |mut connection, number, seen| async move {
        while let Some(Ok((request, answer))) = connection.accept().await {
            let mut call = Call::of(request, answer, &seen);
            if number == 0 && call.number > 0 {
                return;
            }
            call.whole(format!("connection {number}"));
        }
    });
    let gate = gate_before(upstream.address(), "");
    assert_eq!(gate.get("/").text(), "connection 0");
    assert_eq!(gate.get("/").text(), "connection 1");
}

#[test]
fn a_server_that_does_not_answer_is_too_late() {
    let upstream = Http2Upstream::answering(|mut call| async move {
        call.abandoned().await;
    });
    let gate = gate_before(upstream.address(), ", timeout: {first_byte: 100ms}");
    let answer = gate.get("/");
    assert_eq!(answer.status, 504);
    assert_eq!(answer.json()["code"], "upstream_timeout");
    eventually("the end of the request", || upstream.in_progress() == 0);
}

#[test]
fn a_server_that_greets_with_nothing_is_too_late() {
    let upstream = Upstream::playing(|peer| drop(peer.rest()));
    let gate = gate_before(upstream.address(), ", timeout: {connect: 200ms}");
    let answer = gate.get("/");
    assert_eq!(answer.json()["code"], "upstream_connect_timeout");
}

#[test]
fn a_server_that_speaks_something_else_is_invalid() {
    let upstream = Upstream::playing(|peer| {
        peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        peer.rest();
    });
    let gate = gate_before(upstream.address(), "");
    let answer = gate.get("/");
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["code"], "upstream_invalid");
}
