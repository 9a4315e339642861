//! How it went from second to second.

use super::Chart;
use std::cmp::Ordering;

use super::scale::Scale;
use crate::measured::{Measured, Second};
use crate::objective::Objective;
use crate::profile::found;
use crate::report::{Report, figures};

/// More points than this are no better to see.
const MOST_POINTS: usize = 600;
/// What is told to a pointer takes room in the file.
const MOST_TOLD: usize = 300;

/// So many times the longest latency may a limit be to have a place.
const MOST_ROOM_FOR_LIMIT: f64 = 4.0;

/// Some seconds as one point of a chart.
#[derive(Clone, Debug, Default, PartialEq)]
struct Point {
    /// From the start of the run.
    from: f64,
    to: f64,
    /// A second, in the mean.
    due: f64,
    ended: f64,
    failed: f64,
    /// The worst of its seconds; percentiles of several seconds can't be had from theirs.
    worst: Option<Second>,
}

/// Seconds of a run, each by itself or several together.
pub(crate) struct Course<'r> {
    report: &'r Report,
    points: Vec<Point>,
    /// How many seconds are one point.
    pub(crate) together: usize,
    length: f64,
}

impl<'r> Course<'r> {
    /// The course of a run; nothing where none was kept.
    pub(crate) fn of(report: &'r Report) -> Option<Course<'r>> {
        let Measured { seconds, .. } = &report.measured;
        if seconds.is_empty() {
            return None;
        }
        let together = seconds.len().div_ceil(MOST_POINTS);
        let chunks = seconds.chunks(together).enumerate();
        Some(Course {
            report,
            points: chunks.map(|(at, chunk)| point(at * together, chunk)).collect(),
            together,
            length: seconds.len() as f64,
        })
    }

    /// Percentiles of latency by the second in which requests were due.
    pub(crate) fn latency(&self) -> String {
        let worst = || self.points.iter().filter_map(|point| point.worst);
        let highest = worst().map(|second| second.max).max().unwrap_or(0).max(1) as f64;
        let limit = self.limit(highest);
        let highest = limit.as_ref().map_or(highest, |(limit, _)| highest.max(*limit));
        let lowest = worst().map(|second| second.p50).min().unwrap_or(0).max(1) as f64;
        let y = match highest / lowest > 20.0 {
            true => Scale::logarithmic(lowest, highest),
            false => Scale::up_to(highest),
        };
        let mut chart = Chart::new("latency", "Latency over time", 260.0, Scale::time(self.length), y);
        chart.description = format!(
            "Lines for p50, p90, p99 and the longest, by the second in which requests were due. The longest of all took {}; the highest \
             p99 of a second was {}.",
            figures::micros(worst().map(|second| second.max).max().unwrap_or(0)),
            figures::micros(worst().map(|second| second.p99).max().unwrap_or(0))
        );
        self.bands(&mut chart);
        chart.rows(&|value| micros(value));
        chart.columns(&clock);
        let mut line = |class: &'static str, name: &str, value: fn(&Second) -> u64| {
            let points = self.along(&|point| point.worst.map(|second| value(&second).max(1) as f64));
            chart.line(class, name, &points);
        };
        line("longest", "max", |second| second.max);
        line("p99", "p99", |second| second.p99);
        line("p90", "p90", |second| second.p90);
        line("p50", "p50", |second| second.p50);
        if let Some((limit, text)) = limit {
            chart.limit(limit, text);
        }
        self.recovery(&mut chart);
        self.told(&mut chart, &|point| match point.worst {
            Some(second) => format!(
                "p50 {}, p90 {}, p99 {}, max {}",
                figures::micros(second.p50),
                figures::micros(second.p90),
                figures::micros(second.p99),
                figures::micros(second.max)
            ),
            None => "nothing was due".to_owned(),
        });
        chart.svg()
    }

