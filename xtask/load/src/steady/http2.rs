//! Requests of HTTP/2 in clear text, many at a time on a few connections.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::Reason;
use h2::client::SendRequest;
use http::Request;
use tokio::sync::Mutex;

use super::CONTENT;
use super::outcome::{Asked, Failure};
use super::plan::Stream;
use crate::answer::LENGTH;
use crate::connect::connect;

const CONNECTIONS: usize = 4;

/// How often a request is sent again because the server hadn't begun with it.
const REPETITIONS: u32 = 3;

pub(super) struct Client {
    stream: Stream,
    connections: [Mutex<Option<SendRequest<Bytes>>>; CONNECTIONS],
    next: AtomicUsize,
}

impl Client {
    pub(super) fn new(stream: &Stream) -> Client {
        Client {
            stream: stream.clone(),
            connections: Default::default(),
            next: AtomicUsize::new(0),
        }
    }

    /// Sends a request and reads its answer. What the server says that it hasn't begun with, because it closes the connection
    /// or refuses the stream, is sent again, as every client of HTTP/2 does.
    ///
    /// # Errors
    /// When it isn't answered as it has to be.
    pub(super) async fn ask(&self) -> Result<Asked, Failure> {
        let mut repeated = 0;
        loop {
            let requests = self.connection().await?;
            let failure = match self.exchange(requests).await {
                Ok(()) => return Ok(Asked { repeated }),
                Err(Ended::Answered(failure)) => return Err(failure),
                Err(Ended::Broken(failure)) => failure,
            };
            let not_begun = failure.is_go_away() && failure.is_remote()
                || failure.is_reset() && failure.reason() == Some(Reason::REFUSED_STREAM);
            if !not_begun || repeated == REPETITIONS {
                return Err(Failure::cut());
            }
            repeated += 1;
        }
    }

    /// The next connection in turn, made anew when it has ended or takes no more requests.
    async fn connection(&self) -> Result<SendRequest<Bytes>, Failure> {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS;
        let mut held = self.connections[place].lock().await;
        if let Some(requests) = held.take()
            && let Ok(requests) = requests.ready().await
        {
            return Ok(held.insert(requests).clone());
        }
        let stream = connect(self.stream.address).await.map_err(|_| Failure::refused())?;
        let (requests, connection) = h2::client::handshake(stream).await.map_err(|_| Failure::cut())?;
        tokio::spawn(connection);
        let requests = requests.ready().await.map_err(|_| Failure::cut())?;
        Ok(held.insert(requests).clone())
    }

    async fn exchange(&self, requests: SendRequest<Bytes>) -> Result<(), Ended> {
        let mut requests = requests.ready().await?;
        let has_content = self.stream.has_content();
        let mut request = Request::builder()
            .method(self.stream.method.clone())
            .uri(format!("http://gate.test{}", self.stream.next_path()))
            .header("user-agent", "portcullis-load");
        if has_content {
            request = request.header("content-length", CONTENT.len());
        }
        let request = request.body(()).expect("the request is well formed");
        let (answer, mut content) = requests.send_request(request, !has_content)?;
        if has_content {
            // A server may answer and reset the stream before it has read all; then the answer is what counts.
            let _ = content.send_data(Bytes::from_static(&CONTENT), true);
        }
        let answer = answer.await?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(Ended::Answered(Failure::status(status)));
        }
        let mut content = answer.into_body();
        let mut length = 0;
        while let Some(piece) = content.data().await {
            // The answer has begun: whatever ends it now, it is cut.
            let piece = piece.map_err(|_| Ended::Answered(Failure::cut()))?;
            length += piece.len();
            let _ = content.flow_control().release_capacity(piece.len());
        }
        if length == LENGTH {
            Ok(())
        } else {
            Err(Ended::Answered(Failure::wrong()))
        }
    }
}

/// How an exchange ended that wasn't as it had to be.
enum Ended {
    /// With an answer, or a part of one.
    Answered(Failure),
    /// Without one.
    Broken(h2::Error),
}

impl From<h2::Error> for Ended {
    fn from(error: h2::Error) -> Ended {
        Ended::Broken(error)
    }
}
