//! A table of SQLite as a REST resource, from end to end.

use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::folder::Folder;
use super::gate::{Gate, refused};

const SCHEMA: &str = "
CREATE TABLE levels (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO levels VALUES (1, 'junior'), (2, 'middle'), (3, 'senior');
CREATE TABLE questions (
    id INTEGER PRIMARY KEY,
    level_id INTEGER NOT NULL REFERENCES levels (id),
    question TEXT NOT NULL CHECK (length(question) > 3),
    points INTEGER
);
INSERT INTO questions VALUES (1, 1, 'What is REST?', 10), (2, 2, 'What is a JOIN?', NULL), (3, 3, 'Why sagas?', 30);
CREATE VIEW hard AS SELECT id, question FROM questions WHERE level_id = 3;
";

pub(crate) const CONFIGURATION: &str = "
listeners: [127.0.0.1:0]
databases: {bank: {url: 'sqlite:data/bank.db', migrations: migrations}}
routes:
  - {path: /questions, to: {table: bank.questions}}
  - {path: /levels, to: {table: bank.levels, methods: [GET]}}
  - {path: /hard, to: {table: bank.hard}}
";

pub(crate) fn bank() -> Folder {
    let folder = Folder::new();
    folder.write("migrations/0001_schema.sql", SCHEMA);
    folder
}

fn gate() -> Gate {
    Gate::start_in(bank(), CONFIGURATION)
}

fn send(client: &mut Client, method: &str, target: &str, body: &Value, prefer: &str) -> Answer {
    client.ask(
        method,
        target,
        &[("Content-Type", "application/json"), ("Prefer", prefer)],
        body.to_string(),
    )
}

#[test]
fn rows_are_listed_filtered_ordered_and_paged() {
    let gate = gate();
    let mut client = gate.connect();
    let ids = |answer: &Answer| -> Vec<i64> {
        answer
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_i64().unwrap())
            .collect()
    };
    let all = client.get("/questions");
    assert_eq!((all.status, all.field("content-type")), (200, Some("application/json")));
    assert_eq!(
        all.json()[0],
        json!({"id": 1, "level_id": 1, "question": "What is REST?", "points": 10})
    );
    for (query, expected) in [
        ("level_id=eq.2", vec![2]),
        ("level_id=neq.2", vec![1, 3]),
        ("points=gt.5&order=points.desc", vec![3, 1]),
        ("id=in.(1,3)", vec![1, 3]),
        ("points=is.null", vec![2]),
        ("points=not.is.null&order=id.desc", vec![3, 1]),
        ("question=like.What*", vec![1, 2]),
        ("question=ilike.what*", vec![1, 2]),
        ("order=id.desc&limit=2", vec![3, 2]),
        ("limit=1&offset=1", vec![2]),
        ("id=eq.99", vec![]),
    ] {
        assert_eq!(ids(&client.get(&format!("/questions?{query}"))), expected, "{query}");
    }
    let chosen = client.get("/questions?select=question&id=eq.3");
    assert_eq!(chosen.json(), json!([{"question": "Why sagas?"}]));
    let counted = client.ask("GET", "/questions?limit=2", &[("Prefer", "count=exact")], "");
    assert_eq!(counted.field("content-range"), Some("0-1/3"));
}

#[test]
fn a_row_lives_from_post_to_delete() {
    let gate = gate();
    let mut client = gate.connect();
    let row = json!({"level_id": 2, "question": "What is a UNION?"});
    let made = send(&mut client, "POST", "/questions", &row, "return=representation");
    assert_eq!(made.status, 201, "{made}");
    assert_eq!(made.json()["question"], "What is a UNION?");
    let place = made.field("location").unwrap().to_owned();
    assert_eq!(place, format!("/questions/{}", made.json()["id"]));
    let read = client.get(&place);
    assert_eq!((read.status, &read.json()["points"]), (200, &Value::Null));
    let changed = send(
        &mut client,
        "PATCH",
        &place,
        &json!({"points": 7}),
        "return=representation",
    );
    assert_eq!((changed.status, &changed.json()["points"]), (200, &json!(7)));
    assert_eq!(
        send(&mut client, "PATCH", &place, &json!({"points": null}), "return=minimal").status,
        204
    );
    assert_eq!(client.get(&place).json()["points"], Value::Null);
    assert_eq!(client.ask("DELETE", &place, &[], "").status, 204);
    client.get(&place).assert_problem(404, "resource_not_found");
    client
        .ask("DELETE", &place, &[], "")
        .assert_problem(404, "resource_not_found");
}

