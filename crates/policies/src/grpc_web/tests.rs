#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use portcullis_core::{BodyStream, Error, Frame, Headers, Result, Status};
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;
use crate::trial::{exchange, request};

/// A message of gRPC: five bytes of framing, and content.
const MESSAGE: &[u8] = b"\0\0\0\0\x03abc";

/// A body in the pieces that a test has written down.
struct Pieces(VecDeque<Frame>);

impl BodyStream for Pieces {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

fn pieces(frames: impl IntoIterator<Item = Frame>) -> Body {
    Body::Stream(Box::new(Pieces(frames.into_iter().collect())))
}

fn data(bytes: &[u8]) -> Frame {
    Frame::Data(Bytes::copy_from_slice(bytes))
}

fn trailers(fields: &[(&str, &str)]) -> Frame {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.append(*name, value);
    }
    Frame::Trailers(headers)
}

/// All that a body holds: content, whether there are trailers, an error.
fn read(mut body: Body) -> (Vec<u8>, bool, Option<Error>) {
    let (mut content, mut has_trailers) = (Vec::new(), false);
    loop {
        match body.poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => panic!("the body waits for something"),
            Poll::Ready(None) => return (content, has_trailers, None),
            Poll::Ready(Some(Err(error))) => return (content, has_trailers, Some(error)),
            Poll::Ready(Some(Ok(Frame::Trailers(_)))) => has_trailers = true,
            Poll::Ready(Some(Ok(Frame::Data(data)))) => {
                assert!(!data.is_empty(), "a piece of nothing");
                content.extend_from_slice(&data);
            }
        }
    }
}

/// What the client got, and what the server saw.
fn send(request: Request, response: Response) -> (Result<Response>, Headers, Vec<u8>) {
    let policy: Arc<dyn Policy> = Arc::new(GrpcWeb);
    let trial = exchange(&policy, request, response);
    let (headers, content) = trial
        .seen
        .map_or_else(Default::default, |seen| (seen.headers, read(seen.body).0));
    (trial.result, headers, content)
}

fn call(content_type: &str, body: impl Into<Body>) -> Request {
    let mut request = request("POST", "/a.B/C", &[("Content-Type", content_type)]);
    request.body = body.into();
    request
}

fn answer(body: Body) -> Response {
    let mut response = Response::new(Status::OK).with_header(Known::ContentType, "application/grpc+proto");
    response.body = body;
    response
}

const STATUS: &[u8] = b"grpc-status: 0\r\ngrpc-message: \r\n";

/// An answer with one message and a status.
fn whole_answer() -> Response {
    answer(pieces([
        data(MESSAGE),
        trailers(&[("Grpc-Status", "0"), ("grpc-message", "")]),
    ]))
    .with_header(Known::Trailer, "Grpc-Status, Grpc-Message")
}

fn status_frame() -> Vec<u8> {
    [&[0x80, 0, 0, 0, u8::try_from(STATUS.len()).unwrap()], STATUS].concat()
}

#[test]
fn a_call_is_translated_both_ways() {
    let mut request = call("application/grpc-web+proto", MESSAGE.to_vec());
    request.headers.append(Known::Accept, "application/grpc-web+proto");
    let (result, headers, content) = send(request, whole_answer());
    assert_eq!(headers.get_str(Known::ContentType), Some("application/grpc+proto"));
    assert!(!headers.contains(Known::Accept));
    assert_eq!(content, MESSAGE);
    let response = result.unwrap();
    assert_eq!(
        response.headers.get_str(Known::ContentType),
        Some("application/grpc-web+proto")
    );
    assert!(!response.headers.contains(Known::Trailer));
    let (content, has_trailers, _) = read(response.body);
    assert_eq!(content, [MESSAGE, &status_frame()].concat());
    assert!(!has_trailers);
}

