use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

/// Tells the connections of one worker that they shall end: idle ones soon, busy ones after their response.
#[derive(Default)]
pub struct Drain {
    draining: Cell<bool>,
    slots: RefCell<Slots>,
}

#[derive(Default)]
struct Slots {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// A connection's place among those that a [`Drain`] wakes.
pub struct DrainTicket {
    drain: Rc<Drain>,
    slot: usize,
}

impl Drain {
    /// One that lets connections live.
    pub fn new() -> Rc<Drain> {
        Rc::default()
    }

    /// Starts the end; wakes all connections that wait for a request.
    pub fn start(&self) {
        self.draining.set(true);
        for waker in self.slots.borrow_mut().wakers.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }

    /// Whether the end has started.
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        let slots = self.slots.borrow();
        slots.wakers.len() - slots.free.len()
    }

    /// Takes a connection in.
    pub fn join(self: &Rc<Drain>) -> DrainTicket {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.free.pop().unwrap_or_else(|| {
            slots.wakers.push(None);
            slots.wakers.len() - 1
        });
        DrainTicket {
            drain: self.clone(),
            slot,
        }
    }
}

impl DrainTicket {
    /// Whether the end has started; if not, the task is woken when it does.
    pub fn poll_draining(&self, cx: &Context<'_>) -> bool {
        if self.drain.is_draining() {
            return true;
        }
        let waker = &mut self.drain.slots.borrow_mut().wakers[self.slot];
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        false
    }

    /// Whether the end has started.
    pub fn is_draining(&self) -> bool {
        self.drain.is_draining()
    }
}

impl Drop for DrainTicket {
    fn drop(&mut self) {
        let mut slots = self.drain.slots.borrow_mut();
        slots.wakers[self.slot] = None;
        slots.free.push(self.slot);
    }
}
