//! Whatever passes the limits of JSON is JSON to others, too, and keeps the limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_config::policy::payload::{Duplicates, JsonLimits};
use portcullis_config::units::ByteSize;
use portcullis_policies::payload::fault::FaultKind;
use portcullis_policies::payload::json::check;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let small = JsonLimits {
        enabled: true,
        depth: 5,
        keys: 20,
        values: 40,
        string: ByteSize(30),
        key: 10,
        number: 12,
        duplicates: Duplicates::Refuse,
    };
    let judged = check(input, &small);
    let read = serde_json::from_slice::<Value>(input);
    match &judged {
        Ok(()) => {
            // A number beyond what a double holds is JSON all the same.
            let Ok(value) = &read else { return };
            assert!(depth(value) <= 5 && values(value) <= 40);
        }
        Err(fault) => {
            assert!(fault.at <= input.len() && fault.pointer.len() < 600);
            if fault.kind == FaultKind::Malformed {
                assert!(read.is_err(), "it is JSON: {fault:?}");
            }
        }
    }
    // Larger limits let more pass, never less.
    let large = JsonLimits {
        duplicates: Duplicates::Allow,
        ..JsonLimits::default()
    };
    assert!(judged.is_err() || check(input, &large).is_ok());
});

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn values(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(values).sum(),
        Value::Object(members) => members.values().map(values).sum(),
        _ => 0,
    }
}
