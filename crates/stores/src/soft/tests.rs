//! The store against the real server, and against one that is silent, late or no such server.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustls::RootCertStore;
use tokio::runtime::{Builder, Runtime};

use super::{Answer, Away, NEVER, Question, Quota, Settings, Soft};

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server of a test's own.
struct Redis {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Redis {
    fn start(more: &[&str]) -> Redis {
        Redis::start_at(free_port(), more)
    }

    fn start_at(address: SocketAddr, more: &[&str]) -> Redis {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(more)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed: Debian's package redis-server");
        let redis = Redis {
            child,
            address,
            _folder: folder,
        };
        eventually("the server to accept", || TcpStream::connect(address).is_ok());
        redis
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(done.unwrap().success());
    }

    /// Sends a command on a connection of its own and gives the first line of the reply.
    fn command(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut buffer = [0; 256];
        let length = stream.read(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]);
        text.lines().next().unwrap_or_default().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn settings(address: SocketAddr) -> Settings {
    Settings {
        host: address.ip().to_string(),
        port: address.port(),
        authorities: None,
        username: None,
        password: None,
        database: 0,
        // Far more than an answer takes, for busy machines.
        deadline: Duration::from_secs(5),
        tell: |_| (),
    }
}

fn connected(runtime: &Runtime, settings: Settings) -> Soft {
    let soft = Soft::connect(settings, runtime.handle());
    eventually("the connection", || soft.is_up());
    soft
}

fn quota(limit: u32, seconds: u64, burst: u32) -> Quota {
    Quota {
        limit,
        per: Duration::from_secs(seconds),
        burst,
    }
}

fn question(key: &str, cost: u32, quotas: &[Quota]) -> Question {
    let mut question = Question::default();
    question.limit(key.as_bytes(), cost, quotas);
    question
}

fn ask(runtime: &Runtime, soft: &Soft, question: Question) -> Result<Answer, Away> {
    runtime.block_on(soft.ask(question))
}

fn admitted(runtime: &Runtime, soft: &Soft, question: Question) -> bool {
    ask(runtime, soft, question).unwrap().admitted
}

#[test]
fn all_quotas_must_admit_and_a_refusal_takes_nothing() {
    let (redis, runtime) = (Redis::start(&[]), runtime());
    let soft = connected(&runtime, settings(redis.address));
    let quotas = [quota(2, 3600, 2), quota(3, 7200, 3)];
    let ask = |cost| ask(&runtime, &soft, question("a", cost, &quotas)).unwrap();
    let first = ask(1);
    assert!(first.admitted);
    assert_eq!((first.standings[0].remaining, first.standings[1].remaining), (1, 2));
    assert_eq!(first.standings[0].after, 1_800_000_000);
    assert!(ask(1).admitted);
    for _ in 0..5 {
        let refused = ask(1);
        assert!(!refused.admitted);
        let [short, long] = refused.standings[..] else {
            panic!("two quotas")
        };
        assert!(short.refused && short.remaining == 0);
        assert!((1_700_000_000..=1_800_000_000).contains(&short.after), "{short:?}");
        assert!(!long.refused && long.remaining == 1, "{long:?}");
    }
    assert_eq!(ask(3).standings[0].after, NEVER);
    assert!(ask(0).admitted, "what costs nothing passes");
}

#[test]
fn limits_of_one_question_are_counted_together_or_not_at_all() {
    let (redis, runtime) = (Redis::start(&[]), runtime());
    let soft = connected(&runtime, settings(redis.address));
    let both = || {
        let mut question = Question::default();
        question.limit(b"small", 1, &[quota(1, 3600, 1)]);
        question.limit(b"large", 1, &[quota(10, 3600, 10)]);
        question
    };
    assert!(admitted(&runtime, &soft, both()));
    for _ in 0..20 {
        assert!(!admitted(&runtime, &soft, both()));
    }
    let left = ask(&runtime, &soft, question("large", 0, &[quota(10, 3600, 10)])).unwrap();
    assert_eq!(left.standings[0].remaining, 9);
}

#[test]
fn many_who_ask_at_once_admit_exactly_the_burst() {
    let (redis, runtime) = (Redis::start(&[]), runtime());
    let nodes: Vec<Soft> = (0..3).map(|_| connected(&runtime, settings(redis.address))).collect();
    let all = |count: usize| {
        let asks = (0..count).map(|nth| nodes[nth % 3].ask(question("k", 1, &[quota(1, 36_000, 100)])));
        let asks: Vec<_> = asks.map(Box::pin).collect();
        runtime.block_on(async {
            let mut passed = 0;
            for ask in asks {
                passed += usize::from(ask.await.unwrap().admitted);
            }
            passed
        })
    };
    assert_eq!(all(1000), 100);
}

#[test]
fn the_rate_is_that_of_the_quota() {
    let (redis, runtime) = (Redis::start(&[]), runtime());
    let soft = connected(&runtime, settings(redis.address));
    let ask = || admitted(&runtime, &soft, question("k", 1, &[quota(1000, 1, 5)]));
    let start = Instant::now();
    let mut passed = 0u32;
    while start.elapsed() < Duration::from_millis(500) {
        passed += u32::from(ask());
    }
    let due = start.elapsed().as_secs_f64() * 1000.0;
    assert!(f64::from(passed) <= due + 6.0, "{passed} of {due}");
}

#[test]
fn counts_are_let_go_when_they_mean_nothing() {
    let (redis, runtime) = (Redis::start(&[]), runtime());
    let soft = connected(&runtime, settings(redis.address));
    assert!(admitted(&runtime, &soft, question("gone", 1, &[quota(100, 1, 5)])));
    assert!(admitted(&runtime, &soft, question("kept", 1, &[quota(1, 3600, 5)])));
    eventually("the count to be gone", || redis.command("EXISTS gone") == ":0");
    assert_eq!(redis.command("EXISTS kept"), ":1");
}

#[test]
fn a_script_that_was_forgotten_is_sent_again() {
    let (redis, runtime) = (Redis::start(&[]), runtime());
    let soft = connected(&runtime, settings(redis.address));
    assert!(admitted(&runtime, &soft, question("a", 1, &[quota(2, 3600, 2)])));
    assert_eq!(redis.command("SCRIPT FLUSH"), "+OK");
    assert!(admitted(&runtime, &soft, question("a", 1, &[quota(2, 3600, 2)])));
    assert!(!admitted(&runtime, &soft, question("a", 1, &[quota(2, 3600, 2)])));
    assert!(soft.is_up());
}

#[test]
fn a_password_and_a_database_are_used() {
    let (redis, runtime) = (Redis::start(&["--requirepass", "open sesame"]), runtime());
    let soft = Soft::connect(settings(redis.address), runtime.handle());
    eventually("the refusal", || soft.why().contains("NOAUTH"));
    assert!(!soft.is_up());
    let mut right = settings(redis.address);
    right.password = Some("open sesame".to_owned());
    right.database = 3;
    let soft = connected(&runtime, right.clone());
    assert!(admitted(&runtime, &soft, question("a", 1, &[quota(1, 3600, 1)])));
    right.password = Some("wrong".to_owned());
    let soft = Soft::connect(right, runtime.handle());
    eventually("the refusal", || soft.why().contains("WRONGPASS"));
    assert!(!soft.why().contains("open sesame"));
}

#[test]
fn a_server_is_verified_over_tls() {
    let files = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate_file, key_file) = (
        file("certificate.pem", &certificate.pem()),
        file("key.pem", &key.serialize_pem()),
    );
    let (clear, secure) = (free_port(), free_port());
    let port = secure.port().to_string();
    let _redis = Redis::start_at(
        clear,
        &[
            "--tls-port",
            &port,
            "--tls-cert-file",
            &certificate_file,
            "--tls-key-file",
            &key_file,
            "--tls-ca-cert-file",
            &certificate_file,
            "--tls-auth-clients",
            "no",
        ],
    );
    let runtime = runtime();
    let mut trusting = settings(secure);
    let mut authorities = RootCertStore::empty();
    authorities.add(certificate.der().clone()).unwrap();
    trusting.authorities = Some(authorities);
    let soft = connected(&runtime, trusting.clone());
    assert!(admitted(&runtime, &soft, question("a", 1, &[quota(1, 3600, 1)])));
    assert!(!admitted(&runtime, &soft, question("a", 1, &[quota(1, 3600, 1)])));
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let mut authorities = RootCertStore::empty();
    authorities.add(other.cert.der().clone()).unwrap();
    trusting.authorities = Some(authorities);
    let soft = Soft::connect(trusting, runtime.handle());
    eventually("it to be refused", || soft.why().contains("certificate"));
    assert!(!soft.is_up());
}

#[test]
fn who_asks_while_it_is_away_is_told_at_once_and_it_is_found_again() {
    let (redis, runtime) = (Redis::start(&[]), runtime());
    let soft = connected(&runtime, settings(redis.address));
    let address = redis.address;
    drop(redis);
    eventually("it to be missed", || !soft.is_up());
    let before = soft.unanswered();
    let start = Instant::now();
    for _ in 0..1000 {
        assert_eq!(ask(&runtime, &soft, question("a", 1, &[quota(1, 1, 1)])), Err(Away));
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(soft.unanswered() - before, 1000);
    let redis = Redis::start_at(address, &[]);
    eventually("it to be back", || soft.is_up());
    assert!(admitted(&runtime, &soft, question("a", 1, &[quota(1, 1, 1)])));
    drop(redis);
}

#[test]
fn one_that_stalls_lets_few_wait_and_none_longer_than_the_deadline() {
    let (redis, runtime) = (Redis::start(&[]), runtime());
    let mut impatient = settings(redis.address);
    impatient.deadline = Duration::from_millis(100);
    let soft = connected(&runtime, impatient);
    redis.signal("STOP");
    let start = Instant::now();
    assert_eq!(ask(&runtime, &soft, question("a", 1, &[quota(1, 1, 1)])), Err(Away));
    assert!(start.elapsed() >= Duration::from_millis(100));
    eventually("nobody to be let wait", || !soft.is_up());
    let start = Instant::now();
    for _ in 0..100 {
        assert_eq!(ask(&runtime, &soft, question("a", 1, &[quota(1, 1, 1)])), Err(Away));
    }
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    redis.signal("CONT");
    eventually("it to be trusted again", || soft.is_up());
}

#[test]
fn what_is_no_such_server_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    let runtime = runtime();
    let soft = Soft::connect(settings(address), runtime.handle());
    eventually("it to be refused", || !soft.why().is_empty());
    assert!(!soft.is_up());
    assert_eq!(ask(&runtime, &soft, question("a", 1, &[quota(1, 1, 1)])), Err(Away));
}
