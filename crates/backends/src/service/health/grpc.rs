//! The two messages of gRPC's health checking protocol, `grpc.health.v1.Health/Check`.
//!
//! They are so small that they are written and read here by hand: a request with the name of a service in field 1, and a
//! response with a status in field 1 (protobuf's encoding specification, and gRPC's PROTOCOL-HTTP2 for the frame).

use bytes::Bytes;

/// What is asked for.
pub(super) const PATH: &[u8] = b"/grpc.health.v1.Health/Check";

/// The status of a service that serves.
const SERVING: u64 = 1;

/// The tag of a request's field 1, which has a length.
const NAME: u8 = 1 << 3 | 2;

/// Wire types of protobuf.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

/// A request after this service; the empty name stands for the server as a whole.
pub(super) fn request(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(NAME);
        put_varint(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    // Not compressed, and the length.
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&message);
    frame.into()
}

/// Whether the content of a response says that the service serves.
///
/// # Errors
/// Says what it says instead.
pub(super) fn judge(content: &[u8]) -> Result<(), String> {
    let malformed = || "the response is no message of grpc.health.v1".to_owned();
    let (compressed, rest) = content.split_first().ok_or_else(malformed)?;
    let (length, message) = rest.split_at_checked(4).ok_or_else(malformed)?;
    let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    if *compressed != 0 || message.len() != length {
        return Err(malformed());
    }
    match status(message).ok_or_else(malformed)? {
        SERVING => Ok(()),
        0 => Err("its status is UNKNOWN".to_owned()),
        2 => Err("its status is NOT_SERVING".to_owned()),
        3 => Err("its status is SERVICE_UNKNOWN".to_owned()),
        other => Err(format!("its status is {other}")),
    }
}

/// The last value of field 1 in a message, which is 0 where there is none; nothing where it is malformed.
fn status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let tag = take_varint(&mut message)?;
        let skipped = match tag & 7 {
            VARINT => {
                let value = take_varint(&mut message)?;
                if tag >> 3 == 1 {
                    status = value;
                }
                0
            }
            FIXED64 => 8,
            LENGTH => usize::try_from(take_varint(&mut message)?).ok()?,
            FIXED32 => 4,
            _ => return None,
        };
        message = message.get(skipped..)?;
    }
    Some(status)
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_service() {
        assert_eq!(request("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(request("a.B")[..], [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'.', b'B']);
        let long = request(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]);
        assert_eq!(long.len(), 5 + 303);
    }

    #[test]
    fn only_serving_passes() {
        let judged = |message: &[u8]| {
            let length = u8::try_from(message.len()).expect("it is short");
            judge(&[&[0, 0, 0, 0, length], message].concat())
        };
        assert_eq!(judged(&[0x08, 1]), Ok(()));
        // Fields that we don't know, of every wire type, before and after it.
        let unknown = [
            &[0x12, 2, 7, 7, 0x08, 1, 0x1d, 1, 2, 3, 4, 0x21][..],
            &[0; 8],
            &[0x28, 0x80, 1],
        ]
        .concat();
        assert_eq!(judged(&unknown), Ok(()));
        for (message, part) in [
            (&[][..], "UNKNOWN"),
            (&[0x08, 0], "UNKNOWN"),
            (&[0x08, 2], "NOT_SERVING"),
            (&[0x08, 3], "SERVICE_UNKNOWN"),
            (&[0x08, 0x81, 1], "129"),
            (&[0x08], "no message"),
            (&[0x08, 0x80], "no message"),
            (&[0x12, 9, 1], "no message"),
            (&[0x0b, 1], "no message"),
            (
                &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                "no message",
            ),
        ] {
            let found = judged(message);
            assert!(
                found.as_ref().is_err_and(|why| why.contains(part)),
                "{message:?}: {found:?}"
            );
        }
        for content in [
            &b""[..],
            &[0, 0, 0],
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0, 0, 0, 3, 8, 1],
            &[0, 0, 0, 0, 2, 8, 1, 8],
        ] {
            assert!(judge(content).is_err(), "{content:?}");
        }
    }
}
