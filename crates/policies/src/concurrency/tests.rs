//! Limits as requests in progress meet them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use portcullis_config::units;
use portcullis_core::{Backend, Consumer, Status};

use super::*;
use crate::trial::{context_of, request};

thread_local! {
    /// Content that backends have begun, in order; what is put in here goes to the client.
    static BEGUN: RefCell<Vec<Rc<RefCell<Content>>>> = const { RefCell::new(Vec::new()) };
}

/// Content that a test writes.
#[derive(Default)]
struct Content {
    ended: bool,
    broken: bool,
    waker: Option<Waker>,
}

struct Written(Rc<RefCell<Content>>);

impl BodyStream for Written {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let mut content = self.0.borrow_mut();
        if content.broken {
            return Poll::Ready(Some(Err(Error::new(&codes::UPSTREAM_CLOSED))));
        }
        if content.ended {
            return Poll::Ready(None);
        }
        content.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Answers with content that doesn't end by itself.
struct Streams;

impl Backend for Streams {
    fn call<'a>(&'a self, _cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        if request.target.path() == "/whole" {
            let mut response = Response::new(Status::OK);
            response.body = Body::from(Bytes::from_static(b"whole"));
            return response.into();
        }
        if request.target.path() == "/fails" {
            return Error::new(&codes::UPSTREAM_REFUSED).into();
        }
        let content = Rc::new(RefCell::new(Content::default()));
        BEGUN.with_borrow_mut(|begun| begun.push(Rc::clone(&content)));
        let mut response = Response::new(Status::OK);
        response.body = Body::Stream(Box::new(Written(content)));
        response.into()
    }
}

fn policy(limit: u32, by: &str, queue: u16, wait: u64, registry: &Registry) -> Arc<dyn Policy> {
    let config = concurrency::Concurrency {
        limit,
        by: by.split(' ').map(|key| key.parse().unwrap()).collect(),
        queue,
        wait: units::Duration::millis(wait),
    };
    Arc::new(Concurrency::new(&config, "public", registry).unwrap())
}

fn in_a_runtime<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test)
}

async fn send(policy: &Arc<dyn Policy>, consumer: &str, target: &str) -> Result<Response> {
    let mut cx = context_of(IpAddr::from([192, 0, 2, 1]), Instant::now());
    cx.consumer = Some(Arc::new(Consumer::new(consumer, "api_key")));
    let policies = [Arc::clone(policy)];
    Next::new(&policies, &Streams)
        .run(&mut cx, request("GET", target, &[]))
        .await
}

fn check_refused(result: &Result<Response>) {
    let error = result.as_ref().unwrap_err();
    assert_eq!(
        (error.code().name, error.status().code(), error.policy()),
        ("too_many_in_progress", 429, Some("concurrency"))
    );
    assert!(error.headers().contains(Known::RetryAfter));
}

#[test]
fn a_place_is_held_until_the_answer_ends() {
    in_a_runtime(async {
        let registry = Registry::default();
        let policy = policy(2, "consumer", 0, 1, &registry);
        let send = |consumer| send(&policy, consumer, "/");
        let first = send("ali").await.unwrap();
        let mut second = send("ali").await.unwrap();
        check_refused(&send("ali").await);
        assert!(send("bob").await.is_ok(), "others have places of their own");
        drop(first);
        let _third = send("ali").await.unwrap();
        check_refused(&send("ali").await);
        BEGUN.with_borrow(|begun| begun[1].borrow_mut().ended = true);
        assert!(second.body.frame().await.is_none());
        assert!(
            send("ali").await.is_ok(),
            "the content has ended, though it is still there"
        );
    });
}

#[test]
fn whatever_ends_a_request_gives_its_place_back() {
    in_a_runtime(async {
        let registry = Registry::default();
        let policy = policy(1, "route", 0, 1, &registry);
        let send = |target| send(&policy, "ali", target);
        for _ in 0..3 {
            assert!(send("/whole").await.is_ok());
            assert!(send("/fails").await.is_err());
        }
        let mut broken = send("/").await.unwrap();
        check_refused(&send("/whole").await);
        BEGUN.with_borrow(|begun| begun[0].borrow_mut().broken = true);
        assert!(broken.body.frame().await.unwrap().is_err());
        assert!(send("/whole").await.is_ok());
    });
}

#[test]
fn some_wait_for_their_turn() {
    in_a_runtime(async {
        let registry = Registry::default();
        let policy = policy(1, "route", 1, 200, &registry);
        let first = send(&policy, "ali", "/").await.unwrap();
        let mut second = Box::pin(send(&policy, "ali", "/whole"));
        let pending = poll_fn(|cx| Poll::Ready(second.as_mut().poll(cx).is_pending())).await;
        assert!(pending);
        check_refused(&send(&policy, "ali", "/whole").await);
        drop(first);
        assert!(second.await.is_ok());
    });
}

#[test]
fn who_waits_too_long_is_refused() {
    in_a_runtime(async {
        let registry = Registry::default();
        let policy = policy(1, "route", 1, 200, &registry);
        let first = send(&policy, "ali", "/").await.unwrap();
        let start = tokio::time::Instant::now();
        check_refused(&send(&policy, "ali", "/whole").await);
        assert_eq!(start.elapsed().as_millis(), 200);
        // Nor does a client that went away while it waited keep others from waiting.
        drop(Box::pin(send(&policy, "ali", "/whole")));
        drop(first);
        assert!(send(&policy, "ali", "/whole").await.is_ok());
    });
}

#[test]
fn places_outlive_a_reload() {
    in_a_runtime(async {
        let registry = Registry::default();
        let before = policy(1, "route", 0, 1, &registry);
        let first = send(&before, "ali", "/").await.unwrap();
        let after = policy(1, "route", 0, 1, &registry);
        drop(before);
        check_refused(&send(&after, "ali", "/").await);
        drop(first);
        assert!(send(&after, "ali", "/").await.is_ok());
    });
}

#[test]
fn an_expression_that_fails_denies() {
    in_a_runtime(async {
        let registry = Registry::default();
        let policy = policy(1, "cel:claims.tenant", 0, 1, &registry);
        let error = send(&policy, "ali", "/whole").await.unwrap_err();
        assert_eq!(
            (error.code().name, error.policy()),
            ("guard_unavailable", Some("concurrency"))
        );
    });
}
