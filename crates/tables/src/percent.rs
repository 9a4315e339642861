//! Percent-encoding, for query strings, names in paths and links (RFC 3986 §2.1).

use std::borrow::Cow;

/// Decodes a part of a query string, where `+` is a space. A `%` that no two hexadecimal digits follow stands for itself
/// (URL Standard §1.3): patterns such as `like.%x%` come as they are. `None` for what is not UTF-8.
pub(crate) fn decode_form(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    decoded(&text.replace('+', " "), true).map(Cow::Owned)
}

/// Decodes a part of a path. `None` for a broken encoding and for what is not UTF-8.
pub fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    decoded(text, false).map(Cow::Owned)
}

fn decoded(text: &str, lenient: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digit = |at: usize| char::from(*tail.get(at)?).to_digit(16);
        let pair = || Some(digit(0)? * 16 + digit(1)?);
        match (byte, pair()) {
            (b'%', Some(value)) => {
                bytes.push(u8::try_from(value).ok()?);
                rest = &tail[2..];
            }
            (b'%', None) if !lenient => return None,
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// Adds `text` to a path or query, encoding all but unreserved characters (RFC 3986 §2.3).
pub fn encode_into(path: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from(b"0123456789ABCDEF"[usize::from(value)]);
            path.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_form, encode_into};

    #[test]
    fn what_is_encoded_is_decoded_again() {
        for (text, expected) in [
            ("", ""),
            ("a b/ü,%\"", "a%20b%2F%C3%BC%2C%25%22"),
            ("+\0\u{10ffff}", "%2B%00%F4%8F%BF%BF"),
        ] {
            let mut encoded = String::new();
            encode_into(&mut encoded, text);
            assert_eq!(encoded, expected);
            assert_eq!(decode(&encoded).as_deref(), Some(text));
        }
    }

    #[test]
    fn broken_encodings_are_none() {
        for text in ["%", "%2", "%zz", "%ff", "a%", "a%2", "%é"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("a+b").as_deref(), Some("a+b"));
        assert_eq!(decode_form("a+b%2B").as_deref(), Some("a b+"));
        assert_eq!(decode_form("%plan%+%2").as_deref(), Some("%plan% %2"));
        assert_eq!(decode_form("%ff"), None);
    }
}
