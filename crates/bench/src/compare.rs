//! Whether runs are better or worse than others, or whether nothing can be said.
//!
//! Runs are compared, not requests: requests of one run share its luck (where threads and memory lie, what else the machine does), so
//! that any two runs differ "significantly" by their requests. Each metric of a few that are named before is asked about by the ranks
//! of its runs (Mann and Whitney 1947), for all of these together (Holm 1979). It got worse only where chance is ruled out, the
//! estimate exceeds the smallest effect that matters, and the interval of the effect leaves out that there is none; it is the same only
//! where that whole interval is within what doesn't matter. All else is inconclusive: that nothing was found doesn't show that
//! nothing is there.
//!
//! How many runs that takes, for three metrics together: 4 and 4 can show nothing (their smallest probability is 0.029, and thrice that
//! is 0.086). How often a true slow-down of 5 % is found, where 2 % matter (`min_effect`), by how far runs scatter (their standard
//! deviation; simulated a thousand times each):
//!
//! | runs of each | 1 % | 2 % | 3 % | 5 % |
//! |---|---|---|---|---|
//! | 5 | 100 % | 73 % | 38 % | 11 % |
//! | 7 | 100 % | 88 % | 50 % | 18 % |
//! | 10 | 100 % | 98 % | 77 % | 33 % |
//!
//! So five of each find an effect of three times their scatter, and ten one of twice that. Where there is no effect, about one
//! comparison in a hundred says that there is; that both are the same is shown by 42 %, 76 % and 96 % of them where runs scatter by
//! 1 %, and hardly ever where they scatter by more than 2 %: then nobody can tell.

mod likeness;
mod metric;
mod row;
mod shift;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::statistics::{autocorrelation, holm};
use crate::summary::Summary;

pub use metric::Metric;
pub use shift::Shifted;

/// The most runs of a side that are looked at: the latest.
const MOST_RUNS: usize = 100;

/// Runs of a side that resemble the one before more than that aren't as many as they seem.
const MOST_ALIKE: f64 = 0.2;

/// So many runs tell whether they resemble each other.
const RUNS_FOR_LIKENESS: usize = 10;

/// How strictly runs are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// What decides, at most six: each more makes it harder to find anything in any of them. Where none are given, the capacity of
    /// runs that look for it, and of others the median, the p99 and the throughput; and failures, where there are any.
    pub primary: Vec<Metric>,
    /// The smallest effect that matters, as a share: 0.05 is 5 % more or less.
    pub min_effect: f64,
    /// The same for single metrics, such as 0.01 for the processor time of a request, which hardly scatters.
    pub min_effects: BTreeMap<Metric, f64>,
    /// How often sets of runs that don't differ may be said to.
    pub level: f64,
    /// Whether names and targets may differ, as in a duel of two targets.
    pub targets_may_differ: bool,
    /// Whether runs are compared that aren't alike; what differs is told.
    pub forced: bool,
    /// Where chance begins.
    pub seed: u64,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            primary: Vec::new(),
            min_effect: 0.05,
            min_effects: BTreeMap::new(),
            level: 0.05,
            targets_may_differ: false,
            forced: false,
            seed: 1,
        }
    }
}

/// How runs compare with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What comes of all that decides.
    pub verdict: Change,
    /// That in words.
    pub sentence: String,
    /// What decides.
    pub primary: Vec<Compared>,
    /// What doesn't: where to look. So many questions find something by chance.
    pub exploratory: Vec<Compared>,
    /// The latencies at each tenth of the requests.
    pub shift: Vec<Shifted>,
    /// In what the runs aren't alike, as sentences; only where that was allowed.
    pub differences: Vec<String>,
    /// What to bear in mind, as sentences.
    pub caveats: Vec<String>,
    /// Runs that were compared with.
    pub base_runs: usize,
    /// Runs that were compared.
    pub head_runs: usize,
}