#[test]
fn text_is_base64_both_ways() {
    // Two messages, encoded one by one: there is padding in the middle.
    let encoded = STANDARD.encode(MESSAGE);
    assert!(encoded.ends_with('='));
    let request = call("application/grpc-web-text", format!("{encoded}{encoded}"));
    let (result, headers, content) = send(request, whole_answer());
    assert_eq!(headers.get_str(Known::ContentType), Some("application/grpc"));
    assert_eq!(content, [MESSAGE, MESSAGE].concat());
    let response = result.unwrap();
    assert_eq!(
        response.headers.get_str(Known::ContentType),
        Some("application/grpc-web-text+proto")
    );
    let expected = [encoded, STANDARD.encode(status_frame())].concat();
    assert_eq!(read(response.body).0, expected.as_bytes());
}

#[test]
fn accept_says_what_the_answer_is_written_in() {
    let mut request = call("application/grpc-web", MESSAGE.to_vec());
    request.headers.append(Known::Accept, "application/grpc-web-text");
    let response = send(request, whole_answer()).0.unwrap();
    assert_eq!(
        response.headers.get_str(Known::ContentType),
        Some("application/grpc-web-text+proto")
    );
    assert!(read(response.body).0.is_ascii());
}

#[test]
fn a_status_alone_stays_among_the_fields() {
    let only = answer(Body::Empty)
        .with_header("grpc-status", "5")
        .with_header("grpc-message", "no such row");
    let response = send(call("application/grpc-web", MESSAGE.to_vec()), only).0.unwrap();
    assert_eq!(response.headers.get_str("grpc-status"), Some("5"));
    assert_eq!(
        response.headers.get_str(Known::ContentType),
        Some("application/grpc-web+proto")
    );
    assert!(read(response.body).0.is_empty());
}

#[test]
fn what_is_not_grpc_web_passes_as_it_is() {
    let (result, headers, _) = send(call("application/grpc+proto", MESSAGE.to_vec()), whole_answer());
    assert_eq!(headers.get_str(Known::ContentType), Some("application/grpc+proto"));
    let response = result.unwrap();
    assert_eq!(
        response.headers.get_str(Known::ContentType),
        Some("application/grpc+proto")
    );
    let (content, has_trailers, _) = read(response.body);
    assert_eq!((content, has_trailers), (MESSAGE.to_vec(), true));

    let page = Response::new(Status::BAD_GATEWAY).with_body("text/html", "<p>");
    let response = send(call("application/grpc-web", MESSAGE.to_vec()), page).0.unwrap();
    assert_eq!(response.headers.get_str(Known::ContentType), Some("text/html"));
    assert_eq!(read(response.body).0, b"<p>");
}

#[test]
fn broken_base64_is_refused() {
    for broken in ["AAA", "AAAA AAAA", "A===", "====", "AA=A", "AAA*", "QUJDR", "QQ=="] {
        let result = send(call("application/grpc-web-text", broken), whole_answer()).0;
        // The last one is whole, to show that it is the content that matters.
        match result {
            Ok(_) => assert_eq!(broken, "QQ=="),
            Err(error) => assert_eq!(
                (error.code().name, error.policy()),
                ("bad_content", Some("grpc_web")),
                "{broken}"
            ),
        }
    }
}

proptest! {
    #[test]
    fn base64_is_decoded_however_it_is_cut(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
        cuts in proptest::collection::vec(1..9_usize, 0..80),
    ) {
        let encoded: String = parts.iter().map(|part| STANDARD.encode(part)).collect();
        let mut rest = encoded.as_bytes();
        let mut frames = Vec::new();
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            if !piece.is_empty() {
                frames.push(data(piece));
            }
            rest = after;
        }
        if !rest.is_empty() {
            frames.push(data(rest));
        }
        let (content, _, error) = read(text_request::decoded(pieces(frames)));
        prop_assert_eq!(error.map(|error| error.code().name), None);
        prop_assert_eq!(content, parts.concat());
    }
}
