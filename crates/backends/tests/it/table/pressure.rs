//! Many at once, locks, limits, and full disks: a clear answer and a consistent table.

use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Answer, Fixture, HIRING, ask, block_on, get};

/// Runs that many requests at once on one thread, and gives their answers.
fn at_once<F: Future<Output = Answer> + 'static>(count: usize, request: impl Fn(usize) -> F) -> Vec<Answer> {
    block_on(tokio::task::LocalSet::new().run_until(async {
        let tasks: Vec<_> = (0..count).map(|at| tokio::task::spawn_local(request(at))).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers
    }))
}

#[test]
fn concurrent_writers_lose_nothing() {
    let fixture = Fixture::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); CREATE VIEW s AS SELECT sum(n) AS sum FROM t;",
    );
    let table = Rc::new(fixture.table("t", json!({})));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            // Each is a worker with an event loop of its own.
            scope.spawn(|| {
                let table = Rc::new(fixture.table("t", json!({})));
                for answer in at_once(20, |at| {
                    let table = Rc::clone(&table);
                    async move { ask("POST", "/t").json(&json!([{"n": at}, {"n": 1}])).send(&table).await }
                }) {
                    assert_eq!(answer.status, 201);
                }
            });
        }
    });
    assert_eq!(
        get("/s").of(&fixture.table("s", json!({}))).json(),
        json!([{"sum": 3 * (190 + 20)}])
    );
    assert_eq!(
        get("/t")
            .header("Prefer", "count=exact")
            .of(&table)
            .field("content-range"),
        Some("0-119/120")
    );
}

#[test]
fn a_lock_of_another_process_is_waited_for_and_then_told() {
    let fixture = Fixture::with(HIRING, json!({"busy_timeout": "200ms"}));
    let table = fixture.table("topics", json!({}));
    let outside = fixture.outside();
    outside
        .execute_batch("BEGIN IMMEDIATE; INSERT INTO topics VALUES (50, 'theirs')")
        .unwrap();
    let started = Instant::now();
    let answer = ask("POST", "/topics").json(&json!({"name": "ours"})).of(&table);
    assert_eq!(
        (answer.status, answer.code, answer.field("retry-after")),
        (503, "database_busy", Some("1"))
    );
    assert!(started.elapsed() >= Duration::from_millis(150) && started.elapsed() < Duration::from_secs(5));
    // Who reads isn't held up, and sees what was before.
    assert_eq!(get("/topics").of(&table).ids(), [1, 2]);
    outside.execute_batch("COMMIT").unwrap();
    assert_eq!(
        ask("POST", "/topics").json(&json!({"name": "ours"})).of(&table).status,
        201
    );
    assert_eq!(get("/topics").of(&table).ids(), [1, 2, 50, 51]);
}

#[test]
fn a_statement_is_stopped_at_its_time_limit() {
    let fixture = Fixture::with(HIRING, json!({"statement_timeout": "500ms"}));
    let table = fixture.table("endless", json!({}));
    let answer = get("/endless").of(&table);
    assert_eq!((answer.status, answer.code), (504, "database_timeout"));
    assert_eq!(get("/topics").of(&fixture.table("topics", json!({}))).ids(), [1, 2]);
}

#[test]
fn a_change_that_takes_too_long_is_undone() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);
        CREATE VIEW endless AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;
        CREATE TRIGGER slow AFTER INSERT ON t WHEN new.a = 'slow' BEGIN
            UPDATE t SET a = (SELECT count(*) FROM endless);
        END;";
    let fixture = Fixture::with(sql, json!({"statement_timeout": "500ms"}));
    let table = fixture.table("t", json!({}));
    let answer = ask("POST", "/t")
        .json(&json!([{"a": "quick"}, {"a": "slow"}]))
        .of(&table);
    assert_eq!((answer.status, answer.code), (504, "database_timeout"));
    assert_eq!(get("/t").of(&table).ids(), [0; 0]);
    assert_eq!(ask("POST", "/t").json(&json!({"a": "quick"})).of(&table).status, 201);
}

#[test]
fn what_does_not_fit_into_the_queue_is_refused() {
    let fixture = Fixture::with(HIRING, json!({"statement_timeout": "200ms", "queue": 1}));
    let table = Rc::new(fixture.table("endless", json!({})));
    // There are four readers at the most, and one may wait.
    let answers = at_once(10, |_| {
        let table = Rc::clone(&table);
        async move { get("/endless").send(&table).await }
    });
    let refused: Vec<_> = answers.iter().filter(|answer| answer.code == "database_busy").collect();
    assert!(refused.len() >= 5, "{answers:?}");
    assert!(
        refused
            .iter()
            .all(|answer| answer.status == 503 && answer.field("retry-after") == Some("1"))
    );
    assert!(answers.iter().any(|answer| answer.code == "database_timeout"));
}

#[test]
fn work_that_nobody_waits_for_is_left_out() {
    let fixture = Fixture::with(HIRING, json!({"busy_timeout": "10s"}));
    let table = Rc::new(fixture.table("topics", json!({})));
    let outside = fixture.outside();
    outside.execute_batch("BEGIN IMMEDIATE").unwrap();
    block_on(tokio::task::LocalSet::new().run_until(async {
        let insert = |name: &'static str| {
            let table = Rc::clone(&table);
            tokio::task::spawn_local(
                async move { ask("POST", "/topics").json(&json!({"name": name})).send(&table).await },
            )
        };
        let (first, dropped, last) = (insert("first"), insert("dropped"), insert("last"));
        // All three have asked when this task runs again; the writer waits for the lock with the first.
        tokio::task::yield_now().await;
        dropped.abort();
        assert!(dropped.await.unwrap_err().is_cancelled());
        outside.execute_batch("COMMIT").unwrap();
        assert_eq!((first.await.unwrap().status, last.await.unwrap().status), (201, 201));
    }));
    let names = get("/topics?id=gt.2&select=name").of(&table).json();
    assert_eq!(names, json!([{"name": "first"}, {"name": "last"}]));
}

#[test]
fn a_full_disk_is_told_and_leaves_the_table_whole() {
    // The limit holds for the connection that runs the migration, which is the one that writes.
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); PRAGMA max_page_count = 40;";
    let fixture = Fixture::new(sql);
    let table = fixture.table("t", json!({"max_body": "4MiB"}));
    assert_eq!(ask("POST", "/t").json(&json!({"a": "small"})).of(&table).status, 201);
    let rows: Vec<_> = (0..100).map(|_| json!({"a": "x".repeat(10_000)})).collect();
    let answer = ask("POST", "/t").json(&json!(rows)).of(&table);
    assert_eq!((answer.status, answer.code), (503, "database_full"));
    assert_eq!(get("/t?select=id").of(&table).ids(), [1]);
    assert_eq!(ask("POST", "/t").json(&json!({"a": "small"})).of(&table).status, 201);
    let sound: String = fixture
        .outside()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
}

#[test]
fn an_answer_too_large_for_memory_is_sent_as_it_comes() {
    let sql = "CREATE VIEW large AS
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) SELECT i, printf('%.*c', 1000000, 'x') AS a FROM n;";
    let fixture = Fixture::new(sql);
    let table = fixture.table("large", json!({}));
    let large = get("/large").of(&table);
    assert_eq!(large.json().as_array().unwrap().len(), 100);
    for field in ["content-range", "etag", "link", "content-length"] {
        assert_eq!(large.field(field), None, "nobody knows it while the answer begins");
    }
    let small = get("/large?select=i").of(&table);
    assert_eq!(small.json().as_array().unwrap().len(), 100);
    assert!(small.field("etag").is_some());
}
