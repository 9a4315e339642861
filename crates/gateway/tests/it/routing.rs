//! The right route claims a request, whatever the order of the file.

use super::gate::Gate;
use super::upstream::Upstream;

const ROUTES: &str = r#"
listeners: [127.0.0.1:0]
routes:
  - {path: /**, to: {respond: everything}}
  - {path: /a, to: {respond: exact}}
  - {path: /a/**, to: {respond: below}}
  - {path: "/a/{id}", to: {respond: one}}
  - {path: /a/*/c, to: {respond: star}}
  - {path: /a/b/c, to: {respond: literal}}
  - {path: /m, method: GET, to: {respond: get}}
  - {path: /m, method: [POST, PUT], to: {respond: post}}
  - {path: /only, method: PUT, to: {respond: put}}
  - {path: /h, to: {respond: without}}
  - {path: /h, headers: {X-Version: "2"}, to: {respond: two}}
  - {path: /h, headers: {X-Version: "2", X-Beta: "*"}, to: {respond: beta}}
  - {path: /q, to: {respond: without}}
  - {path: /q, query: {v: "2"}, to: {respond: two}}
  - {path: /host, host: example.test, to: {respond: exact host}}
  - {path: /host, host: "*.example.test", to: {respond: any host of it}}
  - {path: /host, host: "*.deep.example.test", to: {respond: deeper}}
  - {path: /gone, host: nowhere.test, to: {respond: nowhere}}
  - {path: /old/**, to: {redirect: "https://{host}/new{query}"}}
  - {path: /moved, to: {redirect: {url: /here, status: 302}}}
  - {path: /teapot, to: {respond: {status: 418, body: "<p>tea</p>", content_type: text/html, headers: {X-Pot: small}}}}
"#;

#[test]
fn the_most_specific_route_wins() {
    let gate = Gate::start(ROUTES);
    let mut client = gate.connect();
    for (target, expected) in [
        ("/", "everything"),
        ("/ab", "everything"),
        ("/a", "exact"),
        ("/a/", "below"),
        ("/a/7", "one"),
        ("/a/b", "one"),
        ("/a/b/c", "literal"),
        ("/a/x/c", "star"),
        ("/a/x/d", "below"),
        ("/a/x/c/d", "below"),
        ("//a", "exact"),
        ("/x/../a", "exact"),
        ("/x/%2e%2E/a", "exact"),
        ("/%61", "exact"),
        ("/a/b%2Fc", "one"),
        ("/m", "get"),
        ("/h", "without"),
        ("/q?v=1", "without"),
        ("/q?v=2", "two"),
        ("/q?w=1&v=2", "two"),
    ] {
        assert_eq!(client.get(target).text(), expected, "{target}");
    }
}

#[test]
fn methods_headers_and_hosts_choose() {
    let gate = Gate::start(ROUTES);
    let mut client = gate.connect();
    assert_eq!(client.ask("POST", "/m", &[], "").text(), "post");
    assert_eq!(client.ask("GET", "/h", &[("x-version", "2")], "").text(), "two");
    assert_eq!(
        client
            .ask("GET", "/h", &[("X-Version", "2"), ("X-Beta", "yes")], "")
            .text(),
        "beta"
    );
    assert_eq!(client.ask("GET", "/h", &[("X-Version", "3")], "").text(), "without");
    for (host, expected) in [
        ("example.test", "exact host"),
        ("EXAMPLE.test:8080", "exact host"),
        ("example.test.", "exact host"),
        ("a.example.test", "any host of it"),
        ("a.b.example.test", "any host of it"),
        ("a.deep.example.test", "deeper"),
        ("badexample.test", "everything"),
    ] {
        assert_eq!(
            client.ask("GET", "/host", &[("Host", host)], "").text(),
            expected,
            "{host}"
        );
    }
    // An exact host outranks a path: this host has no other route, and so the general one answers.
    assert_eq!(
        client.ask("GET", "/x", &[("Host", "nowhere.test")], "").text(),
        "everything"
    );
}

#[test]
fn a_method_that_no_route_takes_is_405_with_those_that_are() {
    let gate =
        Gate::start("listeners: [127.0.0.1:0]\nroutes:\n  - {path: /only, method: [PUT, DELETE], to: {respond: x}}\n");
    let answer = gate.get("/only");
    answer.assert_problem(405, "method_not_allowed");
    let mut allowed: Vec<&str> = answer.field("allow").unwrap().split(", ").collect();
    allowed.sort_unstable();
    assert!(allowed.contains(&"DELETE") && allowed.contains(&"PUT"), "{allowed:?}");
}

#[test]
fn a_path_that_no_route_claims_is_404() {
    let gate = Gate::start("listeners: [127.0.0.1:0]\nroutes:\n  - {path: /a, to: {respond: x}}\n");
    gate.get("/a/").assert_problem(404, "route_not_found");
    gate.get("/b").assert_problem(404, "route_not_found");
}

#[test]
fn fixed_answers_are_as_the_file_says() {
    let gate = Gate::start(ROUTES);
    let answer = gate.get("/teapot");
    assert_eq!((answer.status, answer.text().as_str()), (418, "<p>tea</p>"));
    assert_eq!(
        (answer.field("content-type"), answer.field("x-pot")),
        (Some("text/html"), Some("small"))
    );
    assert!(answer.field("date").is_some());
}

#[test]
fn redirections_lead_where_the_file_says() {
    let gate = Gate::start(ROUTES);
    let mut client = gate.connect();
    let answer = client.ask("GET", "/old/x?a=b", &[("Host", "shop.test")], "");
    assert_eq!(
        (answer.status, answer.field("location")),
        (308, Some("https://shop.test/new?a=b"))
    );
    let answer = client.get("/moved");
    assert_eq!((answer.status, answer.field("location")), (302, Some("/here")));
}

#[test]
fn the_prefix_that_targets_dont_see_is_taken_off() {
    let upstream = Upstream::echo();
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices: {{up: \"http://{}\"}}\n\
         routes:\n  - {{path: /calendar/**, to: {{service: up, strip: /calendar}}}}\n",
        upstream.address()
    ));
    let mut client = gate.connect();
    for (target, expected) in [
        ("/calendar/a/b?c=d", "/a/b?c=d"),
        ("/calendar", "/"),
        ("/calendar/", "/"),
        ("/calendar?x", "/?x"),
    ] {
        assert_eq!(
            client.get(target).json()["line"],
            format!("GET {expected} HTTP/1.1"),
            "{target}"
        );
    }
}

#[test]
fn what_goes_on_is_the_path_that_was_routed() {
    let upstream = Upstream::echo();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for (target, expected) in [
        ("//x/../a/./b//c", "/a/b/c"),
        ("/%7euser/%2f", "/~user/%2F"),
        ("/?a=/../b", "/?a=/../b"),
    ] {
        assert_eq!(
            client.get(target).json()["line"],
            format!("GET {expected} HTTP/1.1"),
            "{target}"
        );
    }
}

#[test]
fn targets_take_turns() {
    let servers: Vec<Upstream> = (0..3).map(|_| Upstream::ok()).collect();
    let targets: Vec<String> = servers
        .iter()
        .map(|server| format!("\"http://{}\"", server.address()))
        .collect();
    let targets = targets.join(", ");
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nservices:\n  turns: [{targets}]\n\
         \x20 least: {{targets: [{targets}], balance: least_request}}\n\
         routes:\n  - {{path: /turns, to: {{service: turns}}}}\n  - {{path: /least, to: {{service: least}}}}\n"
    ));
    let mut client = gate.connect();
    for _ in 0..30 {
        assert_eq!(client.get("/turns").status, 200);
    }
    for server in &servers {
        assert_eq!(server.requests().len(), 10);
    }
    for _ in 0..60 {
        assert_eq!(client.get("/least").status, 200);
    }
    assert_eq!(servers.iter().map(|server| server.requests().len()).sum::<usize>(), 90);
    assert!(
        servers.iter().all(|server| server.requests().len() > 10),
        "a target was never chosen"
    );
}
