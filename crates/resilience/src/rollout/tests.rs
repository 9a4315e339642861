//! Roll-outs against simulated versions and a simulated clock.

use std::time::Duration;

use super::evidence::Reason;
use super::seen::{Latencies, Pair, Seen};
use super::{Command, Decision, Judge, NotNow, Outcome, Phase, Plan, Rollout, Standing, WHOLE};
use crate::Moment;

/// How often the controller looks.
const TICK: Duration = Duration::from_millis(250);

/// A version that answers like this.
#[derive(Clone, Copy)]
struct Version {
    /// Which share of its requests fails.
    errors: f64,
    /// The middle of its latencies, in milliseconds; a fifth of them takes more than twice as long.
    millis: f64,
}

const GOOD: Version = Version {
    errors: 0.001,
    millis: 20.0,
};

/// Numbers that look random and are the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normally distributed (Box and Muller).
    fn normal(&mut self) -> f64 {
        let (one, other) = (self.next().max(1e-12), self.next());
        (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
    }
}

/// A roll-out with traffic.
struct World {
    rollout: Rollout,
    seen: Pair<Seen>,
    now: Moment,
    random: Random,
    decisions: Vec<(Duration, Decision)>,
}

const START: Moment = Moment::from_micros(1_000_000);

fn plan() -> Plan {
    plan_of(Duration::from_secs(60))
}

fn plan_of(every: Duration) -> Plan {
    Plan {
        steps: vec![500, 2500, 5000, WHOLE],
        every,
        judge: Judge {
            errors: 0.01,
            latency: 1.5,
            min_requests: 100,
        },
    }
}

impl World {
    fn new(seed: u64) -> World {
        World {
            rollout: Rollout::new(plan(), START),
            seen: Pair::default(),
            now: START,
            random: Random(seed),
            decisions: Vec::new(),
        }
    }

    /// Lets both answer so many requests each second, until something other than the next step is decided or time is up.
    fn run(&mut self, per_second: u32, old: Version, new: Version, longest: Duration) -> Option<&Decision> {
        let end = self.now + longest;
        while self.now < end {
            self.now = self.now + TICK;
            for _ in 0..per_second / 4 {
                let to_new = self.random.next() * f64::from(WHOLE) < f64::from(self.rollout.weight());
                let (version, seen) = if to_new {
                    (new, &mut self.seen.new)
                } else {
                    (old, &mut self.seen.old)
                };
                answer(&mut self.random, version, seen);
            }
            let Some(decision) = self.rollout.look(self.seen.clone(), self.now) else {
                continue;
            };
            let goes_on = decision.outcome == Outcome::Advanced;
            self.decisions.push((self.now.since(START), decision));
            if !goes_on {
                return self.decisions.last().map(|(_, decision)| decision);
            }
        }
        None
    }

    fn command(&mut self, command: Command) -> Result<Decision, NotNow> {
        self.rollout.command(command, self.seen.clone(), self.now)
    }
}

fn answer(random: &mut Random, version: Version, seen: &mut Seen) {
    if random.next() < version.errors {
        seen.errors += 1;
        return;
    }
    let seconds = version.millis / 1000.0 * (0.8 * random.normal()).exp();
    seen.latencies
        .add(Latencies::bucket_of(Duration::from_secs_f64(seconds)), 1);
}

const LONG: Duration = Duration::from_secs(300);

#[test]
fn a_good_version_gets_all_requests_step_by_step() {
    let mut world = World::new(1);
    let last = world.run(200, GOOD, GOOD, LONG).map(|last| last.outcome);
    assert_eq!(last, Some(Outcome::Completed));
    let weights: Vec<u32> = world.decisions.iter().map(|(_, decision)| decision.weight).collect();
    assert_eq!(weights, [2500, 5000, WHOLE]);
    let times: Vec<u64> = world.decisions.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [60, 120, 180]);
    assert_eq!(world.rollout.standing().phase, Phase::Completed);
}

#[test]
fn a_version_with_failures_is_taken_back_in_its_first_step() {
    for seed in 0..100 {
        let mut world = World::new(seed);
        let bad = Version { errors: 0.05, ..GOOD };
        let last = world.run(200, GOOD, bad, LONG).map(|last| last.outcome);
        assert_eq!(last, Some(Outcome::RolledBack(Reason::Errors)), "{seed}");
        let (at, decision) = &world.decisions[0];
        assert!(*at < Duration::from_secs(60), "{seed}: after {at:?}");
        assert_eq!((decision.weight, world.rollout.weight()), (0, 0));
        // What clients saw of it: a few failures, until it was certain.
        assert!(decision.window.new.errors < 25, "{seed}: {decision:?}");
        assert_eq!(world.run(200, GOOD, GOOD, TICK * 20), None, "it stays there");
    }
}

#[test]
fn a_version_that_fails_always_is_taken_back_within_seconds() {
    let mut world = World::new(3);
    let broken = Version { errors: 1.0, ..GOOD };
    world.run(100, GOOD, broken, LONG);
    let (at, decision) = &world.decisions[0];
    assert_eq!(decision.outcome, Outcome::RolledBack(Reason::Errors));
    assert!(*at <= Duration::from_secs(3), "after {at:?}");
}

