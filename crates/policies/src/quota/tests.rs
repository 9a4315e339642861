//! What clients and stores see of quotas.

use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use portcullis_core::Consumer;
use portcullis_stores::durable::quota::Quotas;
use portcullis_stores::durable::sqlite::{Limits, Sqlite};
use portcullis_stores::durable::unopened::Unopened;

use super::*;
use crate::trial::{context_of, request};

/// 2027-01-31T23:59:50Z.
const BEFORE_MIDNIGHT: u64 = 1_801_439_990;

struct Place {
    _folder: tempfile::TempDir,
    store: Arc<Sqlite>,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("s.db"), Limits::default()).unwrap();
        Place {
            _folder: folder,
            store: Arc::new(store),
        }
    }

    fn leases(&self) -> Arc<Leases> {
        Arc::new(Leases::new(self.store.clone()))
    }
}

fn config(limit: &str) -> quota::Quota {
    quota::Quota {
        limit: limit.parse().unwrap(),
        by: vec!["consumer".parse().unwrap()],
        cost: RateLimitCost::default(),
        name: None,
        on_failure: OnFailure::Deny,
    }
}

fn policy(config: &quota::Quota, leases: &Arc<Leases>) -> Quota {
    Quota::new(config, "public", leases.clone()).unwrap()
}

/// What became of a request: the status, and the fields of its answer.
struct Asked {
    status: u16,
    cx: Ctx,
    retry_after: Option<String>,
}

impl Asked {
    fn field(&self, name: &str) -> &str {
        self.cx.answer.get_str(name).unwrap_or_default()
    }
}

/// Admits what reaches it.
struct Open;

impl portcullis_core::Backend for Open {
    fn call<'a>(&'a self, _: &'a mut Ctx, _: Request) -> Reply<'a> {
        portcullis_core::Response::new(portcullis_core::Status::OK).into()
    }
}

fn ask_at(policy: &Quota, consumer: &str, second: u64) -> Asked {
    let mut cx = context_of(IpAddr::from([192, 0, 2, 7]), Instant::now());
    cx.received = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
    cx.consumer = Some(Arc::new(Consumer::new(consumer, "test")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let outcome =
        runtime
            .unwrap()
            .block_on(policy.call(&mut cx, request("GET", "/", &[("X-Cost", "3")]), Next::new(&[], &Open)));
    match outcome {
        Ok(response) => Asked {
            status: response.status.code(),
            cx,
            retry_after: None,
        },
        Err(error) => Asked {
            status: error.status().code(),
            cx,
            retry_after: error.headers().get_str(Known::RetryAfter).map(str::to_owned),
        },
    }
}

fn ask(policy: &Quota, consumer: &str) -> u16 {
    ask_at(policy, consumer, BEFORE_MIDNIGHT).status
}

#[test]
fn a_client_has_its_quota_and_is_told_of_it() {
    let place = Place::new();
    let policy = policy(&config("3/day"), &place.leases());
    let first = ask_at(&policy, "alice", BEFORE_MIDNIGHT);
    assert_eq!(first.status, 200);
    assert_eq!(first.field("ratelimit-policy"), "\"public-day\";q=3;w=86400");
    assert_eq!(first.field("ratelimit"), "\"public-day\";r=2;t=10");
    assert_eq!((ask(&policy, "alice"), ask(&policy, "alice")), (200, 200));
    let refused = ask_at(&policy, "alice", BEFORE_MIDNIGHT);
    assert_eq!((refused.status, refused.retry_after.as_deref()), (429, Some("10")));
    assert_eq!(refused.field("ratelimit"), "\"public-day\";r=0;t=10");
    assert_eq!(ask(&policy, "bob"), 200, "each has its own");
    let tomorrow = ask_at(&policy, "alice", BEFORE_MIDNIGHT + 10);
    assert_eq!(tomorrow.status, 200);
    assert_eq!(tomorrow.field("ratelimit"), "\"public-day\";r=2;t=86400");
}

#[test]
fn periods_are_those_of_the_calendar() {
    let cx = |second| {
        let mut cx = context_of(IpAddr::from([192, 0, 2, 7]), Instant::now());
        cx.received = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        cx
    };
    for (period, length) in [
        (QuotaPeriod::Hour, 3600),
        (QuotaPeriod::Day, 86_400),
        (QuotaPeriod::Month, 31 * 86_400),
    ] {
        let window = Window::at(&cx(BEFORE_MIDNIGHT), period);
        assert_eq!(
            (window.ends - BEFORE_MIDNIGHT, window.ends - window.begins),
            (10, length)
        );
        assert_eq!(Window::at(&cx(window.begins), period), window);
        assert_eq!(Window::at(&cx(window.ends), period).begins, window.ends);
    }
}

#[test]
fn what_was_used_stays_used_over_restarts_and_what_was_not_is_given_back() {
    let place = Place::new();
    // 10 units are taken at a time.
    let config = config("10000/day");
    let leases = place.leases();
    let before = policy(&config, &leases);
    for _ in 0..25 {
        assert_eq!(ask(&before, "alice"), 200);
    }
    leases.give_back().wait().unwrap();
    let after = policy(&config, &place.leases());
    let told = ask_at(&after, "alice", BEFORE_MIDNIGHT);
    assert_eq!(told.field("ratelimit"), "\"public-day\";r=9974;t=10");
}

#[test]
fn a_crash_costs_a_client_one_lease_at_most_and_gives_it_nothing() {
    let place = Place::new();
    let config = config("5000/day");
    let crashed = policy(&config, &place.leases());
    for _ in 0..7 {
        assert_eq!(ask(&crashed, "alice"), 200);
    }
    // What it has taken is not given back, as by a process that is killed.
    let after = policy(&config, &place.leases());
    let mut admitted = 7;
    while ask(&after, "alice") == 200 {
        admitted += 1;
    }
    assert!((4995..=5000).contains(&admitted), "{admitted}");
}

#[test]
fn of_many_at_once_as_many_are_admitted_as_the_limit_says() {
    let place = Place::new();
    let policy = Arc::new(policy(&config("2000/day"), &place.leases()));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let policy = policy.clone();
            std::thread::spawn(move || (0..500).filter(|_| ask(&policy, "alice") == 200).count())
        })
        .collect();
    let admitted: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(admitted, 2000);
}

