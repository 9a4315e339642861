//! Whose turn it is: every member as often as its weight says.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The places of members in an order in which each stands as often as its weight says, spread evenly. Going through it is
/// weighted round robin, and drawing from it is a weighted random choice.
#[derive(Debug)]
pub(crate) struct Turns {
    order: Box<[u32]>,
    next: AtomicUsize,
}

/// How long the order may be (256 KiB). Where weights would need a longer one, shares are rounded to parts of this.
const LONGEST: u64 = 1 << 16;

impl Turns {
    /// For members of these places and weights. There must be one at least.
    pub(crate) fn new(members: &[(u32, u32)]) -> Turns {
        let divisor = members
            .iter()
            .fold(0, |divisor, (_, weight)| common_divisor(divisor, u64::from(*weight)));
        let sum: u64 = members.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let turns = |weight: u32| match sum / divisor.max(1) {
            whole if whole <= LONGEST => u64::from(weight) / divisor.max(1),
            _ => ((u64::from(weight) * LONGEST + sum / 2) / sum).max(1),
        };
        let mut order = Vec::new();
        for (place, weight) in members {
            let turns = turns(*weight);
            // The middles of equal parts of the way, so that a heavy member is everywhere and not first.
            order.extend((0..turns).map(|turn| (((2 * turn + 1) << 40) / turns, *place)));
        }
        order.sort_by_key(|(position, _)| *position);
        Turns {
            order: order.into_iter().map(|(_, place)| place).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// The next one in the order, over all workers.
    pub(crate) fn next(&self) -> u32 {
        self.order[self.next.fetch_add(1, Ordering::Relaxed) % self.order.len()]
    }

    /// One at random.
    pub(crate) fn draw(&self, random: u64) -> u32 {
        self.order[below(random, self.order.len())]
    }
}

/// A number below `count`, from one of the whole range.
#[allow(clippy::cast_possible_truncation, reason = "it is below a usize")]
pub(crate) fn below(random: u64, count: usize) -> usize {
    ((u128::from(random) * count as u128) >> 64) as usize
}

fn common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 {
        one
    } else {
        common_divisor(other, one % other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn order(weights: &[u32]) -> Vec<u32> {
        let members: Vec<_> = (0..).zip(weights.iter().copied()).collect();
        Turns::new(&members).order.into_vec()
    }

    #[test]
    fn a_heavy_member_is_spread_evenly() {
        for (weights, expected) in [
            (&[1, 1, 1][..], &[0, 1, 2][..]),
            (&[7], &[0]),
            (&[3, 1], &[0, 0, 1, 0]),
            (&[100, 50, 50], &[0, 1, 2, 0]),
            (&[5, 1, 1], &[0, 0, 0, 1, 2, 0, 0]),
            (&[4, 2], &[0, 1, 0]),
        ] {
            assert_eq!(order(weights), expected, "{weights:?}");
        }
    }

    #[test]
    fn turns_go_around() {
        let turns = Turns::new(&[(4, 2), (7, 1)]);
        let seen: Vec<_> = (0..6).map(|_| turns.next()).collect();
        assert_eq!(seen, [4, 7, 4, 4, 7, 4]);
        assert_eq!(
            (turns.draw(0), turns.draw(u64::MAX / 2), turns.draw(u64::MAX)),
            (4, 7, 4)
        );
    }

    #[test]
    fn the_order_has_an_end() {
        let weights: Vec<u32> = (0..3000).map(|at| 1 + at % 1000).collect();
        let order = order(&weights);
        assert!(order.len() <= 2 * 65_536, "{}", order.len());
        let count = |place: u32| order.iter().filter(|it| **it == place).count();
        assert!(count(0) >= 1);
        // Of 1,501,500 it has 1000.
        assert_eq!(count(999), 44);
    }

    proptest! {
        #[test]
        fn everybody_has_turns_by_weight(weights in prop::collection::vec(1_u32..=60, 1..40)) {
            let order = order(&weights);
            let sum: u32 = weights.iter().sum();
            for (place, weight) in (0..).zip(&weights) {
                let turns = order.iter().filter(|it| **it == place).count();
                prop_assert_eq!(turns * sum as usize, order.len() * *weight as usize);
            }
            // Wherever one looks, nobody is far behind or ahead.
            for (place, weight) in (0..).zip(&weights) {
                let mut seen = 0.0_f64;
                for (at, it) in order.iter().enumerate() {
                    seen += f64::from(u8::from(*it == place));
                    let due = (at + 1) as f64 * f64::from(*weight) / f64::from(sum);
                    prop_assert!((seen - due).abs() <= 0.5 * weights.len() as f64 + 1.0);
                }
            }
        }
    }
}
