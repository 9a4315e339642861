//! Any value is an attack or not, without a panic; and an attack on SQL says by which tokens.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_waf::tokens;

fuzz_target!(|input: &[u8]| {
    if let Some(fingerprint) = tokens::sql_injection(input) {
        let letters = fingerprint.as_str();
        assert!(!letters.is_empty() && letters.is_ascii());
    }
    tokens::script(input);
});
