//! Digests, hexadecimal and Base64, and what makes bytes visible.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

const HEX: &[u8; 16] = b"0123456789abcdef";

pub(super) fn sha1(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&Sha1::digest(value));
}

pub(super) fn hex_encode(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// Decodes pairs of digits up to the first that is none.
pub(super) fn hex_decode(value: &[u8], out: &mut Vec<u8>) {
    out.extend(value.chunks_exact(2).map_while(|pair| hex_byte(pair[0], pair[1])));
}

/// The byte that two hexadecimal digits stand for.
pub(super) fn hex_byte(high: u8, low: u8) -> Option<u8> {
    Some(hex_digit(high)? << 4 | hex_digit(low)?)
}

/// What a hexadecimal digit stands for.
pub(super) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

pub(super) fn base64_encode(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(STANDARD.encode(value).as_bytes());
}

/// Decodes up to the first byte that Base64 doesn't have; a lenient decoder passes over such bytes.
pub(super) fn base64_decode(value: &[u8], out: &mut Vec<u8>, lenient: bool) {
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in value {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\r' | b'\n' => continue,
            _ if lenient => continue,
            _ => break,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count).to_le_bytes()[0]);
        }
    }
}

pub(super) fn url_encode(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b' ' => out.push(b'+'),
            b'*' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => out.push(*byte),
            byte => out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}

/// Writes characters beyond ASCII as `%uHHHH`, so that `urlDecodeUni` makes ASCII of those that look like it. Bytes that
/// are no UTF-8 stay; overlong forms are decoded, since servers exist that decode them.
pub(super) fn utf8_to_unicode(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(first) = rest.first() {
        let length = match first {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => 1,
        };
        let (point, length) = match rest.get(1..length) {
            Some(more) if length > 1 && more.iter().all(|byte| byte & 0xc0 == 0x80) => {
                let start = u32::from(first & (0x7f >> length));
                let point = more
                    .iter()
                    .fold(start, |point, byte| point << 6 | u32::from(byte & 0x3f));
                (Some(point), length)
            }
            _ => (None, 1),
        };
        match point {
            Some(point) => {
                let digits = if point > 0xffff { 5 } else { 4 };
                out.extend_from_slice(b"%u");
                out.extend((0..digits).rev().map(|digit| HEX[(point >> (4 * digit) & 15) as usize]));
            }
            None => out.push(*first),
        }
        rest = &rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use crate::seclang::transform::tests::check;

    #[test]
    fn encodings_are_made_and_undone() {
        check("hexEncode", b"a\xff", b"61ff");
        check("hexDecode", b"61fFxx", b"a\xff");
        check(
            "sha1",
            b"",
            b"\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09",
        );
        check("base64Encode", b"ab?", b"YWI/");
        check("base64Decode", b"YWI/", b"ab?");
        check("base64Decode", b"YWI=YWI=", b"ab");
        check("base64Decode", b"YW I/", b"a");
        check("base64DecodeExt", b"YW.I/", b"ab?");
        check("urlEncode", b"a b/", b"a+b%2f");
        check("utf8toUnicode", "aé€".as_bytes(), b"a%u00e9%u20ac");
        check("utf8toUnicode", b"\xc0\xbc\xff\xe2\x82", b"%u003c\xff\xe2\x82");
        check("utf8toUnicode", "😀".as_bytes(), b"%u1f600");
    }
}
