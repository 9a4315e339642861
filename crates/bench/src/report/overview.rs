//! What all forms of a report tell, counted once.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Judged, Report, Verdict, figures};
use crate::histogram::Histogram;
use crate::measured::{PhaseMeasured, RouteMeasured};
use crate::rate;

/// The shares of requests that reports give a latency for, with their names.
pub(crate) const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// Requests that must lie above a percentile for it to say anything.
const SAMPLES_ABOVE: f64 = 10.0;

/// A report's numbers over the phases that count.
pub(crate) struct Overview<'r> {
    pub(crate) report: &'r Report,
    /// All routes together.
    pub(crate) total: RouteMeasured,
    /// Each route, by its name.
    pub(crate) routes: BTreeMap<&'r str, RouteMeasured>,
    /// How long arrivals went on.
    pub(crate) lasted: Duration,
    /// Arrivals that were due.
    pub(crate) due: u64,
    /// Whether no phase counts, as in a run that was ended while it warmed up. All phases are shown then.
    pub(crate) none_counts: bool,
}

impl<'r> Overview<'r> {
    pub(crate) fn of(report: &'r Report) -> Overview<'r> {
        let phases = &report.measured.phases;
        let none_counts = !phases.iter().any(|phase| phase.counts);
        let mut overview = Overview {
            report,
            total: RouteMeasured::default(),
            routes: BTreeMap::new(),
            lasted: Duration::ZERO,
            due: 0,
            none_counts,
        };
        for phase in phases.iter().filter(|phase| phase.counts || none_counts) {
            overview.take(phase);
        }
        overview
    }

    fn take(&mut self, phase: &'r PhaseMeasured) {
        self.lasted += phase.lasted;
        self.due += phase.due;
        for (name, measured) in &phase.routes {
            self.total.merge(measured);
            self.routes.entry(name).or_default().merge(measured);
        }
    }

    /// Arrivals a second; users who wait for answers have none that are due.
    pub(crate) fn asked(&self) -> String {
        match self.lasted.as_secs_f64() {
            _ if self.due == 0 => figures::NOTHING.to_owned(),
            0.0 => figures::NOTHING.to_owned(),
            seconds => figures::rate(self.due as f64 / seconds),
        }
    }

    /// Good answers a second.
    pub(crate) fn answered(&self) -> String {
        rate::answered(&self.report.measured).map_or_else(|| figures::NOTHING.to_owned(), figures::rate)
    }

    /// What is known of a route's latency, or service time, at each of [`QUANTILES`] and at most.
    pub(crate) fn percentiles(times: &Histogram) -> [String; 5] {
        let [p50, p90, p99, p999] = QUANTILES.map(|(_, share)| figures::known_latency(known_quantile(times, share)));
        [p50, p90, p99, p999, figures::known_latency(times.max())]
    }

    /// What a tool would have told that asks again only when it has been answered. Nothing where the generator was at its limit: then
    /// it, too, may be why requests were late.
    pub(crate) fn hidden(&self) -> Option<String> {
        let (due, sent) = (self.total.latency.quantile(0.99)?, self.total.service.quantile(0.99)?);
        if self.report.verdict == Verdict::Invalid {
            return None;
        }
        if self.report.profile == "closed" {
            return Some(
                "Users waited for each answer (closed model): a target that stood still got no requests meanwhile, which hides how long it did."
                    .to_owned(),
            );
        }
        let (long, short) = (figures::latency(due), figures::latency(sent));
        let hides = due > sent.mul_f64(1.2) && due > sent + Duration::from_micros(200);
        Some(if hides {
            format!(
                "Clients who don't wait for each other saw a p99 of {long}. A tool that asks again only when it has been answered \
                 (closed model) would have told of {short}."
            )
        } else {
            format!("Requests were sent when they were due: a p99 of {long}, and {short} from when they were sent.")
        })
    }

    /// Failures by kind and cause, the most frequent first, with their numbers.
    pub(crate) fn failures(&self) -> Vec<(&'static str, &str, u64)> {
        let mut failures: Vec<_> = self
            .total
            .failures
            .iter()
            .flat_map(|(kind, causes)| {
                causes
                    .iter()
                    .map(|(cause, count)| (kind.word(), cause.as_str(), *count))
            })
            .collect();
        failures.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        failures
    }

    /// Requests that failed, with their share of all: `12 (0.008 %)`.
    pub(crate) fn failed(measured: &RouteMeasured) -> String {
        match measured.failed() {
            0 => "0".to_owned(),
            failed => format!(
                "{} ({})",
                figures::count(failed),
                figures::share(failed, measured.ended)
            ),
        }
    }

    /// How the generator itself was doing.
    pub(crate) fn generator(&self) -> String {
        let generator = &self.report.measured.generator;
        let lag = match generator.lag.quantile(0.99) {
            Some(lag) => format!("started {} later than due at p99, ", figures::latency(lag)),
            None => String::new(),
        };
        format!(
            "{lag}busiest thread {} % busy, {} connections ({} made), {} arrivals missed",
            figures::number((generator.busiest * 100.0).round()),
            figures::count(generator.connections),
            figures::count(generator.connected),
            figures::count(generator.missed)
        )
    }

    /// What the process took that was watched.
    pub(crate) fn process(&self) -> Option<String> {
        let resources = self.report.resources.as_ref()?;
        let memory = resources.most_memory()?;
        let ended = if resources.ended { "; it ended meanwhile" } else { "" };
        Some(format!(
            "Process {} ({}): {} of memory at most{ended}.",
            resources.name,
            resources.pid,
            figures::bytes(memory)
        ))
    }

    /// What came of it, in a line without the verdict's own word.
    pub(crate) fn conclusion(&self) -> String {
        let report = self.report;
        let missed: Vec<&Judged> = report.objectives.iter().filter(|judged| !judged.met).collect();
        match (report.verdict, report.objectives.len(), missed.len()) {
            (Verdict::Invalid, _, _) => match report.invalid.first() {
                Some(reason) => format!("it says nothing about the target: {}", within_sentence(reason)),
                None => "it says nothing about the target".to_owned(),
            },
            (Verdict::Pass, 0, _) => "no objective was set".to_owned(),
            (Verdict::Pass, 1, _) => "the objective was met".to_owned(),
            (Verdict::Pass, all, _) => format!("all {all} objectives were met"),
            (Verdict::Fail, all, 1) if all > 1 => format!("1 of {all} objectives was missed: {}", in_words(missed[0])),
            (Verdict::Fail, _, 1) => format!("the objective was missed: {}", in_words(missed[0])),
            (Verdict::Fail, all, missed) => format!("{missed} of {all} objectives were missed"),
        }
    }
}

/// Words as a sentence of their own.
pub(crate) fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}

