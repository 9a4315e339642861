//! TLS by certificates from files, chosen by the name that the client asks for.

use super::folder::Folder;
use super::gate::{Gate, eventually, refused};
use super::secure::Identity;
use super::upstream::Upstream;

fn two_names(folder: &Folder) -> (Identity, Identity) {
    (
        Identity::make(folder, "first", &["first.test"]),
        Identity::make(folder, "second", &["second.test", "*.wild.test"]),
    )
}

fn configuration(upstream: &Upstream) -> String {
    format!(
        "listeners:\n  - bind: 127.0.0.1:0\n    tls:\n      certificates:\n        - {{cert: first.pem, key: first.key}}\n\
         \x20       - {{cert: second.pem, key: second.key}}\n  - bind: 127.0.0.1:0\n    tls:\n      min_version: \"1.3\"\n\
         \x20     certificates: [{{cert: first.pem, key: first.key}}]\n\
         services: {{up: \"http://{}\"}}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    )
}

#[test]
fn the_name_chooses_the_certificate() {
    let upstream = Upstream::echo();
    let folder = Folder::new();
    let (first, second) = two_names(&folder);
    let gate = Gate::start_in(folder, &configuration(&upstream));
    for (identity, name) in [
        (&first, "first.test"),
        (&second, "second.test"),
        (&second, "a.wild.test"),
    ] {
        let mut client = identity.connect(gate.address(), name).unwrap();
        let seen = client.ask("GET", "/x", &[("Host", name)], "").json();
        assert_eq!(seen["line"], "GET /x HTTP/1.1");
    }
    assert!(
        second.connect(gate.address(), "first.test").is_err(),
        "the wrong certificate came"
    );
    assert_eq!(upstream.last().field("x-forwarded-proto"), Some("https"));
}

#[test]
fn tls_1_2_and_1_3_are_spoken_unless_the_file_says_otherwise() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let (first, _) = two_names(&folder);
    let gate = Gate::start_in(folder, &configuration(&upstream));
    let old = [&rustls::version::TLS12];
    let new = [&rustls::version::TLS13];
    for versions in [&old, &new] {
        let mut client = first.connect_with(gate.address(), "first.test", versions).unwrap();
        assert_eq!(client.ask("GET", "/", &[("Host", "first.test")], "").status, 200);
    }
    assert!(first.connect_with(gate.listener(1), "first.test", &old).is_err());
    assert!(first.connect_with(gate.listener(1), "first.test", &new).is_ok());
}

#[test]
fn large_bodies_go_through_tls_both_ways() {
    let upstream = Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            peer.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                request.body.len()
            ));
            peer.send(request.body);
        }
    });
    let folder = Folder::new();
    let (first, _) = two_names(&folder);
    let gate = Gate::start_in(folder, &configuration(&upstream));
    let mut client = first.connect(gate.address(), "first.test").unwrap();
    let body: Vec<u8> = (0..300_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    for _ in 0..3 {
        let answer = client.ask("POST", "/", &[("Host", "first.test")], &body);
        assert!(answer.body == body);
    }
}

#[test]
fn cleartext_on_a_tls_listener_ends_the_connection() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    two_names(&folder);
    let gate = Gate::start_in(folder, &configuration(&upstream));
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let _ = client.rest();
    assert_eq!(upstream.accepted(), 0);
}

#[test]
fn a_handshake_that_stalls_is_cut_off() {
    let folder = Folder::new();
    two_names(&folder);
    let gate = Gate::start_in(
        folder,
        "listeners:\n  - bind: 127.0.0.1:0\n    timeouts: {head: 300ms}\n\
         \x20   tls: {certificates: [{cert: first.pem, key: first.key}]}\n\
         routes:\n  - {path: /**, to: {respond: hello}}\n",
    );
    gate.connect().assert_closed();
}

#[test]
fn a_reload_brings_the_new_certificate() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let (first, _) = two_names(&folder);
    let gate = Gate::start_in(folder, &configuration(&upstream));
    assert!(first.connect(gate.address(), "first.test").is_ok());
    let renewed = Identity::make(&gate.folder, "first", &["first.test"]);
    assert!(renewed.connect(gate.address(), "first.test").is_err());
    gate.signal("HUP");
    eventually("the new certificate", || {
        renewed.connect(gate.address(), "first.test").is_ok()
    });
}

#[test]
fn a_certificate_that_cant_be_read_is_named_before_anything_listens() {
    let folder = Folder::new();
    two_names(&folder);
    let with = |cert: &str, key: &str| {
        format!(
            "listeners:\n  - bind: 127.0.0.1:0\n    tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}\n\
             routes:\n  - {{path: /**, to: {{respond: hello}}}}\n"
        )
    };
    folder.write("empty.pem", "");
    for (cert, key, named) in [
        ("missing.pem", "first.key", "missing.pem"),
        ("first.pem", "missing.key", "missing.key"),
        ("empty.pem", "first.key", "empty.pem"),
        ("first.pem", "second.key", "second.key"),
    ] {
        let (said, code) = refused(&folder, &with(cert, key));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(named), "{said}");
        assert!(!said.contains("listening"), "{said}");
    }
}
