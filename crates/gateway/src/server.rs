//! The life of the process: start, signals, end.

mod before;
mod pid_file;
mod upgrading;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use self::before::{After, Before, Desk, unless_it_fails};
use self::pid_file::PidFile;
use self::upgrading::{Operators, Pledged};
use crate::handover::Lives;
use crate::listener::watch_certificates;
use crate::reload::{Asker, Checked, Fixed, Reloader};
use crate::rollouts;
use crate::sockets::Sockets;
use crate::source::Source;
use crate::state::State;
use crate::systemd::Manager;
use crate::telemetry::log;
use crate::upgrade::{Program, Upgrades};
use crate::worker;

/// How often configurations that nothing uses any more are looked for.
const BURY: Duration = Duration::from_secs(1);

/// How long the end of the process waits for the disks of access logs.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// How long it waits for the durable store.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// How long a thread for work that blocks waits for more of it.
const SLOW_KEEP_ALIVE: Duration = Duration::from_secs(2);

/// How often the heart beats where no service manager listens to it.
const NO_BEAT: Duration = Duration::from_secs(3600);

/// Threads of the runtime for slow work; more are added for work that blocks.
const SLOW_THREADS: usize = 2;

/// Descriptors that the runtime takes as it is made.
const DESCRIPTORS: usize = 8;

