use aws_lc_rs::digest::{SHA256, digest as hash};
use aws_lc_rs::hmac as mac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_config::secret::Secret;
use portcullis_config::units;
use portcullis_core::{Body, BodyStream, Frame, Method, Policy};

use super::*;
use crate::authenticate::Authenticate;
use crate::trial::{context, request, send_as};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The time of [`context`], in seconds.
const NOW: u64 = 1_795_337_045;

fn signer(key_id: &str, secret: Option<&str>) -> Signer {
    Signer {
        name: "payroll".to_owned(),
        key_id: key_id.to_owned(),
        algorithm: SignatureAlgorithm::HmacSha256,
        secret: secret.map(|secret| Secret::new(secret.to_owned())),
        public_key: None,
        scopes: Vec::new(),
        roles: vec!["internal".to_owned()],
    }
}

fn config() -> Written {
    Written {
        consumers: vec![signer("k1", Some(SECRET))],
        covered: ["@method", "@authority", "@path", "@query"].map(str::to_owned).into(),
        max_age: units::Duration::seconds(300),
        leeway: units::Duration::seconds(30),
        replay: Replay::Refuse,
        tag: None,
        max_body: units::ByteSize::kib(1),
        keep: false,
    }
}

fn hmac(config: &Written) -> Hmac {
    Hmac::new(config, "partners", Path::new(""), &Registry::default()).unwrap()
}

fn policy(config: &Written) -> Arc<dyn Policy> {
    let way: Arc<dyn Authenticator> = Arc::new(hmac(config));
    Arc::new(Authenticate::new([way]))
}

/// A request to `https`-less `a.example` with content, and a digest of it where there is some.
fn plain(content: &'static str) -> Request {
    let mut request = request("POST", "/pay?to=ann", &[("Host", "A.example:80")]);
    if !content.is_empty() {
        let digest = STANDARD.encode(hash(&SHA256, content.as_bytes()));
        request.headers.append("Content-Digest", format!("sha-256=:{digest}:"));
        request.body = content.into();
    }
    request
}

const COVERED: &str = r#""@method" "@authority" "@path" "@query" "content-digest""#;

/// The parameters of a signature that is made now.
fn fresh() -> String {
    format!("created={NOW};keyid=\"k1\"")
}

/// Signs the request as it is, by a text of our own making.
fn sign(request: &mut Request, covered: &str, parameters: &str) {
    let parts: Vec<String> = covered
        .split(' ')
        .filter(|name| !name.is_empty())
        .map(|name| {
            let value = match name {
                "\"@method\"" => request.method.as_str().to_owned(),
                "\"@authority\"" => "a.example".to_owned(),
                "\"@path\"" => request.target.path().to_owned(),
                "\"@query\"" => format!("?{}", request.target.query().unwrap_or_default()),
                "\"@target-uri\"" => format!("http://a.example{}", request.target.as_str()),
                field => request.headers.get_str(field.trim_matches('"')).unwrap().to_owned(),
            };
            format!("{name}: {value}\n")
        })
        .collect();
    let text = format!("{}\"@signature-params\": ({covered});{parameters}", parts.concat());
    let key = mac::Key::new(mac::HMAC_SHA256, SECRET.as_bytes());
    let signature = STANDARD.encode(mac::sign(&key, text.as_bytes()));
    request
        .headers
        .append("Signature-Input", format!("s=({covered});{parameters}"));
    request.headers.append("Signature", format!("s=:{signature}:"));
}

fn signed(content: &'static str) -> Request {
    let mut request = plain(content);
    let covered = if content.is_empty() {
        COVERED.replace(" \"content-digest\"", "")
    } else {
        COVERED.to_owned()
    };
    sign(&mut request, &covered, &fresh());
    request
}

fn status(policy: &Arc<dyn Policy>, request: Request) -> u16 {
    let trial = send_as(policy, context(), request, &[]);
    let status = trial.status().code();
    assert_eq!(trial.cx.consumer.is_some(), status == 200);
    assert_eq!(trial.seen.is_some(), status == 200);
    if let Some(seen) = trial.seen {
        assert!(!seen.headers.contains("Signature") && !seen.headers.contains("Signature-Input"));
    }
    status
}

