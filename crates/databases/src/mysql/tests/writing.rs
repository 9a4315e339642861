//! Scripts that change something: wholly, or not at all.

use std::time::Duration;

use portcullis_core::codes;

use super::{
    Access, Expect, Failure, Fewer, Format, INTEGER, Step, Value, ask, code, columns, database, least, missing, number,
    script, statement, step, write,
};
use crate::failure::{ConstraintKind, constraint};

const CITIES: &str = "CREATE TABLE city (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) NOT NULL UNIQUE, \
     size INT NOT NULL DEFAULT 0, CONSTRAINT positive CHECK (size >= 0)); \
     CREATE TABLE street (id INT PRIMARY KEY, city INT NOT NULL, FOREIGN KEY (city) REFERENCES city (id)); \
     INSERT INTO city (id, name, size) VALUES (1, 'Bern', 10), (2, 'Köln', 20)";

fn rename(name: &str, id: i64) -> Step {
    step(
        "UPDATE city SET name = ? WHERE id = ?",
        vec![Value::Text(name.to_owned()), Value::Integer(id)],
    )
}

#[tokio::test]
async fn a_script_happens_wholly_or_not_at_all() {
    let database = database(CITIES);
    let outcomes = write(&database, vec![rename("Basel", 1), rename("Bonn", 2)])
        .await
        .unwrap();
    assert_eq!(outcomes.iter().map(|outcome| outcome.rows).collect::<Vec<_>>(), [1, 1]);
    let error = write(&database, vec![rename("Genf", 1), rename("Genf", 2)])
        .await
        .unwrap_err();
    assert_eq!(error.code(), &codes::CONFLICT);
    assert_eq!(
        ask(&database, "SELECT GROUP_CONCAT(name ORDER BY id) FROM city"),
        "Basel,Bonn"
    );
}

#[tokio::test]
async fn rows_that_stay_as_they_are_were_found() {
    let database = database(CITIES);
    let outcomes = write(&database, vec![rename("Bern", 1)]).await.unwrap();
    assert_eq!(outcomes[0].rows, 1);
}

#[tokio::test]
async fn what_is_expected_is_enforced_by_taking_all_back() {
    let database = database(CITIES);
    let with = |mut step: Step, expect: Expect| {
        step.expect = expect;
        step
    };
    let most = |most| Expect {
        most,
        ..Expect::anything()
    };
    let probe = |id: i64| Fewer::Depends {
        probe: statement(
            "SELECT 1 FROM city WHERE id = ?",
            vec![Value::Integer(id)],
            columns(&[], 0, false),
        ),
        found: Failure::PreconditionFailed,
        missing: Failure::NotFound,
    };
    let all = || step("UPDATE city SET size = size + 1", vec![]);
    for (step, expected) in [
        (with(rename("x", 9), least(1, missing())), &codes::RESOURCE_NOT_FOUND),
        (with(all(), most(1)), &codes::TOO_MANY_ROWS),
        (with(rename("x", 9), least(1, probe(1))), &codes::PRECONDITION_FAILED),
        (with(rename("x", 9), least(1, probe(9))), &codes::RESOURCE_NOT_FOUND),
    ] {
        let error = write(&database, vec![all(), step]).await.unwrap_err();
        assert_eq!(error.code(), expected);
    }
    let returning = "INSERT INTO city (name) VALUES (?), (?) RETURNING id, size > 5";
    let names = vec![Value::Text("a".to_owned()), Value::Text("b".to_owned())];
    let checked = Step::of(statement(returning, names, columns(&[("id", INTEGER)], 0, true)));
    let error = write(&database, vec![all(), checked]).await.unwrap_err();
    assert_eq!(error.code(), &codes::FORBIDDEN);
    assert_eq!(
        number(&database, "SELECT CAST(SUM(size) AS SIGNED) FROM city").await,
        30
    );
}

