//! Another service says who may enter.

use super::gate::{Gate, eventually};
use super::upstream::Upstream;

/// A service that lets in whoever has its cookie, sends pages to a login, and refuses all others.
fn auth() -> Upstream {
    Upstream::playing(|peer| {
        while let Some(request) = peer.request() {
            let wants_page = request
                .field("x-forwarded-uri")
                .is_some_and(|uri| uri.starts_with("/pages"));
            if request.field("cookie") == Some("session=ann") {
                peer.send("HTTP/1.1 204 No Content\r\nX-User: ann\r\nX-Groups: staff,admins\r\n\r\n");
            } else if wants_page {
                peer.send("HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n");
            } else {
                peer.send("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Session\r\nContent-Length: 2\r\n\r\nno");
            }
        }
    })
}

fn configuration(upstream: &Upstream, auth: &str, more: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nservices: {{up: 'http://{}', auth: 'http://{auth}'}}\npolicies:\n  guard:\n    \
         forward: {{service: auth, path: /verify, response_headers: [X-User], consumer_header: X-User, roles_header: X-Groups{more}}}\n\
         routes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
        upstream.address()
    )
}

#[test]
fn a_service_says_who_may_enter() {
    let (upstream, auth) = (Upstream::ok(), auth());
    let gate = Gate::start(&configuration(&upstream, &auth.address().to_string(), ""));
    let ask = |target: &str, fields: &[(&str, &str)]| gate.connect().ask("PUT", target, fields, "content");
    let refused = ask("/orders", &[("X-User", "root")]);
    refused.assert_problem(401, "unauthenticated");
    assert_eq!(refused.field("www-authenticate"), Some("Session"));
    let sent_on = ask("/pages/1", &[]);
    assert_eq!(
        (sent_on.status, sent_on.field("location")),
        (302, Some("https://login.example/"))
    );
    assert!(upstream.requests().is_empty());

    let fields = [
        ("Cookie", "session=ann"),
        ("X-User", "root"),
        ("Host", "orders.example"),
    ];
    assert_eq!(ask("/orders?a=b", &fields).status, 200);
    let asked = auth.last();
    assert_eq!(asked.line, "GET /verify HTTP/1.1");
    assert_eq!(asked.field("x-forwarded-method"), Some("PUT"));
    assert_eq!(asked.field("x-forwarded-uri"), Some("/orders?a=b"));
    assert_eq!(asked.field("x-forwarded-host"), Some("orders.example"));
    assert_eq!(asked.field("x-forwarded-proto"), Some("http"));
    assert_eq!(asked.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(asked.field("x-user"), None);
    assert_eq!(asked.field("content-length"), None);
    let received = upstream.last();
    assert_eq!(received.field("x-user"), Some("ann"));
    assert_eq!(received.field("x-consumer"), Some("ann"));
    assert_eq!(received.field("x-consumer-roles"), Some("staff admins"));
    assert_eq!(received.body, b"content");
}

#[test]
fn while_the_service_is_away_nobody_enters_unless_the_file_says_so() {
    let upstream = Upstream::ok();
    let nobody = Upstream::nobody().to_string();
    let gate = Gate::start(&configuration(&upstream, &nobody, ""));
    gate.get("/").assert_problem(503, "guard_unavailable");
    assert!(upstream.requests().is_empty());
    let slow = Upstream::playing(|peer| drop(peer.rest()));
    let late = configuration(&upstream, &slow.address().to_string(), ", timeout: 100ms");
    Gate::start(&late).get("/").assert_problem(503, "guard_unavailable");
    eventually("the question", || !slow.requests().is_empty() || slow.accepted() > 0);
    let admitting = Gate::start(&configuration(&upstream, &nobody, ", on_failure: admit"));
    let answer = admitting.connect().ask("GET", "/", &[("X-User", "root")], "");
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.last().field("x-user"), None);
}
