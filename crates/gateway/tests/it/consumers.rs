//! Consumers and keys that operators add while the gate runs.

use super::client::Client;
use super::folder::Folder;
use super::gate::{Gate, portcullis};

const LOCAL: (&str, &str) = ("Host", "localhost");

fn configuration() -> String {
    "listeners: [127.0.0.1:0]\nadmin: {bind: '127.0.0.1:0'}\nstores: {durable: 'sqlite:gate.db'}\n\
     policies: {staff: {api_key: {store: true}}}\n\
     routes:\n  - {path: /**, policies: staff, to: {respond: welcome}}\n"
        .to_owned()
}

/// One request of an operator.
fn operate(gate: &Gate, method: &str, target: &str) -> super::client::Answer {
    Client::connect(gate.admin()).ask(method, target, &[LOCAL], "")
}

fn new_key(gate: &Gate, parameters: &str) -> (String, String) {
    let answer = operate(gate, "POST", &format!("/consumers/alice/keys{parameters}"));
    assert_eq!(answer.status, 201, "{answer}");
    let told = answer.json();
    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    (text("key"), text("id"))
}

fn status(gate: &Gate, key: &str) -> u16 {
    gate.connect().ask("GET", "/", &[("X-Api-Key", key)], "").status
}

#[test]
fn keys_are_added_changed_and_revoked_while_the_gate_runs() {
    let gate = Gate::start(&configuration());
    assert_eq!(operate(&gate, "POST", "/consumers/alice/keys").status, 404);
    let answer = operate(&gate, "POST", "/consumers?name=alice&scope=read&scope=write&role=staff");
    assert_eq!(answer.status, 201, "{answer}");
    assert_eq!(operate(&gate, "POST", "/consumers?name=a%20b").status, 400);

    let (first, first_id) = new_key(&gate, "");
    assert!(first.starts_with("pcls_"), "{first}");
    assert_eq!(status(&gate, &first), 200);
    assert_eq!(status(&gate, &first.replace("pcls_", "pcls-")), 401);

    // The old key goes on for a while, then ends.
    let (second, second_id) = new_key(&gate, "?overlap=1h");
    let told = operate(&gate, "GET", "/consumers/alice").json();
    let keys = told["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    let of = |id: &str| keys.iter().find(|key| key["id"] == id).unwrap();
    assert!(of(&first_id)["expires"].is_string() && of(&second_id)["expires"].is_null());
    assert!(!told.to_string().contains(&second), "a key is shown once");
    assert_eq!((status(&gate, &first), status(&gate, &second)), (200, 200));

    let path = format!("/consumers/alice/keys/{first_id}");
    assert_eq!(operate(&gate, "DELETE", &path).status, 204);
    assert_eq!(operate(&gate, "DELETE", &path).status, 404);
    assert_eq!((status(&gate, &first), status(&gate, &second)), (401, 200));

    let (short, _) = new_key(&gate, "?expires=2001-01-01T00:00:00Z");
    assert_eq!(status(&gate, &short), 401);
    assert_eq!(operate(&gate, "DELETE", "/consumers/alice").status, 204);
    assert_eq!(status(&gate, &second), 401);

    let log = gate.log();
    for part in [
        "added the consumer alice",
        &first_id,
        "revoked the key",
        "removed the consumer alice",
    ] {
        assert!(log.contains(part), "{part}:\n{log}");
    }
    assert!(!log.contains(&first[5..]), "a key is in the log");
}

#[test]
fn consumers_are_there_after_a_kill_and_a_page_adds_none() {
    let gate = Gate::start(&configuration());
    let origin = ("Origin", "http://evil.test");
    let answer = Client::connect(gate.admin()).ask("POST", "/consumers?name=eve", &[LOCAL, origin], "");
    assert_eq!(answer.status, 403);
    assert_eq!(operate(&gate, "POST", "/consumers?name=alice").status, 201);
    let (key, _) = new_key(&gate, "");
    let gate = Gate::start_in(gate.kill(), &configuration());
    assert_eq!(status(&gate, &key), 200);
    let told = operate(&gate, "GET", "/consumers").json();
    assert_eq!(told["consumers"][0]["name"], "alice");
    assert_eq!(told["consumers"].as_array().unwrap().len(), 1);
}

#[test]
fn what_needs_the_store_says_what_to_set_and_a_check_makes_no_file() {
    let folder = Folder::new();
    let check = |configuration: &str| {
        folder.write("portcullis.yaml", configuration);
        let mut command = portcullis();
        let output = command.arg("check").arg(folder.path().join("portcullis.yaml")).output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        (output.status.success(), text)
    };
    let (fine, text) = check(&configuration().replace("stores: {durable: 'sqlite:gate.db'}\n", ""));
    assert!(!fine && text.contains("stores.durable"), "{text}");
    let (fine, text) = check(&configuration());
    assert!(fine, "{text}");
    assert!(!folder.path().join("gate.db").exists());
    folder.write(
        "gate.db",
        "this is no database, and it is longer than a hundred bytes, for SQLite takes what is \
                             shorter than its head for an empty one",
    );
    let (fine, text) = check(&configuration());
    assert!(!fine && text.contains("gate.db"), "{text}");
}
