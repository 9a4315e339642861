//! What operators ask: health, readiness, metrics, the effective configuration.

use super::folder::Folder;
use super::gate::{Gate, forward_all, portcullis};
use super::upstream::Upstream;

#[test]
fn health_and_readiness() {
    let gate = Gate::before(Upstream::nobody());
    assert_eq!(gate.ask_admin("/healthz").status, 200);
    assert_eq!(gate.ask_admin("/readyz").status, 200);
    assert_eq!(gate.ask_admin("/nothing").status, 404);
    let mut admin = super::client::Client::connect(gate.admin());
    let answer = admin.ask("POST", "/healthz", &[("Host", "localhost")], "");
    assert_eq!(
        (answer.status, answer.field("allow").is_some()),
        (405, true),
        "{answer}"
    );
}

#[test]
fn the_admins_paths_are_not_on_the_clients_listener() {
    let gate = Gate::start(
        "listeners: [127.0.0.1:0]\nadmin: {bind: '127.0.0.1:0'}\nroutes:\n  - {path: /a, to: {respond: a}}\n",
    );
    for target in ["/healthz", "/readyz", "/metrics", "/config", "/reload"] {
        gate.get(target).assert_problem(404, "route_not_found");
    }
    assert_eq!(gate.ask_admin("/a").status, 404);
}

#[test]
fn requests_are_counted() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nservices: {{up: \"http://{}\"}}\n\
         routes:\n  - {{name: all, path: /**, to: {{service: up}}}}\n",
        upstream.address()
    ));
    for _ in 0..7 {
        gate.get("/");
    }
    let answer = gate.ask_admin("/metrics");
    assert!(
        answer
            .field("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text"),
        "{answer}"
    );
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let series = "portcullis_http_requests_total{route=\"all\",method=\"GET\",status=\"200\"}";
    super::gate::eventually("seven counted requests", || gate.metric(series) >= 7.0);
    assert!((gate.metric(series) - 7.0).abs() < f64::EPSILON);
    assert!(
        text.contains("portcullis_http_request_duration_seconds_bucket{route=\"all\""),
        "{text}"
    );
}

#[test]
fn labels_are_bounded_whatever_clients_send() {
    let gate = Gate::start(
        "listeners: [127.0.0.1:0]\nadmin: {bind: '127.0.0.1:0'}\nroutes:\n  - {name: all, path: /**, to: {respond: a}}\n",
    );
    let mut client = gate.connect();
    for number in 0..300 {
        client.ask(
            &format!("METHOD{number}"),
            &format!("/{number}"),
            &[("X", &number.to_string())],
            "",
        );
    }
    let text = gate.ask_admin("/metrics").text();
    assert!(!text.contains("METHOD7"), "a client chose a label");
    let series = text
        .lines()
        .filter(|line| line.starts_with("portcullis_http_requests_total"))
        .count();
    assert!(series < 10, "{series} series");
}

#[test]
fn the_exposition_is_well_formed() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    gate.get("/");
    let text = gate.ask_admin("/metrics").text();
    let mut families = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let family = rest.split(' ').next().unwrap().to_owned();
            assert!(!families.contains(&family), "{family} twice");
            families.push(family);
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = families.last().expect("a type before the first sample");
            assert!(name.starts_with(family.as_str()), "{name} under {family}");
            let value = line.rsplit_once(' ').unwrap().1;
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(
        families
            .iter()
            .all(|family| family.starts_with("portcullis_") || family.starts_with("process_"))
    );
}

#[test]
fn the_effective_configuration_shows_defaults_and_no_secret() {
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        "listeners: [127.0.0.1:0]\nadmin: {bind: '127.0.0.1:0'}\n\
         policies: {staff: {api_key: {consumers: [{name: a, key: '${GATE_KEY}'}]}}}\n\
         routes:\n  - {path: /a, policies: [staff], to: {respond: a}}\n",
    );
    let mut command = portcullis();
    command
        .args(["run", "portcullis.yaml"])
        .env("GATE_KEY", "correct horse battery staple");
    let gate = Gate::spawn(folder, command);
    let answer = gate.ask_admin("/config");
    assert_eq!(answer.status, 200);
    assert!(!answer.text().contains("correct horse"), "{answer}");
    assert!(answer.text().contains("***"));
    let config = answer.json();
    assert_eq!(config["drain"], "30s");
    assert_eq!(config["listeners"][0]["limits"]["fields"], 100);
    let answer = gate
        .connect()
        .ask("GET", "/a", &[("X-Api-Key", "correct horse battery staple")], "");
    assert_eq!(answer.text(), "a");
    assert!(!gate.log().contains("correct horse"));
}

#[test]
fn a_gate_without_an_admin_listener_has_none() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&forward_all(upstream.address(), "").replace("admin: {bind: \"127.0.0.1:0\"}\n", ""));
    assert!(!gate.log().contains("admin http"), "{}", gate.log());
    assert_eq!(gate.get("/metrics").text(), "ok");
}
