//! Streams of a connection of HTTP/2 (RFC 9113), by TLS or in clear text with prior knowledge.
//!
//! It stands on the crate `h2` itself and not on the gate's client, which sends again what a server has not begun with: here that is a
//! failure like any other, and is counted.

mod connection;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use portcullis_core::Headers;

use self::connection::Connection;
use crate::engine::dialer::Dialer;
use crate::engine::line::Line;
use crate::engine::shared::{Handle, Shared};
use crate::flow::Wants;
use crate::outcome::{Answer, Failed, Failure};
use crate::request::Request;

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
        let head = request
            .later_head(secure)
            .map_err(|unfit| Failed::new(Failure::Check, unfit.0))?;
        let mut sent = began;
        if self.usable().is_none() {
            self.kept = Some(Box::pin(self.shared.handle()).await?);
            sent = Instant::now();
        }
        let connection = self.kept.as_mut().expect("one was just put there");
        let started = match connection.start(head, &request.body).await {
            Ok(started) => started,
            // The server had said that it takes no more: nothing of the request was sent, and another connection takes it.
            Err(_) if !connection.is_usable() => {
                let connection = self.kept.insert(Box::pin(self.shared.handle()).await?);
                sent = Instant::now();
                connection.start(head, &request.body).await?
            }
            Err(failed) => return Err(failed),
        };
        let connection = self.kept.as_ref().expect("it is the one that was used");
        let response = started.await.map_err(|error| connection.failed(&error))?;
        let (head, content) = response.into_parts();
        let (length, body) = read(content, wants.body)
            .await
            .map_err(|error| connection.failed(&error))?;
        let answer = Answer {
            status: head.status.as_u16(),
            headers: wants.headers.then(|| fields(&head.headers)),
            body,
            length,
            sent,
        };
        if self.shared.dialer().fresh() {
            self.kept = None;
        }
        Ok(answer)
    }
}

impl Http2Line {
    fn usable(&self) -> Option<&Connection> {
        self.kept.as_ref().filter(|connection| connection.is_usable())
    }
}

/// Reads content to its end: how long it was, and as much of it as somebody wants.
async fn read(mut content: RecvStream, wanted: Option<usize>) -> Result<(u64, Option<Bytes>), h2::Error> {
    let mut length = 0;
    let mut kept = wanted.map(|_| BytesMut::new());
    if !content.is_end_stream() {
        while let Some(piece) = content.data().await {
            let piece = piece?;
            length += piece.len() as u64;
            if let (Some(kept), Some(most)) = (&mut kept, wanted) {
                let room = most.saturating_sub(kept.len()).min(piece.len());
                kept.extend_from_slice(&piece[..room]);
            }
            // It fails only for more than was received.
            let _ = content.flow_control().release_capacity(piece.len());
        }
        // Content is whole only once the stream has ended well, which trailers may do.
        poll_fn(|cx| content.poll_trailers(cx)).await?;
    }
    Ok((length, kept.map(BytesMut::freeze)))
}

/// The fields of an answer, for those who want them.
pub(super) fn fields(received: &http::HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in received {
        headers.append_received(name.as_str(), value.as_bytes());
    }
    headers
}
