use std::time::Duration;

use portcullis_core::codes;
use portcullis_tables::content::Format;
use portcullis_tables::schema::Type;
use portcullis_tables::statement::{Access, Expect, Failure, Fewer, Isolation, Script, Step};
use portcullis_tables::value::Value;

use super::{database, open, reading, script, statement};
use crate::failure::{ConstraintKind, constraint};
use crate::postgres::Postgres;
use crate::tests::name_of;

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn writing(sql: &str, values: Vec<Value>) -> Script {
    script(Access::ReadWrite, vec![Step::of(statement(sql, values, &[], 0))])
}

async fn body(postgres: &Postgres, script: Script) -> String {
    let mut outcomes = postgres.run(script, Format::Json).await.unwrap();
    String::from_utf8(outcomes.pop().unwrap().body.to_vec()).unwrap()
}

async fn refusal(postgres: &Postgres, script: Script) -> &'static str {
    postgres.run(script, Format::Json).await.unwrap_err().code().name
}

#[tokio::test]
async fn values_go_and_come_as_they_are() {
    let (postgres, _) = open(&database(
        "create type mood as enum ('sad', 'happy');
         create table t (b bool, i int8, r float8, t text, j jsonb, y bytea, m mood, n numeric, d date, l text[])",
    ));
    let values = vec![
        Value::Boolean(true),
        Value::Integer(-5),
        Value::Real(0.1),
        text("it's \\ \"q\""),
        Value::Json("{\"a\":1}".to_owned()),
        Value::Bytes(vec![0, 255]),
        text("happy"),
        text("12.50"),
        text("2026-01-31"),
        Value::List(vec![text("a,b"), text("NULL"), Value::Null, text("\\\"")]),
    ];
    let sql = "insert into t values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let outcomes = postgres.run(writing(sql, values), Format::Json).await.unwrap();
    assert_eq!(outcomes[0].rows, 1);
    let shown = [
        ("b", Type::Boolean),
        (
            "i",
            Type::Integer {
                bytes: 8,
                unsigned: false,
            },
        ),
        ("r", Type::Real),
        ("t", Type::Text),
        ("j", Type::Json { binary: true }),
        ("y", Type::Bytes),
        ("m", Type::Text),
        ("n", Type::Decimal),
        ("d", Type::Text),
        ("l", Type::Json { binary: false }),
        ("z", Type::Text),
    ];
    let sql =
        "select b, i, r, t, j, y, m, n::text, d::text, to_json(l), null::text from t where m = any($1) and i = $2";
    let values = vec![Value::List(vec![text("happy")]), Value::Integer(-5)];
    let read = script(Access::ReadOnly, vec![Step::of(statement(sql, values, &shown, 0))]);
    assert_eq!(
        body(&postgres, read).await,
        r#"[{"b":true,"i":-5,"r":0.1,"t":"it's \\ \"q\"","j":{"a": 1},"y":"AP8=","m":"happy","n":12.50,"d":"2026-01-31","l":["a,b","NULL",null,"\\\""],"z":null}]"#
    );
}

