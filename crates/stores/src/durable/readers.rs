//! The threads that read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Answer, Error};

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Threads with one connection each that share a queue.
pub(super) struct Readers {
    queue: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(connections: Vec<Connection>, queue: usize) -> Result<Readers, String> {
        let (sender, jobs) = sync_channel(queue);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for connection in connections {
            let jobs = jobs.clone();
            let thread = thread::Builder::new().name("store-read".to_owned());
            let thread = thread.spawn(move || serve(&connection, &jobs));
            threads.push(thread.map_err(|error| format!("a thread can't be started: {error}"))?);
        }
        Ok(Readers {
            queue: Some(sender),
            threads,
        })
    }

    pub(super) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody is told where nobody waits any more.
            if !sender.is_closed() {
                let _ = sender.send(work(connection));
            }
        });
        match self.queue.as_ref().map(|queue| queue.try_send(job)) {
            Some(Ok(())) => Answer::awaited(receiver),
            _ => Answer::refused(Error::Busy),
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        // Whoever waits for a job has the lock, and lets go of it before the work begins.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A mistake in one reader's work must not take the thread from all others.
        let _ = catch_unwind(AssertUnwindSafe(|| job(connection)));
    }
}
