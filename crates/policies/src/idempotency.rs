//! `idempotency` lets clients send a request again without its being done twice
//! (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! ```yaml
//! idempotency: {required: true, ttl: 24h}
//! ```
//!
//! A POST or PATCH with an `Idempotency-Key` is answered by the backend once. Whoever sends it again gets the same answer
//! with `Idempotency-Replayed: true`, for as long as `ttl` says, over restarts and crashes of the gate too.
//!
//! | another request with the key | answer |
//! |---|---|
//! | while the first is in progress | 409 `idempotency_in_progress`, with `Retry-After` |
//! | with another host, target, content type or body | 422 `idempotency_key_reused` |
//! | after an answer that was too large to keep | 409 `idempotency_not_kept` |
//! | when nobody knows what became of the first | 409 `idempotency_outcome_unknown` |
//!
//! The last one is so when the gate died in the middle, and when the backend got the request and gave no answer to it: then
//! it may have been done, and sending it once more by the gate's own decision is what a key is to prevent. The client has to
//! look, and to use a new key. An answer of the backend that is not final (5xx, and 401, 403, 408, 409, 425, 429), and a
//! failure before it had the request, frees the key.
//!
//! A key is valid for its consumer, route and method. Requests of nobody share theirs: an answer is only given to whoever
//! sends the very same request with the very same key. What is kept of both are hashes.
//!
//! From the claim of the key on the request goes on to its end even when its client goes away, for that is whom the answer is
//! kept for. Answers are kept before they are sent.

mod collected;
mod key;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use portcullis_config::policy::idempotency;
use portcullis_config::policy::on_failure::OnFailure;
use portcullis_core::codes::Code;
use portcullis_core::{
    Body, Ctx, Error, Frame, Headers, Known, Method, Next, Policy, Reply, Request, Response, Result, Status, codes,
};
use portcullis_stores::durable::idempotency::{Claim, Claimed, Outcome, Records, Stored, Ticket};
use portcullis_stores::durable::{Digest, Millis};
use sha2::{Digest as _, Sha256};

use collected::Collected;

/// The field with the key.
const KEY: &str = "Idempotency-Key";
/// Says that an answer is not the first one.
const REPLAYED: &str = "Idempotency-Replayed";
/// How long a request waits for the store at the most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of bodies that are held at a time, over all requests of a policy: clients who send slowly must not fill the memory.
const MOST_HELD: usize = 256 << 20;

/// Answers that are not final although they say whose fault it was: what is missing may come, and what was too early or
/// too much may fit later.
const NOT_FINAL: [u16; 6] = [401, 403, 408, 409, 425, 429];

/// Failures after which nobody knows whether the backend has done what it was asked.
const UNKNOWN: [&Code; 3] = [
    &codes::UPSTREAM_CLOSED,
    &codes::UPSTREAM_INVALID,
    &codes::UPSTREAM_TIMEOUT,
];

/// Lets clients send a request again without its being done twice.
pub struct Idempotency {
    methods: Box<[Method]>,
    required: bool,
    bare: bool,
    ttl: Millis,
    lease: Millis,
    most_body: u64,
    most_response: u64,
    on_failure: OnFailure,
    records: Arc<dyn Records>,
    /// Bytes of bodies that were read and whose requests are not answered.
    held: AtomicUsize,
}

/// Bytes of a body that was read.
struct Held<'i> {
    all: &'i AtomicUsize,
    bytes: usize,
}

/// A key that this request has claimed.
struct Claimant<'i> {
    policy: &'i Idempotency,
    key: Digest,
    ticket: Ticket,
    expires: Millis,
}

