//! The keys of session tickets, which outlive a reload.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

use crate::snapshot::ListenerKey;

/// Who may resume a session: clients of the same listener who were asked for certificates in the same way. A digest
/// stands for the way, with the authorities and revocation lists themselves.
pub(super) type Audience = (ListenerKey, [u8; 32]);

/// The keys of tickets by audience. All workers share them, and a reload that changes nothing about clients'
/// certificates takes them over. They change by themselves every six hours, and a ticket is good for twelve.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<HashMap<Audience, Weak<dyn ProducesTickets>>>);

impl Tickets {
    /// The keys for an audience: those in use, or new ones.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(super) fn of(&self, audience: Audience) -> Result<Arc<dyn ProducesTickets>, String> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keys.get(&audience).and_then(Weak::upgrade) {
            return Ok(known);
        }
        keys.retain(|_, known| known.strong_count() > 0);
        let new = Ticketer::new().map_err(|error| format!("no keys for session tickets: {error}"))?;
        keys.insert(audience, Arc::downgrade(&new));
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shared_within_an_audience_and_by_nobody_else() {
        let tickets = Tickets::default();
        let key = |nth| ListenerKey {
            bind: crate::snapshot::Bind::Tcp(([127, 0, 0, 1], 443).into()),
            nth,
        };
        let of = |nth, digest| tickets.of((key(nth), [digest; 32])).expect("random numbers");
        let first = of(0, 1);
        let ticket = first.encrypt(b"session").expect("it encrypts");
        assert_eq!(of(0, 1).decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        assert_eq!(of(0, 2).decrypt(&ticket), None, "other authorities");
        assert_eq!(of(1, 1).decrypt(&ticket), None, "another listener");
    }
}
