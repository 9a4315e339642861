//! Indexes: how the statements of routes find their rows, and what would help.

use portcullis_core::{Error, Request, Response, Status, codes};
use serde_json::{Value, json};

use super::{Desk, only, problem, reads};
use crate::cli::index_in_words;

/// The answer, when the request is for this endpoint. Text for a client that prefers it, else JSON.
pub(super) async fn answer(desk: &Desk, request: &Request) -> Option<Response> {
    if request.target.path() != "/indexes" {
        return None;
    }
    if !reads(request) {
        return Some(only("GET, HEAD"));
    }
    let databases = desk.state.kept.databases.all();
    // Databases are asked for many plans: not on the thread that answers operators.
    let reports = desk.reloader.slow().spawn_blocking(move || {
        let reports: Result<Vec<Vec<Value>>, String> = databases.iter().map(|open| open.indexes()).collect();
        reports
    });
    let reports = match reports.await {
        Ok(Ok(reports)) => reports.concat(),
        Ok(Err(why)) => return Some(problem(&Error::new(&codes::DATABASE_BUSY).with_detail(why))),
        Err(_) => return Some(problem(&Error::new(&codes::INTERNAL))),
    };
    let document = json!({"routes": reports});
    let wants_text = request
        .headers
        .get_str("Accept")
        .is_some_and(|accept| accept.starts_with("text/plain"));
    Some(match wants_text {
        true => Response::new(Status::OK).with_body("text/plain; charset=utf-8", index_in_words(&document)),
        false => Response::new(Status::OK).with_body("application/json", format!("{document:#}\n")),
    })
}
