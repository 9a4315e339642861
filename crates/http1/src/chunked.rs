//! The chunked transfer coding (RFC 9112 §7.1).

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use httparse::Status::{Complete, Partial};
use portcullis_core::{Headers, Known, codes};

use crate::encode;
use crate::head::{self, HeadLimits, HeadScanner};
use crate::refusal::Refusal;

/// The most digits of a chunk's size.
const SIZE_DIGITS: usize = 16;

/// The most bytes of one chunk's extensions.
const EXTENSION_BYTES: usize = 256;

/// How many bytes of extensions a message may have, however little content it carries. Beyond that it may have as
/// many as content: nothing that we know of sends any, and whoever makes us read them for nothing means harm.
const FREE_EXTENSION_BYTES: u64 = 8 * 1024;

/// The most fields of a trailer section, whatever the limit of a head is.
const TRAILER_FIELDS: usize = 64;

/// Fields that no trailer section may hold: they frame, route or authenticate the message, which has long begun
/// (RFC 9110 §6.5.1). They are dropped. A set of [`Known::bit`].
pub const NOT_TRAILERS: u64 = Known::Authorization.bit()
    | Known::CacheControl.bit()
    | Known::ClientCert.bit()
    | Known::ClientCertChain.bit()
    | Known::Connection.bit()
    | Known::ContentEncoding.bit()
    | Known::ContentLength.bit()
    | Known::ContentRange.bit()
    | Known::ContentType.bit()
    | Known::Cookie.bit()
    | Known::Expect.bit()
    | Known::Forwarded.bit()
    | Known::Host.bit()
    | Known::Http2Settings.bit()
    | Known::KeepAlive.bit()
    | Known::Location.bit()
    | Known::Origin.bit()
    | Known::ProxyAuthenticate.bit()
    | Known::ProxyAuthorization.bit()
    | Known::ProxyConnection.bit()
    | Known::Range.bit()
    | Known::SetCookie.bit()
    | Known::Te.bit()
    | Known::Trailer.bit()
    | Known::TransferEncoding.bit()
    | Known::Upgrade.bit()
    | Known::Via.bit()
    | Known::WwwAuthenticate.bit()
    | Known::Traceparent.bit()
    | Known::XConsumer.bit()
    | Known::XForwardedFor.bit()
    | Known::XForwardedHost.bit()
    | Known::XForwardedPort.bit()
    | Known::XForwardedProto.bit()
    | Known::XRequestId.bit();

/// Decodes the content of one message.
#[derive(Debug)]
pub struct Decoder {
    limits: HeadLimits,
    state: State,
    extension_bytes: u64,
    content_bytes: u64,
}

#[derive(Debug)]
enum State {
    /// A chunk's size line comes next, after the line break that ends the chunk before it.
    Size { after_data: bool },
    /// So many bytes of the chunk are still to come.
    Data(u64),
    /// The last chunk, whose size line is so long and still in the input, and trailers.
    Trailers { size_line: usize, scanner: HeadScanner },
    /// All was decoded.
    Ended,
}

/// What was found in the input.
#[derive(Debug)]
pub enum Event {
    /// More bytes are needed. Nothing was taken from the input.
    NeedMore,
    /// Some of the content; not empty.
    Data(Bytes),
    /// The end, with the trailer fields. What follows in the input is none of this message's.
    End(Headers),
}

/// What was found in the input, by its place.
#[derive(Debug)]
pub enum Found {
    /// More bytes are needed. Nothing was taken from the input.
    NeedMore,
    /// Some of the content; not empty. The input is taken up to its end.
    Data(Range<usize>),
    /// The end, with the trailer fields. What follows the first `len` bytes is none of this message's.
    End {
        /// The trailer fields.
        trailers: Headers,
        /// How much of the input belongs to it.
        len: usize,
    },
}

impl Decoder {
    /// A decoder at the start of the content. The limits hold for the trailer section.
    pub fn new(limits: &HeadLimits) -> Decoder {
        Decoder {
            limits: *limits,
            state: State::Size { after_data: false },
            extension_bytes: 0,
            content_bytes: 0,
        }
    }

