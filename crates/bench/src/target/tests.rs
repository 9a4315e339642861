#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::TcpListener;

use super::*;

fn location(url: &str) -> Location {
    Location::parse(url).unwrap()
}

#[test]
fn a_url_is_taken_apart() {
    for (url, name, authority, path) in [
        ("http://a.test", "http://a.test", "a.test", "/"),
        ("http://A.test:80/x?y=1#z", "http://a.test", "a.test", "/x?y=1"),
        ("https://a.test:8443/", "https://a.test:8443", "a.test:8443", "/"),
        ("http://a.test:443/", "http://a.test:443", "a.test:443", "/"),
        ("http://[::1]:8080/a", "http://[::1]:8080", "[::1]:8080", "/a"),
        ("https://[::1]", "https://[::1]", "[::1]", "/"),
        ("http://a.test:/", "http://a.test", "a.test", "/"),
    ] {
        let location = location(url);
        let told = (location.name(), location.authority(), location.path.as_str());
        assert_eq!(told, (name.to_owned(), authority.to_owned(), path), "{url}");
    }
}

#[test]
fn credentials_are_refused_without_being_told() {
    for url in [
        "http://me:secret@a.test/",
        "ftp://me:secret@a.test/",
        "me:secret@a.test",
    ] {
        let refused = Location::parse(url).unwrap_err().0;
        assert!(refused.contains("a.test") && !refused.contains("secret"), "{refused}");
    }
}

#[test]
fn what_is_no_url_is_refused() {
    for (url, why) in [
        ("a.test:8080/x", "neither http://"),
        ("ftp://a.test/", "neither http://"),
        ("http:///x", ""),
        ("http://a.test:0/", "port 0"),
        ("http://a.test:99999/", ""),
        ("http://a.test:8x/", ""),
        ("http://a b/", ""),
        ("", "neither http://"),
    ] {
        let refused = Location::parse(url).expect_err(url).0;
        assert!(refused.contains(why), "{url}: {refused}");
    }
}

#[test]
fn a_name_has_all_its_addresses() {
    let target = Target::of("http://localhost:81", Protocol::Http1, &tls::Settings::default()).unwrap();
    assert!(
        target
            .addresses
            .iter()
            .all(|address| address.ip().is_loopback() && address.port() == 81)
    );
    assert!(!target.addresses.is_empty());
    let target = Target::of("http://[::1]:81", Protocol::Http2, &tls::Settings::default()).unwrap();
    assert_eq!(target.addresses, [(Ipv6Addr::LOCALHOST, 81).into()]);
    assert!(target.tls.is_none());
}

#[test]
fn http3_is_encrypted() {
    let unverified = tls::Settings {
        unverified: true,
        ..tls::Settings::default()
    };
    let refused = Target::of("http://127.0.0.1", Protocol::Http3, &unverified).unwrap_err();
    assert!(refused.0.contains("https://"), "{refused}");
    let old = tls::Settings {
        versions: tls::Versions::Tls12,
        ..unverified.clone()
    };
    assert_eq!(
        Target::of("https://127.0.0.1", Protocol::Http3, &old).unwrap_err().0,
        "HTTP/3 needs TLS 1.3"
    );
    assert!(
        Target::of("https://127.0.0.1", Protocol::Http3, &unverified)
            .unwrap()
            .tls
            .is_some()
    );
}

#[test]
fn only_addresses_where_somebody_listens_are_kept() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let quic = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let deaf: SocketAddr = {
        // Its port is free again when it is dropped, and nobody else is given it at once.
        let gone = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 9), 0)).unwrap();
        gone.local_addr().unwrap()
    };
    for (protocol, open) in [
        (Protocol::Http1, listener.local_addr().unwrap()),
        (Protocol::Http3, quic.local_addr().unwrap()),
    ] {
        let target = |addresses: Vec<SocketAddr>| Target {
            name: "http://a.test".to_owned(),
            authority: "a.test".to_owned(),
            addresses,
            protocol,
            tls: None,
        };
        let patience = Duration::from_secs(5);
        let kept = target(vec![deaf, open]).reachable(patience).unwrap().addresses;
        assert_eq!(kept, [open], "{protocol:?}");
        let refused = target(vec![deaf]).reachable(patience).unwrap_err().0;
        assert!(
            refused.contains("http://a.test can't be reached at 127.0.0.9"),
            "{refused}"
        );
    }
}
