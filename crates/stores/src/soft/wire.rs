//! The protocol of Redis (RESP, version 2), as much of it as is spoken here: commands out, replies in. No I/O.

use std::str::from_utf8;

/// The longest text in a reply; nothing that is asked for comes near it.
const LONGEST_TEXT: usize = 64 << 10;

/// The most values that a list in a reply may have.
const MOST_VALUES: usize = 1024;

/// How deep lists may be nested.
const DEEPEST: usize = 3;

/// The longest line: a number, or why something failed.
const LONGEST_LINE: usize = 4096;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Text(String),
    Failure(String),
    Number(i64),
    Nothing,
    List(Vec<Reply>),
}

/// What came is not of the protocol, or larger than anything that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Begins a command of so many parts.
pub(super) fn begin(out: &mut Vec<u8>, parts: usize) {
    push_head(out, b'*', parts);
}

/// Adds a part of a command.
pub(super) fn part(out: &mut Vec<u8>, text: &[u8]) {
    push_head(out, b'$', text.len());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Adds a whole command.
pub(super) fn command(out: &mut Vec<u8>, parts: &[&[u8]]) {
    begin(out, parts.len());
    for text in parts {
        part(out, text);
    }
}

fn push_head(out: &mut Vec<u8>, kind: u8, number: usize) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Reads the first reply, and says how long it is; `None` when it isn't whole yet.
pub(super) fn read(input: &[u8]) -> Result<Option<(Reply, usize)>, Malformed> {
    let mut reader = Reader { input, at: 0 };
    Ok(reader.value(0)?.map(|reply| (reply, reader.at)))
}

struct Reader<'i> {
    input: &'i [u8],
    at: usize,
}

impl<'i> Reader<'i> {
    fn value(&mut self, depth: usize) -> Result<Option<Reply>, Malformed> {
        let Some(line) = self.line()? else {
            return Ok(None);
        };
        let (kind, rest) = line.split_at_checked(1).ok_or(Malformed)?;
        Ok(Some(match kind {
            "+" => Reply::Text(rest.to_owned()),
            "-" => Reply::Failure(rest.to_owned()),
            ":" => Reply::Number(rest.parse().map_err(|_| Malformed)?),
            "$" if rest == "-1" => Reply::Nothing,
            "*" if rest == "-1" => Reply::Nothing,
            "$" => match self.text(length(rest, LONGEST_TEXT)?)? {
                Some(text) => Reply::Text(text),
                None => return Ok(None),
            },
            "*" if depth < DEEPEST => {
                let count = length(rest, MOST_VALUES)?;
                let mut list = Vec::with_capacity(count.min(16));
                for _ in 0..count {
                    match self.value(depth + 1)? {
                        Some(value) => list.push(value),
                        None => return Ok(None),
                    }
                }
                Reply::List(list)
            }
            _ => return Err(Malformed),
        }))
    }

    fn line(&mut self) -> Result<Option<&'i str>, Malformed> {
        let input: &'i [u8] = self.input;
        let rest = &input[self.at..];
        match rest.iter().position(|byte| *byte == b'\r') {
            Some(end) if end > LONGEST_LINE => Err(Malformed),
            Some(end) if end + 1 == rest.len() => Ok(None),
            Some(end) if rest[end + 1] == b'\n' => {
                self.at += end + 2;
                from_utf8(&rest[..end]).map(Some).map_err(|_| Malformed)
            }
            None if rest.len() <= LONGEST_LINE => Ok(None),
            _ => Err(Malformed),
        }
    }

    fn text(&mut self, length: usize) -> Result<Option<String>, Malformed> {
        let rest = &self.input[self.at..];
        if rest.len() < length + 2 {
            return Ok(None);
        }
        if &rest[length..length + 2] != b"\r\n" {
            return Err(Malformed);
        }
        self.at += length + 2;
        let text = from_utf8(&rest[..length]).map_err(|_| Malformed)?;
        Ok(Some(text.to_owned()))
    }
}

fn length(text: &str, most: usize) -> Result<usize, Malformed> {
    let length: usize = text.parse().map_err(|_| Malformed)?;
    if length > most { Err(Malformed) } else { Ok(length) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    #[test]
    fn commands_are_written() {
        let mut out = Vec::new();
        command(&mut out, &[b"GET", b"a\r\nb"]);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n");
    }

    #[test]
    fn replies_are_read_whole_or_not_at_all() {
        let list = |items: &[Reply]| Reply::List(items.to_vec());
        for (text, expected) in [
            ("+OK\r\n", Reply::Text("OK".to_owned())),
            ("-NOSCRIPT none\r\n", Reply::Failure("NOSCRIPT none".to_owned())),
            (":-7\r\n", Reply::Number(-7)),
            ("$-1\r\n", Reply::Nothing),
            ("*-1\r\n", Reply::Nothing),
            ("$4\r\na\r\nb\r\n", Reply::Text("a\r\nb".to_owned())),
            ("$0\r\n\r\n", Reply::Text(String::new())),
            ("*0\r\n", list(&[])),
            (
                "*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
                list(&[Reply::Number(1), list(&[Reply::Text("x".to_owned())])]),
            ),
        ] {
            for cut in 0..text.len() {
                assert_eq!(read(&text.as_bytes()[..cut]), Ok(None), "{text:?} up to {cut}");
            }
            let more = format!("{text}+more\r\n");
            assert_eq!(read(more.as_bytes()), Ok(Some((expected, text.len()))), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        let long = format!("+{}", "x".repeat(LONGEST_LINE + 1));
        for text in [
            "HTTP/1.1 400\r\n",
            "\r\n",
            ":x\r\n",
            "$-2\r\n",
            "$65537\r\n",
            "$1\r\nxyz",
            "*1025\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
            "+a\rb\r\n",
            &long,
        ] {
            assert_eq!(read(text.as_bytes()), Err(Malformed), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&bytes);
        }
    }
}