    /// Takes the next event from the front of `input`, content without copying it. After [`Event::NeedMore`] the
    /// same input with more behind it is expected; it grows to no more than the limit of a head.
    ///
    /// # Errors
    /// Says why the content is refused. The decoder is of no more use then.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Event, Refusal> {
        match self.find(input)? {
            Found::NeedMore => Ok(Event::NeedMore),
            Found::Data(content) => {
                input.advance(content.start);
                Ok(Event::Data(input.split_to(content.len()).freeze()))
            }
            Found::End { trailers, len } => {
                input.advance(len);
                Ok(Event::End(trailers))
            }
        }
    }

    /// Finds the next event at the front of `input`, which may stay where it is. All that is found, and what stands before it, is
    /// taken: the next call expects the input that follows. After [`Found::NeedMore`] the same input with more behind it
    /// is expected; it grows to no more than the limit of a head.
    ///
    /// # Errors
    /// Says why the content is refused. The decoder is of no more use then.
    pub fn find(&mut self, input: &[u8]) -> Result<Found, Refusal> {
        let mut at = 0;
        loop {
            match &mut self.state {
                State::Data(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len() - at);
                    if count == 0 {
                        return Ok(Found::NeedMore);
                    }
                    *left -= count as u64;
                    if *left == 0 {
                        self.state = State::Size { after_data: true };
                    }
                    self.content_bytes = self.content_bytes.saturating_add(count as u64);
                    return Ok(Found::Data(at..at + count));
                }
                State::Size { after_data } => {
                    let Some(line) = SizeLine::read(input, *after_data)? else {
                        return Ok(Found::NeedMore);
                    };
                    if line.size > 0 && input.len() == line.len {
                        return Ok(Found::NeedMore);
                    }
                    self.count_extension(line.extension)?;
                    if line.size > 0 {
                        at = line.len;
                        self.state = State::Data(line.size);
                    } else {
                        self.state = State::Trailers {
                            size_line: line.len,
                            scanner: HeadScanner::strict(),
                        };
                    }
                }
                State::Trailers { size_line, scanner } => {
                    let section = &input[*size_line..];
                    if !scanner.ready(section, &self.limits) {
                        return Ok(Found::NeedMore);
                    }
                    let Some((trailers, len)) = read_trailers(section, &self.limits)? else {
                        return Ok(Found::NeedMore);
                    };
                    let len = *size_line + len;
                    self.state = State::Ended;
                    return Ok(Found::End { trailers, len });
                }
                State::Ended => {
                    return Ok(Found::End {
                        trailers: Headers::new(),
                        len: 0,
                    });
                }
            }
        }
    }

    fn count_extension(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.extension_bytes += bytes as u64;
        if self.extension_bytes > FREE_EXTENSION_BYTES.max(self.content_bytes) {
            return Err(Refusal::malformed("the chunk extensions are out of proportion"));
        }
        Ok(())
    }
}

struct SizeLine {
    /// Of the whole line with its break, and of the break before it.
    len: usize,
    size: u64,
    extension: usize,
}

impl SizeLine {
    /// Reads the line at the start of the input, or nothing when it is not whole yet.
    fn read(input: &[u8], after_data: bool) -> Result<Option<SizeLine>, Refusal> {
        let malformed = || Refusal::malformed("a chunk's size is malformed");
        let start = if after_data { 2 } else { 0 };
        let line_break = &input[..start.min(input.len())];
        if !b"\r\n".starts_with(line_break) {
            return Err(Refusal::malformed("a chunk does not end where its size says"));
        }
        let Some(line) = input.get(start..) else {
            return Ok(None);
        };
        let mut size = 0u64;
        let mut digits = 0;
        while let Some(digit) = line.get(digits).and_then(|byte| char::from(*byte).to_digit(16)) {
            digits += 1;
            if digits > SIZE_DIGITS {
                return Err(malformed());
            }
            size = size << 4 | u64::from(digit);
        }
        match line.get(digits) {
            None => return Ok(None),
            Some(b';' | b'\r') if digits > 0 => {}
            Some(_) => return Err(malformed()),
        }
        let rest = &line[digits..];
        let Some(extension) = rest.iter().position(|byte| !is_extension_byte(*byte)) else {
            return if rest.len() > EXTENSION_BYTES {
                Err(long_extension())
            } else {
                Ok(None)
            };
        };
        if extension > EXTENSION_BYTES {
            return Err(long_extension());
        }
        match &rest[extension..] {
            [b'\r', b'\n', ..] => Ok(Some(SizeLine {
                len: start + digits + extension + 2,
                size,
                extension,
            })),
            [b'\r'] => Ok(None),
            _ => Err(malformed()),
        }
    }
}

