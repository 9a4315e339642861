//! Requests in Base64.

use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use portcullis_core::{Body, BodyStream, Error, Frame, Result, codes};

/// Characters that make whole bytes together (RFC 4648 §4).
const QUANTUM: usize = 4;

/// A body as what its Base64 stands for. There may be padding anywhere, for a client encodes piece by piece.
pub(super) fn decoded(body: Body) -> Body {
    Body::Stream(Box::new(Decoded { body, held: Vec::new() }))
}

struct Decoded {
    body: Body,
    /// The beginning of a quantum: up to three characters.
    held: Vec<u8>,
}

impl BodyStream for Decoded {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        loop {
            let piece = match self.body.poll_frame(cx) {
                Poll::Ready(Some(Ok(Frame::Data(piece)))) => piece,
                Poll::Ready(None | Some(Ok(Frame::Trailers(_)))) if !self.held.is_empty() => {
                    return Poll::Ready(Some(Err(broken("the Base64 ends in the middle of a byte"))));
                }
                other => return other,
            };
            match self.decode(&piece) {
                // Some characters that don't make a byte yet.
                Ok(content) if content.is_empty() => {}
                result => return Poll::Ready(Some(result.map(Frame::Data))),
            }
        }
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.body.poll_background(cx);
    }
}

impl Decoded {
    fn decode(&mut self, piece: &[u8]) -> Result<Bytes> {
        let mut content = Vec::with_capacity((self.held.len() + piece.len()) / QUANTUM * 3);
        let mut rest = piece;
        if !self.held.is_empty() {
            let (completing, after) = rest.split_at(rest.len().min(QUANTUM - self.held.len()));
            self.held.extend_from_slice(completing);
            rest = after;
            if self.held.len() == QUANTUM {
                decode_quanta(&self.held, &mut content)?;
                self.held.clear();
            }
        }
        let (quanta, begun) = rest.split_at(rest.len() / QUANTUM * QUANTUM);
        decode_quanta(quanta, &mut content)?;
        self.held.extend_from_slice(begun);
        Ok(content.into())
    }
}

/// Decodes whole quanta, each of which may be padded.
fn decode_quanta(mut quanta: &[u8], content: &mut Vec<u8>) -> Result<()> {
    while !quanta.is_empty() {
        let padding = quanta.iter().position(|byte| *byte == b'=');
        let length = padding.map_or(quanta.len(), |at| at / QUANTUM * QUANTUM + QUANTUM);
        let (run, rest) = quanta.split_at(length);
        STANDARD
            .decode_vec(run, content)
            .map_err(|error| broken("the content is not Base64").with_cause(error.to_string()))?;
        quanta = rest;
    }
    Ok(())
}

fn broken(detail: &'static str) -> Error {
    Error::new(&codes::BAD_CONTENT)
        .with_detail(detail)
        .by_policy("grpc_web")
}
