//! What must hold: the objectives that a gate's routes have, and some for all.

use portcullis_config::Loaded;

use crate::bench::scenario_file;
use crate::compile::route_names;

/// What is expected of a server of which nobody said more: people wait half a second without a thought (Nielsen, Usability
/// Engineering, chapter 5), and one failure in a thousand is what three nines allow.
const DEFAULTS: [&str; 2] = ["p99 < 500ms", "errors < 0.1%"];

/// An objective, and the route it is for; all together where there is none.
pub(crate) type Objective = (Option<String>, String);

/// The objectives of a gate's routes, by the names of the routes, after those for all.
pub(crate) fn objectives(gate: Option<&Loaded>) -> Vec<Objective> {
    let mut found: Vec<Objective> = DEFAULTS.iter().map(|text| (None, (*text).to_owned())).collect();
    let Some(gate) = gate else { return found };
    for (route, name) in gate.file.routes.iter().zip(route_names(&gate.file.routes)) {
        found.extend(route.objectives.iter().map(|text| (Some(name.clone()), text.clone())));
    }
    found
}

/// The section of `bench.yaml`.
pub(crate) fn section(objectives: &[Objective]) -> String {
    scenario_file::objectives(objectives)
}
