//! Copies, and that nobody waits for them.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Mutex;
use std::task::{Context, Poll};

use bytes::Bytes;
use portcullis_core::{BodyStream, Error, Frame, Known, Method, Response, Result, Status, Target, Upgrade, codes};

use super::*;
use crate::split::client::tests::context;

/// A backend that remembers what it was asked and answers, or never does.
#[derive(Default)]
struct Recorder {
    seen: Mutex<Vec<(Vec<String>, Bytes)>>,
    silent: bool,
}

impl Recorder {
    fn bodies(&self) -> Vec<Bytes> {
        let seen = self.seen.lock().expect("no test panics with it");
        seen.iter().map(|(_, body)| body.clone()).collect()
    }
}

impl Backend for Recorder {
    fn call<'a>(&'a self, _: &'a mut Ctx, request: Request) -> Reply<'a> {
        Reply::later(async move {
            let fields = request.headers.iter().map(|(name, _)| name.to_owned()).collect();
            let body = request.body.read_to_end(1 << 20).await?;
            self.seen.lock().expect("no test panics with it").push((fields, body));
            if self.silent {
                pending::<()>().await;
            }
            Ok(Response::new(Status::OK))
        })
    }
}

/// A body in pieces.
struct Pieces(VecDeque<Result<&'static str>>, Option<u64>);

impl BodyStream for Pieces {
    fn poll_frame(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Frame>>> {
        let piece = self.0.pop_front();
        if let (Some(Ok(piece)), Some(left)) = (&piece, &mut self.1) {
            *left -= piece.len() as u64;
        }
        Poll::Ready(piece.map(|piece| piece.map(|piece| Frame::Data(Bytes::from_static(piece.as_bytes())))))
    }

    fn remaining(&self) -> Option<u64> {
        self.1
    }
}

fn pieces(pieces: &[&'static str]) -> Body {
    Body::Stream(Box::new(Pieces(pieces.iter().map(|piece| Ok(*piece)).collect(), None)))
}

struct Trial {
    end: Arc<Recorder>,
    mirror: Arc<Recorder>,
    counts: Counts,
    mirrored: Mirrored,
}

fn trial(config: &str, silent: bool) -> Trial {
    let mirror = Arc::new(Recorder {
        silent,
        ..Recorder::default()
    });
    let (end, counts) = (Arc::new(Recorder::default()), Counts::default());
    let config: written::Mirror = serde_json::from_str(config).expect("it is a configuration");
    let mirrored = Mirrored::new(end.clone(), mirror.clone(), &config, &counts);
    Trial {
        end,
        mirror,
        counts,
        mirrored,
    }
}

impl Trial {
    async fn ask(&self, body: Body) {
        let mut request = Request::new(Method::Post, Target::parse(b"/").expect("it is valid"));
        request.headers.append(Known::Host, "a");
        request.headers.append("x-portcullis-mirror", "forged");
        request.body = body;
        let mut cx = context();
        let _ = self.mirrored.call(&mut cx, request).await;
    }

    /// The results that are not zero, once copies under way have come to an end or to a halt.
    async fn results(&self) -> Vec<(String, u64)> {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let all = self.counts.all().into_iter().filter(|(_, _, count)| *count > 0);
        all.map(|(_, result, count)| (result, count)).collect()
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default())
        .expect("the system gives a runtime");
    runtime.block_on(test);
}

fn result(name: &str, count: u64) -> (String, u64) {
    (name.to_owned(), count)
}

#[test]
fn a_copy_has_the_same_content_and_a_field_that_says_so() {
    run(async {
        let trial = trial(r#"{"service": "b"}"#, false);
        trial.ask(Body::Empty).await;
        trial.ask(Body::from("whole")).await;
        trial.ask(pieces(&["in ", "pieces"])).await;
        assert_eq!(trial.results().await, [result("answered", 3)]);
        let mut bodies = trial.mirror.bodies();
        bodies.sort();
        assert_eq!(bodies, ["", "in pieces", "whole"]);
        assert_eq!(trial.end.bodies(), ["", "whole", "in pieces"]);
        let fields = |recorder: &Recorder| recorder.seen.lock().expect("no test panics with it")[0].0.clone();
        assert_eq!(fields(&trial.end), ["Host"]);
        assert_eq!(fields(&trial.mirror), ["Host", FIELD]);
    });
}

#[test]
fn a_body_whose_length_is_known_is_whole_with_its_last_byte() {
    run(async {
        let trial = trial(r#"{"service": "b"}"#, false);
        let pieces = ["four", "more"].into_iter().map(Ok).collect();
        let mut body = Body::Stream(Box::new(Pieces(pieces, Some(8))));
        let mut request = Request::new(Method::Post, Target::parse(b"/").expect("it is valid"));
        std::mem::swap(&mut request.body, &mut body);
        trial.mirrored.copy(&context(), &mut request);
        let mut body = request.body;
        assert!(body.frame().await.is_some() && body.frame().await.is_some());
        assert_eq!(trial.results().await, [result("answered", 1)]);
    });
}

#[test]
fn what_is_too_large_is_given_up_and_answered_all_the_same() {
    run(async {
        let trial = trial(r#"{"service": "b", "body": "4B"}"#, false);
        trial.ask(Body::from("12345")).await;
        trial.ask(pieces(&["123", "45"])).await;
        trial.ask(pieces(&["1234"])).await;
        assert_eq!(trial.results().await, [result("answered", 1), result("too_large", 2)]);
        assert_eq!(trial.end.bodies(), ["12345", "12345", "1234"]);
        assert_eq!(trial.mirror.bodies(), ["1234"]);
    });
}

#[test]
fn a_request_that_breaks_off_is_not_copied() {
    run(async {
        let trial = trial(r#"{"service": "b"}"#, false);
        let broken = VecDeque::from([Ok("1"), Err(Error::new(&codes::CLIENT_GONE))]);
        trial.ask(Body::Stream(Box::new(Pieces(broken, None)))).await;
        assert_eq!(trial.results().await, [result("incomplete", 1)]);
        assert!(trial.mirror.bodies().is_empty());
    });
}

#[test]
fn a_silent_mirror_delays_nobody_and_is_given_up() {
    run(async {
        let trial = trial(r#"{"service": "b", "timeout": "50ms"}"#, true);
        for _ in 0..MOST + 5 {
            trial.ask(Body::Empty).await;
        }
        assert_eq!(trial.end.bodies().len(), MOST as usize + 5);
        assert_eq!(trial.results().await, [result("too_many", 5)]);
        let expected = [result("timed_out", u64::from(MOST)), result("too_many", 5)];
        let given_up = async {
            while trial.results().await != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patience = tokio::time::timeout(Duration::from_secs(20), given_up);
        patience.await.expect("silent mirrors are given up");
        trial.ask(Body::Empty).await;
        assert_eq!(trial.results().await, expected, "there is room again");
    });
}

#[test]
fn upgrades_and_what_chance_leaves_out_are_not_copied() {
    run(async {
        let never = trial(r#"{"service": "b", "percent": "0%"}"#, false);
        never.ask(Body::Empty).await;
        assert_eq!(never.results().await, []);
        let always = trial(r#"{"service": "b"}"#, false);
        let mut request = Request::new(Method::Get, Target::parse(b"/").expect("it is valid"));
        request.upgrade = Some(Upgrade {
            protocol: "websocket".into(),
            stream: Body::Empty,
        });
        let _ = always.mirrored.call(&mut context(), request).await;
        assert_eq!(always.results().await, []);
        assert_eq!(always.end.bodies().len(), 1);
    });
}
