//! What is asked of a gate under test: one request for each route, always the same.

use portcullis_bench::flow::expect::Check;
use portcullis_bench::flow::scope::Scope;
use portcullis_bench::flow::template::{Draft, Wrong};
use portcullis_bench::flow::{Expect, Step, Template};
use portcullis_bench::{Flow, objective::Objective};
use portcullis_config::Loaded;
use portcullis_config::route::{Route, To};

use super::isolation;
use crate::bench::draft::{Drafted, LeftOut, only_reads};
use crate::bench::sources::{Wish, routes};
use crate::compile::route_names;

/// A route that can be tested, and the request for it.
#[derive(Clone, Debug)]
pub(super) struct Asked<'l> {
    /// The name of the route.
    pub(super) name: String,
    /// What the file says of it.
    pub(super) route: &'l Route,
    request: Drafted,
}

impl Asked<'_> {
    /// The service that answers, where it is one alone.
    pub(super) fn service(&self) -> Option<&str> {
        match &self.route.to {
            To::Service(to) => Some(&to.service),
            _ => None,
        }
    }

    /// What must hold of its answered requests: what the route says, or a usual bound.
    pub(super) fn objectives(&self) -> Vec<Objective> {
        let mut objectives: Vec<Objective> = self
            .route
            .objectives
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        if objectives.is_empty() {
            objectives.extend(USUAL.parse::<Objective>());
        }
        objectives.retain(|objective| !objective.is_rate());
        objectives
            .into_iter()
            .map(|objective| objective.of_route(&self.name))
            .collect()
    }

    /// The flow of this request, counted under the route with that place.
    ///
    /// # Errors
    /// Why there is no such request.
    pub(super) fn flow(&self, place: usize, weight: f64, authority: &str, expect: Expect) -> Result<Flow, String> {
        let draft = Draft {
            method: self.request.method.clone(),
            path: self.request.path.clone(),
            headers: self.request.headers.clone(),
            ..Draft::default()
        };
        let template = Template::new(&draft, authority, &Scope::default()).map_err(|wrong| {
            let wrong: Vec<String> = wrong
                .into_iter()
                .map(|Wrong { part, message }| format!("{part}: {message}"))
                .collect();
            format!("no request can be made for `{}`: {}", self.name, wrong.join("; "))
        })?;
        Ok(Flow {
            name: self.name.clone(),
            weight,
            steps: vec![Step {
                route: place,
                request: template,
                expect,
                captures: Vec::new(),
                think: None,
            }],
        })
    }
}

/// What must hold of answered requests where a route says nothing: stand-ins answer at once, and a quarter of a second is what
/// people take for at once.
const USUAL: &str = "p99 < 250ms";

/// A request for each route for which one can be made, and those for which none can. `only` names the one route that is
/// wanted.
pub(super) fn asked<'l>(loaded: &'l Loaded, wish: &Wish, only: Option<&str>) -> (Vec<Asked<'l>>, Vec<LeftOut>) {
    let draft = routes::draft(loaded, wish);
    let mut left_out = Vec::new();
    let mut asked = Vec::new();
    for (route, name) in loaded.file.routes.iter().zip(route_names(&loaded.file.routes)) {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let prefix = format!("{name} ");
        let mut own = draft
            .requests
            .iter()
            .filter(|request| request.route == name || request.route.starts_with(&prefix));
        let why = match isolation::left_out(&loaded.file, route) {
            Some(why) => why.to_owned(),
            None => match own.find(|request| only_reads(&request.method)) {
                Some(request) => {
                    let mut request = request.clone();
                    request.headers.extend(wish.headers.iter().cloned());
                    asked.push(Asked { name, route, request });
                    continue;
                }
                None => {
                    let known = draft
                        .left_out
                        .iter()
                        .find(|left| left.what == name || left.what.starts_with(&prefix));
                    known.map_or_else(
                        || "there is no request for it that only reads".to_owned(),
                        |left| left.why.clone(),
                    )
                }
            },
        };
        left_out.push(LeftOut { what: name, why });
    }
    (asked, left_out)
}

/// Answers that are good, or refusals with this status and this code that say when to come again.
pub(super) fn good_or_refused(status: u16, code: &str) -> Expect {
    let scope = Scope::default();
    let checks = [
        Check::header("Retry-After", "*", &scope),
        Check::json("/code", &serde_json::Value::from(code), &scope),
    ];
    Expect {
        statuses: vec![200..=299, status..=status],
        // Neither text has a placeholder that could be wrong.
        checks: checks
            .into_iter()
            .flatten()
            .map(|check| check.only_of(status..=status))
            .collect(),
    }
}
