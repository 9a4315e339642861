//! Reads: small ones, slow ones, large ones.

use std::time::{Duration, Instant};

use portcullis_core::codes;
use portcullis_tables::content::Format;
use portcullis_tables::statement::{Access, Expect, Failure, Fewer, Step};
use portcullis_tables::value::Value;

use super::{Fixture, block_on, collect, reading, script, statement};

const NUMBERS: &str = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) SELECT n FROM n";
const ENDLESS: &str = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";

#[test]
fn values_of_all_kinds_are_bound() {
    let fixture = Fixture::new("CREATE TABLE t (x)");
    for (value, expected) in [
        (Value::Null, "null|NULL"),
        (Value::Boolean(true), "integer|1"),
        (Value::Integer(i64::MIN), "integer|-9223372036854775808"),
        (Value::Real(0.5), "real|0.5"),
        (Value::Text("it's".to_owned()), "text|'it''s'"),
        (Value::Json("{}".to_owned()), "text|'{}'"),
        (Value::Bytes(vec![0, 255]), "blob|X'00FF'"),
        (
            Value::List(vec![Value::Integer(1), Value::Text("a\"".to_owned()), Value::Null]),
            "text|'[1,\"a\\\"\",null]'",
        ),
    ] {
        let (kind, quoted) = expected.split_once('|').unwrap();
        let sql = "SELECT typeof(?) = ? AND quote(?) IN (?, lower(?))";
        let text = |text: &str| Value::Text(text.to_owned());
        let values = [value.clone(), text(kind), value.clone(), text(quoted), text(quoted)];
        let (_, answer) = block_on(fixture.database.read(reading(sql, &values), Format::Json, 1000)).unwrap();
        assert_eq!(super::text(&answer.outcome.body), "[{\"n\":1}]", "{value:?}");
    }
}

#[test]
fn what_exceeds_the_budget_of_a_worker_is_answered_all_the_same() {
    let fixture = Fixture::new("CREATE TABLE t (x)");
    let sum = |most: i64| {
        reading(
            &NUMBERS.replace("SELECT n FROM", "SELECT sum(n) FROM"),
            &[Value::Integer(most)],
        )
    };
    for most in [10, 1_000_000, 10] {
        let (_, answer) = block_on(fixture.database.read(sum(most), Format::Json, 1000)).unwrap();
        assert_eq!(
            super::text(&answer.outcome.body),
            format!("[{{\"n\":{}}}]", most * (most + 1) / 2)
        );
        assert!(answer.rest.is_none());
    }
    let counted = fixture.database.counters();
    assert_eq!((counted.len(), counted[0].runs), (1, 3), "{counted:?}");
    assert!(counted[0].instructions > 1_000_000);
}

#[test]
fn a_statement_is_stopped_at_the_time_of_its_script() {
    let fixture = Fixture::new("CREATE TABLE t (x)");
    let mut endless = reading(ENDLESS, &[]);
    endless.timeout = Duration::from_millis(100);
    let started = Instant::now();
    let error = block_on(fixture.database.read(endless, Format::Json, 1000)).unwrap_err();
    assert_eq!(error.code(), &codes::DATABASE_TIMEOUT);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(fixture.ask("SELECT 1"), "[{\"n\":1}]");
}

#[test]
fn a_large_answer_comes_in_pieces_and_a_small_one_whole() {
    let fixture = Fixture::new("CREATE TABLE t (x)");
    let expected: Vec<String> = (1..=100_000).map(|n| format!("{{\"n\":{n}}}")).collect();
    let expected = format!("[{}]", expected.join(","));
    for (hold, whole) in [(usize::MAX, true), (10_000, false), (0, false)] {
        let (content, pieces) = block_on(async {
            let script = reading(NUMBERS, &[Value::Integer(100_000)]);
            let (_, answer) = fixture.database.read(script, Format::Json, hold).await.unwrap();
            collect(answer).await.unwrap()
        });
        assert_eq!(pieces == 0, whole);
        assert!(content == expected, "{} bytes of {}", content.len(), expected.len());
    }
}

