//! Messages that come back, on connections that are to last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::outcome::{Asked, Failure};
use super::plan::Stream;
use super::score::Score;
use super::{PATIENCE, pace};
use crate::answer;
use crate::connect::connect;
use crate::websocket::{ACCEPT, handshake, header};

/// Messages in a second on each connection.
const RATE: u32 = 5;

const SIZE: usize = 64;

/// The field by which a target says who it is.
const TARGET: &str = "x-target:";

/// Talks on as many connections as the rate asks for. One that ends is made again, by its next message.
pub(super) async fn run(stream: &Stream, start: Instant, duration: Duration, score: &Arc<Score>) {
    let connections = stream.rate.div_ceil(RATE);
    let mut talking = JoinSet::new();
    for number in 0..connections {
        // Not all at the same moment.
        let begin = start + Duration::from_secs(1) / RATE * number / connections;
        let (address, path, score) = (stream.address, stream.path.clone(), Arc::clone(score));
        talking.spawn(async move {
            let mut line = Line {
                address,
                path,
                open: None,
            };
            for due in pace::times(begin, RATE, duration) {
                tokio::time::sleep_until(due.into()).await;
                // One that waited for those before it may be late already: it is tried, but not for ever.
                let deadline = (due + PATIENCE).max(Instant::now() + Duration::from_secs(1));
                let ended = line.say(deadline).await;
                score.ended(due, ended);
            }
        });
    }
    while talking.join_next().await.is_some() {}
}

struct Line {
    address: SocketAddr,
    path: String,
    open: Option<Open>,
}

struct Open {
    stream: TcpStream,
    target: Option<String>,
}

impl Line {
    /// Sends a message and waits for it to come back.
    async fn say(&mut self, deadline: Instant) -> Result<Asked, Failure> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => in_time(deadline, open(self.address, &self.path)).await?,
        };
        if let Err(mut failure) = in_time(deadline, echo(&mut open.stream)).await {
            failure.target = open.target;
            return Err(failure);
        }
        self.open = Some(open);
        Ok(Asked::default())
    }
}

async fn in_time<T>(deadline: Instant, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match tokio::time::timeout_at(deadline.into(), work).await {
        Ok(ended) => ended,
        Err(_) => Err(Failure::new("no answer in time")),
    }
}

async fn open(address: SocketAddr, path: &str) -> Result<Open, Failure> {
    let mut stream = connect(address).await.map_err(|_| Failure::refused())?;
    stream
        .write_all(handshake(path).as_bytes())
        .await
        .map_err(|_| Failure::cut())?;
    let mut head = Vec::new();
    while answer::head_end(&head).is_none() {
        if stream.read_buf(&mut head).await.map_err(|_| Failure::cut())? == 0 {
            return Err(Failure::cut());
        }
    }
    let text = String::from_utf8_lossy(&head);
    match text.get(9..12).and_then(|status| status.parse().ok()) {
        Some(101) if text.contains(ACCEPT) => {}
        Some(status) => return Err(Failure::status(status)),
        None => return Err(Failure::wrong()),
    }
    let target = text.lines().find(|line| {
        line.get(..TARGET.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(TARGET))
    });
    let target = target.map(|line| line[TARGET.len()..].trim().to_owned());
    Ok(Open { stream, target })
}

async fn echo(stream: &mut TcpStream) -> Result<(), Failure> {
    const MASKED: u8 = 0x80;
    let payload = [b'm'; SIZE];
    let sent = [&header(SIZE, MASKED)[..], &[0; 4], &payload].concat();
    let wanted = [&header(SIZE, 0)[..], &payload].concat();
    let mut came = vec![0; wanted.len()];
    stream.write_all(&sent).await.map_err(|_| Failure::cut())?;
    stream.read_exact(&mut came).await.map_err(|_| Failure::cut())?;
    if came == wanted { Ok(()) } else { Err(Failure::wrong()) }
}
