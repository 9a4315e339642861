//! How busy a thread was.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::load::Phase;

/// A phase shorter than this says nothing of itself: the clock of a thread is not that even.
const LONG_ENOUGH: Duration = Duration::from_millis(200);

/// How busy the present thread was in the phases that count, or in all where none does.
#[derive(Debug)]
pub(super) struct Busy {
    counts: Vec<bool>,
    began: Duration,
    since: Option<(Instant, Duration)>,
    current_counts: bool,
    share: f64,
}

impl Busy {
    /// The present thread, before the first of some phases.
    pub(super) fn new(phases: &[Phase]) -> Busy {
        let none_counts = !phases.iter().any(|phase| phase.counts);
        Busy {
            counts: phases.iter().map(|phase| phase.counts || none_counts).collect(),
            began: processor_time(),
            since: None,
            current_counts: false,
            share: 0.0,
        }
    }

    /// Another phase begins.
    pub(super) fn phase(&mut self, number: usize, now: Instant) {
        self.over(now);
        self.current_counts = self.counts.get(number).copied().unwrap_or_default();
        if self.since.is_none() {
            self.since = Some((now, processor_time()));
        }
    }

    /// The last phase is over.
    pub(super) fn over(&mut self, now: Instant) {
        let Some((since, before)) = self.since else { return };
        let lasted = now.saturating_duration_since(since);
        if lasted < LONG_ENOUGH {
            // It is counted with the next one.
            return;
        }
        self.since = None;
        if self.current_counts {
            let used = processor_time().saturating_sub(before);
            self.share = self.share.max(used.as_secs_f64() / lasted.as_secs_f64());
        }
    }

    /// The largest share of a processor that it used in a phase, 0 to 1.
    pub(super) fn share(&self) -> f64 {
        self.share.min(1.0)
    }

    /// The processor time it has used since it began.
    pub(super) fn used(&self) -> Duration {
        processor_time().saturating_sub(self.began)
    }
}

/// The processor time of the present thread.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
