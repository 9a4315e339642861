//! Names and passwords.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::gate::Gate;
use super::upstream::Upstream;

/// `right`, hashed by bcrypt with the least work that there is.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuFmEfrkTQnczNzw475xE2VhDrK1uwJiC";

#[test]
fn a_password_is_asked_for_verified_and_kept_from_the_backend() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: 'http://{}'}}\npolicies:\n  guard:\n    \
         basic: {{realm: offices, users: [{{name: ann, hash: '{HASH}', roles: [staff]}}]}}\n\
         routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
        upstream.address()
    ));
    let mut client = gate.connect();
    let mut show = |name_and_password: &str| {
        let value = format!("Basic {}", STANDARD.encode(name_and_password));
        let fields = [("Authorization", value.as_str()), ("X-Consumer", "root")];
        client.ask("GET", "/", &fields, "")
    };
    for wrong in ["ann:wrong", "eve:right", "ann"] {
        let answer = show(wrong);
        answer.assert_problem(401, "unauthenticated");
        let challenge = answer.field("www-authenticate").unwrap();
        assert_eq!(challenge, "Basic realm=\"offices\", charset=\"UTF-8\"");
    }
    assert_eq!(upstream.accepted(), 0);
    // The second time it is remembered.
    for _ in 0..2 {
        assert_eq!(show("ann:right").status, 200);
        let seen = upstream.last();
        assert_eq!(seen.fields("x-consumer").collect::<Vec<_>>(), ["ann"]);
        assert_eq!(seen.field("x-consumer-roles"), Some("staff"));
        assert_eq!(seen.field("authorization"), None);
    }
    show("ann:wrong").assert_problem(401, "unauthenticated");
    gate.get("/").assert_problem(401, "unauthenticated");
}