#[cold]
fn long_extension() -> Refusal {
    Refusal::malformed("a chunk extension is longer than 256 bytes")
}

/// What extensions are made of: tokens, quoted strings and the white space between them.
fn is_extension_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// Reads a trailer section with its empty line: the fields and the length, or nothing when it is not whole yet.
fn read_trailers(section: &[u8], limits: &HeadLimits) -> Result<Option<(Headers, usize)>, Refusal> {
    if section.starts_with(b"\r\n") {
        return Ok(Some((Headers::new(), 2)));
    }
    let too_long = || Refusal::new(&codes::HEAD_TOO_LARGE, "the trailer section is longer than the limit");
    let mut room = [httparse::EMPTY_HEADER; TRAILER_FIELDS];
    let most = limits.fields.min(TRAILER_FIELDS);
    match httparse::parse_headers(section, &mut room[..most]) {
        Ok(Complete((len, _))) if len > limits.head_bytes => Err(too_long()),
        Ok(Complete((len, parsed))) => {
            let mut trailers = head::fields(&section[..len], parsed)?;
            trailers.retain(|known, _, _| known.is_none_or(|known| NOT_TRAILERS & known.bit() == 0));
            Ok(Some((trailers, len)))
        }
        Ok(Partial) if head::has_bare_line_feed(section) => Err(head::bare_line_feed()),
        Ok(Partial) if section.len() > limits.head_bytes => Err(too_long()),
        Ok(Partial) => Ok(None),
        Err(error) => Err(head::malformed(error)),
    }
}

