//! How a request to one of two versions ended.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use portcullis_core::codes::Fault;
use portcullis_core::{Body, BodyStream, Ctx, Frame, Response, Result};

use super::{Progress, Which};

/// The lowest status that says that the server failed.
const FAILED: u16 = 500;

/// Statuses of gRPC that say so: UNKNOWN, `DEADLINE_EXCEEDED`, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, `DATA_LOSS`.
const FAILED_CALLS: [u32; 6] = [2, 4, 12, 13, 14, 15];

/// A request that is being answered. One that is dropped before it was took at least as long: a version whose clients give up
/// must not look quick, or as if nobody had asked it.
pub(super) struct Measured {
    progress: Arc<Progress>,
    which: Which,
    /// Until it is counted.
    started: Option<Instant>,
}

impl Measured {
    /// One that begins now.
    pub(super) fn begin(progress: Arc<Progress>, which: Which) -> Measured {
        Measured {
            progress,
            which,
            started: Some(Instant::now()),
        }
    }

    fn failed(&mut self) {
        if self.started.take().is_some() {
            self.progress.counters(self.which).add_error();
        }
    }

    fn succeeded(&mut self) {
        if let Some(started) = self.started.take() {
            self.progress.counters(self.which).add_answer(started.elapsed());
        }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.succeeded();
    }
}

/// Counts how the request was answered, and goes on to watch the answer's body.
pub(super) fn answered(mut measured: Measured, cx: &Ctx, result: Result<Response>) -> Result<Response> {
    let status = match &result {
        Ok(response) => response.status,
        Err(error) => error.status(),
    };
    if status.code() >= FAILED {
        measured.failed();
        return result;
    }
    measured.succeeded();
    let mut response = result?;
    let call = cx.upstream.grpc_status.clone();
    response.body = match response.body {
        Body::Stream(inner) => Body::Stream(Box::new(Watched {
            inner,
            progress: measured.progress.clone(),
            which: measured.which,
            call,
            broken: false,
        })),
        whole => {
            if has_failed(call.as_ref()) {
                measured.progress.counters(measured.which).add_error();
            }
            whole
        }
    };
    Ok(response)
}

fn has_failed(call: Option<&Rc<Cell<Option<u32>>>>) -> bool {
    let status = call.and_then(|status| status.get());
    status.is_some_and(|status| FAILED_CALLS.contains(&status))
}

/// A body that may break off, or end a call of gRPC in a failure. The request was counted as answered when it began; that it
/// failed is counted beside, since by then somebody may have looked at the counts.
struct Watched {
    inner: Box<dyn BodyStream>,
    progress: Arc<Progress>,
    which: Which,
    call: Option<Rc<Cell<Option<u32>>>>,
    broken: bool,
}

impl BodyStream for Watched {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let polled = self.inner.poll_frame(cx);
        // The rest of the request goes by here too, and may fail by the client's fault.
        if let Poll::Ready(Some(Err(error))) = &polled {
            self.broken = error.fault() == Fault::Upstream;
        }
        polled
    }

    fn remaining(&self) -> Option<u64> {
        self.inner.remaining()
    }

    fn poll_background(&mut self, cx: &mut Context<'_>) {
        self.inner.poll_background(cx);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.broken || has_failed(self.call.as_ref()) {
            self.progress.counters(self.which).add_error();
        }
    }
}
