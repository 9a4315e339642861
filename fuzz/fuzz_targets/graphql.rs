//! Whatever is sent as a document of GraphQL is judged at once, and nothing that isn't allowed reaches the service.

#![no_main]

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use std::time::{Instant, SystemTime};

use libfuzzer_sys::fuzz_target;
use portcullis_config::policy::graphql::{GraphQl as Written, OperationKind};
use portcullis_core::{
    Backend, Connection, Ctx, Method, Next, Policy, Reply, Request, RequestId, Response, Status, Target,
};
use portcullis_policies::graphql::GraphQl;
use portcullis_policies::validate::reported::Reported;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().expect("it needs nothing"));

static POLICIES: LazyLock<[Arc<dyn Policy>; 1]> = LazyLock::new(|| {
    let config = Written {
        kinds: vec![OperationKind::Query],
        ..Written::default()
    };
    let policy = GraphQl::new(&config, "fuzzed", RUNTIME.handle(), &Reported::default());
    [Arc::new(policy.expect("the configuration is good"))]
});

thread_local! {
    static REACHED: Cell<bool> = const { Cell::new(false) };
}

struct Service;

impl Backend for Service {
    fn call<'a>(&'a self, _: &'a mut Ctx, _: Request) -> Reply<'a> {
        REACHED.set(true);
        Response::new(Status::OK).into()
    }
}

fuzz_target!(|input: &[u8]| {
    // More than that would be judged elsewhere.
    if input.len() > 4 * 1024 {
        return;
    }
    let target = Target::parse(b"/").expect("it is one");
    let mut request = Request::new(Method::Post, target);
    let is_json = input.first() == Some(&b'[') || input.starts_with(b"{\"");
    let media = if is_json {
        "application/json"
    } else {
        "application/graphql"
    };
    request.headers.append("Content-Type", media);
    request.body = input.to_vec().into();
    let local = SocketAddr::from(([127, 0, 0, 1], 80));
    let connection = Rc::new(Connection::new(local, local, None, false));
    let id = RequestId::new(b"1").expect("it is visible ASCII");
    let mut cx = Ctx::new(connection, id, Instant::now(), SystemTime::UNIX_EPOCH);
    REACHED.set(false);
    let policies: &[Arc<dyn Policy>] = &*POLICIES;
    let judged =
        pin!(Next::new(policies, &Service).run(&mut cx, request)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(judged) = judged else {
        panic!("it waits for something")
    };
    assert_eq!(judged.is_ok(), REACHED.get());
    if judged.is_ok() && !is_json {
        let text = std::str::from_utf8(input).expect("it is UTF-8");
        // Such words may stand in a text or a comment, and as other names than that of a kind.
        let begins = text.trim_start_matches([' ', '\t', '\n', '\r', ',', '\u{feff}']);
        assert!(
            begins.starts_with(['{', '#', 'q', 'f', '"']),
            "it begins with something else"
        );
    }
});