/// Appends the size line of a chunk of `len` bytes, which is followed by those bytes and CRLF. `len` is not 0.
pub fn encode_size(out: &mut Vec<u8>, len: usize) {
    debug_assert!(len > 0, "a chunk of no bytes would be the last");
    let digits = (usize::BITS - len.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[len >> (4 * place) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk and the trailer section.
pub fn encode_end(out: &mut Vec<u8>, trailers: &Headers) {
    out.extend_from_slice(b"0\r\n");
    encode::fields(out, trailers, NOT_TRAILERS);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        head_bytes: 1024,
        target_bytes: 0,
        fields: 16,
    };

    /// Content, trailers and what was left of the input, which arrives in pieces of `piece` bytes.
    fn decode(text: &[u8], piece: usize) -> Result<(Vec<u8>, Headers, Vec<u8>), Refusal> {
        let mut decoder = Decoder::new(&LIMITS);
        let mut input = BytesMut::new();
        let mut content = Vec::new();
        for arrived in text.chunks(piece) {
            input.extend_from_slice(arrived);
            loop {
                let before = input.len();
                match decoder.decode(&mut input)? {
                    Event::Data(data) => content.extend_from_slice(&data),
                    Event::End(trailers) => return Ok((content, trailers, input.to_vec())),
                    Event::NeedMore => {
                        assert_eq!(input.len(), before);
                        break;
                    }
                }
            }
        }
        panic!("incomplete: {}", text.escape_ascii());
    }

    #[track_caller]
    fn check(text: &str, content: &str, trailers: &[(&str, &[u8])]) {
        for piece in 1..=text.len() {
            let (got, fields, left) = decode(text.as_bytes(), piece).unwrap();
            assert_eq!(got, content.as_bytes(), "{text:?}");
            assert_eq!(fields.iter().collect::<Vec<_>>(), trailers, "{text:?}");
            assert!(left.is_empty(), "{text:?}");
        }
    }

    #[track_caller]
    fn check_refused(text: &str) {
        for piece in [1, text.len()] {
            let mut decoder = Decoder::new(&LIMITS);
            let mut input = BytesMut::new();
            let refused = text.as_bytes().chunks(piece).any(|arrived| {
                input.extend_from_slice(arrived);
                loop {
                    match decoder.decode(&mut input) {
                        Ok(Event::Data(_)) => {}
                        Ok(Event::NeedMore) => return false,
                        Ok(Event::End(_)) => panic!("{text:?} is taken"),
                        Err(_) => return true,
                    }
                }
            });
            assert!(refused, "{text:?} by {piece}");
        }
    }

    #[test]
    fn content_is_decoded_wherever_it_is_split() {
        check("0\r\n\r\n", "", &[]);
        check("c\r\nHellO world1\r\n0\r\n\r\n", "HellO world1", &[]);
        check(
            "000A\r\n0123456789\r\n1;a=\"b c\";d\r\nx\r\n00;e\r\n\r\n",
            "0123456789x",
            &[],
        );
        check("3\r\n\r\n0\r\n0\r\n\r\n", "\r\n0", &[]);
        check(
            "1\r\na\r\n0\r\nX-A: 1\r\nx-b:\r\n\r\n",
            "a",
            &[("X-A", b"1"), ("x-b", b"")],
        );
    }

    #[test]
    fn what_follows_is_left() {
        let (content, _, left) = decode(b"1\r\na\r\n0\r\n\r\nGET /", 100).unwrap();
        assert_eq!((&content[..], &left[..]), (&b"a"[..], &b"GET /"[..]));
    }

    #[test]
    fn trailers_can_not_frame_route_or_authenticate() {
        let text =
            "0\r\nContent-Length: 5\r\nX: y\r\nhost: b\r\nAuthorization: c\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(text, "", &[("X", b"y")]);
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for text in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\na",
            "0x1\r\na",
            " 1\r\na",
            "1 \r\na",
            "1 ;a\r\na",
            ";a\r\n",
            "1\na\r\n",
            "1\ra\r\n",
            "1\r\r\na",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na\rX",
            "1\r\na0\r\n\r\n",
            "1;a\nb\r\n",
            "1;a\0\r\n",
            "1;a\x7f\r\n",
            "1;\rb\r\n",
            "00000000000000001\r\na",
            "11111111111111111\r\n",
            "0\n\r\n",
            "0\r\n\n",
            "0\r\nX: a\n\r\n",
            "0\r\nX: a\r\n b\r\n\r\n",
            "0\r\nX : a\r\n\r\n",
            "0\r\n: a\r\n\r\n",
            "0\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            check_refused(text);
        }
    }

    #[test]
    fn the_largest_size_is_a_size() {
        let mut input = BytesMut::from("ffffffffffffffff\r\nab");
        let event = Decoder::new(&LIMITS).decode(&mut input).unwrap();
        assert!(matches!(event, Event::Data(data) if data == "ab"));
    }

    #[test]
    fn extensions_and_trailers_are_limited() {
        check_refused(&format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(256)));
        check_refused(&format!("1;{}", "x".repeat(300)));
        check_refused(&format!(
            "{}0\r\n\r\n",
            format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(42)
        ));
        let in_proportion = format!("ff;{}\r\n{}\r\n", "x".repeat(200), "a".repeat(255)).repeat(100);
        assert_eq!(
            decode(format!("{in_proportion}0\r\n\r\n").as_bytes(), 1000)
                .unwrap()
                .0
                .len(),
            25_500
        );
        check_refused(&format!("0\r\nX: {}\r\n\r\n", "a".repeat(1024)));
        check_refused(&format!("0\r\n{}\r\n", "X: a\r\n".repeat(17)));
    }

    #[test]
    fn chunks_are_encoded() {
        for (len, line) in [
            (1, "1\r\n"),
            (15, "f\r\n"),
            (16, "10\r\n"),
            (4096, "1000\r\n"),
            (0xabcde, "abcde\r\n"),
        ] {
            let mut out = Vec::new();
            encode_size(&mut out, len);
            assert_eq!(out, line.as_bytes());
        }
        let mut trailers = Headers::new();
        trailers.append("X", "a");
        trailers.append(Known::ContentLength, "5");
        let mut out = Vec::new();
        encode_end(&mut out, &trailers);
        assert_eq!(out, b"0\r\nX: a\r\n\r\n");
    }
}
