//! Scripts that change something: all of it, or nothing.

use std::time::Duration;

use portcullis_core::codes;
use portcullis_databases::failure;
use portcullis_tables::content::Format;
use portcullis_tables::statement::{Access, Expect, Failure, Fewer, Script, Step};
use portcullis_tables::value::Value;

use super::{Fixture, block_on, script, statement, text, writing};

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL CHECK (n > 0), up REFERENCES t DEFERRABLE INITIALLY DEFERRED)";

fn insert(n: i64) -> Script {
    script(
        Access::ReadWrite,
        vec![Step::of(statement(
            "INSERT INTO t (n) VALUES (?) RETURNING n, id",
            &[Value::Integer(n)],
            &["n"],
            1,
        ))],
    )
}

#[test]
fn steps_refer_to_what_earlier_ones_gave() {
    let fixture = Fixture::new(TABLE);
    let mut first = Step::of(statement(
        "INSERT INTO t (n) VALUES (?) RETURNING n, id",
        &[Value::Integer(5)],
        &["n"],
        1,
    ));
    first.batch = vec![vec![Value::Integer(6)], vec![Value::Integer(7)]];
    let last = Step::of(statement(
        "UPDATE t SET n = n + 10, up = ? WHERE id IN (SELECT value ->> 0 FROM json_each(?)) AND n > ?",
        &[
            Value::Of { step: 0, output: 0 },
            Value::AllOf { step: 0 },
            Value::Integer(5),
        ],
        &[],
        0,
    ));
    let outcomes = fixture.run(script(Access::ReadWrite, vec![first, last])).unwrap();
    assert_eq!(text(&outcomes[0].body), "[{\"n\":5},{\"n\":6},{\"n\":7}]");
    assert_eq!(
        (&outcomes[0].first[..], &outcomes[0].last[..]),
        (&[Value::Integer(1)][..], &[Value::Integer(3)][..])
    );
    assert_eq!((outcomes[0].rows, outcomes[1].rows), (3, 2));
    assert_eq!(fixture.ask("SELECT n FROM t"), "[{\"n\":5},{\"n\":16},{\"n\":17}]");
    assert_eq!(fixture.ask("SELECT up FROM t"), "[{\"n\":null},{\"n\":3},{\"n\":3}]");
}

#[test]
fn nothing_happens_where_a_step_fails() {
    let fixture = Fixture::new(TABLE);
    let failing = writing(&["INSERT INTO t (n) VALUES (1)", "INSERT INTO t (n) VALUES (-1)"]);
    let error = fixture.run(failing).unwrap_err();
    assert_eq!(error.code(), &codes::INVALID_CONTENT);
    assert!(failure::constraint(&error).unwrap().concerns("n"));
    let mut dry = insert(1);
    dry.roll_back = true;
    assert_eq!(text(&fixture.run(dry).unwrap()[0].body), "[{\"n\":1}]");
    for sql in ["COMMIT", "ROLLBACK", "ATTACH 'x.db' AS x", "PRAGMA synchronous = off"] {
        let error = fixture
            .run(writing(&["INSERT INTO t (n) VALUES (1)", sql]))
            .unwrap_err();
        assert_eq!(error.code(), &codes::DATABASE_FAILED, "{sql}");
    }
    assert_eq!(fixture.ask("SELECT count(*) FROM t"), "[{\"n\":0}]");
}

#[test]
fn what_was_touched_is_judged_before_it_happens() {
    let fixture = Fixture::new(&format!("{TABLE}; INSERT INTO t (n) VALUES (1), (2), (3)"));
    let probe = |sql: &str| Fewer::Depends {
        probe: statement(sql, &[], &[], 0),
        found: Failure::PreconditionFailed,
        missing: Failure::NotFound,
    };
    let update = |sql: &str, fewer: Fewer| {
        let mut script = writing(&[sql]);
        script.steps[0].expect = Expect {
            least: 1,
            fewer: Box::new(fewer),
            most: 2,
        };
        fixture.run(script)
    };
    let none = "UPDATE t SET n = 9 WHERE id = 1 AND n = 7";
    for (sql, fewer, code) in [
        (none, Fewer::Fails(Failure::NotSingular), &codes::NOT_ACCEPTABLE),
        (none, probe("SELECT 1 FROM t WHERE id = 1"), &codes::PRECONDITION_FAILED),
        (none, probe("SELECT 1 FROM t WHERE id = 4"), &codes::RESOURCE_NOT_FOUND),
        (
            "UPDATE t SET n = 9",
            Fewer::Fails(Failure::NotFound),
            &codes::TOO_MANY_ROWS,
        ),
        (
            "UPDATE t SET n = 9 RETURNING 1",
            Fewer::Fails(Failure::NotFound),
            &codes::TOO_MANY_ROWS,
        ),
    ] {
        assert_eq!(update(sql, fewer).unwrap_err().code(), code, "{sql}");
    }
    let mut checked = insert(4);
    checked.steps[0].statement.text = "INSERT INTO t (n) VALUES (?) RETURNING n, id, n > 4".into();
    checked.steps[0].statement.outputs.checked = true;
    assert_eq!(fixture.run(checked).unwrap_err().code(), &codes::FORBIDDEN);
    assert_eq!(fixture.ask("SELECT n FROM t"), "[{\"n\":1},{\"n\":2},{\"n\":3}]");
    assert_eq!(
        update("UPDATE t SET n = 9 WHERE id < 3", Fewer::Fails(Failure::NotFound)).unwrap()[0].rows,
        2
    );
}

