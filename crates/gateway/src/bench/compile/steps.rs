//! Requests, and what is done with their answers.

use portcullis_bench::Flow;
use portcullis_bench::flow::capture::{Capture, From};
use portcullis_bench::flow::expect::Check;
use portcullis_bench::flow::scope::{RESERVED, Scope};
use portcullis_bench::flow::template::{Body, Draft, Wrong};
use portcullis_bench::flow::{Expect, Step, Template, Think};
use portcullis_config::bench::Scenario;
use portcullis_config::bench::step;

use super::Found;
use super::files::Files;

/// The largest file that is the content of a request.
const MOST_CONTENT: u64 = 16 * 1024 * 1024;

/// The most names under which requests are counted: each has histograms of its own, on each thread.
const MOST_ROUTES: usize = 2_000;

/// Makes steps, and gathers the names under which they are counted.
pub(super) struct Steps<'s> {
    scenario: &'s Scenario,
    files: &'s Files<'s>,
    /// What requests say as `Host`.
    authority: String,
    /// The field by which requests prove who they are.
    proof: Option<(String, String)>,
    /// The names, each once.
    pub(super) routes: Vec<String>,
    /// Whether it was told that there are too many. A file of thousands of flows has one problem then.
    told_routes: bool,
}

/// For whom a flow captures.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Itself,
    All,
}

impl<'s> Steps<'s> {
    pub(super) fn new(
        scenario: &'s Scenario,
        files: &'s Files<'s>,
        authority: String,
        proof: Option<(String, String)>,
    ) -> Steps<'s> {
        Steps {
            scenario,
            files,
            authority,
            proof,
            routes: Vec::new(),
            told_routes: false,
        }
    }

    /// The flow that is done once before; what it captures is known to all.
    pub(super) fn setup(&mut self, scope: &mut Scope, found: &mut Found<'_>) -> Option<Flow> {
        let written = &self.scenario.setup;
        if written.is_empty() {
            return None;
        }
        let steps = self.several("setup", written, scope, For::All, found);
        Some(Flow {
            name: "setup".to_owned(),
            weight: 1.0,
            steps,
        })
    }

    /// What clients do.
    pub(super) fn flows(&mut self, scope: &Scope, found: &mut Found<'_>) -> Vec<Flow> {
        let written = self.scenario.flows.iter().enumerate();
        let flows = written.map(|(index, flow)| {
            let path = format!("flows[{index}].steps");
            let first = flow.steps.first().map(|step| step.request.clone());
            Flow {
                name: flow.name.clone().or(first).unwrap_or_default(),
                weight: f64::from(flow.weight),
                steps: self.several(&path, &flow.steps, &mut scope.clone(), For::Itself, found),
            }
        });
        flows.collect()
    }

    fn several(
        &mut self,
        path: &str,
        written: &[step::Step],
        scope: &mut Scope,
        captured_for: For,
        found: &mut Found<'_>,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        for (index, step) in written.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let made = self.step(&path, step, scope, captured_for, found);
            let captures = captures(&path, step, scope, captured_for, found);
            steps.extend(made.map(|made| Step { captures, ..made }));
        }
        steps
    }

    fn step(
        &mut self,
        path: &str,
        written: &step::Step,
        scope: &Scope,
        captured_for: For,
        found: &mut Found<'_>,
    ) -> Option<Step> {
        let (method, target) = written.request.split_once(' ').unwrap_or(("GET", &written.request));
        let content = self.content(&format!("{path}.body"), written.body.as_ref(), found);
        let mut headers = self.headers(written);
        if captured_for == For::All {
            // The token that all requests have is not there yet when it is fetched.
            let is_own = |name: &String| written.headers.contains_key(name);
            headers.retain(|(name, value)| is_own(name) || scope.knows(value));
        }
        let draft = Draft {
            method: method.to_owned(),
            path: target.to_owned(),
            query: pairs(&written.query),
            headers,
            proof: self.proof.clone().filter(|_| written.auth),
            body: content.unwrap_or_default(),
        };
        let expect = expect(&format!("{path}.expect"), &written.expect, scope, found);
        let name = written.route.clone().unwrap_or_else(|| {
            let path = target.split('?').next().unwrap_or_default();
            format!("{method} {path}")
        });
        let Some(route) = self.route(name) else {
            let message =
                format!("requests are counted under more than {MOST_ROUTES} names; give several the same `route`");
            if !std::mem::replace(&mut self.told_routes, true) {
                found.add(path, message);
            }
            return None;
        };
        let template = match Template::new(&draft, &self.authority, scope) {
            Ok(template) => template,
            Err(wrong) => {
                for Wrong { part, message } in wrong {
                    found.add(&place_of(path, &part, written), message);
                }
                return None;
            }
        };
        let think = written.think.map(|pause| Think {
            least: pause.least.0,
            most: pause.most.0,
        });
        Some(Step {
            expect,
            think,
            ..Step::new(route, template)
        })
    }

    /// A request of a log: a step without more.
    pub(super) fn logged(&mut self, method: &str, path: &str, host: Option<&str>, route: String) -> Option<Step> {
        let mut headers = pairs(&self.scenario.headers);
        let is_there = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        headers.extend(
            host.filter(|_| !is_there)
                .map(|host| ("Host".to_owned(), host.to_owned())),
        );
        let draft = Draft {
            method: method.to_owned(),
            path: path.to_owned(),
            headers,
            proof: self.proof.clone(),
            ..Draft::default()
        };
        // What a log has is no template of ours.
        if path.contains("{{") {
            return None;
        }
        let template = Template::new(&draft, &self.authority, &Scope::default()).ok()?;
        Some(Step::new(self.route(route)?, template))
    }

    /// The place of a name among those of routes, which it joins; nothing where there are too many.
    fn route(&mut self, name: String) -> Option<usize> {
        let known = self.routes.iter().position(|known| *known == name);
        known.or_else(|| {
            let place = self.routes.len();
            (place < MOST_ROUTES).then(|| {
                self.routes.push(name);
                place
            })
        })
    }

    /// The fields of the file, and those of the step beside or in place of them.
    fn headers(&self, written: &step::Step) -> Vec<(String, String)> {
        let mut headers = pairs(&self.scenario.headers);
        headers.retain(|(name, _)| !written.headers.keys().any(|own| own.eq_ignore_ascii_case(name)));
        headers.extend(pairs(&written.headers));
        headers
    }

    fn content(&self, path: &str, written: Option<&step::Body>, found: &mut Found<'_>) -> Option<Body> {
        Some(match written {
            None => Body::None,
            Some(step::Body::Text(text)) => Body::Text(text.clone()),
            Some(step::Body::Json(body)) => Body::Json(body.json.0.clone()),
            Some(step::Body::Form(body)) => Body::Form(pairs(&body.form)),
            Some(step::Body::File(body)) => {
                let read = self.files.read(&body.file, MOST_CONTENT);
                Body::Bytes(found.good(&format!("{path}.file"), read)?.into())
            }
        })
    }
}

