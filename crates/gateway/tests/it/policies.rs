//! Policies from end to end; what each one decides in detail is tested beside it.

use super::gate::{Gate, eventually};
use super::upstream::Upstream;

fn guarded(upstream: &Upstream, set: &str) -> Gate {
    Gate::start(&guarded_by(upstream, set))
}

fn guarded_by(upstream: &Upstream, set: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: \"127.0.0.1:0\"}}\nservices: {{up: \"http://{}\"}}\n\
         policies:\n  guard: {set}\nroutes:\n  - {{path: /**, policies: [guard], to: {{service: up}}}}\n",
        upstream.address()
    )
}

#[test]
fn a_rate_is_limited_and_says_how_far_one_is() {
    let upstream = Upstream::ok();
    let gate = guarded(&upstream, "{rate_limit: {quota: 3/1h, by: client_ip}}");
    for left in [2, 1, 0] {
        let answer = gate.get("/");
        assert_eq!(answer.status, 200);
        assert!(
            answer.field("ratelimit").unwrap().contains(&format!("r={left}")),
            "{answer}"
        );
        assert!(
            answer.field("ratelimit-policy").unwrap().contains("q=3;w=3600"),
            "{answer}"
        );
    }
    let refused = gate.get("/");
    refused.assert_problem(429, "rate_limited");
    let wait: u32 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=1200).contains(&wait), "{wait}");
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn the_rate_is_exact_over_all_workers() {
    let upstream = Upstream::ok();
    let gate = guarded(&upstream, "{rate_limit: {quota: 50/1h, by: client_ip}}");
    let address = gate.address();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                (0..20)
                    .filter(|_| super::client::Client::connect(address).get("/").status == 200)
                    .count()
            })
        })
        .collect();
    let admitted: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(admitted, 50);
}

#[test]
fn routes_on_one_path_are_counted_apart() {
    let limit = "policies: [{rate_limit: {quota: 1/1h, by: route}}]";
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nroutes:\n\
         \x20 - {{path: /a, method: GET, {limit}, to: {{respond: read}}}}\n\
         \x20 - {{path: /a, method: POST, {limit}, to: {{respond: written}}}}\n"
    ));
    let mut client = gate.connect();
    assert_eq!(client.ask("GET", "/a", &[], "").text(), "read");
    assert_eq!(client.ask("POST", "/a", &[], "").text(), "written");
    assert_eq!(client.ask("GET", "/a", &[], "").status, 429);
    for (route, method) in [("/a", "GET"), ("/a #2", "POST")] {
        let series = format!("portcullis_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"200\"}}");
        eventually("each route to be counted", || {
            (gate.metric(&series) - 1.0).abs() < f64::EPSILON
        });
    }
}

#[test]
fn a_rate_may_be_counted_by_a_field() {
    let upstream = Upstream::ok();
    let gate = guarded(&upstream, "{rate_limit: {quota: 1/1h, by: \"header:X-Tenant\"}}");
    let ask = |tenant: &str| gate.connect().ask("GET", "/", &[("X-Tenant", tenant)], "").status;
    assert_eq!(
        [ask("a"), ask("a"), ask("b"), ask("b"), ask("c")],
        [200, 429, 200, 429, 200]
    );
}

#[test]
fn counts_survive_a_reload() {
    let upstream = Upstream::ok();
    let set = "{rate_limit: {quota: 2/1h, by: client_ip}}";
    let gate = guarded(&upstream, set);
    assert_eq!(gate.get("/").status, 200);
    let before = gate.metric("portcullis_config_reloads_total");
    gate.rewrite(&format!("{}drain: 7s\n", guarded_by(&upstream, set)));
    let told = super::client::Client::connect(gate.admin()).ask("POST", "/reload", &[("Host", "localhost")], "");
    assert_eq!(told.status, 200, "{told}");
    assert!(gate.metric("portcullis_config_reloads_total") > before);
    assert_eq!(gate.get("/").status, 200);
    gate.get("/").assert_problem(429, "rate_limited");
}

#[test]
fn only_those_with_a_key_enter() {
    let upstream = Upstream::ok();
    // The SHA-256 of "open sesame".
    let set = "{api_key: {consumers: [{name: ali, sha256: 41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb}]}}";
    let gate = guarded(&upstream, set);
    let refused = gate.get("/");
    refused.assert_problem(401, "unauthenticated");
    assert!(refused.field("www-authenticate").is_some());
    let ask = |fields: &[(&str, &str)]| gate.connect().ask("GET", "/", fields, "");
    ask(&[("X-Api-Key", "open simsim")]).assert_problem(401, "unauthenticated");
    ask(&[("X-Api-Key", "open sesame"), ("X-Api-Key", "open sesame")]).assert_problem(401, "unauthenticated");
    assert!(upstream.requests().is_empty());
    let answer = ask(&[("X-Api-Key", "open sesame"), ("X-Consumer", "somebody else")]);
    assert_eq!(answer.status, 200, "{answer}");
    let received = upstream.last();
    assert_eq!(received.field("x-api-key"), None, "the key went on");
    assert_eq!(received.field("x-consumer"), Some("ali"));
}

