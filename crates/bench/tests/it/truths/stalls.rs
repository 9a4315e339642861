//! Latency counts from when a request was due, so that a server that stands still can't hide it.

use std::time::Duration;

use portcullis_bench::profile::Profile;
use portcullis_bench::profile::closed::Closed;
use portcullis_bench::profile::steady::Steady;
use portcullis_bench::stand_in::{Behaviour, Stalls};
use portcullis_bench::{Histogram, Report};

use crate::it::targets::{run, server};

/// Requests a second.
const RATE: u32 = 100;
/// Requests in a period of the stalls.
const REQUESTS: u32 = 4 * RATE;
const STALLS: Stalls = Stalls {
    period: Duration::from_secs(4),
    length: Duration::from_millis(2400),
};

/// The latency that so many requests of a period exceed, computed from when requests were due: what is due while the server stands
/// still is answered when that ends, all else at once.
fn truth(exceeding: u32) -> f64 {
    let latency = |number: u32| STALLS.length.as_secs_f64() - f64::from(number) / f64::from(RATE);
    let mut latencies: Vec<f64> = (0..REQUESTS).map(|number| latency(number).max(0.0)).collect();
    latencies.sort_by(f64::total_cmp);
    latencies[(REQUESTS - exceeding) as usize - 1]
}

fn measured(profile: Profile) -> Histogram {
    let server = server(Behaviour {
        stalls: Some(STALLS),
        ..Behaviour::default()
    });
    let report: Report = run(&server, profile, &[]).run(&mut ()).unwrap();
    let (total, _) = report.measured.counted();
    assert_eq!(total.failed(), 0);
    total.latency
}

#[test]
fn percentiles_are_those_of_the_stalls() {
    // There is no stall in the first period. Then a period as a whole has its stall, wherever in it the run began.
    let latency = measured(Profile::Load(Steady {
        duration: STALLS.period,
        warm_up: STALLS.period,
        ..Steady::at(f64::from(RATE))
    }));
    assert_eq!(latency.count(), u64::from(REQUESTS));
    for (share, exceeding) in [(0.5, REQUESTS / 2), (0.9, REQUESTS / 10), (0.99, REQUESTS / 100)] {
        let (truth, measured) = (truth(exceeding), latency.quantile(share).unwrap().as_secs_f64());
        let is_near = (measured / truth - 1.0).abs() < 0.05;
        assert!(is_near, "{measured} s at {share}, and the truth is {truth} s");
    }
}

#[test]
fn the_closed_model_hides_them() {
    let latency = measured(Profile::Closed(Closed {
        duration: STALLS.period + STALLS.length,
        warm_up: Duration::ZERO,
        ..Closed::of(2)
    }));
    let measured = latency.quantile(0.99).unwrap().as_secs_f64();
    let longest = latency.max().unwrap().as_secs_f64();
    assert!(
        longest > STALLS.length.as_secs_f64() / 2.0,
        "there was a stall: {longest} s"
    );
    assert!(measured < truth(REQUESTS / 100) / 20.0, "{measured} s");
}
