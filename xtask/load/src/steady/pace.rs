//! When requests are to begin.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The times at which requests are due, each given when it has come. A thread keeps them, for the event loop's timers are
/// coarser than the time between two requests. Nothing is left out when the receiver is late.
pub(super) fn beats(start: Instant, rate: u32, duration: Duration) -> UnboundedReceiver<Instant> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        for due in times(start, rate, duration) {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                break;
            }
        }
    });
    receiver
}

/// So many in a second, evenly.
pub(super) fn times(start: Instant, rate: u32, duration: Duration) -> impl Iterator<Item = Instant> {
    let each = Duration::from_secs(1) / rate;
    (0u32..)
        .map(move |number| each * number)
        .take_while(move |after| *after < duration)
        .map(move |after| start + after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_to_the_end() {
        for (rate, count) in [(1, 3), (200, 600), (5000, 15_000)] {
            let start = Instant::now();
            assert_eq!(times(start, rate, Duration::from_secs(3)).count(), count);
        }
    }
}
