//! Services and their targets: what operators see of them, and what they change while the gate runs.

use portcullis_backends::service::{Decision, Refusal};
use portcullis_config::parse_target;
use portcullis_config::service::Target;
use portcullis_core::{Error, Method, Request, Response, Status, codes};
use serde_json::{Value, json};

use super::parameters::Parameters;
use super::{Desk, only, problem, reads};
use crate::explain::target;
use crate::telemetry::log;

/// The largest description of a target.
const MOST_BYTES: u64 = 16 * 1024;

/// The largest weight of a target.
const MOST_WEIGHT: u32 = 1000;

/// The answer, when the request is for one of these endpoints.
pub(super) async fn answer(desk: &Desk, request: &mut Request) -> Option<Response> {
    let path = request.target.path().to_owned();
    let below = path.strip_prefix("/services")?;
    let segments: Vec<&str> = below.split('/').skip(1).filter(|segment| !segment.is_empty()).collect();
    let answer = match *segments.as_slice() {
        [] if below.is_empty() || below == "/" => match reads(request) {
            true => Ok(all(desk)),
            false => return Some(only("GET, HEAD")),
        },
        [name] => match reads(request) {
            true => one(desk, name).await,
            false => return Some(only("GET, HEAD")),
        },
        [name, "targets"] => match request.method {
            Method::Post => add(desk, name, request).await,
            Method::Delete => change(desk, name, request, "remove").await,
            _ => return Some(only("POST, DELETE")),
        },
        [name, what @ ("drain" | "undrain" | "weight")] => match request.method {
            Method::Post => change(desk, name, request, what).await,
            _ => return Some(only("POST")),
        },
        _ => return None,
    };
    Some(answer.unwrap_or_else(|error| problem(&error)))
}

/// All services with their targets.
fn all(desk: &Desk) -> Response {
    let services = &desk.state.kept.services;
    let told = services.names().into_iter().map(|name| {
        let targets = services.members(&name).unwrap_or_default();
        json!({"name": name, "targets": targets.iter().map(target).collect::<Vec<_>>()})
    });
    document(&json!({"services": told.collect::<Vec<_>>()}))
}

/// A service with its settings, its targets, and what operators decided about them.
async fn one(desk: &Desk, name: &str) -> Result<Response, Error> {
    let services = &desk.state.kept.services;
    let targets = services.members(name).ok_or_else(|| unknown(name))?;
    let settings = match desk.state.history.in_force() {
        Some(remembered) => {
            let effective = desk.reloader.effective(&remembered).await;
            let effective = effective.map_err(|why| Error::new(&codes::INTERNAL).with_detail(why.to_string()))?;
            effective["services"][name].clone()
        }
        None => Value::Null,
    };
    Ok(document(&json!({
        "name": name,
        "settings": settings,
        "targets": targets.iter().map(target).collect::<Vec<_>>(),
        "decided": services.decisions().get(name),
    })))
}

async fn add(desk: &Desk, name: &str, request: &mut Request) -> Result<Response, Error> {
    let body = std::mem::take(&mut request.body).read_to_end(MOST_BYTES).await?;
    let text =
        std::str::from_utf8(&body).map_err(|_| Error::new(&codes::BAD_CONTENT).with_detail("it is not UTF-8"))?;
    let target = parsed(text)?;
    let url = target.url.clone();
    decide(desk, name, &url, Decision::Add(target), "added").await
}

async fn change(desk: &Desk, name: &str, request: &Request, what: &str) -> Result<Response, Error> {
    let parameters = Parameters::of(request.target.query());
    let url = parsed(&json!({"url": parameters.need("url")?}).to_string())?.url;
    let (decision, done) = match what {
        "remove" => (Decision::Remove(url.clone()), "removed"),
        "drain" => (Decision::Drain(url.clone()), "drained"),
        "undrain" => (Decision::Undrain(url.clone()), "put back"),
        _ => (
            Decision::Weigh(url.clone(), weight(parameters.need("weight")?)?),
            "weighed anew",
        ),
    };
    decide(desk, name, &url, decision, done).await
}

async fn decide(desk: &Desk, name: &str, url: &str, decision: Decision, done: &str) -> Result<Response, Error> {
    match desk.state.kept.services.decide(name, decision) {
        Ok(()) => {
            desk.state.handover.changed();
            log::info(format_args!("service {name}: an operator has {done} {url}"));
            one(desk, name).await
        }
        Err(Refusal::NoService) => Err(unknown(name)),
        Err(Refusal::NoTarget) => {
            let why = format!("the service `{name}` has no target `{url}`; GET /services/{name} lists them");
            Err(Error::new(&codes::RESOURCE_NOT_FOUND).with_detail(why))
        }
        Err(Refusal::TooMany) => {
            Err(Error::new(&codes::CONFLICT).with_detail("too much was decided about this service already"))
        }
    }
}

/// A target as the configuration would have it.
fn parsed(text: &str) -> Result<Target, Error> {
    let target = parse_target(text, "target");
    target.map_err(|problems| Error::new(&codes::BAD_CONTENT).with_detail(problems.to_string()))
}

fn weight(text: &str) -> Result<u32, Error> {
    let weight = text.parse().ok().filter(|weight| (1..=MOST_WEIGHT).contains(weight));
    weight.ok_or_else(|| {
        let why = format!("`{text}` is no weight: it is a number from 1 to {MOST_WEIGHT}");
        Error::new(&codes::BAD_QUERY).with_detail(why)
    })
}

fn unknown(service: &str) -> Error {
    Error::new(&codes::RESOURCE_NOT_FOUND).with_detail(format!("there is no service `{service}` in use"))
}

fn document(value: &Value) -> Response {
    Response::new(Status::OK).with_body("application/json", format!("{value:#}\n"))
}
