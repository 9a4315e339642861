//! The answer to a call of gRPC: how it ended is told in its trailers, whatever happens.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};

use portcullis_core::{Body, BodyStream, Ctx, Error, Frame, Headers, Response, Result, grpc};

/// Watches over an answer: the log learns how the call ended, and a client learns of an answer that broke off by a status,
/// which says more than a reset stream. gRPC-Web that is passed on as it is has its trailers in the content, which nobody
/// reads here.
pub(super) fn watched(cx: &mut Ctx, mut response: Response) -> Response {
    if grpc::Kind::of(&response.headers) != Some(grpc::Kind::Grpc) {
        return response;
    }
    let status = Rc::new(Cell::new(grpc::told_status(&response.headers)));
    cx.upstream.grpc_status = Some(status.clone());
    if !response.body.is_empty() {
        let body = std::mem::take(&mut response.body);
        response.body = Body::Stream(Box::new(Watched { body, status }));
    }
    response
}

/// Content whose trailers are looked at.
struct Watched {
    body: Body,
    status: Rc<Cell<Option<u32>>>,
}

impl Watched {
    fn broken_off(&mut self, error: &Error) -> Frame {
        let status = grpc::Status::of(error.code());
        self.status.set(Some(status.number().into()));
        self.body = Body::Empty;
        let mut trailers = Headers::new();
        grpc::tell(&mut trailers, error);
        Frame::Trailers(trailers)
    }
}

impl BodyStream for Watched {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let frame = match self.body.poll_frame(cx) {
            Poll::Ready(Some(Ok(Frame::Trailers(trailers)))) => {
                self.status.set(grpc::told_status(&trailers));
                Frame::Trailers(trailers)
            }
            Poll::Ready(Some(Err(error))) => self.broken_off(&error),
            other => return other,
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn remaining(&self) -> Option<u64> {
        // What comes behind the content is not told by its length.
        None
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.body.poll_background(cx);
    }
}
