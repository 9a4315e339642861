//! Connections to a server. Each belongs to the worker that opened it, since its socket is with that worker's event loop;
//! how many there may be is counted over all workers.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_core::Result;
use thread_local::ThreadLocal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::address::Address;
use super::session::{Mode, Session};
use crate::failure::busy;
use crate::settings::Settings;

/// Connections that are not used.
type Idle = Mutex<Vec<Counted>>;

/// The connections to one server.
pub(super) struct Pool {
    address: Address,
    most: usize,
    queue: usize,
    wait: Duration,
    /// One for each connection that may be in use.
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Connections that are open, whether in use or not.
    open: Arc<AtomicUsize>,
    idle: ThreadLocal<Idle>,
    /// One for each large answer that may be sent at a time.
    streams: Arc<Semaphore>,
    /// Connections whose statements are to be ended.
    doomed: Mutex<Doomed>,
}

#[derive(Default)]
struct Doomed {
    ids: Vec<u32>,
    is_served: bool,
}

/// A session that is counted among the open ones.
struct Counted {
    session: Session,
    _place: Place,
}

/// A place among the open connections.
struct Place(Arc<AtomicUsize>);

/// A connection in use. Dropped in the middle of its work, it is closed, and the server told to stop: the next one to use it
/// would find half a result, or a transaction of somebody else.
pub(super) struct Lease {
    counted: Option<Counted>,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

/// One that waits, counted.
struct Waiting<'p>(&'p AtomicUsize);

impl Pool {
    /// No connections yet.
    pub(super) fn new(address: Address, settings: &Settings) -> Arc<Pool> {
        let most = settings.connections.max(1);
        Arc::new(Pool {
            address,
            most,
            queue: settings.queue,
            wait: settings.wait,
            permits: Arc::new(Semaphore::new(most)),
            waiting: AtomicUsize::new(0),
            open: Arc::default(),
            idle: ThreadLocal::new(),
            streams: Arc::new(Semaphore::new((most / 2).max(1))),
            doomed: Mutex::default(),
        })
    }

    /// A place for one more large answer. They may take half of the connections: clients that are slow to take their answers
    /// must not keep others from reading.
    pub(super) fn stream(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }

    /// A connection for work of that kind, `fresh` where one that was used before won't do.
    ///
    /// # Errors
    /// `database_busy` where there is none in time, or the server is not there.
    pub(super) async fn take(self: &Arc<Pool>, mode: Mode, fresh: bool) -> Result<Lease> {
        let permit = self.permit().await?;
        if !fresh && let Some(counted) = self.take_idle(mode) {
            return Ok(self.lease(counted, permit));
        }
        if fresh {
            // They were opened before the server went away, or the network did.
            lock(self.idle.get_or_default()).clear();
        }
        let place = self.place();
        let session = Session::connect(&self.address).await.map_err(|failure| {
            // Not by `to_error`, for which wrong credentials were the caller's matter.
            busy().with_cause(super::failure::describe(&failure))
        })?;
        let counted = Counted { session, _place: place };
        Ok(self.lease(counted, permit))
    }

    /// Connections that are open, that are in use, and requests that wait for one.
    pub(super) fn load(&self) -> (usize, usize, usize) {
        let busy = self.most.saturating_sub(self.permits.available_permits());
        (
            self.open.load(Ordering::Relaxed),
            busy,
            self.waiting.load(Ordering::Relaxed),
        )
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Ok(permit);
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(busy());
        }
        let _waiting = Waiting(&self.waiting);
        match tokio::time::timeout(self.wait, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    fn lease(self: &Arc<Pool>, counted: Counted, permit: OwnedSemaphorePermit) -> Lease {
        Lease {
            counted: Some(counted),
            pool: Arc::clone(self),
            _permit: permit,
        }
    }

    /// A connection of this worker that is not used, one that needs no other setting before all others.
    fn take_idle(&self, mode: Mode) -> Option<Counted> {
        let mut idle = lock(self.idle.get_or_default());
        let place = idle.iter().rposition(|counted| counted.session.mode() == Some(mode));
        match place {
            Some(place) => Some(idle.swap_remove(place)),
            None => idle.pop(),
        }
    }

    /// A place for one more connection. Who has a permit finds one: where all are taken, another worker has a connection
    /// that is not used, and loses it.
    fn place(&self) -> Place {
        while self.open.fetch_add(1, Ordering::AcqRel) >= self.most {
            self.open.fetch_sub(1, Ordering::AcqRel);
            let Some(unused) = self.idle.iter().find_map(|idle| lock(idle).pop()) else {
                // It was taken or closed just now. One too many for a moment does no harm.
                self.open.fetch_add(1, Ordering::AcqRel);
                break;
            };
            unused.session.abandon();
        }
        Place(Arc::clone(&self.open))
    }

    /// Has the server end what that connection does, by one task for all of them.
    fn stop(self: &Arc<Pool>, id: u32) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let mut doomed = lock(&self.doomed);
        doomed.ids.push(id);
        if !std::mem::replace(&mut doomed.is_served, true) {
            let pool = Arc::clone(self);
            runtime.spawn(async move { pool.serve_doomed().await });
        }
    }

    async fn serve_doomed(&self) {
        let session = Session::connect(&self.address).await;
        let mut session = match session {
            Ok(session) => session,
            // A server that is not there does nothing for us, either. One that takes no connections ends statements at
            // their limit.
            Err(_) => return *lock(&self.doomed) = Doomed::default(),
        };
        loop {
            let ids = {
                let mut doomed = lock(&self.doomed);
                if doomed.ids.is_empty() {
                    doomed.is_served = false;
                    break;
                }
                std::mem::take(&mut doomed.ids)
            };
            for id in ids {
                // One that ended by itself is unknown by now.
                let _ = session.command(&format!("KILL {id}")).await;
            }
        }
    }
}

impl Lease {
    /// Gives the connection back, after work that left nothing behind.
    pub(super) fn give_back(mut self) {
        if let Some(counted) = self.counted.take()
            && !counted.session.is_lost()
        {
            lock(self.pool.idle.get_or_default()).push(counted);
        }
    }

    /// Closes the connection, which the server has ended or nobody can trust.
    pub(super) fn discard(mut self) {
        if let Some(counted) = self.counted.take() {
            counted.session.abandon();
        }
    }
}

impl Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self
            .counted
            .as_ref()
            .expect("it is taken by what consumes the lease")
            .session
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self
            .counted
            .as_mut()
            .expect("it is taken by what consumes the lease")
            .session
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(counted) = self.counted.take() {
            let id = counted.session.id();
            counted.session.abandon();
            self.pool.stop(id);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (open, busy, waiting) = self.load();
        write!(f, "Pool {{ open: {open}, busy: {busy}, waiting: {waiting} }}")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Lists are whole between any two statements above, so a thread that died holding the lock does no harm.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
