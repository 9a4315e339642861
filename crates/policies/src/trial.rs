//! What the tests of every policy need: one request through one policy, and a backend that keeps what reached it.

use std::cell::RefCell;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use portcullis_core::{
    Backend, Connection, Ctx, Headers, Method, Next, Policy, Reply, Request, RequestId, Response, Result, RouteName,
    Status, Target,
};

/// What the client got, and what the backend saw.
pub(crate) struct Trial {
    /// The answer as it goes out, or the error before it becomes an answer.
    pub(crate) result: Result<Response>,
    /// The request as it reached the backend, but for its body.
    pub(crate) seen: Option<Request>,
    /// The context afterwards.
    pub(crate) cx: Ctx,
}

impl Trial {
    /// The fields of the answer, as the one place that makes answers puts them together.
    pub(crate) fn answer(&self) -> Headers {
        let mut headers = match &self.result {
            Ok(response) => response.headers.clone(),
            Err(error) => error.headers().clone(),
        };
        self.cx.put_answer_into(&mut headers);
        headers
    }

    /// A field of the answer as text.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.answer().get_str(name).map(str::to_owned)
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> Status {
        match &self.result {
            Ok(response) => response.status,
            Err(error) => error.status(),
        }
    }
}

/// Sends the request through the policy to a backend that answers 200 with those fields, after it has read the body.
pub(crate) fn send(policy: &Arc<dyn Policy>, request: Request, fields: &[(&str, &str)]) -> Trial {
    send_as(policy, context(), request, fields)
}

/// As [`send`], in a context of the test's own.
pub(crate) fn send_as(policy: &Arc<dyn Policy>, mut cx: Ctx, request: Request, fields: &[(&str, &str)]) -> Trial {
    let mut response = Response::new(Status::OK);
    for (name, value) in fields {
        response.headers.append(*name, value);
    }
    let backend = Keeper {
        response: Mutex::new(Some(response.headers)),
        seen: Mutex::new(None),
    };
    let policies = [Arc::clone(policy)];
    let result = now(Next::new(&policies, &backend).run(&mut cx, request));
    let seen = backend
        .seen
        .into_inner()
        .expect("no test panics while it holds the lock");
    Trial {
        result,
        seen: seen.map(|(method, target, headers)| kept(method, target, headers)),
        cx,
    }
}

/// As [`send`], to a backend that gives this answer. The request that reached it has its content whole.
pub(crate) fn exchange(policy: &Arc<dyn Policy>, request: Request, response: Response) -> Trial {
    PLAYED.with_borrow_mut(|played| *played = (Some(response), None));
    let policies = [Arc::clone(policy)];
    let mut cx = context();
    let result = now(Next::new(&policies, &Player).run(&mut cx, request));
    let (_, seen) = PLAYED.take();
    Trial { result, seen, cx }
}

fn kept(method: Method, target: Target, headers: Headers) -> Request {
    let mut request = Request::new(method, target);
    request.headers = headers;
    request
}

/// A request without content.
pub(crate) fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> Request {
    let target = Target::parse(target.as_bytes()).expect("the test's target is one");
    let mut request = Request::new(Method::from_token(method), target);
    for (name, value) in fields {
        request.headers.append(*name, value);
    }
    request
}

/// The context of a request from 192.0.2.7 to the route `items`.
pub(crate) fn context() -> Ctx {
    context_of(IpAddr::from([192, 0, 2, 7]), Instant::now())
}

/// The context of a request from that address at that time to the route `items`.
pub(crate) fn context_of(client: IpAddr, started: Instant) -> Ctx {
    let local = SocketAddr::from(([127, 0, 0, 1], 80));
    let connection = Connection::new(SocketAddr::new(client, 50_000), local, None, false);
    let id = RequestId::new(b"id-1").expect("it is visible ASCII");
    let received = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_337_045_006);
    let mut cx = Ctx::new(Rc::new(connection), id, started, received);
    cx.route = Some(RouteName {
        name: "items",
        index: 0,
    });
    cx
}

/// The outcome of a future that has nothing to wait for.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits for something"),
    }
}

/// A backend that keeps what reached it and answers 200.
struct Keeper {
    response: Mutex<Option<Headers>>,
    seen: Mutex<Option<(Method, Target, Headers)>>,
}

impl Backend for Keeper {
    fn call<'a>(&'a self, _cx: &'a mut Ctx, mut request: Request) -> Reply<'a> {
        Reply::later(async move {
            while let Some(frame) = request.body.frame().await {
                frame?;
            }
            let kept = (request.method, request.target, request.headers);
            *self.seen.lock().expect("no test panics while it holds the lock") = Some(kept);
            let mut response = Response::new(Status::OK);
            let fields = self
                .response
                .lock()
                .expect("no test panics while it holds the lock")
                .take();
            response.headers = fields.unwrap_or_default();
            Ok(response)
        })
    }
}

thread_local! {
    /// The answer of [`Player`], and the request that reached it. A backend is shared by threads, and what it gives and
    /// takes lives on one.
    static PLAYED: RefCell<(Option<Response>, Option<Request>)> = const { RefCell::new((None, None)) };
}

/// A backend that gives the answer that lies ready for it, after it has read the request.
struct Player;

impl Backend for Player {
    fn call<'a>(&'a self, _cx: &'a mut Ctx, mut request: Request) -> Reply<'a> {
        Reply::later(async move {
            let content = std::mem::take(&mut request.body).read_to_end(u64::MAX).await?;
            request.body = content.into();
            PLAYED.with_borrow_mut(|played| {
                played.1 = Some(request);
                Ok(played.0.take().expect("the backend is called once"))
            })
        })
    }
}