#[tokio::test]
async fn later_steps_refer_to_earlier_ones() {
    let database = database(CITIES);
    let insert = "INSERT INTO city (name) VALUES (?) RETURNING name, id";
    let mut made = Step::of(statement(
        insert,
        vec![Value::Text("Chur".to_owned())],
        columns(&[("name", super::Type::Text)], 1, false),
    ));
    made.batch = vec![vec![Value::Text("Zug".to_owned())]];
    let street = step(
        "INSERT INTO street VALUES (1, ?)",
        vec![Value::Of { step: 0, output: 0 }],
    );
    let grown = step(
        "UPDATE city SET size = 7 WHERE id IN (SELECT k.id FROM JSON_TABLE(?, '$[*]' COLUMNS (id INT PATH '$[0]')) k)",
        vec![Value::AllOf { step: 0 }],
    );
    let outcomes = write(&database, vec![made, street, grown]).await.unwrap();
    assert_eq!(outcomes[0].body.as_ref(), br#"[{"name":"Chur"},{"name":"Zug"}]"#);
    assert_eq!((outcomes[0].rows, outcomes[2].rows), (2, 2));
    assert_eq!(
        (&outcomes[0].first, &outcomes[0].last),
        (&vec![Value::Integer(3)], &vec![Value::Integer(4)])
    );
    assert_eq!(ask(&database, "SELECT city FROM street"), "4");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let database = database(CITIES);
    let mut dry = script(Access::ReadWrite, vec![rename("Basel", 1)]);
    dry.roll_back = true;
    assert_eq!(database.run(dry, Format::Json).await.unwrap()[0].rows, 1);
    assert_eq!(ask(&database, "SELECT name FROM city WHERE id = 1"), "Bern");
}

#[tokio::test]
async fn reading_cannot_write() {
    let database = database(CITIES);
    // Whatever the connection did before.
    write(&database, vec![rename("Basel", 1)]).await.unwrap();
    for steps in [vec![rename("x", 1)], vec![rename("x", 1), rename("y", 2)]] {
        let error = database
            .run(script(Access::ReadOnly, steps), Format::Json)
            .await
            .unwrap_err();
        assert_eq!(error.code(), &codes::METHOD_NOT_ALLOWED);
    }
    assert_eq!(ask(&database, "SELECT name FROM city WHERE id = 1"), "Basel");
}

#[tokio::test]
async fn constraints_are_told_with_their_columns() {
    let database = database(CITIES);
    let text = |text: &str| Value::Text(text.to_owned());
    for (sql, values, expected, kind, column) in [
        (
            "INSERT INTO city (name) VALUES (?)",
            vec![text("Bern")],
            "conflict",
            ConstraintKind::Unique,
            None,
        ),
        (
            "INSERT INTO city (name) VALUES (?)",
            vec![Value::Null],
            "invalid_content",
            ConstraintKind::NotNull,
            Some("name"),
        ),
        (
            "INSERT INTO city (size) VALUES (?)",
            vec![Value::Integer(1)],
            "invalid_content",
            ConstraintKind::NotNull,
            Some("name"),
        ),
        (
            "UPDATE city SET size = ?",
            vec![Value::Integer(-1)],
            "invalid_content",
            ConstraintKind::Check,
            None,
        ),
        (
            "UPDATE city SET name = ?",
            vec![text(&"x".repeat(21))],
            "invalid_content",
            ConstraintKind::Type,
            Some("name"),
        ),
        (
            "UPDATE city SET size = ?",
            vec![text("x")],
            "invalid_content",
            ConstraintKind::Type,
            Some("size"),
        ),
        (
            "UPDATE city SET size = ?",
            vec![Value::Integer(1 << 40)],
            "invalid_content",
            ConstraintKind::Type,
            Some("size"),
        ),
        (
            "INSERT INTO street VALUES (1, ?)",
            vec![Value::Integer(9)],
            "conflict",
            ConstraintKind::ForeignKey,
            Some("city"),
        ),
    ] {
        let error = write(&database, vec![step(sql, values)]).await.unwrap_err();
        let found = constraint(&error).unwrap_or_else(|| panic!("{sql}: {error:?}"));
        assert_eq!((code(&error), found.kind), (expected, kind), "{sql}");
        assert_eq!(found.columns.first().map(String::as_str), column, "{sql}");
    }
}

#[tokio::test]
async fn those_who_wait_for_each_other_are_tried_again() {
    let database = database(CITIES);
    let grow = |id: i64| step("UPDATE city SET size = size + 1 WHERE id = ?", vec![Value::Integer(id)]);
    let pause = || step("DO SLEEP(0.05)", Vec::new());
    let work = |first, second| write(&database, vec![grow(first), pause(), grow(second)]);
    for _ in 0..10 {
        // Each has its first row by the time it wants the other's: one of them is refused, and is alone when it comes again.
        let (one, other) = tokio::join!(work(1, 2), work(2, 1));
        one.and(other).unwrap();
    }
    assert_eq!(
        number(&database, "SELECT CAST(SUM(size) AS SIGNED) FROM city").await,
        30 + 40
    );
}

#[tokio::test]
async fn what_takes_too_long_is_stopped_and_taken_back() {
    let database = database(CITIES);
    let mut slow = script(
        Access::ReadWrite,
        vec![rename("Basel", 1), step("DO SLEEP(20)", vec![])],
    );
    slow.timeout = Duration::from_millis(300);
    let began = std::time::Instant::now();
    let error = database.run(slow, Format::Json).await.unwrap_err();
    assert_eq!(error.code(), &codes::DATABASE_TIMEOUT);
    assert!(began.elapsed() < Duration::from_secs(3));
    // The row is free again.
    write(&database, vec![rename("Biel", 1)]).await.unwrap();
}

#[tokio::test]
async fn procedures_are_called() {
    let database = database(&format!(
        "{CITIES}; CREATE PROCEDURE grow(IN by_how_much INT) UPDATE city SET size = size + by_how_much; \
         CREATE PROCEDURE names() SELECT name FROM city ORDER BY id"
    ));
    write(&database, vec![step("CALL grow(?)", vec![Value::Integer(5)])])
        .await
        .unwrap();
    assert_eq!(ask(&database, "SELECT SUM(size) FROM city"), "40");
    let names = statement(
        "CALL names()",
        vec![],
        columns(&[("name", super::Type::Text)], 0, false),
    );
    for _ in 0..2 {
        let outcomes = write(&database, vec![Step::of(names.clone())]).await.unwrap();
        assert_eq!(outcomes[0].body, r#"[{"name":"Bern"},{"name":"Köln"}]"#);
    }
}
