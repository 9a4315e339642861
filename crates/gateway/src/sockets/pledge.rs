//! What a process that takes over is offered, and the parting from what it has taken.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::{Place, Sockets};
use crate::listener::quic;
use crate::snapshot::ListenerKey;
use crate::upgrade::{Ceding, Described, Kind};
use crate::worker::Command;

/// Older processes whose connections by QUIC are still known of: those of the upgrades before this one, if they follow
/// each other faster than connections end.
const ELDERS: usize = 8;

/// The numbers of the sockets that were offered, and what is needed to part with them.
#[derive(Default)]
pub(crate) struct Pledge {
    listeners: Vec<(ListenerKey, usize)>,
    quic: Vec<(ListenerKey, usize, Inbox)>,
}

/// Where an endpoint finds its packets once its socket is another process's.
struct Inbox(Arc<quic::Ceded>, OwnedFd);

impl Sockets {
    /// Every socket once more, for a process that takes over.
    ///
    /// # Errors
    /// When the system has no descriptors for them.
    pub(crate) fn offer(&self) -> io::Result<(Vec<(Described, OwnedFd)>, Pledge)> {
        let (mut offered, mut pledge) = (Vec::new(), Pledge::default());
        for (key, bound) in &self.bound {
            let kind = match &bound.place {
                Place::Tcp(_) => Kind::Tcp,
                Place::Unix(_, file) => Kind::Unix {
                    file: file.as_ref().map(|file| file.identity()),
                },
            };
            for spare in &bound.spares {
                pledge.listeners.push((*key, offered.len()));
                offered.push((Described::of(*key, kind), spare.try_clone()?.into_descriptor()));
            }
        }
        for (key, shares) in &self.bound_quic {
            for share in shares {
                let (place, of) = (share.place, share.of);
                let (read, write) = quic::pair()?;
                pledge
                    .quic
                    .push((*key, offered.len(), Inbox(share.ceded.clone(), read)));
                offered.push((
                    Described::of(*key, Kind::Udp { place, of }),
                    share.socket.try_clone()?.into(),
                ));
                let generation = share.generation;
                offered.push((Described::of(*key, Kind::Elder { place, generation }), write));
                // The youngest are first, and the oldest are left out.
                for elder in share.elders.iter().take(ELDERS) {
                    let generation = elder.generation;
                    if let Some(line) = elder.line() {
                        offered.push((Described::of(*key, Kind::Elder { place, generation }), line));
                    }
                }
            }
        }
        Ok((offered, pledge))
    }

    /// Parts with what another process serves now, and closes the rest: who waits there is let in. Then the workers finish
    /// what they have begun.
    pub(crate) fn cede(&mut self, pledge: Pledge, Ceding(kept): &Ceding) {
        for (key, number) in pledge.listeners {
            if kept.contains(&number)
                && let Some(bound) = self.bound.remove(&key)
                && let Place::Unix(_, Some(file)) = bound.place
            {
                file.leave();
            }
        }
        for (key, number, Inbox(ceded, inbox)) in pledge.quic {
            if kept.contains(&number) {
                ceded.to(inbox);
                self.bound_quic.remove(&key);
            }
        }
        let unwanted: Vec<ListenerKey> = self.bound_quic.keys().copied().collect();
        unwanted.into_iter().for_each(|key| self.close_quic(key));
        let unwanted: Vec<ListenerKey> = self.bound.keys().copied().collect();
        unwanted.into_iter().for_each(|key| self.close(key));
        for worker in &self.workers {
            worker.tell(Command::Cede);
        }
    }
}
