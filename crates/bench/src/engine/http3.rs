//! Streams of a connection of HTTP/3 (RFC 9114).

mod connection;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use h3::client::RequestStream;
use h3::error::{Code, StreamError};
use h3_quinn::BidiStream;
use portcullis_core::Headers;

use self::connection::Connection;
use crate::engine::dialer::Dialer;
use crate::engine::failing;
use crate::engine::line::Line;
use crate::engine::multiplexed::{Handle, Shared};
use crate::flow::Wants;
use crate::outcome::{Answer, Failed, Failure};
use crate::request::Request;

/// One stream after another of a connection that is shared with other lines.
pub(super) struct Http3Line {
    shared: Rc<Shared<Connection>>,
    /// A handle of its own, so that an exchange doesn't need to make one.
    kept: Option<Connection>,
}

impl Line for Http3Line {
    fn of_connection(dialer: &Rc<Dialer>, streams: usize) -> Vec<Http3Line> {
        let shared = Rc::new(Shared::new(dialer.clone()));
        let line = || Http3Line {
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
        let head = request
            .later_head(true)
            .map_err(|unfit| Failed::new(Failure::Check, unfit.0))?;
        let mut sent = began;
        if self.usable().is_none() {
            self.kept = Some(Box::pin(self.shared.handle()).await?);
            sent = Instant::now();
        }
        let connection = self.kept.as_mut().expect("one was just put there");
        let stream = match connection.start(head).await {
            Ok(stream) => stream,
            // The connection had ended: nothing of the request was sent, and another one takes it.
            Err(_) if !connection.is_usable() => {
                let connection = self.kept.insert(Box::pin(self.shared.handle()).await?);
                sent = Instant::now();
                connection.start(head).await.map_err(|error| failed(&error))?
            }
            Err(error) => return Err(failed(&error)),
        };
        let mut stream = Unfinished(Some(stream));
        let answer = exchange(stream.get(), request, wants, sent).await;
        if answer.is_ok() {
            stream.0 = None;
        }
        if self.shared.dialer().fresh() {
            self.kept = None;
        }
        answer
    }
}

impl Http3Line {
    fn usable(&self) -> Option<&Connection> {
        self.kept.as_ref().filter(|connection| connection.is_usable())
    }
}

type Stream = RequestStream<BidiStream<Bytes>, Bytes>;

/// A stream that the server is told about when nobody waits for it any more.
struct Unfinished(Option<Stream>);

impl Unfinished {
    fn get(&mut self) -> &mut Stream {
        self.0.as_mut().expect("it is taken out at the end only")
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(stream) = &mut self.0 {
            // RFC 9114 §4.1.1. That nothing more is read, quinn says when the stream is dropped; `h3_quinn` can't be told while it waits for
            // something to read.
            stream.stop_stream(Code::H3_REQUEST_CANCELLED);
        }
    }
}

/// Sends content, and reads the answer to its end.
async fn exchange(stream: &mut Stream, request: &Request, wants: Wants, sent: Instant) -> Result<Answer, Failed> {
    if !request.body.is_empty() {
        match stream.send_data(request.body.clone()).await {
            // A server may answer without taking everything, and says then that it wants no more (RFC 9114 §4.1).
            Ok(()) | Err(StreamError::RemoteTerminate { .. }) => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    match stream.finish().await {
        Ok(()) | Err(StreamError::RemoteTerminate { .. }) => {}
        Err(error) => return Err(failed(&error)),
    }
    let head = loop {
        let head = stream.recv_response().await.map_err(|error| failed(&error))?;
        if !head.status().is_informational() {
            break head;
        }
    };
    let (length, body) = read(stream, wants.body).await.map_err(|error| failed(&error))?;
    // A stream that ends between two packets of a frame looks whole to the crate.
    if announced(&head).is_some_and(|announced| announced != length) && request.method != portcullis_core::Method::Head
    {
        return Err(failing::reset("the content was cut off"));
    }
    Ok(Answer {
        status: head.status().as_u16(),
        headers: wants.headers.then(|| fields(head.headers())),
        body,
        length,
        sent,
    })
}

/// Reads content to its end: how long it was, and as much of it as somebody wants.
async fn read(stream: &mut Stream, wanted: Option<usize>) -> Result<(u64, Option<Bytes>), StreamError> {
    let mut length = 0;
    let mut kept = wanted.map(|_| BytesMut::new());
    while let Some(mut piece) = stream.recv_data().await? {
        length += piece.remaining() as u64;
        if let (Some(kept), Some(most)) = (&mut kept, wanted) {
            let room = most.saturating_sub(kept.len()).min(piece.remaining());
            kept.extend_from_slice(&piece.copy_to_bytes(room));
        }
    }
    Ok((length, kept.map(BytesMut::freeze)))
}

/// The fields of an answer, for those who want them.
fn fields(received: &http::HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in received {
        headers.append_received(name.as_str(), value.as_bytes());
    }
    headers
}

/// The length of the content, where the head of an answer with content tells it.
fn announced(head: &http::Response<()>) -> Option<u64> {
    if head.status() == http::StatusCode::NOT_MODIFIED {
        return None;
    }
    let length = head.headers().get(http::header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// What a request failed of.
#[cold]
fn failed(error: &StreamError) -> Failed {
    match error {
        StreamError::RemoteTerminate { code, .. } if *code == Code::H3_REQUEST_REJECTED => {
            failing::reset("stream refused")
        }
        StreamError::RemoteTerminate { code, .. } => failing::reset(&format!("stream reset: {code}")),
        StreamError::StreamError { code, .. } => failing::protocol(&format!("the answer breaks HTTP/3: {code}")),
        StreamError::HeaderTooBig { .. } => failing::protocol("the head of the answer is too long"),
        StreamError::RemoteClosing { .. } => failing::reset("the connection was given up before this request"),
        StreamError::ConnectionError { 0: error, .. } => connection::failed(error),
        other => Failed::new(Failure::Reset, other.to_string()),
    }
}
