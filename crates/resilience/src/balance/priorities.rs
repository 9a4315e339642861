//! Which priority serves: the first one while enough of it is good, and the next ones in proportion when it isn't.
//!
//! The rules are Envoy's, so that people who know those are not surprised. A group is as healthy as the part of its members
//! that are good, times 1.4. Groups take the load in their order, each as much as it is healthy. Where all of them together
//! are less than wholly healthy, they share in proportion, and there is panic in those where too few are good.

use super::group::{Group, HEALTHY};
use super::turns::below;
use crate::members::{Member, Members};

/// The group that gets a request.
pub(super) struct Serving<'m> {
    pub(super) group: &'m Group,
    /// Whether its bad members are used too.
    pub(super) panic: bool,
}

/// The group for the next request, by the last count; none where nobody may have it.
pub(super) fn serving<'m, M: Member>(
    members: &'m Members<M>,
    threshold: u32,
    random: &mut impl FnMut() -> u64,
) -> Option<Serving<'m>> {
    let groups = members.groups();
    let first = groups.first()?;
    if first.health() == HEALTHY {
        return Some(Serving {
            group: first,
            panic: false,
        });
    }
    let health = members.health();
    if health == 0 {
        // Nobody is good. The first group is the one that should serve.
        let group = groups.iter().find(|group| group.serves())?;
        return (threshold > 0).then_some(Serving { group, panic: true });
    }
    let mut left = match groups {
        [_] => 0,
        _ => below(random(), usize::try_from(health).unwrap_or(usize::MAX)) as u64,
    };
    for group in groups {
        let takes = group.health();
        if left < takes {
            let panic = panics(group, health, threshold);
            return Some(Serving { group, panic });
        }
        left -= takes;
    }
    None
}

/// Whether the bad members of a group are used too, where all groups together are so healthy.
pub(super) fn panics(group: &Group, health: u64, threshold: u32) -> bool {
    health < HEALTHY && group.has_fewer_good_than(threshold)
}

/// The part of all requests that each group gets.
pub(super) fn loads<M: Member>(members: &Members<M>) -> Vec<f64> {
    let groups = members.groups();
    let health = members.health();
    let mut left = health;
    let take = |group: &Group| {
        let taken = group.health().min(left);
        left -= taken;
        ratio(taken, health)
    };
    if health > 0 {
        return groups.iter().map(take).collect();
    }
    let first = groups.iter().position(Group::serves);
    (0..groups.len())
        .map(|at| f64::from(u8::from(Some(at) == first)))
        .collect()
}

#[allow(clippy::cast_precision_loss, reason = "both are a thousand at the most")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
