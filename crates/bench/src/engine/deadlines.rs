//! Which lanes have a request in progress, the oldest first.

use std::time::Instant;

/// No lane.
const NONE: u32 = u32::MAX;

/// Lanes with a request in progress, in the order in which these began. Every request may take equally long, so that the first is also
/// the next whose time is over; no request costs a timer. A list through an array: beginning and ending cost a few writes.
pub(super) struct Deadlines {
    links: Vec<Link>,
    first: u32,
    last: u32,
    count: usize,
}

#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
    began: Option<Instant>,
}

impl Deadlines {
    /// None of so many lanes has a request in progress.
    pub(super) fn new(lanes: usize) -> Deadlines {
        let link = Link {
            before: NONE,
            after: NONE,
            began: None,
        };
        Deadlines {
            links: vec![link; lanes],
            first: NONE,
            last: NONE,
            count: 0,
        }
    }

    /// How many lanes have a request in progress.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// All lanes with a request in progress and when it began, the oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, Instant)> + '_ {
        let mut next = self.first;
        std::iter::from_fn(move || {
            let lane = next;
            let link = self.links.get(lane as usize)?;
            next = link.after;
            link.began.map(|began| (lane, began))
        })
    }

    /// A lane begins with a request.
    pub(super) fn begin(&mut self, lane: u32, now: Instant) {
        self.end(lane);
        let before = self.last;
        let Some(link) = self.links.get_mut(lane as usize) else {
            return;
        };
        *link = Link {
            before,
            after: NONE,
            began: Some(now),
        };
        match self.links.get_mut(before as usize) {
            Some(link) => link.after = lane,
            None => self.first = lane,
        }
        self.last = lane;
        self.count += 1;
    }

    /// A lane's request has ended, if it had one.
    pub(super) fn end(&mut self, lane: u32) {
        let Some(link) = self.links.get_mut(lane as usize) else {
            return;
        };
        if link.began.take().is_none() {
            return;
        }
        let (before, after) = (link.before, link.after);
        match self.links.get_mut(before as usize) {
            Some(link) => link.after = after,
            None => self.first = after,
        }
        match self.links.get_mut(after as usize) {
            Some(link) => link.before = before,
            None => self.last = before,
        }
        self.count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_is_first_whichever_ends() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut deadlines = Deadlines::new(4);
        let lanes = |deadlines: &Deadlines| deadlines.all().map(|(lane, _)| lane).collect::<Vec<_>>();
        assert_eq!((lanes(&deadlines), deadlines.count()), (vec![], 0));
        for (lane, millis) in [(2, 1), (0, 2), (3, 3), (1, 4)] {
            deadlines.begin(lane, at(millis));
        }
        assert_eq!(lanes(&deadlines), [2, 0, 3, 1]);
        deadlines.end(3);
        deadlines.end(3);
        deadlines.end(2);
        assert_eq!((deadlines.all().next(), deadlines.count()), (Some((0, at(2))), 2));
        deadlines.begin(0, at(9));
        assert_eq!(lanes(&deadlines), [1, 0]);
        deadlines.end(1);
        deadlines.end(0);
        assert_eq!((lanes(&deadlines), deadlines.count()), (vec![], 0));
        deadlines.begin(1, at(10));
        assert_eq!(lanes(&deadlines), [1]);
    }
}
