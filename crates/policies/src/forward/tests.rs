#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;
use std::time::Duration;

use portcullis_config::policy::forward::ForwardCache;
use portcullis_config::units;
use portcullis_config::{defaults, policy::forward::ForwardFact};
use portcullis_core::{Next, Policy, Reply};

use super::*;
use crate::authenticate::Authenticate;
use crate::trial::{Trial, context, request};

type Asked = (String, Headers, bytes::Bytes);

/// A service that gives one answer, and keeps what it was asked.
struct Service {
    answer: Option<(u16, Vec<(&'static str, &'static str)>)>,
    slow: bool,
    asked: Mutex<Vec<Asked>>,
}

impl Service {
    fn answers(status: u16, fields: &[(&'static str, &'static str)]) -> Arc<Service> {
        Arc::new(Service {
            answer: Some((status, fields.to_vec())),
            slow: false,
            asked: Mutex::default(),
        })
    }

    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Backend for Service {
    fn call<'a>(&'a self, _: &'a mut Ctx, request: Request) -> Reply<'a> {
        Reply::later(async move {
            let line = format!("{} {}", request.method, request.target.as_str());
            let content = request.body.read_to_end(u64::MAX).await?;
            self.asked.lock().unwrap().push((line, request.headers, content));
            if self.slow {
                std::future::pending::<()>().await;
            }
            let (status, fields) = self.answer.as_ref().ok_or(Error::new(&codes::UPSTREAM_REFUSED))?;
            let mut response = Response::new(Status::new(*status).unwrap());
            for (name, value) in fields {
                response.headers.append(*name, value);
            }
            Ok(response)
        })
    }
}

fn config() -> Written {
    Written {
        service: "auth".to_owned(),
        path: "/verify?a=b".to_owned(),
        request_headers: defaults::policies::forward_request_headers(),
        response_headers: vec!["X-User".to_owned()],
        consumer_header: Some("X-User".to_owned()),
        scopes_header: Some("X-Scopes".to_owned()),
        roles_header: Some("X-Groups".to_owned()),
        when_header: None,
        body: None,
        timeout: units::Duration(Duration::from_millis(50)),
        cache: None,
        on_failure: OnFailure::Deny,
        keep: false,
    }
}

fn policy(config: &Written, service: &Arc<Service>) -> Arc<dyn Policy> {
    let way: Arc<dyn Authenticator> = Arc::new(Forward::new(config, service.clone()).unwrap());
    Arc::new(Authenticate::new([way]))
}

/// What became of the request, on an event loop.
fn send(policy: &Arc<dyn Policy>, request: Request) -> Trial {
    struct Behind(Mutex<Option<(Method, Target, Headers)>>);
    impl Backend for Behind {
        fn call<'a>(&'a self, _: &'a mut Ctx, request: Request) -> Reply<'a> {
            *self.0.lock().unwrap() = Some((request.method, request.target, request.headers));
            Response::new(Status::OK).into()
        }
    }
    let (behind, policies) = (Behind(Mutex::default()), [policy.clone()]);
    let mut cx = context();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let result = runtime.block_on(Next::new(&policies, &behind).run(&mut cx, request));
    let seen = behind.0.into_inner().unwrap().map(|(method, target, headers)| {
        let mut seen = Request::new(method, target);
        seen.headers = headers;
        seen
    });
    Trial { result, seen, cx }
}

fn asking() -> Request {
    let fields = [
        ("Host", "api.example"),
        ("Authorization", "Bearer t"),
        ("Cookie", "a=b"),
        ("X-User", "root"),
        ("X-Forwarded-Method", "GET"),
        ("X-Other", "x"),
    ];
    request("DELETE", "/orders/7?q=1", &fields)
}

#[test]
fn the_service_is_told_what_is_asked_and_no_more() {
    let service = Service::answers(200, &[]);
    send(&policy(&config(), &service), asking());
    let [(line, fields, _)] = &*service.asked() else {
        panic!("it is asked once")
    };
    assert_eq!(line, "GET /verify?a=b");
    let field = |name: &str| fields.get_str(name);
    assert_eq!(field("authorization"), Some("Bearer t"));
    assert_eq!(field("cookie"), Some("a=b"));
    assert_eq!(field("x-user"), None);
    assert_eq!(field("x-other"), None);
    assert_eq!(fields.get_all("x-forwarded-method").collect::<Vec<_>>(), [b"DELETE"]);
    assert_eq!(field("x-forwarded-uri"), Some("/orders/7?q=1"));
    assert_eq!(field("x-forwarded-host"), Some("api.example"));
    assert_eq!(field("x-forwarded-proto"), Some("http"));
}

#[test]
fn whom_it_lets_in_the_backend_is_told_by_it_alone() {
    let fields = [
        ("X-User", "ann"),
        ("X-Scopes", "read,write"),
        ("X-Groups", "staff admins"),
    ];
    let trial = send(&policy(&config(), &Service::answers(204, &fields)), asking());
    let seen = trial.seen.unwrap();
    assert_eq!(seen.headers.get_all("x-user").collect::<Vec<_>>(), [b"ann"]);
    assert_eq!(seen.headers.get_str("x-consumer"), Some("ann"));
    assert_eq!(seen.headers.get_str("x-consumer-scopes"), Some("read write"));
    assert_eq!(seen.headers.get_str("x-consumer-roles"), Some("staff admins"));
    assert_eq!(seen.headers.get_str("authorization"), None, "the credential went on");
    assert_eq!(seen.headers.get_str("x-other"), Some("x"));
    assert_eq!(trial.cx.consumer.unwrap().by, "forward");

    let trial = send(&policy(&config(), &Service::answers(200, &[])), asking());
    assert!(trial.cx.consumer.is_none());
    assert_eq!(trial.seen.unwrap().headers.get_str("x-user"), None);
}

#[test]
fn a_credential_may_be_exchanged_for_another() {
    let mut config = config();
    config.response_headers = vec!["Authorization".to_owned()];
    let service = Service::answers(200, &[("Authorization", "Bearer ours")]);
    let seen = send(&policy(&config, &service), asking()).seen.unwrap();
    assert_eq!(
        seen.headers.get_all("authorization").collect::<Vec<_>>(),
        [b"Bearer ours"]
    );
    assert_eq!(service.asked()[0].1.get_str("authorization"), Some("Bearer t"));
}

#[test]
fn what_it_refuses_is_refused_with_its_challenge() {
    for (status, code) in [(401, "unauthenticated"), (403, "forbidden")] {
        let fields = [
            ("WWW-Authenticate", "Bearer realm=x"),
            ("Set-Cookie", "s=1"),
            ("X-User", "ann"),
        ];
        let trial = send(&policy(&config(), &Service::answers(status, &fields)), asking());
        assert!(trial.seen.is_none());
        assert_eq!(trial.status().code(), status);
        let error = trial.result.as_ref().unwrap_err();
        assert_eq!((error.code().name, error.policy()), (code, Some("forward")));
        assert_eq!(trial.field("www-authenticate").unwrap(), "Bearer realm=x");
        assert_eq!(trial.field("set-cookie").unwrap(), "s=1");
        assert_eq!(trial.field("x-user"), None);
    }
}

#[test]
fn where_it_sends_the_client_the_client_goes() {
    let fields = [
        ("Location", "https://login.example/"),
        ("Set-Cookie", "s=1"),
        ("X-User", "ann"),
    ];
    let trial = send(&policy(&config(), &Service::answers(302, &fields)), asking());
    assert!(trial.seen.is_none());
    assert_eq!(trial.status().code(), 302);
    assert_eq!(trial.field("location").unwrap(), "https://login.example/");
    assert_eq!(trial.field("set-cookie").unwrap(), "s=1");
    assert_eq!(trial.field("x-user"), None);
}

#[test]
fn what_says_nothing_lets_nobody_in() {
    let slow = Arc::new(Service {
        answer: None,
        slow: true,
        asked: Mutex::default(),
    });
    let away = Arc::new(Service {
        answer: None,
        slow: false,
        asked: Mutex::default(),
    });
    let odd = [
        Service::answers(200, &[("X-User", "two words")]),
        Service::answers(200, &[("X-User", "ann"), ("X-User", "bob")]),
        Service::answers(200, &[("X-User", "ann"), ("X-Scopes", "\u{e9}")]),
        Service::answers(302, &[]),
        Service::answers(400, &[]),
        Service::answers(404, &[]),
        Service::answers(500, &[]),
        slow,
        away,
    ];
    for service in odd {
        let trial = send(&policy(&config(), &service), asking());
        assert!(trial.seen.is_none());
        assert_eq!(trial.result.as_ref().unwrap_err().code().name, "guard_unavailable");
        let admitting = Written {
            on_failure: OnFailure::Admit,
            ..config()
        };
        let seen = send(&policy(&admitting, &service), asking()).seen.unwrap();
        assert_eq!(seen.headers.get_str("x-user"), None, "the client's word");
        assert_eq!(seen.headers.get_str("x-consumer"), None);
    }
}

#[test]
fn it_asks_only_about_its_own_kind_where_the_file_says_so() {
    let service = Service::answers(200, &[]);
    let config = Written {
        when_header: Some("X-Ticket".to_owned()),
        ..config()
    };
    let policy = policy(&config, &service);
    assert_eq!(send(&policy, asking()).status().code(), 401);
    assert!(service.asked().is_empty());
    let mut with = asking();
    with.headers.append("x-ticket", "42");
    let seen = send(&policy, with).seen.unwrap();
    assert_eq!(seen.headers.get_str("x-ticket"), None);
    assert_eq!(service.asked()[0].1.get_str("x-ticket"), Some("42"));
}

#[test]
fn content_is_shown_and_handed_on_within_its_limit() {
    let service = Service::answers(200, &[]);
    let config = Written {
        body: Some(units::ByteSize(4)),
        ..config()
    };
    let policy = policy(&config, &service);
    let ask = |content: &'static str| {
        let mut request = asking();
        request.body = content.into();
        send(&policy, request)
    };
    assert_eq!(ask("four").status().code(), 200);
    let (line, _, content) = &service.asked()[0];
    assert_eq!((line.as_str(), &**content), ("POST /verify?a=b", &b"four"[..]));
    assert_eq!(ask("five!").result.unwrap_err().code().name, "content_too_large");
    assert!(service.asked().is_empty());
}