#[test]
fn unknown_names_are_named() {
    let gate = gate();
    let mut client = gate.connect();
    for (target, named) in [
        ("/questions?colour=eq.red", "colour"),
        ("/questions?select=colour", "colour"),
        ("/questions?order=colour", "colour"),
        ("/questions?points=near.5", "near"),
        ("/questions?limit=many", "limit"),
    ] {
        let answer = client.get(target);
        answer.assert_problem(400, "bad_query");
        assert!(
            answer.json()["detail"].as_str().unwrap().contains(named),
            "{target}: {answer}"
        );
    }
    let answer = send(&mut client, "POST", "/questions", &json!({"colour": 1}), "");
    assert_eq!(answer.status, 400, "{answer}");
    assert!(answer.text().contains("colour"));
    client.get("/questions/99").assert_problem(404, "resource_not_found");
    assert_eq!(client.get("/questions/1/2").status, 404);
}

#[test]
fn the_rules_of_the_data_are_answered_for() {
    let gate = gate();
    let mut client = gate.connect();
    let mut post = |row: Value| send(&mut client, "POST", "/questions", &row, "");
    post(json!({"id": 1, "level_id": 1, "question": "again?"})).assert_problem(409, "conflict");
    post(json!({"level_id": 9, "question": "which level?"})).assert_problem(409, "conflict");
    post(json!({"level_id": 1})).assert_problem(422, "invalid_content");
    post(json!({"level_id": 1, "question": "why"})).assert_problem(422, "invalid_content");
    post(json!({"level_id": "one", "question": "which level?"})).assert_problem(422, "invalid_content");
    assert_eq!(
        client.get("/questions").json().as_array().unwrap().len(),
        3,
        "a refused row stayed"
    );
}

#[test]
fn bodies_that_are_no_rows_are_refused() {
    let gate = gate();
    let mut client = gate.connect();
    let mut post = |kind: &str, body: &str| client.ask("POST", "/questions", &[("Content-Type", kind)], body);
    post("text/plain", "{}").assert_problem(415, "unsupported_content_type");
    post("application/json", "{\"level_id\": 1").assert_problem(400, "bad_content");
    post("application/json", "7").assert_problem(400, "bad_content");
    post("application/json", &"[".repeat(100_000)).assert_problem(400, "bad_content");
    post(
        "application/json",
        &format!("{{\"question\": \"{}\"}}", "a".repeat(2_000_000)),
    )
    .assert_problem(413, "content_too_large");
}

#[test]
fn many_rows_come_all_or_not_at_all() {
    let gate = gate();
    let mut client = gate.connect();
    let good = json!([{"level_id": 1, "question": "first?"}, {"level_id": 2, "question": "second?"}]);
    assert_eq!(send(&mut client, "POST", "/questions", &good, "").status, 201);
    let bad = json!([{"level_id": 1, "question": "third?"}, {"level_id": 9, "question": "fourth?"}]);
    assert_eq!(send(&mut client, "POST", "/questions", &bad, "").status, 409);
    assert_eq!(client.get("/questions").json().as_array().unwrap().len(), 5);
}

#[test]
fn changes_without_a_filter_are_refused() {
    let gate = gate();
    let mut client = gate.connect();
    client
        .ask("DELETE", "/questions", &[], "")
        .assert_problem(400, "bad_query");
    send(&mut client, "PATCH", "/questions", &json!({"points": 1}), "").assert_problem(400, "bad_query");
    assert_eq!(client.ask("DELETE", "/questions?level_id=eq.3", &[], "").status, 204);
    assert_eq!(client.get("/questions").json().as_array().unwrap().len(), 2);
}

