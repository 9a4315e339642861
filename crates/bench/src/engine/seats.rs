//! Where lanes wait, and are woken.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};

/// A seat for each lane of a thread.
pub(super) struct Seats {
    seats: Box<[Seat]>,
    /// Lanes with nothing to do; the one that has rested longest is first.
    resting: RefCell<VecDeque<u32>>,
}

#[derive(Default)]
struct Seat {
    waker: RefCell<Option<Waker>>,
    interrupt: Cell<Option<Interrupt>>,
    rests: Cell<bool>,
}

/// Why a request is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// It took too long.
    Timeout,
    /// The run has ended.
    Stop,
}

impl Seats {
    /// Seats for so many lanes.
    pub(super) fn new(lanes: usize) -> Seats {
        Seats {
            seats: (0..lanes).map(|_| Seat::default()).collect(),
            resting: RefCell::new(VecDeque::with_capacity(lanes)),
        }
    }

    /// A lane has nothing to do, until it is woken.
    pub(super) fn rest(&self, lane: u32, waker: &Waker) {
        let seat = &self.seats[lane as usize];
        if !seat.rests.replace(true) {
            // All wakers of a task are alike: this one is good for interrupting too, for as long as the lane lives.
            seat.waker.replace(Some(waker.clone()));
            self.resting.borrow_mut().push_back(lane);
        }
    }

    /// Wakes the lane that has rested longest; whether there was one.
    pub(super) fn wake_one(&self) -> bool {
        let Some(lane) = self.resting.borrow_mut().pop_front() else {
            return false;
        };
        let seat = &self.seats[lane as usize];
        seat.rests.set(false);
        if let Some(waker) = &*seat.waker.borrow() {
            waker.wake_by_ref();
        }
        true
    }

    /// Makes a lane give up its request.
    pub(super) fn interrupt(&self, lane: u32, why: Interrupt) {
        let seat = &self.seats[lane as usize];
        seat.interrupt.set(Some(why));
        if let Some(waker) = &*seat.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Forgets an interrupt that came too late.
    pub(super) fn calm(&self, lane: u32) {
        self.seats[lane as usize].interrupt.set(None);
    }

    /// What comes of a future, unless the lane is interrupted before.
    pub(super) async fn within<F: Future>(&self, lane: u32, future: F) -> Result<F::Output, Interrupt> {
        let interrupt = &self.seats[lane as usize].interrupt;
        let mut future = pin!(future);
        poll_fn(|context| match interrupt.take() {
            Some(why) => Poll::Ready(Err(why)),
            None => future.as_mut().poll(context).map(Ok),
        })
        .await
    }
}
