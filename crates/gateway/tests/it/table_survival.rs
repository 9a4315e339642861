//! What happens to a table's data when a process dies, a lock is held or a disk is full.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::client::Client;
use super::gate::{Gate, eventually};
use super::tables::{CONFIGURATION, bank};

const PAIR: &str = "CREATE TABLE pairs (id INTEGER PRIMARY KEY, round INTEGER NOT NULL, half TEXT NOT NULL);\n";

fn with_pairs() -> String {
    format!("{CONFIGURATION}  - {{path: /pairs, to: {{table: bank.pairs, max_rows: 100000}}}}\n")
}

#[test]
fn a_kill_in_the_middle_of_writes_loses_nothing_that_was_acknowledged() {
    let mut folder = bank();
    folder.write("migrations/0002_pairs.sql", PAIR);
    let acknowledged = Arc::new(AtomicU64::new(0));
    let mut kept = 0;
    for _ in 0..3 {
        let gate = Gate::start_in(folder, &with_pairs());
        let before = acknowledged.load(Ordering::SeqCst);
        let writers: Vec<_> = (0..3).map(|_| write_pairs(&gate, &acknowledged)).collect();
        eventually("writes", || acknowledged.load(Ordering::SeqCst) >= before + 20);
        folder = gate.kill();
        for writer in writers {
            writer.join().unwrap();
        }
        kept = acknowledged.load(Ordering::SeqCst);
    }
    let gate = Gate::start_in(folder, &with_pairs());
    let rows = gate.get("/pairs?limit=100000").json();
    let rows = rows.as_array().unwrap();
    let left = rows.iter().filter(|row| row["half"] == "left").count();
    let right = rows.iter().filter(|row| row["half"] == "right").count();
    assert_eq!(left, right, "half of a transaction is there");
    assert!(
        left as u64 >= kept,
        "{kept} pairs were acknowledged and {left} are there"
    );
}

/// Posts pairs in one request each until the connection breaks.
fn write_pairs(gate: &Gate, acknowledged: &Arc<AtomicU64>) -> std::thread::JoinHandle<()> {
    let address = gate.address();
    let acknowledged = Arc::clone(acknowledged);
    std::thread::spawn(move || {
        let body = json!([{"round": 1, "half": "left"}, {"round": 1, "half": "right"}]).to_string();
        let request = format!(
            "POST /pairs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut client = Client::connect(address);
        loop {
            client.send(&request);
            match client.try_answer(false) {
                Ok(answer) if answer.status == 201 => acknowledged.fetch_add(1, Ordering::SeqCst),
                Ok(answer) => panic!("{answer}"),
                Err(_) => return,
            };
        }
    })
}

#[test]
fn a_database_that_another_process_locks_is_503_and_whole() {
    let folder = bank();
    let impatient = CONFIGURATION.replace("migrations: migrations", "migrations: migrations, busy_timeout: 200ms");
    let gate = Gate::start_in(folder, &impatient);
    let holder = rusqlite::Connection::open(gate.folder.path().join("data/bank.db")).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let post = |gate: &Gate| {
        let body = json!({"level_id": 1, "question": "locked?"}).to_string();
        gate.connect()
            .ask("POST", "/questions", &[("Content-Type", "application/json")], body)
    };
    let answer = post(&gate);
    answer.assert_problem(503, "database_busy");
    assert!(answer.field("retry-after").is_some());
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(post(&gate).status, 201);
    assert_eq!(gate.get("/questions").json().as_array().unwrap().len(), 4);
}

#[test]
fn a_full_disk_is_503_and_the_table_stays_whole() {
    let folder = bank();
    folder.write("portcullis.yaml", CONFIGURATION);
    let mut command = Command::new("sh");
    // A limit on the size of files is what a full disk looks like to one process, without needing a disk. The signal that
    // comes with it must be ignored as it is by a service manager.
    let line = "trap '' XFSZ; ulimit -f 400; exec \"$0\" run portcullis.yaml";
    command.args(["-c", line, env!("CARGO_BIN_EXE_portcullis")]);
    let gate = Gate::spawn(folder, command);
    let mut client = gate.connect();
    let body = json!({"level_id": 1, "question": "a".repeat(20_000)}).to_string();
    let mut stored = 3;
    let failed = loop {
        let answer = client.ask("POST", "/questions", &[("Content-Type", "application/json")], &body);
        if answer.status != 201 {
            break answer;
        }
        stored += 1;
        assert!(stored < 1000, "the limit never came");
    };
    failed.assert_problem(503, "database_full");
    let rows = gate.get("/questions?select=id&limit=1000").json();
    assert_eq!(
        rows.as_array().unwrap().len(),
        stored,
        "what was acknowledged is there and nothing else"
    );
}

#[test]
fn slow_statements_hold_up_no_other_request() {
    let folder = bank();
    folder.write(
        "migrations/0002_slow.sql",
        "CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000)\n\
         SELECT count(*) AS id FROM n;",
    );
    let configuration = CONFIGURATION.replace(
        "migrations: migrations",
        "migrations: migrations, statement_timeout: 1s",
    ) + "  - {path: /slow, to: {table: bank.slow}}\n";
    let gate = Gate::start_in(folder, &configuration);
    let mut slow = gate.connect();
    slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    for _ in 0..20 {
        assert_eq!(gate.get("/questions/1").status, 200);
    }
    slow.answer().assert_problem(504, "database_timeout");
}
