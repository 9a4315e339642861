//! The wrong key, or the right one for the wrong algorithm.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::{check_refused, claims, keys, set, verify, with_header};
use crate::algorithm::{Algorithm, Algorithms};
use crate::key::Key;
use crate::keys::Keys;
use crate::refusal::Refusal;
use crate::signer::{self, SECRET, encode, plain};

#[test]
fn a_public_key_is_never_a_secret() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps512, Algorithm::Es256, Algorithm::EdDsa] {
        let pem = signer::pem(algorithm);
        let jwk = signer::jwk(algorithm);
        let named = |name: &str| jwk[name].as_str().unwrap_or_default().to_owned();
        let secrets = [
            pem.clone(),
            pem.trim_end().to_owned(),
            pem.replace('\n', "\r\n"),
            jwk.to_string(),
            named("n"),
            named("x"),
            String::new(),
        ];
        for secret in secrets {
            for (mac, hash) in [
                (Algorithm::Hs256, hmac::HMAC_SHA256),
                (Algorithm::Hs512, hmac::HMAC_SHA512),
            ] {
                let header = json!({"alg": mac.name(), "kid": "one"}).to_string();
                let signed = format!("{}.{}", encode(header), encode(claims().to_string()));
                let tag = hmac::sign(&hmac::Key::new(hash, secret.as_bytes()), signed.as_bytes());
                check_refused(
                    &keys(algorithm),
                    &format!("{signed}.{}", encode(tag)),
                    &Refusal::Algorithm,
                );
            }
        }
        assert!(Key::from_secret(pem.as_bytes(), None).is_err());
        assert!(Key::from_secret(format!("  \n{pem}").as_bytes(), None).is_err());
    }
    assert!(Key::from_secret(b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ", None).is_err());
}

#[test]
fn a_key_has_its_own_algorithm_and_no_other() {
    for own in Algorithm::ALL {
        let keys = keys(own);
        for other in Algorithm::ALL.into_iter().filter(|other| *other != own) {
            check_refused(&keys, &plain(other, &claims()), &Refusal::Algorithm);
            // The header says the key's algorithm, the signature is by another one.
            let lie = with_header(other, &json!({"alg": own.name()}).to_string());
            check_refused(&keys, &lie, &Refusal::Signature);
        }
    }
}

#[test]
fn an_rsa_key_that_says_nothing_is_for_one_algorithm_unless_more_are_allowed() {
    let jwks = json!({"keys": [signer::jwk(Algorithm::Rs256)]}).to_string();
    let allowed = Algorithms::of(&[Algorithm::Ps256, Algorithm::Rs512, Algorithm::Es256]);
    let usual = Keys::from_jwks(jwks.as_bytes(), None).expect("the key is good");
    let chosen = Keys::from_jwks(jwks.as_bytes(), Some(allowed)).expect("the key is good");
    for algorithm in Algorithms::RSA.iter() {
        let token = plain(algorithm, &claims());
        assert_eq!(verify(&usual, &token).is_ok(), algorithm == Algorithm::Rs256);
        assert_eq!(verify(&chosen, &token).is_ok(), allowed.contains(algorithm));
    }
    let elliptic = Some(Algorithms::of(&[Algorithm::Es256, Algorithm::EdDsa]));
    assert!(Keys::from_jwks(jwks.as_bytes(), elliptic).is_err());
    assert!(Key::from_secret(SECRET, elliptic).is_err());
}

#[test]
fn a_kid_only_names_a_key() {
    let algorithm = Algorithm::Hs256;
    let named = keys(algorithm);
    let header = |id: &Value| json!({"alg": "HS256", "kid": id}).to_string();
    assert!(verify(&named, &with_header(algorithm, &header(&json!("one")))).is_ok());
    for id in [
        "../../../dev/null",
        "/proc/sys/kernel/randomize_va_space",
        "x' UNION SELECT '0123456789abcdef';--",
        "one\u{0}",
        "One",
        "one ",
        "",
        "file:///etc/passwd",
        "https://attacker.example/jwks.json",
        "$(id)",
        "ｏｎｅ",
    ] {
        check_refused(
            &named,
            &with_header(algorithm, &header(&json!(id))),
            &Refusal::UnknownKey,
        );
    }
    for id in [
        json!(null),
        json!(1),
        json!(["one"]),
        json!({"one": 1}),
        json!("x".repeat(1025)),
    ] {
        let refusal = verify(&named, &with_header(algorithm, &header(&id))).expect_err("it must be refused");
        assert!(matches!(refusal, Refusal::Header(_)), "{id}");
    }
}

#[test]
fn a_kid_of_another_key_does_not_help() {
    let mut first = signer::jwk(Algorithm::Rs256);
    let mut second = signer::jwk(Algorithm::Es256);
    first["kid"] = "first".into();
    second["kid"] = "second".into();
    let keys = set(&[first, second]);
    for (algorithm, id) in [(Algorithm::Rs256, "second"), (Algorithm::Es256, "first")] {
        let header = json!({"alg": algorithm.name(), "kid": id}).to_string();
        check_refused(&keys, &with_header(algorithm, &header), &Refusal::Algorithm);
        assert!(verify(&keys, &plain(algorithm, &claims())).is_ok());
    }
}

#[test]
fn which_key_is_meant_must_be_clear() {
    let mut jwk = signer::jwk(Algorithm::EdDsa);
    jwk["kid"] = "one".into();
    let mut same = jwk.clone();
    same["use"] = "sig".into();
    let twice = set(&[jwk.clone(), same]);
    let header = json!({"alg": "EdDSA", "kid": "one"}).to_string();
    let named = with_header(Algorithm::EdDsa, &header);
    check_refused(&twice, &named, &Refusal::AmbiguousKey);
    let many: Vec<Value> = (0..5)
        .map(|id| {
            jwk["kid"] = id.to_string().into();
            jwk.clone()
        })
        .collect();
    let unnamed = plain(Algorithm::EdDsa, &claims());
    assert!(verify(&set(&many[..4]), &unnamed).is_ok());
    check_refused(&set(&many), &unnamed, &Refusal::AmbiguousKey);
}

#[test]
fn keys_that_a_token_brings_are_not_looked_at() {
    let algorithm = Algorithm::Es256;
    let attackers = signer::jwk(algorithm);
    let mut ours = signer::jwk(Algorithm::Es384);
    ours["kid"] = "one".into();
    // Ours is another key under the same name, and one for the same algorithm that the attacker can't sign with.
    let mut same = signer::jwk(algorithm);
    same["x"] = "04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY".into();
    same["y"] = "UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw".into();
    let pem = signer::pem(algorithm);
    let certificate: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for (name, value) in [
        ("jwk", attackers.clone()),
        ("jku", json!("https://attacker.example/jwks.json")),
        ("x5u", json!("https://attacker.example/chain.pem")),
        ("x5c", json!([certificate])),
        ("x5t", json!("AAAA")),
    ] {
        let mut header = json!({"alg": "ES256", "kid": "one"});
        header[name] = value;
        let forged = with_header(algorithm, &header.to_string());
        check_refused(&set(std::slice::from_ref(&ours)), &forged, &Refusal::Algorithm);
        check_refused(&set(std::slice::from_ref(&same)), &forged, &Refusal::Signature);
        // Honest issuers write such members, too.
        assert!(
            verify(&set(std::slice::from_ref(&attackers)), &forged).is_ok(),
            "{name}"
        );
    }
}
