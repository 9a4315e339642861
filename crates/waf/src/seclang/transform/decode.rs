//! Undoing what hides text from rules: escapes of URLs, scripts, style sheets, markup and SQL. What is not a whole escape
//! stays as it is, since somebody behind us may take it so.

use super::encode::{hex_byte, hex_digit};

/// Undoes percent-encoding; `%uHHHH` too where `unicode`.
pub(super) fn url(value: &[u8], out: &mut Vec<u8>, unicode: bool) {
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        let (byte, length) = match (first, after) {
            (b'+', _) => (b' ', 1),
            (b'%', [b'u' | b'U', a, b, c, d, ..]) if unicode => match four_digits([*a, *b, *c, *d]) {
                Some(point) => (to_byte(point), 6),
                None => (b'%', 1),
            },
            (b'%', [high, low, ..]) => hex_byte(*high, *low).map_or((b'%', 1), |byte| (byte, 3)),
            (byte, _) => (*byte, 1),
        };
        out.push(byte);
        rest = &rest[length..];
    }
}

fn four_digits(digits: [u8; 4]) -> Option<u16> {
    digits
        .into_iter()
        .try_fold(0, |number, digit| Some(number << 4 | u16::from(hex_digit(digit)?)))
}

/// The byte that servers with one byte for each character make of a character: ASCII of what looks like it, else the low half.
fn to_byte(point: u16) -> u8 {
    match point {
        // The fullwidth forms of ASCII.
        0xff01..=0xff5e => (point - 0xff01 + 0x21).to_le_bytes()[0],
        0x2018 | 0x2019 | 0x201b | 0x2032 | 0x02b9 | 0x02bc => b'\'',
        0x201c..=0x201e | 0x2033 | 0x02ba => b'"',
        0x2039 | 0x2329 | 0x3008 => b'<',
        0x203a | 0x232a | 0x3009 => b'>',
        0x2044 | 0x2215 => b'/',
        0x2010..=0x2015 | 0x2212 => b'-',
        0x2000..=0x200a | 0x3000 => b' ',
        _ => point.to_le_bytes()[0],
    }
}

/// Undoes the escapes of a JavaScript string; an unknown one loses its backslash.
pub(super) fn javascript(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        let (byte, length) = match (first, after) {
            (b'\\', [b'u', a, b, c, d, ..]) if four_digits([*a, *b, *c, *d]).is_some() => {
                (four_digits([*a, *b, *c, *d]).map_or(0, to_byte), 6)
            }
            (b'\\', [b'x', high, low, ..]) if hex_byte(*high, *low).is_some() => {
                (hex_byte(*high, *low).unwrap_or_default(), 4)
            }
            (b'\\', [b'0'..=b'7', ..]) => {
                let (byte, digits) = octal(after);
                (byte, 1 + digits)
            }
            (b'\\', [escaped, ..]) => (control(*escaped).unwrap_or(*escaped), 2),
            (byte, _) => (*byte, 1),
        };
        out.push(byte);
        rest = &rest[length..];
    }
}

/// Undoes the escapes of C; an unknown one stays.
pub(super) fn escape_sequences(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        let (byte, length) = match (first, after) {
            (b'\\', [b'x' | b'X', high, low, ..]) if hex_byte(*high, *low).is_some() => {
                (hex_byte(*high, *low).unwrap_or_default(), 4)
            }
            (b'\\', [b'0'..=b'7', ..]) => {
                let (byte, digits) = octal(after);
                (byte, 1 + digits)
            }
            (b'\\', [escaped @ (b'\\' | b'?' | b'\'' | b'"'), ..]) => (*escaped, 2),
            (b'\\', [escaped, ..]) => control(*escaped).map_or((b'\\', 1), |byte| (byte, 2)),
            (byte, _) => (*byte, 1),
        };
        out.push(byte);
        rest = &rest[length..];
    }
}

/// The byte of up to three octal digits, and how many they are.
fn octal(digits: &[u8]) -> (u8, usize) {
    let mut number = 0u8;
    let mut count = 0;
    for digit in digits.iter().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')) {
        let Some(next) = number.checked_mul(8) else {
            break;
        };
        number = next + (digit - b'0');
        count += 1;
    }
    (number, count)
}

fn control(escaped: u8) -> Option<u8> {
    Some(match escaped {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        _ => return None,
    })
}

/// Undoes the escapes of CSS (CSS Syntax §4.3.7): up to six digits and one white space behind them, or the byte itself.
pub(super) fn css(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        if *first != b'\\' {
            out.push(*first);
            rest = after;
            continue;
        }
        let digits = after.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
        rest = match after.split_first() {
            None | Some((b'\n', _)) => after.get(1..).unwrap_or_default(),
            Some((escaped, behind)) if digits == 0 => {
                out.push(*escaped);
                behind
            }
            Some(_) => {
                let digit = |number: u32, digit: &u8| number << 4 | u32::from(hex_digit(*digit).unwrap_or_default());
                let point = after[..digits].iter().fold(0, digit);
                out.push(to_byte((point & 0xffff).try_into().unwrap_or_default()));
                let behind = &after[digits..];
                let white = behind.first().is_some_and(u8::is_ascii_whitespace);
                &behind[usize::from(white)..]
            }
        };
    }
}

