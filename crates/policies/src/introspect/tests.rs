#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;

use portcullis_config::policy::introspect::IntrospectCache;
use portcullis_config::secret::Secret;
use portcullis_config::{defaults, units};
use portcullis_core::{Next, Policy, Reply, Response, Status};

use super::*;
use crate::authenticate::Authenticate;
use crate::trial::{Trial, context, request};

/// An issuer that says the same of each token.
struct Issuer {
    status: u16,
    says: Box<str>,
    slow: bool,
    asked: Mutex<Vec<(Headers, String)>>,
}

fn issuer(status: u16, says: &str) -> Arc<Issuer> {
    Arc::new(Issuer {
        status,
        says: says.into(),
        slow: false,
        asked: Mutex::default(),
    })
}

impl Backend for Issuer {
    fn call<'a>(&'a self, _: &'a mut Ctx, request: Request) -> Reply<'a> {
        Reply::later(async move {
            assert_eq!((request.method, request.target.as_str()), (Method::Post, "/introspect"));
            let form = request.body.read_to_end(u64::MAX).await?;
            let form = String::from_utf8(form.to_vec()).unwrap();
            self.asked.lock().unwrap().push((request.headers, form));
            if self.slow {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            let response = Response::new(Status::new(self.status).unwrap());
            Ok(response.with_body("application/json", self.says.to_string()))
        })
    }
}

fn config() -> Written {
    Written {
        service: "id".to_owned(),
        path: "/introspect".to_owned(),
        host: None,
        client_id: "the gate".to_owned(),
        client_secret: Secret::new("s:cret".to_owned()),
        token_type_hint: Some("access_token".to_owned()),
        issuer: None,
        audience: Vec::new(),
        name_claim: None,
        scopes_claim: defaults::policies::scopes_claim(),
        roles_claim: None,
        cache: IntrospectCache::default(),
        timeout: units::Duration(Duration::from_millis(50)),
        keep: false,
    }
}

fn policy(config: &Written, issuer: &Arc<Issuer>) -> Arc<dyn Policy> {
    let way: Arc<dyn Authenticator> = Arc::new(Introspect::new(config, issuer.clone()).unwrap());
    Arc::new(Authenticate::new([way]))
}

struct Behind(Mutex<Option<Passed>>);
type Passed = (Method, Target, Headers);

impl Backend for Behind {
    fn call<'a>(&'a self, _: &'a mut Ctx, request: Request) -> Reply<'a> {
        *self.0.lock().unwrap() = Some((request.method, request.target, request.headers));
        Response::new(Status::OK).into()
    }
}

fn event_loop() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

async fn send(policy: &Arc<dyn Policy>, authorization: Option<&str>) -> Trial {
    let mut asking = request("GET", "/", &[]);
    if let Some(authorization) = authorization {
        asking.headers.append("Authorization", authorization);
    }
    let (behind, policies) = (Behind(Mutex::default()), [policy.clone()]);
    let mut cx = context();
    let result = Next::new(&policies, &behind).run(&mut cx, asking).await;
    let seen = behind.0.into_inner().unwrap().map(|(method, target, headers)| {
        let mut seen = Request::new(method, target);
        seen.headers = headers;
        seen
    });
    Trial { result, seen, cx }
}

fn sent(policy: &Arc<dyn Policy>, authorization: Option<&str>) -> Trial {
    event_loop().block_on(send(policy, authorization))
}

#[test]
fn an_active_token_names_a_consumer_and_goes_no_further() {
    let issuer = issuer(200, r#"{"active": true, "username": "ann", "scope": "read write"}"#);
    let policy = policy(&config(), &issuer);
    for _ in 0..3 {
        let trial = sent(&policy, Some("bearer abc.-~+/=="));
        let seen = trial.seen.unwrap();
        assert_eq!(seen.headers.get_str("x-consumer"), Some("ann"));
        assert_eq!(seen.headers.get_str("x-consumer-scopes"), Some("read write"));
        assert_eq!(seen.headers.get_str("authorization"), None);
        assert_eq!(trial.cx.consumer.unwrap().by, "introspect");
    }
    let asked = issuer.asked.lock().unwrap();
    let [(fields, form)] = &**asked else {
        panic!("it is asked once")
    };
    assert_eq!(form, "token=abc%2E%2D%7E%2B%2F%3D%3D&token_type_hint=access%5Ftoken");
    assert_eq!(fields.get_str("host"), Some("id"));
    // `the%20gate:s%3Acret`
    assert_eq!(
        fields.get_str("authorization"),
        Some("Basic dGhlJTIwZ2F0ZTpzJTNBY3JldA==")
    );
}

#[test]
fn a_token_that_is_no_good_is_refused_and_asked_about_once() {
    let issuer = issuer(200, r#"{"active": false}"#);
    let policy = policy(&config(), &issuer);
    for _ in 0..3 {
        let trial = sent(&policy, Some("Bearer forged"));
        assert!(trial.seen.is_none());
        assert_eq!(trial.status().code(), 401);
        assert!(trial.field("www-authenticate").unwrap().contains("invalid_token"));
    }
    assert_eq!(issuer.asked.lock().unwrap().len(), 1);
    assert_eq!(sent(&policy, Some("Bearer other")).status().code(), 401);
    assert_eq!(issuer.asked.lock().unwrap().len(), 2);
}

#[test]
fn without_a_token_or_with_a_broken_one_nobody_is_asked() {
    let issuer = issuer(200, r#"{"active": true, "sub": "ann"}"#);
    let policy = policy(&config(), &issuer);
    let long = format!("Bearer {}", "a".repeat(LONGEST_TOKEN + 1));
    for authorization in [
        None,
        Some("Basic YTpi"),
        Some("Bearer"),
        Some("Bearer "),
        Some("Bearer ="),
        Some("Bearer a b"),
        Some(&long),
    ] {
        let trial = sent(&policy, authorization);
        assert_eq!(trial.status().code(), 401, "{authorization:?}");
        assert!(trial.field("www-authenticate").unwrap().starts_with("Bearer"));
    }
    assert!(issuer.asked.lock().unwrap().is_empty());
}

#[test]
fn while_the_issuer_says_nothing_nobody_enters_and_nothing_is_remembered() {
    let slow = Arc::new(Issuer {
        status: 200,
        says: "{}".into(),
        slow: true,
        asked: Mutex::default(),
    });
    for issuer in [
        slow,
        issuer(500, "{}"),
        issuer(401, r#"{"active": true, "sub": "ann"}"#),
        issuer(200, "<html>"),
        issuer(200, r#"{"active": true}"#),
        issuer(200, r#"{"active": true, "sub": "two words"}"#),
        issuer(
            200,
            &format!(r#"{{"active": true, "sub": "ann", "x": "{}"}}"#, "x".repeat(70_000)),
        ),
    ] {
        let policy = policy(&config(), &issuer);
        for _ in 0..2 {
            let trial = sent(&policy, Some("Bearer t"));
            assert!(trial.seen.is_none());
            assert_eq!(trial.result.unwrap_err().code().name, "guard_unavailable");
        }
        assert_eq!(issuer.asked.lock().unwrap().len(), 2);
    }
}

#[test]
fn many_with_one_token_are_one_question() {
    let issuer = issuer(200, r#"{"active": true, "sub": "ann"}"#);
    let policy = policy(&config(), &issuer);
    event_loop().block_on(async {
        let (one, two, three) = tokio::join!(
            send(&policy, Some("Bearer t")),
            send(&policy, Some("Bearer t")),
            send(&policy, Some("Bearer t"))
        );
        assert!([one, two, three].iter().all(|trial| trial.seen.is_some()));
    });
    assert_eq!(issuer.asked.lock().unwrap().len(), 1);
}

#[test]
fn nothing_is_remembered_beyond_the_token_itself() {
    let now = seconds_since_1970();
    let issuer = issuer(
        200,
        &format!(r#"{{"active": true, "sub": "ann", "exp": {}}}"#, now + 30),
    );
    let introspect = Introspect::new(&config(), issuer.clone()).unwrap();
    let mark = mark([&b"t"[..]]);
    event_loop()
        .block_on(introspect.find_out(&context(), &mark, "t"))
        .unwrap()
        .unwrap();
    assert!(
        introspect
            .known(&mark, Instant::now() + Duration::from_secs(25))
            .is_some()
    );
    assert!(
        introspect
            .known(&mark, Instant::now() + Duration::from_secs(31))
            .is_none()
    );
    let mut config = config();
    config.cache.r#for = units::Duration(Duration::from_secs(3601));
    assert!(Introspect::new(&config, issuer).is_err());
}
