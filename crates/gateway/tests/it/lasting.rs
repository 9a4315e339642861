//! What lasts goes on over reloads with what it began with, and not for ever.

use bytes::Bytes;
use h2::Reason;

use super::client::Client;
use super::folder::Folder;
use super::gate::{Gate, eventually, forward_all};
use super::http2_client::{Http2Client, request, run};
use super::http3_client::Quic;
use super::secure::Identity;
use super::upstream::{Peer, Upstream};

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const ENDED: &str = "portcullis_requests_retired_total";

/// A configuration that forwards nothing any more.
fn without_upstream(more: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nroutes:\n  - {{path: /**, to: {{respond: new}}}}\n{more}\n"
    )
}

fn reload(gate: &Gate, configuration: &str) {
    gate.rewrite(configuration);
    let answer = Client::connect(gate.admin()).ask("POST", "/reload", &[("Host", "localhost")], "");
    assert_eq!(answer.status, 200, "{answer}");
}

/// Replaces what the lasting requests began with, and sees that new ones don't.
fn replace(gate: &Gate) {
    reload(gate, &without_upstream(""));
    assert_eq!(gate.get("/").text(), "new");
}

/// Lets nothing go on that began before.
fn end_all(gate: &Gate) {
    reload(gate, &without_upstream("max_age: 200ms"));
}

/// Sends back every five bytes of a tunnel.
fn chat(peer: &mut Peer) {
    peer.head();
    peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    while let Some(message) = peer.take(5) {
        peer.send(message);
    }
}

/// Answers with a stream of events, one for each that the test lets go.
fn events() -> (Upstream, std::sync::mpsc::Sender<&'static str>) {
    let (next, events) = std::sync::mpsc::channel::<&str>();
    let events = std::sync::Mutex::new(events);
    let upstream = Upstream::playing(move |peer| {
        if peer.request().is_none() {
            return;
        }
        peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        while let Ok(event) = events.lock().unwrap().recv() {
            if !peer.sent(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()) {
                return;
            }
        }
    });
    (upstream, next)
}

#[test]
fn a_websocket_goes_on_until_it_is_too_old() {
    let upstream = Upstream::playing(chat);
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send(HANDSHAKE);
    assert_eq!(client.answer().status, 101);
    replace(&gate);
    client.send("after");
    assert_eq!(client.take(5).unwrap(), b"after");
    end_all(&gate);
    client.assert_closed();
    eventually("the end of the upstream's side", || upstream.open() == 0);
    eventually("the count", || gate.metric(ENDED) >= 1.0);
    gate.await_log("configuration_retired");
}

#[test]
fn a_stream_of_events_goes_on_and_is_not_ended_as_if_it_were_whole() {
    let (upstream, next) = events();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    next.send("one").unwrap();
    client.until("one\r\n");
    replace(&gate);
    next.send("two").unwrap();
    client.until("two\r\n");
    end_all(&gate);
    let rest = client.rest().unwrap();
    assert_eq!(String::from_utf8_lossy(&rest), "", "no last chunk may follow");
    eventually("the count", || gate.metric(ENDED) >= 1.0);
}

#[test]
fn a_stream_of_http2_goes_on_and_is_reset_and_its_connection_stays() {
    let (upstream, next) = events();
    let gate = Gate::before(upstream.address());
    run(async {
        let client = Http2Client::connect(gate.address()).await;
        // What the client sends has no end either, as of a call of gRPC with streams both ways.
        let (response, mut sending) = client.start(request("POST", "/call"), false).await;
        sending.send_data(Bytes::from_static(b"0\r\n\r\n"), true).unwrap();
        next.send("one").unwrap();
        let mut content = response.await.unwrap().into_body();
        assert_eq!(content.data().await.unwrap().unwrap(), "one");
        replace(&gate);
        next.send("two").unwrap();
        assert_eq!(content.data().await.unwrap().unwrap(), "two");
        end_all(&gate);
        let error = content.data().await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
        let answer = client.ask(request("GET", "/")).await;
        assert_eq!(answer.text(), "new");
    });
}

#[test]
fn a_stream_of_http3_goes_on_and_is_reset() {
    let (upstream, next) = events();
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &["gate.test"]);
    let secure = |configuration: String| {
        configuration.replacen(
            "127.0.0.1:0",
            "{bind: '127.0.0.1:0', tls: {certificates: [{cert: gate.pem, key: gate.key}]}}",
            1,
        )
    };
    let forwarding = forward_all(upstream.address(), "").replace("\n  - bind: 127.0.0.1:0", " [127.0.0.1:0]");
    let gate = Gate::start_in(folder, &secure(forwarding));
    let quic = Quic::new(&identity.visitor().remember());
    let mut client = quic.connect(gate.address());
    let mut events = client.begin("GET", "/events", &[]);
    events.finish();
    next.send("one").unwrap();
    events.head().unwrap();
    assert_eq!(events.some().unwrap().unwrap(), b"one");
    reload(&gate, &secure(without_upstream("")));
    assert_eq!(client.get("/").text(), "new");
    next.send("two").unwrap();
    assert_eq!(events.some().unwrap().unwrap(), b"two");
    reload(&gate, &secure(without_upstream("max_age: 200ms")));
    // RFC 9114 §8.1: H3_INTERNAL_ERROR
    assert_eq!(events.broken_off(), 0x102);
}

#[test]
fn an_upload_goes_on_and_is_answered_that_it_is_over() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let (mut whole, mut endless) = (gate.connect(), gate.connect());
    whole.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    endless.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhello");
    eventually("both at the upstream", || upstream.accepted() == 2);
    replace(&gate);
    whole.send("world");
    assert_eq!(whole.answer().json()["body"], "helloworld");
    endless.send("world");
    end_all(&gate);
    endless.answer().assert_problem(503, "configuration_retired");
    endless.assert_closed();
}

#[test]
fn a_request_that_waits_for_its_answer_is_ended_too() {
    let upstream = Upstream::playing(|peer| {
        peer.request();
        peer.rest();
    });
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    client.send("GET /poll HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the upstream", || upstream.open() == 1);
    end_all(&gate);
    client.answer().assert_problem(503, "configuration_retired");
    eventually("the end of the upstream's side", || upstream.open() == 0);
}
