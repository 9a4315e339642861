#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn near(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{found} is not {expected}");
}

/// Values around a level, each moved by up to a part of it.
fn around(level: f64, part: f64, count: usize, random: &mut fastrand::Rng) -> Vec<f64> {
    let moved = |_| level * (1.0 + part * (2.0 * random.f64() - 1.0));
    (0..count).map(moved).collect()
}

#[test]
fn sets_apart_have_the_probabilities_of_the_tables() {
    let apart = |count: u32| {
        let first: Vec<f64> = (0..count).map(f64::from).collect();
        let second: Vec<f64> = (count..2 * count).map(f64::from).collect();
        assert_eq!(
            mann_whitney(&first, &second),
            mann_whitney(&second, &first),
            "neither side is preferred"
        );
        near(
            mann_whitney(&first, &second),
            smallest_p(first.len(), second.len()),
            1e-12,
        );
        mann_whitney(&first, &second)
    };
    near(apart(3), 2.0 / 20.0, 1e-12);
    near(apart(4), 2.0 / 70.0, 1e-12);
    near(apart(5), 2.0 / 252.0, 1e-12);
    near(apart(6), 2.0 / 924.0, 1e-12);
    near(apart(7), 2.0 / 3432.0, 1e-12);
}

#[test]
fn overlapping_sets_have_the_probability_that_counting_gives() {
    // One pair in the wrong order: 2 of 252 ways are as far to one side.
    near(
        mann_whitney(&[1.0, 2.0, 3.0, 4.0, 6.0], &[5.0, 7.0, 8.0, 9.0, 10.0]),
        4.0 / 252.0,
        1e-12,
    );
    // The ranks are 1, 2.5, 2.5, 4; of the six pairs, four have a sum of 3.5 or 6.5.
    near(mann_whitney(&[1.0, 2.0], &[2.0, 3.0]), 4.0 / 6.0, 1e-12);
    near(mann_whitney(&[5.0; 6], &[5.0; 6]), 1.0, 1e-12);
    near(mann_whitney(&[], &[1.0]), 1.0, 0.0);
}

#[test]
fn many_values_are_judged_by_the_normal_distribution() {
    near(normal_two_sided(0.0), 1.0, 1e-6);
    near(normal_two_sided(1.959_964), 0.05, 1e-6);
    near(normal_two_sided(2.575_829), 0.01, 1e-6);
    let values: Vec<f64> = (0..40u8).map(f64::from).collect();
    let moved = |by: f64| -> Vec<f64> { values.iter().map(|value| value + by + 0.5).collect() };
    // 20 and 20 are counted, 40 and 40 aren't: both ways have to agree where they meet.
    let counted = mann_whitney(&values[..20], &moved(5.0)[..20]);
    let approximated = mann_whitney(&values[..20], &moved(5.0)[..21]);
    assert!(
        counted > approximated && counted - approximated < 0.06,
        "{counted}, {approximated}"
    );
    assert!(mann_whitney(&values, &moved(0.0)) > 0.8);
    assert!(mann_whitney(&values, &moved(10.0)) < 0.01);
    near(mann_whitney(&[1.0; 30], &[1.0; 30]), 1.0, 0.0);
}

#[test]
fn permutations_are_counted_or_drawn() {
    near(permutation(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 1), 0.1, 1e-12);
    near(permutation(&[1.0, 2.0], &[1.0, 2.0], 1), 1.0, 1e-12);
    near(permutation(&[], &[1.0], 1), 1.0, 0.0);
    let mut random = fastrand::Rng::with_seed(1);
    let (low, high) = (around(1.0, 0.1, 12, &mut random), around(1.2, 0.1, 12, &mut random));
    let drawn = permutation(&low, &high, 1);
    assert!(drawn < 0.001, "{drawn}");
    assert_eq!(drawn, permutation(&low, &high, 1), "the same seed gives the same");
}

#[test]
fn ratios_are_those_of_the_sets() {
    let twice = ratio(&[1.0, 2.0, 4.0], &[2.0, 4.0, 8.0], 1).unwrap();
    near(twice.estimate, 2.0, 1e-12);
    let exact = ratio(&[10.0; 5], &[12.0; 5], 1).unwrap();
    near(exact.low, 1.2, 1e-12);
    near(exact.high, 1.2, 1e-12);
    assert_eq!(ratio(&[], &[1.0], 1), None);
    assert_eq!(ratio(&[0.0], &[1.0], 1), None);
    assert_eq!(ratio(&[f64::NAN], &[1.0], 1), None);
    let more = difference(&[0.0, 1.0, 2.0], &[10.0, 11.0, 12.0], 1).unwrap();
    assert_eq!((more.low, more.estimate, more.high), (8.0, 10.0, 12.0));
    assert_eq!(difference(&[0.0], &[f64::INFINITY], 1), None);
}

#[test]
fn the_interval_of_five_leaves_two_differences_out_at_each_end() {
    // P(U <= 2) is 4 of 252, P(U <= 3) is 7 of 252, which is more than 2.5 %.
    assert_eq!(ranks::outside_95(5, 5), Some(2));
    assert_eq!(ranks::outside_95(4, 4), Some(0));
    assert_eq!(ranks::outside_95(3, 3), None);
    // The table's critical value for 20 and 20 is 127; the normal distribution is tried just beyond.
    assert_eq!(ranks::outside_95(20, 20), Some(127));
    let beyond = ranks::outside_95(21, 20).unwrap();
    assert!((127..=140).contains(&beyond), "{beyond}");
}

