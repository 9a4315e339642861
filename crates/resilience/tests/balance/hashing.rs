//! The consistent hash, beside its table.

use portcullis_resilience::balance::{Algorithm, Asked, Balancer, Why};
use portcullis_resilience::members::Members;
use proptest::prelude::*;

use super::targets::{NOON, Target, asked, equals, fail, members, occupy, target};

const HASH: Algorithm = Algorithm::ConsistentHash { bounded_load: None };

fn with_key(key: u64) -> Asked<'static> {
    Asked {
        key: Some(key),
        ..asked()
    }
}

fn owner(balancer: &Balancer, members: &Members<Target>, key: u64) -> usize {
    let chosen = balancer.choose(members, &with_key(key), || panic!("a key leaves nothing to chance"));
    usize::try_from(chosen.unwrap().identity).unwrap()
}

#[test]
fn the_keys_of_a_bad_member_alone_move_to_all_others_and_return() {
    let balancer = Balancer::new(HASH);
    let members = equals(5);
    let owners = |keys: std::ops::Range<u64>| -> Vec<_> { keys.map(|key| owner(&balancer, &members, key)).collect() };
    let before = owners(0..10_000);
    fail(&members, 2);
    let meanwhile = owners(0..10_000);
    let mut taken = [0; 5];
    for (before, meanwhile) in before.iter().zip(&meanwhile) {
        if before == meanwhile {
            continue;
        }
        assert_eq!(*before, 2);
        taken[*meanwhile] += 1;
    }
    assert!(
        taken
            .iter()
            .enumerate()
            .all(|(at, taken)| at == 2 || (400..600).contains(taken)),
        "{taken:?}"
    );
    let standing = &target(&members, 2).standing;
    standing.set_checked(portcullis_resilience::standing::Checked::Passing, NOON);
    assert_eq!(owners(0..10_000), before);
}

#[test]
fn a_key_keeps_its_way_when_nearly_all_are_bad() {
    let balancer = Balancer::new(HASH).with_panic_threshold(0);
    let members = equals(200);
    (2..200).for_each(|at| fail(&members, at));
    let owners: Vec<_> = (0..1000).map(|key| owner(&balancer, &members, key)).collect();
    assert_eq!(
        owners,
        (0..1000).map(|key| owner(&balancer, &members, key)).collect::<Vec<_>>()
    );
    let first = owners.iter().filter(|owner| **owner == 0).count();
    assert!((400..600).contains(&first), "{first}");
}

#[test]
fn the_keys_of_one_who_warms_up_come_one_by_one_and_stay() {
    let balancer = Balancer::new(HASH).with_slow_start(std::time::Duration::from_secs(10));
    let members = equals(3);
    target(&members, 1).standing.join(NOON);
    let mut before = 0;
    for seconds in 0..=10 {
        let now = NOON + std::time::Duration::from_secs(seconds);
        let has = |key: &u64| {
            let asked = Asked { now, ..with_key(*key) };
            balancer.choose(&members, &asked, || 0).unwrap().identity == 1
        };
        let keys: Vec<u64> = (0..3000).filter(has).collect();
        assert!(keys.len() >= before, "after {seconds} s");
        before = keys.len();
    }
    assert!((900..1100).contains(&before), "{before}");
}

#[test]
fn beyond_its_part_a_target_gets_no_more() {
    let balancer = Balancer::new(Algorithm::ConsistentHash {
        bounded_load: Some(1250),
    });
    let members = members([(1, 0), (1, 0), (2, 0)]);
    // All with the same key: what its owner may not have goes on.
    for requests in 1..=400_u32 {
        let at = owner(&balancer, &members, 99);
        let in_progress = 1 + portcullis_resilience::members::Member::in_progress(target(&members, at));
        occupy(&members, at, in_progress);
        let weight = members.seats()[at].weight;
        let bound = (1.25 * f64::from(requests) * f64::from(weight) / 4.0).ceil();
        assert!(f64::from(in_progress) <= bound, "{in_progress} of {requests} at {at}");
    }
    let whys: Vec<_> = balancer
        .explain(&members, &with_key(99))
        .iter()
        .map(|verdict| verdict.why)
        .collect();
    assert_eq!(whys.iter().filter(|why| why.may()).count(), 1, "{whys:?}");
}

#[test]
fn who_is_passed_by_is_explained() {
    let balancer = Balancer::new(Algorithm::ConsistentHash {
        bounded_load: Some(1250),
    });
    let members = equals(3);
    let first = owner(&balancer, &members, 5);
    occupy(&members, first, 30);
    let verdicts = balancer.explain(&members, &with_key(5));
    assert_eq!(verdicts[first].why, Why::AtItsBound);
    let next = owner(&balancer, &members, 5);
    assert_eq!(
        (verdicts[next].why, verdicts[next].share.round()),
        (Why::Candidate, 1.0)
    );
    assert_eq!(verdicts[3 - first - next].why, Why::NotOnTheWay);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Requests come with any keys and end in any order: no target ever has more than its bound.
    #[test]
    fn no_bound_is_ever_exceeded(
        weights in prop::collection::vec(1_u32..=10, 2..12),
        factor in 1000_u32..2000,
        steps in prop::collection::vec((any::<bool>(), 0_u64..6), 1..400),
    ) {
        let balancer = Balancer::new(Algorithm::ConsistentHash { bounded_load: Some(factor) });
        let members = members(weights.iter().map(|weight| (*weight, 0)));
        let sum: u32 = weights.iter().sum();
        let mut load = vec![0_u32; weights.len()];
        for (ends, number) in steps {
            if ends {
                let at = usize::try_from(number).unwrap() % load.len();
                load[at] = load[at].saturating_sub(1);
                occupy(&members, at, load[at]);
                continue;
            }
            let all: u32 = load.iter().sum();
            let at = owner(&balancer, &members, number);
            load[at] += 1;
            occupy(&members, at, load[at]);
            let bound = (u64::from(factor) * u64::from(all + 1) * u64::from(weights[at])).div_ceil(1000 * u64::from(sum));
            prop_assert!(u64::from(load[at]) <= bound.max(1), "{:?} {}", load, bound);
        }
    }
}
