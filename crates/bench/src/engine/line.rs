//! What the engine asks of a protocol.

use std::rc::Rc;
use std::time::Instant;

use crate::engine::dialer::Dialer;
use crate::flow::Wants;
use crate::outcome::{Answer, Failed};
use crate::request::Request;

/// A lane's way to the target: what carries at most one request at a time. A connection of HTTP/1.1 is one line, one of HTTP/2 or 3
/// has a line for each of its streams, which share it.
///
/// Time is not a line's business: the engine drops a future that takes too long. A line is good for another exchange after that, on
/// a new connection or stream where the old one is of no more use.
pub(super) trait Line: Sized + 'static {
    /// The lines of one connection, which isn't open yet: `streams` of them, or one where the protocol has no streams. Whichever needs
    /// the connection first opens it.
    fn of_connection(dialer: &Rc<Dialer>, streams: usize) -> Vec<Self>;

    /// Opens the connection, unless it is open or each request gets its own ([`Dialer::fresh`]).
    async fn open(&mut self) -> Result<(), Failed>;

    /// Sends a request, once, and waits for the whole answer. Connects where there is no connection that is any good.
    ///
    /// `began` is the present moment; it is [`Answer::sent`] where nothing had to be done before.
    async fn exchange(&mut self, request: &Request, wants: Wants, began: Instant) -> Result<Answer, Failed>;
}
