//! What clients and backends see of requests that are sent again.

use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_core::{Backend, Consumer};
use portcullis_stores::durable::sqlite::{Limits, Sqlite};
use portcullis_stores::durable::unopened::Unopened;

use super::*;
use crate::trial::{context, request};

/// Counts what reaches it, and answers as it is told.
struct Counting {
    calls: AtomicUsize,
    answer: Box<dyn Fn() -> Result<Response> + Send + Sync>,
}

impl Counting {
    fn new(answer: impl Fn() -> Result<Response> + Send + Sync + 'static) -> Counting {
        Counting {
            calls: AtomicUsize::new(0),
            answer: Box::new(answer),
        }
    }

    fn made() -> Counting {
        Counting::new(|| {
            let response = Response::new(Status::CREATED).with_body("application/json", "{\"id\":7}");
            Ok(response.with_header("Location", "/orders/7"))
        })
    }

    fn failing(status: Status) -> Counting {
        Counting::new(move || Ok(Response::new(status).with_body("text/plain", "no")))
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Backend for Counting {
    fn call<'a>(&'a self, _: &'a mut Ctx, _: Request) -> Reply<'a> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Reply::later(async {
            // Others that are on their way see it in progress.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            (self.answer)()
        })
    }
}

/// The status, whether it was repeated, the content, and the error's code.
#[derive(Debug, PartialEq, Eq)]
struct Told(u16, bool, String, &'static str);

fn told(status: u16, replayed: bool, content: &str) -> Told {
    Told(status, replayed, content.to_owned(), "")
}

fn refused(status: u16, code: &'static str) -> Told {
    Told(status, false, String::new(), code)
}

const MADE: &str = "{\"id\":7}";

struct Sender {
    policy: Idempotency,
    runtime: tokio::runtime::Runtime,
    /// How much later than the first one requests come.
    later: Duration,
    consumer: Option<&'static str>,
}

impl Sender {
    fn new(records: Arc<dyn Records>) -> Sender {
        Sender::with(&idempotency::Idempotency::default(), records)
    }

    fn with(config: &idempotency::Idempotency, records: Arc<dyn Records>) -> Sender {
        Sender {
            policy: Idempotency::new(config, records),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap(),
            later: Duration::ZERO,
            consumer: None,
        }
    }

    async fn sent(&self, backend: &Counting, method: &str, key: Option<&str>, content: &str) -> Told {
        let mut cx = context();
        cx.received += self.later;
        cx.consumer = self.consumer.map(|name| Arc::new(Consumer::new(name, "test")));
        let fields: Vec<_> = key.iter().map(|key| (KEY, *key)).collect();
        let mut request = request(method, "/orders", &fields);
        request.body = Body::from(content.to_owned());
        match self.policy.call(&mut cx, request, Next::new(&[], backend)).await {
            Ok(mut response) => {
                let content = std::mem::take(&mut response.body).read_to_end(1 << 20).await.unwrap();
                let content = String::from_utf8(content.to_vec()).unwrap();
                if content == MADE {
                    assert_eq!(response.headers.get_str("Location"), Some("/orders/7"));
                }
                Told(response.status.code(), response.headers.contains(REPLAYED), content, "")
            }
            Err(error) => Told(error.status().code(), false, String::new(), error.code().name),
        }
    }

    fn send(&self, backend: &Counting, key: Option<&str>, content: &str) -> Told {
        self.runtime.block_on(self.sent(backend, "POST", key, content))
    }
}

fn store(folder: &tempfile::TempDir) -> Arc<Sqlite> {
    Arc::new(Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap())
}

#[test]
fn what_is_sent_again_is_answered_as_the_first_over_restarts_too() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Counting::made();
    for (replayed, _) in [(false, 1), (true, 2), (true, 3)] {
        let sender = Sender::new(store(&folder));
        assert_eq!(sender.send(&backend, Some("\"k\""), "order"), told(201, replayed, MADE));
    }
    assert_eq!(backend.calls(), 1);
}

#[test]
fn of_a_hundred_at_once_one_reaches_the_backend() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, backend) = (Sender::new(store(&folder)), Counting::made());
    let all = async {
        let mut all: Vec<_> = (0..100)
            .map(|_| Box::pin(sender.sent(&backend, "POST", Some("\"k\""), "order")))
            .collect();
        let mut answers = Vec::new();
        std::future::poll_fn(|cx| {
            all.retain_mut(|one| match one.as_mut().poll(cx) {
                std::task::Poll::Ready(answer) => {
                    answers.push(answer);
                    false
                }
                std::task::Poll::Pending => true,
            });
            if all.is_empty() {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        answers
    };
    let answers = sender.runtime.block_on(all);
    assert_eq!(backend.calls(), 1);
    let first = answers
        .iter()
        .filter(|answer| **answer == told(201, false, MADE))
        .count();
    let waiting = refused(409, "idempotency_in_progress");
    let repeated = told(201, true, MADE);
    assert_eq!(first, 1);
    let others = answers
        .iter()
        .filter(|answer| **answer == waiting || **answer == repeated);
    assert_eq!(others.count(), 99);
    assert_eq!(sender.send(&backend, Some("\"k\""), "order"), repeated);
}

#[test]
fn keys_are_for_one_request_of_one_client() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sender, backend) = (Sender::new(store(&folder)), Counting::made());
    let first = told(201, false, MADE);
    assert_eq!(sender.send(&backend, Some("\"k\""), "order"), first);
    let reused = refused(422, "idempotency_key_reused");
    assert_eq!(sender.send(&backend, Some("\"k\""), "another"), reused);
    sender.consumer = Some("alice");
    assert_eq!(sender.send(&backend, Some("\"k\""), "another"), first);
    sender.consumer = Some("bob");
    assert_eq!(sender.send(&backend, Some("\"k\""), "another"), first);
    let patch = sender.sent(&backend, "PATCH", Some("\"k\""), "another");
    assert_eq!(sender.runtime.block_on(patch), first);
    sender.later = Duration::from_secs(86_401);
    assert_eq!(
        sender.send(&backend, Some("\"k\""), "a new one"),
        first,
        "the key is forgotten"
    );
}

