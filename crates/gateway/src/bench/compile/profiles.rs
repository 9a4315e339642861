//! How much load, and when.

use portcullis_bench::profile::Profile;
use portcullis_bench::profile::capacity::Capacity;
use portcullis_bench::profile::closed::Closed;
use portcullis_bench::profile::smoke::Smoke;
use portcullis_bench::profile::soak::Soak;
use portcullis_bench::profile::spike::Spike;
use portcullis_bench::profile::steady::Steady;
use portcullis_bench::profile::stress::Stress;
use portcullis_config::bench::Scenario;

/// Those that a file has, but for `replay`, which needs its log.
pub(super) fn all(scenario: &Scenario) -> Vec<Profile> {
    let written = &scenario.profiles;
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let mut profiles = Vec::new();
    profiles.extend(written.smoke.as_ref().map(|it| {
        Profile::Smoke(Smoke {
            repeats: count(it.repeats),
        })
    }));
    profiles.extend(written.load.as_ref().map(|it| {
        Profile::Load(Steady {
            rate: it.rate.get(),
            duration: it.duration.0,
            rise: it.rise.0,
            fall: it.fall.0,
            warm_up: it.warm_up.0,
        })
    }));
    profiles.extend(written.stress.as_ref().map(|it| {
        Profile::Stress(Stress {
            from: it.from.get(),
            growth: 1.0 + it.growth.ratio(),
            most: it.most.get(),
            each: it.each.0,
            warm_up: it.warm_up.0,
        })
    }));
    profiles.extend(written.spike.as_ref().map(|it| {
        Profile::Spike(Spike {
            base: it.base.get(),
            peak: it.peak.get(),
            before: it.before.0,
            rise: it.rise.0,
            hold: it.hold.0,
            fall: it.fall.0,
            after: it.after.0,
            within: it.within.ratio(),
            warm_up: it.warm_up.0,
        })
    }));
    profiles.extend(written.soak.as_ref().map(|it| {
        Profile::Soak(Soak {
            rate: it.rate.get(),
            duration: it.duration.0,
            period: it.period.map(|period| period.0),
            warm_up: it.warm_up.0,
        })
    }));
    profiles.extend(written.capacity.as_ref().map(|it| {
        Profile::Capacity(Capacity {
            from: it.from.map(|rate| rate.get()),
            most: it.most.get(),
            each: it.each.0,
            precision: it.precision.ratio(),
            expected: it.expected.map(|rate| rate.get()),
            warm_up: it.warm_up.0,
        })
    }));
    profiles.extend(written.closed.as_ref().map(|it| {
        Profile::Closed(Closed {
            users: count(it.users),
            duration: it.duration.0,
            warm_up: it.warm_up.0,
        })
    }));
    profiles
}
