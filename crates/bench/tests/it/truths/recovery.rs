//! The recovery from a spike takes as long as its queue.

use std::time::Duration;

use portcullis_bench::profile::spike::Spike;
use portcullis_bench::profile::{Profile, found};
use portcullis_bench::stand_in::{Behaviour, Capacity, Delay};

use crate::it::targets::{run, server};

/// Requests a second that the server answers.
const CAPACITY: f64 = 200.0;
/// How long it takes for each beside. Long, so that nothing else that goes on at a busy machine looks like a queue.
const DELAY: Duration = Duration::from_millis(300);

#[test]
fn a_queue_of_known_length_is_the_recovery() {
    let server = server(Behaviour {
        capacity: Some(Capacity {
            rate: CAPACITY,
            queue: None,
        }),
        delay: Delay::Fixed(DELAY),
        ..Behaviour::default()
    });
    let spike = Spike {
        before: Duration::from_secs(2),
        hold: Duration::from_secs(3),
        after: Duration::from_secs(10),
        within: 3.0,
        warm_up: Duration::ZERO,
        ..Spike::of(100.0, 350.0)
    };
    let backlog = (spike.peak - CAPACITY) * spike.hold.as_secs_f64();
    let drained = backlog / (CAPACITY - spike.base);
    // What is left of the queue while latency is within bounds again.
    let usual = (spike.within - 1.0) * DELAY.as_secs_f64() * CAPACITY;
    let nearly_drained = (backlog - usual) / (CAPACITY - spike.base);
    let report = run(&server, Profile::Spike(spike), &[]).run(&mut ()).unwrap();
    let recovery = report.found.get(found::RECOVERY).copied();
    // Recoveries are told in whole seconds.
    let near = recovery.is_some_and(|recovery| (nearly_drained - 1.0..=drained + 1.0).contains(&recovery));
    assert!(
        near,
        "{recovery:?} s for {nearly_drained} to {drained} s; {:?}",
        report.remarks
    );
}
