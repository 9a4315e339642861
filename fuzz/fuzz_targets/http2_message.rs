//! Whatever is taken for a request of HTTP/2 or HTTP/3 goes out by HTTP/1.1 as the same request, and nothing beside it.
//!
//! The input is lines: method, scheme, authority, target, and then fields.

#![no_main]

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use portcullis_core::{Headers, Known};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::hop_by_hop::strip_hop_by_hop;
use portcullis_http1::{HeadLimits, encode, request};
use portcullis_http2::message::{self, RequestHead};

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 2048,
    target_bytes: 512,
    fields: 32,
};

fuzz_target!(|input: &[u8]| {
    let Some(parts) = parts_of(input) else { return };
    if let Ok(head) = message::request_head(&parts, None, &LIMITS) {
        check_limits(&head);
        check_forwarding(head);
    }
    if let Ok(trailers) = message::received_trailers(&parts.headers, &LIMITS) {
        // What may come as a trailer may go as one.
        assert_eq!(message::written_trailers(&trailers).len(), trailers.len());
    }
});

fn parts_of(input: &[u8]) -> Option<Parts> {
    let mut lines = input.split(|byte| *byte == b'\n');
    let method = Method::from_bytes(lines.next()?).ok()?;
    let (scheme, authority, target) = (lines.next()?, lines.next()?, lines.next()?);
    let uri = if authority.is_empty() {
        Uri::try_from(target).ok()?
    } else {
        Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(target)
            .build()
            .ok()?
    };
    let mut request = http::Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_lowercase(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(&line[colon + 1..]).ok()?;
        request.headers_mut().append(name, value);
    }
    Some(request.into_parts().0)
}

fn check_limits(head: &RequestHead) {
    assert!(head.headers.len() <= LIMITS.fields + 1);
    assert!(head.target.as_str().len() <= LIMITS.target_bytes + 1);
    assert_eq!(head.headers.get_all(Known::Host).count(), 1);
    assert!(head.headers.get_all(Known::Cookie).count() <= 1);
    assert!(head.upgrade.is_none());
}

fn check_forwarding(mut head: RequestHead) {
    strip_hop_by_hop(&mut head.headers);
    let length = head.content_length.map_or(BodyLength::None, BodyLength::Sized);
    let mut out = Vec::new();
    encode::request(&mut out, &head.method, &head.target, &head.headers, b"", length, None);
    // What is written may be longer than what was read, by the framing that we write in full.
    let wide = HeadLimits {
        head_bytes: 1 << 20,
        target_bytes: 1 << 20,
        fields: 200,
    };
    let (again, len) = request::parse(&out, &wide).expect("it is valid").expect("it is whole");
    assert_eq!(len, out.len());
    assert_eq!((&again.method, &again.target), (&head.method, &head.target));
    assert!(again.body == length || (again.body.is_empty() && length.is_empty()));
    assert!(again.upgrade.is_none());
    let named = |headers: &Headers| headers.get(Known::Host).map(<[u8]>::to_vec);
    assert_eq!(named(&again.headers), named(&head.headers));
}
