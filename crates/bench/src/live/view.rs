//! What is shown of a run, as lines. Nothing is written here.

use std::collections::BTreeMap;
use std::time::Duration;

use super::line::{Line, Look};
use crate::engine::Progress;
use crate::measured::{RouteMeasured, Second};
use crate::outcome::Failure;
use crate::report::escape::plain;
use crate::report::figures;
use crate::report::overview::Overview;

/// A sign for each height of a small bar.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Room for the words at the left.
const LABEL: usize = 11;
/// What stands behind the bar takes at most so much.
const BESIDE_BAR: usize = 34;

/// The view, for a terminal with so many columns.
pub(super) fn lines(progress: &Progress<'_>, columns: usize) -> Vec<Line> {
    let now = phase_so_far(progress);
    let mut lines = vec![
        bar(progress, columns),
        phase(progress),
        rates(progress),
        latencies(&now),
        history(progress.seconds, columns),
    ];
    lines.push(failures(progress));
    lines
}

/// The same in one line, for a log.
pub(super) fn sentence(progress: &Progress<'_>) -> String {
    let now = phase_so_far(progress);
    let [p50, _, p99, _, max] = Overview::percentiles(&now.latency);
    let second = progress.seconds.last().copied().unwrap_or_default();
    let name = progress
        .phases
        .get(progress.phase)
        .map_or("", |phase| phase.name.as_str());
    let mut text = format!(
        "{}  {}  {} due, {} ended, p50 {p50}, p99 {p99}, max {max}, {} waiting",
        figures::length(Duration::from_secs(progress.elapsed.as_secs())),
        plain(name),
        figures::rate(second.due as f64),
        figures::rate(second.ended as f64),
        figures::count(progress.waiting)
    );
    let failed = failed(progress);
    if failed.is_empty() {
        text.push_str(", no failures");
    }
    for (kind, count) in failed {
        text.push_str(&format!(", {} {}", figures::count(count), kind.word()));
    }
    text
}

/// All that has ended of what was due in this phase.
fn phase_so_far(progress: &Progress<'_>) -> RouteMeasured {
    let phase = progress.so_far.phases.get(progress.phase);
    phase.map(|phase| phase.total()).unwrap_or_default()
}

/// How much of the run is over, with a line between two phases.
fn bar(progress: &Progress<'_>, columns: usize) -> Line {
    let whole: Duration = progress.phases.iter().map(|phase| phase.duration).sum();
    let room = columns.saturating_sub(LABEL + BESIDE_BAR).clamp(10, 60);
    let share = |time: Duration| match whole.as_secs_f64() {
        0.0 => 1.0,
        whole => (time.as_secs_f64() / whole).min(1.0),
    };
    let cells = |time: Duration| (share(time) * room as f64).round();
    let done = cells(progress.elapsed);
    let mut ends = Vec::new();
    let mut end = Duration::ZERO;
    for phase in progress.phases {
        end += phase.duration;
        ends.push(cells(end));
    }
    ends.pop();
    let (mut full, mut empty) = (String::new(), String::new());
    for cell in (0..room).map(|cell| cell as f64) {
        let between = cell > 0.0 && ends.contains(&cell);
        match cell < done {
            true => full.push(if between { '┃' } else { '━' }),
            false => empty.push(if between { '┆' } else { '─' }),
        }
    }
    let left = whole.saturating_sub(progress.elapsed);
    let time = match left.is_zero() {
        true => "  waiting for the last answers".to_owned(),
        false => {
            let elapsed = Duration::from_secs(progress.elapsed.as_secs());
            format!("  {} of {}", figures::length(elapsed), whole_seconds(whole))
        }
    };
    label("progress")
        .with(Look::Good, &full)
        .with(Look::Quiet, &empty)
        .with(Look::Plain, &time)
}

/// Which phase it is, and how long it still goes on.
fn phase(progress: &Progress<'_>) -> Line {
    let Some(phase) = progress.phases.get(progress.phase) else {
        return label("phase");
    };
    let before: Duration = progress.phases[..progress.phase]
        .iter()
        .map(|phase| phase.duration)
        .sum();
    let left = (before + phase.duration).saturating_sub(progress.elapsed);
    let line = label("phase").with(Look::Strong, &phase.name);
    let line = line.with(Look::Plain, &format!(", {} left", whole_seconds(left)));
    match progress.phases.len() {
        0 | 1 => line,
        all => line.with(Look::Quiet, &format!("  ({} of {all})", progress.phase + 1)),
    }
}

fn rates(progress: &Progress<'_>) -> Line {
    let rate = |value: fn(&Second) -> u64| {
        let last = progress.seconds.last();
        last.map_or_else(
            || figures::NOTHING.to_owned(),
            |second| figures::rate(value(second) as f64),
        )
    };
    label("rate")
        .with(Look::Plain, &format!("{} due  ", rate(|second| second.due)))
        .with(Look::Strong, &format!("{} ended", rate(|second| second.ended)))
        .with(
            Look::Plain,
            &format!(
                "  {} in progress  {} waiting",
                figures::count(progress.in_progress),
                figures::count(progress.waiting)
            ),
        )
}

