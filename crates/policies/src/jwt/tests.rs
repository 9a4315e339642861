//! The policy as a whole: with keys of the file, and with keys that a server has.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::{Backend, Next, Policy, Reply};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::*;
use crate::authenticate::Authenticate;
use crate::trial::{context, request};

const SECRET: &str = "a secret of forty bytes that nobody knows";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

fn mac(claims: &Value) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    token(&json!({"alg": "HS256"}), claims, |signed| {
        hmac::sign(&key, signed).as_ref().to_vec()
    })
}

/// Seconds since 1970 of the requests of this file.
fn now() -> u64 {
    let received = context().received.duration_since(SystemTime::UNIX_EPOCH);
    received.unwrap().as_secs()
}

fn claims() -> Value {
    json!({"iss": "https://id.example", "aud": ["orders"], "sub": "ann", "exp": now() + 60})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// What an issuer with a secret is written like.
fn secretive() -> Value {
    json!({"issuer": "https://id.example", "audience": ["orders"], "keys": [{"secret": SECRET}]})
}

/// A policy before a backend that keeps what reached it.
struct Desk {
    runtime: Runtime,
    policy: Authenticate,
    keyrings: Keyrings,
}

#[derive(Default)]
struct Keeper(Mutex<Option<Vec<(String, String)>>>);

impl Backend for Keeper {
    fn call<'a>(&'a self, _: &'a mut Ctx, request: Request) -> Reply<'a> {
        let fields = request.headers.iter();
        let mut seen: Vec<_> = fields
            .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(value).into_owned()))
            .collect();
        seen.push((":path".to_owned(), request.target.as_str().to_owned()));
        *self.0.lock().unwrap() = Some(seen);
        Error::new(&codes::RESOURCE_NOT_FOUND).into()
    }
}

struct Outcome {
    status: u16,
    name: Option<String>,
    challenge: Option<String>,
    detail: String,
    seen: Option<Vec<(String, String)>>,
}

impl Outcome {
    fn field(&self, name: &str) -> Option<&str> {
        let seen = self.seen.as_ref()?;
        let mut values = seen.iter().filter(|(known, _)| known == name);
        let value = values.next();
        assert!(values.next().is_none(), "{name} is there twice");
        value.map(|(_, value)| value.as_str())
    }
}

impl Desk {
    fn new(config: Value) -> Desk {
        Desk::with(config, true).unwrap()
    }

    fn with(config: Value, runs: bool) -> Result<Desk, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let keyrings = Keyrings::default();
        let policy = compiled(config, &runtime, runs.then_some(&keyrings))?;
        Ok(Desk {
            runtime,
            policy,
            keyrings,
        })
    }

    fn send_in(&self, mut cx: Ctx, request: Request) -> Outcome {
        let keeper = Keeper::default();
        let next = Next::new(&[], &keeper);
        let result = self.runtime.block_on(self.policy.call(&mut cx, request, next));
        let error = result.err().unwrap();
        Outcome {
            status: error.status().code(),
            name: cx.consumer.map(|consumer| consumer.name.to_string()),
            challenge: error.headers().get_str(Known::WwwAuthenticate).map(str::to_owned),
            detail: format!("{error:?}"),
            seen: keeper.0.into_inner().unwrap(),
        }
    }

    fn send(&self, fields: &[(&str, &str)]) -> Outcome {
        self.send_in(context(), request("GET", "/", fields))
    }

    fn show(&self, token: &str) -> Outcome {
        self.send(&[("authorization", &format!("Bearer {token}"))])
    }
}

fn compiled(config: Value, runtime: &Runtime, keyrings: Option<&Keyrings>) -> Result<Authenticate, String> {
    let config: Written = serde_json::from_value(config).unwrap();
    let around = Surroundings {
        base: Path::new(env!("CARGO_MANIFEST_DIR")),
        slow: runtime.handle(),
        keyrings,
    };
    let way: Arc<dyn Authenticator> = Arc::new(Jwt::new(&config, &around)?);
    Ok(Authenticate::new([way]))
}

