//! Any value is an attack or not, without a panic, wherever it stands in a request; and an attack on SQL says by which tokens.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_waf::embedded::{self, Message};
use portcullis_waf::tokens;

fuzz_target!(|input: &[u8]| {
    if let Some(fingerprint) = tokens::sql_injection(input) {
        let letters = fingerprint.as_str();
        assert!(!letters.is_empty() && letters.is_ascii());
    }
    tokens::script(input);
    for media_type in [
        "application/json",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let found = embedded::judge(&Message {
            target: input,
            fields: &[("content-type", media_type.as_bytes()), ("cookie", input)],
            content: input,
        });
        assert!(found.is_none_or(|finding| finding.place.to_string().len() < 100));
    }
});