#[test]
fn methods_that_a_resource_doesnt_take_are_405() {
    let gate = gate();
    let mut client = gate.connect();
    let refused = send(&mut client, "POST", "/levels", &json!({"name": "principal"}), "");
    refused.assert_problem(405, "method_not_allowed");
    assert!(!refused.field("allow").unwrap().contains("POST"));
    send(&mut client, "POST", "/hard", &json!({"question": "new?"}), "").assert_problem(405, "method_not_allowed");
    assert_eq!(client.get("/hard").json(), json!([{"id": 3, "question": "Why sagas?"}]));
    client
        .ask("PUT", "/levels/1", &[], "{}")
        .assert_problem(405, "method_not_allowed");
}

#[test]
fn an_unchanged_answer_isnt_sent_again() {
    let gate = gate();
    let mut client = gate.connect();
    let first = client.get("/questions/1");
    let tag = first.field("etag").unwrap().to_owned();
    let again = client.ask("GET", "/questions/1", &[("If-None-Match", &tag)], "");
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(
        send(&mut client, "PATCH", "/questions/1", &json!({"points": 11}), "").status,
        204
    );
    assert_eq!(
        client.ask("GET", "/questions/1", &[("If-None-Match", &tag)], "").status,
        200
    );
}

#[test]
fn nothing_that_a_client_sends_becomes_sql() {
    let gate = gate();
    let mut client = gate.connect();
    let nasty = "x'); DROP TABLE questions; --";
    let made = send(
        &mut client,
        "POST",
        "/questions",
        &json!({"level_id": 1, "question": nasty}),
        "return=representation",
    );
    assert_eq!(made.json()["question"], nasty);
    let encoded = "x%27%29%3B%20DROP%20TABLE%20questions%3B%20--";
    for target in [
        format!("/questions?question=eq.{encoded}"),
        "/questions?id=in.(1);DROP%20TABLE%20questions".to_owned(),
        "/questions?order=id%3B%20DROP%20TABLE%20questions".to_owned(),
        "/questions?select=id,(select%201)".to_owned(),
        format!("/questions?{encoded}=eq.1"),
        format!("/questions/{encoded}"),
        "/questions?id=eq.1%20OR%201=1".to_owned(),
    ] {
        let answer = client.get(&target);
        assert!([200, 400, 404].contains(&answer.status), "{target}: {answer}");
        assert!(
            !answer.text().to_ascii_lowercase().contains("sql"),
            "{target}: {answer}"
        );
    }
    assert_eq!(client.get("/questions").json().as_array().unwrap().len(), 4);
}

#[test]
fn a_bad_migration_is_named_before_anything_listens() {
    let folder = bank();
    folder.write(
        "migrations/0002_bad.sql",
        "CREATE TABLE extra (id INTEGER);\nCREATE TABEL oops (id);",
    );
    let (said, code) = refused(&folder, CONFIGURATION);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("0002_bad.sql") && said.contains("TABEL"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    folder.write("migrations/0002_bad.sql", "CREATE TABLE extra (id INTEGER);");
    let gate = Gate::start_in(folder, CONFIGURATION);
    assert_eq!(
        gate.get("/questions").status,
        200,
        "what the bad one began was rolled back"
    );
}

#[test]
fn a_migration_that_was_changed_after_it_ran_is_refused() {
    let gate = gate();
    assert_eq!(gate.get("/questions").status, 200);
    let folder = gate.kill();
    folder.write("migrations/0001_schema.sql", format!("{SCHEMA}\n-- changed"));
    let (said, code) = refused(&folder, CONFIGURATION);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("0001_schema.sql"), "{said}");
}

#[test]
fn a_table_that_isnt_there_is_named_at_start() {
    let folder = bank();
    let (said, code) = refused(&folder, &CONFIGURATION.replace("bank.hard", "bank.harder"));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("harder") && said.contains("portcullis.yaml:"), "{said}");
}
