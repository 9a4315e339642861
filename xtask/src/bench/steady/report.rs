//! What a load reports.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::bench::table::middle;

/// Slices of time are so many milliseconds long.
pub(in crate::bench) const SLICE: u64 = 100;

/// What came of all streams.
#[derive(Deserialize)]
pub(in crate::bench) struct Report {
    pub(in crate::bench) streams: Vec<Stream>,
}

/// What came of the requests of a stream.
#[derive(Deserialize)]
pub(in crate::bench) struct Stream {
    pub(in crate::bench) name: String,
    pub(in crate::bench) sent: u64,
    pub(in crate::bench) done: u64,
    /// Requests that the proxy hadn't begun with and that were sent again, as the protocol wants it.
    pub(in crate::bench) repeated: u64,
    /// How many failed for which reason.
    pub(in crate::bench) failed: BTreeMap<String, u64>,
    pub(in crate::bench) failures: Vec<Failure>,
    /// Latency in microseconds, from when a request was due to the end of its answer.
    pub(in crate::bench) p50: Option<u64>,
    pub(in crate::bench) p99: Option<u64>,
    pub(in crate::bench) max: Option<u64>,
    /// How much later than they were due 99 of 100 requests began at the most, in microseconds: what the load itself adds. None
    /// where requests wait for those before them.
    pub(in crate::bench) late: Option<u64>,
    /// In each slice of time, by when they were due: how many were done and how many failed.
    pub(in crate::bench) slices: Vec<[u64; 2]>,
}

/// A request that failed; its times are milliseconds from the beginning.
#[derive(Deserialize)]
pub(in crate::bench) struct Failure {
    pub(in crate::bench) due: u64,
    pub(in crate::bench) ended: u64,
    pub(in crate::bench) what: String,
    /// The port of the target that a lasting connection led to.
    pub(in crate::bench) target: Option<String>,
}

impl Report {
    pub(in crate::bench) fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.name == name)
    }
}

/// What the load itself added to latencies, at its worst: where that isn't far below a millisecond, something else has kept the
/// processor of the load busy.
pub(in crate::bench) fn lateness<'a>(streams: impl Iterator<Item = &'a Stream>) -> String {
    let worst = streams.filter_map(|stream| stream.late).max();
    milliseconds(worst.map_or(f64::NAN, float))
}

/// Milliseconds, with as many digits as mean something.
pub(in crate::bench) fn milliseconds(microseconds: f64) -> String {
    let value = microseconds / 1000.0;
    match value {
        value if !value.is_finite() => "–".to_owned(),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// The median over rounds of a latency; not a number, where nothing was answered.
pub(in crate::bench) fn over_rounds<'a>(
    rounds: impl Iterator<Item = &'a Stream>,
    of: impl Fn(&Stream) -> Option<u64>,
) -> f64 {
    let values: Vec<f64> = rounds.filter_map(of).map(float).collect();
    if values.is_empty() { f64::NAN } else { middle(values) }
}

/// A count or a time, which is far below 2⁵³.
#[allow(clippy::cast_precision_loss, reason = "no count and no time here is that large")]
pub(in crate::bench) fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let text = r#"{"streams":[{"name":"get","sent":3,"done":1,"repeated":0,"failed":{"cut":2},"failures":[
            {"due":10,"ended":12,"what":"cut","target":null}],"p50":900,"p99":1900,"p999":1,"max":2900,"late":40,"slices":[[1,2]]}]}"#;
        let report: Report = serde_json::from_str(text).unwrap();
        let stream = report.stream("get").unwrap();
        assert_eq!((stream.sent, stream.failed["cut"], stream.slices[0]), (3, 2, [1, 2]));
        assert_eq!(
            milliseconds(over_rounds(report.streams.iter(), |stream| stream.p99)),
            "1.9"
        );
        assert_eq!(milliseconds(over_rounds([].into_iter(), |stream| stream.p99)), "–");
    }
}
