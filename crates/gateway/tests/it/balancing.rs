//! Which of several targets answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::folder::Folder;
use super::gate::Gate;
use super::upstream::Upstream;

/// A server that says its name, as long as it is up; then it ends connections without an answer.
struct Named {
    upstream: Upstream,
    up: Arc<AtomicBool>,
}

impl Named {
    fn new(name: &'static str) -> Named {
        let up = Arc::new(AtomicBool::new(true));
        let known = up.clone();
        let upstream = Upstream::playing(move |peer| {
            while peer.request().is_some() && known.load(Ordering::SeqCst) {
                peer.answer("200 OK", name);
            }
        });
        Named { upstream, up }
    }

    fn url(&self) -> String {
        format!("http://{}", self.upstream.address())
    }
}

/// A gate before a service with these targets, which says this beside.
fn gate(targets: &[String], service: &str) -> Gate {
    let folder = Folder::new();
    folder.write("key", "correct horse battery staple");
    let targets = targets.join(", ");
    let configuration = format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: {{targets: [{targets}], {service}}}}}\nroutes: [{{path: /**, to: {{service: up}}}}]\n"
    );
    Gate::start_in(folder, &configuration)
}

/// How many of so many requests each server answers.
fn counts(gate: &Gate, requests: usize) -> HashMap<String, usize> {
    let mut client = gate.connect();
    let mut counts = HashMap::new();
    for _ in 0..requests {
        *counts.entry(client.get("/").text()).or_default() += 1;
    }
    counts
}

#[test]
fn requests_are_divided_by_weight() {
    let (heavy, light) = (Named::new("heavy"), Named::new("light"));
    let targets = [format!("{{url: '{}', weight: 3}}", heavy.url()), light.url()];
    let gate = gate(&targets, "balance: round_robin");
    let counts = counts(&gate, 40);
    assert_eq!((counts["heavy"], counts["light"]), (30, 10));
}

#[test]
fn targets_of_the_next_priority_answer_when_the_first_cannot() {
    let (primary, backup) = (Named::new("primary"), Named::new("backup"));
    let targets = [primary.url(), format!("{{url: '{}', priority: 1}}", backup.url())];
    let gate = gate(&targets, "balance: least_request");
    assert_eq!(counts(&gate, 10)["primary"], 10);
    assert!(backup.upstream.requests().is_empty());
    primary.up.store(false, Ordering::SeqCst);
    assert_eq!(counts(&gate, 10)["backup"], 10);
}

#[test]
fn a_key_has_its_target() {
    let servers = ["a", "b", "c"].map(Named::new);
    let targets = servers.each_ref().map(Named::url);
    let gate = gate(
        &targets,
        "balance: {algorithm: consistent_hash, by: 'header:X-User', bounded_load: 150%}",
    );
    let mut client = gate.connect();
    let mut ask = |user: usize| client.ask("GET", "/", &[("X-User", &user.to_string())], "").text();
    let first: Vec<_> = (0..30).map(&mut ask).collect();
    let again: Vec<_> = (0..30).map(&mut ask).collect();
    assert_eq!(first, again);
    for name in ["a", "b", "c"] {
        assert!(first.iter().any(|it| it == name), "{first:?}");
    }
}

#[test]
fn a_cookie_keeps_a_client_with_its_target() {
    let servers = ["a", "b", "c"].map(Named::new);
    let targets = servers.each_ref().map(Named::url);
    let gate = gate(&targets, "sticky: {cookie: target, key: 'file:key', max_age: 1h}");
    let mut client = gate.connect();
    let first = client.get("/");
    let line = first.field("set-cookie").expect("the client is told").to_owned();
    assert!(
        line.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600"),
        "{line}"
    );
    let pair = line.split(';').next().unwrap().to_owned();
    for _ in 0..6 {
        let answer = client.ask("GET", "/", &[("Cookie", &format!("a=b; {pair}"))], "");
        assert_eq!(answer.text(), first.text());
        assert_eq!(answer.field("set-cookie"), None, "nothing has changed");
    }
    // One that nobody gave it is replaced.
    let forged = client.ask("GET", "/", &[("Cookie", "target=AAAA")], "");
    assert!(forged.field("set-cookie").is_some());

    // When the target fails, another one answers, and is the client's from then on.
    let at = ["a", "b", "c"].iter().position(|name| *name == first.text()).unwrap();
    servers[at].up.store(false, Ordering::SeqCst);
    let moved = client.ask("GET", "/", &[("Cookie", &pair)], "");
    assert_ne!(moved.text(), first.text());
    let line = moved.field("set-cookie").expect("the client is told").to_owned();
    let pair = line.split(';').next().unwrap().to_owned();
    servers[at].up.store(true, Ordering::SeqCst);
    for _ in 0..6 {
        let answer = client.ask("GET", "/", &[("Cookie", &pair)], "");
        assert_eq!((answer.text(), answer.field("set-cookie")), (moved.text(), None));
    }
}
