//! The life of the process: start, signals, end.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin;
use crate::compile::{Purpose, compile};
use crate::kept::Kept;
use crate::reload::Reloader;
use crate::snapshot::Snapshot;
use crate::sockets::Sockets;
use crate::source::Source;
use crate::state::State;
use crate::telemetry::log;
use crate::worker;

/// How often configurations that nothing uses any more are looked for.
const BURY: Duration = Duration::from_secs(1);

/// How long the end of the process waits for the disks of access logs.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// Threads of the runtime for slow work; more are added for work that blocks.
const SLOW_THREADS: usize = 2;

/// Serves until a signal ends it.
pub(crate) fn run(source: Source) -> ExitCode {
    match start(source) {
        Ok((running, slow)) => slow.block_on(running.until_ended()),
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "{why}");
            ExitCode::FAILURE
        }
    }
}

struct Running {
    state: Arc<State>,
    reloader: Arc<Reloader>,
    signals: Signals,
}

struct Signals {
    reload: Signal,
    reopen: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

/// Everything up to the first accepted connection. Whatever can fail, fails before anything listens.
fn start(source: Source) -> Result<(Running, Runtime), String> {
    let loaded = source.load().map_err(|problems| problems.to_string())?;
    let slow = Builder::new_multi_thread()
        .worker_threads(SLOW_THREADS)
        .thread_name("slow")
        .enable_all()
        .build()
        .map_err(|error| format!("can't start the runtime for slow work: {error}"))?;
    let kept = Kept::default();
    let compiled = compile(&loaded, &kept, slow.handle(), Purpose::Run).map_err(|problems| problems.to_string())?;
    for warning in &compiled.warnings {
        log::warn(warning);
    }
    let workers = number_of_workers(loaded.file.workers)?;
    let admin_socket = loaded
        .file
        .admin
        .as_ref()
        .map(|admin| admin::bind(admin.bind))
        .transpose()?;
    let signals = {
        let _context = slow.enter();
        Signals::new().map_err(|error| format!("can't listen to signals: {error}"))?
    };

    let state = Arc::new(State::new(compiled.snapshot, kept));
    let mut handles = Vec::with_capacity(workers);
    for number in 0..workers {
        let handle = worker::start(number, state.clone());
        handles.push(handle.map_err(|error| format!("can't start a worker: {error}"))?);
    }
    let mut listeners = Sockets::new(handles);
    let snapshot = state.snapshot.load_full();
    let change = listeners.change_to(&snapshot)?;
    listeners.carry_out(change);
    announce(
        &snapshot,
        &listeners,
        workers,
        admin_socket.as_ref().and_then(|socket| socket.local_addr().ok()),
    );
    let reloader = Arc::new(Reloader::new(source, state.clone(), slow.handle().clone(), listeners));
    if let Some(socket) = admin_socket {
        admin::start(socket, state.clone(), reloader.clone())?;
    }
    state.ready.store(true, Ordering::Release);
    log::info("ready");
    Ok((
        Running {
            state,
            reloader,
            signals,
        },
        slow,
    ))
}

/// What the variable PORTCULLIS_WORKERS says, or the file, or the number of cores.
fn number_of_workers(written: Option<u16>) -> Result<usize, String> {
    let count = match std::env::var("PORTCULLIS_WORKERS") {
        Ok(text) => Some(
            text.parse()
                .map_err(|_| format!("PORTCULLIS_WORKERS is `{text}`: not a number of workers"))?,
        ),
        Err(_) => written,
    };
    match count {
        Some(0) => Err("there must be at least one worker".to_owned()),
        Some(count) => Ok(usize::from(count)),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// Says what listens where.
fn announce(snapshot: &Snapshot, listeners: &Sockets, workers: usize, admin: Option<SocketAddr>) {
    log::info(format_args!(
        "portcullis {} with {workers} workers and {} routes",
        env!("CARGO_PKG_VERSION"),
        snapshot.routes.len()
    ));
    for rules in &snapshot.listeners {
        let scheme = if rules.tls.is_some() { "https" } else { "http" };
        if let Some(address) = listeners.address(rules.key) {
            log::info(format_args!("listening on {scheme}://{address}"));
        }
    }
    if let Some(address) = admin {
        log::info(format_args!("admin on http://{address}"));
    }
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            reload: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }
}

impl Running {
    async fn until_ended(mut self) -> ExitCode {
        let mut bury = tokio::time::interval(BURY);
        bury.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let signals = &mut self.signals;
            tokio::select! {
                _ = signals.reload.recv() => {
                    // Refusals are logged and counted where they are found.
                    let _ = self.reloader.reload().await;
                }
                _ = signals.reopen.recv() => self.state.kept.sinks.reopen(),
                _ = signals.terminate.recv() => break,
                _ = signals.quit.recv() => break,
                _ = signals.interrupt.recv() => {
                    self.finish();
                    return ExitCode::SUCCESS;
                }
                _ = bury.tick() => {
                    let state = self.state.clone();
                    Handle::current().spawn_blocking(move || state.bury());
                }
            }
        }
        self.drain().await;
        self.finish();
        ExitCode::SUCCESS
    }

    /// Lets requests in progress finish, as long as the configuration gives them.
    async fn drain(&mut self) {
        let limit = self.state.snapshot.load().drain;
        log::info(format_args!("draining for up to {limit:?}"));
        self.state.ready.store(false, Ordering::Release);
        self.reloader.drain().await;
        let due = Instant::now() + limit;
        while !self.reloader.has_drained().await {
            if Instant::now() >= due {
                log::warn("the time to drain is over: requests in progress are cut off");
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
                _ = self.signals.interrupt.recv() => return,
            }
        }
        log::info("drained");
    }

    /// Writes what has not been written yet.
    fn finish(&self) {
        if !self.state.kept.sinks.close(LOG_PATIENCE) {
            log::warn("an access log could not be written to its end");
        }
    }
}
