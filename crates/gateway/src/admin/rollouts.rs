//! Roll-outs: how far they are and why, and what operators do with them.

use std::sync::Arc;

use portcullis_core::{Method, Request, Response, Status};
use portcullis_resilience::rollout::Command;
use serde_json::{Value, json};

use super::{Desk, only, reads, text};
use crate::rollouts::Course;
use crate::router::decoded;

/// The answer, when the request is for one of these endpoints.
pub(super) fn answer(desk: &Desk, request: &Request) -> Option<Response> {
    let below = request.target.path().strip_prefix("/rollouts")?;
    let snapshot = desk.state.snapshot.load();
    let courses = &snapshot.rollouts;
    if below.is_empty() {
        let all: Vec<Value> = courses.iter().map(|course| course.told()).collect();
        return Some(match reads(request) {
            true => document(&json!(all)),
            false => only("GET, HEAD"),
        });
    }
    let below = below.strip_prefix('/')?;
    // A route's name may have slashes, and is often the pattern of its path: the command is what stands behind the last one.
    let (name, command) = match below.rsplit_once('/') {
        Some((name, last)) => match Command::ALL.into_iter().find(|command| command.as_str() == last) {
            Some(command) => (name, Some(command)),
            None => (below, None),
        },
        None => (below, None),
    };
    let name = decoded(name);
    let Some(course) = courses.iter().find(|course| is_named(course, &name)) else {
        let known: Vec<&str> = courses.iter().map(|course| course.route).collect();
        let said = format!("no route `{name}` has a roll-out; there is {}\n", known.join(", "));
        return Some(text(Status::NOT_FOUND, &said));
    };
    Some(match command {
        Some(command) if request.method == Method::Post => carry_out(desk, course, command),
        Some(_) => only("POST"),
        None if reads(request) => document(&course.told()),
        None => only("GET, HEAD"),
    })
}

/// A name that is the path of a route begins with a slash, which the one before it has swallowed.
fn is_named(course: &Course, name: &str) -> bool {
    course.route == name || course.route.strip_prefix('/') == Some(name)
}

fn carry_out(desk: &Desk, course: &Arc<Course>, command: Command) -> Response {
    match course.command(command) {
        Ok(()) => {
            desk.state.handover.changed();
            document(&course.told())
        }
        Err(why) => text(Status::CONFLICT, &format!("{why}\n")),
    }
}

fn document(value: &Value) -> Response {
    Response::new(Status::OK).with_body("application/json", format!("{value:#}\n"))
}
