//! Whether the values of one set tend to be larger than those of another (Mann and Whitney 1947).

use super::{NORMAL_95, normal_two_sided};

/// How many values there may be in all for every way of dealing them to be counted. Beyond, the normal distribution is as good.
const EXACT: usize = 40;

/// How likely sets from the same source differ at least as much as these, to either side: exactly for up to 40 values, where values
/// that are the same share their rank; by the normal distribution for more. 1 where a set is empty.
pub fn mann_whitney(first: &[f64], second: &[f64]) -> f64 {
    if first.is_empty() || second.is_empty() {
        return 1.0;
    }
    let ranks = doubled_ranks(first, second);
    let of_first = ranks[..first.len()].iter().sum();
    match ranks.len() <= EXACT {
        true => exact(&ranks, first.len(), of_first),
        false => approximate(&ranks, first.len(), of_first),
    }
}

/// The smallest probability that [`mann_whitney`] gives for sets of these sizes without values that are the same: when each value of
/// one is above all of the other.
/// Five and five give 0.0079, three and three 0.1, which no difference can bring below 0.05.
pub fn smallest_p(first: usize, second: usize) -> f64 {
    if first == 0 || second == 0 {
        return 1.0;
    }
    let (few, all) = (first.min(second), first.saturating_add(second));
    // One of all ways to deal them, and its mirror image.
    let ways = (0..few).fold(1.0, |ways: f64, drawn| ways * (all - drawn) as f64 / (drawn + 1) as f64);
    (2.0 / ways).min(1.0)
}

/// How many of the sorted differences between two sets lie outside their interval of 95 %, on either side: the interval goes from
/// the one after these to the one before those (Moses 1965). Nothing where the sets are too small for such an interval.
pub(super) fn outside_95(first: usize, second: usize) -> Option<usize> {
    if first + second > EXACT {
        let (n, m) = (first as f64, second as f64);
        let spread = (n * m * (n + m + 1.0) / 12.0).sqrt();
        let outside = n * m / 2.0 - NORMAL_95 * spread - 1.0;
        #[expect(clippy::cast_possible_truncation, reason = "it is less than half of all differences")]
        return (outside >= 0.0).then_some(outside as usize);
    }
    let ranks: Vec<usize> = (1..=first + second).map(|rank| 2 * rank).collect();
    let ways = ways_to_deal(&ranks, first);
    let all: f64 = ways.iter().sum();
    // The rank sum of the first set at its least, and from there upwards, one difference at a time.
    let least = first * (first + 1);
    let mut sum = 0.0;
    (0..=first * second)
        .take_while(|count| {
            sum += ways[least + 2 * count];
            sum / all <= 0.025
        })
        .last()
}

/// Twice the rank of each value among all, so that ranks that are shared are whole numbers too.
fn doubled_ranks(first: &[f64], second: &[f64]) -> Vec<usize> {
    let values: Vec<f64> = first.iter().chain(second).copied().collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0; values.len()];
    let mut begin = 0;
    for same in order.chunk_by(|a, b| values[*a] == values[*b]) {
        for index in same {
            ranks[*index] = 2 * begin + 1 + same.len();
        }
        begin += same.len();
    }
    ranks
}

fn exact(ranks: &[usize], first: usize, of_first: usize) -> f64 {
    let ways = ways_to_deal(ranks, first);
    let middle = first * (ranks.len() + 1);
    let distance = of_first.abs_diff(middle);
    let far = ways
        .iter()
        .enumerate()
        .filter(|(sum, _)| sum.abs_diff(middle) >= distance);
    let far: f64 = far.map(|(_, count)| count).sum();
    far / ways.iter().sum::<f64>()
}

/// For each sum of ranks, in how many ways so many of them add up to it.
fn ways_to_deal(ranks: &[usize], chosen: usize) -> Vec<f64> {
    let most = ranks.iter().sum::<usize>();
    let mut ways = vec![vec![0.0; most + 1]; chosen + 1];
    ways[0][0] = 1.0;
    for rank in ranks {
        for count in (1..=chosen).rev() {
            let (fewer, more) = ways.split_at_mut(count);
            for (sum, before) in fewer[count - 1].iter().enumerate().filter(|(_, before)| **before > 0.0) {
                more[0][sum + rank] += before;
            }
        }
    }
    ways.swap_remove(chosen)
}

fn approximate(ranks: &[usize], first: usize, of_first: usize) -> f64 {
    let all = ranks.len() as f64;
    let (n, m) = (first as f64, all - first as f64);
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    let ties = sorted.chunk_by(|a, b| a == b).map(|same| same.len() as f64);
    let ties: f64 = ties.map(|count| count.powi(3) - count).sum();
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    // Ranks are whole numbers, a normal distribution has no steps: half a step less makes up for it.
    let distance = (of_first as f64 / 2.0 - n * (all + 1.0) / 2.0).abs() - 0.5;
    normal_two_sided(distance.max(0.0) / variance.sqrt())
}
