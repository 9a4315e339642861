//! A thread of the engine: it opens its connections, and then runs what it is told to.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle as JoinTask;

use crate::engine::alarm::Alarm;
use crate::engine::dialer::Dialer;
use crate::engine::http1::Http1Line;
use crate::engine::http2::Http2Line;
use crate::engine::http3::Http3Line;
use crate::engine::line::Line;
use crate::engine::pacer::{Pacer, Report};
use crate::engine::running::Running;
use crate::engine::schedule::Share;
use crate::engine::worker::Worker;
use crate::engine::{event_loop, lane};
use crate::load::Phase;
use crate::plan::Plan;
use crate::target::Protocol;

/// How many connections are opened at a time before a run. A server that has no room for more in its queue must not lose them.
const OPENING_AT_A_TIME: usize = 64;

/// What a thread is told.
pub(super) enum Command {
    /// Run its part of these phases, and report to that channel.
    Run {
        start: Instant,
        phases: Arc<[Phase]>,
        reports: SyncSender<Report>,
    },
    /// End the run.
    Stop,
}

/// A thread, as the engine holds it.
pub(super) struct Thread {
    commands: mpsc::UnboundedSender<Command>,
    handle: JoinHandle<()>,
}

impl Thread {
    /// Starts a thread, which says so when its connections are open, or can't be.
    ///
    /// # Errors
    /// When the system has none left, or no descriptors.
    pub(super) fn start(plan: &Arc<Plan>, share: Share, opened: SyncSender<()>) -> io::Result<Thread> {
        let (commands, inbox) = mpsc::unbounded_channel();
        let plan = plan.clone();
        let handle = event_loop::start(format!("load-{}", share.number), move || {
            if let Some(processor) = plan.processors.get(share.number % plan.processors.len().max(1)) {
                pin(*processor)?;
            }
            let alarm = Alarm::new()?;
            Ok(run(plan, share, alarm, inbox, opened))
        })?;
        Ok(Thread { commands, handle })
    }

    /// Tells it something. A thread that has ended is found out by [`Thread::has_ended`].
    pub(super) fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Whether it has ended, which it does by itself only when something in it has gone wrong.
    pub(super) fn has_ended(&self) -> bool {
        self.handle.is_finished()
    }

    /// Ends it.
    pub(super) fn end(self) {
        drop(self.commands);
        // One that panicked has said so.
        let _ = self.handle.join();
    }
}

/// Keeps the present thread on one processor.
fn pin(processor: usize) -> io::Result<()> {
    if processor >= rustix::thread::CpuSet::MAX_CPU {
        return Err(io::Error::other(format!("there is no processor {processor}")));
    }
    let mut set = rustix::thread::CpuSet::new();
    set.set(processor);
    rustix::thread::sched_setaffinity(None, &set)?;
    Ok(())
}

async fn run(
    plan: Arc<Plan>,
    share: Share,
    alarm: Alarm,
    mut inbox: mpsc::UnboundedReceiver<Command>,
    opened: SyncSender<()>,
) {
    let dialer = Rc::new(Dialer::new(&plan, share.number));
    let (worker, opening) = match plan.target.protocol {
        Protocol::Http1 => lanes::<Http1Line>(&plan, share, &dialer),
        Protocol::Http2 => lanes::<Http2Line>(&plan, share, &dialer),
        Protocol::Http3 => lanes::<Http3Line>(&plan, share, &dialer),
    };
    for lane in opening {
        // Whether it could be opened is what a run finds.
        let _ = lane.await;
    }
    // Whoever started the thread may have given up on it.
    let _ = opened.send(());
    let mut pacer = Pacer::new(worker.clone(), dialer, share, alarm);
    while let Some(command) = inbox.recv().await {
        if let Command::Run { start, phases, reports } = command {
            let running = Running::new(&plan, share, start, phases);
            if pacer.run(running, &mut inbox, &reports).await.is_err() {
                break;
            }
        }
    }
}

/// Makes the lanes of a thread. Each opens its connection and then rests; what is given back ends with the former.
fn lanes<L: Line>(plan: &Arc<Plan>, share: Share, dialer: &Rc<Dialer>) -> (Rc<Worker>, Vec<JoinTask<()>>) {
    let connections = share.of_many(plan.connections);
    let lines: Vec<Vec<L>> = (0..connections)
        .map(|_| L::of_connection(dialer, plan.streams.max(1)))
        .collect();
    let worker = Worker::new(plan.clone(), lines.iter().map(Vec::len).sum());
    let permits = Rc::new(Semaphore::new(OPENING_AT_A_TIME));
    let failed = Rc::new(Cell::new(false));
    let mut opening = Vec::with_capacity(connections);
    // Streams first, then connections: what is begun together goes by different connections.
    let mut places: Vec<(usize, usize, L)> = Vec::new();
    for (connection, streams) in lines.into_iter().enumerate() {
        for (stream, line) in streams.into_iter().enumerate() {
            places.push((stream, connection, line));
        }
    }
    places.sort_by_key(|(stream, connection, _)| (*stream, *connection));
    for (number, (stream, _, mut line)) in (0u32..).zip(places) {
        let (worker, permits, failed) = (worker.clone(), permits.clone(), failed.clone());
        let timeout = plan.timeout;
        if stream > 0 {
            tokio::task::spawn_local(lane::serve(worker, number, line));
            continue;
        }
        opening.push(tokio::task::spawn_local(async move {
            {
                // It is never closed.
                let _permit = permits.acquire().await;
                // Where one can't be opened, the run finds out why. Trying all would only take long.
                if !failed.get() {
                    let open = tokio::time::timeout(timeout, line.open()).await;
                    failed.set(!matches!(open, Ok(Ok(()))) || failed.get());
                }
            }
            tokio::task::spawn_local(lane::serve(worker, number, line));
        }));
    }
    (worker, opening)
}
