//! What verifying a token costs, beside what the cryptography alone does.
//!
//! ```sh
//! cargo run --release -p portcullis-policies --example token_cost
//! ```
//!
//! For each algorithm: aws-lc's own verification of the signature, ours of a token that was never seen (with its claims), and the
//! policy's of one that is known. The best of several rounds, in nanoseconds.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis_core::{Connection, Ctx, Method, Request, RequestId, Target};
use portcullis_jose::algorithm::Algorithm;
use portcullis_jose::claims::Rules;
use portcullis_jose::key::Key;
use portcullis_jose::keys::Keys;
use portcullis_policies::authenticate::{Authenticator, Verdict};
use portcullis_policies::jwt::{Jwt, Surroundings};
use serde_json::json;

/// Many short rounds: in some of them nobody else has had the processor.
const ROUNDS: u32 = 200;

/// Makes the signature of a message.
type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// What can be known of a signature: who made it, and by which means it is verified.
struct Case {
    algorithm: Algorithm,
    public: Vec<u8>,
    verified_by: &'static dyn VerificationAlgorithm,
    sign: Sign,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "{:8} {:>7} {:>10} {:>10} {:>8} {:>8}",
        "", "bytes", "aws-lc", "not known", "more", "known"
    );
    for case in cases()? {
        measure(&case)?;
    }
    Ok(())
}

fn cases() -> Result<Vec<Case>, Box<dyn Error>> {
    let random = SystemRandom::new();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let eddsa = Ed25519KeyPair::generate()?;
    let other_random = SystemRandom::new();
    Ok(vec![
        Case {
            algorithm: Algorithm::Rs256,
            public: aws_lc_rs::encoding::AsDer::as_der(rsa.public_key())?.as_ref().to_vec(),
            verified_by: &RSA_PKCS1_2048_8192_SHA256,
            sign: Box::new(move |message| {
                let mut signature = vec![0; rsa.public_modulus_len()];
                rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("it can be signed");
                signature
            }),
        },
        Case {
            algorithm: Algorithm::Es256,
            public: aws_lc_rs::encoding::AsDer::as_der(ecdsa.public_key())?
                .as_ref()
                .to_vec(),
            verified_by: &ECDSA_P256_SHA256_FIXED,
            sign: Box::new(move |message| {
                let signature = ecdsa.sign(&other_random, message).expect("it can be signed");
                signature.as_ref().to_vec()
            }),
        },
        Case {
            algorithm: Algorithm::EdDsa,
            public: aws_lc_rs::encoding::AsDer::as_der(eddsa.public_key())?
                .as_ref()
                .to_vec(),
            verified_by: &ED25519,
            sign: Box::new(move |message| eddsa.sign(message).as_ref().to_vec()),
        },
    ])
}

fn measure(case: &Case) -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let header = json!({"alg": case.algorithm.name(), "typ": "JWT", "kid": "2026-11-a"});
    let claims = json!({
        "iss": "https://id.example", "aud": ["orders", "bills"], "sub": "7b0a2a5e-3c53-4a0e-9c0b-8d3f3f0f8a11",
        "iat": now, "nbf": now, "exp": now + 3600, "jti": "0d4b3a3e-5f0f-4b0c-a5b5-7a3f9a4f2c10",
        "scope": "openid profile orders:read orders:write", "azp": "shop", "email": "ann@example.com",
        "realm_access": {"roles": ["customer", "beta"]},
    });
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = (case.sign)(signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&signature));
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(&case.public)
    );

    let parsed = ParsedPublicKey::new(case.verified_by, &case.public)?;
    let bare = || assert!(parsed.verify_sig(black_box(signed.as_bytes()), &signature).is_ok());

    let keys = Keys::new(vec![Key::from_pem(pem.as_bytes(), None)?]);
    let rules = Rules {
        issuer: Some("https://id.example".into()),
        audiences: vec!["orders".into()],
        ..Rules::default()
    };
    let anew = || assert!(keys.verify(black_box(token.as_bytes()), &rules, now).is_ok());
    // In turns, for the processor's clock changes.
    let (mut alone, mut whole) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        alone = alone.min(each(50, bare));
        whole = whole.min(each(50, anew));
    }
    let known = known(&pem, &token)?;
    let more = (whole.as_secs_f64() / alone.as_secs_f64() - 1.0) * 100.0;
    println!(
        "{:8} {:>7} {:>10} {:>10} {more:>7.1}% {:>8}",
        case.algorithm.name(),
        token.len(),
        alone.as_nanos(),
        whole.as_nanos(),
        known.as_nanos()
    );
    Ok(())
}

/// What the policy takes for a token that it knows, from the request to the consumer.
fn known(pem: &str, token: &str) -> Result<Duration, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("key.pem"), pem)?;
    let config =
        json!({"issuer": "https://id.example", "audience": ["orders"], "keys": [{"pem": "key.pem"}], "keep": true});
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let around = Surroundings {
        base: Path::new(folder.path()),
        slow: runtime.handle(),
        keyrings: None,
    };
    let policy = Jwt::new(&serde_json::from_value(config)?, &around)?;
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], 80));
    let connection = Rc::new(Connection::new(local, local, None, false));
    let id = RequestId::new(b"1").ok_or("it is a name")?;
    let mut cx = Ctx::new(connection, id, Instant::now(), SystemTime::now());
    let mut request = Request::new(Method::Get, Target::parse(b"/").map_err(|_| "it is a target")?);
    for name in ["Host", "User-Agent", "Accept", "Accept-Encoding"] {
        request.headers.append(name, "something of a usual length");
    }
    request.headers.append("Authorization", format!("Bearer {token}"));
    let mut judge = || {
        let verdict = policy.judge(&mut cx, black_box(&mut request));
        assert!(matches!(verdict, Verdict::Known(_)));
    };
    Ok((0..ROUNDS).map(|_| each(5000, &mut judge)).min().unwrap_or_default())
}

/// How long one of so many takes.
fn each(times: u32, mut work: impl FnMut()) -> Duration {
    let began = Instant::now();
    for _ in 0..times {
        work();
    }
    began.elapsed() / times
}
