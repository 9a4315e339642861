//! Exchanging what two names of services mean.

use portcullis_core::{Method, Request, Response, Status};
use serde_json::json;

use super::{Desk, only, reads, text};
use crate::telemetry::log;

/// The answer, when the request is for one of these endpoints.
pub(super) fn answer(desk: &Desk, request: &Request) -> Option<Response> {
    if request.target.path() != "/swap" {
        return None;
    }
    let swaps = &desk.state.kept.swaps;
    Some(if request.method == Method::Post {
        swap(desk, request.target.query().unwrap_or_default())
    } else if reads(request) {
        let all = json!(swaps.all());
        Response::new(Status::OK).with_body("application/json", format!("{all:#}\n"))
    } else {
        only("GET, HEAD, POST")
    })
}

fn swap(desk: &Desk, query: &str) -> Response {
    // Names of services have no character that would have to be encoded but the comma between them.
    let pair = query.strip_prefix("services=").map(|names| names.replace("%2C", ","));
    let Some((one, other)) = pair.as_deref().and_then(|names| names.split_once(',')) else {
        return text(Status::BAD_REQUEST, "say which: POST /swap?services=BLUE,GREEN\n");
    };
    let snapshot = desk.state.snapshot.load();
    for name in [one, other] {
        if !snapshot.services.contains_key(name) {
            return text(Status::NOT_FOUND, &format!("there is no service `{name}`\n"));
        }
    }
    if one == other {
        return text(Status::BAD_REQUEST, "these are not two services\n");
    }
    let swaps = &desk.state.kept.swaps;
    swaps.swap(one, other);
    desk.state.handover.changed();
    let all = swaps.all();
    let means = |name: &str| all.get(name).map_or_else(|| name.to_owned(), String::clone);
    let said = format!(
        "the name {one} means the service {} now, and {other} means {}",
        means(one),
        means(other)
    );
    log::info(format_args!("swapped by an operator: {said}"));
    text(Status::OK, &format!("{said}\n"))
}
