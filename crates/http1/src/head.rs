//! What the heads of requests and responses share: their limits, the search for their end, their fields.

use std::mem::MaybeUninit;

use portcullis_core::headers::MAX_FIELDS;
use portcullis_core::{Headers, codes};

use crate::refusal::Refusal;
use crate::request::{self, RequestHead};

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// The most bytes of the whole head, from the first line to the empty one.
    pub head_bytes: usize,
    /// The most bytes of a request's target.
    pub target_bytes: usize,
    /// The most fields, at most [`MAX_FIELDS`]; also of a trailer section.
    pub fields: usize,
}

/// How many fields a parser has room for on its stack. A limit above this costs an allocation where it is used up.
pub(crate) const FIELDS_ON_STACK: usize = 256;

/// The longest method that is told apart from garbage.
pub const METHOD_BYTES: usize = 32;

/// The two empty lines that may stand before a request line.
pub(crate) const EMPTY_LINE_BYTES: usize = 4;

/// What a request line may hold beside its target: empty lines before it, the method, two spaces, the version and
/// its line break.
pub(crate) const REQUEST_LINE_BYTES: usize = EMPTY_LINE_BYTES + METHOD_BYTES + 2 + 8 + 2;

/// Tells whether it is worth parsing a head that arrives in pieces.
///
/// Most heads arrive whole, so that the first try costs nothing. After a try that found the head incomplete only the
/// bytes that are new are looked at: a head that trickles in costs what it costs at once, not its square.
#[derive(Debug)]
pub struct HeadScanner {
    /// Up to here empty lines are no end, and the limit of a request's target counts.
    passed_over: usize,
    tried: bool,
    line_at: usize,
    scanned: usize,
}

impl Default for HeadScanner {
    fn default() -> HeadScanner {
        HeadScanner::new()
    }
}

impl HeadScanner {
    /// A scanner at the start of a request's head, before which up to two empty lines may stand.
    pub const fn new() -> HeadScanner {
        HeadScanner {
            passed_over: EMPTY_LINE_BYTES,
            tried: false,
            line_at: 0,
            scanned: 0,
        }
    }

    /// A scanner at the start of a response's head or of a trailer section.
    pub const fn strict() -> HeadScanner {
        HeadScanner {
            passed_over: 0,
            tried: false,
            line_at: 0,
            scanned: 0,
        }
    }

    /// Whether a parse of `input` can tell more than "incomplete". `input` starts with the first byte of the head in
    /// every call and only grows between them.
    pub fn ready(&mut self, input: &[u8], limits: &HeadLimits) -> bool {
        if !self.tried {
            self.tried = !input.is_empty();
            return self.tried;
        }
        while let Some(found) = memchr::memchr(b'\n', &input[self.scanned..]) {
            let line_feed = self.scanned + found;
            let line_at = std::mem::replace(&mut self.line_at, line_feed + 1);
            self.scanned = line_feed + 1;
            match &input[line_at..line_feed] {
                b"\r" if line_at < self.passed_over => {}
                b"\r" => return true,
                [.., b'\r'] => {}
                // A bare line feed: the parser refuses it.
                _ => return true,
            }
        }
        self.scanned = input.len();
        let most = if self.line_at < self.passed_over {
            limits
                .head_bytes
                .min(limits.target_bytes.saturating_add(REQUEST_LINE_BYTES))
        } else {
            limits.head_bytes
        };
        input.len() > most
    }

    /// Parses a request's head where that can tell more than the last try; see [`request::parse`]. Ready for the
    /// next head after it found one.
    ///
    /// # Errors
    /// As [`request::parse`].
    pub fn parse(&mut self, input: &[u8], limits: &HeadLimits) -> Result<Option<(RequestHead, usize)>, Refusal> {
        if !self.ready(input, limits) {
            return Ok(None);
        }
        let parsed = request::parse(input, limits)?;
        if parsed.is_some() {
            *self = HeadScanner::new();
        }
        Ok(parsed)
    }
}

/// Room on the stack for as many fields as `limits` allow there.
pub(crate) type FieldRoom<'b> = [MaybeUninit<httparse::Header<'b>>; FIELDS_ON_STACK];

impl HeadLimits {
    /// How many fields a first try may find.
    pub(crate) fn fields_on_stack(&self) -> usize {
        self.fields.min(FIELDS_ON_STACK)
    }

    /// How many fields a second try may find, where the first had room for too few.
    pub(crate) fn fields_on_heap(&self) -> Option<usize> {
        (self.fields > FIELDS_ON_STACK).then_some(self.fields.min(MAX_FIELDS))
    }
}

