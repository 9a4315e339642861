//! Back to the configuration before, by one request.

use super::client::{Answer, Client};
use super::folder::Folder;
use super::gate::{Gate, eventually};

fn saying(word: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nroutes:\n  - {{path: /**, to: {{respond: {word}}}}}\n"
    )
}

fn ask(gate: &Gate, path: &str) -> Answer {
    Client::connect(gate.admin()).ask("POST", path, &[("Host", "localhost")], "")
}

fn reload(gate: &Gate, configuration: &str) {
    gate.rewrite(configuration);
    assert_eq!(ask(gate, "/reload").status, 200);
}

#[test]
fn going_back_goes_further_each_time_and_a_reload_goes_forward() {
    let gate = Gate::start(&saying("one"));
    let nothing = ask(&gate, "/rollback");
    assert_eq!(nothing.status, 409, "{nothing}");
    let first = gate.ask_admin("/config").json();
    assert_eq!(first["source"], "file");
    reload(&gate, &saying("two"));
    reload(&gate, &saying("three"));
    assert_eq!(gate.get("/").text(), "three");

    let answer = ask(&gate, "/rollback");
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(gate.get("/").text(), "two");
    let in_force = gate.ask_admin("/config").json();
    assert_eq!(in_force["source"], "rollback");
    let digest = in_force["digest"].as_str().unwrap();
    assert!(answer.text().contains(digest), "{answer}");
    gate.await_log(&format!("POST /rollback: configuration {digest}"));
    assert!(
        gate.metric(&format!(
            "portcullis_config_info{{digest=\"{digest}\",source=\"rollback\"}}"
        )) >= 1.0
    );

    assert_eq!(ask(&gate, "/rollback").status, 200);
    assert_eq!(gate.get("/").text(), "one");
    let again = gate.ask_admin("/config").json();
    assert_eq!(
        (&again["digest"], &again["loaded_at"]),
        (&first["digest"], &first["loaded_at"])
    );
    assert_eq!(ask(&gate, "/rollback").status, 409);

    assert_eq!(ask(&gate, "/reload").status, 200);
    assert_eq!(gate.get("/").text(), "three", "the file was left as it was");
    assert_eq!(ask(&gate, "/rollback").status, 200);
    assert_eq!(gate.get("/").text(), "one");
    assert!(gate.metric("portcullis_config_rollbacks_total") >= 3.0);
}

#[test]
fn a_refused_file_and_one_that_changes_nothing_are_no_steps() {
    let gate = Gate::start(&saying("one"));
    reload(&gate, &saying("two"));
    reload(&gate, &saying("two"));
    gate.rewrite("listeners: nowhere\n");
    assert_eq!(ask(&gate, "/reload").status, 422);
    assert_eq!(ask(&gate, "/rollback").status, 200);
    assert_eq!(gate.get("/").text(), "one");
}

#[test]
fn what_was_put_in_from_outside_stays_as_it_was() {
    let folder = Folder::new();
    folder.write("key", "hunter2");
    let guarded = |word: &str| {
        saying(word).replace(
            "routes:",
            "policies: {keys: {api_key: {consumers: [{name: a, key: 'file:key'}]}}}\neverywhere: keys\nroutes:",
        )
    };
    let gate = Gate::start_in(folder, &guarded("one"));
    let status = |key: &str| gate.connect().ask("GET", "/", &[("X-Api-Key", key)], "").status;
    assert_eq!((status("hunter2"), status("correct-horse")), (200, 401));
    gate.folder.write("key", "correct-horse");
    reload(&gate, &guarded("two"));
    assert_eq!((status("hunter2"), status("correct-horse")), (401, 200));
    assert_eq!(ask(&gate, "/rollback").status, 200);
    assert_eq!((status("hunter2"), status("correct-horse")), (200, 401));
    assert!(!gate.ask_admin("/config").text().contains("hunter2"));
}

#[test]
fn what_cant_run_any_more_changes_nothing_and_says_why() {
    let folder = Folder::new();
    super::secure::Identity::make(&folder, "gate", &["gate.test"]);
    let secure = saying("one").replace(
        "[127.0.0.1:0]",
        "[127.0.0.1:0, {bind: '127.0.0.1:0', tls: {certificates: [{cert: gate.pem, key: gate.key}]}}]",
    );
    let gate = Gate::start_in(folder, &secure);
    reload(&gate, &saying("two"));
    std::fs::remove_file(gate.folder.path().join("gate.key")).unwrap();
    let answer = ask(&gate, "/rollback");
    assert_eq!(answer.status, 422, "{answer}");
    assert!(answer.text().contains("gate.key"), "{answer}");
    assert_eq!(gate.get("/").text(), "two");
    assert_eq!(gate.ask_admin("/config").json()["source"], "file");
    eventually("the count", || {
        gate.metric("portcullis_config_reloads_refused_total") >= 1.0
    });
}
