//! Addresses that are programs, however they are written.

/// Whether the value of an attribute is an address that runs something: a program, or a document that may hold one.
pub(super) fn runs(value: &[u8]) -> bool {
    starts_with(value, b"javascript:")
        || starts_with(value, b"vbscript:")
        || starts_with(value, b"livescript:")
        || starts_with(value, b"view-source:")
        || is_document(value)
        || is_half_decoded(value)
}

/// Something like `javas%26#99;ript:`, which another decoding makes a program of.
fn is_half_decoded(value: &[u8]) -> bool {
    let scheme = value.iter().take_while(|byte| !matches!(byte, b'/' | b'?' | b'.'));
    starts_with(value, b"java") && scheme.into_iter().any(|byte| matches!(byte, b':' | b'%' | b'&'))
}

/// Whether the whole input is a program's address: one that calls or assigns, for titles may begin so, too.
pub(super) fn is_program(input: &[u8]) -> bool {
    let known = [&b"javascript:"[..], b"vbscript:"]
        .into_iter()
        .find(|known| starts_with(input, known));
    let Some(known) = known else {
        return false;
    };
    let mut behind = Decoded::new(input).skip(known.len());
    let calls = |byte| matches!(byte, b'(' | b'`' | b'=' | b'[' | b'/');
    // White space is dropped within an address, so it is looked for as it was written.
    let colon = input.iter().position(|byte| *byte == b':');
    let title = colon.is_some_and(|colon| matches!(input.get(colon + 1), None | Some(b' ')));
    !title && behind.any(calls)
}

/// `data:` with something else than a picture, sound or film.
fn is_document(value: &[u8]) -> bool {
    const HARMLESS: &[&[u8]] = &[
        b"data:image/png",
        b"data:image/jpeg",
        b"data:image/jpg",
        b"data:image/gif",
        b"data:image/webp",
        b"data:image/avif",
        b"data:image/x-icon",
        b"data:image/bmp",
        b"data:audio/",
        b"data:video/",
        b"data:font/",
    ];
    starts_with(value, b"data:") && !HARMLESS.iter().any(|harmless| starts_with(value, harmless))
}

/// Whether the text begins so, in whatever case, when references are decoded and what browsers drop is dropped.
pub(super) fn starts_with(text: &[u8], beginning: &[u8]) -> bool {
    let mut text = Decoded::new(text);
    beginning.iter().all(|expected| text.next() == Some(*expected))
}

/// The letters of an address in lower case, without control characters and white space; other characters are NUL.
pub(super) struct Decoded<'a> {
    rest: &'a [u8],
}

impl<'a> Decoded<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Decoded { rest: text }
    }
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            let (letter, length) = decode(self.rest)?;
            self.rest = &self.rest[length..];
            if letter > b' ' && letter != 0x7f {
                return Some(letter.to_ascii_lowercase());
            }
        }
    }
}

/// The first character, decoded, and how many bytes it takes; `0xff` stands for all that aren't ASCII.
fn decode(text: &[u8]) -> Option<(u8, usize)> {
    let first = *text.first()?;
    if first != b'&' {
        return Some((first, 1));
    }
    if text.get(1) == Some(&b'#') {
        return Some(numeric(text).unwrap_or((b'&', 1)));
    }
    const NAMED: &[(&[u8], u8)] = &[
        (b"&tab;", b'\t'),
        (b"&newline;", b'\n'),
        (b"&colon;", b':'),
        (b"&lpar;", b'('),
        (b"&sol;", b'/'),
        (b"&period;", b'.'),
        (b"&amp;", b'&'),
    ];
    let named = NAMED.iter().find(|(name, _)| {
        text.get(..name.len())
            .is_some_and(|beginning| beginning.eq_ignore_ascii_case(name))
    });
    Some(named.map_or((b'&', 1), |(name, letter)| (*letter, name.len())))
}

/// `&#106;`, `&#x6a;`, with any number of zeros, and without the semicolon.
fn numeric(text: &[u8]) -> Option<(u8, usize)> {
    let (radix, prefix) = if matches!(text.get(2), Some(b'x' | b'X')) {
        (16, 3)
    } else {
        (10, 2)
    };
    let mut code: u32 = 0;
    let mut length = prefix;
    while let Some(digit) = text.get(length).and_then(|byte| char::from(*byte).to_digit(radix)) {
        code = code.saturating_mul(radix).saturating_add(digit);
        length += 1;
    }
    if length == prefix {
        return None;
    }
    let semicolon = usize::from(text.get(length) == Some(&b';'));
    let letter = u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(0xff);
    Some((letter, length + semicolon))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_decoded_as_browsers_do() {
        for (text, plain) in [
            ("JAVA\tscript:", "javascript:"),
            ("&#106&#0000097;&#x76;ascript&COLON;", "javascript:"),
            ("&#;&#x;&nothing;&", "&#;&#x;&nothing;&"),
            ("&#99999999999;a", "\u{ff}a"),
        ] {
            let decoded: Vec<u8> = Decoded::new(text.as_bytes()).collect();
            let expected: Vec<u8> = plain.chars().map(|letter| letter as u8).collect();
            assert_eq!(decoded, expected, "{text}");
        }
    }
}
