//! The time of day without a look at the system's clock for each request.

use std::time::{Duration, Instant, SystemTime};

/// How old a reading of the time of day may be.
const TOLERANCE: Duration = Duration::from_secs(1);

/// The time of day at moments of the monotonic clock, read from the system once a second.
pub(crate) struct Clock {
    read_at: Instant,
    time: SystemTime,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock {
            read_at: Instant::now(),
            time: SystemTime::now(),
        }
    }

    /// The time of day at a moment that is not long ago.
    pub(crate) fn at(&mut self, moment: Instant) -> SystemTime {
        let since = moment.saturating_duration_since(self.read_at);
        if since > TOLERANCE {
            *self = Clock::new();
            return self.time;
        }
        self.time + since
    }
}
