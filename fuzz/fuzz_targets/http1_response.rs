//! Whatever is taken for a response is one, ends where its fields say and nowhere else, and goes out in a form that
//! nobody can take for anything else.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_core::{Known, Method, Status};
use portcullis_http1::encode::{self, Persistence, ResponseLength};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::hop_by_hop::strip_hop_by_hop;
use portcullis_http1::response::{self, ResponseHead};
use portcullis_http1::{HeadLimits, HeadScanner};

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 2048,
    target_bytes: 0,
    fields: 32,
};

fuzz_target!(|input: &[u8]| {
    for asked_by in [Method::Get, Method::Head] {
        let whole = response::parse(input, &asked_by, &LIMITS);
        check_arrival(input, &asked_by, &whole);
        if let Ok(Some((head, len))) = whole {
            assert!(len <= input.len().min(LIMITS.head_bytes));
            check_length(&head, &asked_by);
            if asked_by == Method::Get && !head.status.is_bodyless() {
                check_forwarding(head);
            }
        }
    }
});

/// It makes no difference how the head arrives.
fn check_arrival(
    input: &[u8],
    asked_by: &Method,
    whole: &Result<Option<(ResponseHead, usize)>, portcullis_http1::Refusal>,
) {
    let mut scanner = HeadScanner::strict();
    for end in 0..=input.len() {
        if !scanner.ready(&input[..end], &LIMITS) {
            continue;
        }
        match response::parse(&input[..end], asked_by, &LIMITS) {
            Ok(None) => {}
            Ok(Some((_, len))) => {
                assert!(matches!(whole, Ok(Some((_, expected))) if *expected == len));
                return;
            }
            Err(_) => {
                assert!(whole.is_err(), "what was refused early is not taken later");
                return;
            }
        }
    }
    assert!(!matches!(whole, Ok(Some(_))), "what is whole is found");
}

fn check_length(head: &ResponseHead, asked_by: &Method) {
    let lengths = head.headers.get_all(Known::ContentLength).count();
    let codings = head.headers.get_all(Known::TransferEncoding).count();
    assert!(lengths + codings <= 1);
    match head.body {
        BodyLength::None => assert!(*asked_by == Method::Head || head.status.is_bodyless()),
        BodyLength::Sized(_) => assert_eq!(lengths, 1),
        BodyLength::Chunked => assert_eq!(codings, 1),
        BodyLength::UntilClose => {
            assert!(!head.keep_alive);
            assert!(lengths + codings == 0 || head.status == Status::SWITCHING_PROTOCOLS);
        }
    }
}

fn check_forwarding(mut head: ResponseHead) {
    strip_hop_by_hop(&mut head.headers);
    let mut out = Vec::new();
    let length = ResponseLength::Body(head.body);
    encode::response(&mut out, head.status, &head.headers, length, Persistence::Default);
    let wide = HeadLimits {
        head_bytes: 1 << 20,
        target_bytes: 0,
        fields: 200,
    };
    let (again, len) = response::parse(&out, &Method::Get, &wide)
        .expect("it is valid")
        .expect("it is whole");
    assert_eq!((len, again.status, again.body), (out.len(), head.status, head.body));
}
