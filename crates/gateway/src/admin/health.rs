//! Whether the gate lives and serves, and its numbers.

use std::sync::atomic::Ordering;

use portcullis_core::{Request, Response, Status};

use super::{Desk, only, reads, text};
use crate::telemetry::numbers;

/// The answer, when the request is for one of these endpoints.
pub(super) fn answer(desk: &Desk, request: &Request) -> Option<Response> {
    let path = request.target.path();
    let reads = reads(request);
    Some(match path {
        "/healthz" | "/readyz" | "/metrics" if !reads => only("GET, HEAD"),
        "/healthz" => text(Status::OK, "ok\n"),
        "/readyz" => readiness(desk),
        "/metrics" => Response::new(Status::OK).with_body(
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            numbers::render(&desk.state),
        ),
        _ => return None,
    })
}

fn readiness(desk: &Desk) -> Response {
    if desk.state.ready.load(Ordering::Acquire) {
        text(Status::OK, "ready\n")
    } else {
        text(Status::SERVICE_UNAVAILABLE, "starting or draining\n")
    }
}
