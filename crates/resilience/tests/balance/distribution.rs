//! Who gets how many requests.

use std::time::Duration;

use portcullis_resilience::balance::{Algorithm, Balancer};

use super::targets::{NOON, asked, assert_parts, counts, equals, fail, members, occupy, target};

const ALL: [Algorithm; 5] = [
    Algorithm::RoundRobin,
    Algorithm::LeastRequest,
    Algorithm::Ewma,
    Algorithm::Random,
    // Without a key.
    Algorithm::ConsistentHash { bounded_load: None },
];

#[test]
fn requests_are_divided_by_weight() {
    for algorithm in ALL {
        for (weights, parts) in [
            (&[1, 1, 1][..], &[333, 333, 333][..]),
            (&[3, 1], &[750, 250]),
            (&[95, 5], &[950, 50]),
            (&[1000, 500, 250, 250], &[500, 250, 125, 125]),
        ] {
            let members = members(weights.iter().map(|weight| (*weight, 0)));
            let counts = counts(&Balancer::new(algorithm), &members, 20_000);
            assert_parts(&counts, parts, &format!("{algorithm:?} {weights:?}"));
        }
    }
}

#[test]
fn round_robin_is_exact() {
    let members = members([(3, 0), (1, 0), (2, 0)]);
    assert_eq!(
        counts(&Balancer::new(Algorithm::RoundRobin), &members, 600),
        [300, 100, 200]
    );
}

#[test]
fn what_a_bad_member_does_not_get_is_divided_by_weight_too() {
    for algorithm in ALL {
        let members = members([(4, 0), (2, 0), (1, 0), (1, 0)]);
        fail(&members, 1);
        let counts = counts(&Balancer::new(algorithm), &members, 20_000);
        assert_parts(&counts, &[667, 0, 167, 167], &format!("{algorithm:?}"));
    }
}

#[test]
fn so_it_is_when_hardly_any_are_left() {
    for algorithm in ALL {
        let members = members((0..100).map(|at| (1 + at % 2, 0)));
        for at in 2..100 {
            fail(&members, at);
        }
        let balancer = Balancer::new(algorithm).with_panic_threshold(0);
        let counts = counts(&balancer, &members, 20_000);
        assert_eq!(counts[2..].iter().sum::<u32>(), 0);
        assert_parts(&counts[..2], &[333, 667], &format!("{algorithm:?}"));
    }
}

#[test]
fn load_counts_by_weight() {
    for algorithm in [Algorithm::LeastRequest, Algorithm::Ewma] {
        let members = members([(3, 0), (1, 0)]);
        let first = || counts(&Balancer::new(algorithm), &members, 100)[0];
        // With one more, the first one has less for its weight.
        occupy(&members, 0, 1);
        occupy(&members, 1, 0);
        assert_eq!(first(), 100);
        occupy(&members, 0, 6);
        occupy(&members, 1, 1);
        assert_eq!(first(), 0);
    }
}

#[test]
fn of_two_equally_loaded_the_much_slower_one_gets_less() {
    let members = equals(2);
    let balancer = Balancer::new(Algorithm::LeastRequest);
    target(&members, 0).latency.observe(Duration::from_millis(19), NOON);
    target(&members, 1).latency.observe(Duration::from_millis(10), NOON);
    assert_parts(&counts(&balancer, &members, 1000), &[500, 500], "alike");
    target(&members, 0).latency.observe(Duration::from_millis(30), NOON);
    assert_eq!(counts(&balancer, &members, 1000), [0, 1000]);
    // Idle for a while, it is tried again.
    let later = NOON + Duration::from_secs(10);
    let mut random = fastrand::Rng::with_seed(1);
    let asked = portcullis_resilience::balance::Asked { now: later, ..asked() };
    target(&members, 1).latency.observe(Duration::from_millis(10), later);
    let again = (0..100)
        .filter(|_| balancer.choose(&members, &asked, || random.u64(..)).unwrap().identity == 0)
        .count();
    assert!((30..70).contains(&again), "{again}");
}

#[test]
fn a_new_target_is_neither_flooded_nor_avoided_for_want_of_a_latency() {
    let members = equals(3);
    for at in 0..2 {
        target(&members, at).latency.observe(Duration::from_millis(20), NOON);
        occupy(&members, at, 4);
    }
    let balancer = Balancer::new(Algorithm::Ewma);
    occupy(&members, 2, 4);
    assert_parts(
        &counts(&balancer, &members, 10_000),
        &[333, 333, 333],
        "as loaded as they",
    );
    occupy(&members, 2, 6);
    assert_eq!(counts(&balancer, &members, 1000)[2], 0, "more loaded than they");
}

#[test]
fn a_share_grows_while_a_target_warms_up() {
    for algorithm in ALL {
        let balancer = Balancer::new(algorithm).with_slow_start(Duration::from_secs(30));
        for (age, part) in [(0, 48), (3, 48), (15, 200), (24, 286), (30, 333), (90, 333)] {
            let members = equals(3);
            let joined = portcullis_resilience::Moment::from_micros(NOON.micros() - age * 1_000_000);
            target(&members, 2).standing.join(joined);
            let rest = (1000 - part) / 2;
            let counts = counts(&balancer, &members, 20_000);
            assert_parts(&counts, &[rest, rest, part], &format!("{algorithm:?} after {age} s"));
        }
    }
}

#[test]
fn targets_that_all_warm_up_share_as_ever() {
    for algorithm in ALL {
        let balancer = Balancer::new(algorithm).with_slow_start(Duration::from_secs(30));
        let members = members([(3, 0), (1, 0)]);
        for at in 0..2 {
            target(&members, at).standing.join(NOON);
        }
        assert_parts(
            &counts(&balancer, &members, 20_000),
            &[750, 250],
            &format!("{algorithm:?}"),
        );
    }
}
