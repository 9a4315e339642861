//! Measures what a hundred thousand consumers cost, in the file and in the durable store:
//! `cargo run --release -p portcullis-policies --example consumers FOLDER`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement speaks to whoever runs it"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use portcullis_config::policy::api_key::{self, KeyHolder};
use portcullis_core::{Connection, Ctx, Method, Request, RequestId, Target};
use portcullis_policies::api_key::ApiKey;
use portcullis_policies::api_key::made::MadeKey;
use portcullis_policies::api_key::stored::Stored;
use portcullis_policies::authenticate::{Authenticator, Verdict};
use portcullis_stores::durable::keys::{Consumer, Key, Keys};
use portcullis_stores::durable::sqlite::{Limits, Sqlite};

const CONSUMERS: usize = 100_000;

fn main() {
    let keys: Vec<MadeKey> = (0..CONSUMERS).map(|_| MadeKey::new().unwrap()).collect();
    in_the_file(&keys);
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let path = folder.join(format!("consumers.{}.db", std::process::id()));
    in_the_store(&keys, &path);
    std::fs::remove_file(&path).unwrap();
}

fn in_the_file(keys: &[MadeKey]) {
    for count in [100, CONSUMERS] {
        let holders = keys[..count].iter().enumerate().map(|(nth, key)| KeyHolder {
            name: format!("consumer-{nth}"),
            sha256: Some(key.sha256().iter().map(|byte| format!("{byte:02x}")).collect()),
            ..KeyHolder::default()
        });
        let config = api_key::ApiKey {
            consumers: holders.collect(),
            ..api_key::ApiKey::default()
        };
        let before = resident();
        let policy = ApiKey::new(&config, None).unwrap();
        let bytes = resident().saturating_sub(before) / count as u64;
        let nanoseconds = judge(&policy, &keys[..count]);
        println!("{count:7} in the file:  {bytes:4} bytes each, {nanoseconds:6.0} ns for a request");
    }
}

fn in_the_store(keys: &[MadeKey], path: &std::path::Path) {
    let store = Arc::new(Sqlite::open(path, Limits::default()).unwrap());
    let mut answers = Vec::new();
    for (nth, key) in keys.iter().enumerate() {
        let consumer = Consumer {
            name: format!("consumer-{nth}"),
            scopes: vec!["read".to_owned()],
            roles: Vec::new(),
            created: 0,
        };
        let key_of = Key {
            id: key.id(),
            not_before: None,
            expires: None,
            revoked: None,
            created: 0,
        };
        drop(store.put_consumer(consumer));
        answers.push(store.add_key(format!("consumer-{nth}"), key.sha256(), key_of, None));
        if answers.len() == 1000 {
            for answer in answers.drain(..) {
                answer.wait().unwrap();
            }
        }
    }
    let stored = Arc::new(Stored::new(store.clone()));
    let config = api_key::ApiKey {
        store: true,
        ..api_key::ApiKey::default()
    };
    let policy = ApiKey::new(&config, Some(stored)).unwrap();
    let before = resident();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let started = Instant::now();
    let few = &keys[..10_000];
    for key in few {
        let (mut cx, mut request) = asked(key);
        assert!(matches!(policy.judge(&mut cx, &mut request), Verdict::Later));
        let verdict = runtime.block_on(policy.judge_later(&mut cx, &mut request));
        assert!(matches!(verdict, Verdict::Known(_)));
    }
    let first = started.elapsed().as_secs_f64() * 1e6 / few.len() as f64;
    let bytes = resident().saturating_sub(before) / few.len() as u64;
    let nanoseconds = judge(&policy, few);
    let file = path.metadata().unwrap().len() / CONSUMERS as u64;
    println!(
        "{CONSUMERS:7} in the store: {file:4} bytes of the file each, {first:.1} µs when nothing is known, then {nanoseconds:.0} ns \
         and {bytes} bytes for each that is remembered"
    );
}

/// Nanoseconds of a request, with the making of its context.
fn judge(policy: &ApiKey, keys: &[MadeKey]) -> f64 {
    let started = Instant::now();
    const ROUNDS: usize = 200_000;
    for key in keys.iter().cycle().take(ROUNDS) {
        let (mut cx, mut request) = asked(key);
        assert!(matches!(policy.judge(&mut cx, &mut request), Verdict::Known(_)));
    }
    started.elapsed().as_secs_f64() * 1e9 / ROUNDS as f64
}

fn asked(key: &MadeKey) -> (Ctx, Request) {
    let address = SocketAddr::from(([192, 0, 2, 7], 50_000));
    let connection = Rc::new(Connection::new(address, address, None, false));
    let id = RequestId::new(b"1").unwrap();
    let mut request = Request::new(Method::Get, Target::parse(b"/").unwrap());
    request.headers.append("x-api-key", key.expose());
    (Ctx::new(connection, id, Instant::now(), SystemTime::now()), request)
}

/// Bytes of memory that the process has.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