fn pairs(written: &std::collections::BTreeMap<String, String>) -> Vec<(String, String)> {
    let pairs = written.iter().map(|(name, value)| (name.clone(), value.clone()));
    pairs.collect()
}

/// Where in the file a part of a draft stands.
fn place_of(path: &str, part: &str, written: &step::Step) -> String {
    match part.split_once('.') {
        // A field that the step doesn't have is one of all requests.
        Some(("headers", name)) if !written.headers.contains_key(name) => format!("headers.{name}"),
        _ if part == "proof" => "auth".to_owned(),
        _ => format!("{path}.{part}"),
    }
}

fn expect(path: &str, written: &step::Expect, scope: &Scope, found: &mut Found<'_>) -> Expect {
    let mut checks = Vec::new();
    for (name, value) in &written.headers {
        let check = Check::header(name, value, scope);
        checks.extend(found.good(&format!("{path}.headers.{name}"), check));
    }
    for (index, text) in written.contains.iter().enumerate() {
        let check = Check::contains(text, scope);
        checks.extend(found.good(&format!("{path}.contains[{index}]"), check));
    }
    for (index, pattern) in written.matches.iter().enumerate() {
        let check = Check::matches(pattern);
        checks.extend(found.good(&format!("{path}.matches[{index}]"), check));
    }
    for (pointer, value) in &written.json {
        let check = Check::json(pointer, &value.0, scope);
        checks.extend(found.good(&format!("{path}.json.{pointer}"), check));
    }
    Expect {
        statuses: written.status.iter().map(|range| range.range()).collect(),
        checks,
    }
}

/// What later steps need; from here on its names are known.
fn captures(
    path: &str,
    written: &step::Step,
    scope: &mut Scope,
    captured_for: For,
    found: &mut Found<'_>,
) -> Vec<Capture> {
    let mut captures = Vec::new();
    for (name, from) in &written.capture {
        let path = format!("{path}.capture.{name}");
        if RESERVED.contains(&name.as_str()) {
            found.add(
                &path,
                format!("`{{{{{name}}}}}` means something else already; choose another name"),
            );
            continue;
        }
        let from = match from {
            step::Capture::Pointer(pointer) => Some(From::Json(pointer.clone())),
            step::Capture::Json(from) => Some(From::Json(from.json.clone())),
            step::Capture::Header(from) => Some(From::Header(from.header.clone())),
            step::Capture::Matches(from) => found.good(&path, From::matches(&from.matches)),
        };
        // A name whose pattern is no good is known all the same: whoever uses it isn't wrong.
        let keep = match captured_for {
            For::Itself => scope.capture(name),
            For::All => scope.capture_for_all(name),
        };
        captures.extend(from.map(|from| Capture {
            name: name.clone(),
            from,
            keep,
        }));
    }
    captures
}
