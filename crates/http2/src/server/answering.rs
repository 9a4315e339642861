use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use portcullis_core::{Headers, Interim, Status, Watch};

use crate::message;

/// The most interim responses to one request. They are under no flow control, so that a backend could fill our memory
/// with them.
const MOST_INTERIM: u32 = 64;

/// How much of a request's content is received and dropped after nobody wants it any more, so that a client that sends
/// it all before it looks at the answer gets that answer.
const DROPPED_BYTES: usize = 1024 * 1024;

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
    /// The content that nobody wants any more, and what of it was dropped.
    unwanted: RefCell<Option<(RecvStream, usize)>>,
    /// Whether the client is about to send what nobody wants, and it is little.
    is_better_taken: Cell<bool>,
}

impl Answering {
    pub(super) fn new(respond: SendResponse<Bytes>, expects_continue: bool) -> Answering {
        Answering {
            respond: RefCell::new(respond),
            interim_sent: Cell::new(0),
            is_over: Cell::new(false),
            expects_continue: Cell::new(expects_continue),
            bytes_in: Cell::new(0),
            unwanted: RefCell::new(None),
            is_better_taken: Cell::new(false),
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

    /// Whether the head of the response is out.
    pub(super) fn has_begun(&self) -> bool {
        self.is_over.get()
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

    /// Takes content that nobody wants any more, of which the client has promised so much.
    pub(super) fn leave(&self, content: RecvStream, promised: Option<u64>) {
        if !content.is_end_stream() {
            let is_little = promised.is_some_and(|left| left <= DROPPED_BYTES as u64);
            self.is_better_taken.set(is_little && !self.expects_continue.get());
            *self.unwanted.borrow_mut() = Some((content, 0));
        }
    }

    /// Whether the answer had better wait for content that nobody wants: it is little and on its way, and there are clients
    /// that neither send nor read on once they have the whole answer, or lose it.
    pub(super) fn waits_for_unwanted(&self) -> bool {
        self.is_better_taken.get()
    }

    /// Drops what has come of content that nobody wants any more. Ready when no more of it will come, or too much did.
    pub(super) fn poll_drop_unwanted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut unwanted = self.unwanted.borrow_mut();
        if let Some((content, dropped)) = &mut *unwanted {
            while let Some(Ok(data)) = ready!(content.poll_data(cx)) {
                *dropped += data.len();
                if *dropped > DROPPED_BYTES {
                    break;
                }
                // Fails for a stream that has ended, whose window is of no use to anybody.
                let _ = content.flow_control().release_capacity(data.len());
            }
            // What still comes is the crate's to drop: it opens the window no further, and resets the stream at its end.
            *unwanted = None;
        }
        Poll::Ready(())
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
