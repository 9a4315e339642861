use std::cell::{Cell, RefCell};
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;
use portcullis_core::{Headers, Interim, Status, Watch};

use crate::message;

/// The most interim responses to one request. They are under no flow control, so that a backend could fill our memory
/// with them.
const MOST_INTERIM: u32 = 64;

/// A request's stream as the handler's side and the response share it, until the response's head goes out.
pub(super) struct Answering {
    respond: RefCell<SendResponse<Bytes>>,
    interim_sent: Cell<u32>,
    /// Neither another interim response nor the client's way off is of interest any more.
    is_over: Cell<bool>,
    /// Whether the client waits for 100 before it sends the content (RFC 9110 §10.1.1).
    expects_continue: Cell<bool>,
    /// Bytes of content that the request brought.
    bytes_in: Cell<u64>,
}

impl Answering {
    pub(super) fn new(respond: SendResponse<Bytes>, expects_continue: bool) -> Answering {
        Answering {
            respond: RefCell::new(respond),
            interim_sent: Cell::new(0),
            is_over: Cell::new(false),
            expects_continue: Cell::new(expects_continue),
            bytes_in: Cell::new(0),
        }
    }

    /// Sends the head of the response.
    ///
    /// # Errors
    /// When the client has taken the request back.
    pub(super) fn respond(&self, head: http::Response<()>, ends: bool) -> Result<SendStream<Bytes>, h2::Error> {
        self.is_over.set(true);
        self.respond.borrow_mut().send_response(head, ends)
    }

    /// Notes that content is read: tells a client that waits for that to send it.
    pub(super) fn wants_content(&self) {
        if self.expects_continue.take() {
            self.send(Status::CONTINUE, &Headers::new());
        }
    }

    pub(super) fn count_in(&self, bytes: usize) {
        self.expects_continue.set(false);
        self.bytes_in.set(self.bytes_in.get() + bytes as u64);
    }

    /// Bytes of content that the request brought.
    pub(super) fn bytes_in(&self) -> u64 {
        self.bytes_in.get()
    }
}

impl Watch for Answering {
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_over.get() {
            return Poll::Pending;
        }
        let gone = self.respond.borrow_mut().poll_reset(cx).map(|_| ());
        if gone.is_ready() {
            self.is_over.set(true);
        }
        gone
    }
}

impl Interim for Answering {
    fn send(&self, status: Status, headers: &Headers) {
        let sent = self.interim_sent.get();
        if sent < MOST_INTERIM && !self.is_over.get() {
            self.interim_sent.set(sent + 1);
            let head = message::informational_head(status, headers);
            // A failure shows again, and for good, when the response is sent.
            let _ = self.respond.borrow_mut().send_informational(head);
        }
    }
}
