//! Targets that take time, in simulated time: what clients would wait.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use portcullis_resilience::Moment;
use portcullis_resilience::balance::{Algorithm, Asked, Balancer};

use super::targets::{NOON, asked, equals, occupy, target};

/// A server that works on one request at a time, so that others queue.
#[derive(Default)]
struct Server {
    /// When the requests came that it has; it works on the first.
    queue: VecDeque<Moment>,
}

struct Outcome {
    p50: Duration,
    p99: Duration,
    /// How many each server got.
    counts: Vec<usize>,
}

/// Sends requests at random times to ten servers, which take five milliseconds for each on average, but for the first, which is
/// `slowness` times slower. Nine tenths of the requests that the others could bear come.
fn simulate(balancer: &Balancer, slowness: f64, part: f64, requests: usize) -> Outcome {
    const SERVERS: usize = 10;
    const MEAN: f64 = 5_000.0;
    let mut random = fastrand::Rng::with_seed(5);
    let exponential = |random: &mut fastrand::Rng, mean: f64| -(1.0 - random.f64()).ln() * mean;
    let members = equals(SERVERS);
    let mut servers: Vec<Server> = (0..SERVERS).map(|_| Server::default()).collect();
    // (when, which server is done; or the next request comes)
    let mut events = BinaryHeap::from([Reverse((NOON, None))]);
    let mut waits = Vec::new();
    let mut counts = vec![0; SERVERS];
    let mut sent = 0;
    let service = |random: &mut fastrand::Rng, at: usize| {
        let mean = if at == 0 { MEAN * slowness } else { MEAN };
        let micros = exponential(random, mean);
        Duration::from_secs_f64(micros / 1e6)
    };
    while let Some(Reverse((now, event))) = events.pop() {
        let at = match event {
            Some(at) => {
                let server: &mut Server = &mut servers[at];
                let wait = now.since(server.queue.pop_front().unwrap());
                target(&members, at).latency.observe(wait, now);
                waits.push(wait);
                if !server.queue.is_empty() {
                    events.push(Reverse((now + service(&mut random, at), Some(at))));
                }
                at
            }
            None if sent == requests => continue,
            None => {
                sent += 1;
                let gap = exponential(&mut random, MEAN / (SERVERS as f64 - 1.0) / part);
                events.push(Reverse((now + Duration::from_secs_f64(gap / 1e6), None)));
                let asked = Asked { now, ..asked() };
                let chosen = balancer.choose(&members, &asked, || random.u64(..)).unwrap();
                let at = usize::try_from(chosen.identity).unwrap();
                counts[at] += 1;
                servers[at].queue.push_back(now);
                if servers[at].queue.len() == 1 {
                    events.push(Reverse((now + service(&mut random, at), Some(at))));
                }
                at
            }
        };
        occupy(&members, at, u32::try_from(servers[at].queue.len()).unwrap());
    }
    waits.sort();
    Outcome {
        p50: waits[waits.len() / 2],
        p99: waits[waits.len() * 99 / 100],
        counts,
    }
}

#[test]
fn a_slow_target_hurts_nobody_who_looks_at_load() {
    let run = |algorithm| simulate(&Balancer::new(algorithm), 10.0, 0.6, 40_000);
    let around = run(Algorithm::RoundRobin);
    for algorithm in [Algorithm::LeastRequest, Algorithm::Ewma] {
        let outcome = run(algorithm);
        let (p99, others) = (outcome.p99, around.p99);
        assert!(p99 * 10 < others, "{algorithm:?}: {p99:?} against {others:?}");
        assert!(outcome.counts[0] < 40_000 / 50, "{:?}", outcome.counts);
        assert!(outcome.counts[0] > 0, "it is tried from time to time");
    }
}

#[test]
fn among_equals_load_decides_better_than_turns() {
    let run = |algorithm| simulate(&Balancer::new(algorithm), 1.0, 0.85, 40_000);
    let around = run(Algorithm::RoundRobin);
    for algorithm in [Algorithm::LeastRequest, Algorithm::Ewma] {
        let outcome = run(algorithm);
        assert!(
            outcome.p99 < around.p99,
            "{algorithm:?}: {:?} against {:?}",
            outcome.p99,
            around.p99
        );
        assert!(
            outcome.p50 <= around.p50,
            "{algorithm:?}: {:?} against {:?}",
            outcome.p50,
            around.p50
        );
        assert!(
            outcome.counts.iter().all(|count| (3000..5000).contains(count)),
            "{:?}",
            outcome.counts
        );
    }
}
