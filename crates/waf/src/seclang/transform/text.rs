//! Transformations of white space, comments and commands.

/// White space as the language has it: as in C, and the no-break space of Latin-1.
pub(super) fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0xa0)
}

pub(super) fn trim_start(value: &[u8]) -> &[u8] {
    let from = value.iter().position(|byte| !is_white(*byte)).unwrap_or(value.len());
    &value[from..]
}

pub(super) fn trim_end(value: &[u8]) -> &[u8] {
    let to = value.iter().rposition(|byte| !is_white(*byte)).map_or(0, |at| at + 1);
    &value[..to]
}

/// Makes one space of each run of white space.
pub(super) fn compress_whitespace(value: &[u8], out: &mut Vec<u8>) {
    let mut within = false;
    for byte in value {
        let white = is_white(*byte);
        match (white, within) {
            (true, true) => {}
            (true, false) => out.push(b' '),
            (false, _) => out.push(*byte),
        }
        within = white;
    }
}

/// Undoes what a shell ignores: removes quotes, backslashes and carets, makes one space of commas, semicolons and white
/// space, removes the spaces before `/` and `(`, and makes letters small.
pub(super) fn command_line(value: &[u8], out: &mut Vec<u8>) {
    let mut space = false;
    for byte in value {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => {
                if !space {
                    out.push(b' ');
                    space = true;
                }
            }
            b'/' | b'(' => {
                if space {
                    out.pop();
                }
                space = false;
                out.push(*byte);
            }
            byte => {
                space = false;
                out.push(byte.to_ascii_lowercase());
            }
        }
    }
}

/// Makes one space of each `/* */`; of one that isn't closed, too.
pub(super) fn replace_comments(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(start) = memchr::memmem::find(rest, b"/*") {
        out.extend_from_slice(&rest[..start]);
        out.push(b' ');
        rest = match memchr::memmem::find(&rest[start + 2..], b"*/") {
            Some(end) => &rest[start + 2 + end + 2..],
            None => &[],
        };
    }
    out.extend_from_slice(rest);
}

/// Removes `/* */` and `<!-- -->`, and all that follows `--` or `#`.
pub(super) fn remove_comments(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(first) = rest.first() {
        let closing: &[u8] = if rest.starts_with(b"/*") {
            b"*/"
        } else if rest.starts_with(b"<!--") {
            b"-->"
        } else if rest.starts_with(b"--") || *first == b'#' {
            return;
        } else {
            out.push(*first);
            rest = &rest[1..];
            continue;
        };
        rest = match memchr::memmem::find(&rest[2..], closing) {
            Some(end) => &rest[2 + end + closing.len()..],
            None => &[],
        };
    }
}

/// Removes the signs of comments and keeps what is in them.
pub(super) fn remove_comment_signs(value: &[u8], out: &mut Vec<u8>) {
    let signs: [&[u8]; 6] = [b"/*", b"*/", b"<!--", b"-->", b"--", b"#"];
    let mut rest = value;
    while let Some(first) = rest.first() {
        match signs.iter().find(|sign| rest.starts_with(sign)) {
            Some(sign) => rest = &rest[sign.len()..],
            None => {
                out.push(*first);
                rest = &rest[1..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::seclang::transform::tests::check;

    #[test]
    fn white_space_is_taken_together_or_away() {
        check("compressWhitespace", b" a \t\n b\xa0\xa0c", b" a b c");
        check("removeWhitespace", b" a \t\n b\xa0", b"ab");
        check("trim", b"\n a b\t", b"a b");
        check("trimLeft", b"\n a b\t", b"a b\t");
        check("trimRight", b" \t", b"");
    }

    #[test]
    fn commands_lose_their_disguise() {
        check("cmdLine", b"C^OMMAND /c  DIR", b"command/c dir");
        check("cmdLine", b"\"c\\a't;, /etc", b"cat/etc");
        check("cmdLine", b"a,;b (", b"a b(");
    }

    #[test]
    fn comments_go() {
        check("replaceComments", b"a/* x */b/**/c/*", b"a b c ");
        check("replaceComments", b"a/b*/c", b"a/b*/c");
        check("removeComments", b"a/* x */b<!--y-->c--d", b"abc");
        check("removeComments", b"a#b", b"a");
        check("removeCommentsChar", b"a/*b*/c--d#e<!--f-->", b"abcdef");
    }
}
