//! What a rate limit costs by how many clients are live: prints, for several numbers of clients, the bytes that each takes
//! and the nanoseconds that a judgement takes. `cargo xtask bench rate-limit` runs it.

#![allow(clippy::print_stdout, reason = "it is for reading")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use portcullis_policies::rate_limit::counters::Counters;
use portcullis_policies::rate_limit::gcra::Rate;

const JUDGEMENTS: u32 = 2_000_000;

fn main() {
    for clients in [1_000u32, 10_000, 100_000, 1_000_000, 4_000_000] {
        let rate = Rate::new(1000, Duration::from_secs(3600), 1000).expect("it is a rate");
        let before = resident();
        let counters = Counters::new(&[rate]);
        for client in 0..clients {
            judge(&counters, client, 1);
        }
        let bytes = resident().saturating_sub(before);
        let live = counters.clients();
        let mut random = fastrand::Rng::with_seed(7);
        let start = Instant::now();
        for now in 0..JUDGEMENTS {
            judge(&counters, random.u32(..clients), u64::from(now));
        }
        let each = start.elapsed().as_nanos() / u128::from(JUDGEMENTS);
        println!("{clients} {live} {bytes} {each}");
    }
}

fn judge(counters: &Counters, client: u32, now: u64) {
    let key = counters.keys().of(&client.to_be_bytes());
    black_box(counters.judge(key, 1, now));
}

/// Memory of this process that is in use, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.unwrap_or_default() << 10
}
