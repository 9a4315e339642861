//! What was acknowledged is there, however the process ended.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic and speaks to its parent"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use portcullis_stores::durable::idempotency::{Claim, Claimed, Outcome, Records, Stored};
use portcullis_stores::durable::sqlite::{Limits, Sqlite};

/// Where the child writes; without it there is no child.
const FILE: &str = "STORE_OF_THE_CHILD";
/// Answers of which the parent waits to hear before it kills.
const HEARD: usize = 300;

fn key(nth: usize) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&nth.to_be_bytes());
    key
}

fn claim(nth: usize) -> Claim {
    Claim {
        key: key(nth),
        fingerprint: [1; 32],
        now: 0,
        lease: 100,
        expires: 1000,
    }
}

fn outcome(nth: usize) -> Outcome {
    Outcome::Response(Stored {
        status: 201,
        headers: Vec::new(),
        body: nth.to_string().into_bytes(),
    })
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    if let Ok(path) = std::env::var(FILE) {
        write_for_ever(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.db");
    for round in 0..3 {
        let first = round * 100_000;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_acknowledged_is_there_after_a_kill", "--nocapture"])
            .env(FILE, &path)
            .env("FIRST", first.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = Vec::new();
        while let Some(Ok(line)) = lines.next() {
            // The harness writes lines of its own, and one of them in front of the first.
            let nth = line.rsplit_once(' ').filter(|(before, _)| before.ends_with("finished"));
            heard.extend(nth.map(|(_, nth)| nth.parse::<usize>().unwrap()));
            if heard.len() == HEARD {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(heard.len() >= HEARD, "the child ended of itself");
        let store = Sqlite::open(&path, Limits::default()).unwrap();
        for nth in heard {
            let claimed = store.claim(claim(nth)).wait().unwrap();
            assert_eq!(claimed, Claimed::Finished(outcome(nth)), "{nth}");
        }
    }
}

/// Tells of each answer once it was acknowledged.
fn write_for_ever(path: &Path) -> ! {
    let store = Sqlite::open(path, Limits::default()).unwrap();
    let first: usize = std::env::var("FIRST").unwrap().parse().unwrap();
    let mut nth = first;
    loop {
        let batch: Vec<_> = (nth..nth + 20).map(|nth| (nth, store.claim(claim(nth)))).collect();
        let finishing: Vec<_> = batch
            .into_iter()
            .map(|(nth, claimed)| match claimed.wait().unwrap() {
                Claimed::First(ticket) => (nth, store.finish(key(nth), ticket, outcome(nth), 1000)),
                other => panic!("{nth} is {other:?}"),
            })
            .collect();
        for (nth, finished) in finishing {
            assert!(finished.wait().unwrap());
            println!("finished {nth}");
        }
        nth += 20;
    }
}
