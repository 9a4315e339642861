//! What guarding costs a request: five policies beside none, and a hundred thousand consumers beside one.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{KeyPair, PKCS_RSA_SHA256, SigningKey as _};
use sha2::{Digest as _, Sha256};

use super::side::{Side, rounds};
use super::{Line, load, upstream::Upstream};
use crate::gate::Gate;

const CONSUMERS: usize = 100_000;

/// What the guarded route may cost beside the bare one.
const DEAREST: f64 = 1.15;

/// # Errors
/// When a gate doesn't start or a request fails.
pub(crate) fn run(binary: &Path) -> Result<Vec<Line>, String> {
    let upstream = Upstream::start()?;
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(|error| error.to_string())?;
    let token = token(&key)?;
    let bearer = vec![load::get_with("/", &format!("Authorization: Bearer {token}\r\n"))];
    let keyed = |count: usize| {
        (0..count.min(1000))
            .map(|number| key_request(number * 7919 % count))
            .collect()
    };
    let start = |name: &str, policies: &str| Gate::start(binary, name, &configuration(&upstream, policies), 1);
    let mut sides = [
        Side::new(start("bare", "{}")?, bearer.clone())?,
        Side::new(start("guarded", &guarded(&key))?, bearer)?,
        Side::new(start("one-consumer", &consumers(1))?, keyed(1))?,
        Side::new(start("many-consumers", &consumers(CONSUMERS))?, keyed(CONSUMERS))?,
    ];
    rounds(&mut sides)?;
    let [bare, guarded, one, many] = &mut sides;
    let (plain, dear) = (bare.median(), guarded.median());
    let (few, lots) = (one.median(), many.median());
    let (small, large) = (one.gate.memory(), many.gate.memory());
    let bytes = large.saturating_sub(small) * 1024 / CONSUMERS as u64;
    Ok(vec![
        Line::new("CPU per request, no policy", format!("{plain:.2} µs"), "", true),
        Line::new(
            "the same with `jwt` (RS256), `rate_limit`, `headers`, `cors`, `limits`",
            format!("{dear:.2} µs, {:.2} ×", dear / plain),
            format!("≤ {DEAREST} ×"),
            dear / plain <= DEAREST,
        ),
        Line::new(
            "CPU per request, `api_key` with 1 consumer",
            format!("{few:.2} µs"),
            "",
            true,
        ),
        Line::new(
            "the same with 100,000 consumers",
            format!("{lots:.2} µs ({:+.1} %)", (lots / few - 1.0) * 100.0),
            "within 5 %",
            lots / few <= 1.05,
        ),
        Line::new(
            "memory of a consumer",
            format!("{bytes} bytes"),
            "≤ 1024",
            bytes <= 1024,
        ),
    ])
}

/// A token that is good for an hour.
fn token(key: &KeyPair) -> Result<String, String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|error| error.to_string())?;
    let claims = serde_json::json!({
        "iss": "https://id.example.com", "aud": "bench", "sub": "ann", "scope": "read write",
        "iat": now.as_secs(), "exp": now.as_secs() + 3600, "jti": "7f6b1c1e-0b5a-4a52-9e63-0d0f3a6d1a51",
    });
    let header = serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": "k1"});
    let signed = format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(claims.to_string().as_bytes())
    );
    let signature = key.sign(signed.as_bytes()).map_err(|error| error.to_string())?;
    Ok(format!("{signed}.{}", base64url(&signature)))
}

/// RFC 4648 §5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            let digit = bits >> (18 - 6 * place) & 63;
            text.push(char::from(DIGITS[digit as usize]));
        }
    }
    text
}

fn guarded(key: &KeyPair) -> String {
    let path = std::env::temp_dir().join(format!("portcullis-xtask-{}-public.pem", std::process::id()));
    // Without it the gate says that it can't read it.
    let _ = std::fs::write(&path, key.public_key_pem());
    format!(
        "{{jwt: {{issuer: 'https://id.example.com', audience: bench, keys: [{{pem: {}, id: k1}}]}}, \
         rate_limit: {{quota: 1000000/1s}}, limits: {{body: 1MiB}}, cors: {{origins: ['https://app.example.com']}}, \
         headers: {{request: {{set: {{X-Route: '{{route}}'}}}}, response: {{set: {{X-Content-Type-Options: nosniff}}}}}}}}",
        path.display()
    )
}

fn consumers(count: usize) -> String {
    let mut text = "{api_key: {consumers: [".to_owned();
    for number in 0..count {
        let hash = Sha256::digest(format!("bench-{number}"));
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = write!(text, "{{name: consumer-{number}, sha256: {digits}}},");
    }
    text.push_str("]}}");
    text
}

fn key_request(number: usize) -> Vec<u8> {
    load::get_with("/", &format!("X-Api-Key: bench-{number}\r\n"))
}

fn configuration(upstream: &Upstream, policies: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nservices: {{up: 'http://{}'}}\n\
         policies: {{guard: {policies}}}\nroutes:\n  - {{path: /**, policies: guard, to: {{service: up}}}}\n",
        upstream.address
    )
}
