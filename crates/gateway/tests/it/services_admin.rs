//! What operators see of targets, and what they change while requests go on.

use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::gate::Gate;
use super::numbered::{Load, servers};

fn configuration(targets: &[String]) -> String {
    let targets = json!(targets);
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nservices: {{shop: {{targets: {targets}}}}}\n\
         routes: [{{path: /**, to: {{service: shop}}}}]\n"
    )
}

fn tell(gate: &Gate, method: &str, target: &str, body: &str) -> Answer {
    Client::connect(gate.admin()).ask(method, target, &[("Host", "localhost")], body)
}

fn done(answer: Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer}");
    answer.json()
}

#[test]
fn targets_come_and_go_and_no_request_fails() {
    let (_servers, port) = servers(3);
    let url = |number: u8| format!("http://127.0.0.{number}:{port}");
    let gate = Gate::start(&configuration(&[url(1), url(2)]));
    let load = Load::on(gate.address(), 4);
    load.await_answers_of(&["1", "2"]);
    let third = json!({"url": url(3), "weight": 2}).to_string();
    let told = done(tell(&gate, "POST", "/services/shop/targets", &third));
    assert_eq!(told["targets"].as_array().unwrap().len(), 3, "{told}");
    load.await_answers_of(&["1", "2", "3"]);
    for _ in 0..2 {
        let told = done(tell(&gate, "POST", &format!("/services/shop/drain?url={}", url(1)), ""));
        assert_eq!(told["decided"]["drained"], json!([url(1)]));
    }
    load.await_answers_of(&["2", "3"]);
    // What operators decided holds through a reload.
    done_text(tell(&gate, "POST", "/reload", ""));
    load.await_answers_of(&["2", "3"]);
    let told = gate.ask_admin("/services/shop").json();
    let states: Vec<&Value> = told["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["state"])
        .collect();
    assert!(states.contains(&&json!("draining")), "{told}");
    done(tell(
        &gate,
        "POST",
        &format!("/services/shop/undrain?url={}", url(1)),
        "",
    ));
    done(tell(
        &gate,
        "DELETE",
        &format!("/services/shop/targets?url={}", url(2)),
        "",
    ));
    done(tell(
        &gate,
        "DELETE",
        &format!("/services/shop/targets?url={}", url(2)),
        "",
    ));
    load.await_answers_of(&["1", "3"]);
    let weighed = done(tell(
        &gate,
        "POST",
        &format!("/services/shop/weight?url={}&weight=7", url(1)),
        "",
    ));
    assert!(
        weighed["targets"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["weight"] == 7),
        "{weighed}"
    );
    load.end();
}

fn done_text(answer: Answer) {
    assert_eq!(answer.status, 200, "{answer}");
}

#[test]
fn targets_are_told_with_what_is_known_of_them() {
    let (_servers, port) = servers(1);
    let gate = Gate::start(&configuration(&[format!("http://127.0.0.1:{port}")]));
    assert_eq!(gate.get("/").text(), "1");
    let told = gate.ask_admin("/services").json();
    let target = &told["services"][0]["targets"][0];
    assert_eq!(told["services"][0]["name"], "shop");
    assert_eq!(target["url"], format!("http://127.0.0.1:{port}"));
    assert_eq!(target["address"], format!("127.0.0.1:{port}"));
    assert_eq!((&target["state"], &target["source"]), (&json!("good"), &json!("file")));
    assert_eq!((&target["weight"], &target["priority"]), (&json!(1), &json!(0)));
    assert_eq!(target["in_progress"], 0);
    assert!(target["connections"].as_u64().unwrap() >= 1, "{target}");
    assert!(target["latency_ms"].as_f64().unwrap() > 0.0, "{target}");
    assert!(target["since"].as_str().unwrap().starts_with("20"), "{target}");
    let one = gate.ask_admin("/services/shop").json();
    assert_eq!(one["settings"]["max_connections"], 1024, "{one}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (_servers, port) = servers(1);
    let gate = Gate::start(&configuration(&[format!("http://127.0.0.1:{port}")]));
    let check = |method: &str, target: &str, body: &str, status: u16, code: &str| {
        tell(&gate, method, target, body).assert_problem(status, code);
    };
    check("GET", "/services/none", "", 404, "resource_not_found");
    check(
        "POST",
        "/services/none/drain?url=http://127.0.0.1:1",
        "",
        404,
        "resource_not_found",
    );
    check(
        "POST",
        "/services/shop/drain?url=http://127.0.0.1:1",
        "",
        404,
        "resource_not_found",
    );
    check(
        "DELETE",
        "/services/shop/targets?url=http://127.0.0.1:1",
        "",
        404,
        "resource_not_found",
    );
    check("POST", "/services/shop/drain", "", 400, "bad_query");
    check(
        "POST",
        "/services/shop/weight?url=http://127.0.0.1:1&weight=0",
        "",
        400,
        "bad_query",
    );
    check(
        "POST",
        "/services/shop/targets",
        "{\"url\": \"ftp://x\"}",
        400,
        "bad_content",
    );
    check(
        "POST",
        "/services/shop/targets",
        "{\"uri\": \"http://x\"}",
        400,
        "bad_content",
    );
    check("POST", "/services/shop/targets", "", 400, "bad_content");
    let long = format!("{{\"url\": \"http://{}\"}}", "x".repeat(20_000));
    check("POST", "/services/shop/targets", &long, 413, "content_too_large");
    assert_eq!(tell(&gate, "PUT", "/services/shop", "").status, 405);
}

#[test]
fn pages_in_a_browser_change_nothing() {
    let (_servers, port) = servers(1);
    let url = format!("http://127.0.0.1:{port}");
    let gate = Gate::start(&configuration(std::slice::from_ref(&url)));
    let drain = format!("/services/shop/drain?url={url}");
    let send = |target: &str, fields: &[(&str, &str)]| Client::connect(gate.admin()).ask("POST", target, fields, "");
    for target in [drain.as_str(), "/reload", "/rollback"] {
        send(target, &[("Host", "localhost"), ("Origin", "http://evil.test")]).assert_problem(403, "origin_forbidden");
        send(target, &[("Host", "evil.test:9901")]).assert_problem(403, "origin_forbidden");
    }
    assert_eq!(gate.ask_admin("/services/shop").json()["targets"][0]["state"], "good");
    assert_eq!(gate.get("/").text(), "1");
}

#[test]
fn what_operators_decided_survives_a_restart_where_there_is_a_folder_for_it() {
    let (_servers, port) = servers(2);
    let url = |number: u8| format!("http://127.0.0.{number}:{port}");
    let folder = super::folder::Folder::new();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let configuration = format!("state: state\n{}", configuration(&[url(1), url(2)]));
    let gate = Gate::start_in(folder, &configuration);
    done(tell(
        &gate,
        "DELETE",
        &format!("/services/shop/targets?url={}", url(1)),
        "",
    ));
    super::gate::eventually("the decision to be written", || {
        gate.folder.read("state/portcullis.state.json").contains(&url(1))
    });
    let gate = Gate::start_in(gate.kill(), &configuration);
    for _ in 0..10 {
        assert_eq!(gate.get("/").text(), "2");
    }
}
