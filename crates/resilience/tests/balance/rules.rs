//! Who may get a request, whatever the algorithm.

use std::time::Duration;

use portcullis_resilience::balance::{Algorithm, Asked, Balancer, Why};
use proptest::prelude::*;

use super::targets::{NOON, Target, asked, counts, equals, fail, members, occupy, target};
use portcullis_resilience::members::Members;

const ALL: [Algorithm; 6] = [
    Algorithm::RoundRobin,
    Algorithm::LeastRequest,
    Algorithm::Ewma,
    Algorithm::Random,
    Algorithm::ConsistentHash { bounded_load: None },
    Algorithm::ConsistentHash {
        bounded_load: Some(1250),
    },
];

fn chosen(balancer: &Balancer, members: &Members<Target>, asked: &Asked<'_>) -> Option<u64> {
    let mut random = fastrand::Rng::with_seed(3);
    balancer
        .choose(members, asked, || random.u64(..))
        .map(|target| target.identity)
}

#[test]
fn nobody_is_chosen_where_nobody_is() {
    for algorithm in ALL {
        assert_eq!(chosen(&Balancer::new(algorithm), &equals(0), &asked()), None);
    }
}

#[test]
fn the_only_one_is_chosen_unless_it_drains() {
    for algorithm in ALL {
        let balancer = Balancer::new(algorithm);
        let members = equals(1);
        let again = Asked { tried: &[0], ..asked() };
        assert_eq!(chosen(&balancer, &members, &again), Some(0));
        fail(&members, 0);
        assert_eq!(chosen(&balancer, &members, &asked()), Some(0));
        assert_eq!(
            chosen(&balancer.clone().with_panic_threshold(0), &members, &asked()),
            None
        );
        target(&members, 0).standing.set_draining(true, NOON);
        assert_eq!(chosen(&balancer, &members, &asked()), None);
    }
}

#[test]
fn one_that_drains_gets_nothing_even_in_panic() {
    for algorithm in ALL {
        let balancer = Balancer::new(algorithm);
        let members = equals(4);
        target(&members, 0).standing.set_draining(true, NOON);
        (1..4).for_each(|at| fail(&members, at));
        let counts = counts(&balancer, &members, 1000);
        assert!(
            counts[0] == 0 && counts[1..].iter().all(|count| *count > 0),
            "{counts:?}"
        );
        (1..4).for_each(|at| target(&members, at).standing.set_draining(true, NOON));
        assert_eq!(chosen(&balancer, &members, &asked()), None);
    }
}

#[test]
fn bad_ones_are_used_only_when_too_few_are_good() {
    for algorithm in ALL {
        let with = |bad: usize, balancer: Balancer| {
            let members = equals(10);
            (0..bad).for_each(|at| fail(&members, at));
            counts(&balancer, &members, 2000)
        };
        let half = with(5, Balancer::new(algorithm));
        assert_eq!(half[..5], [0; 5], "{algorithm:?}");
        let fewer = with(6, Balancer::new(algorithm));
        assert!(fewer.iter().all(|count| *count > 0), "{algorithm:?} {fewer:?}");
        let strict = with(6, Balancer::new(algorithm).with_panic_threshold(300));
        assert_eq!(strict[..6], [0; 6], "{algorithm:?}");
    }
}

#[test]
fn one_that_was_tried_is_chosen_when_there_is_no_other() {
    for algorithm in ALL {
        let balancer = Balancer::new(algorithm);
        let members = members([(1, 0), (1, 0), (1, 0), (1, 1)]);
        let after = |tried: &[u64]| {
            let asked = Asked {
                tried,
                key: Some(11),
                ..asked()
            };
            chosen(&balancer, &members, &asked)
        };
        let left = after(&[0, 2]);
        assert_eq!(left, Some(1), "{algorithm:?}");
        // Rather one of another priority than the same once more.
        assert_eq!(after(&[0, 1, 2]), Some(3), "{algorithm:?}");
        assert!(after(&[0, 1, 2, 3]).is_some(), "{algorithm:?}");
    }
}

#[test]
fn one_without_room_is_chosen_when_there_is_no_other() {
    for algorithm in ALL {
        let balancer = Balancer::new(algorithm).with_most_in_progress(8);
        let members = equals(3);
        occupy(&members, 0, 8);
        occupy(&members, 1, 9);
        assert_eq!(counts(&balancer, &members, 100), [0, 0, 100]);
        occupy(&members, 2, 8);
        assert_eq!(counts(&balancer, &members, 100).iter().sum::<u32>(), 100);
    }
}

#[test]
fn a_cookie_comes_before_the_algorithm() {
    for algorithm in ALL {
        let balancer = Balancer::new(algorithm);
        let members = members([(1000, 0), (1, 0), (1, 1)]);
        let with = |sticky, tried| {
            let asked = Asked {
                sticky: Some(sticky),
                tried,
                ..asked()
            };
            chosen(&balancer, &members, &asked)
        };
        assert_eq!((with(1, &[]), with(2, &[])), (Some(1), Some(2)));
        assert_ne!(with(1, &[1]), Some(1), "it was tried");
        assert!(with(77, &[]).is_some(), "nobody has that identity");
        fail(&members, 2);
        assert_ne!(with(2, &[]), Some(2), "it is bad");
        target(&members, 1).standing.set_draining(true, NOON);
        assert_ne!(with(1, &[]), Some(1), "it drains");
    }
}