/// Copies the fields of a complete head. `head` ends with the empty line.
///
/// `httparse` takes a bare LF for the end of a line; here every line must end in CRLF (RFC 9112 §2.2 allows a
/// recipient to be lenient, and leniency is what smugglers live on).
pub(crate) fn fields(head: &[u8], parsed: &[httparse::Header<'_>]) -> Result<Headers, Refusal> {
    let base = head.as_ptr() as usize;
    let at = |part: &[u8]| part.as_ptr() as usize - base;
    if !head.ends_with(b"\r\n\r\n") {
        return Err(bare_line_feed());
    }
    let Some(first) = parsed.first() else {
        return Ok(Headers::new());
    };
    let start = at(first.name.as_bytes());
    let mut headers = Headers::over(&head[start..], parsed.len());
    for field in parsed {
        let name_at = at(field.name.as_bytes());
        // Nothing stands before the first field of a trailer section.
        if name_at > 0 && !head[..name_at].ends_with(b"\r\n") {
            return Err(bare_line_feed());
        }
        if field.name.len() > usize::from(u16::MAX) {
            return Err(Refusal::new(
                &codes::HEAD_TOO_LARGE,
                "a field name is longer than 64 KiB",
            ));
        }
        let name = name_at - start;
        let value = at(field.value) - start;
        headers.push_span(name..name + field.name.len(), value..value + field.value.len());
    }
    Ok(headers)
}

/// Whether a line of an incomplete head ends in a bare LF.
pub(crate) fn has_bare_line_feed(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r')
}

#[cold]
pub(crate) fn bare_line_feed() -> Refusal {
    Refusal::malformed("a line of the head ends in a bare line feed")
}

/// What `httparse` found wrong, but for the version and the number of fields.
#[cold]
pub(crate) fn malformed(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => Refusal::new(&codes::HEAD_TOO_LARGE, "there are too many header fields"),
        httparse::Error::HeaderName => Refusal::malformed("a field name is malformed or a field is folded"),
        httparse::Error::HeaderValue => Refusal::malformed("a field value holds a control character"),
        httparse::Error::NewLine => Refusal::malformed("a line of the head ends in a bare carriage return"),
        httparse::Error::Status | httparse::Error::Token | httparse::Error::Version => {
            Refusal::malformed("the first line is malformed")
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        head_bytes: 1024,
        target_bytes: 256,
        fields: 16,
    };

    /// At which lengths of the input, growing byte by byte, a parse is worth it.
    fn ready_at(mut scanner: HeadScanner, text: &str) -> Vec<usize> {
        (1..=text.len())
            .filter(|end| scanner.ready(&text.as_bytes()[..*end], &LIMITS))
            .collect()
    }

    #[test]
    fn a_head_that_trickles_in_is_parsed_twice() {
        let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(ready_at(HeadScanner::new(), text), [1, text.len()]);
        let late = format!("\r\n\r\n{text}");
        assert_eq!(ready_at(HeadScanner::new(), &late), [1, late.len()]);
        assert_eq!(ready_at(HeadScanner::strict(), "X: a\r\n\r\n"), [1, 8]);
        assert_eq!(ready_at(HeadScanner::strict(), "\r\n"), [1, 2]);
    }

    #[test]
    fn what_will_be_refused_is_parsed_at_once() {
        assert_eq!(ready_at(HeadScanner::new(), "GET / HTTP/1.1\n"), [1, 15]);
        assert_eq!(ready_at(HeadScanner::new(), "\r\n\r\n\r\n"), [1, 6]);
        let long_line = "a".repeat(LIMITS.target_bytes + REQUEST_LINE_BYTES + 1);
        assert_eq!(ready_at(HeadScanner::new(), &long_line), [1, long_line.len()]);
        let long_head = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(1006));
        assert_eq!(ready_at(HeadScanner::new(), &long_head), [1, LIMITS.head_bytes + 1]);
    }

    #[test]
    fn a_scanner_reads_one_head_after_the_other() {
        let mut scanner = HeadScanner::new();
        let text = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut at = 0;
        let mut targets = Vec::new();
        for end in 1..=text.len() {
            if let Some((head, len)) = scanner.parse(&text[at..end], &LIMITS).unwrap() {
                targets.push(head.target.to_string());
                at += len;
            }
        }
        assert_eq!(targets, ["/a", "/b"]);
    }
}
