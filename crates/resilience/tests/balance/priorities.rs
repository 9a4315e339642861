//! Which priority serves, by the tables of Envoy's documentation ("Priority levels", "Panic threshold"), where its formula and
//! its tables agree.

use portcullis_resilience::balance::{Algorithm, Balancer};
use portcullis_resilience::members::Members;

use super::targets::{Target, assert_parts, counts, fail, members};

/// Groups of a hundred members each, of which so many are good.
fn groups(good: &[usize]) -> Members<Target> {
    let groups = (0_u8..).zip(good);
    let members = members(groups.flat_map(|(priority, _)| std::iter::repeat_n((1, priority), 100)));
    for (group, good) in good.iter().enumerate() {
        (*good..100).for_each(|at| fail(&members, group * 100 + at));
    }
    members
}

#[test]
fn what_a_priority_cannot_bear_goes_to_the_next() {
    for (good, parts) in [
        (&[100, 100][..], &[1000, 0][..]),
        (&[72, 100], &[1000, 0]),
        (&[71, 100], &[994, 6]),
        (&[50, 100], &[700, 300]),
        (&[25, 100], &[350, 650]),
        (&[0, 100], &[0, 1000]),
        (&[50, 50], &[700, 300]),
        (&[50, 60], &[700, 300]),
        (&[25, 25], &[500, 500]),
        (&[5, 65], &[71, 929]),
        (&[100, 100, 100], &[1000, 0, 0]),
        (&[71, 71, 100], &[994, 6, 0]),
        (&[25, 100, 100], &[350, 650, 0]),
        (&[25, 25, 100], &[350, 350, 300]),
        (&[25, 25, 20], &[357, 357, 286]),
    ] {
        let members = groups(good);
        for algorithm in [Algorithm::RoundRobin, Algorithm::LeastRequest] {
            let each = counts(&Balancer::new(algorithm), &members, 20_000);
            let by_group: Vec<u32> = each.chunks(100).map(|group| group.iter().sum()).collect();
            assert_parts(&by_group, parts, &format!("{good:?}"));
        }
        let verdicts = Balancer::new(Algorithm::RoundRobin).explain(&members, &super::targets::asked());
        for (group, part) in verdicts.chunks(100).zip(parts) {
            let share: f64 = group.iter().map(|verdict| verdict.share).sum();
            assert!(
                (share * 1000.0 - f64::from(*part)).abs() < 2.0,
                "{good:?}: {share} for {part}"
            );
        }
    }
}

#[test]
fn there_is_panic_only_where_all_together_are_too_few() {
    for (good, panic) in [
        (&[72, 72][..], &[false, false][..]),
        (&[25, 100], &[false, false]),
        (&[50, 60], &[false, false]),
        (&[25, 25], &[true, true]),
        (&[5, 65], &[true, false]),
        (&[49], &[true]),
        (&[50], &[false]),
    ] {
        let members = groups(good);
        let counts = counts(&Balancer::new(Algorithm::Random), &members, 20_000);
        for ((counts, good), panic) in counts.chunks(100).zip(good).zip(panic) {
            let bad: u32 = counts[*good..].iter().sum();
            assert_eq!(bad > 0, *panic, "{good:?}: {bad}");
        }
    }
}

#[test]
fn when_nobody_is_good_the_first_priority_serves() {
    let counts = counts(&Balancer::new(Algorithm::Random), &groups(&[0, 0]), 1000);
    assert_eq!(counts[100..].iter().sum::<u32>(), 0);
    assert_eq!(counts.iter().sum::<u32>(), 1000);
}

#[test]
fn those_who_leave_fail_nobody() {
    let members = members((0..20).map(|at| (1, u8::from(at >= 10))));
    for at in 0..9 {
        let standing = &super::targets::target(&members, at).standing;
        standing.set_draining(true, super::targets::NOON);
    }
    let counts = counts(&Balancer::new(Algorithm::RoundRobin), &members, 100);
    assert_eq!(counts[9], 100);
}