#[test]
fn a_key_in_the_query_is_taken_out() {
    let upstream = Upstream::ok();
    let set = "{api_key: {query: key, consumers: [{name: ali, sha256: 41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb}]}}";
    let gate = guarded(&upstream, set);
    assert_eq!(gate.get("/a?x=1&key=open%20sesame&y=2").status, 200);
    assert_eq!(upstream.last().target(), "/a?x=1&y=2");
}

#[test]
fn pages_of_listed_origins_may_call() {
    let upstream = Upstream::answering("HTTP/1.1 200 OK\r\nVary: Accept\r\nContent-Length: 2\r\n\r\nok");
    let gate = guarded(&upstream, "{cors: {origins: [\"https://app.test\"], max_age: 10m}}");
    let ask = |method: &str, fields: &[(&str, &str)]| gate.connect().ask(method, "/", fields, "");
    let preflight = ask(
        "OPTIONS",
        &[("Origin", "https://app.test"), ("Access-Control-Request-Method", "PUT")],
    );
    assert_eq!(preflight.status, 204, "{preflight}");
    assert_eq!(preflight.field("access-control-allow-origin"), Some("https://app.test"));
    assert_eq!(preflight.field("access-control-max-age"), Some("600"));
    assert!(preflight.field("access-control-allow-methods").unwrap().contains("PUT"));
    assert!(upstream.requests().is_empty(), "a preflight went on");
    let actual = ask("GET", &[("Origin", "https://app.test")]);
    assert_eq!(actual.field("access-control-allow-origin"), Some("https://app.test"));
    let vary: Vec<String> = actual
        .fields("vary")
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    assert!(
        vary.contains(&"origin".to_owned()) && vary.contains(&"accept".to_owned()),
        "{vary:?}"
    );
    let stranger = ask("GET", &[("Origin", "https://evil.test")]);
    assert_eq!(
        (stranger.status, stranger.field("access-control-allow-origin")),
        (200, None)
    );
    ask(
        "OPTIONS",
        &[
            ("Origin", "https://evil.test"),
            ("Access-Control-Request-Method", "PUT"),
        ],
    )
    .assert_problem(403, "origin_forbidden");
}

#[test]
fn a_page_can_read_why_it_was_refused() {
    let upstream = Upstream::ok();
    let gate = guarded(
        &upstream,
        "{cors: {origins: [\"https://app.test\"]}, rate_limit: {quota: 1/1h}}",
    );
    let ask = || gate.connect().ask("GET", "/", &[("Origin", "https://app.test")], "");
    assert_eq!(ask().status, 200);
    let refused = ask();
    refused.assert_problem(429, "rate_limited");
    assert_eq!(refused.field("access-control-allow-origin"), Some("https://app.test"));
}

#[test]
fn fields_are_changed_both_ways_and_on_failures_too() {
    let upstream =
        Upstream::answering("HTTP/1.1 200 OK\r\nX-Powered-By: x\r\nX-Kept: y\r\nContent-Length: 2\r\n\r\nok");
    let set = "{headers: {request: {remove: [Cookie], set: {X-Route: \"{route}\"}, add: {X-Tag: two}}, \
               response: {remove: [X-Powered-By], set: {X-Frame-Options: DENY}}}, limits: {body: 3}}";
    let gate = guarded(&upstream, set);
    let answer = gate.connect().ask(
        "GET",
        "/",
        &[("Cookie", "a=b"), ("X-Tag", "one"), ("X-Route", "forged")],
        "",
    );
    let received = upstream.last();
    assert_eq!(received.field("cookie"), None);
    assert_eq!(received.fields("x-tag").collect::<Vec<_>>(), ["one", "two"]);
    assert!(received.field("x-route").is_some_and(|value| value != "forged"));
    assert_eq!(
        (answer.field("x-powered-by"), answer.field("x-kept")),
        (None, Some("y"))
    );
    assert_eq!(answer.field("x-frame-options"), Some("DENY"));
    let bad = Gate::start(
        &guarded_by(&upstream, set).replace(&upstream.address().to_string(), &Upstream::nobody().to_string()),
    );
    let failed = bad.get("/");
    assert_eq!((failed.status, failed.field("x-frame-options")), (502, Some("DENY")));
}

#[test]
fn what_applies_everywhere_applies_to_what_no_route_claims() {
    let gate = Gate::start(
        "listeners: [127.0.0.1:0]\npolicies: {all: {headers: {response: {set: {X-Gate: here}}}}}\neverywhere: [all]\n\
         routes:\n  - {path: /a, to: {respond: a}}\n",
    );
    assert_eq!(gate.get("/a").field("x-gate"), Some("here"));
    let missing = gate.get("/b");
    assert_eq!((missing.status, missing.field("x-gate")), (404, Some("here")));
}
