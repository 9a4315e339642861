//! A request and its answer, without I/O.

use std::io;
use std::time::Instant;

use bytes::BytesMut;
use portcullis_core::{Headers, Status};
use portcullis_http1::chunked::{Decoder, Found};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::response::{self, Outline};
use portcullis_http1::{HeadLimits, HeadScanner};

use crate::engine::failing;
use crate::engine::http1::heads::Heads;
use crate::flow::Wants;
use crate::outcome::{Answer, Failed, Failure};
use crate::request::Request;

/// How large the head of an answer may be.
const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 256 * 1024,
    target_bytes: 0,
    fields: 1024,
};

/// How far a request and its answer are.
pub(super) struct Exchange<'r> {
    unsent: &'r [u8],
    stopped: Option<Failed>,
    request: &'r Request,
    wants: Wants,
    state: State,
    /// What came and can't be understood before more comes; seldom anything.
    held: Vec<u8>,
    status: u16,
    headers: Option<Headers>,
    body: BytesMut,
    length: u64,
    may_follow: bool,
}

enum State {
    /// The head is still to come.
    Head(HeadScanner),
    /// So much content is still to come.
    Sized(u64),
    /// Content in chunks.
    Chunked(Box<Decoder>),
    /// Content as long as the connection lasts.
    UntilClose,
    /// It is whole.
    Whole,
}

impl<'r> Exchange<'r> {
    /// A request that is to be sent.
    pub(super) fn new(request: &'r Request, wants: Wants) -> Exchange<'r> {
        Exchange {
            unsent: &request.http1,
            stopped: None,
            request,
            wants,
            state: State::Head(HeadScanner::strict()),
            held: Vec::new(),
            status: 0,
            headers: None,
            body: BytesMut::new(),
            length: 0,
            may_follow: false,
        }
    }

    /// What is still to be written.
    pub(super) fn unsent(&self) -> &'r [u8] {
        self.unsent
    }

    /// So many bytes were written.
    pub(super) fn sent(&mut self, count: usize) {
        self.unsent = self.unsent.get(count..).unwrap_or_default();
    }

    /// Nothing more can be written.
    pub(super) fn stop_sending(&mut self, why: Failed) {
        self.unsent = &[];
        self.stopped.get_or_insert(why);
    }

    /// Whether the connection is good for another request.
    pub(super) fn may_follow(&self) -> bool {
        self.may_follow && self.unsent.is_empty() && self.stopped.is_none()
    }

    /// What came of it.
    pub(super) fn into_answer(self, sent: Instant) -> Answer {
        Answer {
            status: self.status,
            headers: self.headers,
            body: self.wants.body.map(|_| self.body.freeze()),
            length: self.length,
            sent,
        }
    }

    /// Takes in what came; whether the answer is whole now.
    ///
    /// # Errors
    /// With the class `protocol` when it is no answer.
    pub(super) fn take_in(&mut self, input: &[u8], heads: &mut Heads) -> Result<bool, Failed> {
        if self.held.is_empty() {
            let taken = self.understand(input, heads)?;
            self.held.extend_from_slice(&input[taken..]);
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(input);
            let taken = self.understand(&held, heads)?;
            held.drain(..taken);
            self.held = held;
        }
        let whole = matches!(self.state, State::Whole);
        if whole && !self.held.is_empty() {
            // Nothing was asked that this could be the answer to.
            self.may_follow = false;
        }
        Ok(whole)
    }

    /// The connection ended orderly.
    ///
    /// # Errors
    /// With the class `reset` when more should have come.
    pub(super) fn end_of_input(&mut self) -> Result<(), Failed> {
        match self.state {
            State::UntilClose | State::Whole => Ok(()),
            _ => Err(self.stopped.take().unwrap_or_else(|| self.cut_off())),
        }
    }

    /// The connection broke.
    pub(super) fn broken(&mut self, error: &io::Error) -> Failed {
        self.stopped.take().unwrap_or_else(|| failing::exchanging(error))
    }

    #[cold]
    fn cut_off(&self) -> Failed {
        match self.state {
            State::Head(_) if self.held.is_empty() => failing::reset("connection closed before an answer"),
            _ => failing::reset("connection closed within an answer"),
        }
    }

