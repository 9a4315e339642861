#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process;

use super::*;

const MIB: u64 = 1_048_576;

/// A sample a second, with memory and descriptors as given.
fn watched(count: u32, taken: impl Fn(u32) -> (u64, u64)) -> Resources {
    let sample = |second: u32| Sample {
        at: Duration::from_secs(second.into()),
        processor_time: Duration::from_millis(u64::from(second) * 500),
        memory: taken(second).0,
        descriptors: Some(taken(second).1),
        threads: 1,
    };
    Resources {
        samples: (0..count).map(sample).collect(),
        ..Resources::default()
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Something that goes up and down by less than `most` without a rule that anybody would see.
fn restless(second: u32, most: u64) -> u64 {
    u64::from(second).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33 & (most - 1)
}

#[test]
fn what_grows_all_the_time_leaks() {
    let leaking = watched(300, |second| {
        (100 * MIB + u64::from(second) * 200_000 + restless(second, MIB), 50)
    });
    let leaks = leaking.leaks(seconds(0), seconds(300));
    assert_eq!(leaks.iter().map(|leak| leak.what).collect::<Vec<_>>(), [Grown::Memory]);
    assert!((leaks[0].hourly.estimate / 720e6 - 1.0).abs() < 0.02, "{:?}", leaks[0]);
    assert!(
        leaks[0].sentence.starts_with("Memory grows by 68"),
        "{}",
        leaks[0].sentence
    );
    let unclosed = watched(300, |second| (100 * MIB, 50 + u64::from(second / 4)));
    let leaks = unclosed.leaks(seconds(0), seconds(300));
    assert_eq!(
        leaks.iter().map(|leak| leak.what).collect::<Vec<_>>(),
        [Grown::Descriptors]
    );
}

#[test]
fn what_fills_up_goes_up_and_down_or_hardly_grows_does_not() {
    let none = |resources: &Resources| resources.leaks(seconds(0), seconds(300)).is_empty();
    assert!(none(&watched(300, |second| (
        100 * MIB + restless(second, 32 * MIB),
        50
    ))));
    assert!(none(&watched(300, |second| (
        100 * MIB + u64::from(second.min(150)) * MIB,
        50
    ))));
    assert!(none(&watched(300, |second| (
        100 * MIB + u64::from(second) * 4_000,
        50
    ))));
    assert!(
        none(&watched(20, |second| (100 * MIB + u64::from(second) * MIB, 50))),
        "too short"
    );
    assert!(none(&Resources::default()));
}

#[test]
fn processor_time_is_that_between_two_moments() {
    let resources = watched(11, |_| (MIB, 1));
    assert_eq!(resources.processor_time(seconds(2), seconds(8)), Some(seconds(3)));
    assert_eq!(resources.processors(seconds(2), seconds(8)), Some(0.5));
    let within = |from, to| resources.processor_time(Duration::from_millis(from), Duration::from_millis(to));
    assert_eq!(within(3_200, 3_700), Some(Duration::from_millis(500)));
    assert_eq!(within(20_000, 30_000), None);
    assert_eq!(within(8_000, 2_000), None);
    assert_eq!(resources.most_memory(), Some(MIB));
}

#[test]
fn samples_are_thinned_evenly() {
    let mut resources = watched(9, |_| (0, 0));
    thin(&mut resources.samples);
    let at: Vec<u64> = resources.samples.iter().map(|sample| sample.at.as_secs()).collect();
    assert_eq!(at, [0, 2, 4, 6, 8]);
}

#[test]
fn this_process_is_watched() {
    let watching = Watching::start(process::id(), Duration::from_millis(20)).unwrap();
    let deadline = Instant::now() + seconds(20);
    // Processor time is counted in ticks: work until one must have been counted.
    let used = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::try_from(time).unwrap()
    };
    let enough = used() + Duration::from_millis(50);
    while used() < enough && Instant::now() < deadline {
        std::hint::black_box(vec![1u8; 4096]);
    }
    let resources = watching.finish();
    assert!(!resources.ended && resources.samples.len() >= 2);
    let last = resources.samples.last().unwrap();
    assert!(
        last.memory > MIB && last.descriptors.unwrap() >= 3 && last.threads >= 2,
        "{last:?}"
    );
    assert!(resources.processor_time(Duration::ZERO, last.at).unwrap() > Duration::ZERO);
}

#[test]
fn a_process_that_ends_is_noticed_and_none_is_an_error() {
    let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
    let watching = Watching::start(child.id(), Duration::from_millis(20)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let resources = watching.finish();
    assert!(resources.ended);
    assert_eq!(resources.samples.len(), 1);
    assert!(Watching::start(child.id(), seconds(1)).is_err());
}