/// How one metric compares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Which.
    pub metric: Metric,
    /// The route that it is of; all together where there is none.
    pub route: Option<String>,
    /// The median over the runs that were compared with, in the metric's unit.
    pub base: Option<f64>,
    /// The median over those that were compared.
    pub head: Option<f64>,
    /// By what factor it is larger: 1.05 is 5 % more. Nothing for failures, whose share may be none.
    pub ratio: Option<f64>,
    /// The least that the ratio may be, with 95 %.
    pub low: Option<f64>,
    /// The most that the ratio may be, with 95 %.
    pub high: Option<f64>,
    /// How likely runs that don't differ look at least as different.
    pub p: Option<f64>,
    /// The same with all that decides taken into account; nothing for what doesn't decide.
    pub adjusted: Option<f64>,
    /// The smallest effect that matters: a share, for failures a difference of shares.
    pub min_effect: f64,
    /// What comes of it.
    pub change: Change,
    /// That in words.
    pub sentence: String,
}

/// How something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// For the better, by more than doesn't matter.
    Better,
    /// For the worse, by more than doesn't matter.
    Worse,
    /// By no more than doesn't matter.
    Same,
    /// Nobody can tell.
    Inconclusive,
}

impl Change {
    /// Its word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Change::Better => "better",
            Change::Worse => "worse",
            Change::Same => "same",
            Change::Inconclusive => "inconclusive",
        }
    }
}

/// Why runs aren't compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There are none of one side: `baseline` or `new`.
    NoRuns(&'static str),
    /// They aren't alike; each difference as a sentence.
    Unlike(Vec<String>),
    /// So many metrics were to decide that runs could hardly ever show anything.
    TooManyMetrics(usize),
}

/// The most metrics that decide.
const MOST_PRIMARY: usize = 6;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NoRuns(side) => write!(f, "there are no {side} runs to compare"),
            Refused::Unlike(differences) => write!(
                f,
                "these runs aren't alike: {} What differs may be why; --force compares them all the same.",
                differences.join(" ")
            ),
            Refused::TooManyMetrics(count) => write!(
                f,
                "{count} metrics can't decide together; at most {MOST_PRIMARY} can, and fewer find more"
            ),
        }
    }
}

impl std::error::Error for Refused {}

/// Compares runs (`head`) with others (`base`).
///
/// Runs that are invalid or were interrupted are left out. Where too few are left, the answer is [`Change::Inconclusive`].
///
/// # Errors
/// When one side has no runs, or they aren't alike: made on other machines, with other versions, scenarios or profiles.
pub fn compare(base: &[Summary], head: &[Summary], terms: &Terms) -> Result<Comparison, Refused> {
    let (base, head) = (latest(base), latest(head));
    let Some(first) = base.first() else {
        return Err(Refused::NoRuns("baseline"));
    };
    if head.is_empty() {
        return Err(Refused::NoRuns("new"));
    }
    let differences = likeness::differences(base, head, terms.targets_may_differ);
    if !differences.is_empty() && !terms.forced {
        return Err(Refused::Unlike(differences));
    }
    let left_out = [left_out(base, "baseline"), left_out(head, "new")];
    let base: Vec<&Summary> = base.iter().filter(|run| run.is_sound()).collect();
    let head: Vec<&Summary> = head.iter().filter(|run| run.is_sound()).collect();
    let caveats = left_out.into_iter().flatten().chain(caveats(&base, &head)).collect();
    let metrics = primary_metrics(&first.profile, &base, &head, terms);
    if metrics.len() > MOST_PRIMARY {
        return Err(Refused::TooManyMetrics(metrics.len()));
    }
    let primary = primary(&metrics, &base, &head, terms);
    let (verdict, sentence) = concluded(&primary);
    Ok(Comparison {
        verdict,
        sentence,
        exploratory: exploratory(&metrics, &base, &head, terms),
        primary,
        shift: shift::shift(&base, &head, terms.seed),
        differences,
        caveats,
        base_runs: base.len(),
        head_runs: head.len(),
    })
}

fn latest(runs: &[Summary]) -> &[Summary] {
    &runs[runs.len().saturating_sub(MOST_RUNS)..]
}

