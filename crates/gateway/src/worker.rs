//! A worker: one thread, one event loop, its own listening sockets and connections.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use arc_swap::cache::Cache;
use portcullis_core::Drain;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle as JoinTask;

use crate::clock::Clock;
use crate::in_force::{InForce, Replaced};
use crate::listener::{Listening, quic};
use crate::overload::Load;
use crate::snapshot::{ListenerKey, Snapshot};
use crate::state::State;
use crate::{event_loop, listener};

/// How often a worker looks after connections that nobody uses.
const SWEEP: Duration = Duration::from_secs(5);

/// What the connections of one worker share.
pub(crate) struct Worker {
    pub(crate) state: Arc<State>,
    pub(crate) drain: Rc<Drain>,
    snapshots: RefCell<Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>>,
    /// The snapshot of the last request, counted without touching memory that other workers use.
    current: RefCell<Rc<InForce>>,
    replaced: Replaced,
    clock: RefCell<Clock>,
    pub(crate) connections: Cell<usize>,
    pub(crate) load: Rc<Load>,
}

/// Something that a worker must not end before.
pub(crate) struct Busy(Rc<Worker>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
    }
}

/// What a worker is told.
pub(crate) enum Command {
    /// Listen on this socket for that listener.
    Listen(ListenerKey, Listening),
    /// Listen no more for that listener; its connections go on.
    Unlisten(ListenerKey),
    /// Speak HTTP/3 on this socket for that listener.
    ListenQuic(ListenerKey, quic::Share),
    /// Let nobody in by HTTP/3 any more for that listener; those that are there are sent away after their requests.
    UnlistenQuic(ListenerKey),
    /// Take up the configuration that is in force now, even while no request comes.
    Renew,
    /// Say that the event loop turns.
    Answer(oneshot::Sender<()>),
    /// Take no more connections, end idle ones, let busy ones finish.
    Drain,
    /// The same, but leave those that wait to the process that has the sockets now.
    Cede,
}

/// A listener of this worker.
struct Accepting {
    end: Rc<Drain>,
    task: JoinTask<()>,
}

impl Accepting {
    /// Lets in who waits already, and nobody more.
    fn end(self) -> JoinTask<()> {
        self.end.start();
        self.task
    }

    /// Lets nobody in any more.
    fn cede(self) {
        // It takes connections and hands them on in one step: none is lost on the way.
        self.task.abort();
    }
}

/// A running worker, as the rest of the program holds it.
pub(crate) struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    thread: JoinHandle<()>,
}

impl Handle {
    /// Tells the worker something. A worker that has ended needs no telling.
    pub(crate) fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Whether it has ended, which it does after [`Command::Drain`] when its last connection is gone.
    pub(crate) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Starts a worker.
///
/// # Errors
/// When the system gives no thread or event loop.
pub(crate) fn start(number: usize, state: Arc<State>) -> io::Result<Handle> {
    let (commands, inbox) = mpsc::unbounded_channel();
    let thread = event_loop::start(format!("worker-{number}"), move || {
        Ok(Worker::run(number, state, inbox))
    })?;
    Ok(Handle { commands, thread })
}

/// How many workers there are to be: what the variable PORTCULLIS_WORKERS says, or the file, or the number of cores.
///
/// # Errors
/// When that is none, or no number.
pub(crate) fn count(written: Option<u16>) -> Result<usize, String> {
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

impl Worker {
    async fn run(number: usize, state: Arc<State>, mut inbox: mpsc::UnboundedReceiver<Command>) {
        let snapshot = state.snapshot.load_full();
        let worker = Rc::new(Worker {
            snapshots: RefCell::new(Cache::new(state.snapshot.clone())),
            current: RefCell::new(Rc::new(InForce::new(snapshot))),
            replaced: Replaced::default(),
            drain: Drain::new(),
            clock: RefCell::new(Clock::new()),
            connections: Cell::new(0),
            load: Load::new(number, state.loads.clone()),
            state,
        });
        let mut accepting: HashMap<ListenerKey, Vec<Accepting>> = HashMap::new();
        let mut accepting_quic: HashMap<ListenerKey, Vec<Accepting>> = HashMap::new();
        let mut ending = Vec::new();
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let next_end = worker.end_old();
            let pulse = worker.load.due(worker.snapshot().overload.as_ref());
            tokio::select! {
                command = inbox.recv() => match command {
                    Some(Command::Listen(key, socket)) => {
                        let end = Drain::new();
                        let accept = listener::accept(worker.clone(), key, socket, end.join());
                        accepting.entry(key).or_default().push(Accepting { end, task: tokio::task::spawn_local(accept) });
                    }
                    Some(Command::Unlisten(key)) => {
                        ending.retain(|task: &JoinTask<()>| !task.is_finished());
                        ending.extend(accepting.remove(&key).into_iter().flatten().map(Accepting::end));
                    }
                    Some(Command::ListenQuic(key, share)) => {
                        let end = Drain::new();
                        let accept = quic::accept(worker.clone(), key, share, end.join());
                        accepting_quic.entry(key).or_default().push(Accepting { end, task: tokio::task::spawn_local(accept) });
                    }
                    Some(Command::UnlistenQuic(key)) => {
                        ending.extend(accepting_quic.remove(&key).into_iter().flatten().map(Accepting::end));
                    }
                    // The next turn of the loop takes it up.
                    Some(Command::Renew) => {}
                    Some(Command::Answer(asker)) => {
                        // Whoever asked may have stopped waiting.
                        let _ = asker.send(());
                    }
                    Some(Command::Cede) => {
                        accepting.drain().flat_map(|(_, all)| all).for_each(Accepting::cede);
                        break;
                    }
                    Some(Command::Drain) | None => break,
                },
                _ = sweep.tick() => worker.sweep(),
                // The next turn of the loop ends what is old.
                () = until(next_end), if next_end.is_some() => {}
                () = until(pulse), if pulse.is_some() => worker.load.pulse(worker.snapshot().overload.as_ref()),
            }
        }
        ending.extend(
            accepting
                .into_values()
                .chain(accepting_quic.into_values())
                .flatten()
                .map(Accepting::end),
        );
        for task in ending {
            // A task that panicked has said so.
            let _ = task.await;
        }
        worker.drain.start();
        while worker.connections.get() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The configuration that is in force now.
    pub(crate) fn snapshot(&self) -> Rc<InForce> {
        let mut snapshots = self.snapshots.borrow_mut();
        let newest = snapshots.load();
        let mut current = self.current.borrow_mut();
        if !current.is(newest) {
            let old = std::mem::replace(&mut *current, Rc::new(InForce::new(newest.clone())));
            self.replaced.add(&old, Instant::now());
        }
        current.clone()
    }

    /// Keeps the worker from ending, until it is dropped.
    pub(crate) fn busy(self: &Rc<Worker>) -> Busy {
        self.connections.set(self.connections.get() + 1);
        Busy(self.clone())
    }

    /// The time of day at a moment.
    pub(crate) fn clock(&self, moment: Instant) -> SystemTime {
        self.clock.borrow_mut().at(moment)
    }

    /// Ends the requests that have outlived their configuration for too long; when there may be more of them.
    fn end_old(&self) -> Option<Instant> {
        // An idle worker must not hold on to an old configuration.
        let max_age = self.snapshot().max_age;
        self.replaced.end_old(max_age, Instant::now())
    }

    fn sweep(&self) {
        self.state.kept.services.sweep();
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