    /// Understands as much as can be, and says how much that is.
    fn understand(&mut self, input: &[u8], heads: &mut Heads) -> Result<usize, Failed> {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            match &mut self.state {
                State::Head(scanner) => {
                    if !scanner.ready(rest, &LIMITS) {
                        return Ok(at);
                    }
                    let Some(len) = self.head(rest, heads)? else {
                        return Ok(at);
                    };
                    at += len;
                }
                State::Sized(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= count as u64;
                    if *left == 0 {
                        self.state = State::Whole;
                    }
                    self.content(&rest[..count]);
                    return Ok(at + count);
                }
                State::Chunked(decoder) => match decoder
                    .find(rest)
                    .map_err(|refusal| failing::protocol(refusal.detail))?
                {
                    Found::NeedMore => return Ok(at),
                    Found::Data(range) => {
                        at += range.end;
                        self.content(&rest[range]);
                    }
                    Found::End { len, .. } => {
                        self.state = State::Whole;
                        return Ok(at + len);
                    }
                },
                State::UntilClose => {
                    self.content(rest);
                    return Ok(input.len());
                }
                State::Whole => return Ok(at),
            }
        }
    }

    /// Reads the head at the start of the input, and says how long it is; nothing when it isn't whole yet.
    fn head(&mut self, input: &[u8], heads: &mut Heads) -> Result<Option<usize>, Failed> {
        let Some((outline, len)) = self.outline(input, heads)? else {
            return Ok(None);
        };
        if outline.status == Status::SWITCHING_PROTOCOLS {
            return Err(Failed::new(Failure::Protocol, "the server switches protocols, unasked"));
        }
        if outline.status.code() < 200 {
            // It announces the answer, which is still to come.
            self.state = State::Head(HeadScanner::strict());
            return Ok(Some(len));
        }
        self.status = outline.status.code();
        self.may_follow = outline.keep_alive;
        self.state = match outline.body {
            BodyLength::None | BodyLength::Sized(0) => State::Whole,
            BodyLength::Sized(length) => State::Sized(length),
            BodyLength::Chunked => State::Chunked(Box::new(Decoder::new(&LIMITS))),
            BodyLength::UntilClose => State::UntilClose,
        };
        Ok(Some(len))
    }

    fn outline(&mut self, input: &[u8], heads: &mut Heads) -> Result<Option<(Outline, usize)>, Failed> {
        let refused = |refusal: portcullis_http1::Refusal| failing::protocol(refusal.detail);
        let method = &self.request.method;
        if self.wants.headers {
            let read = response::parse(input, method, &LIMITS).map_err(refused)?;
            return Ok(read.map(|(head, len)| {
                self.headers = Some(head.headers);
                let (status, body, keep_alive) = (head.status, head.body, head.keep_alive);
                (
                    Outline {
                        status,
                        body,
                        keep_alive,
                    },
                    len,
                )
            }));
        }
        if let Some(known) = heads.find(self.request, input) {
            return Ok(Some(known));
        }
        let read = response::outline(input, method, &LIMITS).map_err(refused)?;
        if let Some((outline, len)) = read {
            heads.keep(self.request, &input[..len], outline);
        }
        Ok(read)
    }

    fn content(&mut self, content: &[u8]) {
        self.length += content.len() as u64;
        if let Some(most) = self.wants.body {
            let room = most.saturating_sub(self.body.len());
            self.body.extend_from_slice(&content[..content.len().min(room)]);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use bytes::Bytes;
    use portcullis_core::Method;

    use super::*;

    fn request(method: Method) -> Request {
        Request::new("localhost", method, "/", Headers::new(), Bytes::new()).unwrap()
    }

    const ALL: Wants = Wants {
        headers: true,
        body: Some(8),
    };

    /// Status, length, kept content and whether the connection lives on, however the answer is cut.
    #[track_caller]
    fn check(text: &str, whole: bool, expected: (u16, u64, &str, bool)) {
        let text = text.replace('\n', "\r\n");
        let (request, mut heads) = (request(Method::Get), Heads::default());
        for piece in 1..=text.len() {
            for wants in [Wants::default(), ALL] {
                let mut exchange = Exchange::new(&request, wants);
                exchange.sent(request.http1.len());
                let mut ended = false;
                for arrived in text.as_bytes().chunks(piece) {
                    ended = exchange.take_in(arrived, &mut heads).unwrap();
                }
                assert_eq!(ended, whole, "{text:?} by {piece}");
                exchange.end_of_input().unwrap();
                let follows = exchange.may_follow();
                let answer = exchange.into_answer(Instant::now());
                let body = answer.body.as_deref().unwrap_or(expected.2.as_bytes());
                let got = (
                    answer.status,
                    answer.length,
                    std::str::from_utf8(body).unwrap(),
                    follows,
                );
                assert_eq!(got, expected, "{text:?} by {piece}");
            }
        }
    }

    #[test]
    fn an_answer_is_understood_wherever_it_is_cut() {
        check("HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", true, (200, 3, "abc", true));
        check("HTTP/1.1 204 No\n\n", true, (204, 0, "", true));
        check(
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\nabc\n8\n12345678\n0\nX: y\n\n",
            true,
            (200, 11, "abc12345", true),
        );
        check(
            "HTTP/1.1 500 No\nConnection: close\n\nabc",
            false,
            (500, 3, "abc", false),
        );
        check(
            "HTTP/1.1 103 Early\nLink: x\n\nHTTP/1.1 404 No\nContent-Length: 0\n\n",
            true,
            (404, 0, "", true),
        );
    }

    #[test]
    fn what_comes_unasked_ends_the_connection() {
        let (request, mut heads) = (request(Method::Get), Heads::default());
        let mut exchange = Exchange::new(&request, Wants::default());
        exchange.sent(request.http1.len());
        assert!(
            exchange
                .take_in(b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1", &mut heads)
                .unwrap()
        );
        assert!(!exchange.may_follow());
    }

    #[test]
    fn what_is_no_answer_is_told_from_one_that_is_cut_off() {
        let (request, mut heads) = (request(Method::Get), Heads::default());
        for (text, kind) in [
            ("", Failure::Reset),
            ("HTTP/1.1 200 OK\r\nContent-", Failure::Reset),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", Failure::Reset),
            ("SSH-2.0-x\r\n", Failure::Protocol),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Failure::Protocol),
            ("HTTP/1.1 101 Now\r\n\r\n", Failure::Protocol),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                Failure::Protocol,
            ),
        ] {
            let mut exchange = Exchange::new(&request, Wants::default());
            let failed = match exchange.take_in(text.as_bytes(), &mut heads) {
                Ok(_) => exchange.end_of_input().unwrap_err(),
                Err(failed) => failed,
            };
            assert_eq!(failed.kind, kind, "{text:?}: {}", failed.why);
        }
    }

    #[test]
    fn what_was_read_before_writing_failed_counts() {
        let (request, mut heads) = (request(Method::Post), Heads::default());
        let mut exchange = Exchange::new(&request, Wants::default());
        exchange.stop_sending(failing::reset("connection reset"));
        assert!(
            exchange
                .take_in(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n", &mut heads)
                .unwrap()
        );
        assert!(!exchange.may_follow());
        assert_eq!(exchange.into_answer(Instant::now()).status, 413);
    }
}
