//! Strings and bytes in quotes.

use super::TokenKind;
use crate::problem::Problem;

/// What a literal begins with, before its quotes.
#[derive(Clone, Copy, Default)]
struct Prefix {
    raw: bool,
    bytes: bool,
}

/// The string or bytes at the start of `text` and the length of the literal; `None` where there is none.
pub(super) fn read(text: &str) -> Option<Result<(TokenKind, usize), Problem>> {
    let mut prefix = Prefix::default();
    let mut start = 0;
    let quote = loop {
        match text.as_bytes().get(start)? {
            b'r' | b'R' if !prefix.raw => prefix.raw = true,
            b'b' | b'B' if !prefix.bytes => prefix.bytes = true,
            quote @ (b'\'' | b'"') => break char::from(*quote),
            _ => return None,
        }
        start += 1;
    };
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let end = if text[start..].starts_with(&triple) {
        &triple[..]
    } else {
        &triple[..1]
    };
    Some(content(text, start + end.len(), end, prefix))
}

/// Reads from `at` to the closing quotes.
fn content(text: &str, mut at: usize, end: &str, prefix: Prefix) -> Result<(TokenKind, usize), Problem> {
    let mut out = Vec::new();
    loop {
        let rest = &text[at..];
        if rest.starts_with(end) {
            at += end.len();
            break;
        }
        let Some(next) = rest.chars().next() else {
            return Err(Problem::new(0, "the string has no closing quote"));
        };
        match next {
            '\\' if !prefix.raw => at += escape(rest, prefix.bytes, &mut out).map_err(|said| Problem::new(at, said))?,
            '\n' | '\r' if end.len() == 1 => {
                return Err(Problem::new(0, "the string has no closing quote on its line"));
            }
            _ => {
                out.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
                at += next.len_utf8();
            }
        }
    }
    if prefix.bytes {
        return Ok((TokenKind::Bytes(out), at));
    }
    let text = String::from_utf8(out).map_err(|_| Problem::new(0, "the string is not UTF-8"))?;
    Ok((TokenKind::String(text), at))
}

/// Reads an escape at the start of `text`, and tells its length.
fn escape(text: &str, bytes: bool, out: &mut Vec<u8>) -> Result<usize, &'static str> {
    let letter = text[1..].chars().next().ok_or("the string ends within an escape")?;
    let plain = match letter {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '?' => b'?',
        '"' => b'"',
        '\'' => b'\'',
        '`' => b'`',
        'x' | 'X' => return number(text, 2, 2, 16, bytes, out),
        'u' if !bytes => return number(text, 2, 4, 16, false, out),
        'U' if !bytes => return number(text, 2, 8, 16, false, out),
        '0'..='3' => return number(text, 1, 3, 8, bytes, out),
        _ => return Err("there is no such escape"),
    };
    out.push(plain);
    Ok(2)
}

/// Reads `count` digits from `start` on: a byte, or a character.
fn number(
    text: &str,
    start: usize,
    count: usize,
    radix: u32,
    byte: bool,
    out: &mut Vec<u8>,
) -> Result<usize, &'static str> {
    const SHORT: &str = "the escape has too few digits";
    let digits = text.get(start..start + count).ok_or(SHORT)?;
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(SHORT);
    }
    let value = u32::from_str_radix(digits, radix).map_err(|_| SHORT)?;
    if byte {
        out.push(u8::try_from(value).map_err(|_| "the escape is larger than a byte")?);
    } else {
        let character = char::from_u32(value).ok_or("the escape is no character")?;
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(start + count)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let (kind, len) = read(text).unwrap().unwrap();
        assert_eq!(kind, TokenKind::String(expected.to_owned()), "{text}");
        assert_eq!(len, text.len(), "{text}");
    }

    #[test]
    fn strings_have_escapes_unless_they_are_raw() {
        check(r#""a\n\x41\u00e9\U0001F600\101\"""#, "a\nAé😀A\"");
        check(r"r'a\n'", r"a\n");
        check("'''a\n'b' '''", "a\n'b' ");
        check("\"\"\"\"\"\"", "");
    }

    #[test]
    fn bytes_are_bytes() {
        for (text, expected) in [
            (r"b'\xff\377'", &[255, 255][..]),
            ("b'é'", "é".as_bytes()),
            (r"bR'\x'", br"\x"),
        ] {
            assert_eq!(
                read(text).unwrap().unwrap().0,
                TokenKind::Bytes(expected.to_vec()),
                "{text}"
            );
        }
    }

    #[test]
    fn broken_strings_are_refused() {
        for text in [
            "'",
            "'a",
            "'a\n'",
            r"'\q'",
            r"'\ud800'",
            r"'\x4'",
            r"'\u00'",
            r"b'\u0041'",
            r"'\",
            r"'\x4é'",
        ] {
            assert!(read(text).unwrap().is_err(), "{text}");
        }
        assert!(read("rb").is_none());
        assert!(read("rrr'a'").is_none());
    }
}
