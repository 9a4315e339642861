//! What clients may use in the long run.

use super::gate::Gate;

fn configuration() -> String {
    "listeners: [127.0.0.1:0]\nadmin: {bind: '127.0.0.1:0'}\nstores: {durable: 'sqlite:gate.db'}\n\
     policies: {plan: {quota: {limit: 5000/month, by: 'header:X-Tenant'}}}\n\
     routes:\n  - {path: /**, policies: plan, to: {respond: fine}}\n"
        .to_owned()
}

fn left(gate: &Gate) -> u64 {
    let answer = gate.connect().ask("GET", "/", &[("X-Tenant", "blue")], "");
    assert_eq!(answer.status, 200, "{answer}");
    let told = answer.field("ratelimit").unwrap().to_owned();
    assert!(told.starts_with("\"plan-month\";r="), "{told}");
    told.split([';', '=']).nth(2).unwrap().parse().unwrap()
}

/// 5 units are taken from the store at a time: what is not used comes back when the gate ends, and not when it is killed.
#[test]
fn a_quota_outlives_restarts_and_reloads() {
    let mut gate = Gate::start(&configuration());
    assert_eq!((left(&gate), left(&gate)), (4999, 4998));
    gate.signal("HUP");
    gate.await_log("reloaded by SIGHUP");
    assert_eq!(left(&gate), 4997);
    gate.signal("TERM");
    assert!(gate.await_exit().success());
    let gate = Gate::start_in(gate.kill(), &configuration());
    assert_eq!(left(&gate), 4996);
    let gate = Gate::start_in(gate.kill(), &configuration());
    let after = left(&gate);
    assert!((4990..=4995).contains(&after), "{after}");
}
