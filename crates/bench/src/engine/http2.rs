//! Streams of a connection of HTTP/2 (RFC 9113), by TLS or in clear text with prior knowledge.
//!
//! The wire is our own here, and not that of the crate `h2`, as the gate has it: that one needed twice the processor time of `h2load` for
//! a request, and what measures must need less than what is measured. Nor does anything here send again what a server has not begun with,
//! as the gate's client does: that is a failure like any other, and is counted.

mod connection;
mod frame;
mod streams;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Instant;

use portcullis_core::Method;

use self::connection::Connection;
use self::streams::Partial;
use crate::engine::dialer::Dialer;
use crate::engine::failing;
use crate::engine::line::Line;
use crate::engine::multiplexed::{Handle, Shared};
use crate::flow::Wants;
use crate::outcome::{Answer, Failed, Failure};
use crate::request::Request;

/// How many connections a request may find closing before it fails of that.
const CONNECTIONS: usize = 3;

/// One stream after another of a connection that is shared with other lines.
pub(super) struct Http2Line {
    shared: Rc<Shared<Connection>>,
    /// A handle of its own, so that an exchange doesn't need to make one.
    kept: Option<Connection>,
}

impl Line for Http2Line {
    fn of_connection(dialer: &Rc<Dialer>, streams: usize) -> Vec<Http2Line> {
        let shared = Rc::new(Shared::new(dialer.clone()));
        let line = || Http2Line {
            shared: shared.clone(),
            kept: None,
        };
        (0..streams.max(1)).map(|_| line()).collect()
    }

    async fn open(&mut self) -> Result<(), Failed> {
        if !self.shared.dialer().fresh() && self.usable().is_none() {
            self.kept = Some(self.shared.handle().await?);
        }
        Ok(())
    }

    async fn exchange(&mut self, request: &Request, wants: Wants, began: Instant) -> Result<Answer, Failed> {
        let secure = self.shared.dialer().target().tls.is_some();
        let block = request
            .hpack(secure)
            .map_err(|unfit| Failed::new(Failure::Check, unfit.0))?;
        let mut sent = began;
        for _ in 0..CONNECTIONS {
            if self.usable().is_none() {
                self.kept = Some(Box::pin(self.shared.handle()).await?);
                sent = Instant::now();
            }
            let connection = self.kept.as_ref().expect("one was just put there");
            // Where there is none, the server had said that it takes no more: nothing of the request was sent, and another connection
            // takes it.
            if connection.room().await {
                let head_only = request.method == Method::Head;
                let answer = connection.exchange(block, &request.body, wants, head_only).await;
                if self.shared.dialer().fresh() {
                    self.kept = None;
                }
                return answer.map(|answer| answer.into_answer(wants, sent));
            }
        }
        Err(failing::reset("the server takes no requests"))
    }
}

impl Http2Line {
    fn usable(&self) -> Option<&Connection> {
        self.kept.as_ref().filter(|connection| connection.is_usable())
    }
}

impl Partial {
    fn into_answer(self, wants: Wants, sent: Instant) -> Answer {
        Answer {
            status: self.status,
            headers: self.headers,
            body: wants.body.map(|_| self.body.unwrap_or_default().freeze()),
            length: self.length,
            sent,
        }
    }
}
