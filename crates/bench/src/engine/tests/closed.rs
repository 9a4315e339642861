//! The closed model.

use super::*;

#[test]
fn each_user_has_one_request_at_a_time() {
    let behaviour = Behaviour {
        delay: Delay::Fixed(Duration::from_millis(20)),
        ..Behaviour::default()
    };
    let server = StandIn::start(behaviour).unwrap();
    let phases = [phase(200, Load::Users(4)), phase(200, Load::Users(1))];
    let (measured, total) = run(plan(server.address(), 1), &phases);
    // No user can have had more answers than the time has room for; the last may come after the phase.
    assert!((1..=44).contains(&measured.phases[0].total().ended), "{measured:?}");
    assert!((1..=11).contains(&measured.phases[1].total().ended), "{measured:?}");
    assert_eq!((total.failed(), total.ended), (0, server.requests()));
    assert!(total.latency.min().unwrap() >= Duration::from_millis(20));
}

#[test]
fn users_think_between_flows_and_may_be_more_than_connections() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let plan = Plan {
        connections: 1,
        ..thinking(plan(server.address(), 1), 100)
    };
    let (measured, total) = run(plan, &[phase(250, Load::Users(3))]);
    // At 0, 100 and 200 ms, or later.
    assert!((3..=9).contains(&total.ended), "{measured:?}");
    assert_eq!((total.failed(), server.connections()), (0, 1));
}
