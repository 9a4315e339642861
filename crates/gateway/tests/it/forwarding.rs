//! What goes on to an upstream and back to a client: end-to-end fields, and the truth about who asks.

use super::gate::Gate;
use super::upstream::Upstream;

fn trusting(upstream: &Upstream, networks: &str) -> Gate {
    Gate::start(&format!(
        "listeners:\n  - {{bind: 127.0.0.1:0, trusted_proxies: {networks}}}\n\
         services: {{up: \"http://{}\"}}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    ))
}

#[test]
fn hop_by_hop_fields_of_a_request_stay_here() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let fields = [
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "gzip"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic eDp5"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
        ("X-End", "1"),
    ];
    assert_eq!(gate.connect().ask("GET", "/", &fields, "").status, 200);
    let received = upstream.last();
    for (name, _) in &fields[1..8] {
        assert_eq!(received.field(name), None, "{name} went on");
    }
    assert_eq!(received.field("x-end"), Some("1"));
}

#[test]
fn connection_cant_take_end_to_end_fields_along() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let fields = [
        (
            "Connection",
            "close, X-Forwarded-For, Host, Authorization, Cookie, Content-Length",
        ),
        ("Authorization", "Bearer abc"),
        ("Cookie", "a=b"),
    ];
    assert_eq!(gate.connect().ask("POST", "/", &fields, "hello").status, 200);
    let received = upstream.last();
    assert_eq!(received.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(received.field("authorization"), Some("Bearer abc"));
    assert_eq!(received.field("cookie"), Some("a=b"));
    assert_eq!(received.field("host"), Some("gate.test"));
    assert_eq!(received.body, b"hello");
}

#[test]
fn hop_by_hop_fields_of_a_response_stay_here() {
    let upstream = Upstream::answering(
        "HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authenticate: Basic\r\nX-End: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\nok",
    );
    let gate = Gate::before(upstream.address());
    let answer = gate.get("/");
    for name in ["x-hop", "keep-alive", "proxy-authenticate", "connection"] {
        assert_eq!(answer.field(name), None, "{name} went on");
    }
    assert_eq!(answer.field("x-end"), Some("1"));
    assert_eq!(answer.fields("set-cookie").collect::<Vec<_>>(), ["a=b", "c=d"]);
}

#[test]
fn an_untrusted_clients_word_about_itself_is_replaced() {
    let upstream = Upstream::ok();
    let gate = trusting(&upstream, "[]");
    let fields = [
        ("X-Forwarded-For", "9.9.9.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.test"),
        ("Forwarded", "for=9.9.9.9;proto=https"),
        ("X-Real-IP", "9.9.9.9"),
        ("X-Request-Id", "mine"),
    ];
    let answer = gate.connect().ask("GET", "/", &fields, "");
    let received = upstream.last();
    assert_eq!(received.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(received.field("x-forwarded-proto"), Some("http"));
    assert_eq!(received.field("x-forwarded-host"), Some("gate.test"));
    assert!(!received.fields("forwarded").any(|value| value.contains("9.9.9.9")));
    assert_ne!(received.field("x-request-id"), Some("mine"));
    assert_eq!(answer.field("x-request-id"), received.field("x-request-id"));
}

#[test]
fn a_trusted_proxys_word_is_kept_and_added_to() {
    let upstream = Upstream::ok();
    let gate = trusting(&upstream, "[127.0.0.0/8]");
    let fields = [
        ("X-Forwarded-For", "9.9.9.9, 127.0.0.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.test"),
        ("X-Request-Id", "from-the-edge-1"),
    ];
    let answer = gate.connect().ask("GET", "/", &fields, "");
    let received = upstream.last();
    let chain: Vec<&str> = received
        .fields("x-forwarded-for")
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    assert_eq!(chain, ["9.9.9.9", "127.0.0.7", "127.0.0.1"]);
    assert_eq!(received.field("x-forwarded-proto"), Some("https"));
    assert_eq!(received.field("x-forwarded-host"), Some("shop.test"));
    assert_eq!(received.field("x-request-id"), Some("from-the-edge-1"));
    assert_eq!(answer.field("x-request-id"), Some("from-the-edge-1"));
}

#[test]
fn the_clients_address_is_the_last_that_isnt_a_trusted_proxy() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&format!(
        "listeners:\n  - {{bind: 127.0.0.1:0, trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]}}\n\
         services: {{up: \"http://{}\"}}\npolicies: {{tell: {{headers: {{request: {{set: {{X-Client: \"{{client_ip}}\"}}}}}}}}}}\n\
         routes:\n  - {{path: /**, policies: [tell], to: {{service: up}}}}\n",
        upstream.address()
    ));
    for (chain, client) in [
        ("1.1.1.1, 9.9.9.9, 10.0.0.1", "9.9.9.9"),
        ("9.9.9.9", "9.9.9.9"),
        ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ("9.9.9.9, garbage, 10.0.0.1", "10.0.0.1"),
    ] {
        assert_eq!(
            gate.connect().ask("GET", "/", &[("X-Forwarded-For", chain)], "").status,
            200
        );
        assert_eq!(upstream.last().field("x-client"), Some(client), "{chain}");
    }
}