/// Puts all of them before the writer at the same time, and gives what became of them.
fn at_once(fixture: &Fixture, scripts: Vec<Script>) -> Vec<Result<String, &'static str>> {
    block_on(tokio::task::LocalSet::new().run_until(async {
        let tasks: Vec<_> = scripts
            .into_iter()
            .map(|script| {
                let database = fixture.database.clone();
                tokio::task::spawn_local(async move { database.run(script, Format::Json).await })
            })
            .collect();
        let mut ended = Vec::new();
        for task in tasks {
            let outcome = task.await.unwrap();
            ended.push(
                outcome
                    .map(|outcomes| text(&outcomes[0].body))
                    .map_err(|error| error.code().name),
            );
        }
        ended
    }))
}

#[test]
fn of_scripts_at_the_same_time_each_fails_for_itself() {
    let fixture = Fixture::new(&format!(
        "{TABLE}; CREATE TRIGGER all_of_it BEFORE INSERT ON t WHEN new.n = 666 BEGIN SELECT raise(rollback, 'no'); END;"
    ));
    let scripts: Vec<Script> = (1..=200)
        .map(|n| match n % 5 {
            // A check fails; a transaction that is gone with the failure; a reference that is missed at the end only.
            1 => writing(&["INSERT INTO t (n) VALUES (1)", "INSERT INTO t (n) VALUES (-1)"]),
            2 => insert(666),
            3 => writing(&["INSERT INTO t (n, up) VALUES (1, 99999)"]),
            _ => insert(n),
        })
        .collect();
    for (at, outcome) in at_once(&fixture, scripts).into_iter().enumerate() {
        let n = at + 1;
        let expected = match n % 5 {
            1 | 2 => Err("invalid_content"),
            3 => Err("conflict"),
            _ => Ok(format!("[{{\"n\":{n}}}]")),
        };
        assert_eq!(outcome, expected, "{n}");
    }
    assert_eq!(fixture.ask("SELECT count(*) FROM t"), "[{\"n\":80}]");
    assert_eq!(fixture.ask("SELECT count(DISTINCT n) FROM t"), "[{\"n\":80}]");
}

#[test]
fn who_takes_too_long_takes_back_nothing_of_the_others() {
    let fixture = Fixture::new(TABLE);
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let mut slow = writing(&[&format!("INSERT INTO t (n) {endless}")]);
    slow.timeout = Duration::from_millis(100);
    let ended = at_once(&fixture, vec![insert(1), insert(2), slow, insert(3)]);
    let codes: Vec<_> = ended.iter().map(|ended| ended.as_ref().err().copied()).collect();
    assert_eq!(codes, [None, None, Some("database_timeout"), None]);
    assert_eq!(fixture.ask("SELECT n FROM t"), "[{\"n\":1},{\"n\":2},{\"n\":3}]");
}

#[test]
fn a_lock_of_somebody_else_is_waited_for_and_then_told() {
    let fixture = Fixture::with(TABLE, |settings| settings.busy_timeout = Duration::from_millis(100));
    let outside = fixture.outside();
    outside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = fixture.run(insert(1)).unwrap_err();
    assert_eq!(error.code(), &codes::DATABASE_BUSY);
    assert_eq!(fixture.ask("SELECT count(*) FROM t"), "[{\"n\":0}]");
    outside.execute_batch("COMMIT").unwrap();
    fixture.run(insert(1)).unwrap();
}

#[test]
fn what_was_answered_is_there_for_others_at_once() {
    let fixture = Fixture::new(TABLE);
    let outside = fixture.outside();
    for n in 1..=20 {
        fixture.run(insert(n)).unwrap();
        let seen: i64 = outside.query_row("SELECT max(n) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(seen, n);
        assert_eq!(fixture.ask("SELECT max(n) FROM t"), format!("[{{\"n\":{n}}}]"));
    }
}
