//! The connection to the server: made, used by all who ask, and made anew when it is lost.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsConnector;

use super::question::{Answer, Question, Quota, SCRIPT};
use super::wire::{self, Reply};
use super::{Job, Phase, Settings, State};

/// How long it may take until a connection can be used.
const CONNECT: Duration = Duration::from_secs(1);

/// How long a late answer is waited for, though not by those who asked, before the connection is given up.
const GIVE_UP: Duration = Duration::from_secs(1);

/// Between two attempts at first, and at the most: a server that came back is found soon, and one that is away for long
/// costs nothing.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A silent peer is asked after so long whether it is still there, so that a dead connection is found before it is used.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How many questions are written together.
const TOGETHER: usize = 256;

/// The most that a reply may take; it is far from that.
const LONGEST_REPLY: usize = 1 << 20;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Keeps a connection for as long as anybody may ask.
pub(super) async fn keep(settings: Settings, mut jobs: mpsc::Receiver<Job>, state: Arc<State>) {
    let mut pause = PAUSES.0;
    let mut told = false;
    loop {
        let why = match timeout(CONNECT, open(&settings)).await {
            Ok(Ok((stream, digest))) => {
                pause = PAUSES.0;
                if told {
                    (settings.tell)("the soft store is back");
                    told = false;
                }
                state.set(Phase::Up);
                let mut line = Line::new(stream, digest, settings.deadline);
                match line.serve(&mut jobs, &state).await {
                    Ok(()) => return,
                    Err(error) => error.to_string(),
                }
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no connection within {} s", CONNECT.as_secs()),
        };
        state.set(Phase::Away);
        if !told {
            (settings.tell)(&format!("the soft store is away: {why}"));
            told = true;
        }
        *state.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
        if !rest(&mut jobs, pause).await {
            return;
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Waits until the next attempt, and turns away those who asked just before. False when nobody will ask any more.
async fn rest(jobs: &mut mpsc::Receiver<Job>, pause: Duration) -> bool {
    let end = sleep(pause);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return true,
            job = jobs.recv() => if job.is_none() { return false },
        }
    }
}

/// Makes a connection and sees that the script runs there; gives what the server calls it.
async fn open(settings: &Settings) -> io::Result<(Box<dyn Stream>, String)> {
    let tcp = TcpStream::connect((&*settings.host, settings.port)).await?;
    tcp.set_nodelay(true)?;
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE);
    SockRef::from(&tcp).set_tcp_keepalive(&keep_alive)?;
    let mut stream: Box<dyn Stream> = match &settings.authorities {
        None => Box::new(tcp),
        Some(authorities) => {
            let name = ServerName::try_from(settings.host.clone()).map_err(io::Error::other)?;
            Box::new(tls(authorities)?.connect(name, tcp).await?)
        }
    };
    let mut input = BytesMut::new();
    if let Some(password) = &settings.password {
        let mut parts: Vec<&[u8]> = vec![b"AUTH"];
        parts.extend(settings.username.as_deref().map(str::as_bytes));
        parts.push(password.as_bytes());
        ask(&mut stream, &mut input, &parts).await?;
    }
    if settings.database != 0 {
        ask(
            &mut stream,
            &mut input,
            &[b"SELECT", settings.database.to_string().as_bytes()],
        )
        .await?;
    }
    let digest = match ask(&mut stream, &mut input, &[b"SCRIPT", b"LOAD", SCRIPT.as_bytes()]).await? {
        Reply::Text(digest) => digest,
        other => return Err(unexpected(&other)),
    };
    // A server that only reads, or is still loading, says so here and not to the first request.
    let mut probe = Question::default();
    let quota = Quota {
        limit: 1,
        per: Duration::from_millis(1),
        burst: 1,
    };
    probe.limit(b"portcullis:probe", 1, &[quota]);
    let mut out = Vec::new();
    probe.write(&mut out, b"EVALSHA", digest.as_bytes());
    stream.write_all(&out).await?;
    let reply = receive(&mut stream, &mut input).await?;
    Answer::read(&reply, 1).ok_or_else(|| unexpected(&reply))?;
    Ok((stream, digest))
}

fn tls(authorities: &RootCertStore) -> io::Result<TlsConnector> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(authorities.clone())
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Sends one command and waits for its reply; a failure that the server reports is one.
async fn ask(stream: &mut Box<dyn Stream>, input: &mut BytesMut, parts: &[&[u8]]) -> io::Result<Reply> {
    let mut out = Vec::new();
    wire::command(&mut out, parts);
    stream.write_all(&out).await?;
    match receive(stream, input).await? {
        failure @ Reply::Failure(_) => Err(unexpected(&failure)),
        reply => Ok(reply),
    }
}

async fn receive(stream: &mut Box<dyn Stream>, input: &mut BytesMut) -> io::Result<Reply> {
    loop {
        if let Some(reply) = next(input)? {
            return Ok(reply);
        }
        if stream.read_buf(input).await? == 0 {
            return Err(ended());
        }
    }
}

/// Takes the next whole reply out of what has come.
fn next(input: &mut BytesMut) -> io::Result<Option<Reply>> {
    match wire::read(input) {
        Ok(Some((reply, length))) => {
            input.advance(length);
            Ok(Some(reply))
        }
        Ok(None) if input.len() < LONGEST_REPLY => Ok(None),
        _ => Err(io::Error::other("what it sent is no reply of Redis")),
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection")
}

fn unexpected(reply: &Reply) -> io::Error {
    match reply {
        Reply::Failure(why) => io::Error::other(why.clone()),
        other => io::Error::other(format!("an unexpected reply: {other:?}")),
    }
}

/// A connection in use.
struct Line {
    stream: Box<dyn Stream>,
    digest: String,
    deadline: Duration,
    input: BytesMut,
    output: BytesMut,
    /// What was asked and not answered yet, in that order.
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    job: Job,
    since: Instant,
}

/// What there is to do next on a connection.
enum Event {
    Asked(Option<Job>),
    Read(usize),
    Written,
    Late,
}

impl Line {
    fn new(stream: Box<dyn Stream>, digest: String, deadline: Duration) -> Line {
        Line {
            stream,
            digest,
            deadline,
            input: BytesMut::with_capacity(16 << 10),
            output: BytesMut::new(),
            waiting: VecDeque::new(),
        }
    }

    /// Passes questions and answers on until the connection fails; ends well when nobody will ask any more.
    async fn serve(&mut self, jobs: &mut mpsc::Receiver<Job>, state: &State) -> io::Result<()> {
        loop {
            match self.event(jobs, state).await? {
                Event::Asked(None) => return Ok(()),
                Event::Asked(Some(job)) => {
                    self.send(job);
                    for _ in 1..TOGETHER {
                        let Ok(job) = jobs.try_recv() else { break };
                        self.send(job);
                    }
                }
                Event::Read(0) => return Err(ended()),
                Event::Read(_) => {
                    self.answer()?;
                    if state.phase() == Phase::Late && self.waiting.is_empty() {
                        state.set(Phase::Up);
                    }
                }
                Event::Written => {}
                Event::Late if state.phase() == Phase::Late => {
                    let message = format!("no answer within {} ms", (self.deadline + GIVE_UP).as_millis());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                Event::Late => state.set(Phase::Late),
            }
        }
    }

    async fn event(&mut self, jobs: &mut mpsc::Receiver<Job>, state: &State) -> io::Result<Event> {
        let patience = match state.phase() {
            Phase::Late => self.deadline + GIVE_UP,
            _ => self.deadline,
        };
        let oldest = self.waiting.front().map(|waiting| waiting.since);
        let late = sleep_until(oldest.unwrap_or_else(Instant::now) + patience);
        let (mut reader, mut writer) = split(&mut self.stream);
        tokio::select! {
            read = reader.read_buf(&mut self.input) => Ok(Event::Read(read?)),
            written = writer.write_buf(&mut self.output), if !self.output.is_empty() => {
                written?;
                if self.output.is_empty() {
                    timeout(GIVE_UP, writer.flush()).await??;
                }
                Ok(Event::Written)
            }
            job = jobs.recv() => Ok(Event::Asked(job)),
            () = late, if oldest.is_some() => Ok(Event::Late),
        }
    }

    fn send(&mut self, job: Job) {
        let mut out = Vec::with_capacity(256);
        job.question.write(&mut out, b"EVALSHA", self.digest.as_bytes());
        self.output.extend_from_slice(&out);
        self.waiting.push_back(Waiting {
            job,
            since: Instant::now(),
        });
    }

    /// Hands on the answers that have come.
    fn answer(&mut self) -> io::Result<()> {
        while let Some(reply) = next(&mut self.input)? {
            let Some(Waiting { job, since }) = self.waiting.pop_front() else {
                return Err(unexpected(&reply));
            };
            match &reply {
                // The server forgot the script, as one does that was told to flush them: it gets the whole of it.
                Reply::Failure(why) if why.starts_with("NOSCRIPT") => {
                    let mut out = Vec::new();
                    job.question.write(&mut out, b"EVAL", SCRIPT.as_bytes());
                    self.output.extend_from_slice(&out);
                    self.waiting.push_back(Waiting { job, since });
                }
                reply => {
                    let answer = Answer::read(reply, job.question.quotas()).ok_or_else(|| unexpected(reply))?;
                    // Who asked may not be waiting any more.
                    let _ = job.answer.send(answer);
                }
            }
        }
        Ok(())
    }
}
