//! Load at fixed rates over several protocols at the same time, which counts what fails and goes on.
//!
//! It is an open model: a request begins when its time has come, however many are still waiting, and its latency counts from
//! that time. So a proxy that stands still for a second is seen to be slow by all requests of that second, not by those that
//! happened to be in progress.

mod http1;
mod http2;
mod outcome;
mod pace;
mod plan;
mod score;
mod websocket;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;

use self::outcome::{Asked, Failure};
use self::plan::{Kind, Stream};
use self::score::Score;

/// A request that has not been answered after this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What content of a request consists of, and how much there is.
pub(crate) const CONTENT: [u8; 8 * 1024] = [b'b'; 8 * 1024];

/// Runs all streams for so many seconds. Says `started` with the time in microseconds, and at the end a line of JSON.
///
/// # Errors
/// When a stream isn't understood. Whatever happens to requests is counted.
pub(crate) async fn run(seconds: u64, streams: &[&str]) -> Result<(), String> {
    let streams: Vec<Stream> = streams
        .iter()
        .map(|words| Stream::parse(words))
        .collect::<Result<_, _>>()?;
    // A moment for what has to be made before.
    let start = Instant::now() + Duration::from_millis(50);
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + Duration::from_millis(50);
    println!("started {}", epoch.as_micros());
    let mut running = JoinSet::new();
    let mut scores = Vec::new();
    for stream in streams {
        let score = Arc::new(Score::new(stream.name.clone(), start));
        scores.push(Arc::clone(&score));
        running.spawn(load(stream, start, Duration::from_secs(seconds), score));
    }
    while let Some(ended) = running.join_next().await {
        ended.map_err(|failure| failure.to_string())?;
    }
    let scores: Vec<_> = scores.iter().map(|score| score.report()).collect();
    println!("{}", serde_json::json!({ "streams": scores }));
    Ok(())
}

async fn load(stream: Stream, start: Instant, duration: Duration, score: Arc<Score>) {
    match stream.kind {
        Kind::Http1 => {
            let client = Arc::new(http1::Client::new(&stream));
            requests(&stream, start, duration, score, move || {
                let client = Arc::clone(&client);
                async move { client.ask().await }
            })
            .await;
        }
        Kind::Http2 => {
            let client = Arc::new(http2::Client::new(&stream));
            requests(&stream, start, duration, score, move || {
                let client = Arc::clone(&client);
                async move { client.ask().await }
            })
            .await;
        }
        Kind::WebSocket => websocket::run(&stream, start, duration, &score).await,
    }
}

/// Begins requests at their times, and waits for the last of them.
async fn requests<F>(stream: &Stream, start: Instant, duration: Duration, score: Arc<Score>, ask: impl Fn() -> F)
where
    F: Future<Output = Result<Asked, Failure>> + Send + 'static,
{
    let mut beats = pace::beats(start, stream.rate, duration);
    let mut asking = JoinSet::new();
    while let Some(due) = beats.recv().await {
        score.begun(due);
        let asked = ask();
        let score = Arc::clone(&score);
        asking.spawn(async move {
            let ended = match tokio::time::timeout_at((due + PATIENCE).into(), asked).await {
                Ok(ended) => ended,
                Err(_) => Err(Failure::new("no answer in time")),
            };
            score.ended(due, ended);
        });
        while asking.try_join_next().is_some() {}
    }
    while asking.join_next().await.is_some() {}
}