#[test]
fn a_good_token_opens_and_the_backend_is_told() {
    let mut config = secretive();
    config["roles_claim"] = "realm.roles".into();
    config["forward_claims"] = json!({"X-Tenant": "tenant"});
    let desk = Desk::new(config);
    let mut claims = claims();
    claims["scope"] = "read write".into();
    claims["realm"] = json!({"roles": ["admin"]});
    claims["tenant"] = "blue".into();
    let value = format!("Bearer {}", mac(&claims));
    let fields = [
        ("authorization", value.as_str()),
        ("x-tenant", "red"),
        ("x-consumer", "root"),
        ("x-consumer-roles", "root"),
    ];
    // The second time it is known.
    for _ in 0..2 {
        let outcome = desk.send(&fields);
        assert_eq!((outcome.status, outcome.name.as_deref()), (404, Some("ann")));
        assert_eq!(outcome.field("x-consumer"), Some("ann"));
        assert_eq!(outcome.field("x-consumer-scopes"), Some("read write"));
        assert_eq!(outcome.field("x-consumer-roles"), Some("admin"));
        assert_eq!(outcome.field("x-tenant"), Some("blue"));
        assert_eq!(outcome.field("authorization"), None);
    }
    let outcome = desk.send(&[
        ("authorization", &format!("bearer {}", mac(&self::claims()))),
        ("x-tenant", "red"),
    ]);
    assert_eq!((outcome.status, outcome.field("x-tenant")), (404, None));
}

#[test]
fn what_is_no_token_is_left_to_others() {
    let desk = Desk::new(secretive());
    let two = "Bearer abc.def";
    let four = format!("Bearer {}.x", mac(&claims()));
    for fields in [
        &[][..],
        &[("authorization", "Basic YW5uOnJpZ2h0")],
        &[("authorization", "Bearer opaque")],
        &[("authorization", "Bearer")],
        &[("authorization", two)],
        &[("authorization", &four)],
        &[("x-token", &mac(&claims()))],
    ] {
        let outcome = desk.send(fields);
        assert_eq!(
            (outcome.status, outcome.challenge.as_deref()),
            (401, Some(CHALLENGE)),
            "{fields:?}"
        );
    }
}

#[test]
fn bad_tokens_are_refused() {
    let desk = Desk::new(secretive());
    let good = mac(&claims());
    assert_eq!(desk.show(&good).status, 404);
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    let forged_key = hmac::Key::new(hmac::HMAC_SHA256, b"another secret of forty bytes, or a few more");
    let forged = token(&json!({"alg": "HS256"}), &claims(), |signed| {
        hmac::sign(&forged_key, signed).as_ref().to_vec()
    });
    let none = token(&json!({"alg": "none"}), &claims(), |_| Vec::new());
    for bad in [
        forged,
        none,
        format!("{unsigned}."),
        format!("{good}A"),
        good.replace("eyJ", "eyK"),
        "..".to_owned(),
        format!("{}.a.b", "a".repeat(20_000)),
        mac(&with("exp", json!(now() - 31))),
        mac(&with("exp", json!(null))),
        mac(&with("exp", json!("never"))),
        mac(&with("nbf", json!(now() + 31))),
        mac(&with("iat", json!(now() + 31))),
        mac(&with("aud", json!("other"))),
        mac(&with("aud", json!([]))),
        mac(&with("iss", json!("https://evil.example"))),
        mac(&with("sub", json!("two words"))),
        mac(&with("sub", json!(null))),
        mac(&json!([])),
    ] {
        // Once it is not known, and then neither.
        for _ in 0..2 {
            let outcome = desk.show(&bad);
            assert_eq!(
                (outcome.status, outcome.challenge.as_deref()),
                (401, Some(BAD)),
                "{bad}"
            );
            assert!(outcome.name.is_none() && outcome.seen.is_none());
            assert!(
                !outcome.detail.contains(&bad[bad.len() - 2..]) || bad.len() < 9,
                "the token is repeated"
            );
        }
    }
    let twice = format!("Bearer {good}");
    let outcome = desk.send(&[("authorization", &twice), ("authorization", &twice)]);
    assert_eq!(outcome.status, 401);
}

