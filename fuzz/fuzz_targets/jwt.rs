//! Nothing but what was signed is let in, and neither tokens nor sets of keys can make anything panic.
//!
//! A line feed parts a set of keys, which is also tried as PEM and as a secret, from a token.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portcullis_jose::algorithm::{Algorithm, Algorithms};
use portcullis_jose::claims::Rules;
use portcullis_jose::key::Key;
use portcullis_jose::keys::Keys;
use portcullis_jose::token::LONGEST;

/// A secret that the input can't know tokens of: it is not in the seeds.
static OURS: LazyLock<Keys> = LazyLock::new(|| {
    let all = Algorithms::of(&Algorithm::ALL);
    let secret: Vec<u8> = (0_u8..64).map(|nth| nth.wrapping_mul(167) ^ 0x5a).collect();
    Keys::new(vec![Key::from_secret(&secret, Some(all)).expect("it is long enough")])
});

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (written, token) = (&input[..end], &input[end..]);
    let token = token.strip_prefix(b"\n").unwrap_or(token);
    let rules = Rules::default();
    assert!(OURS.verify(token, &rules, 0).is_err(), "a token was forged");
    if let Ok(keys) = Keys::from_jwks(written, None) {
        check(&keys, token, &rules);
    }
    let _ = Key::from_pem(written, None);
    if let Ok(key) = Key::from_secret(written, None) {
        check(&Keys::new(vec![key]), token, &rules);
    }
});

/// What is verified has one way to be written, and an algorithm that a key has.
fn check(keys: &Keys, token: &[u8], rules: &Rules) {
    let Ok((header, _)) = keys.verify_signature(token) else {
        assert!(keys.verify(token, rules, 0).is_err(), "claims don't mend a signature");
        return;
    };
    assert!(token.len() <= LONGEST && token.is_ascii());
    assert_eq!(token.iter().filter(|byte| **byte == b'.').count(), 2);
    assert!(
        keys.iter()
            .any(|key| key.algorithms().any(|own| own == header.algorithm))
    );
    if let Ok(verified) = keys.verify(token, rules, 0) {
        assert!(verified.expires.is_some(), "it must expire");
    }
}
