//! From the file of a load test to what runs.
//!
//! Files that it names are read here, and every problem is found that the file alone doesn't have.

mod data;
mod files;
mod profiles;
mod replayed;
mod steps;

use std::num::NonZero;
use std::sync::Arc;

use portcullis_bench::load::Spacing;
use portcullis_bench::objective::Objective;
use portcullis_bench::profile::Profile;
use portcullis_bench::target::Location;
use portcullis_bench::{Flow, Plan, Target, target, tls};
use portcullis_config::bench::auth::Auth;
use portcullis_config::bench::objective::Objective as Written;
use portcullis_config::bench::{Loaded, Protocol, Scenario};
use portcullis_config::{Problem, Problems, bench};

use self::files::Files;
use self::steps::Steps;

/// What the command line says in place of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// Another target.
    pub(crate) target: Option<String>,
}

/// All that a file of a load test says, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    /// What is asked of whom.
    pub(crate) plan: Plan,
    /// The same, with what `replay` asks in place of the flows.
    pub(crate) replayed: Option<Plan>,
    /// What is done once before, with the only flow that it has.
    pub(crate) setup: Option<Plan>,
    /// What can be run.
    pub(crate) profiles: Vec<Profile>,
    /// What must hold.
    pub(crate) objectives: Vec<Objective>,
    /// What is worth telling and no problem.
    pub(crate) remarks: Vec<String>,
}

impl Compiled {
    /// What is asked by a profile.
    pub(crate) fn plan_of(&self, profile: &Profile) -> &Plan {
        match (profile, &self.replayed) {
            (Profile::Replay(_), Some(replayed)) => replayed,
            _ => &self.plan,
        }
    }
}

/// Makes of a file what runs.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn compile(loaded: &Loaded, overrides: &Overrides) -> Result<Compiled, Problems> {
    let mut found = Found {
        loaded,
        problems: Vec::new(),
    };
    let compiled = all(loaded, overrides, &mut found);
    match compiled {
        Some(compiled) if found.problems.is_empty() => Ok(compiled),
        _ => {
            found.problems.sort_by_key(|problem| problem.place);
            Err(Problems(found.problems))
        }
    }
}

/// Problems, as they are found.
struct Found<'l> {
    loaded: &'l Loaded,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn add(&mut self, path: &str, message: impl Into<String>) {
        // What all steps share is looked at with each of them.
        let is_shared = path.starts_with("headers.");
        if !is_shared || self.problems.iter().all(|problem| problem.path != path) {
            self.problems.push(self.loaded.problem(path, message));
        }
    }

    /// What there is, or nothing and a problem at a path.
    fn good<T, E: ToString>(&mut self, path: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(path, error.to_string())).ok()
    }
}

/// All of it. What is wrong is passed over and told, so that the rest is looked at too.
fn all(loaded: &Loaded, overrides: &Overrides, found: &mut Found<'_>) -> Option<Compiled> {
    let scenario = loaded.scenario();
    let files = Files::of(loaded);
    let location = location(scenario, overrides, found);
    let target = location
        .as_ref()
        .and_then(|location| target(scenario, location, &files, found));
    // A host that is no good is told by now; the rest is looked at all the same.
    let authority = location
        .as_ref()
        .map_or_else(|| "localhost".to_owned(), Location::authority);
    let mut scope = data::scope(scenario, &files, found);
    let mut steps = Steps::new(scenario, &files, authority, proof(scenario));
    let setup = steps.setup(&mut scope, found);
    let setup_routes = std::mem::take(&mut steps.routes);
    let flows = steps.flows(&scope, found);
    let objectives = objectives(scenario, &steps.routes, found);
    let routes = std::mem::take(&mut steps.routes);
    let mut profiles = profiles::all(scenario);
    let mut remarks = Vec::new();
    let replay = scenario.profiles.replay.as_ref();
    let replay = replay.and_then(|replay| replayed::read(replay, &files, &mut steps, found));
    if scenario.flows.is_empty() && scenario.profiles.replay.is_none() {
        found.add(
            "flows",
            "there is nothing to ask for; write `flows: GET /`, or replay a log",
        );
    }
    if scenario.profiles.replay.is_none() && profiles.is_empty() {
        let message = "nothing says how much load there is; write `profiles: {smoke: {}, load: 100/s}`";
        found.add("profiles", message);
    }
    let plan = plan(scenario, target?, flows, routes);
    let replayed = replay.map(|replay| {
        profiles.push(Profile::Replay(replay.profile));
        remarks.extend(replay.remarks);
        Plan {
            flows: replay.flows.into(),
            routes: std::mem::take(&mut steps.routes),
            ..plan.clone()
        }
    });
    let plan = match &replayed {
        Some(replayed) if plan.flows.is_empty() => replayed.clone(),
        _ => plan,
    };
    let setup = setup.map(|flow| Plan {
        flows: Arc::new([flow]),
        routes: setup_routes,
        connections: 1,
        streams: 1,
        threads: 1,
        ..plan.clone()
    });
    Some(Compiled {
        plan,
        replayed,
        setup,
        profiles,
        objectives,
        remarks,
    })
}