/// What decides. That failures do where there are any holds for all runs together, whichever side they are on; so it doesn't depend
/// on what is asked.
fn primary_metrics(profile: &str, base: &[&Summary], head: &[&Summary], terms: &Terms) -> Vec<Metric> {
    let mut metrics = match (terms.primary.as_slice(), profile) {
        ([], "capacity") => vec![Metric::Capacity],
        ([], _) => vec![Metric::P50, Metric::P99, Metric::Throughput],
        (asked, _) => asked.to_vec(),
    };
    let fails = base.iter().chain(head).any(|run| run.failed > 0);
    if fails && profile != "capacity" {
        metrics.push(Metric::Failures);
    }
    metrics.sort_unstable();
    metrics.dedup();
    metrics
}

fn primary(metrics: &[Metric], base: &[&Summary], head: &[&Summary], terms: &Terms) -> Vec<Compared> {
    let asked: Vec<row::Asked> = metrics
        .iter()
        .map(|metric| row::Asked::of(*metric, base, head))
        .collect();
    let probabilities: Vec<f64> = asked.iter().map(row::Asked::p).collect();
    let adjusted = holm(&probabilities);
    let answer = |(asked, adjusted): (&row::Asked, f64)| asked.answer(terms, Some((adjusted, metrics.len())));
    asked.iter().zip(adjusted).map(answer).collect()
}

fn exploratory(primary: &[Metric], base: &[&Summary], head: &[&Summary], terms: &Terms) -> Vec<Compared> {
    let others = Metric::ALL.into_iter().filter(|metric| !primary.contains(metric));
    let mut asked: Vec<row::Asked> = others.map(|metric| row::Asked::of(metric, base, head)).collect();
    let routes = base.first().map(|run| run.routes.keys()).into_iter().flatten();
    for route in routes {
        for metric in [Metric::P50, Metric::P99] {
            asked.push(row::Asked::of_route(metric, route, base, head));
        }
    }
    asked.retain(row::Asked::is_known);
    asked.iter().map(|asked| asked.answer(terms, None)).collect()
}

fn concluded(primary: &[Compared]) -> (Change, String) {
    let of = |change: Change| -> Vec<&str> {
        let rows = primary.iter().filter(|row| row.change == change);
        rows.map(|row| row.sentence.as_str()).collect()
    };
    for (change, begin) in [
        (Change::Worse, "It got worse."),
        (Change::Inconclusive, "Nothing can be said for certain."),
        (Change::Better, "It got better."),
    ] {
        let sentences = of(change);
        if !sentences.is_empty() {
            return (change, format!("{begin} {}", sentences.join(" ")));
        }
    }
    (Change::Same, "It is the same, within what matters.".to_owned())
}

fn left_out(runs: &[Summary], side: &str) -> Option<String> {
    let unsound = runs.iter().filter(|run| !run.is_sound()).count();
    let words = match unsound {
        1 => "run was left out: it was".to_owned(),
        _ => "runs were left out: they were".to_owned(),
    };
    (unsound > 0).then(|| format!("{unsound} {side} {words} invalid or interrupted."))
}

fn caveats(base: &[&Summary], head: &[&Summary]) -> Vec<String> {
    let of_runs = [
        one_after_the_other(base, head),
        resembling(base, "baseline"),
        resembling(head, "new"),
    ];
    let told = likeness::told(base, head);
    of_runs.into_iter().flatten().chain(told).collect()
}

fn one_after_the_other(base: &[&Summary], head: &[&Summary]) -> Option<String> {
    let last_of_base = base.iter().map(|run| run.began).max()?;
    let first_of_head = head.iter().map(|run| run.began).min()?;
    (base.len() + head.len() > 2 && last_of_base < first_of_head).then(|| {
        "All baseline runs were made before the new ones: what changed on the machine meanwhile looks like a change of the target. \
         Runs that are made in turn rule that out."
            .to_owned()
    })
}

fn resembling(runs: &[&Summary], side: &str) -> Option<String> {
    let medians: Option<Vec<f64>> = runs.iter().map(|run| Metric::P50.of(run)).collect();
    let alike = medians.as_deref().and_then(autocorrelation)?;
    (runs.len() >= RUNS_FOR_LIKENESS && alike > MOST_ALIKE).then(|| {
        format!(
            "Each {side} run resembles the one before it (an autocorrelation of {alike:.2}), so that they show less than their number."
        )
    })
}

#[cfg(test)]
mod tests;