#[test]
fn a_token_that_is_known_expires_all_the_same() {
    let desk = Desk::new(secretive());
    let value = format!("Bearer {}", mac(&claims()));
    for (later, status) in [(0, 404), (89, 404), (90, 401), (1000, 401), (0, 404)] {
        let mut cx = context();
        cx.received += Duration::from_secs(later);
        let request = request("GET", "/", &[("authorization", &value)]);
        assert_eq!(desk.send_in(cx, request).status, status, "{later}");
    }
}

#[test]
fn each_token_is_judged_by_its_own_issuer() {
    let other = "another secret of forty bytes, or a few more";
    let second = json!({"issuer": "https://two.example", "any_audience": true, "keys": [{"secret": other}]});
    let desk = Desk::new(json!({"issuers": [secretive(), second]}));
    let other = hmac::Key::new(hmac::HMAC_SHA256, other.as_bytes());
    let of_second = |claims: &Value| {
        token(&json!({"alg": "HS256"}), claims, |signed| {
            hmac::sign(&other, signed).as_ref().to_vec()
        })
    };
    assert_eq!(desk.show(&mac(&claims())).status, 404);
    assert_eq!(
        desk.show(&of_second(&with("iss", json!("https://two.example")))).status,
        404
    );
    for bad in [
        mac(&with("iss", json!("https://two.example"))),
        of_second(&claims()),
        mac(&with("iss", json!("https://three.example"))),
        mac(&with("iss", json!(null))),
        mac(&json!({"exp": now() + 9})),
        "a.b.c".to_owned(),
    ] {
        assert_eq!(desk.show(&bad).status, 401, "{bad}");
    }
}

#[test]
fn tokens_are_found_and_taken_out_where_they_are() {
    let good = mac(&claims());
    let mut config = secretive();
    config["header"] = "X-Token".into();
    config["cookie"] = "session".into();
    config["query"] = "token".into();
    let desk = Desk::new(config.clone());
    let cookie = format!("a=b; session={good};c=d");
    let target = format!("/x?a=b&token={good}&c");
    let at = |target: &str, fields: &[(&str, &str)]| desk.send_in(context(), request("GET", target, fields));
    let outcome = at("/", &[("x-token", &good)]);
    assert_eq!((outcome.status, outcome.field("x-token")), (404, None));
    let outcome = at("/", &[("cookie", &cookie), ("authorization", "Bearer x")]);
    assert_eq!((outcome.status, outcome.field("cookie")), (404, Some("a=b; c=d")));
    assert_eq!(outcome.field("authorization"), Some("Bearer x"));
    let outcome = at("/", &[("cookie", &format!("session={good}"))]);
    assert_eq!((outcome.status, outcome.field("cookie")), (404, None));
    let outcome = at(&target, &[]);
    assert_eq!((outcome.status, outcome.field(":path")), (404, Some("/x?a=b&c")));
    let outcome = at(&format!("/?token={good}"), &[]);
    assert_eq!((outcome.status, outcome.field(":path")), (404, Some("/")));
    assert_eq!(at(&target, &[("x-token", &good)]).status, 401, "more than one");
    assert_eq!(
        at("/", &[("authorization", &format!("Bearer {good}"))])
            .challenge
            .as_deref(),
        Some(CHALLENGE)
    );
    assert_eq!(
        at("/", &[("cookie", &format!("xsession={good}; session2={good}"))])
            .challenge
            .as_deref(),
        Some(CHALLENGE)
    );

    config["keep"] = true.into();
    let desk = Desk::new(config);
    let outcome = desk.send(&[("x-token", &good)]);
    assert_eq!((outcome.status, outcome.field("x-token")), (404, Some(&*good)));
}