fn latencies(now: &RouteMeasured) -> Line {
    let [p50, p90, p99, _, max] = Overview::percentiles(&now.latency);
    label("latency")
        .with(Look::Plain, &format!("p50 {p50}  p90 {p90}  "))
        .with(Look::Strong, &format!("p99 {p99}"))
        .with(Look::Plain, &format!("  max {max}"))
}

/// The p99 of each of the last seconds.
fn history(seconds: &[Second], columns: usize) -> Line {
    let room = columns.saturating_sub(LABEL + 20).clamp(1, 60);
    let shown = &seconds[seconds.len().saturating_sub(room)..];
    let most = shown.iter().map(|second| second.p99).max().unwrap_or(0);
    let line = label("p99");
    if most == 0 {
        return line;
    }
    let bars: String = shown
        .iter()
        .map(|second| match second.due {
            0 => ' ',
            _ => {
                let step = (u128::from(second.p99) * (HEIGHTS.len() as u128 - 1)).div_ceil(u128::from(most));
                HEIGHTS[usize::try_from(step).unwrap_or(0).min(HEIGHTS.len() - 1)]
            }
        })
        .collect();
    line.with(Look::Plain, &bars)
        .with(Look::Quiet, &format!("  up to {}", figures::micros(most)))
}

fn failures(progress: &Progress<'_>) -> Line {
    let failed = failed(progress);
    let line = label("failures");
    if failed.is_empty() {
        return line.with(Look::Quiet, "none");
    }
    failed.into_iter().fold(line, |line, (kind, count)| {
        line.with(Look::Bad, &format!("{} {}  ", kind.word(), figures::count(count)))
    })
}

/// Failures of the run by kind.
fn failed(progress: &Progress<'_>) -> Vec<(Failure, u64)> {
    let mut counts: BTreeMap<Failure, u64> = BTreeMap::new();
    for route in progress.so_far.phases.iter().flat_map(|phase| phase.routes.values()) {
        for (kind, causes) in &route.failures {
            *counts.entry(*kind).or_default() += causes.values().sum::<u64>();
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn label(word: &str) -> Line {
    Line::default().with(Look::Quiet, &format!("{word:<LABEL$}"))
}

/// A time that is left, with the second that has begun.
fn whole_seconds(time: Duration) -> String {
    figures::length(Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0)))
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;
    use crate::load::{Load, Phase};
    use crate::measured::Measured;
    use crate::report::samples;

    /// A run that goes on.
    pub(crate) struct Run {
        pub(crate) elapsed: Duration,
        phases: [Phase; 2],
        measured: Measured,
    }

    impl Run {
        /// After so many seconds of a run with ten seconds of warming up and a minute of load.
        pub(crate) fn after(seconds: u32) -> Run {
            let mut measured = samples::load().measured;
            measured.seconds.truncate(seconds as usize);
            let phase = |name: &str, seconds| Phase {
                name: name.to_owned(),
                duration: Duration::from_secs(seconds),
                load: Load::Rate { from: 500.0, to: 500.0 },
                counts: seconds > 10,
            };
            Run {
                elapsed: Duration::from_secs(u64::from(seconds)),
                phases: [phase("warm-up", 10), phase("load", 60)],
                measured,
            }
        }

        pub(crate) fn progress(&self) -> Progress<'_> {
            Progress {
                phases: &self.phases,
                phase: usize::from(self.elapsed >= self.phases[0].duration),
                elapsed: self.elapsed,
                in_progress: 3,
                waiting: 12,
                seconds: &self.measured.seconds,
                so_far: &self.measured,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::Run;
    use super::*;

    fn text(run: &Run, columns: usize) -> String {
        let mut text = String::new();
        for line in lines(&run.progress(), columns) {
            line.put(&mut text, columns, false);
            text.push('\n');
        }
        text
    }

    #[test]
    fn it_shows_where_the_run_is_and_how_it_does() {
        let text = text(&Run::after(45), 80);
        for expected in [
            "progress   ━━━━━┃━━━━━━━━━━━━━━━━",
            "  45 s of 1 min 10 s",
            "phase      load, 25 s left  (2 of 2)",
            "rate       500/s due  500/s ended  3 in progress  12 waiting",
            "latency    p50 1.21 ms  p90 1.45 ms  p99 5.29 ms  max 502 ms",
            "█",
            "up to ",
            "failures   timeout 10",
        ] {
            assert!(text.contains(expected), "no {expected:?} in\n{text}");
        }
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in [1, 20, 40, 80, 300] {
            for line in text(&Run::after(69), columns).lines() {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
            }
        }
    }

    #[test]
    fn before_the_first_second_nothing_is_made_up() {
        let text = text(&Run::after(0), 80);
        assert!(text.contains("rate       – due  – ended"), "{text}");
    }

    #[test]
    fn behind_the_last_phase_it_waits() {
        let mut run = Run::after(70);
        run.elapsed = Duration::from_secs(75);
        assert!(text(&run, 80).contains("waiting for the last answers"));
    }

    #[test]
    fn a_line_of_a_log_has_all_that_matters() {
        assert_eq!(
            sentence(&Run::after(45).progress()),
            "45 s  load  500/s due, 500/s ended, p50 1.21 ms, p99 5.29 ms, max 502 ms, 12 waiting, 10 timeout"
        );
    }
}
