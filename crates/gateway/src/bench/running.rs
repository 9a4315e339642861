//! From a scenario to results: everything that can be known to be wrong is told before load begins.

pub(crate) mod looking;
pub(crate) mod ready;
pub(crate) mod results;

use std::collections::BTreeMap;
use std::path::Path;

use portcullis_bench::compare::{Comparison, Terms, compare};
use portcullis_bench::duel::{Duel, PAIRS};
use portcullis_bench::environment::{self, Given};
use portcullis_bench::objective::Objective;
use portcullis_bench::profile::Profile;
use portcullis_bench::report::comparison::Sides;
use portcullis_bench::run::Run;
use portcullis_bench::summary::Summary;
use portcullis_bench::verdict::UNDECIDED;
use portcullis_bench::{Report, run};
use portcullis_config::bench::Loaded;
use portcullis_config::{Problem, Problems};
use sha2::{Digest, Sha256};

use self::looking::Looking;
use self::results::{Compared, Output};
use super::baselines;
use super::compile::{Compiled, Overrides, compile};
use super::folder::Folder;
use super::stages::environment::same_machine;
use crate::cli::complain;

/// A file of scenarios that has been read.
pub(crate) struct Scenario {
    loaded: Loaded,
    overrides: Overrides,
    /// Whether the program made its text itself: nobody has seen that, so its places mean nothing to anybody.
    made: bool,
}

/// What is run, judged and written.
pub(crate) struct Wish {
    /// What the run is called.
    pub(crate) name: String,
    /// What is asked.
    pub(crate) scenario: Scenario,
    /// What is asked of another target in turn, to compare both.
    pub(crate) against: Option<Scenario>,
    /// Which of the scenario's profiles; the only one, where none is named.
    pub(crate) profile: Option<String>,
    /// What is judged, and by what.
    pub(crate) judging: Judging,
    /// Where results go.
    pub(crate) output: Output,
    /// Hosts that somebody has said are theirs.
    pub(crate) owned: Vec<String>,
    /// Where runs are kept, and where the machine is described.
    pub(crate) folder: Option<Folder>,
}

/// What is judged, and by what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judging {
    /// What must hold, beside what the scenario says.
    pub(crate) objectives: Vec<String>,
    /// Runs to compare with: a name, or a file.
    pub(crate) baseline: Option<String>,
    /// How many runs.
    pub(crate) runs: Option<u32>,
    /// The smallest change that counts, as a share.
    pub(crate) min_effect: f64,
    /// A process to watch.
    pub(crate) pid: Option<u32>,
    /// Whether unlike runs are compared all the same.
    pub(crate) force: bool,
}

impl Scenario {
    /// A text that the program made itself.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn text(text: &str) -> Result<Scenario, String> {
        let scenario = Scenario::read(text, "command line".as_ref()).map_err(|problems| without_places(&problems))?;
        Ok(Scenario { made: true, ..scenario })
    }

    /// The text of a file. Its path names it in problems, and relative paths in it start from there.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn parsed(text: &str, path: &Path) -> Result<Scenario, String> {
        Scenario::read(text, path).map_err(|problems| problems.to_string())
    }

    fn read(text: &str, path: &Path) -> Result<Scenario, Problems> {
        let environment = |name: &str| std::env::var(name).ok();
        Ok(Scenario {
            loaded: portcullis_config::bench::parse(text, path, &environment, &portcullis_config::read)?,
            overrides: Overrides::default(),
            made: false,
        })
    }

    /// A file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn file(path: &Path) -> Result<Scenario, String> {
        let text =
            portcullis_config::read(path).map_err(|error| format!("{} can't be read: {error}", path.display()))?;
        Scenario::parsed(&text, path)
    }

    /// The same, of another target.
    pub(crate) fn at(self, target: Option<&str>) -> Scenario {
        let target = target.map(str::to_owned).or(self.overrides.target);
        Scenario {
            overrides: Overrides { target },
            ..self
        }
    }

    /// What tells what is asked from what others ask, whomever and however much.
    fn digest(&self) -> String {
        let scenario = self.loaded.scenario();
        let asked = serde_json::json!([
            scenario.flows,
            scenario.data,
            scenario.headers,
            scenario.fresh_connections
        ]);
        let digest = Sha256::digest(asked.to_string());
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What is to run.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn compiled(&self) -> Result<Compiled, String> {
        compile(&self.loaded, &self.overrides).map_err(|problems| match self.made {
            true => without_places(&problems),
            false => problems.to_string(),
        })
    }
}

