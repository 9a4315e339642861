//! What counts as failed.

use std::collections::BTreeMap;

use super::changes::Changes;
use super::faults::Fault;
use crate::bench::steady::report::{Failure, Report, Stream};

/// Streams of requests, and how their failures count.
pub(super) const STREAMS: [(&str, &str, Counts); 7] = [
    ("h1-get", "HTTP/1.1 GET", Counts::All),
    ("h1-put", "HTTP/1.1 PUT, 8 KiB", Counts::All),
    ("h2-get", "HTTP/2 GET", Counts::All),
    ("h2-put", "HTTP/2 PUT, 8 KiB", Counts::All),
    ("ws-steady", "WebSocket to a target that is well", Counts::All),
    ("ws-any", "WebSocket to the three", Counts::WithoutTarget),
    ("h1-post", "HTTP/1.1 POST, 8 KiB (can't be sent again)", Counts::None),
];

/// Which failures are the proxy's.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Counts {
    All,
    /// Those of connections whose target was well.
    WithoutTarget,
    /// None: such a request must not be sent again, so that some are lost with their target.
    None,
}

/// One run of the scenario.
pub(super) struct Round {
    pub(super) report: Report,
    pub(super) faults: Vec<Fault>,
    pub(super) changes: Changes,
    pub(super) way: &'static str,
}

impl Round {
    /// How many of all streams failed that need not have.
    pub(super) fn failed(&self) -> u64 {
        let counted = STREAMS.iter().filter(|(_, _, counts)| *counts != Counts::None);
        counted.map(|(name, ..)| self.failed_of(name)).sum()
    }

    /// How many of a stream failed. Those that ended with their target aren't among them, where a connection can't outlive it.
    pub(super) fn failed_of(&self, name: &str) -> u64 {
        let Some(stream) = self.report.stream(name) else {
            return 0;
        };
        stream.sent - stream.done - self.with_target(name)
    }

    /// How many messages failed with the target of their connection.
    pub(super) fn with_target(&self, name: &str) -> u64 {
        let of_targets = STREAMS
            .iter()
            .any(|(other, _, counts)| *other == name && *counts == Counts::WithoutTarget);
        match self.report.stream(name) {
            Some(stream) if of_targets => {
                let explained = stream.failures.iter().filter(|failure| self.is_explained(failure));
                u64::try_from(explained.count()).unwrap_or(u64::MAX)
            }
            _ => 0,
        }
    }

    /// How many failures there were of each kind.
    pub(super) fn reasons(&self, stream: &Stream) -> BTreeMap<String, u64> {
        let mut reasons = stream.failed.clone();
        if self.with_target(&stream.name) > 0 {
            for failure in stream.failures.iter().filter(|failure| self.is_explained(failure)) {
                if let Some(count) = reasons.get_mut(&failure.what) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        reasons.retain(|_, count| *count > 0);
        reasons
    }

    /// When the first failures of a stream were, in seconds, for those who look for the cause.
    pub(super) fn moments(&self, stream: &Stream) -> Vec<String> {
        const SHOWN: usize = 12;
        let unexplained = stream
            .failures
            .iter()
            .filter(|failure| stream.name != "ws-any" || !self.is_explained(failure));
        let text = |failure: &Failure| format!("{}.{:03}", failure.due / 1000, failure.due % 1000);
        unexplained.take(SHOWN).map(text).collect()
    }

    fn is_explained(&self, failure: &Failure) -> bool {
        let Some(target) = &failure.target else { return false };
        self.faults
            .iter()
            .any(|fault| fault.explains(target, failure.due, failure.ended))
    }
}
