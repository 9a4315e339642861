//! Whether all is ready: the scenario is sound, its target answers, credentials are good, the system has room.

use std::fmt::Write as _;

use portcullis_bench::run;

use crate::bench::running::{Scenario, ready};

/// What was found to be ready, and what wasn't.
pub(crate) struct Readiness {
    /// In words, a line for each route.
    pub(crate) words: String,
    /// Whether every first request was answered as it should be.
    pub(crate) all_well: bool,
}

/// Tries the scenario: what is done once before a run, and the first request of each flow.
///
/// # Errors
/// What keeps it from being run at all.
pub(crate) fn check(scenario: &Scenario, owned: &[String]) -> Result<Readiness, String> {
    let compiled = scenario.compiled()?;
    let mut words = String::new();
    let mut plan = compiled.plan;
    for profile in &compiled.profiles {
        plan = ready::check(plan, profile, owned)?;
    }
    let _ = writeln!(
        words,
        "ok     {} can be reached, with room for {} connections",
        plan.target.name, plan.connections
    );
    if let Some(mut setup) = compiled.setup {
        // Only addresses where somebody listens are left of it.
        setup.target = plan.target.clone();
        run::set_up(setup).map_err(|fault| fault.to_string())?;
        words.push_str("ok     what is done once before the load\n");
    }
    let mut all_well = true;
    for (route, measured) in ready::tried(&plan)? {
        let failure = measured
            .failures
            .iter()
            .find_map(|(kind, causes)| Some((kind, causes.keys().next()?)));
        let _ = match failure {
            Some((kind, cause)) => writeln!(words, "FAILED {route}: {}: {cause}", kind.word()),
            None => writeln!(words, "ok     {route}"),
        };
        all_well &= failure.is_none();
    }
    Ok(Readiness { words, all_well })
}
