//! The consistent hash: which member a key belongs to.
//!
//! Keys fall into 65,536 buckets, and each bucket belongs to a member. Imagine that every member calls out buckets, one
//! after the other, in an order of its own, and the faster the heavier it is; a bucket belongs to whoever calls it first.
//! So members have shares by their weights, and when one goes, its buckets alone change hands: each to whoever was the next
//! to call it. (It is a rendezvous hash, worked out ahead, at a cost that doesn't grow with the number of members.)

/// Which member each bucket belongs to.
#[derive(Debug)]
pub(crate) struct Buckets(Box<[u32]>);

/// Enough for shares to be within a few per cent among dozens of members, and small enough for a processor's cache (256 KiB).
const COUNT: usize = 1 << 16;

/// Calls are made in rounds, of four calls to a bucket on average. One in e^64 buckets would be left after the last.
const ROUNDS: u64 = 16;

/// The time between two calls of a member of weight 1.
const BEAT: u64 = 1 << 40;

/// A member that takes part: its place, its identity and its weight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) place: u32,
    pub(crate) identity: u64,
    pub(crate) weight: u32,
}

impl Buckets {
    /// For these members, of which there must be one at least. Neither their order nor their places make a difference.
    pub(crate) fn new(callers: &[Caller]) -> Buckets {
        let weights: u64 = callers.iter().map(|caller| u64::from(caller.weight)).sum();
        let round = 4 * (COUNT as u64 * BEAT) / weights.max(1);
        let mut called = vec![Call::NEVER; COUNT];
        let mut counts = vec![0_u64; callers.len()];
        let mut free = COUNT;
        for end in (1..=ROUNDS).map(|number| number * round) {
            for (caller, count) in callers.iter().zip(&mut counts) {
                free -= call(caller, count, end, &mut called);
            }
            if free == 0 {
                break;
            }
        }
        let first = callers.first().map_or(0, |caller| caller.place);
        let owner = |call: &Call| if call.is_never() { first } else { call.place };
        Buckets(called.iter().map(owner).collect())
    }

    /// The member to which a key belongs.
    pub(crate) fn owner(&self, key: u64) -> u32 {
        self.0[bucket(mixed(key))]
    }
}

/// Lets a member call until a moment. Gives the number of buckets that nobody had called before.
fn call(caller: &Caller, count: &mut u64, end: u64, called: &mut [Call]) -> usize {
    let own = mixed(caller.identity);
    let mut new = 0;
    loop {
        // Not all begin together, so that few calls are at the same time.
        let time = (*count * BEAT + own % BEAT) / u64::from(caller.weight.max(1));
        if time >= end {
            return new;
        }
        let bucket = &mut called[bucket(mixed(own.wrapping_add(count.wrapping_mul(GOLDEN))))];
        new += usize::from(bucket.is_never());
        if (time, caller.identity) < (bucket.time, bucket.identity) {
            *bucket = Call {
                time,
                identity: caller.identity,
                place: caller.place,
            };
        }
        *count += 1;
    }
}

/// Who called a bucket first, and when.
#[derive(Clone, Copy)]
struct Call {
    time: u64,
    identity: u64,
    place: u32,
}

impl Call {
    const NEVER: Call = Call {
        time: u64::MAX,
        identity: u64::MAX,
        place: 0,
    };

    fn is_never(&self) -> bool {
        self.time == u64::MAX
    }
}

#[allow(clippy::cast_possible_truncation, reason = "it is the upper sixteen bits")]
const fn bucket(mixed: u64) -> usize {
    (mixed >> 48) as usize
}

/// An odd number whose multiples are spread evenly: 2^64 divided by the golden ratio.
pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The key under which the search goes on after so many members that can't be had. Keys of one member go on to all others
/// alike.
pub(crate) const fn further(key: u64, tries: u64) -> u64 {
    key.wrapping_add(tries.wrapping_mul(GOLDEN))
}

/// Spreads the differences of numbers over all of their bits (the finaliser of SplitMix64: Steele, Lea, Flood, "Fast
/// splittable pseudorandom number generators", 2014).
pub(crate) const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(GOLDEN);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Members whose identity is their place; the first word of each is its weight.
    fn callers(weights: &[u32]) -> Vec<Caller> {
        (0..)
            .zip(weights)
            .map(|(place, weight)| Caller {
                place,
                identity: u64::from(place),
                weight: *weight,
            })
            .collect()
    }

    fn share(buckets: &Buckets, place: u32) -> f64 {
        buckets.0.iter().filter(|it| **it == place).count() as f64 / COUNT as f64
    }

    #[test]
    fn shares_are_those_of_the_weights() {
        for weights in [&[1, 1, 1][..], &[1, 2, 4], &[1000, 1, 500], &[1; 50], &[7]] {
            let sum: u32 = weights.iter().sum();
            let buckets = Buckets::new(&callers(weights));
            for (place, weight) in (0..).zip(weights) {
                let due = f64::from(*weight) / f64::from(sum);
                // Five times the deviation of a random choice.
                let within = 5.0 * (due * (1.0 - due) / COUNT as f64).sqrt();
                let share = share(&buckets, place);
                assert!((share - due).abs() <= within, "{weights:?} {place}: {share} for {due}");
            }
        }
    }

    #[test]
    fn thousands_of_members_all_have_some() {
        let buckets = Buckets::new(&callers(&[1; 3000]));
        let mut shares = vec![0; 3000];
        for place in &buckets.0 {
            shares[*place as usize] += 1;
        }
        assert!(shares.iter().all(|share| *share > 0));
    }

    #[test]
    fn the_same_keys_go_the_same_way_on_every_node_and_in_every_version() {
        let mut members = callers(&[1, 2, 3]);
        let buckets = Buckets::new(&members);
        let owners: Vec<_> = (0..12).map(|key| buckets.owner(key)).collect();
        assert_eq!(owners, EXPECTED);
        members.reverse();
        let turned = Buckets::new(&members);
        assert_eq!(buckets.0, turned.0);
    }

    /// What came out when this was written. Should it change, all sessions lose their targets with an update.
    const EXPECTED: [u32; 12] = [0, 1, 1, 2, 1, 0, 2, 2, 1, 0, 2, 1];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        #[test]
        fn only_the_keys_of_a_member_that_goes_change_hands(
            weights in prop::collection::vec(prop_oneof![Just(1_u32), 1_u32..=1000], 2..60),
            gone in any::<prop::sample::Index>(),
        ) {
            let all = callers(&weights);
            let gone = gone.index(all.len());
            let mut left = all.clone();
            left.remove(gone);
            let (before, after) = (Buckets::new(&all), Buckets::new(&left));
            for (before, after) in before.0.iter().zip(&after.0) {
                prop_assert!(before == after || *before == all[gone].place);
                prop_assert!(*after != all[gone].place);
            }
        }
    }
}
