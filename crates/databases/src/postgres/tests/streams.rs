use std::future::poll_fn;
use std::time::{Duration, Instant};

use portcullis_tables::content::Format;

use super::{database, open, reading};
use crate::database::Rest;

async fn next(rest: &mut Box<dyn Rest>) -> Option<portcullis_core::Result<bytes::Bytes>> {
    poll_fn(|cx| rest.poll_next(cx)).await
}

const MANY: &str = "select repeat('x', 100) from generate_series(1, $1::int)";

#[tokio::test]
async fn a_small_answer_is_whole_and_a_large_one_comes_in_pieces() {
    let (postgres, _) = open(&database("select 1"));
    let read = |rows: i64, hold| {
        let script = reading(MANY, vec![portcullis_tables::value::Value::Integer(rows)]);
        postgres.read(script, Format::Json, hold)
    };
    let (others, answer) = read(10, 10_000).await.unwrap();
    assert!(others.is_empty() && answer.rest.is_none());
    assert_eq!(answer.outcome.rows, 10);

    let (_, answer) = read(50_000, 10_000).await.unwrap();
    let mut text = answer.outcome.body.to_vec();
    assert!(text.len() > 10_000 && text.len() < 500_000);
    let mut rest = answer.rest.unwrap();
    while let Some(piece) = next(&mut rest).await {
        let piece = piece.unwrap();
        assert!(!piece.is_empty() && piece.len() < 500_000);
        text.extend_from_slice(&piece);
    }
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    assert_eq!(rows.len(), 50_000);
}

#[tokio::test]
async fn nobody_waits_behind_an_answer_that_is_taken_slowly() {
    let mut settings = database("select 1");
    settings.connections = 4;
    let (postgres, _) = open(&settings);
    let large = || reading(MANY, vec![portcullis_tables::value::Value::Integer(1_000_000)]);
    let small = || reading("select 'here'", Vec::new());
    // They share a connection when they begin.
    let both = futures_util::future::join(
        postgres.read(large(), Format::Json, 10_000),
        postgres.run(small(), Format::Json),
    );
    let (slow, quick) = both.await;
    assert!(quick.is_ok());
    let (_, slow) = slow.unwrap();
    for _ in 0..100 {
        postgres.run(small(), Format::Json).await.unwrap();
    }
    // Given up in the middle, it gives its connection back.
    drop(slow);
    let again = futures_util::future::join_all((0..2).map(|_| postgres.read(large(), Format::Json, 10_000)));
    for answer in again.await {
        assert!(answer.unwrap().1.rest.is_some());
    }
}

#[tokio::test]
async fn clients_that_take_nothing_leave_connections_to_others() {
    let (postgres, _) = open(&database("select 1"));
    let large = || reading(MANY, vec![portcullis_tables::value::Value::Integer(1_000_000)]);
    let mut stalled = Vec::new();
    for _ in 0..2 {
        stalled.push(postgres.read(large(), Format::Json, 10_000).await.unwrap());
    }
    for _ in 0..8 {
        let refused = postgres.read(large(), Format::Json, 10_000).await.err().unwrap();
        assert_eq!(refused.code().name, "database_busy");
        postgres
            .run(reading("select 'here'", Vec::new()), Format::Json)
            .await
            .unwrap();
    }
    stalled.pop();
    assert!(postgres.read(large(), Format::Json, 10_000).await.is_ok());
}

#[tokio::test]
async fn words_of_a_search_that_can_not_be_read_are_the_clients_matter() {
    let (postgres, _) = open(&database("select 1"));
    let search = |words: &str| {
        let text = "select 'found' where to_tsvector('simple', 'a') @@ to_tsquery('simple', $1)";
        reading(text, vec![portcullis_tables::value::Value::Text(words.to_owned())])
    };
    for words in ["' OR '1'='1", "a b", "(", "a &"] {
        let refused = postgres.run(search(words), Format::Json).await.unwrap_err();
        assert_eq!(refused.code().name, "bad_query", "{words}");
    }
    assert_eq!(postgres.run(search("a"), Format::Json).await.unwrap()[0].rows, 1);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_holds_no_memory_of_the_rows_to_come() {
    let (postgres, _) = open(&database("select 1"));
    let script = reading(MANY, vec![portcullis_tables::value::Value::Integer(5_000_000)]);
    let (_, answer) = postgres.read(script, Format::NdJson, 10_000).await.unwrap();
    let mut rest = answer.rest.unwrap();
    let before = resident();
    let begun = Instant::now();
    let mut bytes = 0;
    let mut most = 0;
    // A few hundred thousand rows are enough to see whether they pile up.
    while bytes < 100 << 20 && begun.elapsed() < Duration::from_secs(20) {
        let Some(piece) = next(&mut rest).await else { break };
        bytes += piece.unwrap().len();
        if bytes % 100 == 0 {
            tokio::task::yield_now().await;
        }
        most = most.max(resident());
    }
    assert!(most.saturating_sub(before) < 32 << 20, "{} MiB", (most - before) >> 20);
}

/// Bytes of memory of this process.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
