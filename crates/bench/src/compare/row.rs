//! One metric of two sets of runs, and what comes of it.

use super::{Change, Compared, Metric, Terms};
use crate::statistics::{Effect, difference, mann_whitney, median, ratio, smallest_p};
use crate::summary::Summary;

/// The smallest difference between shares of failures that matters: one request in a thousand.
const MIN_FAILURES: f64 = 0.001;

/// More runs than that would be too many to ask for.
const MOST_TO_ASK_FOR: usize = 50;

/// A question: does this metric differ?
#[derive(Debug)]
pub(super) struct Asked {
    metric: Metric,
    route: Option<String>,
    base: Vec<f64>,
    head: Vec<f64>,
    /// Runs that don't have the metric.
    without: usize,
}

impl Asked {
    pub(super) fn of(metric: Metric, base: &[&Summary], head: &[&Summary]) -> Asked {
        Asked::from(metric, None, base, head, |run| metric.of(run))
    }

    pub(super) fn of_route(metric: Metric, route: &str, base: &[&Summary], head: &[&Summary]) -> Asked {
        let value = |run: &Summary| run.routes.get(route).and_then(|route| metric.of_route(route));
        Asked::from(metric, Some(route.to_owned()), base, head, value)
    }

    fn from(
        metric: Metric,
        route: Option<String>,
        base: &[&Summary],
        head: &[&Summary],
        value: impl Fn(&Summary) -> Option<f64>,
    ) -> Asked {
        let values = |runs: &[&Summary]| -> Vec<f64> {
            let values = runs.iter().filter_map(|run| value(run));
            values.filter(|value| value.is_finite()).collect()
        };
        let (of_base, of_head) = (values(base), values(head));
        Asked {
            metric,
            route,
            without: base.len() + head.len() - of_base.len() - of_head.len(),
            base: of_base,
            head: of_head,
        }
    }

    /// Whether both sides have it.
    pub(super) fn is_known(&self) -> bool {
        !self.base.is_empty() && !self.head.is_empty()
    }

    /// How likely runs that don't differ look at least as different.
    pub(super) fn p(&self) -> f64 {
        mann_whitney(&self.base, &self.head)
    }

    /// The answer. What decides comes with its probability among all that decide, and how many these are.
    pub(super) fn answer(&self, terms: &Terms, decides: Option<(f64, usize)>) -> Compared {
        let p = self.p();
        let (adjusted, questions) = decides.map_or((p, 1), |(adjusted, questions)| (adjusted, questions));
        let limits = Limits::of(self.metric, terms);
        let effect = match self.metric {
            Metric::Failures => difference(&self.base, &self.head, terms.seed),
            _ => ratio(&self.base, &self.head, terms.seed),
        };
        let (change, sentence) = match (self.unable(terms.level, questions), effect) {
            (Some(why), _) => (Change::Inconclusive, why),
            (None, None) => (
                Change::Inconclusive,
                format!("Of {} there are values that can't be compared.", self.name()),
            ),
            (None, Some(effect)) => {
                let change = limits.judge(self.metric, &effect, adjusted < terms.level);
                (change, self.sentence(change, &effect, adjusted, &limits))
            }
        };
        let factor = effect.filter(|_| self.metric != Metric::Failures);
        Compared {
            metric: self.metric,
            route: self.route.clone(),
            base: median(&self.base),
            head: median(&self.head),
            ratio: factor.map(|effect| effect.estimate),
            low: factor.map(|effect| effect.low),
            high: factor.map(|effect| effect.high),
            p: self.is_known().then_some(p),
            adjusted: decides.filter(|_| self.is_known()).map(|(adjusted, _)| adjusted),
            min_effect: limits.min_effect,
            change,
            sentence,
        }
    }

    /// Why no answer is possible, whatever the values are.
    fn unable(&self, level: f64, questions: usize) -> Option<String> {
        let (n, m) = (self.base.len(), self.head.len());
        let enough = |n, m| smallest_p(n, m) * (questions as f64) < level;
        if enough(n, m) {
            return None;
        }
        let needed = (1..=MOST_TO_ASK_FOR).find(|runs| enough(*runs, *runs));
        let needed = needed.map_or("more".to_owned(), |runs| format!("{runs} and {runs}"));
        let why = match self.without {
            0 => "",
            _ => ", because some have none or too few requests for it",
        };
        Some(format!(
            "Of {} there are {n} and {m} runs{why}; it takes {needed} to tell.",
            self.name()
        ))
    }

    fn name(&self) -> String {
        match &self.route {
            Some(route) => format!("{} of {route}", self.metric),
            None => self.metric.to_string(),
        }
    }

    fn sentence(&self, change: Change, effect: &Effect, p: f64, limits: &Limits) -> String {
        let name = self.name();
        let shown = |values: &[f64]| median(values).map_or_else(String::new, |value| self.metric.shown(value));
        let (base, head) = (shown(&self.base), shown(&self.head));
        let within = match self.metric {
            Metric::Failures => format!(
                "{:+.2} to {:+.2} percentage points",
                effect.low * 100.0,
                effect.high * 100.0
            ),
            _ => format!("{:+.1} % to {:+.1} %", more(effect.low), more(effect.high)),
        };
        let from_to = format!("{base} became {head}, which is {within}");
        match change {
            Change::Better | Change::Worse => format!("{name}: {from_to} (p = {p:.3})."),
            Change::Same => format!("{name}: {from_to}; less than {} doesn't matter.", limits.shown),
            Change::Inconclusive => format!(
                "{name}: {from_to} (p = {p:.3}), so that it may or may not be {} or more; more runs, or longer ones, would tell.",
                limits.shown
            ),
        }
    }
}

/// A factor in per cent: 1.05 is 5 more.
fn more(factor: f64) -> f64 {
    (factor - 1.0) * 100.0
}

/// What doesn't matter.
#[derive(Debug)]
struct Limits {
    min_effect: f64,
    /// No effect at all: a factor of 1, a difference of 0.
    none: f64,
    least: f64,
    most: f64,
    shown: String,
}

impl Limits {
    fn of(metric: Metric, terms: &Terms) -> Limits {
        let asked = terms.min_effects.get(&metric).copied();
        match metric {
            Metric::Failures => {
                let min_effect = asked.unwrap_or(MIN_FAILURES).abs();
                Limits {
                    min_effect,
                    none: 0.0,
                    least: -min_effect,
                    most: min_effect,
                    shown: format!("{} percentage points", min_effect * 100.0),
                }
            }
            _ => {
                let min_effect = asked.unwrap_or(terms.min_effect).abs();
                Limits {
                    min_effect,
                    none: 1.0,
                    // As much less as the other is more: half is as far as twice.
                    least: 1.0 / (1.0 + min_effect),
                    most: 1.0 + min_effect,
                    shown: format!("{} %", (min_effect * 1000.0).round() / 10.0),
                }
            }
        }
    }

    fn judge(&self, metric: Metric, effect: &Effect, significant: bool) -> Change {
        let matters = effect.estimate > self.most || effect.estimate < self.least;
        let without_none = effect.low > self.none || effect.high < self.none;
        if significant && matters && without_none {
            return match (effect.estimate > self.none) == metric.more_is_better() {
                true => Change::Better,
                false => Change::Worse,
            };
        }
        match effect.low >= self.least && effect.high <= self.most {
            true => Change::Same,
            false => Change::Inconclusive,
        }
    }
}
