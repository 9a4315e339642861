//! Waiting for a moment more exactly than an event loop does, whose own timers count milliseconds.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::unix::AsyncFd;

/// Moments that tasks of one thread wait for, with one timer of the kernel for the next of them.
pub(super) struct Clock {
    timer: AsyncFd<OwnedFd>,
    /// Ordered by their moment. No longer than there are tasks, since each waits for one at a time, and to its end.
    waiting: RefCell<BinaryHeap<Reverse<Waiting>>>,
    armed: Cell<Option<Instant>>,
}

struct Waiting {
    due: Instant,
    waker: Waker,
}

impl Clock {
    /// A clock for the event loop of this thread. Somebody must [`run`](Clock::run) it.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub(super) fn new() -> io::Result<Clock> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // What took its place is unsafe: it has its caller promise that the descriptor stays open, as an owned one does.
        #[expect(deprecated, reason = "an owned descriptor is safe in it")]
        let timer = AsyncFd::new(timer)?;
        Ok(Clock {
            timer,
            waiting: RefCell::default(),
            armed: Cell::new(None),
        })
    }

    /// Waits until then; not at all for what is past. It must be awaited to its end.
    pub(super) async fn until(&self, due: Instant) {
        let mut waits = false;
        poll_fn(|cx| {
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut waits, true) {
                let waker = cx.waker().clone();
                self.waiting.borrow_mut().push(Reverse(Waiting { due, waker }));
                if self.armed.get().is_none_or(|armed| due < armed) {
                    self.arm(due);
                }
            }
            Poll::Pending
        })
        .await;
    }

    /// Wakes who waits, when it is time.
    ///
    /// # Errors
    /// When the system takes the timer away, which it has no reason for.
    pub(super) async fn run(&self) -> io::Result<()> {
        loop {
            let mut rings = self.timer.readable().await?;
            // How often it rang doesn't matter; reading makes it silent.
            let _ = rustix::io::read(self.timer.get_ref(), &mut [0u8; 8]);
            rings.clear_ready();
            self.wake();
        }
    }

    fn wake(&self) {
        self.armed.set(None);
        let mut waiting = self.waiting.borrow_mut();
        let now = Instant::now();
        while waiting.peek().is_some_and(|Reverse(next)| next.due <= now) {
            if let Some(Reverse(next)) = waiting.pop() {
                next.waker.wake();
            }
        }
        if let Some(Reverse(next)) = waiting.peek() {
            self.arm(next.due);
        }
    }

    fn arm(&self, due: Instant) {
        // Zero would silence it.
        let left = due
            .saturating_duration_since(Instant::now())
            .max(Duration::from_nanos(1));
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: i64::try_from(left.as_secs()).expect("a wait fits the years that a clock counts"),
                tv_nsec: left.subsec_nanos().into(),
            },
        };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)
            .expect("the timer and the time are good");
        self.armed.set(Some(due));
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Waiting) -> bool {
        self.due == other.due
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Waiting) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}
