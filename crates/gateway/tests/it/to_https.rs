//! Leading clients to HTTPS, and keeping them there.

use super::folder::Folder;
use super::gate::Gate;
use super::secure::Identity;

fn gate() -> (Gate, Identity) {
    let folder = Folder::new();
    let identity = Identity::make(&folder, "a", &["a.test"]);
    let configuration = "listeners:\n  - {bind: 127.0.0.1:0, redirect_to_https: 443}\n\
         \x20 - {bind: 127.0.0.1:0, redirect_to_https: 8443, trusted_proxies: [127.0.0.1]}\n\
         \x20 - bind: 127.0.0.1:0\n    tls: {certificates: [{cert: a.pem, key: a.key}], hsts: 365d}\n\
         \x20 - bind: 127.0.0.1:0\n    tls:\n      certificates: [{cert: a.pem, key: a.key}]\n\
         \x20     hsts: {max_age: 730d, include_subdomains: true, preload: true}\n\
         policies: {guard: {api_key: {consumers: [{name: ann, sha256: \
         9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]}}}\n\
         routes:\n  - {path: /**, to: {respond: hello}}\n\
         \x20 - {path: /guarded, policies: [guard], to: {respond: hello}}\n";
    (Gate::start_in(folder, configuration), identity)
}

#[test]
fn every_request_in_clear_text_is_led_to_https() {
    let (gate, _) = gate();
    let mut client = gate.connect();
    let host = [("Host", "a.test:8080")];
    for (method, target) in [("GET", "/x?y=1&z"), ("POST", "/x"), ("GET", "/guarded"), ("HEAD", "/")] {
        let answer = client.ask(method, target, &host, "");
        assert_eq!(answer.status, 308, "{answer}");
        assert_eq!(
            answer.field("location"),
            Some(format!("https://a.test{target}").as_str())
        );
        assert_eq!(answer.field("strict-transport-security"), None);
    }
}

#[test]
fn where_authorities_look_for_a_proof_nothing_is_redirected() {
    let (gate, _) = gate();
    assert_eq!(gate.get("/.well-known/acme-challenge/token").text(), "hello");
    assert_eq!(gate.get("/.well-known/acme-challenge/../x").status, 308);
    assert_eq!(gate.get("/.well-known/acme-challenge").status, 308);
}

#[test]
fn who_came_to_a_trusted_proxy_by_https_is_not_redirected_again() {
    let (gate, _) = gate();
    let ask = |listener: usize, scheme: &str| {
        let mut client = super::client::Client::connect(gate.listener(listener));
        client.ask("GET", "/", &[("Host", "a.test"), ("X-Forwarded-Proto", scheme)], "")
    };
    assert_eq!(ask(1, "https").status, 200);
    assert_eq!(ask(1, "http").field("location"), Some("https://a.test:8443/"));
    assert_eq!(ask(0, "https").status, 308, "nobody is trusted there");
}

#[test]
fn every_answer_over_tls_keeps_browsers_there_and_none_in_clear_text_does() {
    let (gate, identity) = gate();
    let field = |listener: usize, request: &str| {
        let mut client = identity.connect(gate.listener(listener), "a.test").unwrap();
        client.send(request);
        let answer = client.answer();
        answer.field("strict-transport-security").map(str::to_owned)
    };
    let good = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    assert_eq!(field(2, good).as_deref(), Some("max-age=31536000"));
    let whole = "max-age=63072000; includeSubDomains; preload";
    assert_eq!(field(3, good).as_deref(), Some(whole));
    assert_eq!(
        field(3, "GET /guarded HTTP/1.1\r\nHost: a.test\r\n\r\n").as_deref(),
        Some(whole)
    );
    assert_eq!(field(3, "GET / HTTP/9\r\n\r\n").as_deref(), Some(whole));
    assert_eq!(
        gate.get("/.well-known/acme-challenge/x")
            .field("strict-transport-security"),
        None
    );
}