    /// Requests that were due, that ended and that failed, by the second.
    pub(crate) fn throughput(&self) -> String {
        let highest = self
            .points
            .iter()
            .map(|point| point.due.max(point.ended))
            .fold(0.0, f64::max);
        let mut chart = Chart::new(
            "throughput",
            "Requests over time",
            180.0,
            Scale::time(self.length),
            Scale::up_to(highest),
        );
        chart.description = format!(
            "Lines for requests that were due and that ended in each second, and bars for those that failed. At most {} ended.",
            figures::rate(self.points.iter().map(|point| point.ended).fold(0.0, f64::max))
        );
        self.bands(&mut chart);
        chart.rows(&figures::rate);
        chart.columns(&clock);
        for point in self.points.iter().filter(|point| point.failed > 0.0) {
            chart.bar("failed", point.from, point.to, point.failed, "");
        }
        chart.line("asked", "due", &self.along(&|point| Some(point.due)));
        chart.line("answered", "ended", &self.along(&|point| Some(point.ended)));
        self.told(&mut chart, &|point| {
            format!(
                "{} due, {} ended, {} failed",
                figures::rate(point.due),
                figures::rate(point.ended),
                figures::rate(point.failed)
            )
        });
        chart.svg()
    }

    /// Arrivals that waited for a connection; nothing where none ever did.
    pub(crate) fn waiting(&self) -> Option<String> {
        let waiting = |point: &Point| point.worst.map_or(0, |second| second.waiting);
        let most = self.points.iter().map(waiting).max().filter(|most| *most > 0)?;
        let mut chart = Chart::new(
            "waiting",
            "Arrivals that wait",
            110.0,
            Scale::time(self.length),
            Scale::up_to(most as f64),
        );
        chart.description = format!(
            "Arrivals that waited for a connection, by the second; {} at most.",
            figures::count(most)
        );
        self.bands(&mut chart);
        chart.rows(&figures::number);
        chart.columns(&clock);
        chart.line("p90", "waiting", &self.along(&|point| Some(waiting(point) as f64)));
        Some(chart.svg())
    }

    /// A value of each point at its middle; the first and the last go to the edges.
    fn along(&self, value: &dyn Fn(&Point) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
        let mut line = Vec::with_capacity(self.points.len() + 2);
        if let Some(first) = self.points.first() {
            line.push((first.from, value(first)));
        }
        line.extend(
            self.points
                .iter()
                .map(|point| (f64::midpoint(point.from, point.to), value(point))),
        );
        if let Some(last) = self.points.last() {
            line.push((last.to, value(last)));
        }
        line
    }

    fn bands(&self, chart: &mut Chart<'_>) {
        for (at, phase) in self.report.measured.phases.iter().enumerate() {
            let from = phase.began.as_secs_f64();
            chart.band(at + 1, &phase.name, from, from + phase.lasted.as_secs_f64());
        }
    }

    /// The limit of the p99 over all routes, or else that of another percentile, in microseconds, with its words. One that is far from
    /// all that was measured would leave no room for that.
    fn limit(&self, highest: f64) -> Option<(f64, &'r str)> {
        let overall = self.report.objectives.iter().filter(|judged| judged.route.is_none());
        let is_p99 = |objective: &str| objective.starts_with("p99 ");
        let limits = overall.filter_map(|judged| {
            let objective: Objective = judged.objective.parse().ok()?;
            Some((objective.latency_limit()?.as_micros() as f64, judged.objective.as_str()))
        });
        limits
            .filter(|(limit, _)| *limit >= 1.0 && *limit <= highest * MOST_ROOM_FOR_LIMIT)
            .max_by(|one, other| {
                (is_p99(one.1), one.0)
                    .partial_cmp(&(is_p99(other.1), other.0))
                    .unwrap_or(Ordering::Equal)
            })
    }

    /// Where a spike's peak ended, and how long all was not as before.
    fn recovery(&self, chart: &mut Chart<'_>) {
        let after = self.report.measured.phases.iter().find(|phase| phase.name == "after");
        let recovery = self.report.found.get(found::RECOVERY);
        if let (Some(after), Some(recovery)) = (after, recovery) {
            let from = after.began.as_secs_f64();
            chart.span(
                from,
                from + recovery,
                &format!("recovered after {} s", figures::number(*recovery)),
            );
        }
    }

    fn told(&self, chart: &mut Chart<'_>, text: &dyn Fn(&Point) -> String) {
        if self.points.len() <= MOST_TOLD {
            for point in &self.points {
                chart.told(point.from, point.to, &format!("{}: {}", clock(point.from), text(point)));
            }
        }
    }
}