/// Undoes references of HTML: by number, and by the names of what attacks are made of. A reference by number or by one of
/// the oldest names needs no semicolon, as in browsers.
pub(super) fn html_entities(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        if *first == b'&'
            && let Some((byte, length)) = reference(after)
        {
            out.push(byte);
            rest = &after[length..];
            continue;
        }
        out.push(*first);
        rest = after;
    }
}

/// The byte of a reference and its length without the `&`.
fn reference(text: &[u8]) -> Option<(u8, usize)> {
    let (byte, length) = match text {
        [b'#', b'x' | b'X', digits @ ..] => by_number(digits, 16).map(|(byte, length)| (byte, length + 2))?,
        [b'#', digits @ ..] => by_number(digits, 10).map(|(byte, length)| (byte, length + 1))?,
        _ => by_name(text)?,
    };
    Some((byte, length + usize::from(text.get(length) == Some(&b';'))))
}

fn by_number(text: &[u8], radix: u32) -> Option<(u8, usize)> {
    let digits = text
        .iter()
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count();
    let digit = |byte: &u8| char::from(*byte).to_digit(radix).unwrap_or_default();
    let number = text[..digits].iter().fold(0u32, |number, byte| {
        number.wrapping_mul(radix).wrapping_add(digit(byte))
    });
    (digits > 0).then(|| (number.to_le_bytes()[0], digits))
}

fn by_name(text: &[u8]) -> Option<(u8, usize)> {
    const WITHOUT_SEMICOLON: &[(&str, u8)] = &[
        ("quot", b'"'),
        ("amp", b'&'),
        ("lt", b'<'),
        ("gt", b'>'),
        ("nbsp", 0xa0),
    ];
    const WITH_SEMICOLON: &[(&str, u8)] = &[
        ("Tab", b'\t'),
        ("NewLine", b'\n'),
        ("apos", b'\''),
        ("colon", b':'),
        ("semi", b';'),
        ("lpar", b'('),
        ("rpar", b')'),
        ("sol", b'/'),
        ("bsol", b'\\'),
        ("equals", b'='),
        ("grave", b'`'),
        ("period", b'.'),
        ("comma", b','),
        ("lbrack", b'['),
        ("rbrack", b']'),
        ("lowbar", b'_'),
        ("dollar", b'$'),
        ("plus", b'+'),
    ];
    let length = text
        .iter()
        .take(8)
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    let name = &text[..length];
    let found = |names: &[(&str, u8)]| {
        let found = names
            .iter()
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
        found.map(|(_, byte)| (*byte, length))
    };
    found(WITHOUT_SEMICOLON).or_else(|| {
        let closed = text.get(length) == Some(&b';');
        found(WITH_SEMICOLON).filter(|_| closed)
    })
}

/// Undoes the hexadecimal literals of SQL, such as `0x61`.
pub(super) fn sql_hex(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        let digits = match (first, after) {
            (b'0', [b'x' | b'X', digits @ ..]) => {
                digits.iter().take_while(|byte| byte.is_ascii_hexdigit()).count() & !1
            }
            _ => 0,
        };
        if digits == 0 {
            out.push(*first);
            rest = after;
            continue;
        }
        out.extend(
            after[1..=digits]
                .chunks_exact(2)
                .filter_map(|pair| hex_byte(pair[0], pair[1])),
        );
        rest = &after[1 + digits..];
    }
}

#[cfg(test)]
mod tests {
    use crate::seclang::transform::tests::check;

    #[test]
    fn urls_are_decoded_where_they_are_encoded() {
        check("urlDecode", b"a%20b+c%zz%4", b"a b c%zz%4");
        check("urlDecode", b"%u0041%00", b"%u0041\0");
        check("urlDecodeUni", b"%u0041%uff1c%u2019%uzz41%u00e9", b"A<'%uzz41\xe9");
        check("urlDecodeUni", b"%", b"%");
    }

    #[test]
    fn escapes_of_scripts_are_undone() {
        check("jsDecode", b"\\u0041\\x41\\101\\0\\n\\q\\uzz", b"AAA\0\nquzz");
        check("jsDecode", b"\\777\\uff1c\\", b"?7<\\");
        check("escapeSeqDecode", b"\\x41\\101\\n\\\\\\q\\", b"AA\n\\\\q\\");
    }

    #[test]
    fn escapes_of_style_sheets_are_undone() {
        check("cssDecode", b"\\6a avascript\\:\\00006Aa", b"javascript:ja");
        check("cssDecode", b"a\\\nb\\", b"ab");
        check("cssDecode", b"\\ff1c", b"<");
    }

    #[test]
    fn references_are_undone() {
        check("htmlEntityDecode", b"&lt;&LT&#60;&#x3c&#X3C;&quot;", b"<<<<<\"");
        check(
            "htmlEntityDecode",
            b"a&b&#;&#x;&colon;&colon &nbsp;",
            b"a&b&#;&#x;:&colon \xa0",
        );
        check("htmlEntityDecode", b"&", b"&");
    }

    #[test]
    fn literals_of_sql_are_undone() {
        check("sqlHexDecode", b"a 0x414243 0X6 0x", b"a ABC 0X6 0x");
    }
}
