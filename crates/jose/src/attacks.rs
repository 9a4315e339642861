//! What has been tried against verifiers of tokens, from RFC 8725 and published attacks. None of it may succeed.

mod forms;
mod keys;
mod signatures;

use serde_json::{Value, json};

use crate::algorithm::Algorithm;
use crate::claims::Rules;
use crate::keys::Keys;
use crate::refusal::Refusal;
use crate::signer::{self, token};
use crate::token::Verified;

const NOW: u64 = 1_800_000_000;

fn claims() -> Value {
    json!({"sub": "alice", "exp": NOW + 60})
}

/// The one key that verifies the algorithm, and says so.
fn keys(algorithm: Algorithm) -> Keys {
    let mut jwk = signer::jwk(algorithm);
    jwk["alg"] = algorithm.name().into();
    jwk["kid"] = "one".into();
    set(&[jwk])
}

fn set(jwks: &[Value]) -> Keys {
    Keys::from_jwks(json!({"keys": jwks}).to_string().as_bytes(), None).expect("the keys are good")
}

fn verify(keys: &Keys, token: &str) -> Result<Verified, Refusal> {
    keys.verify(token.as_bytes(), &Rules::default(), NOW)
}

#[track_caller]
fn check_refused(keys: &Keys, token: &str, refusal: &Refusal) {
    assert_eq!(
        &verify(keys, token).expect_err("it must be refused"),
        refusal,
        "{token}"
    );
}

/// A token with that header, and its good signature.
fn with_header(algorithm: Algorithm, header: &str) -> String {
    token(algorithm, header, &claims().to_string())
}
