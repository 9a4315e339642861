//! A question to a service about a request, by the service's own pool, limits and retries.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portcullis_core::{Backend, Ctx, Error, Headers, Request, Status, codes};

/// Bytes of an answer's content that nobody wants, but that are read so that the connection can serve again.
const UNWANTED: u64 = 16 * 1024;

/// A service that is asked about requests.
pub(crate) struct Inquiry {
    service: Arc<dyn Backend>,
    timeout: Duration,
    policy: &'static str,
}

/// What it answers.
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) headers: Headers,
    /// Empty, where it was not wanted.
    pub(crate) content: Bytes,
}

impl Inquiry {
    /// A service that `policy` asks, and waits for `timeout`.
    pub(crate) fn new(service: Arc<dyn Backend>, timeout: Duration, policy: &'static str) -> Inquiry {
        Inquiry {
            service,
            timeout,
            policy,
        }
    }

    /// Asks, and reads the answer's content up to `wanted` bytes, if any are wanted.
    ///
    /// # Errors
    /// `guard_unavailable`, when there is no whole answer in time.
    pub(crate) async fn ask(&self, cx: &Ctx, question: Request, wanted: Option<u64>) -> Result<Answer, Error> {
        let asked = async {
            let mut cx = context(cx);
            let response = self.service.call(&mut cx, question).await?;
            let content = response.body.read_to_end(wanted.unwrap_or(UNWANTED)).await;
            Ok::<_, Error>(Answer {
                status: response.status,
                headers: response.headers,
                content: if wanted.is_some() { content? } else { Bytes::new() },
            })
        };
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.unavailable(&format!("the service that is asked failed: {error:?}"))),
            Err(_) => Err(self.unavailable(&format!(
                "the service that is asked gave no answer in {:?}",
                self.timeout
            ))),
        }
    }

    /// The error for an answer that says nothing.
    #[cold]
    pub(crate) fn unavailable(&self, cause: &str) -> Error {
        Error::new(&codes::GUARD_UNAVAILABLE)
            .with_cause(cause)
            .by_policy(self.policy)
    }
}

/// What backends look at, for a question of our own. What becomes of it is no fact of the request.
fn context(cx: &Ctx) -> Ctx {
    let mut own = Ctx::new(cx.connection.clone(), cx.request_id, cx.started, cx.received);
    own.client = cx.client;
    own.scheme = cx.scheme;
    own.route = cx.route;
    own
}
