#![allow(clippy::unwrap_used, reason = "a test may panic")]

use portcullis_core::codes::Code;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::*;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 1024,
    target_bytes: 256,
    fields: 16,
};

fn parts(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn read(method: &str, uri: &str, fields: &[(&str, &str)]) -> Result<RequestHead> {
    request_head(&parts(method, uri, fields), None, &LIMITS)
}

#[track_caller]
fn check_refused(result: Result<RequestHead>, code: &Code) {
    match result {
        Err(error) => assert_eq!(error.code().name, code.name, "{error}"),
        Ok(head) => panic!("{head:?}"),
    }
}

fn fields_of(headers: &Headers) -> Vec<(&str, &str)> {
    headers
        .iter()
        .map(|(name, value)| (name, std::str::from_utf8(value).unwrap()))
        .collect()
}

#[test]
fn a_request_is_read() {
    let fields = [("content-length", "5"), ("x", ""), ("te", "Trailers")];
    let head = read("POST", "https://example.com/a/./b?c=d", &fields).unwrap();
    assert_eq!((&head.method, head.target.as_str()), (&Method::Post, "/a/b?c=d"));
    assert_eq!(head.content_length, Some(5));
    assert!(!head.expect_continue && head.upgrade.is_none());
    assert_eq!(
        fields_of(&head.headers),
        [
            ("host", "example.com"),
            ("content-length", "5"),
            ("x", ""),
            ("te", "Trailers")
        ]
    );
    assert_eq!(head.headers.get_str(Known::Host), Some("example.com"));
}

#[test]
fn the_host_is_named_once_or_twice_alike() {
    let host = |uri, fields: &[_]| {
        read("GET", uri, fields).map(|head| {
            assert_eq!(head.headers.get_all(Known::Host).count(), 1);
            head.headers.get_str(Known::Host).unwrap().to_owned()
        })
    };
    assert_eq!(host("/", &[("host", "a:1")]).unwrap(), "a:1");
    assert_eq!(host("https://a/", &[("host", "A:443")]).unwrap(), "a");
    assert_eq!(host("http://a/", &[("host", "a:80")]).unwrap(), "a");
    for (uri, fields) in [
        ("/", &[][..]),
        ("/", &[("host", "")]),
        ("/", &[("host", "a b")]),
        ("/", &[("host", "u@a")]),
        ("/", &[("host", "a"), ("host", "a")]),
        ("https://u@a/", &[]),
        ("https://a/", &[("host", "b")]),
        ("https://a/", &[("host", "a:80")]),
        ("https://a/", &[("host", "")]),
        ("ftp://a/", &[]),
    ] {
        check_refused(read("GET", uri, fields), &codes::BAD_REQUEST);
    }
}

#[test]
fn an_asterisk_is_for_options_only() {
    let parts = |method| {
        let mut parts = parts(method, "/", &[("host", "a")]);
        parts.uri = http::Uri::from_static("*");
        parts
    };
    let head = request_head(&parts("OPTIONS"), None, &LIMITS).unwrap();
    assert_eq!(head.target, Target::asterisk());
    check_refused(request_head(&parts("GET"), None, &LIMITS), &codes::BAD_TARGET);
}

#[test]
fn targets_have_one_form_and_bad_ones_none() {
    let target = |uri: &str| read("GET", &format!("https://a{uri}"), &[]).map(|head| head.target.to_string());
    assert_eq!(target("//x/%7e?q").unwrap(), "/x/~?q");
    for uri in ["/..", "/%zz", "/%00"] {
        check_refused(read("GET", &format!("https://a{uri}"), &[]), &codes::BAD_TARGET);
    }
}

#[test]
fn what_belongs_to_a_connection_is_refused() {
    for field in [
        ("connection", "close"),
        ("keep-alive", "5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "x"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
        ("x", " a"),
        ("x", "a\t"),
    ] {
        check_refused(read("GET", "https://a/", &[field]), &codes::BAD_REQUEST);
        assert!(received_trailers(&parts("GET", "/", &[field]).headers, &LIMITS).is_err());
    }
}

#[test]
fn a_name_must_be_a_token() {
    let mut parts = parts("GET", "https://a.test/", &[]);
    let name = http::HeaderName::from_lowercase(b"a\"b").expect("it is taken for a name");
    parts.headers.insert(name, HeaderValue::from_static("c"));
    check_refused(request_head(&parts, None, &LIMITS), &codes::BAD_REQUEST);
    assert!(received_trailers(&parts.headers, &LIMITS).is_err());
}

#[test]
fn pieces_of_a_cookie_become_one_line() {
    let fields = [("cookie", "a=b"), ("x", "y"), ("cookie", "c=d"), ("cookie", "e=f")];
    let head = read("GET", "https://a/", &fields).unwrap();
    assert_eq!(
        fields_of(&head.headers),
        [("host", "a"), ("cookie", "a=b; c=d; e=f"), ("x", "y")]
    );
    let head = read("GET", "https://a/", &[("cookie", "a=b")]).unwrap();
    assert_eq!(head.headers.get_str(Known::Cookie), Some("a=b"));
}

#[test]
fn content_has_one_length_or_none() {
    let length = |value| read("POST", "https://a/", &[("content-length", value)]);
    assert_eq!(length("18446744073709551615").unwrap().content_length, Some(u64::MAX));
    for value in ["", "+1", "1,1", "0x1", "18446744073709551616"] {
        check_refused(length(value), &codes::AMBIGUOUS_FRAMING);
    }
    let twice = [("content-length", "1"), ("content-length", "1")];
    check_refused(read("POST", "https://a/", &twice), &codes::AMBIGUOUS_FRAMING);
}

#[test]
fn the_one_expectation_is_known() {
    let expecting = |value| read("POST", "https://a/", &[("expect", value)]);
    assert!(expecting("100-Continue").unwrap().expect_continue);
    check_refused(expecting("200-ok"), &codes::EXPECTATION_FAILED);
}

#[test]
fn each_limit_has_its_code() {
    let long = |count| "a".repeat(count);
    check_refused(
        read("GET", &format!("https://a/{}", long(256)), &[]),
        &codes::URI_TOO_LONG,
    );
    check_refused(read("GET", "https://a/", &[("x", &long(1024))]), &codes::HEAD_TOO_LARGE);
    let fields = vec![("x", "y"); 17];
    check_refused(read("GET", "https://a/", &fields), &codes::HEAD_TOO_LARGE);
    assert!(read("GET", "https://a/", &fields[..16]).is_ok());
    assert!(received_trailers(&parts("GET", "/", &fields).headers, &LIMITS).is_err());
    check_refused(read(&long(33), "https://a/", &[]), &codes::METHOD_NOT_IMPLEMENTED);
}

#[test]
fn connect_needs_a_protocol_that_may_be_spoken() {
    let connect = |protocol| request_head(&parts("CONNECT", "https://a/b?c", &[]), protocol, &LIMITS);
    let head = connect(Some("websocket")).unwrap();
    assert_eq!((head.method, head.target.as_str()), (Method::Get, "/b?c"));
    assert_eq!(head.upgrade.as_deref(), Some("websocket"));
    for protocol in [None, Some("h2c"), Some("TLS"), Some("a b"), Some("")] {
        check_refused(connect(protocol), &codes::METHOD_NOT_IMPLEMENTED);
    }
    let get = request_head(&parts("GET", "https://a/", &[]), Some("websocket"), &LIMITS);
    check_refused(get, &codes::BAD_REQUEST);
}

#[test]
fn a_response_is_written_without_what_belongs_to_a_connection() {
    let mut headers = Headers::new();
    for (name, value) in [
        ("Connection", "x"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "7"),
        ("Set-Cookie", "a"),
        ("X-Own", "b"),
        ("set-cookie", "c"),
        ("Date", "d"),
    ] {
        headers.append(name, value);
    }
    headers.append("X-Bell", "a\x07b");
    let check = |length, expected: Option<&str>| {
        let response = response_head(Status::OK, &headers, length);
        let written = |name| {
            let values = response.headers().get_all(name).iter();
            values.map(|value| value.to_str().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(written("set-cookie"), ["a", "c"]);
        assert_eq!((written("x-own"), written("x-bell")), (vec!["b"], vec!["a b"]));
        assert_eq!(written("date"), ["d"]);
        assert_eq!(written("content-length"), expected.into_iter().collect::<Vec<_>>());
        assert_eq!(response.headers().len(), 5 + usize::from(expected.is_some()));
    };
    check(ResponseLength::Body(BodyLength::Sized(3)), Some("3"));
    check(ResponseLength::Body(BodyLength::Chunked), None);
    check(ResponseLength::Body(BodyLength::None), None);
    check(ResponseLength::Head(Some(3)), Some("7"));
    headers.remove(Known::ContentLength);
    headers.remove(Known::Date);
    let head = |length| response_head(Status::OK, &headers, ResponseLength::Head(length));
    assert_eq!(head(Some(3)).headers()["content-length"], "3");
    assert!(!head(Some(0)).headers().contains_key("content-length"));
    assert_eq!(head(None).headers()["date"].len(), 29);
    assert!(
        !informational_head(Status::EARLY_HINTS, &headers)
            .headers()
            .contains_key("date")
    );
}

#[test]
fn trailers_can_not_frame_route_or_authenticate() {
    let fields = [
        ("content-length", "5"),
        ("authorization", "b"),
        ("grpc-status", "0"),
        ("host", "c"),
    ];
    let trailers = received_trailers(&parts("GET", "/", &fields).headers, &LIMITS).unwrap();
    assert_eq!(fields_of(&trailers), [("grpc-status", "0")]);
    let mut own = Headers::new();
    own.append("grpc-status", "0");
    own.append(Known::ContentLength, "5");
    let written = written_trailers(&own);
    assert_eq!(
        (written.len(), &written["grpc-status"]),
        (1, &HeaderValue::from_static("0"))
    );
}

fn field() -> impl Strategy<Value = (String, Vec<u8>)> {
    let name = prop_oneof![
        Just("cookie".to_owned()),
        Just("x_request_id".to_owned()),
        Just("accept".to_owned()),
        "[a-z!#$%&'*+.^_`|~0-9-]{1,12}",
    ];
    let value = proptest::collection::vec(prop_oneof![b'!'..=b'~', 0x80..=0xffu8], 0..12);
    (name, value)
}

proptest! {
    #[test]
    fn what_is_read_is_written_alike(fields in proptest::collection::vec(field(), 0..12)) {
        let mut map = HeaderMap::new();
        for (name, value) in &fields {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        map.remove("cookie");
        let mut headers = Headers::new();
        if append_fields(&mut headers, &map).is_ok() {
            let mut again = HeaderMap::new();
            write_fields(&mut again, &headers, 0);
            map.remove("host");
            assert_eq!(again, map);
        }
    }

    #[test]
    fn no_request_breaks_a_limit(
        path in "/[ -~]{0,300}",
        authority in "[a-z@:.%\\[\\]0-9]{0,12}",
        fields in proptest::collection::vec(field(), 0..20),
        options in any::<bool>(),
    ) {
        let method = if options { "OPTIONS" } else { "GET" };
        let uri = http::Uri::builder().scheme("https").authority(authority.as_str()).path_and_query(path.as_str());
        if let Ok(uri) = uri.build() {
            let mut parts = parts(method, "/", &[]);
            parts.uri = uri;
            for (name, value) in &fields {
                let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
                parts.headers.append(name, HeaderValue::from_bytes(value).unwrap());
            }
            if let Ok(head) = request_head(&parts, None, &LIMITS) {
                assert!(head.headers.len() <= LIMITS.fields + 1);
                assert!(head.target.as_str().len() <= LIMITS.target_bytes + 1);
                assert!(authority::is_authority(head.headers.get(Known::Host).unwrap()));
                assert!(head.headers.get_all(Known::Cookie).count() <= 1);
            }
        }
    }
}