fn location(scenario: &Scenario, overrides: &Overrides, found: &mut Found<'_>) -> Option<Location> {
    let Some(url) = overrides.target.as_ref().or(scenario.target.as_ref()) else {
        let message = "`target` is missing: who is asked, such as `http://127.0.0.1:8080`";
        found.add("target", message);
        return None;
    };
    found.good("target", Location::parse(url))
}

fn target(scenario: &Scenario, location: &Location, files: &Files<'_>, found: &mut Found<'_>) -> Option<Target> {
    let written = &scenario.tls;
    let mut read = |path: &str, file: &Option<std::path::PathBuf>| {
        let file = file.as_ref()?;
        found.good(path, files.read(file, files::MOST_PEM))
    };
    let authorities = read("tls.ca", &written.ca);
    let (chain, key) = (read("tls.cert", &written.cert), read("tls.key", &written.key));
    let settings = tls::Settings {
        authorities,
        unverified: !written.verify,
        identity: chain.zip(key).map(|(chain, key)| tls::Identity { chain, key }),
        server_name: written.server_name.clone(),
        versions: tls::Versions::Any,
    };
    if !found.problems.is_empty() {
        return None;
    }
    found.good("target", Target::at(location, protocol(scenario), &settings))
}

fn protocol(scenario: &Scenario) -> target::Protocol {
    match scenario.protocol {
        Protocol::Http1 => target::Protocol::Http1,
        Protocol::Http2 => target::Protocol::Http2,
        Protocol::Http3 => target::Protocol::Http3,
    }
}

/// The field by which requests prove who they are.
fn proof(scenario: &Scenario) -> Option<(String, String)> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let authorization = |value| ("Authorization".to_owned(), value);
    scenario.auth.as_ref().map(|auth| match auth {
        Auth::Bearer(bearer) => authorization(format!("Bearer {}", bearer.bearer.expose())),
        Auth::Basic(basic) => {
            let login = format!("{}:{}", basic.basic.user, basic.basic.password.expose());
            authorization(format!("Basic {}", STANDARD.encode(login)))
        }
        Auth::ApiKey(key) => (key.api_key.header.clone(), key.api_key.key.expose().to_owned()),
    })
}

fn objectives(scenario: &Scenario, routes: &[String], found: &mut Found<'_>) -> Vec<Objective> {
    let mut objectives = Vec::new();
    for (index, written) in scenario.objectives.iter().enumerate() {
        let path = format!("objectives[{index}]");
        match written {
            Written::Of(text) => objectives.extend(found.good(&path, text.parse()).map(|it| (path, it))),
            Written::ByRoute(by_route) => {
                for (route, text) in by_route {
                    let path = format!("{path}.{route}");
                    let objective = found.good(&path, text.parse::<Objective>());
                    objectives.extend(objective.map(|objective| (path, objective.of_route(route))));
                }
            }
        }
    }
    for (path, objective) in &objectives {
        let Some(route) = objective.route() else { continue };
        // What is replayed has the routes of its log.
        if !routes.iter().any(|known| known == route) && scenario.profiles.replay.is_none() {
            let known: Vec<_> = routes.iter().map(|route| format!("`{route}`")).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            found.add(path, format!("no step is counted as `{route}`; there is {known}"));
        }
    }
    objectives.into_iter().map(|(_, objective)| objective).collect()
}

fn plan(scenario: &Scenario, target: Target, flows: Vec<Flow>, routes: Vec<String>) -> Plan {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let connections = count(scenario.connections);
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    Plan {
        streams: match target.protocol {
            target::Protocol::Http1 => 1,
            target::Protocol::Http2 | target::Protocol::Http3 => count(scenario.streams),
        },
        target,
        flows: flows.into(),
        routes,
        connections,
        fresh_connections: scenario.fresh_connections,
        threads: scenario.threads.map_or(processors.min(connections), usize::from),
        processors: scenario.processors.iter().copied().map(usize::from).collect(),
        timeout: scenario.timeout.0,
        backlog: count(scenario.backlog),
        spacing: match scenario.spacing {
            bench::Spacing::Uniform => Spacing::Uniform,
            bench::Spacing::Poisson => Spacing::Poisson,
        },
        seed: scenario.seed,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