impl Idempotency {
    /// Compiles what the file says. `records` is where answers are kept.
    pub fn new(config: &idempotency::Idempotency, records: Arc<dyn Records>) -> Idempotency {
        let millis = |span: Duration| Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX / 4);
        Idempotency {
            methods: config.methods.iter().map(|method| Method::from_token(method)).collect(),
            required: config.required,
            bare: config.bare,
            ttl: millis(config.ttl.0),
            lease: millis(config.lease.0),
            most_body: config.body.0,
            most_response: config.response.0,
            on_failure: config.on_failure,
            records,
            held: AtomicUsize::new(0),
        }
    }

    /// Reads the whole request, claims its key, and lets it pass if it is the first one.
    async fn answer(&self, cx: &mut Ctx, mut request: Request, key: Vec<u8>, next: Next<'_>) -> Result<Response> {
        let body = std::mem::take(&mut request.body);
        let mut held = Held {
            all: &self.held,
            bytes: 0,
        };
        let (body, fingerprint) = self.read(body, &request, &mut held).await?;
        request.body = Body::from(body);
        let now = now(cx);
        let claim = Claim {
            key: scoped(cx, &request, &key),
            fingerprint,
            now,
            lease: now.saturating_add(self.lease),
            expires: now.saturating_add(self.ttl),
        };
        // Whoever claims a key goes on to the end, or it would be nobody's until the lease is over.
        let goes_on = cx.goes_on.clone().unwrap_or_default();
        goes_on.set(true);
        let claimed = match tokio::time::timeout(PATIENCE, self.records.claim(claim)).await {
            Ok(Ok(claimed)) => claimed,
            Ok(Err(error)) => return self.undecided(cx, request, next, error.to_string()).await,
            Err(_) => {
                let why = format!("the durable store took more than {PATIENCE:?}");
                return self.undecided(cx, request, next, why).await;
            }
        };
        let claimant = match claimed {
            Claimed::First(ticket) => Claimant {
                policy: self,
                key: claim.key,
                ticket,
                expires: claim.expires,
            },
            known => {
                goes_on.set(false);
                return known_already(known);
            }
        };
        let outcome = next.run(cx, request).await;
        let outcome = claimant.settle(outcome).await;
        goes_on.set(false);
        outcome
    }

    /// The content, whole, and what tells this request from others with its key.
    async fn read(&self, mut body: Body, request: &Request, held: &mut Held<'_>) -> Result<(Bytes, Digest)> {
        let mut hash = Sha256::new();
        let content_type = request.headers.get(Known::ContentType).unwrap_or_default();
        for part in [
            request.host().as_bytes(),
            request.target.as_str().as_bytes(),
            content_type,
        ] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut collected = Vec::new();
        // Piece by piece: so the hash of a large body holds up nobody else on the worker.
        while let Some(frame) = body.frame().await {
            let Frame::Data(data) = frame? else { continue };
            if (collected.len() + data.len()) as u64 > self.most_body {
                let limit = self.most_body;
                return Err(Error::new(&codes::CONTENT_TOO_LARGE)
                    .with_detail(format!("the limit is {limit} bytes"))
                    .by_policy("idempotency"));
            }
            held.more(data.len())?;
            hash.update(&data);
            collected.extend_from_slice(&data);
        }
        Ok((collected.into(), hash.finalize().into()))
    }

    async fn undecided(&self, cx: &mut Ctx, request: Request, next: Next<'_>, why: String) -> Result<Response> {
        match self.on_failure {
            OnFailure::Admit => next.run(cx, request).await,
            OnFailure::Deny => Err(Error::new(&codes::GUARD_UNAVAILABLE)
                .with_header(Known::RetryAfter, "1")
                .with_cause(why)
                .by_policy("idempotency")),
        }
    }
}

impl Policy for Idempotency {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        if !self.methods.contains(&request.method) {
            return next.run(cx, request);
        }
        match key::of(&request.headers, KEY, self.bare) {
            Ok(Some(key)) => Reply::later(self.answer(cx, request, key, next)),
            Ok(None) if self.required => Error::new(&codes::IDEMPOTENCY_KEY_MISSING)
                .with_detail(format!(
                    "the field {KEY} must hold a key, and each new request a new one"
                ))
                .by_policy("idempotency")
                .into(),
            Ok(None) => next.run(cx, request),
            Err(why) => Error::new(&codes::IDEMPOTENCY_KEY_INVALID)
                .with_detail(why)
                .by_policy("idempotency")
                .into(),
        }
    }
}

