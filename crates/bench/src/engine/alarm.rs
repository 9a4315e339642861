//! A clock that wakes its thread to within some microseconds.

use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer of the kernel. The event loop's own count milliseconds.
pub(super) struct Alarm {
    timer: AsyncFd<OwnedFd>,
    set: Option<Instant>,
}

impl Alarm {
    /// A timer that isn't set.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub(super) fn new() -> io::Result<Alarm> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        // What took its place is unsafe: it has its caller promise that the descriptor stays open, as an owned one does.
        #[expect(deprecated, reason = "an owned descriptor is safe in it")]
        let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
        Ok(Alarm { timer, set: None })
    }

    /// Rings at a moment, or at once when that is past. `now` is the present one.
    ///
    /// # Errors
    /// Those of the kernel, which has none for a timer that is well.
    pub(super) fn poll_until(
        &mut self,
        moment: Instant,
        now: Instant,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.set != Some(moment) {
            self.set(moment, now)?;
        }
        match self.timer.poll_read_ready(context)? {
            Poll::Pending => Poll::Pending,
            Poll::Ready(mut ready) => {
                // Setting it anew makes it unreadable; reading it would be one more system call for nothing.
                ready.clear_ready();
                self.set = None;
                Poll::Ready(Ok(()))
            }
        }
    }

    fn set(&mut self, moment: Instant, now: Instant) -> io::Result<()> {
        // A timer of no time would be one that is not set.
        let after = moment.saturating_duration_since(now).max(Duration::from_nanos(1));
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Timespec {
            tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: after.subsec_nanos().into(),
        };
        let setting = Itimerspec {
            it_interval: zero,
            it_value: value,
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &setting)?;
        self.set = Some(moment);
        Ok(())
    }
}
