//! Signed tokens, with keys that a server has.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::client::Answer;
use super::gate::{Gate, eventually};
use super::upstream::Upstream;

/// An issuer of tokens with one key.
struct Issuer(Ed25519KeyPair);

impl Issuer {
    fn new() -> Issuer {
        Issuer(Ed25519KeyPair::generate().unwrap())
    }

    fn keys(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one", "x": x}]}).to_string()
    }

    /// A server that has the keys.
    fn server(&self) -> Upstream {
        let keys = self.keys();
        Upstream::answering(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{keys}",
            keys.len()
        ))
    }

    fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "kid": "one"}).to_string();
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn claims() -> Value {
    json!({"iss": "https://id.example", "aud": "orders", "sub": "ann", "scope": "read", "tenant": "blue", "exp": 4_000_000_000_u64})
}

fn configuration(upstream: &Upstream, keys: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nservices: {{up: 'http://{}'}}\npolicies:\n  guard:\n    \
         jwt: {{issuer: 'https://id.example', audience: orders, jwks: '{keys}', forward_claims: {{X-Tenant: tenant}}}}\n\
         routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
        upstream.address()
    )
}

fn ask(gate: &Gate, token: &str) -> Answer {
    let value = format!("Bearer {token}");
    let fields = [
        ("Authorization", value.as_str()),
        ("X-Consumer", "root"),
        ("X-Tenant", "red"),
    ];
    gate.connect().ask("GET", "/", &fields, "")
}

#[test]
fn a_signed_token_opens_and_lasts_through_a_reload() {
    let (issuer, upstream) = (Issuer::new(), Upstream::ok());
    let server = issuer.server();
    let keys = format!("http://{}/keys", server.address());
    let gate = Gate::start(&configuration(&upstream, &keys));
    let good = issuer.token(&claims());
    assert_eq!(ask(&gate, &good).status, 200);
    let seen = upstream.last();
    assert_eq!(seen.field("x-consumer"), Some("ann"));
    assert_eq!(seen.field("x-consumer-scopes"), Some("read"));
    assert_eq!(seen.field("x-tenant"), Some("blue"));
    assert_eq!(seen.field("authorization"), None);

    let mut expired = claims();
    expired["exp"] = 1_000_000_000.into();
    for bad in [
        issuer.token(&expired),
        Issuer::new().token(&claims()),
        format!("{good}x"),
    ] {
        let refused = ask(&gate, &bad);
        refused.assert_problem(401, "unauthenticated");
        let challenge = refused.field("www-authenticate").unwrap();
        assert_eq!(challenge, "Bearer realm=\"portcullis\", error=\"invalid_token\"");
    }
    let refused = gate.get("/");
    refused.assert_problem(401, "unauthenticated");
    assert_eq!(refused.field("www-authenticate"), Some("Bearer realm=\"portcullis\""));

    gate.rewrite(&configuration(&upstream, &keys).replace("audience: orders", "audience: [bills, orders]"));
    gate.signal("HUP");
    let mut other = claims();
    other["aud"] = "bills".into();
    eventually("the new file to be in force", || {
        ask(&gate, &issuer.token(&other)).status == 200
    });
    assert_eq!(server.requests().len(), 1, "the keys were kept");
    assert_eq!(upstream.requests().len(), 2);
}

#[test]
fn without_keys_the_guard_denies() {
    let (issuer, upstream) = (Issuer::new(), Upstream::ok());
    let keys = format!("http://{}/keys", Upstream::nobody());
    let gate = Gate::start(&configuration(&upstream, &keys));
    let refused = ask(&gate, &issuer.token(&claims()));
    refused.assert_problem(503, "guard_unavailable");
    assert!(
        !refused.text().contains("127.0.0.1"),
        "where keys are is nobody's business"
    );
    gate.await_warning("can't be fetched");
    assert!(upstream.requests().is_empty());
}