#[test]
fn every_request_has_a_name_of_its_own() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    let mut names: Vec<String> = (0..50)
        .map(|_| client.get("/").field("x-request-id").expect("a request id").to_owned())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 50);
}

#[test]
fn via_names_the_protocol_on_the_way_there() {
    // RFC 9110 §7.6.3: a gateway must add itself to what it forwards towards the upstream.
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    gate.connect().ask("GET", "/", &[("Via", "1.0 edge")], "");
    let received = upstream.last();
    let hops: Vec<&str> = received.fields("via").flat_map(|value| value.split(", ")).collect();
    assert_eq!(hops.len(), 2, "{hops:?}");
    assert_eq!(hops[0], "1.0 edge");
    assert!(hops[1].starts_with("1.1 "), "{hops:?}");
}

#[test]
fn the_host_is_the_clients_or_the_targets_as_the_file_says() {
    let upstream = Upstream::ok();
    let address = upstream.address();
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices:\n  kept: http://{address}\n\
         \x20 own: {{targets: [\"http://{address}\"], host: target}}\n\
         routes:\n  - {{path: /kept, to: {{service: kept}}}}\n  - {{path: /own, to: {{service: own}}}}\n"
    ));
    let mut client = gate.connect();
    client.ask("GET", "/kept", &[("Host", "shop.test")], "");
    assert_eq!(upstream.last().field("host"), Some("shop.test"));
    client.ask("GET", "/own", &[("Host", "shop.test")], "");
    assert_eq!(upstream.last().field("host"), Some(address.to_string().as_str()));
}

#[test]
fn fields_keep_their_order_and_their_bytes() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    gate.connect().ask(
        "GET",
        "/",
        &[("X-B", "1"), ("x-a", "two  words"), ("X-B", "3"), ("X-Empty", "")],
        "",
    );
    let received = upstream.last();
    let own: Vec<(&str, &str)> = received
        .fields
        .iter()
        .filter(|(name, _)| ["x-a", "x-b", "x-empty"].contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        own,
        [("x-b", "1"), ("x-a", "two  words"), ("x-b", "3"), ("x-empty", "")]
    );
}

#[test]
fn a_response_gets_a_date_when_it_has_none() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    assert!(gate.get("/").field("date").is_some());
}

#[test]
fn nobody_but_the_gate_names_a_consumer_or_shows_a_certificate() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let fields = [
        ("X-Consumer", "admin"),
        ("X_Consumer", "admin"),
        ("x_forwarded_for", "9.9.9.9"),
        ("Content_Length", "3"),
        ("Client-Cert", ":AAAA:"),
        ("client_cert", ":AAAA:"),
        ("my_own", "stays"),
    ];
    assert_eq!(gate.connect().ask("GET", "/", &fields, "").status, 200);
    let received = upstream.last();
    for (name, _) in &fields[..6] {
        assert_eq!(received.field(name), None, "{name} went on");
    }
    assert_eq!(received.field("my_own"), Some("stays"));

    let mut client = gate.connect();
    client.send(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
         1\r\nx\r\n0\r\nX-Consumer: admin\r\nX-Request-Id: mine\r\nClient-Cert: :AAAA:\r\nX-Sum: 7\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    assert_eq!(upstream.last().trailers, [("x-sum".to_owned(), "7".to_owned())]);
}