impl Held<'_> {
    /// Counts bytes that are about to be held.
    ///
    /// # Errors
    /// When that would be too many over all requests.
    fn more(&mut self, bytes: usize) -> Result<()> {
        self.bytes += bytes;
        if self.all.fetch_add(bytes, Ordering::Relaxed) + bytes > MOST_HELD {
            let error = Error::new(&codes::OVERLOADED).with_header(Known::RetryAfter, "1");
            return Err(error
                .with_cause("the bodies of requests with a key take too much memory")
                .by_policy("idempotency"));
        }
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Claimant<'_> {
    /// Keeps what the request was answered with, or frees its key.
    async fn settle(&self, outcome: Result<Response>) -> Result<Response> {
        let response = match outcome {
            Ok(response) => response,
            Err(error) if UNKNOWN.contains(&error.code()) => {
                self.lose().await;
                return Err(error);
            }
            Err(error) => {
                self.free().await;
                return Err(error);
            }
        };
        if !is_final(response.status) {
            self.free().await;
            return Ok(response);
        }
        let mut response = response;
        let body = std::mem::take(&mut response.body);
        let collected = match Collected::of(body, self.policy.most_response, is_stream(&response.headers)).await {
            Ok(collected) => collected,
            Err(error) => {
                self.lose().await;
                return Err(error);
            }
        };
        let outcome = match &collected {
            Collected::Whole(content) => Outcome::Response(Stored {
                status: response.status.code(),
                headers: collected::written(&response.headers),
                body: content.to_vec(),
            }),
            Collected::Part(_) => Outcome::NotKept(response.status.code()),
        };
        self.finish(outcome).await;
        response.body = collected.into_body();
        Ok(response)
    }

    // What the store can't keep now is in progress until the lease is over, and its outcome unknown from then on. The client
    // has its answer in any case: to refuse it would make it ask again for what was done.

    async fn finish(&self, outcome: Outcome) {
        let finished = self.policy.records.finish(self.key, self.ticket, outcome, self.expires);
        drop(tokio::time::timeout(PATIENCE, finished).await);
    }

    async fn free(&self) {
        let freed = self.policy.records.free(self.key, self.ticket);
        drop(tokio::time::timeout(PATIENCE, freed).await);
    }

    async fn lose(&self) {
        let lost = self.policy.records.lose(self.key, self.ticket);
        drop(tokio::time::timeout(PATIENCE, lost).await);
    }
}

/// The answer to a request that isn't the first one with its key.
fn known_already(known: Claimed) -> Result<Response> {
    let refused = |code, detail: &'static str| Err(Error::new(code).with_detail(detail).by_policy("idempotency"));
    match known {
        Claimed::Finished(Outcome::Response(stored)) => {
            let mut response = Response::new(Status::new(stored.status).unwrap_or(Status::OK));
            response.headers = collected::read(&stored.headers);
            response.headers.set(REPLAYED, "true");
            response.body = Body::from(stored.body);
            Ok(response)
        }
        Claimed::Finished(Outcome::NotKept(status)) => Err(Error::new(&codes::IDEMPOTENCY_NOT_KEPT)
            .with_detail(format!("the request was answered with {status}"))
            .by_policy("idempotency")),
        Claimed::InFlight(_) => Err(Error::new(&codes::IDEMPOTENCY_IN_PROGRESS)
            .with_detail("another request with this key is in progress")
            .with_header(Known::RetryAfter, "1")
            .by_policy("idempotency")),
        Claimed::Different => refused(
            &codes::IDEMPOTENCY_KEY_REUSED,
            "another request had this key: a new request needs a new one",
        ),
        Claimed::Lost | Claimed::First(_) => refused(
            &codes::IDEMPOTENCY_OUTCOME_UNKNOWN,
            "find out whether it was done; to have it done once more, use a new key",
        ),
    }
}

fn is_final(status: Status) -> bool {
    let code = status.code();
    (200..500).contains(&code) && !NOT_FINAL.contains(&code)
}

/// Whether content comes for as long as there is something to say.
fn is_stream(headers: &Headers) -> bool {
    let content_type = headers.get(Known::ContentType).unwrap_or_default();
    let streams: [&[u8]; 2] = [b"text/event-stream", b"application/grpc"];
    streams.iter().any(|stream| {
        content_type
            .get(..stream.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(stream))
    })
}

/// The name of a key within all that it is valid for.
fn scoped(cx: &Ctx, request: &Request, key: &[u8]) -> Digest {
    let consumer = cx.consumer.as_deref();
    let parts = [
        consumer.map_or("", |consumer| consumer.by).as_bytes(),
        consumer.map_or("", |consumer| &consumer.name).as_bytes(),
        cx.route.map_or("", |route| route.name).as_bytes(),
        request.method.as_str().as_bytes(),
        key,
    ];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn now(cx: &Ctx) -> Millis {
    let since = cx.received.duration_since(UNIX_EPOCH).unwrap_or_default();
    // What is kept for a while is reckoned from when the request came; reading its body may have taken long.
    let since = since + cx.started.elapsed();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX / 4)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
