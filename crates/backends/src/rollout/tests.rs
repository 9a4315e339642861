//! What is counted of two versions.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use portcullis_core::codes::Code;
use portcullis_core::{Body, BodyStream, Error, Frame, Response, Result, Status, codes};
use portcullis_resilience::rollout::WHOLE;

use super::*;
use crate::split::client::tests::{context, request};

/// Does what the path says.
struct Fickle(&'static str);

impl Backend for Fickle {
    fn call<'a>(&'a self, cx: &'a mut Ctx, _: Request) -> Reply<'a> {
        let status = |code| Reply::from(Response::new(Status::new(code).expect("it has three digits")));
        match self.0 {
            "never" => Reply::later(pending()),
            "unreachable" => Reply::from(Error::new(&codes::UPSTREAM_REFUSED)),
            "breaks off" => {
                let mut response = Response::new(Status::OK);
                response.body = Body::Stream(Box::new(BreaksOff(&codes::UPSTREAM_CLOSED)));
                Reply::from(response)
            }
            "client breaks off" => {
                let mut response = Response::new(Status::OK);
                response.body = Body::Stream(Box::new(BreaksOff(&codes::CLIENT_GONE)));
                Reply::from(response)
            }
            "unavailable call" => {
                cx.upstream.grpc_status = Some(Rc::new(Cell::new(Some(14))));
                status(200)
            }
            code => status(code.parse().expect("it is a number")),
        }
    }
}

struct BreaksOff(&'static Code);

impl BodyStream for BreaksOff {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        Poll::Ready(Some(Err(Error::new(self.0))))
    }
}

fn version(does: &'static str) -> Version {
    Version {
        end: Arc::new(Fickle(does)),
        count: Arc::default(),
    }
}

/// Requests and failures that are counted after one request to a new version that does this.
fn counted(does: &'static str) -> (u64, u64) {
    let progress = Arc::new(Progress::new(WHOLE));
    let versions = Pair {
        old: version("500"),
        new: version(does),
    };
    let rollout = Rollout::new(versions, None, progress.clone());
    let mut cx = context();
    let mut reply = rollout.call(&mut cx, request());
    let mut task = Context::from_waker(Waker::noop());
    if let Poll::Ready(Ok(mut response)) = std::pin::Pin::new(&mut reply).poll(&mut task) {
        let _ = response.body.poll_frame(&mut task);
    }
    drop(reply);
    let seen = progress.seen();
    assert_eq!(seen.old.requests(), 0);
    (seen.new.requests(), seen.new.errors)
}

#[test]
fn failures_of_servers_are_counted_and_those_of_clients_are_not() {
    for (does, expected) in [
        ("200", (1, 0)),
        ("404", (1, 0)),
        ("499", (1, 0)),
        ("500", (1, 1)),
        ("503", (1, 1)),
        ("unreachable", (1, 1)),
        ("never", (1, 0)),
        ("breaks off", (2, 1)),
        ("client breaks off", (1, 0)),
        ("unavailable call", (2, 1)),
    ] {
        assert_eq!(counted(does), expected, "{does}");
    }
}

#[test]
fn the_weight_decides_from_the_next_request_on() {
    let progress = Arc::new(Progress::new(0));
    let versions = Pair {
        old: version("200"),
        new: version("200"),
    };
    let rollout = Rollout::new(versions, None, progress.clone());
    for (weight, expected) in [(0, (10, 0)), (WHOLE, (10, 10)), (0, (20, 10))] {
        progress.set_weight(weight);
        for _ in 0..10 {
            drop(rollout.call(&mut context(), request()));
        }
        let seen = progress.seen();
        assert_eq!((seen.old.requests(), seen.new.requests()), expected);
    }
}
