//! Whatever is taken for a request is one: it is refused or taken the same however it arrives, stays within the
//! limits, and goes out in a form that nobody can take for anything else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_core::{Headers, Known, Version};
use portcullis_http1::hop_by_hop::strip_hop_by_hop;
use portcullis_http1::request::{self, RequestHead};
use portcullis_http1::{HeadLimits, HeadScanner, encode};

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 2048,
    target_bytes: 512,
    fields: 32,
};

fuzz_target!(|input: &[u8]| {
    let whole = request::parse(input, &LIMITS);
    let taken = check_arrival(input, &whole);
    if let Some((head, len)) = taken {
        assert!(len <= input.len());
        assert!(input[..len].ends_with(b"\r\n\r\n"));
        check_limits(&head, len);
        check_no_line_break(&head.headers);
        check_forwarding(head);
    }
});

/// The head that is taken, by one parse and by a scanner that sees it grow.
fn check_arrival(
    input: &[u8],
    whole: &Result<Option<(RequestHead, usize)>, portcullis_http1::Refusal>,
) -> Option<(RequestHead, usize)> {
    let mut scanner = HeadScanner::new();
    for end in 0..=input.len() {
        match scanner.parse(&input[..end], &LIMITS) {
            Ok(None) => {}
            Ok(Some((head, len))) => {
                let (expected, expected_len) = whole
                    .as_ref()
                    .expect("it is not refused")
                    .as_ref()
                    .expect("it is whole");
                assert_eq!((len, format!("{head:?}")), (*expected_len, format!("{expected:?}")));
                return Some((head, len));
            }
            Err(_) => {
                assert!(whole.is_err(), "what was refused early is not taken later");
                return None;
            }
        }
    }
    assert!(!matches!(whole, Ok(Some(_))), "what is whole is found");
    None
}

fn check_limits(head: &RequestHead, len: usize) {
    // The two empty lines before a head count for nothing.
    assert!(len <= LIMITS.head_bytes + 4);
    assert!(head.headers.len() <= LIMITS.fields + 1);
    assert!(head.target.as_str().len() <= LIMITS.target_bytes + 1);
    assert!(head.headers.contains(Known::Host) || head.version == Version::Http10);
}

fn check_no_line_break(headers: &Headers) {
    for (name, value) in headers.iter() {
        assert!(portcullis_core::headers::is_token(name.as_bytes()));
        assert!(
            !value
                .iter()
                .any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f)
        );
    }
}

fn check_forwarding(mut head: RequestHead) {
    strip_hop_by_hop(&mut head.headers);
    let mut out = Vec::new();
    let upgrade = head.upgrade.as_deref();
    encode::request(
        &mut out,
        &head.method,
        &head.target,
        &head.headers,
        b"",
        head.body,
        upgrade,
    );
    // What is written may be longer than what was read, by the framing that we write in full.
    let wide = HeadLimits {
        head_bytes: 1 << 20,
        target_bytes: 1 << 20,
        fields: 200,
    };
    let (again, len) = request::parse(&out, &wide).expect("it is valid").expect("it is whole");
    assert_eq!(len, out.len());
    assert_eq!((&again.method, &again.target), (&head.method, &head.target));
    assert_eq!(again.upgrade.as_deref(), upgrade);
    assert!(again.body == head.body || (again.body.is_empty() && head.body.is_empty()));
}