fn without_places(Problems(problems): &Problems) -> String {
    let told = |problem: &Problem| match problem.path.as_str() {
        "" => problem.message.clone(),
        path => format!("{path}: {}", problem.message),
    };
    problems.iter().map(told).collect::<Vec<_>>().join("\n")
}

/// Runs a scenario, judges it, and gives the exit code.
///
/// # Errors
/// Why it could not be run, in one line where it is one thing.
pub(crate) fn run(wish: &Wish) -> Result<u8, String> {
    results::check(&wish.output)?;
    if let Some(folder) = &wish.folder {
        folder.make_runs()?;
    }
    let compiled = wish.scenario.compiled()?;
    let environment = environment::fingerprint(&Given {
        scenario: Some(wish.scenario.digest()),
        ..Given::default()
    });
    if let Some(folder) = wish.folder.as_ref().filter(|_| !wish.judging.force) {
        same_machine(folder, &environment)?;
    }
    let kept = match &wish.judging.baseline {
        Some(name) => Some(baselines::read(name, wish.folder.as_ref())?),
        None => None,
    };
    let head = one(wish, compiled, environment.clone())?;
    let mut looking = Looking::new(wish.output.quiet);
    match &wish.against {
        Some(other) => {
            let base = one(wish, other.compiled()?, environment)?;
            against(wish, base, head, &mut looking)
        }
        None => repeated(wish, &head, kept.as_deref(), &mut looking),
    }
}

/// A run that is known to be possible.
fn one(wish: &Wish, compiled: Compiled, environment: BTreeMap<String, String>) -> Result<Run, String> {
    let profile = chosen(compiled.profiles.clone(), wish.profile.as_deref())?;
    let plan = compiled.plan_of(&profile).clone();
    let Compiled {
        setup,
        mut objectives,
        remarks,
        ..
    } = compiled;
    for remark in remarks {
        complain(&format!("note: {remark}"));
    }
    for text in &wish.judging.objectives {
        objectives.push(
            text.parse::<Objective>()
                .map_err(|error| format!("--objective '{text}': {error}"))?,
        );
    }
    let plan = ready::check(plan, &profile, &wish.owned)?;
    if let Some(mut setup) = setup {
        // Only addresses where somebody listens are left of it.
        setup.target = plan.target.clone();
        run::set_up(setup).map_err(|fault| fault.to_string())?;
    }
    ready::first_requests(&plan)?;
    Ok(Run {
        name: wish.name.clone(),
        plan,
        profile,
        objectives,
        watched: wish.judging.pid,
        environment,
    })
}

/// The profile of that name, or the only one.
fn chosen(mut profiles: Vec<Profile>, name: Option<&str>) -> Result<Profile, String> {
    let words = |profiles: &[Profile]| profiles.iter().map(Profile::word).collect::<Vec<_>>().join(", ");
    match name {
        Some(name) => {
            let known = words(&profiles);
            let found = profiles.into_iter().find(|profile| profile.word() == name);
            found.ok_or_else(|| format!("the scenario has no profile `{name}`; it has {known}"))
        }
        None if profiles.len() == 1 => Ok(profiles.remove(0)),
        None => Err(format!("choose one of the profiles by --profile: {}", words(&profiles))),
    }
}