#[tokio::test]
async fn steps_refer_to_what_earlier_ones_gave_and_all_happen_or_none() {
    let (postgres, _) = open(&database(
        "create table a (id int generated always as identity primary key, n int);
         create table b (a int references a, n int check (n > 0))",
    ));
    let insert = |n: i64| {
        let first = statement(
            "insert into a (n) values ($1) returning id",
            vec![Value::Integer(n)],
            &[],
            1,
        );
        let of = || Value::Of { step: 0, output: 0 };
        let mut second = Step::of(statement(
            "insert into b values ($1, $2)",
            vec![of(), Value::Integer(n)],
            &[],
            0,
        ));
        second.batch = vec![vec![of(), Value::Integer(n + 1)], vec![of(), Value::Integer(n + 2)]];
        script(Access::ReadWrite, vec![Step::of(first), second])
    };
    let outcomes = postgres.run(insert(1), Format::Json).await.unwrap();
    assert_eq!((outcomes[0].rows, outcomes[1].rows), (1, 3));
    let count = || {
        reading(
            "select (select count(*) from a)::text || ' ' || (select count(*) from b)",
            Vec::new(),
        )
    };
    assert_eq!(body(&postgres, count()).await, r#"[{"it":"1 3"}]"#);
    let error = postgres.run(insert(-1), Format::Json).await.unwrap_err();
    assert_eq!(error.code().name, codes::INVALID_CONTENT.name);
    assert_eq!(constraint(&error).unwrap().kind, ConstraintKind::Check);
    assert_eq!(body(&postgres, count()).await, r#"[{"it":"1 3"}]"#);
    // A dry run leaves nothing.
    let mut dry = insert(5);
    dry.roll_back = true;
    assert_eq!(postgres.run(dry, Format::Json).await.unwrap()[1].rows, 3);
    assert_eq!(body(&postgres, count()).await, r#"[{"it":"1 3"}]"#);
}

#[tokio::test]
async fn what_is_not_expected_is_rolled_back() {
    let (postgres, _) = open(&database(
        "create table a (id int primary key, v int); insert into a values (1, 1), (2, 1)",
    ));
    let update = |id: i64, version: i64, most: u64| {
        let sql = "update a set v = v + 1 where (id = $1 or $1 = 0) and v = $2";
        let mut step = Step::of(statement(
            sql,
            vec![Value::Integer(id), Value::Integer(version)],
            &[],
            0,
        ));
        step.expect = Expect {
            least: 1,
            fewer: Box::new(Fewer::Depends {
                probe: statement("select from a where id = $1", vec![Value::Integer(id)], &[], 0),
                found: Failure::PreconditionFailed,
                missing: Failure::NotFound,
            }),
            most,
        };
        script(Access::ReadWrite, vec![step])
    };
    assert_eq!(refusal(&postgres, update(9, 1, 10)).await, "resource_not_found");
    assert_eq!(refusal(&postgres, update(1, 7, 10)).await, "precondition_failed");
    assert_eq!(refusal(&postgres, update(0, 1, 1)).await, "too_many_rows");
    assert_eq!(
        body(&postgres, reading("select sum(v)::text from a", Vec::new())).await,
        r#"[{"it":"2"}]"#
    );
    postgres.run(update(1, 1, 1), Format::Json).await.unwrap();
    assert_eq!(
        body(&postgres, reading("select sum(v)::text from a", Vec::new())).await,
        r#"[{"it":"3"}]"#
    );
}

#[tokio::test]
async fn reading_cannot_write() {
    let (postgres, _) = open(&database(
        "create table a (id int); create function w() returns text language sql as 'insert into a values (1) returning id::text'",
    ));
    for isolation in [Isolation::Default, Isolation::RepeatableRead] {
        let mut read = reading("select w()", Vec::new());
        read.isolation = isolation;
        assert_eq!(refusal(&postgres, read).await, "method_not_allowed");
    }
    assert_eq!(
        body(&postgres, reading("select count(*)::text from a", Vec::new())).await,
        r#"[{"it":"0"}]"#
    );
}

#[tokio::test]
async fn a_transaction_is_told_who_it_is_for_and_nothing_of_it_remains() {
    let settings = database(
        "do $$ begin create role session_reader; exception when duplicate_object then null; end $$;
         create schema private; create table private.t (id int); insert into private.t values (7);
         grant usage on schema private to session_reader; grant select on private.t to session_reader;",
    );
    let (postgres, _) = open(&settings);
    let who = "select current_user || ' ' || coalesce(nullif(current_setting('request.jwt.claims', true), ''), '-') \
               || ' ' || current_setting('timezone') || ' ' || current_setting('statement_timeout')";
    let mut read = reading(who, Vec::new());
    read.session.role = Some("session_reader".into());
    read.session.claims = Some("{\"sub\":\"a'b\"}".to_owned());
    read.session.time_zone = Some("Asia/Tokyo".to_owned());
    read.timeout = Duration::from_millis(750);
    let told = r#"[{"it":"session_reader {\"sub\":\"a'b\"} Asia/Tokyo 750ms"}]"#;
    for _ in 0..2 {
        assert_eq!(body(&postgres, read.clone()).await, told);
    }
    let plain = body(&postgres, reading(who, Vec::new())).await;
    assert!(
        plain.starts_with(r#"[{"it":"postgres - "#) && plain.ends_with(" 5s\"}]"),
        "{plain}"
    );
    let mut wrong = reading("select 'x'", Vec::new());
    wrong.session.role = Some("nobody_of_that_name".into());
    assert_eq!(
        postgres.run(wrong, Format::Json).await.unwrap_err().code().name,
        "bad_query"
    );
}

#[tokio::test]
async fn failures_have_the_codes_of_whose_fault_they_are() {
    let (postgres, _) = open(&database(
        "create table p (id int primary key);
         create table t (id int primary key, \"U u\" int, p int references p, n int not null default 0, c int,
                         constraint positive check (c > 0), unique (p, \"U u\"));
         insert into p values (1); insert into t values (1, 1, 1, 0, 1);
         create function complain() returns text language plpgsql as $$ begin raise 'not today'; end $$",
    ));
    let write = |sql: &str| writing(sql, Vec::new());
    for (script, code) in [
        (write("insert into t values (1)"), "conflict"),
        (write("insert into t (id, p) values (2, 9)"), "conflict"),
        (write("delete from p"), "conflict"),
        (write("insert into t (id, n) values (2, null)"), "invalid_content"),
        (write("insert into t (id, c) values (2, -1)"), "invalid_content"),
        (
            writing("insert into t (id) values ($1)", vec![text("x")]),
            "invalid_content",
        ),
        (
            reading("select id::text from t where id = $1", vec![text("x")]),
            "bad_query",
        ),
        (reading("select '('::text ~ '(' || 'x'", Vec::new()), "bad_query"),
        (reading("select (1/0)::text", Vec::new()), "bad_query"),
        (reading("select complain()", Vec::new()), "bad_query"),
        (write("select complain()"), "bad_content"),
        (reading("select it from nowhere", Vec::new()), "database_failed"),
    ] {
        let sql = script.steps[0].statement.text.clone();
        assert_eq!(refusal(&postgres, script).await, code, "{sql}");
    }
    let error = postgres
        .run(write("insert into t (id, p, \"U u\") values (2, 1, 1)"), Format::Json)
        .await
        .unwrap_err();
    let found = constraint(&error).unwrap();
    assert_eq!(
        (found.kind, &found.columns[..]),
        (ConstraintKind::Unique, &["p".to_owned(), "U u".to_owned()][..])
    );
    let error = postgres
        .run(write("insert into t (id, n) values (2, null)"), Format::Json)
        .await
        .unwrap_err();
    assert!(constraint(&error).unwrap().concerns("n"));
    let mut slow = reading("select pg_sleep(5)::text", Vec::new());
    slow.timeout = Duration::from_millis(50);
    assert_eq!(refusal(&postgres, slow).await, "database_timeout");
}

#[tokio::test]
async fn transfers_at_the_same_time_keep_their_sum() {
    let (postgres, _) = open(&database(
        "create table a (id int primary key, n int); insert into a values (1, 500), (2, 500)",
    ));
    // All of them change the rows in the same order: a deadlock takes the server a second to notice.
    let transfer = |amount: i64| {
        let change = |id: i64, amount: i64| {
            let values = vec![Value::Integer(amount), Value::Integer(id)];
            Step::of(statement("update a set n = n + $1 where id = $2", values, &[], 0))
        };
        let mut script = script(Access::ReadWrite, vec![change(1, -amount), change(2, amount)]);
        script.isolation = Isolation::Serializable;
        script
    };
    let runs = (0..40).map(|at| postgres.run(transfer(at), Format::Json));
    let results = futures_util::future::join_all(runs).await;
    for result in &results {
        let code = result.as_ref().err().map(|error| error.code().name);
        assert!(matches!(code, None | Some("transaction_conflict")), "{code:?}");
    }
    assert!(results.iter().any(Result::is_ok));
    assert_eq!(
        body(&postgres, reading("select sum(n)::text from a", Vec::new())).await,
        r#"[{"it":"1000"}]"#
    );
}

#[tokio::test]
async fn plans_are_those_of_the_shape_or_of_the_values() {
    let (postgres, _) = open(&database(
        "create table a (id int primary key, v int); insert into a select n, 1 from generate_series(1, 1000) n; analyze a",
    ));
    let shape = |values| {
        statement(
            "select id::text from a where id = $1 and v = any($2)",
            values,
            &[("it", Type::Text)],
            0,
        )
    };
    let plan = postgres.explain(&shape(Vec::new())).await.unwrap();
    assert!(plan.contains("Index Scan") && plan.contains("$1"), "{plan}");
    let values = vec![Value::Integer(5), Value::List(vec![Value::Integer(1)])];
    let plan = postgres.explain(&shape(values)).await.unwrap();
    assert!(plan.contains("Index Scan") && !plan.contains("$1"), "{plan}");
    let plan = postgres
        .explain(&statement("delete from a where v = 1", Vec::new(), &[], 0))
        .await
        .unwrap();
    assert!(plan.contains("Seq Scan"), "{plan}");
    assert_eq!(
        body(&postgres, reading("select count(*)::text from a", Vec::new())).await,
        r#"[{"it":"1000"}]"#
    );
}

#[tokio::test]
async fn a_statement_whose_columns_changed_is_prepared_anew() {
    let settings = database("create table a (id int); insert into a values (1)");
    let (postgres, _) = open(&settings);
    let read = || reading("select * from a", Vec::new());
    body(&postgres, read()).await;
    let name = name_of(&settings);
    let server = portcullis_servers::shared_postgres();
    server
        .run_sql(name, "alter table a alter id type text using 'now text'")
        .unwrap();
    assert_eq!(body(&postgres, read()).await, r#"[{"it":"now text"}]"#);
}
