//! A response on its way out.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h3::error::Code;
use h3::server::RequestStream as Requests;
use portcullis_core::{Body, Frame, Headers, Response, Watch};
use portcullis_http1::encode::ResponseLength;
use portcullis_http1::framing::BodyLength;
use portcullis_http1::watchdog::Watchdog;
use portcullis_http2::message;

use crate::frames;
use crate::stream::Stream;
use crate::transport::RequestStream;

/// The sending half, of which `h3` writes the heads and trailers.
pub(crate) type HeadWriter = Requests<RequestStream, Bytes>;

/// The response can't be sent to its end.
pub(crate) struct CutOff;

/// Sends one response.
pub(crate) struct Outgoing {
    stream: Rc<Stream>,
    heads: HeadWriter,
    timeout: Duration,
    watchdog: Watchdog,
    pub(crate) bytes_out: u64,
}

impl Outgoing {
    pub(crate) fn new(stream: Rc<Stream>, heads: HeadWriter, timeout: Duration) -> Outgoing {
        Outgoing {
            stream,
            heads,
            timeout,
            watchdog: Watchdog::new(),
            bytes_out: 0,
        }
    }

    /// Sends a head: an interim one, or that of the response.
    pub(crate) async fn send_head(&mut self, head: http::Response<()>) -> Result<(), CutOff> {
        let sending = self.heads.send_response(head);
        let sent = in_time(&mut self.watchdog, self.timeout, sending).await;
        sent.ok_or(CutOff)?.map_err(|_| CutOff)
    }

    /// Sends all of a response; whether all of it went out. One that breaks off is reset, so that the client doesn't
    /// take it for whole.
    pub(crate) async fn send(&mut self, response: Response, is_head: bool) -> bool {
        let sent = self.send_all(response, is_head).await;
        match sent {
            Ok(()) => self.stream.finish(),
            Err(CutOff) => self.stream.reset(Code::H3_INTERNAL_ERROR),
        }
        sent.is_ok()
    }

    async fn send_all(&mut self, response: Response, is_head: bool) -> Result<(), CutOff> {
        let Response {
            status,
            headers,
            mut body,
        } = response;
        let length = body.remaining();
        let announced = match length {
            // A 204 has no length, whatever asked for it (RFC 9110 §8.6).
            _ if is_head && (!status.is_bodyless() || status == portcullis_core::Status::NOT_MODIFIED) => {
                ResponseLength::Head(length)
            }
            _ if is_head || status.is_bodyless() => ResponseLength::Body(BodyLength::None),
            Some(length) => ResponseLength::Body(BodyLength::Sized(length)),
            None => ResponseLength::Body(BodyLength::Chunked),
        };
        self.send_head(message::response_head(status, &headers, announced))
            .await?;
        if is_head || status.is_bodyless() {
            return Ok(());
        }
        self.send_body(&mut body, length).await
    }

    async fn send_body(&mut self, body: &mut Body, mut promised: Option<u64>) -> Result<(), CutOff> {
        loop {
            match self.next_frame(body).await {
                None if promised.is_some_and(|promised| promised > 0) => return Err(CutOff),
                None => return Ok(()),
                Some(Err(_)) => return Err(CutOff),
                Some(Ok(Frame::Data(data))) => {
                    if let Some(promised) = &mut promised {
                        *promised = promised.checked_sub(data.len() as u64).ok_or(CutOff)?;
                    }
                    self.write(data, body).await?;
                }
                Some(Ok(Frame::Trailers(trailers))) if promised.is_none_or(|promised| promised == 0) => {
                    return self.send_trailers(&trailers).await;
                }
                Some(Ok(Frame::Trailers(_))) => return Err(CutOff),
            }
        }
    }

    /// The next frame, unless the client goes away.
    async fn next_frame(&mut self, body: &mut Body) -> Option<portcullis_core::Result<Frame>> {
        let stream = &self.stream;
        poll_fn(|cx| match body.poll_frame(cx) {
            Poll::Pending => stream.poll_gone(cx).map(|()| {
                let gone = portcullis_core::Error::new(&portcullis_core::codes::CLIENT_GONE);
                Some(Err(gone))
            }),
            ready => ready,
        })
        .await
    }

    /// Writes some content; meanwhile the body goes on with what must not wait.
    async fn write(&mut self, data: Bytes, body: &mut Body) -> Result<(), CutOff> {
        let count = data.len() as u64;
        let mut chunks = [frames::data_header(data.len()), data];
        let mut overdue_at = None;
        poll_fn(|cx| self.poll_write(cx, &mut chunks, body, &mut overdue_at)).await?;
        self.bytes_out += count;
        Ok(())
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        chunks: &mut [Bytes; 2],
        body: &mut Body,
        overdue_at: &mut Option<Instant>,
    ) -> Poll<Result<(), CutOff>> {
        loop {
            match self.stream.poll_write(cx, chunks) {
                Poll::Ready(Ok(true)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(false)) => *overdue_at = None,
                Poll::Ready(Err(_)) => return Poll::Ready(Err(CutOff)),
                Poll::Pending => {
                    body.poll_background(cx);
                    let due = *overdue_at.get_or_insert_with(|| Instant::now() + self.timeout);
                    return self.watchdog.poll_overdue(cx, due).map(|()| Err(CutOff));
                }
            }
        }
    }

    async fn send_trailers(&mut self, trailers: &Headers) -> Result<(), CutOff> {
        if trailers.is_empty() {
            return Ok(());
        }
        let sending = self.heads.send_trailers(message::written_trailers(trailers));
        let sent = in_time(&mut self.watchdog, self.timeout, sending).await;
        sent.ok_or(CutOff)?.map_err(|_| CutOff)
    }
}

/// What comes of `work`, unless it takes too long. The clock starts when it has to wait.
pub(crate) async fn in_time<F: Future>(watchdog: &mut Watchdog, patience: Duration, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut due = None;
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => {
            let due = *due.get_or_insert_with(|| Instant::now() + patience);
            watchdog.poll_overdue(cx, due).map(|()| None)
        }
    })
    .await
}
