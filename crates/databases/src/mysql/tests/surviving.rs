//! Servers that go away and come back.

use std::time::{Duration, Instant};

use portcullis_core::codes;
use portcullis_servers::MariaDb;

use super::{Value, number, settings, step, write};
use crate::Database;

#[tokio::test]
async fn a_server_that_comes_back_is_used_again_at_once() {
    let mut server = MariaDb::builder().durable().start().unwrap();
    server.create_database("shop").unwrap();
    server
        .run_sql("shop", "CREATE TABLE sample (id INT PRIMARY KEY)")
        .unwrap();
    let database = Database::open(settings(&server.url_for("shop"))).unwrap();
    let insert = |id: i64| step("INSERT INTO sample VALUES (?)", vec![Value::Integer(id)]);
    write(&database, vec![insert(1)]).await.unwrap();
    assert_eq!(number(&database, "SELECT COUNT(*) FROM sample").await, 1);

    server.kill().unwrap();
    for _ in 0..3 {
        let error = write(&database, vec![insert(2)]).await.unwrap_err();
        assert_eq!(error.code(), &codes::DATABASE_BUSY);
    }
    server.restart().unwrap();
    let began = Instant::now();
    write(&database, vec![insert(2)]).await.unwrap();
    assert_eq!(number(&database, "SELECT COUNT(*) FROM sample").await, 2);
    assert!(began.elapsed() < Duration::from_secs(2));

    // Connections that were there before it, and that nobody tried meanwhile.
    server.kill().unwrap();
    server.restart().unwrap();
    let began = Instant::now();
    write(&database, vec![insert(3)]).await.unwrap();
    assert_eq!(number(&database, "SELECT COUNT(*) FROM sample").await, 3);
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(database.refresh().is_ok());
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let mut server = MariaDb::builder().durable().start().unwrap();
    server.create_database("shop").unwrap();
    server
        .run_sql(
            "shop",
            "CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id INT PRIMARY KEY)",
        )
        .unwrap();
    let database = Database::open(settings(&server.url_for("shop"))).unwrap();
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let mut acknowledged = Vec::new();
    let writing = async {
        for id in 0_i64.. {
            let steps = ["INSERT INTO a VALUES (?)", "INSERT INTO b VALUES (?)"];
            let steps = steps.map(|text| step(text, vec![Value::Integer(id)])).into();
            match write(&database, steps).await {
                Ok(_) => acknowledged.push(id),
                Err(_) => break,
            }
            if id == 100 {
                stop.send(true).unwrap();
            }
        }
    };
    let killing = async {
        stopped.changed().await.unwrap();
        server.kill().unwrap();
        server
    };
    let ((), mut server) = tokio::join!(writing, killing);
    server.restart().unwrap();
    let both = number(&database, "SELECT COUNT(*) FROM a JOIN b USING (id)").await;
    let of_a = number(&database, "SELECT COUNT(*) FROM a").await;
    let of_b = number(&database, "SELECT COUNT(*) FROM b").await;
    let known = i64::try_from(acknowledged.len()).unwrap();
    assert!(
        (of_a, of_b) == (both, both) && both >= known && both <= known + 1,
        "{of_a} {of_b} {both} {known}"
    );
}