/// Serves until a signal ends it. With `watch` the configuration is loaded again whenever its file changes. The file for
/// its number, where there is one, says which process serves.
pub(crate) fn run(source: Source, watch: bool, pid_file: Option<&Path>) -> ExitCode {
    match start(source, watch, pid_file) {
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
    /// Changes of the configuration's file, where that is watched.
    changes: mpsc::Receiver<()>,
    /// Which process this is since the first one.
    generation: u8,
    upgrades: Upgrades,
    /// What the process was promised that is to take over, while it starts.
    pledged: Option<Pledged>,
    operators: Option<Operators>,
    pid_file: Option<PidFile>,
    /// Whether somebody asked for a reload while this process took over: what it has read may be old.
    reload_due: bool,
}

struct Signals {
    reload: Signal,
    reopen: Signal,
    upgrade: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

/// Everything up to readiness. What creates or changes something, such as a database, comes last, after
/// all else that can fail.
fn start(source: Source, watch: bool, pid_file: Option<&Path>) -> Result<(Running, Runtime), String> {
    descriptors_to_begin_with()?;
    let upgrades = Upgrades::new(Program::started());
    let before = Before::look()?;
    let takes_over = before.is_somebody();
    let slow = slow_runtime()?;
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
    let desk = file
        .admin
        .as_ref()
        .map(|admin| Desk::open(admin.bind, &before))
        .transpose()?;
    let admin_address = desk.as_ref().map(|desk| desk.address);
    let state_folder = file.state.as_ref().map(|folder| checked.loaded.base.join(folder));

    // Until one is in force, the workers know an empty configuration. Nothing reaches them yet.
    let state = Arc::new(State::new());
    state.kept.services.set_workers(workers);
    state.kept.services.set_journal(log::journal());
    state.kept.keyrings.set_warn(|line| log::warn(line));
    rollouts::register(&state);
    hand_over_decisions(&state);
    slow.spawn(state.handover.clone().keep());
    let After {
        inherited,
        generation,
        reload_due,
    } = before.hand_on(&state, state_folder.as_deref())?;
    let mut handles = Vec::with_capacity(workers);
    for number in 0..workers {
        let handle = worker::start(number, state.clone());
        handles.push(handle.map_err(|error| format!("can't start a worker: {error}"))?);
    }
    let sockets = Sockets::new(handles, inherited, generation);
    let reloader = Arc::new(Reloader::new(
        source,
        state.clone(),
        slow.handle().clone(),
        fixed,
        sockets,
    ));
    let serve = |desk: Desk| desk.serve(&state, &reloader);
    let (urls, operators, signals) = if takes_over {
        let signals = Signals::new(&slow)?;
        let urls = slow.block_on(reloader.begin(checked))?;
        // Until now another process served and answered operators. It doesn't any more: what fails from here on is told
        // and gone without.
        (urls, unless_it_fails(desk.map(serve).transpose()), signals)
    } else {
        let operators = desk.map(serve).transpose()?;
        let urls = slow.block_on(reloader.begin(checked))?;
        // Only now: a signal ends a start at once, even one that waits for a migration.
        (urls, operators, Signals::new(&slow)?)
    };
    announce(&urls, workers, state.snapshot.load().routes.len(), admin_address);
    slow.spawn(watch_certificates(state.clone()));
    slow.spawn(rollouts::watch(state.clone()));
    let (notice, changes) = mpsc::channel(1);
    if watch {
        slow.spawn(reloader.clone().watch(notice));
    }
    state.ready.store(true, Ordering::Release);
    let written = pid_file.map(PidFile::write).transpose();
    let pid_file = if takes_over { unless_it_fails(written) } else { written? };
    log::info("ready");
    let manager = Manager::from_environment();
    manager.begin(takes_over);
    let running = Running {
        manager,
        state,
        reloader,
        signals,
        changes,
        generation,
        upgrades,
        pledged: None,
        operators,
        pid_file,
        reload_due: reload_due.load(Ordering::Acquire),
    };
    Ok((running, slow))
}

/// What operators decided about the targets of services, and who is banned, lives on in the next process.
fn hand_over_decisions(state: &Arc<State>) {
    let (old, new) = (Arc::downgrade(state), Arc::downgrade(state));
    let write = move || {
        let state = old.upgrade();
        state.map_or(serde_json::Value::Null, |state| state.kept.services.decisions())
    };
    let take = move |decided| match new.upgrade() {
        Some(state) => state.kept.services.take_decisions(decided),
        None => Ok(()),
    };
    state.handover.register("memberships", Lives::Restarts, write, take);
    let (old, new) = (state.kept.bans.clone(), state.kept.bans.clone());
    let take = move |decided: serde_json::Value| new.take_decisions(&decided);
    state
        .handover
        .register("bans", Lives::Restarts, move || old.decisions(), take);
}

fn slow_runtime() -> Result<Runtime, String> {
    Builder::new_multi_thread()
        .worker_threads(SLOW_THREADS)
        .thread_name("slow")
        .thread_keep_alive(SLOW_KEEP_ALIVE)
        .enable_all()
        .build()
        .map_err(|error| format!("can't start the runtime for slow work: {error}"))
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
    fn new(slow: &Runtime) -> Result<Signals, String> {
        let _context = slow.enter();
        let listen = |kind| signal(kind).map_err(|error| format!("can't listen to signals: {error}"));
        Ok(Signals {
            reload: listen(SignalKind::hangup())?,
            reopen: listen(SignalKind::user_defined1())?,
            upgrade: listen(SignalKind::user_defined2())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
        })
    }
}

impl Running {
    async fn until_ended(mut self) -> ExitCode {
        if self.reload_due {
            self.reload(Asker::Signal).await;
        }
        let mut bury = tokio::time::interval(BURY);
        bury.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let beat = self.manager.heartbeat();
        let mut heart = tokio::time::interval(beat.unwrap_or(NO_BEAT));
        heart.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let signals = &mut self.signals;
            tokio::select! {
                _ = signals.reload.recv() => match &mut self.pledged {
                    Some(pledged) => pledged.reload = true,
                    None => self.reload(Asker::Signal).await,
                },
                Some(()) = self.changes.recv(), if self.pledged.is_none() => self.reload(Asker::Watch).await,
                _ = signals.upgrade.recv() => self.begin_upgrade().await,
                outcome = self.upgrades.outcome() => if self.end_upgrade(outcome).await {
                    break;
                },
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
                    self.upgrades.give_up().await;
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
        self.upgrades.give_up().await;
        self.drain().await;
        self.give_back().await;
        self.finish();
        ExitCode::SUCCESS
    }

    /// Loads the configuration again, and tells the service manager of it.
    async fn reload(&mut self, asker: Asker) {
        self.manager.reloading();
        // Refusals are logged and counted where they are found.
        let status = match self.reloader.reload(asker).await {
            Ok(_) => "serving",
            Err(_) => "serving; the last reload was refused",
        };
        self.manager.ready(status);
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
                _ = self.signals.upgrade.recv() => log::warn("upgrade refused: this process drains"),
                _ = self.signals.interrupt.recv() => {
                    log::warn("interrupted: requests in progress are cut off");
                    return;
                }
            }
        }
        log::info("drained");
    }

    /// Gives back what was taken of quotas and not used. Nobody spends any more.
    async fn give_back(&self) {
        let returned = self.state.kept.stores.give_back();
        let why = match tokio::time::timeout(STORE_PATIENCE, returned).await {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why,
            Err(_) => format!("the store took more than {STORE_PATIENCE:?}"),
        };
        log::warn(format_args!(
            "units of quotas that were not used could not be given back: {why}"
        ));
    }

    /// Writes what has not been written yet.
    fn finish(&mut self) {
        self.pid_file = None;
        self.state.handover.write_changes();
        if !self.state.kept.sinks.close(LOG_PATIENCE) {
            log::warn("an access log could not be written to its end");
        }
    }
}