#[test]
fn a_request_may_use_several_units_or_none() {
    let place = Place::new();
    let mut config = config("10/day");
    config.cost = "int(request.headers['x-cost'])".parse().unwrap();
    let dear = policy(&config, &place.leases());
    assert_eq!([0; 4].map(|_| ask(&dear, "alice")), [200, 200, 200, 429]);
    config.cost = "1".parse().unwrap();
    let cheap = policy(&config, &place.leases());
    assert_eq!([0; 2].map(|_| ask(&cheap, "alice")), [200, 429], "one was left");
    config.cost = "0 * 1".parse().unwrap();
    let free = policy(&config, &place.leases());
    assert_eq!(ask(&free, "alice"), 200);
    config.cost = "-1".parse().unwrap();
    assert_eq!(ask(&policy(&config, &place.leases()), "alice"), 503, "no cost at all");
    config.cost = "11".parse().unwrap();
    assert!(Quota::new(&config, "x", place.leases()).unwrap_err().contains("never"));
}

#[test]
fn without_its_store_a_quota_refuses_unless_the_file_says_otherwise() {
    let leases = Arc::new(Leases::new(Arc::new(Unopened)));
    let mut config = config("10/day");
    assert_eq!(ask(&policy(&config, &leases), "alice"), 503);
    config.on_failure = OnFailure::Admit;
    assert_eq!(ask(&policy(&config, &leases), "alice"), 200);
}

#[test]
fn clients_that_have_no_place_in_memory_are_counted_all_the_same() {
    let place = Place::new();
    let leases = Arc::new(Leases::with_room(place.store.clone(), 1));
    let policy = policy(&config("2/day"), &leases);
    for nth in 0..100 {
        let name = format!("client-{nth}");
        assert_eq!([0; 3].map(|_| ask(&policy, &name)), [200, 200, 429], "{name}");
    }
}

#[test]
fn units_of_silent_clients_are_given_back() {
    let place = Place::new();
    let leases = place.leases();
    let demand = |counter: u8| Demand {
        counter: [counter; 32],
        ends: i64::MAX,
        cost: 1,
        limit: 100_000,
        lease: 100,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let start = Instant::now();
    runtime.block_on(leases.draw(&demand(1), start)).unwrap();
    // Somebody of the same part comes by later.
    let later = start + leases::SILENT;
    for counter in 2..=255 {
        runtime.block_on(leases.draw(&demand(counter), later)).unwrap();
    }
    let taken = place.store.take(portcullis_stores::durable::quota::Take {
        counter: [1; 32],
        ends: i64::MAX,
        least: 1,
        most: 1,
        limit: 100_000,
    });
    assert_eq!(taken.wait().unwrap().left, 99_998);
}