#[test]
fn requests_without_a_key_pass_unless_one_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let mut config = idempotency::Idempotency::default();
    let (sender, backend) = (Sender::with(&config, store.clone()), Counting::made());
    let first = told(201, false, MADE);
    assert_eq!(
        [0; 2].map(|_| sender.send(&backend, None, "order")),
        [told(201, false, MADE), told(201, false, MADE)]
    );
    let get = |sender: &Sender| {
        let sent = sender.sent(&backend, "GET", Some("\"k\""), "");
        sender.runtime.block_on(sent)
    };
    assert_eq!(
        [get(&sender), get(&sender)],
        [told(201, false, MADE), told(201, false, MADE)]
    );
    config.required = true;
    let sender = Sender::with(&config, store);
    let missing = refused(400, "idempotency_key_missing");
    assert_eq!(sender.send(&backend, None, "order"), missing);
    let malformed = refused(400, "idempotency_key_invalid");
    assert_eq!(sender.send(&backend, Some("bare"), "order"), malformed);
    assert_eq!(get(&sender), first, "a GET needs none");
}

#[test]
fn answers_that_are_final_are_kept_and_others_free_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let sender = Sender::new(store(&folder));
    for (status, kept) in [
        (Status::OK, true),
        (Status::NOT_FOUND, true),
        (Status::UNPROCESSABLE_CONTENT, true),
        (Status::UNAUTHORIZED, false),
        (Status::CONFLICT, false),
        (Status::TOO_MANY_REQUESTS, false),
        (Status::INTERNAL_SERVER_ERROR, false),
        (Status::SERVICE_UNAVAILABLE, false),
    ] {
        let backend = Counting::failing(status);
        let key = format!("\"{}\"", status.code());
        for replayed in [false, kept] {
            assert_eq!(
                sender.send(&backend, Some(&key), "order"),
                told(status.code(), replayed, "no")
            );
        }
        assert_eq!(backend.calls(), if kept { 1 } else { 2 });
    }
}

