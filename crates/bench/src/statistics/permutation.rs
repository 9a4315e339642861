//! Whether the means of two sets differ, judged by all the ways in which their values could have been dealt.

/// Up to so many ways are tried one by one; of more, a sample.
const MOST_WAYS: usize = 20_000;

/// The size of that sample.
const SAMPLE: usize = 9_999;

/// How likely the means of sets from the same source lie at least as far apart as these, to either side. 1 where a set is empty.
/// `seed` is where chance begins when there are too many ways to try all.
pub fn permutation(first: &[f64], second: &[f64], seed: u64) -> f64 {
    if first.is_empty() || second.is_empty() {
        return 1.0;
    }
    let mut values: Vec<f64> = first.iter().chain(second).copied().collect();
    let chosen = first.len();
    let total: f64 = values.iter().sum();
    // With the total fixed, the difference of the means follows from the sum of the first set, and is none at this sum.
    let middle = total * chosen as f64 / values.len() as f64;
    let distance = (first.iter().sum::<f64>() - middle).abs();
    // What is the same but for rounding counts as the same.
    let far = |sum: f64| (sum - middle).abs() >= distance * (1.0 - 1e-9);
    if few_ways(values.len(), chosen) {
        let (mut as_far, mut all) = (0u32, 0u32);
        each_sum(&values, chosen, 0.0, &mut |sum| {
            all += 1;
            as_far += u32::from(far(sum));
        });
        return f64::from(as_far) / f64::from(all);
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let as_far = (0..SAMPLE).filter(|_| {
        random.shuffle(&mut values);
        far(values[..chosen].iter().sum())
    });
    // The way that really happened is one of them (Phipson and Smyth 2010), so that no sample says that it could not.
    (as_far.count() + 1) as f64 / (SAMPLE + 1) as f64
}

fn few_ways(all: usize, chosen: usize) -> bool {
    let mut ways: usize = 1;
    for drawn in 0..chosen.min(all - chosen) {
        ways = ways.saturating_mul(all - drawn) / (drawn + 1);
        if ways > MOST_WAYS {
            return false;
        }
    }
    true
}

fn each_sum(values: &[f64], chosen: usize, sum: f64, visit: &mut impl FnMut(f64)) {
    if chosen == 0 {
        return visit(sum);
    }
    for (index, value) in values.iter().enumerate().take(values.len() + 1 - chosen) {
        each_sum(&values[index + 1..], chosen - 1, sum + value, visit);
    }
}
