//! Chunks decode to the same content however they arrive, nothing is taken in vain, and the content survives being
//! encoded again.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use portcullis_core::Headers;
use portcullis_http1::HeadLimits;
use portcullis_http1::chunked::{Decoder, Event, encode_end, encode_size};

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 1024,
    target_bytes: 0,
    fields: 16,
};

// The first byte of the input is the size of the pieces in which the rest arrives.
fuzz_target!(|input: &[u8]| {
    let Some((piece, text)) = input.split_first() else {
        return;
    };
    let at_once = decode(text, text.len().max(1), &LIMITS);
    let in_pieces = decode(text, usize::from(*piece).max(1), &LIMITS);
    match (&at_once, &in_pieces) {
        (Some(at_once), Some(in_pieces)) => assert_eq!(format!("{at_once:?}"), format!("{in_pieces:?}")),
        // A trailer section that trickles in is looked at again when its end may be there.
        (Some(unfinished), None) | (None, Some(unfinished)) => assert!(unfinished.trailers.is_none()),
        (None, None) => {}
    }
    if let Some(Decoded {
        content,
        trailers: Some(trailers),
        ..
    }) = at_once
    {
        check_encoding(&content, &trailers);
    }
});

/// What came out of the input; no trailers where the end was not reached.
#[derive(Debug)]
struct Decoded {
    content: Vec<u8>,
    trailers: Option<Headers>,
    /// The bytes behind the end.
    left: usize,
}

/// Nothing for what is refused.
fn decode(text: &[u8], piece: usize, limits: &HeadLimits) -> Option<Decoded> {
    let mut decoder = Decoder::new(limits);
    let mut arrived = BytesMut::new();
    let mut content = Vec::new();
    let mut fed = 0;
    for part in text.chunks(piece) {
        arrived.extend_from_slice(part);
        fed += part.len();
        loop {
            let before = arrived.len();
            match decoder.decode(&mut arrived).ok()? {
                Event::NeedMore => {
                    assert_eq!(arrived.len(), before);
                    assert!(
                        before <= limits.head_bytes + 512,
                        "what is not understood yet is limited"
                    );
                    break;
                }
                Event::Data(data) => {
                    assert!(!data.is_empty() && data.len() <= before - arrived.len());
                    content.extend_from_slice(&data);
                }
                Event::End(trailers) => {
                    let left = text.len() - fed + arrived.len();
                    return Some(Decoded {
                        content,
                        trailers: Some(trailers),
                        left,
                    });
                }
            }
        }
    }
    Some(Decoded {
        content,
        trailers: None,
        left: 0,
    })
}

fn check_encoding(content: &[u8], trailers: &Headers) {
    let mut out = Vec::new();
    for piece in content.chunks(7) {
        encode_size(&mut out, piece.len());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    encode_end(&mut out, trailers);
    // What is written may be longer than what was read: a space comes after each colon.
    let wide = HeadLimits {
        head_bytes: 2 * LIMITS.head_bytes,
        ..LIMITS
    };
    let again = decode(&out, 3, &wide).expect("it is valid");
    let fields = |headers: &Headers| {
        headers
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!((&again.content[..], again.left), (content, 0));
    assert_eq!(again.trailers.as_ref().map(fields), Some(fields(trailers)));
}