/// Both targets in turn.
fn against(wish: &Wish, base: Run, head: Run, looking: &mut Looking) -> Result<u8, String> {
    let (base_name, head_name) = (base.plan.target.name.clone(), head.plan.target.name.clone());
    let pairs = wish.judging.runs.map_or(PAIRS, |runs| runs as usize);
    let duel = Duel { base, head, pairs };
    let fought = duel.fight(looking).map_err(|fault| fault.to_string())?;
    let reports = || fought.base.iter().chain(&fought.head);
    // What was measured is told, though it can't be kept.
    let kept = reports().try_for_each(|report| keep(wish, report));
    if fought.interrupted && (fought.base.is_empty() || fought.head.is_empty()) {
        complain("the session was interrupted before both had a whole run, so there is nothing to compare");
        return kept.map(|()| UNDECIDED);
    }
    let terms = Terms {
        targets_may_differ: true,
        ..terms(&wish.judging)
    };
    let comparison = fought.compare(&terms).map_err(|refused| refused.to_string())?;
    let compared = Compared {
        comparison: &comparison,
        sides: Sides {
            base: &base_name,
            head: &head_name,
        },
    };
    let code = results::write(&wish.output, &fought.head, Some(compared))?;
    kept.map(|()| code)
}

/// One run, or several of the same, and what they are compared with.
fn repeated(wish: &Wish, run: &Run, kept: Option<&[Summary]>, looking: &mut Looking) -> Result<u8, String> {
    let usual = if kept.is_some() { PAIRS } else { 1 };
    let runs = wish.judging.runs.map_or(usual, |runs| runs as usize);
    let mut reports: Vec<Report> = Vec::new();
    let mut in_folder = Ok(());
    for number in 0..runs {
        looking.begins_run(number + 1, runs);
        let mut run = run.clone();
        // Each of several runs has chances of its own, and the same ones when all is run again.
        run.plan.seed = run.plan.seed.wrapping_add(number as u64);
        let report = run.run(looking).map_err(|fault| fault.to_string())?;
        in_folder = in_folder.and(keep(wish, &report));
        let interrupted = report.interrupted;
        reports.push(report);
        if interrupted {
            break;
        }
    }
    let comparison = kept.map(|kept| compared(kept, &reports, &wish.judging));
    if let Some(Err(refused)) = comparison {
        // What was measured is told, though it can't be compared.
        results::write(&wish.output, &reports, None)?;
        return Err(refused);
    }
    let comparison = comparison.transpose()?;
    let compared = comparison.as_ref().map(|comparison| Compared {
        comparison,
        sides: Sides {
            base: wish.judging.baseline.as_deref().unwrap_or_default(),
            head: &wish.name,
        },
    });
    let code = results::write(&wish.output, &reports, compared)?;
    in_folder.map(|()| code)
}

fn compared(kept: &[Summary], reports: &[Report], judging: &Judging) -> Result<Comparison, String> {
    let head: Vec<Summary> = reports.iter().map(Summary::of).collect();
    compare(kept, &head, &terms(judging)).map_err(|refused| refused.to_string())
}

/// By what runs are compared.
pub(crate) fn terms(judging: &Judging) -> Terms {
    Terms {
        min_effect: judging.min_effect,
        forced: judging.force,
        ..Terms::default()
    }
}

fn keep(wish: &Wish, report: &Report) -> Result<(), String> {
    match &wish.folder {
        Some(folder) => folder.keep(report).map(|_| ()),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_written_has_no_places() {
        let problems = |text: &str| match Scenario::text(text).and_then(|scenario| scenario.compiled()) {
            Ok(_) => panic!("{text} is good"),
            Err(why) => why,
        };
        for (target, told) in [("'http://a b'", "target: "), ("'http://a.invalid:0'", "target: ")] {
            let text = format!("{{target: {target}, profiles: {{smoke: {{}}}}, flows: GET /}}");
            assert!(problems(&text).starts_with(told), "{}", problems(&text));
        }
    }
}