#[test]
fn signed_requests_are_let_in() {
    for content in ["", "{\"euros\": 7}"] {
        assert_eq!(status(&policy(&config()), signed(content)), 200, "{content:?}");
    }
    let mut whole = plain("x");
    sign(&mut whole, r#""@method" "@target-uri" "content-digest""#, &fresh());
    assert_eq!(status(&policy(&config()), whole), 200);
}

#[test]
fn whatever_was_changed_on_the_way_is_refused() {
    type Change = fn(&mut Request);
    let changes: [(&str, Change); 9] = [
        ("method", |request| request.method = Method::from_token("PUT")),
        ("path", |request| request.target.set_path("/pray")),
        ("query", |request| request.target.set_query(Some("to=eve"))),
        ("no query", |request| request.target.set_query(None)),
        ("host", |request| request.headers.set(Known::Host, "b.example")),
        ("content", |request| request.body = "{\"euros\": 9}".into()),
        ("no content", |request| request.body = Body::Empty),
        ("digest", |request| {
            request.headers.set("Content-Digest", "sha-256=:AAAA:");
        }),
        ("signature", |request| request.headers.set("Signature", "s=:AAAA:")),
    ];
    for (what, change) in changes {
        let mut request = signed("{\"euros\": 7}");
        change(&mut request);
        assert_eq!(status(&policy(&config()), request), 401, "{what}");
    }
}

#[test]
fn signatures_that_are_old_or_of_tomorrow_are_refused() {
    for (created, expires, expected) in [
        (NOW - 300, "", 200),
        (NOW - 301, "", 401),
        (NOW + 30, "", 200),
        (NOW + 31, "", 401),
        (NOW - 10, ";expires=1795337045", 200),
        (NOW - 10, ";expires=1795337044", 401),
        (NOW - 10, ";expires=-1", 401),
        (u64::MAX / 2, "", 401),
    ] {
        let mut request = plain("");
        let covered = r#""@method" "@authority" "@path" "@query""#;
        sign(
            &mut request,
            covered,
            &format!("created={created};keyid=\"k1\"{expires}"),
        );
        assert_eq!(status(&policy(&config()), request), expected, "{created} {expires}");
    }
    let mut request = plain("");
    sign(
        &mut request,
        r#""@method" "@authority" "@path" "@query""#,
        "keyid=\"k1\"",
    );
    assert_eq!(status(&policy(&config()), request), 401, "a signature without a time");
}

#[test]
fn a_request_comes_once() {
    let once = policy(&config());
    assert_eq!(status(&once, signed("x")), 200);
    assert_eq!(status(&once, signed("x")), 401);
    let mut with_nonce = plain("x");
    sign(&mut with_nonce, COVERED, &format!("{};nonce=\"1\"", fresh()));
    assert_eq!(status(&once, with_nonce), 200);
    let mut allowed = config();
    allowed.replay = Replay::Allow;
    let often = policy(&allowed);
    assert_eq!((status(&often, signed("x")), status(&often, signed("x"))), (200, 200));
}

#[test]
fn what_took_longer_than_it_is_remembered_is_too_late() {
    let started = Instant::now().checked_sub(Duration::from_secs(301)).unwrap();
    let cx = crate::trial::context_of([192, 0, 2, 7].into(), started);
    let trial = send_as(&policy(&config()), cx, signed("x"), &[]);
    assert_eq!(trial.status().code(), 401);
}

/// Content that nobody may read.
struct Untouched;

impl BodyStream for Untouched {
    fn poll_frame(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<portcullis_core::Result<Frame>>> {
        panic!("content is read of a request whose signature is wrong");
    }
}

#[test]
fn content_is_read_of_those_alone_who_hold_a_key() {
    let mut forged = signed("x");
    forged.headers.set("Signature", "s=:AAAA:");
    forged.body = Body::Stream(Box::new(Untouched));
    assert_eq!(status(&policy(&config()), forged), 401);
}

#[test]
fn what_must_be_covered_must_be() {
    for covered in [
        "",
        r#""@method""#,
        r#""@authority" "@path" "@query" "content-digest""#,
        r#""@method" "@authority" "@path" "@query""#,
    ] {
        let mut request = plain("x");
        sign(&mut request, covered, &fresh());
        assert_eq!(status(&policy(&config()), request), 401, "{covered}");
    }
}

#[test]
fn other_keys_algorithms_and_tags_are_refused() {
    for parameters in [
        format!("created={NOW};keyid=\"k2\""),
        format!("created={NOW}"),
        format!("{};alg=\"ed25519\"", fresh()),
        format!("{};alg=\"none\"", fresh()),
    ] {
        let mut request = plain("x");
        sign(&mut request, COVERED, &parameters);
        assert_eq!(status(&policy(&config()), request), 401, "{parameters}");
    }
    let mut tagged = config();
    tagged.tag = Some("bank".to_owned());
    assert_eq!(status(&policy(&tagged), signed("x")), 401);
    let mut request = plain("x");
    sign(
        &mut request,
        COVERED,
        &format!("{};tag=\"bank\";alg=\"hmac-sha256\"", fresh()),
    );
    assert_eq!(status(&policy(&tagged), request), 200);
}

#[test]
fn what_is_malformed_is_refused() {
    let long = format!("s=(\"{}\")", "a".repeat(20_000));
    let many: String = (0..70).map(|number| format!("\"x{number}\" ")).collect();
    let many = format!("s=({})", many.trim());
    for (input, signature) in [
        ("s=(\"@method\");created=1;keyid=\"k1\"", None),
        ("", Some("s=:AAAA:")),
        ("s=1", Some("s=:AAAA:")),
        ("s=(\"@method\")", Some("t=:AAAA:")),
        ("s=(\"@method\")", Some("s=\"AAAA\"")),
        ("s=(method)", Some("s=:AAAA:")),
        ("s=(\"@status\")", Some("s=:AAAA:")),
        ("s=(\"Date\")", Some("s=:AAAA:")),
        ("s=(\"@method\" \"@method\");created=1;keyid=\"k1\"", Some("s=:AAAA:")),
        ("s=(\"@method\";req)", Some("s=:AAAA:")),
        ("s=(\"@query-param\")", Some("s=:AAAA:")),
        ("s=(\"@method\");created=\"1\"", Some("s=:AAAA:")),
        ("s=(\"x-absent\");created=1795337045;keyid=\"k1\"", Some("s=:AAAA:")),
        ("s=(\"@method", Some("s=:AAAA:")),
        (&long, Some("s=:AAAA:")),
        (&many, Some("s=:AAAA:")),
        (
            "a=(), b=(), c=(), d=(), e=()",
            Some("a=:AA==:, b=:AA==:, c=:AA==:, d=:AA==:, e=:AA==:"),
        ),
    ] {
        let mut request = plain("");
        request.headers.append("Signature-Input", input);
        if let Some(signature) = signature {
            request.headers.append("Signature", signature);
        }
        assert_eq!(status(&policy(&config()), request), 401, "{input}");
    }
    assert_eq!(status(&policy(&config()), plain("")), 401, "no signature at all");
}

#[test]
fn content_is_limited() {
    let long: &'static str = "x".repeat(1025).leak();
    assert_eq!(status(&policy(&config()), signed(long)), 413);
}

#[test]
fn keys_that_cannot_sign_are_refused() {
    for (signers, words) in [
        (vec![signer("k1", Some("short"))], "can't be used"),
        (vec![signer("k1", None)], "needs a `secret`"),
        (vec![signer("k1", Some(SECRET)), signer("k1", Some(SECRET))], "two keys"),
        (
            vec![Signer {
                algorithm: SignatureAlgorithm::Ed25519,
                ..signer("k1", Some(SECRET))
            }],
            "needs a `public_key`",
        ),
    ] {
        let config = Written {
            consumers: signers,
            ..config()
        };
        let made = Hmac::new(&config, "x", Path::new(""), &Registry::default());
        assert!(made.is_err_and(|why| why.contains(words)), "{words}");
    }
}

/// The example request of RFC 9421, appendix B.2.
fn example() -> Request {
    let mut request = request(
        "POST",
        "/foo?param=Value&Pet=dog",
        &[
            ("Host", "example.com"),
            ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("Content-Type", "application/json"),
            (
                "Content-Digest",
                "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
            ),
            ("Content-Length", "18"),
        ],
    );
    request.body = "{\"hello\": \"world\"}".into();
    request
}

#[test]
fn the_examples_of_the_standard_are_verified() {
    let shared = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    let shared = Key::from_secret(&STANDARD.decode(shared).unwrap(), None).unwrap();
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n";
    let public = Key::from_pem(pem.as_bytes(), None).unwrap();
    for (key, algorithm, input, signature) in [
        (
            &shared,
            Algorithm::Hs256,
            r#"s=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
            "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
        ),
        (
            &public,
            Algorithm::EdDsa,
            r#"s=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
            "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
        ),
    ] {
        let mut request = example();
        request.headers.append("Signature-Input", input);
        request.headers.append("Signature", format!("s=:{signature}:"));
        let signatures = Signature::all_of(&request.headers).unwrap().unwrap();
        let text = base::of(&signatures[0], &context(), &request).unwrap_or_default();
        assert!(key.verifies(algorithm, &text, &signatures[0].value), "{input}");
    }
    assert!(digest::is_of(&example().headers, b"{\"hello\": \"world\"}"));
    assert!(!digest::is_of(&example().headers, b"{\"hello\": \"World\"}"));
}

/// RFC 9421 §2.2.8 has these.
#[test]
fn parameters_of_a_query_are_taken_one_by_one() {
    let query = "/path?param=value&foo=bar&baz=batman&qux=&var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&twice=1&twice=2";
    for (name, value) in [
        ("baz", Some("batman")),
        ("qux", Some("")),
        ("param", Some("value")),
        ("var", Some("this%20is%20a%20big%0Amultiline%20value")),
        ("bar", Some("with%20plus%20whitespace")),
        ("fa%C3%A7ade%22%3A%20", Some("something")),
        ("twice", None),
        ("absent", None),
    ] {
        let mut signed = request("GET", query, &[("Host", "a")]);
        let input = format!("s=(\"@query-param\";name=\"{name}\");created=1");
        signed.headers.append("Signature-Input", &input);
        signed.headers.append("Signature", "s=:AA==:");
        let signatures = Signature::all_of(&signed.headers).unwrap().unwrap();
        let text = base::of(&signatures[0], &context(), &signed).ok();
        let expected = value.map(|value| {
            format!(
                "\"@query-param\";name=\"{name}\": {value}\n\"@signature-params\": {}",
                &input[2..]
            )
        });
        assert_eq!(text.map(|text| String::from_utf8(text).unwrap()), expected, "{name}");
    }
}

#[test]
fn a_full_window_is_a_failure_of_ours() {
    assert_eq!(refused(&Refusal::Full).code().name, "guard_unavailable");
}
