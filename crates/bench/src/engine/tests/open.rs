//! The open model.

use super::*;

#[test]
fn every_arrival_is_counted_once() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let phases = [
        phase(500, rate(300.0)),
        phase(500, Load::Rate { from: 300.0, to: 100.0 }),
    ];
    let (measured, total) = run(plan(server.address(), 1), &phases);
    assert_eq!((total.ended, total.failed(), total.statuses[&200]), (250, 0, 250));
    assert_eq!((measured.phases[0].due, measured.phases[1].due), (150, 100));
    assert_eq!(
        (total.latency.count(), total.service.count(), total.bytes),
        (250, 250, 500)
    );
    assert_eq!(measured.generator.lag.count(), 250);
    assert_eq!(measured.seconds.iter().map(|second| second.due).sum::<u64>(), 250);
    assert_eq!(measured.seconds.iter().map(|second| second.ended).sum::<u64>(), 250);
    assert_eq!(server.requests(), 250);
    assert_eq!((measured.generator.connections, measured.generator.connected), (4, 4));
}

#[test]
fn latency_counts_from_when_a_request_was_due() {
    // One connection whose answers take 20 ms, and twice as many requests: each waits 10 ms longer than the one before.
    let behaviour = Behaviour {
        delay: Delay::Fixed(Duration::from_millis(20)),
        ..Behaviour::default()
    };
    let server = StandIn::start(behaviour).unwrap();
    let plan = Plan {
        connections: 1,
        ..plan(server.address(), 1)
    };
    let (measured, total) = run(plan, &[phase(500, rate(100.0))]);
    assert_eq!((total.ended, total.failed()), (50, 0));
    // Nothing can be faster than this, however busy the machine is.
    assert!(total.latency.max().unwrap() >= Duration::from_millis(20 + 49 * 10));
    assert!(total.latency.quantile(0.5).unwrap() >= Duration::from_millis(20 + 24 * 10));
    assert!(total.service.min().unwrap() >= Duration::from_millis(20));
    assert!(total.service.max() < total.latency.max());
    // Waiting for the target is no lag: that would be as long as the latency.
    assert!(measured.generator.lag.max() < total.latency.max());
}

#[test]
fn what_finds_no_room_is_missed() {
    let behaviour = Behaviour {
        delay: Delay::Fixed(Duration::from_millis(300)),
        ..Behaviour::default()
    };
    let server = StandIn::start(behaviour).unwrap();
    let plan = Plan {
        connections: 1,
        backlog: 2,
        ..plan(server.address(), 1)
    };
    // The first goes out, two wait, and the others come before the first is answered.
    let script = vec![
        Planned {
            after: Duration::ZERO,
            flow: 0
        };
        10
    ];
    let (_, total) = run(plan, &[phase(100, Load::Script(script.into()))]);
    assert_eq!(
        (total.ended, total.failures[&Failure::Missed].values().sum::<u64>()),
        (10, 7)
    );
    assert_eq!((total.latency.count(), total.service.count()), (10, 3));
    // They count as if they had never been answered.
    assert!(total.latency.quantile(0.5).unwrap() >= Duration::from_secs(9));
}

#[test]
fn steps_follow_each_other_and_may_think() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let plan = Plan {
        connections: 1,
        ..thinking(plan(server.address(), 3), 100)
    };
    // While one flow thinks the other has the connection.
    let script = vec![
        Planned {
            after: Duration::ZERO,
            flow: 0
        };
        2
    ];
    let began = Instant::now();
    let (measured, total) = run(plan, &[phase(0, Load::Script(script.into()))]);
    let took = began.elapsed();
    assert_eq!((total.ended, total.failed(), measured.phases[0].due), (6, 0, 2));
    assert!(took >= Duration::from_millis(100));
    assert_eq!(server.requests(), 6);
}

#[test]
fn who_looks_on_may_end_it() {
    struct Once(usize);
    impl Watch for Once {
        fn look(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
            self.0 += 1;
            assert_eq!((progress.phase, progress.phases.len()), (0, 2));
            if progress.so_far.phases[0].due > 5 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    }
    let server = StandIn::start(Behaviour::default()).unwrap();
    let mut engine = Engine::start(plan(server.address(), 1)).unwrap();
    let mut watch = Once(0);
    let measured = engine
        .run(&[phase(3_600_000, rate(100.0)), phase(1000, rate(1.0))], &mut watch)
        .unwrap();
    assert!(watch.0 >= 1 && measured.phases.len() == 1);
    let main = &measured.phases[0];
    assert!(main.due > 5 && main.lasted < Duration::from_secs(600), "{main:?}");
    assert_eq!(main.total().failed(), 0);
    // Its connections are good for another run.
    let again = engine.run(&[phase(100, rate(100.0))], &mut ()).unwrap();
    assert_eq!((again.counted().0.ended, again.counted().0.failed()), (10, 0));
    assert_eq!(server.connections(), 4 + again.generator.connected);
}

#[test]
fn a_run_that_cannot_be_is_refused() {
    let address = "127.0.0.1:9".parse().unwrap();
    let none = Plan {
        flows: Arc::from([]),
        ..plan(address, 1)
    };
    assert!(Engine::start(none).is_err() && Engine::start(plan(address, 0)).is_err());
    let nowhere = Plan {
        routes: Vec::new(),
        ..plan(address, 1)
    };
    assert!(Engine::start(nowhere).is_err());
    let planned = |millis, flow| Planned {
        after: Duration::from_millis(millis),
        flow,
    };
    let mut engine = Engine::start(plan(address, 1)).unwrap();
    for load in [
        Load::Script([planned(2, 0), planned(1, 0)].into()),
        Load::Script([planned(0, 1)].into()),
        Load::Users(10_000_000),
        rate(-1.0),
        rate(f64::NAN),
        rate(1e12),
    ] {
        assert!(engine.run(&[phase(10, load)], &mut ()).is_err());
    }
}
