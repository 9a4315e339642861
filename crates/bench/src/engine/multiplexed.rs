//! A connection that several lines share: whichever needs it first opens it for all.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Mutex;

use crate::engine::dialer::Dialer;
use crate::outcome::Failed;

/// A handle on a connection with streams. The connection lives as long as a handle on it.
pub(super) trait Handle: Clone + 'static {
    /// Makes a connection, up to where it takes requests.
    async fn open(dialer: &Dialer) -> Result<Self, Failed>;

    /// Whether it takes another request, as far as is known.
    fn is_usable(&self) -> bool;
}

/// The connection of some lines, one after another.
pub(super) struct Shared<H> {
    dialer: Rc<Dialer>,
    current: RefCell<Option<H>>,
    /// Held by the line that opens one.
    opening: Mutex<()>,
    attempts: Cell<u64>,
    /// Of the last attempt.
    failure: RefCell<Option<Failed>>,
}

impl<H: Handle> Shared<H> {
    pub(super) fn new(dialer: Rc<Dialer>) -> Shared<H> {
        Shared {
            dialer,
            current: RefCell::new(None),
            opening: Mutex::new(()),
            attempts: Cell::new(0),
            failure: RefCell::new(None),
        }
    }

    pub(super) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// The connection, opened where there is none that takes requests. Lines that come while one opens it share what comes of that, a
    /// failure too: it is one attempt.
    pub(super) async fn handle(&self) -> Result<H, Failed> {
        if self.dialer.fresh() {
            return H::open(&self.dialer).await;
        }
        if let Some(handle) = self.usable() {
            return Ok(handle);
        }
        let before = self.attempts.get();
        let _turn = self.opening.lock().await;
        if let Some(handle) = self.usable() {
            return Ok(handle);
        }
        if self.attempts.get() != before
            && let Some(failure) = self.failure.borrow().clone()
        {
            return Err(failure);
        }
        let opened = H::open(&self.dialer).await;
        self.attempts.set(self.attempts.get() + 1);
        *self.failure.borrow_mut() = opened.as_ref().err().cloned();
        *self.current.borrow_mut() = opened.as_ref().ok().cloned();
        opened
    }

    fn usable(&self) -> Option<H> {
        self.current
            .borrow()
            .as_ref()
            .filter(|handle| handle.is_usable())
            .cloned()
    }
}