/// A sentence as the part of another.
fn within_sentence(sentence: &str) -> String {
    let mut characters = sentence.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain([second]).chain(characters).collect()
        }
        _ => sentence.to_owned(),
    }
}

/// An objective with what was measured instead.
fn in_words(judged: &Judged) -> String {
    match &judged.route {
        Some(route) if !judged.objective.starts_with(route.as_str()) => {
            format!("{} of {route} ({})", judged.objective, judged.measured)
        }
        _ => format!("{} ({})", judged.objective, judged.measured),
    }
}

/// A percentile that enough requests lie above.
pub(crate) fn known_quantile(times: &Histogram, share: f64) -> Option<Duration> {
    let above = times.count() as f64 * (1.0 - share);
    // A median of few requests is what it is; a tail of few is chance.
    (share <= 0.9 || above >= SAMPLES_ABOVE).then(|| times.quantile(share))?
}

/// The word of a verdict, as people and pipelines look for it.
pub(crate) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Invalid => "INVALID",
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn only_phases_that_count_are_told_of() {
        let report = samples::load();
        let overview = Overview::of(&report);
        assert_eq!(overview.lasted, Duration::from_secs(60));
        assert_eq!(overview.due, 60 * samples::RATE);
        assert_eq!(overview.asked(), "500/s");
        assert!(!overview.none_counts);
    }

    #[test]
    fn a_run_that_only_warmed_up_shows_that() {
        let mut report = samples::load();
        report.measured.phases.truncate(1);
        let overview = Overview::of(&report);
        assert!(overview.none_counts);
        assert_eq!(overview.due, 10 * samples::RATE);
    }

    #[test]
    fn what_a_closed_model_hides_is_said() {
        let mut report = samples::load();
        let hidden = Overview::of(&report).hidden();
        assert!(hidden.is_some_and(|text| text.contains("would have told of")));
        report.profile = "closed".to_owned();
        let hidden = Overview::of(&report).hidden();
        assert!(hidden.is_some_and(|text| text.starts_with("Users waited")));
    }

    #[test]
    fn a_tail_of_few_requests_is_not_told() {
        let mut times = Histogram::new();
        times.record_many(Duration::from_millis(1), 999);
        let [p50, p90, p99, p999, max] = Overview::percentiles(&times);
        assert_eq!(
            [p50, p90, p99, p999, max].map(|text| text == figures::NOTHING),
            [false, false, true, true, false]
        );
    }

    #[test]
    fn the_conclusion_names_what_was_missed() {
        let mut report = samples::load();
        report.verdict = Verdict::Fail;
        report.objectives[0].met = false;
        assert_eq!(
            Overview::of(&report).conclusion(),
            "1 of 3 objectives was missed: p99 < 50ms (48.2ms)"
        );
        report.verdict = Verdict::Invalid;
        report.invalid.push("The busiest thread was 93 % busy".to_owned());
        assert_eq!(
            Overview::of(&report).conclusion(),
            "it says nothing about the target: the busiest thread was 93 % busy"
        );
    }
}
