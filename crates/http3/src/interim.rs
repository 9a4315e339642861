//! Interim responses on their way to the client.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use portcullis_core::{Headers, Interim, Status};
use portcullis_http2::message;

/// The most interim responses that wait for a client that doesn't read.
const LIMIT: usize = 32;

/// Interim responses that are still to be sent, until the final one begins.
#[derive(Default)]
pub(crate) struct Interims {
    waiting: RefCell<VecDeque<http::Response<()>>>,
    over: Cell<bool>,
}

impl Interims {
    pub(crate) fn push(&self, response: http::Response<()>) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() < LIMIT && !self.over.get() {
            waiting.push_back(response);
        }
    }

    pub(crate) fn pop(&self) -> Option<http::Response<()>> {
        self.waiting.borrow_mut().pop_front()
    }

    /// The final response begins: none may come any more.
    pub(crate) fn end(&self) {
        self.over.set(true);
    }
}

impl Interim for Interims {
    fn send(&self, status: Status, headers: &Headers) {
        self.push(message::informational_head(status, headers));
    }
}