#[test]
fn a_configuration_that_would_not_guard_is_refused() {
    let mut no_audience = secretive();
    no_audience["audience"] = json!([]);
    let mut weak = secretive();
    weak["keys"] = json!([{"secret": "too short"}]);
    let mut two_places = secretive();
    two_places["jwks"] = "https://id.example/keys".into();
    let mut nowhere = secretive();
    nowhere["keys"] = json!([]);
    let mut clear = nowhere.clone();
    clear["jwks"] = "http://id.example/keys".into();
    let mut missing = nowhere.clone();
    missing["jwks"] = "file:no/such/file".into();
    let mut no_keys = nowhere.clone();
    no_keys["jwks"] = "Cargo.toml".into();
    let mut public_only = secretive();
    public_only["algorithms"] = json!(["RS256", "ES256"]);
    let mut other_issuer = nowhere.clone();
    other_issuer["discovery"] = "https://other.example".into();
    let unnamed = json!({"any_audience": true, "keys": [{"secret": SECRET}]});
    for (config, why) in [
        (no_audience, "audience"),
        (weak, "32"),
        (two_places, "one of"),
        (nowhere, "one of"),
        (clear, "clear text"),
        (missing, "can't read"),
        (no_keys, "no set of keys"),
        (public_only, "allowed"),
        (other_issuer, "the same"),
        (json!({"issuers": [secretive(), unnamed]}), "told apart"),
        (json!({}), "audience"),
    ] {
        let problem = Desk::with(config.clone(), false).err().unwrap_or_default();
        assert!(problem.contains(why), "{config}: {problem}");
        assert!(!problem.contains("forty bytes"));
    }
}

/// A server with a document of keys.
#[derive(Clone)]
struct KeyServer {
    address: std::net::SocketAddr,
    said: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said {
    document: Option<String>,
    asked: u32,
}

impl KeyServer {
    fn start() -> KeyServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = KeyServer {
            address: listener.local_addr().unwrap(),
            said: Arc::default(),
        };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serving.answer(&mut stream.unwrap());
            }
        });
        server
    }

    fn answer(&self, stream: &mut std::net::TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte).unwrap_or(0) == 0 {
                return;
            }
            head.push(byte[0]);
        }
        let document = if head.starts_with(b"GET /.well-known/openid-configuration ") {
            Some(json!({"issuer": self.url(""), "jwks_uri": self.url("/keys")}).to_string())
        } else {
            let mut said = self.said.lock().unwrap();
            said.asked += 1;
            said.document.clone()
        };
        let answer = match document {
            Some(document) => format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{document}",
                document.len()
            ),
            None => "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".to_owned(),
        };
        let _ = stream.write_all(answer.as_bytes());
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn say(&self, keys: Option<&[&Signer]>) {
        let keys = keys.map(|keys| keys.iter().map(|key| key.jwk()).collect::<Vec<_>>());
        self.said.lock().unwrap().document = keys.map(|keys| json!({"keys": keys}).to_string());
    }

    fn asked(&self) -> u32 {
        self.said.lock().unwrap().asked
    }

    fn config(&self) -> Value {
        json!({"issuer": "https://id.example", "audience": ["orders"], "jwks": self.url("/keys")})
    }
}

/// A key of the server.
struct Signer {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Signer {
        let pair = Ed25519KeyPair::generate().unwrap();
        Signer { id, pair }
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": encode(self.pair.public_key())})
    }

    fn token(&self, claims: &Value) -> String {
        token(&json!({"alg": "EdDSA", "kid": self.id}), claims, |signed| {
            self.pair.sign(signed).as_ref().to_vec()
        })
    }
}