#[test]
fn intervals_hold_the_truth_about_as_often_as_they_say() {
    let mut random = fastrand::Rng::with_seed(7);
    let held = (0..200).filter(|round| {
        let base = around(100.0, 0.1, 5, &mut random);
        let head = around(110.0, 0.1, 5, &mut random);
        let ratio = ratio(&base, &head, *round).unwrap();
        ratio.low <= 1.1 && 1.1 <= ratio.high
    });
    let held = held.count();
    assert!(held >= 185, "{held} of 200");
}

#[test]
fn holm_steps_down() {
    assert_eq!(holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
    assert_eq!(holm(&[0.6, 0.7]), [1.0, 1.0]);
    assert!(holm(&[]).is_empty());
}

#[test]
fn neighbours_are_alike_or_not() {
    near(autocorrelation(&[1.0, 2.0, 3.0, 4.0]).unwrap(), 0.25, 1e-12);
    assert!(autocorrelation(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0]).unwrap() < -0.8);
    assert_eq!(autocorrelation(&[1.0, 1.0, 1.0]), None);
    assert_eq!(autocorrelation(&[1.0, 2.0]), None);
}

#[test]
fn a_slope_is_found_whatever_single_values_do() {
    let mut line: Vec<(f64, f64)> = (0..50u8).map(|x| (f64::from(x), 2.0 * f64::from(x))).collect();
    let slope = theil_sen(&line).unwrap();
    assert_eq!((slope.low, slope.estimate, slope.high), (2.0, 2.0, 2.0));
    line[10].1 = 1e6;
    line[40].1 = -1e6;
    let slope = theil_sen(&line).unwrap();
    near(slope.estimate, 2.0, 0.01);
    assert!(slope.low > 0.0);
    assert_eq!(theil_sen(&line[..4]), None);
    assert_eq!(theil_sen(&[(1.0, 1.0); 9]), None);
}

#[test]
fn noise_has_no_slope_and_a_long_series_is_shortened() {
    let mut random = fastrand::Rng::with_seed(3);
    let rising = (0..100).filter(|_| {
        let noise = around(100.0, 0.2, 60, &mut random);
        let points: Vec<(f64, f64)> = noise.iter().zip(0u32..).map(|(y, x)| (f64::from(x), *y)).collect();
        theil_sen(&points).unwrap().low > 0.0
    });
    let rising = rising.count();
    assert!(rising <= 6, "{rising} of 100");
    let long: Vec<(f64, f64)> = (0..100_000u32).map(|x| (f64::from(x), f64::from(x % 7))).collect();
    let slope = theil_sen(&long).unwrap();
    assert!(slope.low <= 0.0 && slope.high >= 0.0);
}

#[test]
fn a_step_in_a_history_is_found_where_it_is() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut series = around(10.0, 0.03, 20, &mut random);
    series.extend(around(11.0, 0.03, 15, &mut random));
    series.extend(around(9.0, 0.03, 15, &mut random));
    let found = change_points(&series, 1);
    assert_eq!(found.iter().map(|change| change.at).collect::<Vec<_>>(), [20, 35]);
    near(found[0].before, 10.0, 0.2);
    near(found[0].after, 11.0, 0.2);
    near(found[1].after, 9.0, 0.2);
    assert!(found.iter().all(|change| change.p <= 0.01));
}

#[test]
fn a_history_without_a_change_has_none() {
    let mut random = fastrand::Rng::with_seed(6);
    let alarms = (0..50).filter(|seed| !change_points(&around(10.0, 0.1, 24, &mut random), *seed).is_empty());
    let alarms = alarms.count();
    assert!(alarms <= 3, "{alarms} of 50");
    assert!(change_points(&[5.0; 30], 1).is_empty());
    assert!(change_points(&[1.0, 9.0], 1).is_empty());
    assert!(change_points(&[1.0, f64::NAN, 2.0], 1).is_empty());
}

#[test]
fn the_median_is_in_the_middle() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    assert_eq!(median(&[]), None);
}

proptest! {
    #[test]
    fn probabilities_are_probabilities(first in vec(0u8..6, 0..9), second in vec(0u8..6, 0..9), seed in any::<u64>()) {
        let first: Vec<f64> = first.into_iter().map(f64::from).collect();
        let second: Vec<f64> = second.into_iter().map(f64::from).collect();
        for p in [mann_whitney(&first, &second), permutation(&first, &second, seed)] {
            prop_assert!(p > 0.0 && p <= 1.0 + 1e-12, "{}", p);
        }
        let half = first.len().min(second.len());
        let (first, second) = (&first[..half], &second[..half]);
        prop_assert!(mann_whitney(first, second) >= smallest_p(half, half) - 1e-12);
    }

    #[test]
    fn a_ratio_lies_in_its_interval_and_turns_around(base in vec(1u16..1000, 1..7), head in vec(1u16..1000, 1..7)) {
        let base: Vec<f64> = base.into_iter().map(f64::from).collect();
        let head: Vec<f64> = head.into_iter().map(f64::from).collect();
        let there = ratio(&base, &head, 1).unwrap();
        let back = ratio(&head, &base, 1).unwrap();
        prop_assert!(there.low <= there.estimate * (1.0 + 1e-9) && there.estimate <= there.high * (1.0 + 1e-9));
        prop_assert!((there.estimate * back.estimate - 1.0).abs() < 1e-9);
    }

    #[test]
    fn no_numbers_are_a_panic(values in vec(any::<f64>(), 0..12), seed in any::<u64>()) {
        let half = values.len() / 2;
        let _ = mann_whitney(&values[..half], &values[half..]);
        let _ = permutation(&values[..half], &values[half..], seed);
        let _ = ratio(&values[..half], &values[half..], seed);
        let _ = (holm(&values), autocorrelation(&values), median(&values));
        let points: Vec<(f64, f64)> = values.iter().copied().zip(values.iter().rev().copied()).collect();
        let _ = theil_sen(&points);
        let _ = change_points(&values, seed);
    }
}
