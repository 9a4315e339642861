//! What a proxy before us says of a connection, ahead of its first byte: from listed networks only, and there always.

use super::gate::{Gate, eventually};
use super::upstream::Upstream;

fn listening_to(upstream: &Upstream, networks: &str, more: &str) -> Gate {
    Gate::start(&format!(
        "listeners:\n  - {{bind: 127.0.0.1:0, proxy_protocol: {networks}{more}}}\nadmin: 127.0.0.1:0\n\
         services: {{up: \"http://{}\"}}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    ))
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: gate.test\r\n\r\n";

/// The client and the port that the upstream is told of, where a connection begins with `header`.
fn told(header: &[u8]) -> (String, String) {
    let upstream = Upstream::ok();
    let gate = listening_to(&upstream, "[127.0.0.0/8]", "");
    let mut client = gate.connect();
    client.send([header, GET].concat());
    assert_eq!(client.answer().status, 200);
    let received = upstream.last();
    let field = |name| received.field(name).unwrap_or_default().to_owned();
    (field("x-forwarded-for"), field("x-forwarded-port"))
}

#[test]
fn a_listed_proxy_says_who_the_client_is() {
    let line = b"PROXY TCP4 192.0.2.7 198.51.100.2 4711 8443\r\n";
    assert_eq!(told(line), ("192.0.2.7".to_owned(), "8443".to_owned()));
    let line = b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n";
    assert_eq!(told(line), ("2001:db8::7".to_owned(), "443".to_owned()));
    let binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x02\x12\x67\x20\xfb";
    assert_eq!(told(binary), ("192.0.2.7".to_owned(), "8443".to_owned()));
}

#[test]
fn a_proxy_may_speak_for_itself() {
    assert_eq!(told(b"PROXY UNKNOWN\r\n").0, "127.0.0.1");
    assert_eq!(told(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").0, "127.0.0.1");
}

#[test]
fn a_header_may_come_in_pieces() {
    let upstream = Upstream::ok();
    let gate = listening_to(&upstream, "[127.0.0.1]", "");
    let mut client = gate.connect();
    for byte in b"PROXY TCP4 192.0.2.7 198.51.100.2 4711 8443\r\n" {
        client.send([*byte]);
    }
    client.send(GET);
    assert_eq!(client.answer().status, 200);
    assert_eq!(upstream.last().field("x-forwarded-for"), Some("192.0.2.7"));
}

#[test]
fn a_listed_proxy_that_says_nothing_is_not_served() {
    let upstream = Upstream::ok();
    let gate = listening_to(&upstream, "[127.0.0.0/8]", "");
    for wrong in [GET, b"PROXY TCP4 192.0.2.7\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x01x"] {
        let mut client = gate.connect();
        client.send(wrong);
        client.assert_closed();
    }
    assert_eq!(upstream.requests().len(), 0);
    eventually("the refusals to be counted", || {
        gate.metric("portcullis_proxy_headers_refused_total") >= 3.0
    });
    gate.await_warning("no header of the PROXY protocol");
}

#[test]
fn a_header_must_come_in_time() {
    let upstream = Upstream::ok();
    let gate = listening_to(&upstream, "[127.0.0.0/8]", ", timeouts: {head: 200ms}");
    let mut client = gate.connect();
    client.send("PROXY TCP4 192.0.2.7 ");
    client.assert_closed();
}

#[test]
fn a_stranger_can_not_pass_for_a_proxy() {
    let upstream = Upstream::ok();
    let gate = listening_to(&upstream, "[10.0.0.0/8]", "");
    let mut client = gate.connect();
    client.send([&b"PROXY TCP4 192.0.2.7 198.51.100.2 4711 8443\r\n"[..], GET].concat());
    client.answer().assert_problem(400, "bad_request");
    assert_eq!(gate.get("/").status, 200);
    assert_eq!(upstream.last().field("x-forwarded-for"), Some("127.0.0.1"));
}

/// An upstream that answers with the first line of the connection, a header of the PROXY protocol.
fn telling_the_line() -> Upstream {
    Upstream::playing(|peer| {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            match peer.take(1) {
                Some(byte) => line.extend(byte),
                None => return,
            }
        }
        while peer.request().is_some() {
            peer.answer("200 OK", std::str::from_utf8(&line).unwrap().trim_end());
        }
    })
}

fn sending_to(upstream: &Upstream, version: &str) -> Gate {
    Gate::start(&format!(
        "listeners:\n  - {{bind: 127.0.0.1:0, trusted_proxies: [127.0.0.1]}}\n\
         services: {{up: {{targets: \"http://{}\", proxy_protocol: {version}}}}}\n\
         routes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    ))
}

#[test]
fn a_service_is_told_who_the_client_is() {
    let upstream = telling_the_line();
    let gate = sending_to(&upstream, "v1");
    let mut client = gate.connect();
    let told = client.get("/").text();
    let port = gate.address().port();
    assert!(
        told.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 ") && told.ends_with(&format!(" {port}")),
        "{told}"
    );
    // Another client's request must not go by a connection that began with the address of the first.
    let answer = client.ask("GET", "/", &[("X-Forwarded-For", "192.0.2.9")], "");
    assert_eq!(answer.text(), format!("PROXY TCP4 192.0.2.9 127.0.0.1 0 {port}"));
    assert_eq!(upstream.accepted(), 2);
}

#[test]
fn a_service_may_be_told_in_binary() {
    let upstream = Upstream::playing(|peer| {
        let header = peer.take(28).unwrap();
        assert!(
            header.starts_with(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01"),
            "{header:?}"
        );
        while peer.request().is_some() {
            peer.answer("200 OK", "binary");
        }
    });
    assert_eq!(sending_to(&upstream, "v2").get("/").text(), "binary");
}