#[test]
fn keys_are_fetched_and_again_for_a_name_that_is_not_known() {
    let (server, first, second) = (KeyServer::start(), Signer::new("first"), Signer::new("second"));
    server.say(Some(&[&first]));
    let desk = Desk::new(server.config());
    // The first request waits for the first fetch.
    assert_eq!(desk.show(&first.token(&claims())).status, 404);
    assert_eq!(desk.show(&Signer::new("first").token(&claims())).status, 401);
    assert_eq!(server.asked(), 1);
    server.say(Some(&[&second]));
    // What is known stays so until the keys are seen to have changed.
    assert_eq!(desk.show(&first.token(&claims())).status, 404);
    assert_eq!(desk.show(&second.token(&claims())).status, 404);
    assert_eq!(server.asked(), 2);
    assert_eq!(desk.show(&first.token(&claims())).status, 401, "its key was taken back");
    // Names that somebody makes up don't reach the server again and again.
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(desk.show(&Signer::new("third").token(&claims())).status, 401);
    }
    assert_eq!(server.asked(), 2);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn without_keys_nobody_enters_and_it_is_the_guards_fault() {
    let (server, signer) = (KeyServer::start(), Signer::new("first"));
    let secret = json!({"keys": [{"kty": "oct", "k": encode(SECRET)}]}).to_string();
    let broken = ["<html>", "{\"keys\":[]}", &secret, &" ".repeat(600_000)].map(|text| Some(text.to_owned()));
    for document in broken.into_iter().chain([None]) {
        server.said.lock().unwrap().document = document;
        let desk = Desk::new(server.config());
        for token in [signer.token(&claims()), mac(&claims())] {
            let outcome = desk.show(&token);
            assert_eq!((outcome.status, outcome.name), (503, None));
            assert!(outcome.detail.contains("guard_unavailable"), "{}", outcome.detail);
        }
        assert_eq!(desk.send(&[]).status, 401, "without a token others are asked");
    }
    let mut silent = server.config();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    silent["jwks"] = format!("http://{}/", nobody.local_addr().unwrap()).into();
    let began = Instant::now();
    assert_eq!(Desk::new(silent).show(&signer.token(&claims())).status, 503);
    assert!(began.elapsed() < Duration::from_secs(8), "it waits a bounded time");
}

#[test]
fn old_keys_are_good_for_a_while() {
    let (server, signer) = (KeyServer::start(), Signer::new("first"));
    server.say(Some(&[&signer]));
    let desk = Desk::new(server.config());
    let value = format!("Bearer {}", signer.token(&claims()));
    let after = |time: Duration| {
        let mut cx = context();
        cx.started += time;
        desk.send_in(cx, request("GET", "/", &[("authorization", &value)]))
            .status
    };
    assert_eq!(after(Duration::ZERO), 404);
    server.say(None);
    assert_eq!(desk.show(&Signer::new("other").token(&claims())).status, 401);
    assert_eq!(server.asked(), 2, "it was asked, and had nothing");
    assert_eq!(after(Duration::from_secs(23 * 3600)), 404);
    assert_eq!(after(Duration::from_secs(25 * 3600)), 503);
}

#[test]
fn keys_are_found_by_discovery() {
    let (server, signer) = (KeyServer::start(), Signer::new("first"));
    server.say(Some(&[&signer]));
    let config = |issuer: String| json!({"discovery": issuer, "audience": ["orders"]});
    let desk = Desk::new(config(server.url("")));
    let own = with("iss", json!(server.url("")));
    assert_eq!(desk.show(&signer.token(&own)).status, 404);
    assert_eq!(desk.show(&signer.token(&claims())).status, 401, "another issuer");
    // The document is that of an issuer without the slash.
    let desk = Desk::new(config(server.url("/")));
    assert_eq!(
        desk.show(&signer.token(&with("iss", json!(server.url("/"))))).status,
        503
    );
}

#[test]
fn keys_live_through_reloads_and_no_longer() {
    let (server, signer) = (KeyServer::start(), Signer::new("first"));
    server.say(Some(&[&signer]));
    let mut desk = Desk::new(server.config());
    let token = signer.token(&claims());
    assert_eq!(desk.show(&token).status, 404);
    server.say(None);
    let mut changed = server.config();
    changed["leeway"] = "5s".into();
    desk.policy = compiled(changed, &desk.runtime, Some(&desk.keyrings)).unwrap();
    assert_eq!((desk.show(&token).status, server.asked()), (404, 1));
    desk.policy = Authenticate::new([]);
    desk.policy = compiled(server.config(), &desk.runtime, Some(&desk.keyrings)).unwrap();
    assert_eq!(desk.show(&token).status, 503);
}

#[test]
fn a_configuration_that_is_only_looked_at_asks_nobody() {
    let server = KeyServer::start();
    assert!(Desk::with(server.config(), false).is_ok());
    assert_eq!(server.asked(), 0);
}
