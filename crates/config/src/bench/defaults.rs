//! Every default of a load test, each with its reason.

use super::Rate;
use crate::units::{Duration, Percent};

/// Connections: 50, enough that none is waited for below some 5,000 answers a second of 10 ms each.
pub fn connections() -> u32 {
    50
}

/// Streams of a connection: 100, which is what servers must at least be advised to allow (RFC 9113, section 6.5.2).
pub fn streams() -> u32 {
    100
}

/// How long a request may take: 10 s, by when a person has gone.
pub fn timeout() -> Duration {
    Duration::seconds(10)
}

/// Arrivals that wait: 100,000, a second of a very high rate. Who waits longer than that tells nothing new.
pub fn backlog() -> u32 {
    100_000
}

/// How often a flow is chosen: as often as others.
pub fn weight() -> u32 {
    1
}

/// How often `smoke` does each flow: three times, so that the second one meets what the first has changed.
pub fn repeats() -> u32 {
    3
}

/// How long warming up takes, which is not counted: 5 s, in which connections open and caches fill.
pub fn warm_up() -> Duration {
    Duration::seconds(5)
}

/// How long `load` and `closed` go on: 30 s. At 100 requests a second, thirty lie above the 99th percentile.
pub fn duration() -> Duration {
    Duration::seconds(30)
}

/// How long a change of the rate takes: none, because a sudden one is the harder one.
pub fn at_once() -> Duration {
    Duration::seconds(0)
}

/// By how much each step of `stress` grows: a quarter. Ten steps make nearly ten times the rate.
pub fn growth() -> Percent {
    Percent::whole(25)
}

/// How long a step takes: 10 s, in which a queue that grows has become visible.
pub fn each() -> Duration {
    Duration::seconds(10)
}

/// Where a search for the highest rate ends: a million a second, more than one machine asks.
pub fn most() -> Rate {
    Rate::per_second(1_000_000)
}

/// How long a spike's base lasts before the peak: 10 s, for a percentile to recover to.
pub fn before() -> Duration {
    Duration::seconds(10)
}

/// How long a spike's peak lasts: 10 s, longer than queues and autoscalers hide it.
pub fn hold() -> Duration {
    Duration::seconds(10)
}

/// How long is looked for recovery after a spike: 30 s.
pub fn after() -> Duration {
    Duration::seconds(30)
}

/// What counts as recovered: a latency below twice that of the base. Less would take noise for an aftermath.
pub fn within() -> Percent {
    Percent::whole(200)
}

/// How long `soak` goes on: an hour, in which a leak of a kilobyte a request has become gigabytes.
pub fn soak_duration() -> Duration {
    Duration::seconds(3600)
}

/// How long `soak` warms up: 30 s, which is little of an hour, and long enough for most caches.
pub fn soak_warm_up() -> Duration {
    Duration::seconds(30)
}

/// How long `capacity` warms up: 3 s, for its first steps are below what the target can take anyway.
pub fn capacity_warm_up() -> Duration {
    Duration::seconds(3)
}

/// How exactly the highest rate is found: to 2 %.
pub fn precision() -> Percent {
    Percent::whole(2)
}
