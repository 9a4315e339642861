//! `mirror`: a copy of a request for a service whose answer nobody waits for.
//!
//! The copy is sent by a task of its own once the request's whole body is there, which `mirror/tee.rs` writes down as it
//! passes to whoever answers. Nothing that becomes of the copy delays the client: where there is too much to write down, or
//! too many copies are under way, it is given up and counted.

mod tee;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use portcullis_config::route::mirror as written;
use portcullis_core::{Backend, Body, Ctx, Reply, Request};

use self::tee::Tee;
use crate::counts::{Count, Counts};

/// Copies that a worker may have under way, for all routes: as many bodies lie in its memory.
const MOST: u32 = 100;

/// The field by which a service can tell that nothing must come of a request.
const FIELD: &str = "X-Portcullis-Mirror";

/// A route's end whose requests another one gets a copy of.
pub struct Mirrored {
    end: Arc<dyn Backend>,
    mirror: Arc<Mirror>,
    /// Which share of the requests is copied, in thousandths.
    per_mille: u32,
    /// Bytes of a body at the most.
    body: u64,
}

/// Where copies go.
struct Mirror {
    end: Arc<dyn Backend>,
    timeout: Duration,
    results: Results,
}

/// What became of copies.
struct Results {
    answered: Arc<Count>,
    failed: Arc<Count>,
    timed_out: Arc<Count>,
    too_large: Arc<Count>,
    too_many: Arc<Count>,
    incomplete: Arc<Count>,
}

impl Results {
    fn of(service: &str, counts: &Counts) -> Results {
        Results {
            answered: counts.of(service, "answered"),
            failed: counts.of(service, "failed"),
            timed_out: counts.of(service, "timed_out"),
            too_large: counts.of(service, "too_large"),
            too_many: counts.of(service, "too_many"),
            incomplete: counts.of(service, "incomplete"),
        }
    }
}

impl Mirrored {
    /// Requests that `end` answers and `mirror` gets copies of. What becomes of the copies is counted by service and result.
    pub fn new(end: Arc<dyn Backend>, mirror: Arc<dyn Backend>, config: &written::Mirror, counts: &Counts) -> Mirrored {
        Mirrored {
            end,
            mirror: Arc::new(Mirror {
                end: mirror,
                timeout: config.timeout.0,
                results: Results::of(&config.service, counts),
            }),
            per_mille: config.percent.per_mille(),
            body: config.body.0,
        }
    }

    /// Makes a copy of the request, where it gets one, and sends it as soon as its body is there.
    fn copy(&self, cx: &Ctx, request: &mut Request) {
        if request.upgrade.is_some() || fastrand::u32(..1000) >= self.per_mille {
            return;
        }
        let results = &self.mirror.results;
        if request.body.remaining().is_some_and(|bytes| bytes > self.body) {
            return results.too_large.add();
        }
        let Some(slot) = Slot::take() else {
            return results.too_many.add();
        };
        let copy = Copy {
            mirror: self.mirror.clone(),
            cx: copy_of_context(cx),
            request: copy_of_head(request),
            _slot: slot,
        };
        match std::mem::take(&mut request.body) {
            Body::Empty => copy.send(Body::Empty),
            Body::Full(content) => {
                request.body = Body::Full(content.clone());
                copy.send(Body::Full(content));
            }
            Body::Stream(stream) => {
                request.body = Body::Stream(Box::new(Tee::new(stream, copy, self.body)));
            }
        }
    }
}

impl Backend for Mirrored {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request) -> Reply<'a> {
        // Only what we copied may pass for a copy.
        request.headers.remove(FIELD);
        self.copy(cx, &mut request);
        self.end.call(cx, request)
    }
}

/// A copy that is not sent yet.
struct Copy {
    mirror: Arc<Mirror>,
    cx: Ctx,
    request: Request,
    _slot: Slot,
}

impl Copy {
    /// Sends the copy with that body and forgets about it.
    fn send(mut self, body: Body) {
        self.request.body = body;
        tokio::task::spawn_local(async move {
            let Copy {
                mirror,
                mut cx,
                request,
                _slot,
            } = self;
            let answered = async {
                let mut body = mirror.end.call(&mut cx, request).await.ok()?.body;
                // Read to its end, so that the connection can be used again.
                while let Some(frame) = body.frame().await {
                    frame.ok()?;
                }
                Some(())
            };
            let results = &mirror.results;
            match tokio::time::timeout(mirror.timeout, answered).await {
                Ok(Some(())) => results.answered.add(),
                Ok(None) => results.failed.add(),
                Err(_) => results.timed_out.add(),
            }
        });
    }
}

/// The same of all that backends look at. Interim responses are nobody's.
fn copy_of_context(cx: &Ctx) -> Ctx {
    let mut copy = Ctx::new(cx.connection.clone(), cx.request_id, cx.started, cx.received);
    copy.client = cx.client;
    copy.scheme = cx.scheme;
    copy.route = cx.route;
    copy.params = cx.params.clone();
    copy.consumer = cx.consumer.clone();
    copy
}

fn copy_of_head(request: &Request) -> Request {
    let mut copy = Request::new(request.method.clone(), request.target.clone());
    copy.version = request.version;
    copy.headers = request.headers.clone();
    copy.headers.append(FIELD, "1");
    copy
}

/// One of the copies that a worker may have under way.
struct Slot;

thread_local! {
    static UNDER_WAY: Cell<u32> = const { Cell::new(0) };
}

impl Slot {
    fn take() -> Option<Slot> {
        let under_way = UNDER_WAY.get();
        (under_way < MOST).then(|| {
            UNDER_WAY.set(under_way + 1);
            Slot
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        UNDER_WAY.set(UNDER_WAY.get() - 1);
    }
}

#[cfg(test)]
mod tests;
