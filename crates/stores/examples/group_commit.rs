//! Measures what a write costs, by how many wait at a time: `cargo run -p portcullis-stores --example group_commit FOLDER`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement speaks to whoever runs it"
)]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use portcullis_stores::durable::quota::{Quotas, Take};
use portcullis_stores::durable::sqlite::{Limits, Sqlite};

fn main() {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    for waiting in [1, 8, 64, 512, 4096] {
        let path = folder.join(format!("group_commit.{waiting}.{}.db", std::process::id()));
        let store = Sqlite::open(&path, Limits::default()).unwrap();
        let (mut written, started) = (0u64, Instant::now());
        let mut answers = VecDeque::new();
        while started.elapsed() < Duration::from_secs(3) {
            while answers.len() < waiting {
                let mut counter = [0; 32];
                counter[..8].copy_from_slice(&(fastest_hash(written + answers.len() as u64)).to_be_bytes());
                answers.push_back(store.take(Take {
                    counter,
                    ends: i64::MAX,
                    least: 1,
                    most: 1,
                    limit: u64::MAX,
                }));
            }
            answers.pop_front().unwrap().wait().unwrap();
            written += 1;
        }
        let seconds = started.elapsed().as_secs_f64();
        drop(answers);
        drop(store);
        println!(
            "{waiting:5} waiting: {:8.0} writes/s, {:7.1} µs each",
            written as f64 / seconds,
            seconds / written as f64 * 1e6
        );
        std::fs::remove_file(&path).unwrap();
    }
}

/// Spreads the counters over 100,000 rows.
fn fastest_hash(nth: u64) -> u64 {
    (nth % 100_000).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
