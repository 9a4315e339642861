//! The configuration in force, and putting another one in its place.

use std::fmt::Write as _;

use portcullis_core::{Method, Request, Response, Status};

use super::{Desk, only, reads, text};
use crate::reload::{Asker, Refused};

/// The answer, when the request is for one of these endpoints.
pub(super) async fn answer(desk: &Desk, request: &Request) -> Option<Response> {
    let changes = request.method == Method::Post;
    Some(match request.target.path() {
        "/config" if reads(request) => {
            let effective = &desk.state.snapshot.load().effective;
            Response::new(Status::OK).with_body("application/json", format!("{effective:#}\n"))
        }
        "/config" => only("GET, HEAD"),
        "/reload" if changes => reload(desk).await,
        "/reload" => only("POST"),
        _ => return None,
    })
}

async fn reload(desk: &Desk) -> Response {
    match desk.reloader.reload(Asker::Admin).await {
        Ok(warnings) => {
            let mut said = "the configuration was reloaded\n".to_owned();
            for warning in warnings {
                let _ = writeln!(said, "warning: {warning}");
            }
            text(Status::OK, &said)
        }
        Err(why @ Refused::NotServing) => text(Status::SERVICE_UNAVAILABLE, &format!("{why}\n")),
        Err(why @ Refused::Unusable(_)) => text(Status::UNPROCESSABLE_CONTENT, &format!("{why}\n")),
    }
}
