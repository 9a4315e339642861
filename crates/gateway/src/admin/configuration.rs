//! The configuration in force, and putting another one in its place.

use std::fmt::Write as _;

use portcullis_core::{Method, Request, Response, Status};

use super::{Desk, only, reads, text};
use crate::reload::{Asker, Origin, Refused};
use crate::telemetry::log;

/// The answer, when the request is for one of these endpoints.
pub(super) async fn answer(desk: &Desk, request: &Request) -> Option<Response> {
    let changes = request.method == Method::Post;
    Some(match request.target.path() {
        "/config" if reads(request) => in_force(desk).await,
        "/config" => only("GET, HEAD"),
        "/reload" if changes => reload(desk, Asker::Admin).await,
        "/rollback" if changes => reload(desk, Asker::Rollback).await,
        "/reload" | "/rollback" => only("POST"),
        _ => return None,
    })
}

/// The configuration in force, and where it comes from.
async fn in_force(desk: &Desk) -> Response {
    let Some(remembered) = desk.state.history.in_force() else {
        return text(Status::SERVICE_UNAVAILABLE, "no configuration is in force yet\n");
    };
    match desk.reloader.effective(&remembered).await {
        Ok(mut effective) => {
            effective["digest"] = remembered.record.digest().into();
            effective["loaded_at"] = log::time(remembered.loaded_at).into();
            effective["source"] = remembered.source.to_string().into();
            Response::new(Status::OK).with_body("application/json", format!("{effective:#}\n"))
        }
        Err(why) => text(Status::INTERNAL_SERVER_ERROR, &format!("{why}\n")),
    }
}

/// Changes the configuration, and says which one is in force then.
async fn reload(desk: &Desk, asker: Asker) -> Response {
    match desk.reloader.reload(asker).await {
        Ok(warnings) => {
            let mut said = match desk.state.history.in_force() {
                Some(it) if it.source == Origin::Rollback => format!(
                    "configuration {}, loaded at {}, is in force again until the next reload\n",
                    it.record.digest(),
                    log::time(it.loaded_at)
                ),
                Some(it) => format!("the configuration was reloaded: {} is in force\n", it.record.digest()),
                None => String::new(),
            };
            for warning in warnings {
                let _ = writeln!(said, "warning: {warning}");
            }
            text(Status::OK, &said)
        }
        Err(why) => {
            let status = match why {
                Refused::NotServing => Status::SERVICE_UNAVAILABLE,
                Refused::NothingEarlier => Status::CONFLICT,
                Refused::Unusable(_) => Status::UNPROCESSABLE_CONTENT,
            };
            text(status, &format!("{why}\n"))
        }
    }
}
