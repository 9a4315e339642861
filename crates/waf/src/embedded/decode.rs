//! What a value is coded in.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use memchr::memchr;

/// Longer values are not taken for something coded in Base64: they are files.
const LONGEST_BASE64: usize = 16 * 1024;

/// A value is decoded so often; who codes it more often hides it from the program, too.
const ROUNDS: usize = 2;

const PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDING);
const FOR_ADDRESSES: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDING);

/// Buffers for decoded values.
#[derive(Default)]
pub(super) struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Hands on what the value is when its codes are decoded, until one form is something.
    pub(super) fn forms<T>(&mut self, value: &[u8], mut judge: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
        let mut value = Cow::Borrowed(value);
        for _ in 0..ROUNDS {
            let decoded = percent(&value, false);
            let decoded = match escapes(&decoded) {
                Some(unescaped) => Cow::Owned(unescaped),
                None => decoded,
            };
            if *decoded == *value {
                break;
            }
            if let Some(found) = judge(&decoded) {
                return Some(found);
            }
            value = Cow::Owned(decoded.into_owned());
        }
        let decoded = self.base64(&value)?;
        judge(decoded)
    }

    /// The text that a value is in Base64, or `None` if it is none.
    pub(super) fn base64(&mut self, value: &[u8]) -> Option<&[u8]> {
        if !(12..=LONGEST_BASE64).contains(&value.len()) {
            return None;
        }
        let special = value.iter().find(|byte| matches!(byte, b'+' | b'/' | b'-' | b'_'));
        let engine = if matches!(special, Some(b'-' | b'_')) {
            &FOR_ADDRESSES
        } else {
            &STANDARD
        };
        self.buffer.clear();
        if value.contains(&b' ') {
            // The `+` of Base64 was taken for a space.
            let value: Vec<u8> = value
                .iter()
                .map(|byte| if *byte == b' ' { b'+' } else { *byte })
                .collect();
            engine.decode_vec(value, &mut self.buffer).ok()?;
        } else {
            engine.decode_vec(value, &mut self.buffer).ok()?;
        }
        let text = self
            .buffer
            .iter()
            .all(|byte| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r'));
        (text && str::from_utf8(&self.buffer).is_ok()).then_some(self.buffer.as_slice())
    }
}

/// Decodes `%41`, and `+` where it stands for a space. What isn't coded well is left as it is.
pub(super) fn percent(text: &[u8], plus: bool) -> Cow<'_, [u8]> {
    let coded = |byte: &u8| *byte == b'%' || (plus && *byte == b'+');
    let Some(first) = text.iter().position(coded) else {
        return Cow::Borrowed(text);
    };
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend_from_slice(&text[..first]);
    let mut rest = &text[first..];
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match (byte, behind) {
            (b'%', [high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                push_shortest(&mut decoded, hexadecimal(*high) << 4 | hexadecimal(*low));
                rest = &behind[2..];
            }
            (b'+', _) if plus => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
    }
    Cow::Owned(decoded)
}

/// Appends a byte. Two that are an overlong form of an ASCII character (`C0 AE` for a dot) become that character, as in programs that
/// don't refuse them.
fn push_shortest(decoded: &mut Vec<u8>, byte: u8) {
    match decoded.last_mut() {
        Some(last @ (0xc0 | 0xc1)) if (0x80..0xc0).contains(&byte) => *last = (*last & 1) << 6 | (byte & 0x3f),
        _ => decoded.push(byte),
    }
}

/// Decodes `\u0041` and `\x41`, if there are any.
fn escapes(text: &[u8]) -> Option<Vec<u8>> {
    memchr(b'\\', text)?;
    let mut decoded = Vec::with_capacity(text.len());
    let mut found = false;
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        let digits = match behind {
            [b'u', digits @ ..] if *byte == b'\\' => digits.get(..4),
            [b'x', digits @ ..] if *byte == b'\\' => digits.get(..2),
            _ => None,
        };
        match digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            Some(digits) => {
                let code = digits
                    .iter()
                    .fold(0, |code, digit| code << 4 | u32::from(hexadecimal(*digit)));
                push_character(&mut decoded, code);
                rest = &behind[1 + digits.len()..];
                found = true;
            }
            None => {
                decoded.push(*byte);
                rest = behind;
            }
        }
    }
    found.then_some(decoded)
}

/// Appends a character, or a replacement for half of one.
pub(super) fn push_character(text: &mut Vec<u8>, code: u32) {
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

pub(super) fn hexadecimal(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_coded_badly_is_left_as_it_is() {
        for (coded, plain) in [
            ("a%20b+c", "a b c"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%C0%AE%c0%af", "./"),
        ] {
            assert_eq!(*percent(coded.as_bytes(), true), *plain.as_bytes(), "{coded}");
        }
        assert_eq!(*percent(b"a+b", false), *b"a+b");
        assert_eq!(escapes(br"\u0027\x41\uzz\"), Some(br"'A\uzz\".to_vec()));
        assert_eq!(escapes(br"C:\temp"), None);
    }

    #[test]
    fn forms_are_decoded_twice_and_no_further() {
        let forms = |value: &str| {
            let mut forms = Vec::new();
            Decoder::default().forms(value.as_bytes(), |form| {
                forms.push(String::from_utf8_lossy(form).into_owned());
                None::<()>
            });
            forms
        };
        assert!(forms("plain").is_empty());
        assert_eq!(forms("%252527"), ["%2527", "%27"]);
        assert_eq!(forms("JyBvciAxPTEgLS0"), ["' or 1=1 --"]);
        assert!(forms("AAECAwQFBgcICQoL").is_empty(), "bytes are no text");
    }
}
