//! What became slower is told from what didn't.

use std::thread;
use std::time::Duration;

use portcullis_bench::compare::{Change, Comparison, Metric, Terms};
use portcullis_bench::duel::Duel;
use portcullis_bench::profile::Profile;
use portcullis_bench::profile::steady::Steady;
use portcullis_bench::stand_in::{Behaviour, Delay, StandIn};

use crate::it::targets::{run, server};

/// Long enough that 5 % of it are more than a busy machine delays a generator, which would make runs invalid.
const DELAY: Duration = Duration::from_secs(1);

fn slower_by(factor: f64) -> StandIn {
    server(Behaviour {
        delay: Delay::Fixed(DELAY),
        slow_down: factor,
        ..Behaviour::default()
    })
}

fn compared(head: f64, length: Duration) -> Comparison {
    let (base, head) = (slower_by(1.0), slower_by(head));
    let steady = Steady {
        duration: length,
        warm_up: Duration::ZERO,
        ..Steady::at(100.0)
    };
    let run = |server| run(server, Profile::Load(steady.clone()), &[]);
    let duel = Duel {
        base: run(&base),
        head: run(&head),
        pairs: 5,
    };
    let terms = Terms {
        primary: vec![Metric::P50],
        min_effect: 0.02,
        ..Terms::default()
    };
    duel.fight(&mut ()).unwrap().compare(&terms).unwrap()
}

#[test]
fn a_slow_down_of_five_per_cent_is_found_and_one_that_is_not_there_is_not() {
    let length = Duration::from_millis(500);
    // Both wait nearly all the time.
    let (same, slower) = thread::scope(|scope| {
        let slower = scope.spawn(|| compared(1.05, length));
        (compared(1.0, length), slower.join().unwrap())
    });
    assert_eq!(slower.verdict, Change::Worse, "{}", slower.sentence);
    let ratio = slower.primary[0].ratio.unwrap();
    assert!((ratio - 1.05).abs() < 0.02, "{ratio}");
    let is_alarm = matches!(same.verdict, Change::Worse | Change::Better);
    assert!(!is_alarm, "{}", same.sentence);
}