#[test]
fn an_answer_that_lets_in_holds_for_the_same_question_only() {
    let service = Service::answers(200, &[("X-User", "ann")]);
    let mut config = Written {
        cache: Some(ForwardCache {
            r#for: units::Duration(Duration::from_secs(60)),
            by: defaults::policies::forward_cache_by(),
        }),
        ..config()
    };
    let asks = |policy: &Arc<dyn Policy>, change: &dyn Fn(&mut Request)| {
        let mut request = asking();
        change(&mut request);
        assert_eq!(
            send(policy, request).seen.unwrap().headers.get_str("x-user"),
            Some("ann")
        );
        service.asked().len()
    };
    let first = policy(&config, &service);
    assert_eq!(asks(&first, &|_| {}), 1);
    assert_eq!(asks(&first, &|_| {}), 0);
    assert_eq!(asks(&first, &|request| request.method = Method::Get), 1);
    assert_eq!(
        asks(&first, &|request| request.target = Target::parse(b"/orders/8").unwrap()),
        1
    );
    assert_eq!(
        asks(&first, &|request| request.headers.set("Authorization", "Bearer u")),
        1
    );
    assert_eq!(asks(&first, &|request| assert!(request.headers.remove("Cookie"))), 1);
    assert_eq!(asks(&first, &|request| request.headers.set("Host", "b.example")), 1);

    config.cache.as_mut().unwrap().by = vec![ForwardFact::Method];
    let second = policy(&config, &service);
    assert_eq!(asks(&second, &|_| {}), 1);
    assert_eq!(
        asks(&second, &|request| request.target =
            Target::parse(b"/orders/8").unwrap()),
        0
    );
    // A credential is never left out.
    assert_eq!(
        asks(&second, &|request| request.headers.set("Authorization", "Bearer u")),
        1
    );
    // One field's value is not another's.
    let swapped = |request: &mut Request| {
        request.headers.set("Authorization", "a=b");
        request.headers.set("Cookie", "Bearer t");
    };
    assert_eq!(asks(&second, &swapped), 1);
}

#[test]
fn what_would_lie_to_backends_is_refused() {
    let with = |change: &dyn Fn(&mut Written)| {
        let mut config = config();
        change(&mut config);
        Forward::new(&config, Service::answers(200, &[])).err()
    };
    assert!(with(&|config| config.response_headers = vec!["X-Consumer".to_owned()]).is_some());
    assert!(with(&|config| config.response_headers = vec!["Content-Length".to_owned()]).is_some());
    assert!(with(&|config| config.consumer_header = None).is_some());
    assert!(with(&|config| config.body = Some(units::ByteSize::mib(17))).is_some());
    assert!(with(&|_| {}).is_none());
}
