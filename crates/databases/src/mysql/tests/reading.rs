//! Answers, small and large.

use std::future::poll_fn;
use std::time::Duration;

use portcullis_core::codes;
use portcullis_tables::statement::Script;

use super::{Access, Format, INTEGER, Step, Value, columns, database, number, read, script, statement};
use crate::Database;

const NUMBERS: &str = "CREATE TABLE number (id INT PRIMARY KEY, word VARCHAR(40)); \
     INSERT INTO number SELECT seq, CONCAT('a word, and the number ', seq) FROM seq_1_to_50000";

fn all() -> Script {
    let outputs = columns(&[("id", INTEGER), ("word", super::Type::Text)], 0, false);
    script(
        Access::ReadOnly,
        vec![Step::of(statement(
            "SELECT id, word FROM number ORDER BY id",
            vec![],
            outputs,
        ))],
    )
}

#[tokio::test]
async fn a_large_answer_comes_in_pieces() {
    let database = database(NUMBERS);
    let (_, whole) = database.read(all(), Format::Json, usize::MAX).await.unwrap();
    assert_eq!((whole.outcome.rows, whole.rest.is_none()), (50_000, true));
    let (_, answer) = database.read(all(), Format::Json, 1000).await.unwrap();
    let mut body = answer.outcome.body.to_vec();
    assert!(body.len() < 2000);
    let mut rest = answer.rest.unwrap();
    let mut pieces = 0;
    while let Some(piece) = poll_fn(|context| rest.poll_next(context)).await {
        body.extend_from_slice(&piece.unwrap());
        pieces += 1;
    }
    assert!(pieces > 10 && body == whole.outcome.body);
    drop(rest);
    assert_eq!(database.load().busy, 0);
}

#[tokio::test]
async fn an_answer_that_is_dropped_in_the_middle_leaves_nothing_behind() {
    let database = database(NUMBERS);
    for _ in 0..10 {
        let (_, answer) = database.read(all(), Format::Json, 1000).await.unwrap();
        let mut rest = answer.rest.unwrap();
        assert!(poll_fn(|context| rest.poll_next(context)).await.unwrap().is_ok());
        drop(rest);
        assert_eq!(number(&database, "SELECT COUNT(*) FROM number").await, 50_000);
    }
    assert_eq!(database.load().busy, 0);
}

#[tokio::test]
async fn answers_that_are_not_taken_leave_connections_to_others() {
    let database = database(NUMBERS);
    // Four connections.
    let mut held = Vec::new();
    for _ in 0..2 {
        let (_, answer) = database.read(all(), Format::Json, 1000).await.unwrap();
        held.push(answer.rest.unwrap());
    }
    let error = database.read(all(), Format::Json, 1000).await.unwrap_err();
    assert_eq!(error.code(), &codes::DATABASE_BUSY);
    assert_eq!(number(&database, "SELECT COUNT(*) FROM number").await, 50_000);
    held.pop();
    database.read(all(), Format::Json, 1000).await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_dropped_leaves_no_statement_running() {
    let database = database(NUMBERS);
    let sleep = statement("SELECT SLEEP(30)", vec![], columns(&[("n", INTEGER)], 0, false));
    let dropped = tokio::time::timeout(Duration::from_millis(200), read(&database, sleep)).await;
    assert!(dropped.is_err());
    assert_eq!(database.load().busy, 0);
    until_nothing_sleeps(&database).await;
}

#[tokio::test]
async fn a_read_is_stopped_at_its_limit() {
    let database = database(NUMBERS);
    let mut slow = script(
        Access::ReadOnly,
        vec![Step::of(statement(
            "SELECT SLEEP(30)",
            vec![],
            columns(&[("n", INTEGER)], 0, false),
        ))],
    );
    slow.timeout = Duration::from_millis(200);
    let error = database.read(slow, Format::Json, 1000).await.unwrap_err();
    assert_eq!(error.code(), &codes::DATABASE_TIMEOUT);
    until_nothing_sleeps(&database).await;
}

#[tokio::test]
async fn steps_before_the_last_are_given_too() {
    let database = database(NUMBERS);
    let count = Step::of(statement("SELECT COUNT(*) FROM number", vec![], columns(&[], 1, false)));
    let row = Step::of(statement(
        "SELECT id FROM number WHERE id = ?",
        vec![Value::Of { step: 0, output: 0 }],
        columns(&[("id", INTEGER)], 0, false),
    ));
    let (outcomes, answer) = database
        .read(script(Access::ReadOnly, vec![count, row]), Format::Json, 1000)
        .await
        .unwrap();
    assert_eq!(outcomes[0].last, [Value::Integer(50_000)]);
    assert_eq!(answer.outcome.body, r#"[{"id":50000}]"#);
}

#[tokio::test]
async fn no_more_requests_wait_than_may() {
    let mut settings = database(NUMBERS).settings().clone();
    (settings.connections, settings.queue, settings.wait) = (1, 1, Duration::from_millis(100));
    let database = Database::open(settings).unwrap();
    let slow = || {
        let sleep = statement("SELECT SLEEP(0.4)", vec![], columns(&[("n", INTEGER)], 0, false));
        read(&database, sleep)
    };
    let began = std::time::Instant::now();
    let (first, second, third) = tokio::join!(slow(), slow(), slow());
    assert!(first.is_ok());
    assert_eq!(second.unwrap_err().code(), &codes::DATABASE_BUSY);
    assert_eq!(third.unwrap_err().code(), &codes::DATABASE_BUSY);
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn connections_go_to_the_worker_that_needs_them() {
    let mut settings = database(NUMBERS).settings().clone();
    settings.connections = 2;
    let database = Database::open(settings).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                for _ in 0..50 {
                    assert_eq!(
                        runtime.block_on(number(&database, "SELECT COUNT(*) FROM number WHERE id < 10")),
                        9
                    );
                }
            });
        }
    });
    assert!(database.load().connections <= 2);
}

#[tokio::test]
async fn a_plan_is_json_and_nothing_happens() {
    let database = database(NUMBERS);
    let point = statement(
        "SELECT word FROM number WHERE id = ?",
        vec![Value::Integer(5)],
        columns(&[], 0, false),
    );
    let plan = database.explain(&point).await.unwrap();
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert!(plan.to_string().contains("PRIMARY"), "{plan}");
    // The plan of a shape is that of its statements.
    let shape = statement(
        "SELECT word FROM number WHERE id = ? LIMIT ?",
        vec![],
        columns(&[], 0, false),
    );
    let plan = database.explain(&shape).await.unwrap();
    assert!(plan.contains("PRIMARY"), "{plan}");
    let delete = statement(
        "DELETE FROM number WHERE id = ?",
        vec![Value::Integer(5)],
        columns(&[], 0, false),
    );
    database.explain(&delete).await.unwrap();
    assert_eq!(number(&database, "SELECT COUNT(*) FROM number").await, 50_000);
}

/// The shared server has other tests' connections, but no other test sleeps so long in that database.
async fn until_nothing_sleeps(database: &Database) {
    let question = "SELECT COUNT(*) FROM information_schema.processlist \
        WHERE info LIKE 'SELECT SLEEP(30)%' AND db = DATABASE()";
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while number(database, question).await > 0 {
        assert!(std::time::Instant::now() < deadline, "the statement still runs");
        tokio::task::yield_now().await;
    }
}