#[test]
fn a_slow_version_is_taken_back() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        let slow = Version { millis: 60.0, ..GOOD };
        let last = world.run(200, GOOD, slow, LONG).map(|last| last.outcome);
        assert_eq!(last, Some(Outcome::RolledBack(Reason::Latency)), "{seed}");
        assert!(world.decisions[0].0 < Duration::from_secs(60), "{seed}");
    }
}

#[test]
fn versions_that_are_equal_are_not_taken_apart_by_chance() {
    for (errors, millis) in [(0.05, 20.0), (0.002, 20.0), (0.3, 200.0), (0.0, 0.5)] {
        let version = Version { errors, millis };
        let runs = 150;
        let alarms = (0..runs)
            .filter(|seed| {
                let mut world = World::new(1000 + seed);
                world.rollout = Rollout::new(plan_of(Duration::from_secs(15)), START);
                let last = world.run(320, version, version, LONG).cloned();
                last.is_none_or(|last| last.outcome != Outcome::Completed)
            })
            .count();
        assert!(alarms <= 1, "{alarms} of {runs} with {errors} failures");
    }
}

#[test]
fn a_difference_that_may_be_is_borne() {
    let mut world = World::new(5);
    let somewhat = Version {
        errors: 0.005,
        millis: 24.0,
    };
    let last = world.run(400, GOOD, somewhat, LONG).map(|last| last.outcome);
    assert_eq!(last, Some(Outcome::Completed));
}

#[test]
fn with_too_few_requests_it_waits_and_says_so_once() {
    let mut world = World::new(6);
    let last = world.run(4, GOOD, GOOD, Duration::from_secs(400)).cloned();
    let last = last.expect("it says so");
    assert_eq!(last.outcome, Outcome::Waiting(100));
    assert_eq!((last.weight, last.lasted), (500, Duration::from_secs(180)));
    let next = world.run(4, GOOD, GOOD, Duration::from_secs(200));
    assert_eq!(next, None, "once is enough");
    let before = world.decisions.len();
    world.run(400, GOOD, GOOD, Duration::from_secs(30));
    assert_eq!(world.decisions.len(), before + 1);
    assert_eq!(world.decisions[before].1.outcome, Outcome::Advanced);
}

#[test]
fn without_the_old_version_failures_are_held_against_what_was_before() {
    let mut world = World::new(7);
    let mut seen = Seen::default();
    let bad = Version { errors: 0.05, ..GOOD };
    for _ in 0..2000 {
        answer(&mut world.random, bad, &mut seen);
        world.seen.new = seen.clone();
        world.now = world.now + Duration::from_millis(10);
        if let Some(decision) = world.rollout.look(world.seen.clone(), world.now) {
            assert_eq!(decision.outcome, Outcome::RolledBack(Reason::Errors));
            return;
        }
    }
    panic!("it was not taken back");
}

#[test]
fn operators_hold_resume_abort_and_promote() {
    let mut world = World::new(8);
    assert_eq!(world.command(Command::Pause).map(|it| it.weight), Ok(500));
    assert_eq!(world.run(200, GOOD, GOOD, LONG), None, "it is held");
    assert_eq!(
        world.command(Command::Pause).map_err(|no| no.to_string()),
        Err("pause changes nothing: the roll-out is paused".to_owned())
    );
    assert!(world.command(Command::Resume).is_ok());
    assert_eq!(world.run(200, GOOD, GOOD, Duration::from_secs(61)), None);
    assert_eq!(world.rollout.weight(), 2500);
    assert_eq!(world.command(Command::Abort).map(|it| it.weight), Ok(0));
    assert_eq!(world.run(200, GOOD, GOOD, LONG), None, "it stays there");
    let again = world.command(Command::Resume).map(|it| it.weight);
    assert_eq!(again, Ok(500), "from the first step");
    assert_eq!(world.command(Command::Promote).map(|it| it.weight), Ok(WHOLE));
    assert!(world.command(Command::Promote).is_err());
    assert_eq!(world.command(Command::Abort).map(|it| it.weight), Ok(0));
}

#[test]
fn what_is_held_is_taken_back_all_the_same() {
    let mut world = World::new(9);
    assert!(world.command(Command::Pause).is_ok());
    let broken = Version { errors: 0.5, ..GOOD };
    let last = world.run(200, GOOD, broken, LONG).map(|last| last.outcome);
    assert_eq!(last, Some(Outcome::RolledBack(Reason::Errors)));
}

#[test]
fn another_process_goes_on_at_the_same_step() {
    let standing = Standing {
        phase: Phase::Running,
        step: 2,
    };
    let rollout = Rollout::resumed(plan(), standing, Pair::default(), START);
    assert_eq!((rollout.weight(), rollout.standing()), (5000, standing));
    let beyond = Standing { step: 99, ..standing };
    let rollout = Rollout::resumed(plan(), beyond, Pair::default(), START);
    assert_eq!(rollout.standing().step, 3);
}