#[test]
fn a_failure_that_leaves_open_what_was_done_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let sender = Sender::new(store(&folder));
    for (code, again) in [
        (&codes::UPSTREAM_REFUSED, refused(502, "upstream_refused")),
        (&codes::UPSTREAM_TIMEOUT, refused(409, "idempotency_outcome_unknown")),
        (&codes::UPSTREAM_CLOSED, refused(409, "idempotency_outcome_unknown")),
    ] {
        let backend = Counting::new(move || Err(Error::new(code)));
        let key = format!("\"{}\"", code.name);
        assert_eq!(sender.send(&backend, Some(&key), "order").3, code.name);
        assert_eq!(sender.send(&backend, Some(&key), "order"), again);
    }
}

#[test]
fn what_a_crash_left_in_progress_is_unknown_when_its_lease_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let (mut sender, backend) = (Sender::new(store.clone()), Counting::made());
    sender.runtime.block_on(async {
        let mut sent = Box::pin(sender.sent(&backend, "POST", Some("\"k\""), "order"));
        while backend.calls() == 0 {
            std::future::poll_fn(|cx| {
                assert!(sent.as_mut().poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // It is gone in the middle.
        drop(sent);
    });
    let waiting = refused(409, "idempotency_in_progress");
    assert_eq!(sender.send(&backend, Some("\"k\""), "order"), waiting);
    sender.later = Duration::from_secs(301);
    let unknown = refused(409, "idempotency_outcome_unknown");
    assert_eq!(sender.send(&backend, Some("\"k\""), "order"), unknown);
    assert_eq!(backend.calls(), 1);
}

#[test]
fn what_is_too_large_is_refused_or_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let config = idempotency::Idempotency {
        body: portcullis_config::units::ByteSize::kib(1),
        response: portcullis_config::units::ByteSize::kib(1),
        ..idempotency::Idempotency::default()
    };
    let sender = Sender::with(&config, store(&folder));
    let large = "x".repeat(1025);
    let answer = large.clone();
    let backend = Counting::new(move || Ok(Response::new(Status::OK).with_body("text/plain", answer.clone())));
    let too_large = refused(413, "content_too_large");
    assert_eq!(sender.send(&backend, Some("\"a\""), &large), too_large);
    assert_eq!(sender.send(&backend, Some("\"a\""), "order"), told(200, false, &large));
    let not_kept = refused(409, "idempotency_not_kept");
    assert_eq!(sender.send(&backend, Some("\"a\""), "order"), not_kept);
    assert_eq!(backend.calls(), 1);
}

#[test]
fn bodies_that_are_held_are_bounded_over_all_requests() {
    let all = AtomicUsize::new(0);
    let held = || Held { all: &all, bytes: 0 };
    let (mut one, mut other) = (held(), held());
    assert!(one.more(MOST_HELD - 1).is_ok() && other.more(1).is_ok());
    assert_eq!(other.more(1).unwrap_err().code().name, "overloaded");
    drop(one);
    assert!(held().more(1).is_ok());
    drop(other);
    assert_eq!(all.load(Ordering::Relaxed), 0);
}

#[test]
fn without_its_store_nothing_is_done_unless_the_file_says_otherwise() {
    let backend = Counting::made();
    let mut config = idempotency::Idempotency::default();
    let sender = Sender::with(&config, Arc::new(Unopened));
    let away = refused(503, "guard_unavailable");
    assert_eq!(sender.send(&backend, Some("\"k\""), "order"), away);
    assert_eq!(backend.calls(), 0);
    config.on_failure = OnFailure::Admit;
    let sender = Sender::with(&config, Arc::new(Unopened));
    assert_eq!(sender.send(&backend, Some("\"k\""), "order"), told(201, false, MADE));
}
