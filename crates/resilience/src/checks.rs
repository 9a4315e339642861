//! When so many checks have failed or passed that a target's health turns, and how long to wait for the next check.

use std::time::Duration;

use crate::standing::Checked;

/// How many results in a row turn a target's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Checks that must pass until a failing target passes. At least one.
    pub healthy: u32,
    /// Checks that must fail until a passing target fails. At least one.
    pub unhealthy: u32,
}

/// The results of one target's checks, as far as they contradict what is known of it.
#[derive(Debug, Default)]
pub struct Streak {
    contrary: u32,
}

/// A result that contradicts what is known is checked again after this part of the interval: so thresholds that forgive a
/// single failure don't cost three intervals to see a real one.
const SOONER: u32 = 4;

impl Streak {
    /// Takes in a result and gives the new health, where it turns. A target of which nothing is known yet is what its
    /// first check says: whoever starts needs an answer, and not the third one.
    pub fn take(&mut self, known: Checked, passed: bool, thresholds: Thresholds) -> Option<Checked> {
        let (found, needed) = if passed {
            (Checked::Passing, thresholds.healthy)
        } else {
            (Checked::Failing, thresholds.unhealthy)
        };
        if known == found {
            self.contrary = 0;
            return None;
        }
        self.contrary = self.contrary.saturating_add(1);
        if known != Checked::Unknown && self.contrary < needed {
            return None;
        }
        self.contrary = 0;
        Some(found)
    }

    /// How long to wait until the next check: the interval, a tenth more or less, so that the checks of many targets by many
    /// nodes don't fall together. `random` is a number from the whole range of its type.
    pub fn pause(&self, every: Duration, random: u64) -> Duration {
        let every = if self.contrary > 0 { every / SOONER } else { every };
        let tenth = every / 10;
        let span = u64::try_from(tenth.as_nanos() * 2).unwrap_or(u64::MAX).max(1);
        every - tenth + Duration::from_nanos(random % span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moment;
    use crate::standing::{Standing, State};

    const THRESHOLDS: Thresholds = Thresholds {
        healthy: 2,
        unhealthy: 3,
    };
    const EVERY: Duration = Duration::from_secs(2);

    /// A target whose checks pass or fail by a plan: `p` passes, `f` fails. Gives what is known after each.
    fn run(known: Checked, plan: &str) -> String {
        let mut streak = Streak::default();
        let mut known = known;
        let after = plan.chars().map(|result| {
            if let Some(turned) = streak.take(known, result == 'p', THRESHOLDS) {
                assert_ne!(turned, known);
                known = turned;
            }
            match known {
                Checked::Passing => 'P',
                Checked::Failing => 'F',
                Checked::Unknown => '?',
            }
        });
        after.collect()
    }

    #[test]
    fn the_first_check_decides_and_later_ones_need_company() {
        assert_eq!(run(Checked::Unknown, "pffpfff"), "PPPPPPF");
        assert_eq!(run(Checked::Unknown, "fpfpp"), "FFFFP");
        assert_eq!(run(Checked::Passing, "ffpffpfff"), "PPPPPPPPF");
        assert_eq!(run(Checked::Failing, "pfpfpp"), "FFFFFP");
    }

    #[test]
    fn a_dead_target_is_found_and_a_living_one_comes_back() {
        let standing = Standing::default();
        let mut streak = Streak::default();
        let mut now = Moment::from_micros(1_000_000);
        let dead = now + Duration::from_secs(10)..now + Duration::from_secs(20);
        let (mut turned, mut random) = (Vec::new(), 7_u64);
        while now < dead.end + Duration::from_secs(10) {
            let passed = !dead.contains(&now);
            if let Some(checked) = streak.take(standing.checked(), passed, THRESHOLDS) {
                standing.set_checked(checked, now);
                turned.push((now, standing.state(now)));
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            now = now + streak.pause(EVERY, random);
        }
        let [_, (failing, State::Failing), (good, State::Good)] = turned[..] else {
            panic!("{turned:?}");
        };
        // An interval to the first contrary result, and a quarter of one for each that is needed beyond it.
        assert!(failing.since(dead.start) < Duration::from_millis(2_200 + 2 * 550));
        assert!(good.since(dead.end) < Duration::from_millis(2_200 + 550));
        assert_eq!(standing.age(good + EVERY), EVERY);
    }

    #[test]
    fn pauses_scatter_by_a_tenth() {
        let mut streak = Streak::default();
        let (least, most) = (EVERY * 9 / 10, EVERY * 11 / 10);
        for random in [0, 1, 399_999_999, 400_000_000, u64::MAX] {
            assert!((least..most).contains(&streak.pause(EVERY, random)), "{random}");
        }
        assert_eq!(streak.pause(Duration::ZERO, 5), Duration::ZERO);
        streak.take(Checked::Passing, false, THRESHOLDS);
        assert!(streak.pause(EVERY, u64::MAX) < Duration::from_millis(550));
    }
}
