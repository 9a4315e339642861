//! A capacity is measured as what it is.

use std::time::Duration;

use portcullis_bench::profile::{Profile, capacity, found};
use portcullis_bench::stand_in::{Behaviour, Capacity};

use crate::it::targets::{run, server};

const RATE: f64 = 400.0;

#[test]
fn a_capacity_is_found_to_three_per_cent() {
    let server = server(Behaviour {
        capacity: Some(Capacity {
            rate: RATE,
            queue: None,
        }),
        ..Behaviour::default()
    });
    let search = capacity::Capacity {
        from: Some(0.8 * RATE),
        each: Duration::from_secs(3),
        precision: 0.04,
        warm_up: Duration::ZERO,
        ..capacity::Capacity::default()
    };
    let report = run(&server, Profile::Capacity(search), &["errors < 1%"])
        .run(&mut ())
        .unwrap();
    let found = report.found.get(found::CAPACITY).copied().unwrap_or_default();
    assert!(
        (found / RATE - 1.0).abs() <= 0.03,
        "{found}/s; {:?} {:?}",
        report.remarks,
        report.invalid
    );
}