#[test]
fn an_answer_that_nobody_takes_any_more_is_not_read_to_its_end() {
    let fixture = Fixture::with("CREATE TABLE t (x)", |settings| settings.connections = 2);
    // One may be sent at a time: each of these takes the place of the last.
    for _ in 0..3 {
        let without_end = ENDLESS.replace("count(*)", "n");
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let read = fixture.database.read(reading(&without_end, &[]), Format::Json, 1000);
            match block_on(read) {
                Ok((_, answer)) => {
                    assert!(answer.rest.is_some());
                    break;
                }
                // The thread that sends the last one has not seen yet that nobody takes it.
                Err(error) => assert!(
                    error.code() == &codes::DATABASE_BUSY && Instant::now() < deadline,
                    "{error:?}"
                ),
            }
        }
    }
    // Another one is refused while one is being sent, and small ones are not.
    block_on(async {
        let (_, answer) = loop {
            let without_end = ENDLESS.replace("count(*)", "n");
            if let Ok(begun) = fixture
                .database
                .read(reading(&without_end, &[]), Format::Json, 1000)
                .await
            {
                break begun;
            }
        };
        let second = reading(NUMBERS, &[Value::Integer(100_000)]);
        let error = fixture.database.read(second, Format::Json, 1000).await.unwrap_err();
        assert_eq!(error.code(), &codes::DATABASE_BUSY);
        let small = reading(NUMBERS, &[Value::Integer(10_000)]);
        assert!(fixture.database.read(small, Format::Json, usize::MAX).await.is_ok());
        drop(answer);
    });
}

#[test]
fn a_script_that_reads_sees_one_state_and_cannot_write() {
    let fixture = Fixture::new("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    for sql in [
        "INSERT INTO t VALUES (2) RETURNING x",
        "PRAGMA query_only = off",
        "COMMIT",
        "DROP TABLE t",
    ] {
        let error = block_on(fixture.database.read(reading(sql, &[]), Format::Json, 1000)).unwrap_err();
        assert_eq!(error.status().code() / 100, 5, "{sql}: {error:?}");
    }
    assert_eq!(fixture.ask("SELECT count(*) FROM t"), "[{\"n\":1}]");
    let steps = vec![
        Step::of(statement("SELECT x, x FROM t", &[], &["x"], 1)),
        Step::of(statement(
            "SELECT ? + 1",
            &[Value::Of { step: 0, output: 0 }],
            &["n"],
            0,
        )),
    ];
    let (earlier, answer) = block_on(
        fixture
            .database
            .read(script(Access::ReadOnly, steps), Format::Json, 1000),
    )
    .unwrap();
    assert_eq!(super::text(&earlier[0].body), "[{\"x\":1}]");
    assert_eq!(earlier[0].last, [Value::Integer(1)]);
    assert_eq!(super::text(&answer.outcome.body), "[{\"n\":2}]");
}

#[test]
fn too_few_and_too_many_rows_are_what_the_script_says() {
    let fixture = Fixture::new("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)");
    let asked = |sql: &str| {
        let mut script = reading(sql, &[]);
        script.steps[0].expect = Expect {
            least: 1,
            fewer: Box::new(Fewer::Fails(Failure::NotFound)),
            most: 1,
        };
        block_on(fixture.database.read(script, Format::JsonObject, 1000))
    };
    assert_eq!(
        asked("SELECT x FROM t WHERE x > 2").unwrap_err().code(),
        &codes::RESOURCE_NOT_FOUND
    );
    assert_eq!(asked("SELECT x FROM t").unwrap_err().code(), &codes::TOO_MANY_ROWS);
    let (_, answer) = asked("SELECT x FROM t WHERE x = 2").unwrap();
    assert_eq!((answer.outcome.rows, &answer.outcome.body[..]), (1, &b"{\"n\":2}"[..]));
}

#[test]
fn a_malformed_pattern_is_the_clients_fault() {
    let fixture = Fixture::new("CREATE TABLE t (x)");
    let matches = |pattern: &str| {
        let values = [Value::Text("Ann".to_owned()), Value::Text(pattern.to_owned())];
        block_on(
            fixture
                .database
                .read(reading("SELECT ? REGEXP ?", &values), Format::Json, 1000),
        )
    };
    assert_eq!(matches("(").unwrap_err().code(), &codes::BAD_QUERY);
    assert_eq!(&matches("(?i)^a").unwrap().1.outcome.body[..], b"[{\"n\":1}]");
}

#[test]
fn a_plan_is_given_in_lines() {
    let fixture = Fixture::new("CREATE TABLE t (x PRIMARY KEY); CREATE TABLE u (x)");
    let plan = block_on(fixture.database.explain(&statement(
        "SELECT * FROM u WHERE x IN (SELECT x FROM t WHERE x = ?)",
        &[Value::Integer(1)],
        &["x"],
        0,
    )))
    .unwrap();
    assert!(
        plan.contains("SCAN u\n") && plan.contains("\n  SEARCH t USING"),
        "{plan}"
    );
}