fn point(first: usize, seconds: &[Second]) -> Point {
    let count = seconds.len() as f64;
    let mean = |value: fn(&Second) -> u64| seconds.iter().map(|second| value(second) as f64).sum::<f64>() / count;
    let worst = seconds
        .iter()
        .filter(|second| second.due > 0 || second.waiting > 0)
        .fold(None, |worst: Option<Second>, second| {
            let Some(worst) = worst else { return Some(*second) };
            Some(Second {
                p50: worst.p50.max(second.p50),
                p90: worst.p90.max(second.p90),
                p99: worst.p99.max(second.p99),
                max: worst.max.max(second.max),
                waiting: worst.waiting.max(second.waiting),
                ..worst
            })
        });
    Point {
        from: first as f64,
        to: (first + seconds.len()) as f64,
        due: mean(|second| second.due),
        ended: mean(|second| second.ended),
        failed: mean(|second| second.failed),
        worst: worst.filter(|second| second.due > 0 || second.max > 0),
    }
}

/// A latency on an axis, without digits that say nothing: `10 ms`.
pub(super) fn micros(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value < 1000.0 => format!("{} µs", figures::number(value)),
        value if value < 1e6 => format!("{} ms", figures::number(value / 1e3)),
        value => format!("{} s", figures::number(value / 1e6)),
    }
}

/// A time from the start of a run: `45 s`, `2:05`, `1:02:05`.
pub(super) fn clock(seconds: f64) -> String {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "runs are short and begin at zero"
    )]
    let whole = seconds as u64;
    match whole {
        0..120 => format!("{} s", figures::number(seconds)),
        120..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_long_run_keeps_its_maxima() {
        let mut report = samples::load();
        let mut seconds = vec![
            Second {
                due: 10,
                ended: 10,
                p50: 1000,
                p99: 2000,
                max: 3000,
                ..Second::default()
            };
            86_400
        ];
        seconds[50_001].max = 9_000_000;
        seconds[50_002].p99 = 8_000_000;
        report.measured.seconds = seconds;
        let course = Course::of(&report).expect("it has seconds");
        assert_eq!((course.points.len(), course.together), (600, 144));
        let peak = course.points[50_001 / 144].worst.expect("requests were due");
        assert_eq!((peak.max, peak.p99), (9_000_000, 8_000_000));
        assert!(course.latency().len() < 100_000, "{}", course.latency().len());
    }

    #[test]
    fn seconds_without_requests_are_a_gap() {
        let mut report = samples::load();
        for second in &mut report.measured.seconds[20..30] {
            *second = Second::default();
        }
        let svg = Course::of(&report).expect("it has seconds").latency();
        let line = svg
            .split("class=\"line p50\" d=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        assert_eq!(line.map(|path| path.matches('M').count()), Some(2));
    }

    #[test]
    fn phases_and_failures_are_there() {
        let report = samples::load();
        let course = Course::of(&report).expect("it has seconds");
        let (latency, throughput) = (course.latency(), course.throughput());
        assert!(latency.contains(">warm-up</text>") && latency.contains(">load</text>"));
        assert_eq!(throughput.matches("class=\"bar failed\"").count(), 1);
        assert!(course.waiting().is_some_and(|svg| svg.contains("10 at most")));
    }

    #[test]
    fn a_limit_is_drawn_where_it_has_a_place() {
        let mut report = samples::load();
        let limit = |report: &Report| {
            Course::of(report)
                .expect("it has seconds")
                .latency()
                .matches("class=\"limit\"")
                .count()
        };
        assert_eq!(limit(&report), 1, "p99 < 50ms");
        report.objectives[0].objective = "p99 < 1m".to_owned();
        assert_eq!(limit(&report), 0, "far above all that was measured");
    }

    #[test]
    fn a_recovery_is_marked_where_the_peak_ended() {
        let mut report = samples::load();
        report.measured.phases[1].name = "after".to_owned();
        report.found.insert(found::RECOVERY.to_owned(), 7.0);
        let svg = Course::of(&report).expect("it has seconds").latency();
        assert!(
            svg.contains("recovered after 7 s") && svg.contains("x1=\"14.29%\" x2=\"24.29%\""),
            "{svg}"
        );
    }

    #[test]
    fn times_are_written_as_on_a_clock() {
        assert_eq!(
            [0.0, 90.0, 125.0, 3725.0].map(clock),
            ["0 s", "90 s", "2:05", "1:02:05"]
        );
    }
}
