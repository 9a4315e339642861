//! An answer, as far as it is here, and the form in which one is kept.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use portcullis_core::headers::is_token;
use portcullis_core::{Body, BodyStream, Frame, Headers, Result};

/// The content of an answer.
pub(super) enum Collected {
    /// All of it.
    Whole(Bytes),
    /// What came until it was clear that it is too much to keep, and the rest.
    Part(Part),
}

/// Content of which the first pieces are here.
pub(super) struct Part {
    first: VecDeque<Frame>,
    rest: Body,
}

impl Collected {
    /// Collects content up to `limit` bytes; a stream not at all.
    ///
    /// # Errors
    /// What the content itself reports.
    pub(super) async fn of(mut rest: Body, limit: u64, is_stream: bool) -> Result<Collected> {
        let mut first = VecDeque::new();
        let mut size = 0;
        let mut fits = !is_stream && rest.remaining().is_none_or(|bytes| bytes <= limit);
        while fits {
            match rest.frame().await.transpose()? {
                Some(frame) => {
                    fits = match &frame {
                        Frame::Data(data) => {
                            size += data.len() as u64;
                            size <= limit
                        }
                        // Trailers are not kept, and what had some is not repeated without them.
                        Frame::Trailers(_) => false,
                    };
                    first.push_back(frame);
                }
                None => return Ok(Collected::Whole(whole(first))),
            }
        }
        Ok(Collected::Part(Part { first, rest }))
    }

    pub(super) fn into_body(self) -> Body {
        match self {
            Collected::Whole(content) => Body::from(content),
            Collected::Part(part) if part.first.is_empty() => part.rest,
            Collected::Part(part) => Body::Stream(Box::new(part)),
        }
    }
}

impl BodyStream for Part {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        match self.first.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => self.rest.poll_frame(cx),
        }
    }

    fn remaining(&self) -> Option<u64> {
        let here = self.first.iter().map(|frame| match frame {
            Frame::Data(data) => data.len() as u64,
            Frame::Trailers(_) => 0,
        });
        Some(self.rest.remaining()? + here.sum::<u64>())
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.rest.poll_background(cx);
    }
}

fn whole(mut frames: VecDeque<Frame>) -> Bytes {
    if frames.len() == 1
        && let Some(Frame::Data(data)) = frames.pop_front()
    {
        return data;
    }
    let data = frames.iter().filter_map(|frame| match frame {
        Frame::Data(data) => Some(&**data),
        Frame::Trailers(_) => None,
    });
    data.collect::<Vec<_>>().concat().into()
}

/// The fields as lines of a head.
pub(super) fn written(headers: &Headers) -> Vec<u8> {
    let mut lines = Vec::new();
    headers.write_lines(&mut lines, 0);
    lines
}

/// The fields of such lines. What is no field is passed over: a store that somebody wrote into is not to be trusted.
pub(super) fn read(lines: &[u8]) -> Headers {
    let mut headers = Headers::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(at) = line.windows(2).position(|pair| pair == b": ") else {
            continue;
        };
        let (name, value) = (&line[..at], &line[at + 2..]);
        if let Ok(name) = std::str::from_utf8(name)
            && is_token(name.as_bytes())
        {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::trial::now;

    /// Pieces of content, one after the other.
    struct Pieces(VecDeque<Frame>);

    impl BodyStream for Pieces {
        fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    fn pieces(texts: &[&'static str], trailers: bool) -> Body {
        let data = texts
            .iter()
            .map(|text| Frame::Data(Bytes::from_static(text.as_bytes())));
        let trailers = trailers.then(|| Frame::Trailers(Headers::new()));
        Body::Stream(Box::new(Pieces(data.chain(trailers).collect())))
    }

    #[test]
    fn what_fits_is_whole_and_what_does_not_goes_on() {
        for (body, limit, stream, whole) in [
            (Body::Empty, 0, false, true),
            (Body::from("abc"), 3, false, true),
            (Body::from("abc"), 2, false, false),
            (pieces(&["a", "bc"], false), 3, false, true),
            (pieces(&["a", "bc"], false), 2, false, false),
            (pieces(&["a", "bc"], true), 3, false, false),
            (pieces(&["a", "bc"], false), 3, true, false),
        ] {
            let empty = body.is_empty();
            let collected = now(Collected::of(body, limit, stream)).unwrap();
            assert_eq!(matches!(collected, Collected::Whole(_)), whole);
            let all = now(collected.into_body().read_to_end(10)).unwrap();
            assert_eq!(all, if empty { "" } else { "abc" });
        }
    }

    #[test]
    fn fields_are_read_as_they_were_written() {
        let mut headers = Headers::new();
        headers.append("Content-Type", "text/plain");
        headers.append("Set-Cookie", "a=b: c");
        headers.append("Set-Cookie", "");
        headers.append("X-Bytes", b"\xFF");
        let again = read(&written(&headers));
        let fields = |headers: &Headers| {
            let fields = headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
            fields.collect::<Vec<_>>()
        };
        assert_eq!(fields(&again), fields(&headers));
        assert!(read(b"no field\r\na b: c\r\n: d\r\n").is_empty());
    }
}
