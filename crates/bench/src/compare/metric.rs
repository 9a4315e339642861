//! What of runs is compared.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::summary::{RouteSummary, Summary};

/// One number of a run. Times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The median latency.
    P50,
    /// The 90th percentile.
    P90,
    /// The 99th percentile.
    P99,
    /// The percentile of 99.9.
    #[serde(rename = "p99.9")]
    P999,
    /// Good answers a second.
    Throughput,
    /// The share of requests that failed, 0 to 1.
    Failures,
    /// Processor seconds of the watched process for each request.
    Processor,
    /// The most memory of the watched process, in bytes.
    Memory,
    /// The highest rate that kept the objectives.
    Capacity,
    /// How long it took to recover from a peak.
    Recovery,
}

impl Metric {
    /// All of them, in the order of reports.
    pub const ALL: [Metric; 10] = [
        Metric::P50,
        Metric::P90,
        Metric::P99,
        Metric::P999,
        Metric::Throughput,
        Metric::Failures,
        Metric::Processor,
        Metric::Memory,
        Metric::Capacity,
        Metric::Recovery,
    ];

    /// Its word in reports and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Metric::P50 => "p50",
            Metric::P90 => "p90",
            Metric::P99 => "p99",
            Metric::P999 => "p99.9",
            Metric::Throughput => "throughput",
            Metric::Failures => "failures",
            Metric::Processor => "processor",
            Metric::Memory => "memory",
            Metric::Capacity => "capacity",
            Metric::Recovery => "recovery",
        }
    }

    /// A value of it with its unit: `48.2 ms`.
    pub fn shown(self, value: f64) -> String {
        match self {
            Metric::P50 | Metric::P90 | Metric::P99 | Metric::P999 | Metric::Processor | Metric::Recovery => {
                time(value)
            }
            Metric::Throughput | Metric::Capacity => format!("{value:.0}/s"),
            Metric::Failures => format!("{:.3} %", value * 100.0),
            Metric::Memory => format!("{:.1} MiB", value / 1_048_576.0),
        }
    }

    /// Whether more of it is better.
    pub fn more_is_better(self) -> bool {
        matches!(self, Metric::Throughput | Metric::Capacity)
    }

    /// Its value in a run, where that has one.
    pub(crate) fn of(self, run: &Summary) -> Option<f64> {
        let quantile = |share| run.quantile(share).map(|time| time.as_secs_f64());
        match self {
            Metric::P50 => quantile(0.5),
            Metric::P90 => quantile(0.9),
            Metric::P99 => quantile(0.99),
            Metric::P999 => quantile(0.999),
            Metric::Throughput => run.rate,
            Metric::Failures => (run.requests > 0).then(|| run.failed as f64 / run.requests as f64),
            Metric::Processor => run.processor,
            Metric::Memory => run.memory.map(|bytes| bytes as f64),
            Metric::Capacity => run.found.get("capacity").copied(),
            Metric::Recovery => run.found.get("recovery").copied(),
        }
    }

    /// Its value in what is kept of a route, which is its latencies only.
    pub(super) fn of_route(self, route: &RouteSummary) -> Option<f64> {
        let micros = match self {
            Metric::P50 => route.p50?,
            Metric::P99 => route.p99?,
            _ => return None,
        };
        Some(micros as f64 / 1e6)
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        1.0.. => format!("{seconds:.3} s"),
        0.001.. => format!("{:.2} ms", seconds * 1e3),
        _ => format!("{:.1} µs", seconds * 1e6),
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Metric::Processor => "processor time for each request",
            other => other.word(),
        })
    }
}

impl FromStr for Metric {
    type Err = String;

    /// Reads its word.
    fn from_str(text: &str) -> Result<Metric, String> {
        Metric::ALL
            .into_iter()
            .find(|metric| metric.word() == text)
            .ok_or_else(|| {
                let words = Metric::ALL.map(|metric| format!("`{}`", metric.word())).join(", ");
                format!("`{text}` is nothing that runs are compared by; these are: {words}")
            })
    }
}
