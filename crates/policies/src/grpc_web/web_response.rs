//! Answers with their trailers in the content.

use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use portcullis_core::grpc::Kind;
use portcullis_core::{Body, BodyStream, Frame, Headers, Result};

/// The first byte of the frame that holds the trailers, uncompressed.
const TRAILERS: u8 = 0x80;

/// The body of an answer of gRPC as gRPC-Web has it.
pub(super) struct WebResponse {
    body: Body,
    kind: Kind,
    ended: bool,
}

impl WebResponse {
    /// Translates the body.
    pub(super) fn new(body: Body, kind: Kind) -> WebResponse {
        WebResponse {
            body,
            kind,
            ended: false,
        }
    }

    /// A piece as it goes out. Each is padded by itself, so that nothing of a message waits for the next one.
    fn written(&self, piece: Bytes) -> Frame {
        Frame::Data(if self.kind == Kind::WebText {
            STANDARD.encode(piece).into()
        } else {
            piece
        })
    }
}

impl BodyStream for WebResponse {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.body.poll_frame(cx).map(|frame| match frame {
            Some(Ok(Frame::Data(piece))) => Some(Ok(self.written(piece))),
            Some(Ok(Frame::Trailers(trailers))) => {
                self.ended = true;
                (!trailers.is_empty()).then(|| Ok(self.written(frame_of(&trailers))))
            }
            other => other,
        })
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.body.poll_background(cx);
    }
}

/// The frame that holds these trailers: lines as in a head of HTTP/1.1, names in small letters.
///
/// Binary values stay in Base64 in the text form as well. The document would have them without it there; but then a value
/// could hold a line break, and neither the clients nor the proxies that are in use do so.
fn frame_of(trailers: &Headers) -> Bytes {
    let mut frame = vec![TRAILERS, 0, 0, 0, 0];
    for (name, value) in trailers.iter() {
        frame.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
        frame.extend_from_slice(b": ");
        frame.extend_from_slice(value);
        frame.extend_from_slice(b"\r\n");
    }
    let length = u32::try_from(frame.len() - 5).expect("trailers are limited to far less than 4 GiB");
    frame[1..5].copy_from_slice(&length.to_be_bytes());
    frame.into()
}
