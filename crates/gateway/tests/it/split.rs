//! Several services share the requests of a route, and clients stay where they are.

use super::client::{Answer, Client};
use super::gate::{Gate, eventually};
use super::upstream::Upstream;

/// An upstream that answers with its name.
pub(crate) fn named(name: &str) -> Upstream {
    Upstream::answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}",
        name.len()
    ))
}

fn configuration(old: &Upstream, new: &Upstream, weights: [u32; 2], by: &str) -> String {
    let [old_weight, new_weight] = weights;
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\n\
         services: {{old: \"http://{}\", new: \"http://{}\"}}\n\
         routes:\n  - name: all\n    path: /**\n    to:\n      \
         split: [{{service: old, weight: {old_weight}}}, {{service: new, weight: {new_weight}}}]\n      {by}\n",
        old.address(),
        new.address()
    )
}

fn reload(gate: &Gate) {
    let answer = Client::connect(gate.admin()).ask("POST", "/reload", &[("Host", "localhost")], "");
    assert_eq!(answer.status, 200, "{answer}");
}

#[test]
fn as_the_new_one_grows_clients_move_to_it_and_nobody_back() {
    let (old, new) = (named("old"), named("new"));
    let by = "by: header:X-Client";
    let gate = Gate::start(&configuration(&old, &new, [100, 0], by));
    let mut client = gate.connect();
    let mut on_new = |clients: u32| -> Vec<u32> {
        let served = |number: &u32| {
            let answer = client.ask("GET", "/", &[("X-Client", &number.to_string())], "");
            answer.text() == "new"
        };
        (0..clients).filter(served).collect()
    };
    assert_eq!(on_new(300), [] as [u32; 0]);
    let mut before = Vec::new();
    for weight in [10, 50, 100] {
        gate.rewrite(&configuration(&old, &new, [100 - weight, weight], by));
        reload(&gate);
        let now = on_new(300);
        assert_eq!(now, on_new(300), "clients stay where they are");
        assert!(before.iter().all(|client| now.contains(client)), "at {weight}");
        let expected = 3 * usize::try_from(weight).unwrap();
        assert!(now.len().abs_diff(expected) <= 40, "{} at {weight}", now.len());
        before = now;
    }
    let shares = |service: &str| {
        gate.metric(&format!(
            "portcullis_split_requests_total{{route=\"all\",service=\"{service}\"}}"
        ))
    };
    assert!((shares("old") + shares("new") - 2100.0).abs() < f64::EPSILON);
}

#[test]
fn without_a_key_requests_are_shared_by_weight() {
    let (old, new) = (named("old"), named("new"));
    let gate = Gate::start(&configuration(&old, &new, [3, 1], ""));
    let mut client = gate.connect();
    let on_new = (0..400).filter(|_| client.get("/").text() == "new").count();
    assert!((60..140).contains(&on_new), "{on_new} of 400");
}

#[test]
fn a_cookie_keeps_a_client_with_its_part() {
    let (old, new) = (named("old"), named("new"));
    let gate = Gate::start(&configuration(&old, &new, [1, 1], "by: cookie:version"));
    let mut parts = Vec::new();
    for _ in 0..20 {
        let mut client = gate.connect();
        let first = client.get("/");
        let cookie = first.field("set-cookie").expect("it has none yet").to_owned();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        let (pair, _) = cookie.split_once(';').unwrap();
        for _ in 0..5 {
            let again: Answer = client.ask("GET", "/", &[("Cookie", &format!("a=b; {pair}"))], "");
            assert_eq!(again.text(), first.text());
            assert_eq!(again.field("set-cookie"), None);
        }
        parts.push(first.text());
    }
    assert!(parts.iter().any(|part| part == "old") && parts.iter().any(|part| part == "new"));
}

#[test]
fn an_address_keeps_its_part_and_the_log_tells_which() {
    let (old, new) = (named("old"), named("new"));
    let configuration = configuration(&old, &new, [1, 1], "by: client_ip").replace(
        "    path: /**\n",
        "    path: /**\n    policies: [{access_log: {file: access.log}}]\n",
    );
    let gate = Gate::start(&configuration);
    let first = gate.get("/").text();
    assert!((0..10).all(|_| gate.get("/").text() == first));
    eventually("eleven lines", || {
        let log = std::fs::read_to_string(gate.folder.path().join("access.log")).unwrap_or_default();
        let part = format!("\"{first}\"");
        log.lines().filter(|line| line.contains(&part)).count() == 11
    });
}
