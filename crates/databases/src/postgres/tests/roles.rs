//! Callers of different roles on few connections, who give up at any moment.

use std::time::Duration;

use portcullis_tables::content::Format;
use portcullis_tables::output::{Output, Outputs, Shown};
use portcullis_tables::schema::Type;
use portcullis_tables::statement::{Access, Isolation, Script, Session, Step};
use portcullis_tables::value::Value;

use super::{Postgres, database, open, reading, script, statement};

/// Who it is for, as the server sees it; after as many rows as are said, which take time.
const WHO: &str = "select current_user || ':' || coalesce(current_setting('request.jwt.claims', true), '') || ':' \
                   || (select count(*) from generate_series(1, $1::int))::text";

const ROLES: &str = "
DO $$ BEGIN CREATE ROLE reader_of_tests; EXCEPTION WHEN duplicate_object THEN NULL; WHEN unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE editor_of_tests; EXCEPTION WHEN duplicate_object THEN NULL; WHEN unique_violation THEN NULL; END $$;
";

/// A request of somebody, and what the server must say of them.
fn request(number: usize) -> (Script, String) {
    let rows = i64::from(fastrand::u16(1..2000));
    let (role, name) = match number % 3 {
        0 => (None, "postgres"),
        1 => (Some("reader_of_tests".into()), "reader_of_tests"),
        _ => (Some("editor_of_tests".into()), "editor_of_tests"),
    };
    let claims = role.is_some().then(|| format!("{{\"sub\": \"{number}\"}}"));
    let expected = format!("{name}:{}:{rows}", claims.as_deref().unwrap_or_default());
    let mut script = reading(WHO, vec![Value::Integer(rows)]);
    if fastrand::bool() {
        script.access = Access::ReadWrite;
    }
    if fastrand::u8(..4) == 0 {
        script.isolation = Isolation::Serializable;
    }
    if fastrand::u8(..4) == 0 {
        // More than one step: a transaction, whoever it is for.
        script.steps.insert(0, script.steps[0].clone());
    }
    script.session = Session {
        role,
        claims,
        time_zone: None,
    };
    (script, expected)
}

/// Has it done, and gives up after some time.
async fn ask(postgres: &Postgres, number: usize) -> bool {
    let (script, expected) = request(number);
    let patience = Duration::from_micros(fastrand::u64(1..20_000));
    match tokio::time::timeout(patience, postgres.run(script, Format::Json)).await {
        Ok(Ok(outcomes)) => {
            let body = String::from_utf8(outcomes.last().unwrap().body.to_vec()).unwrap();
            let found: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
            assert_eq!(found[0]["it"], expected, "request {number}");
            true
        }
        Ok(Err(error)) => {
            assert_eq!(error.code().name, "database_busy", "{error:?}");
            false
        }
        Err(_) => false,
    }
}

/// Fails in the middle of a transaction of a role, or begins a large answer that nobody takes.
async fn disturb(postgres: &Postgres, number: usize) {
    let (mut wrong, _) = request(number);
    if fastrand::bool() {
        let fails = statement(
            "select (1 / ($1::int - 1))::text",
            vec![Value::Integer(1)],
            &[("it", Type::Text)],
            0,
        );
        wrong.steps.push(Step::of(fails));
        let patience = Duration::from_micros(fastrand::u64(1..20_000));
        let _ = tokio::time::timeout(patience, postgres.run(wrong, Format::Json)).await;
    } else {
        let mut large = Step::of(statement("", Vec::new(), &[], 0));
        large.statement.text = "select repeat('x', 100) from generate_series(1, 100000)".into();
        large.statement.outputs = Outputs {
            shown: Shown::Columns(vec![Output::new("it", Type::Text)].into()),
            hidden: 0,
            checked: false,
        };
        let large = Script {
            session: wrong.session,
            ..script(Access::ReadOnly, vec![large])
        };
        let _ = postgres.read(large, Format::Json, 10_000).await;
    }
}

#[tokio::test]
async fn nobody_ever_has_the_role_or_the_claims_of_another() {
    let mut settings = database(ROLES);
    settings.connections = 3;
    let (postgres, _) = open(&settings);
    let mut answered = 0;
    for round in 0..60 {
        let requests = (0..12).map(|place| ask(&postgres, round * 12 + place));
        let (done, ()) =
            futures_util::future::join(futures_util::future::join_all(requests), disturb(&postgres, round)).await;
        answered += done.iter().filter(|done| **done).count();
    }
    assert!(answered > 100, "{answered}");
    // All of them come to rest, and serve whoever comes next.
    for number in 0..9 {
        let (script, expected) = request(number);
        let outcomes = postgres.run(script, Format::Json).await.unwrap();
        let body = String::from_utf8(outcomes.last().unwrap().body.to_vec()).unwrap();
        let found: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
        assert_eq!(found[0]["it"], expected);
    }
}
