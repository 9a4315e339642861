//! The thread on which services are looked after.

use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::super::journal::Journal;
use super::super::membership::Membership;
use super::{Rules, tending};

/// Checks that may be under way at a time. Each takes a descriptor; of thousands of targets that answer nothing the next
/// ones wait until these are given up.
const CHECKS: usize = 256;

/// The thread on which services are looked after. It begins with the first service that asks for it, and ends with the
/// registry that it belongs to.
#[derive(Default)]
pub(in super::super) struct Watchmen {
    orders: Mutex<Option<UnboundedSender<Order>>>,
    journal: OnceLock<Journal>,
}

/// A service that is to be looked after from now on.
pub(super) struct Order {
    pub(super) service: Arc<str>,
    pub(super) membership: Weak<Membership>,
    pub(super) journal: Journal,
}

/// What all tasks of the thread share.
pub(super) struct Shift {
    /// Lets checks begin.
    pub(super) turns: Semaphore,
}

impl Watchmen {
    /// Says where to tell of what is found.
    pub(in super::super) fn set_journal(&self, journal: Journal) {
        // Said once, as the process begins.
        let _ = self.journal.set(journal);
    }

    /// Has a service looked after by these rules from now on.
    pub(in super::super) fn look_after(&self, service: &str, membership: &Arc<Membership>, rules: Arc<Rules>) {
        if !membership.watch.put(rules) {
            return;
        }
        let journal = self.journal.get().copied().unwrap_or(Journal::SILENT);
        let order = Order {
            service: service.into(),
            membership: Arc::downgrade(membership),
            journal,
        };
        let mut sender = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = match &*sender {
            Some(sender) => Ok(sender.clone()),
            None => begin(),
        };
        match begun {
            Ok(orders) => {
                // The thread lives as long as its sender does.
                let _ = orders.send(order);
                *sender = Some(orders);
            }
            Err(error) => (journal.warn)(&format!(
                "health is not looked after: there is no thread for it: {error}"
            )),
        }
    }
}

fn begin() -> io::Result<UnboundedSender<Order>> {
    let (sender, orders) = unbounded_channel();
    let runtime = || {
        Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build_local(LocalOptions::default())
    };
    // Made on its thread, which it can't leave; what it needs of the system is told from there.
    let (report, begun) = std::sync::mpsc::sync_channel(1);
    std::thread::Builder::new()
        .name("health".to_owned())
        .spawn(move || match runtime() {
            Ok(runtime) => {
                let _ = report.send(Ok(()));
                runtime.block_on(work(orders));
            }
            Err(error) => {
                let _ = report.send(Err(error));
            }
        })?;
    begun
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("it ended as it began")))?;
    Ok(sender)
}

async fn work(mut orders: UnboundedReceiver<Order>) {
    let shift = Rc::new(Shift {
        turns: Semaphore::new(CHECKS),
    });
    while let Some(order) = orders.recv().await {
        tokio::task::spawn_local(tending::tend(order, shift.clone()));
    }
}
