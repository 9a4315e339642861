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
use crate::inherited::Inherited;
use crate::listener::watch_certificates;
use crate::reload::{Asker, Checked, Fixed, Reloader};
use crate::sockets::Sockets;
use crate::source::Source;
use crate::state::State;
use crate::systemd::Manager;
use crate::telemetry::log;
use crate::worker;

/// How often configurations that nothing uses any more are looked for.
const BURY: Duration = Duration::from_secs(1);

/// How long the end of the process waits for the disks of access logs.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// How long a thread for work that blocks waits for more of it.
const SLOW_KEEP_ALIVE: Duration = Duration::from_secs(2);

/// How often the heart beats where no service manager listens to it.
const NO_BEAT: Duration = Duration::from_secs(3600);

/// Threads of the runtime for slow work; more are added for work that blocks.
const SLOW_THREADS: usize = 2;

/// Descriptors that the runtime takes as it is made.
const DESCRIPTORS: usize = 8;

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
    manager: Manager,
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

/// Everything up to readiness. What creates or changes something, such as a database, comes last, after
/// all else that can fail.
fn start(source: Source) -> Result<(Running, Runtime), String> {
    descriptors_to_begin_with()?;
    let slow = Builder::new_multi_thread()
        .worker_threads(SLOW_THREADS)
        .thread_name("slow")
        .thread_keep_alive(SLOW_KEEP_ALIVE)
        .enable_all()
        .build()
        .map_err(|error| format!("can't start the runtime for slow work: {error}"))?;
    // On a thread of the slow runtime, as reloads are: the next compilation there finds the memory that this one used.
    let handle = slow.handle().clone();
    let check = move || {
        let checked = source.load().and_then(|loaded| Checked::new(loaded, &handle));
        checked
            .map(|checked| (source, checked))
            .map_err(|problems| problems.to_string())
    };
    let checked = slow.block_on(slow.handle().spawn_blocking(check));
    let (source, checked) = checked.map_err(|error| error.to_string())??;
    let file = &checked.loaded.file;
    let workers = worker::count(file.workers)?;
    let fixed = Fixed::new(file, workers);
    let admin_socket = file.admin.as_ref().map(|admin| admin::bind(admin.bind)).transpose()?;
    let admin_address = admin_socket.as_ref().and_then(|socket| socket.local_addr().ok());
    let state_folder = file.state.as_ref().map(|folder| checked.loaded.base.join(folder));

    // Until one is in force, the workers know an empty configuration. Nothing reaches them yet.
    let state = Arc::new(State::new());
    state.kept.services.set_workers(workers);
    state.kept.services.set_journal(log::journal());
    if let Some(folder) = state_folder {
        let kept = state.handover.keep_in(&folder)?;
        state.handover.expect(|| Ok(kept.unwrap_or_default()));
        slow.spawn(state.handover.clone().keep());
    }
    let mut handles = Vec::with_capacity(workers);
    for number in 0..workers {
        let handle = worker::start(number, state.clone());
        handles.push(handle.map_err(|error| format!("can't start a worker: {error}"))?);
    }
    let sockets = Sockets::new(handles, Inherited::from_environment());
    let reloader = Arc::new(Reloader::new(
        source,
        state.clone(),
        slow.handle().clone(),
        fixed,
        sockets,
    ));
    if let Some(socket) = admin_socket {
        admin::start(socket, state.clone(), reloader.clone())?;
    }
    let urls = slow.block_on(reloader.begin(checked))?;
    // Only now: a signal ends a start at once, even one that waits for a migration.
    let signals = {
        let _context = slow.enter();
        Signals::new().map_err(|error| format!("can't listen to signals: {error}"))?
    };
    announce(&urls, workers, state.snapshot.load().routes.len(), admin_address);
    slow.spawn(watch_certificates(state.clone()));
    state.ready.store(true, Ordering::Release);
    log::info("ready");
    let manager = Manager::from_environment();
    manager.ready("serving");
    Ok((
        Running {
            manager,
            state,
            reloader,
            signals,
        },
        slow,
    ))
}

/// Makes sure that the system gives a few descriptors: the runtime panics when it gets none for its signals.
///
/// # Errors
/// The system's.
fn descriptors_to_begin_with() -> Result<(), String> {
    let files: Result<Vec<_>, _> = (0..DESCRIPTORS).map(|_| std::fs::File::open("/dev/null")).collect();
    files
        .map(drop)
        .map_err(|error| format!("can't start without {DESCRIPTORS} descriptors: {error}"))
}

/// Says what listens where.
fn announce(urls: &[String], workers: usize, routes: usize, admin: Option<SocketAddr>) {
    log::info(format_args!(
        "portcullis {} with {workers} workers and {routes} routes",
        env!("CARGO_PKG_VERSION"),
    ));
    for url in urls {
        log::info(format_args!("listening on {url}"));
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
        let beat = self.manager.heartbeat();
        let mut heart = tokio::time::interval(beat.unwrap_or(NO_BEAT));
        heart.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let signals = &mut self.signals;
            tokio::select! {
                _ = signals.reload.recv() => {
                    self.manager.reloading();
                    // Refusals are logged and counted where they are found.
                    let status = match self.reloader.reload(Asker::Signal).await {
                        Ok(_) => "serving",
                        Err(_) => "serving; the last reload was refused",
                    };
                    self.manager.ready(status);
                }
                _ = heart.tick(), if beat.is_some() => {
                    // A worker that hangs is to be seen from outside: then the manager hears nothing.
                    if self.reloader.workers_live(heart.period() / 2).await {
                        self.manager.alive();
                    }
                }
                _ = signals.reopen.recv() => self.state.kept.sinks.reopen(),
                _ = signals.terminate.recv() => break,
                _ = signals.quit.recv() => break,
                _ = signals.interrupt.recv() => {
                    log::info("interrupted: ending without a drain");
                    // Sockets in the file system are removed. Nobody is waited for.
                    self.reloader.drain().await;
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
        // Whoever reads the line may rely on it.
        self.state.ready.store(false, Ordering::Release);
        log::info(format_args!("draining for up to {limit:?}"));
        self.manager.stopping(limit + LOG_PATIENCE);
        self.reloader.drain().await;
        let due = Instant::now() + limit;
        while !self.reloader.has_drained().await {
            if Instant::now() >= due {
                log::warn("the time to drain is over: requests in progress are cut off");
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
                _ = self.signals.reload.recv() => {
                    let _ = self.reloader.reload(Asker::Signal).await;
                }
                _ = self.signals.interrupt.recv() => {
                    log::warn("interrupted: requests in progress are cut off");
                    return;
                }
            }
        }
        log::info("drained");
    }

    /// Writes what has not been written yet.
    fn finish(&self) {
        self.state.handover.write_changes();
        if !self.state.kept.sinks.close(LOG_PATIENCE) {
            log::warn("an access log could not be written to its end");
        }
    }
}
