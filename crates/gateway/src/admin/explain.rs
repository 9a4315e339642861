//! Which route would answer a request now, and which target would get it.

use std::net::Ipv4Addr;

use portcullis_core::{Error, Request, Response, Status, codes};

use super::parameters::Parameters;
use super::{Desk, only, problem, reads};
use crate::explain::{Asked, answer as explained, question};

/// The answer, when the request is for this endpoint.
pub(super) fn answer(desk: &Desk, request: &Request) -> Option<Response> {
    if request.target.path() != "/explain" {
        return None;
    }
    if !reads(request) {
        return Some(only("GET, HEAD"));
    }
    Some(explain(desk, &Parameters::of(request.target.query())).unwrap_or_else(|error| problem(&error)))
}

fn explain(desk: &Desk, parameters: &Parameters) -> Result<Response, Error> {
    let asked = Asked {
        method: parameters.get("method").unwrap_or("GET").to_owned(),
        url: parameters.need("url")?.to_owned(),
        headers: parameters.all("header").into_iter().map(str::to_owned).collect(),
    };
    let question = question(&asked).map_err(|why| Error::new(&codes::BAD_QUERY).with_detail(why))?;
    let client = match parameters.get("client") {
        None => Ipv4Addr::LOCALHOST.into(),
        Some(text) => text.parse().map_err(|_| {
            Error::new(&codes::BAD_QUERY).with_detail(format!("`{text}` is not the address of a client"))
        })?,
    };
    let snapshot = desk.state.snapshot.load_full();
    let answer = explained(&snapshot, &question, parameters.get("all").is_some(), Some(client));
    Ok(Response::new(Status::OK).with_body("application/json", format!("{answer:#}\n")))
}
