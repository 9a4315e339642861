use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portcullis_servers::{PgBouncer, Postgres as Server};
use portcullis_tables::content::Format;
use portcullis_tables::statement::{Access, Step};
use portcullis_tables::value::Value;

use super::{database, open, reading, script, settings, statement};
use crate::postgres::Postgres;
use crate::tests::name_of;

#[tokio::test]
async fn many_requests_go_over_one_connection_at_once() {
    let mut settings = database("select 1");
    settings.connections = 1;
    let (postgres, _) = open(&settings);
    postgres
        .run(reading("select 'warm' || $1", vec![Value::Null]), Format::Json)
        .await
        .unwrap();
    let reads = (0..100).map(|at| {
        let script = reading("select 'warm' || $1", vec![Value::Text(at.to_string())]);
        postgres.run(script, Format::Json)
    });
    let answers = futures_util::future::join_all(reads).await;
    for (at, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap()[0].body, format!(r#"[{{"it":"warm{at}"}}]"#));
    }
    assert_eq!(postgres.common.open.load(Ordering::Relaxed), 1);
    assert_eq!(postgres.common.waiting.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn reads_do_not_wait_behind_a_slow_one_and_writes_get_their_turn() {
    let mut settings = database("create table a (n int)");
    settings.connections = 2;
    let (postgres, _) = open(&settings);
    let begun = Instant::now();
    let slow = async {
        postgres
            .run(reading("select pg_sleep(1.5)::text", Vec::new()), Format::Json)
            .await
            .unwrap();
    };
    let quick = async {
        // The slow one is under way by then.
        tokio::time::sleep(Duration::from_millis(50)).await;
        for at in 0..50 {
            postgres
                .run(reading("select 'quick'", Vec::new()), Format::Json)
                .await
                .unwrap();
            let insert = statement("insert into a values ($1)", vec![Value::Integer(at)], &[], 0);
            postgres
                .run(script(Access::ReadWrite, vec![Step::of(insert)]), Format::Json)
                .await
                .unwrap();
        }
        begun.elapsed()
    };
    let ((), quick) = futures_util::future::join(slow, quick).await;
    assert!(quick < Duration::from_secs(1), "{quick:?}");
    assert!(postgres.common.open.load(Ordering::Relaxed) <= 2);
}

#[tokio::test]
async fn who_waits_too_long_or_with_too_many_is_told_that_the_database_is_busy() {
    let mut settings = database("select 1");
    settings.connections = 1;
    settings.wait = Duration::from_millis(100);
    settings.queue = 2;
    let (postgres, _) = open(&settings);
    let hold = script(
        Access::ReadWrite,
        vec![Step::of(statement("select pg_sleep(1)", Vec::new(), &[], 0))],
    );
    let holding = postgres.run(hold, Format::Json);
    let others = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begun = Instant::now();
        let reads = (0..5).map(|_| postgres.run(reading("select 'x'", Vec::new()), Format::Json));
        for result in futures_util::future::join_all(reads).await {
            assert_eq!(result.unwrap_err().code().name, "database_busy");
        }
        assert!(begun.elapsed() < Duration::from_millis(800));
    };
    let (held, ()) = futures_util::future::join(holding, others).await;
    held.unwrap();
}

#[tokio::test]
async fn a_request_that_goes_away_leaves_its_connection_as_it_was() {
    let mut settings = database("create table a (n int)");
    settings.connections = 1;
    let (postgres, _) = open(&settings);
    let insert = statement("insert into a values (1)", Vec::new(), &[], 0);
    let wait = statement("select pg_sleep(0.3)", Vec::new(), &[], 0);
    let mut last = Step::of(statement("insert into a values (2)", Vec::new(), &[], 0));
    last.expect.least = 1;
    let change = script(Access::ReadWrite, vec![Step::of(insert), Step::of(wait), last]);
    let given_up = tokio::time::timeout(Duration::from_millis(100), postgres.run(change, Format::Json)).await;
    assert!(given_up.is_err());
    let read = tokio::time::timeout(
        Duration::from_millis(20),
        postgres.run(reading("select pg_sleep(0.2)::text", Vec::new()), Format::Json),
    );
    assert!(read.await.is_err());
    let count = postgres
        .run(reading("select count(*)::text from a", Vec::new()), Format::Json)
        .await
        .unwrap();
    assert_eq!(count[0].body, r#"[{"it":"0"}]"#);
}

#[tokio::test]
async fn the_pool_recovers_when_the_server_is_back() {
    let mut server = Server::start().unwrap();
    let (postgres, _) = open(&settings(&server.url()));
    let read = || postgres.run(reading("select 'x'", Vec::new()), Format::Json);
    read().await.unwrap();
    server.kill().unwrap();
    assert_eq!(read().await.unwrap_err().code().name, "database_busy");
    server.restart().unwrap();
    let back = Instant::now();
    while read().await.is_err() {
        assert!(back.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn nothing_is_kept_on_connections_behind_a_pooler() {
    let pooler = PgBouncer::start(portcullis_servers::shared_postgres()).unwrap();
    let plain = database("create table a (n int)");
    let name = name_of(&plain);
    let mut settings = settings(&pooler.url_for(name));
    settings.pooled = true;
    let (postgres, _) = open(&settings);
    let runs = (0..50).map(|at| {
        let postgres = &postgres;
        async move {
            let insert = statement(
                "insert into a values ($1) returning n::text",
                vec![Value::Integer(at)],
                &[],
                1,
            );
            postgres
                .run(script(Access::ReadWrite, vec![Step::of(insert)]), Format::Json)
                .await?;
            let mut read = reading(
                "select n::text from a where n = $1 and current_setting('timezone') = 'Asia/Tokyo'",
                vec![Value::Integer(at)],
            );
            read.session.time_zone = Some("Asia/Tokyo".to_owned());
            postgres.run(read, Format::Json).await
        }
    });
    for (at, answer) in futures_util::future::join_all(runs).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap()[0].body, format!(r#"[{{"it":"{at}"}}]"#));
    }
    let writes = reading("insert into a values (1) returning n::text", Vec::new());
    assert_eq!(
        postgres.run(writes, Format::Json).await.unwrap_err().code().name,
        "method_not_allowed"
    );
    let mut slow = reading("select pg_sleep(5)::text", Vec::new());
    slow.timeout = Duration::from_millis(50);
    assert_eq!(
        postgres.run(slow, Format::Json).await.unwrap_err().code().name,
        "database_timeout"
    );
    let plan = postgres
        .explain(&statement("select n from a where n = $1", Vec::new(), &[], 0))
        .await
        .unwrap();
    assert!(plan.contains("Seq Scan"));
}

#[test]
fn a_server_is_known_by_its_certificate_and_the_password_is_bound_to_it() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = made.cert.pem();
    let server = Server::builder()
        .password("it's secret")
        .tls(&certificate, &made.signing_key.serialize_pem())
        .start()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, certificate).unwrap();
    let with = |parameters: &str| {
        let url = server.url();
        let separator = if url.contains('?') { '&' } else { '?' };
        let settings = settings(&format!("{url}{separator}{parameters}"));
        Postgres::inspect(&settings).map(|_| ())
    };
    let known = format!("sslrootcert={}", roots.display());
    assert_eq!(
        with(&format!("sslmode=verify-full&{known}&channel_binding=require")),
        Ok(())
    );
    assert_eq!(with("sslmode=require&channel_binding=require"), Ok(()));
    let reason = with("sslmode=verify-full").unwrap_err();
    assert!(
        reason.contains("ertificate") || reason.contains("authority"),
        "{reason}"
    );
    assert!(!reason.contains("secret"), "{reason}");
}