#[test]
fn an_ejection_ends_by_itself() {
    let balancer = Balancer::new(Algorithm::RoundRobin);
    let members = equals(2);
    target(&members, 0).standing.eject(NOON + Duration::from_secs(30));
    assert_eq!(counts(&balancer, &members, 10), [0, 10]);
    let later = Asked {
        now: NOON + Duration::from_secs(30),
        ..asked()
    };
    let mut seen = [0; 2];
    for _ in 0..10 {
        seen[usize::try_from(chosen(&balancer, &members, &later).unwrap()).unwrap()] += 1;
    }
    assert_eq!(seen, [5, 5]);
}

#[test]
fn every_member_is_explained() {
    let balancer = Balancer::new(Algorithm::RoundRobin)
        .with_slow_start(Duration::from_secs(10))
        .with_most_in_progress(100);
    let members = members([(2, 0), (1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (1, 0), (1, 1), (1, 0)]);
    fail(&members, 1);
    target(&members, 2).standing.eject(NOON + Duration::from_millis(11_500));
    target(&members, 3).standing.set_draining(true, NOON);
    target(&members, 4).standing.join(NOON + Duration::from_secs(2));
    occupy(&members, 5, 100);
    let now = NOON + Duration::from_secs(7);
    let asked = Asked {
        now,
        tried: &[6],
        ..asked()
    };
    let verdicts = balancer.explain(&members, &asked);
    let whys: Vec<_> = verdicts.iter().map(|verdict| verdict.why).collect();
    assert_eq!(
        whys,
        [
            Why::Candidate,
            Why::Failing,
            Why::Ejected(Duration::from_millis(4500)),
            Why::Draining,
            Why::WarmingUp(50),
            Why::Full,
            Why::Tried,
            Why::OtherPriority,
            Why::Candidate,
        ]
    );
    assert!(whys[2].to_string().contains("another 5 s"), "{}", whys[2]);
    let shares: Vec<_> = verdicts
        .iter()
        .map(|verdict| (verdict.share * 7000.0).round())
        .collect();
    assert_eq!(shares, [4000.0, 0.0, 0.0, 0.0, 1000.0, 0.0, 0.0, 0.0, 2000.0]);

    let sticky = Asked {
        sticky: Some(0),
        ..asked
    };
    let verdicts = balancer.explain(&members, &sticky);
    assert_eq!((verdicts[0].why, verdicts[8].why), (Why::Sticky, Why::StickyElsewhere));
}

/// What may happen to a member.
#[derive(Clone, Debug)]
struct Fate {
    weight: u32,
    priority: u8,
    failing: bool,
    draining: bool,
    in_progress: u32,
    tried: bool,
    warming: bool,
}

fn fate() -> impl Strategy<Value = Fate> {
    (1_u32..=1000, 0_u8..3, any::<[bool; 4]>(), 0_u32..12).prop_map(
        |(weight, priority, [failing, draining, tried, warming], in_progress)| Fate {
            weight,
            priority,
            failing,
            draining,
            in_progress,
            tried,
            warming,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever befell the members: who is chosen could be chosen, and somebody is if anybody could.
    #[test]
    fn a_choice_is_never_wrong(
        fates in prop::collection::vec(fate(), 1..20),
        at in 0..ALL.len(),
        key in any::<Option<u64>>(),
        threshold in prop_oneof![Just(0_u32), Just(500)],
    ) {
        let members = members(fates.iter().map(|fate| (fate.weight, fate.priority)));
        for (at, fate) in fates.iter().enumerate() {
            occupy(&members, at, fate.in_progress);
            if fate.failing {
                fail(&members, at);
            }
            target(&members, at).standing.set_draining(fate.draining, NOON);
            if fate.warming {
                target(&members, at).standing.join(NOON);
            }
        }
        let tried: Vec<u64> = (0..).zip(&fates).filter(|(_, fate)| fate.tried).map(|(at, _)| at).collect();
        let balancer = Balancer::new(ALL[at])
            .with_slow_start(Duration::from_secs(30))
            .with_panic_threshold(threshold)
            .with_most_in_progress(10);
        let asked = Asked { key, tried: &tried, ..asked() };
        let good = |fate: &Fate| !fate.failing && !fate.draining;
        let fresh = |fate: &Fate| good(fate) && !fate.tried && fate.in_progress < 10;
        match chosen(&balancer, &members, &asked) {
            Some(at) => {
                let fate = &fates[usize::try_from(at).unwrap()];
                prop_assert!(!fate.draining);
                if fates.len() > 1 && fates.iter().any(fresh) {
                    prop_assert!(!fate.tried && fate.in_progress < 10);
                }
                if threshold == 0 {
                    prop_assert!(good(fate));
                }
            }
            None if threshold == 0 => prop_assert!(!fates.iter().any(good)),
            None => prop_assert!(fates.iter().all(|fate| fate.draining)),
        }
        let verdicts = balancer.explain(&members, &asked);
        prop_assert_eq!(verdicts.len(), fates.len());
        let whole: f64 = verdicts.iter().map(|verdict| verdict.share).sum();
        prop_assert!(whole <= 1.000_001, "{:?}", verdicts);
    }
}
