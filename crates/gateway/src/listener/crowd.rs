//! How many connections each client has, and how fast it opens new ones.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portcullis_config::listener::ListenerLimits;
use portcullis_config::units::Quota;
use portcullis_policies::rate_limit::counters::Counters;
use portcullis_policies::rate_limit::gcra::Rate;

use crate::bans::origin;

/// How many clients' new connections are told apart.
const CLIENTS: usize = 100_000;

/// What one client may take of a listener.
pub(crate) struct Crowd {
    most: Option<u32>,
    open: Mutex<HashMap<IpAddr, u32>>,
    new: Option<(Instant, Counters)>,
    quota: Option<Quota>,
}

/// One of a client's connections, until it is over.
pub(crate) struct Place {
    crowd: Arc<Crowd>,
    client: IpAddr,
}

impl Crowd {
    /// What a listener says; nothing where it says nothing.
    ///
    /// # Errors
    /// When the rate admits nobody.
    pub(crate) fn of(limits: &ListenerLimits) -> Result<Option<Arc<Crowd>>, String> {
        if limits.connections_per_client.is_none() && limits.new_connections_per_client.is_none() {
            return Ok(None);
        }
        let new = match limits.new_connections_per_client {
            Some(quota) => {
                let rate = Rate::new(quota.limit, quota.per, quota.limit)?;
                Some((Instant::now(), Counters::with_room_for(CLIENTS, &[rate])))
            }
            None => None,
        };
        Ok(Some(Arc::new(Crowd {
            most: limits.connections_per_client,
            open: Mutex::default(),
            new,
            quota: limits.new_connections_per_client,
        })))
    }

    /// Whether it is what these limits say.
    pub(crate) fn is_of(&self, limits: &ListenerLimits) -> bool {
        self.most == limits.connections_per_client && self.quota == limits.new_connections_per_client
    }

    /// A place for one more connection of that client, if it may have one.
    pub(crate) fn enter(self: &Arc<Crowd>, client: IpAddr) -> Option<Place> {
        let client = origin(client.to_canonical());
        if let Some((epoch, counters)) = &self.new {
            let key = match client {
                IpAddr::V4(address) => counters.keys().of(&address.octets()),
                IpAddr::V6(address) => counters.keys().of(&address.octets()),
            };
            let now = u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
            if !counters.judge(key, 1, now).admitted {
                return None;
            }
        }
        let mut open = self.open();
        let count = open.get(&client).copied().unwrap_or(0);
        // Before anything is kept of whoever isn't let in.
        if self.most.is_some_and(|most| count >= most) {
            return None;
        }
        open.insert(client, count + 1);
        drop(open);
        Some(Place {
            crowd: self.clone(),
            client,
        })
    }

    /// By client; no more than there are connections of the listener.
    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.crowd.open();
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn crowd(most: Option<u32>, new: Option<&str>) -> Arc<Crowd> {
        let limits = ListenerLimits {
            connections_per_client: most,
            new_connections_per_client: new.map(|quota| quota.parse().unwrap()),
            ..ListenerLimits::default()
        };
        Crowd::of(&limits).unwrap().unwrap()
    }

    #[test]
    fn a_client_has_so_many_connections_at_a_time() {
        let crowd = crowd(Some(2), None);
        let client = |text: &str| text.parse::<IpAddr>().unwrap();
        let places: Vec<_> = (0..3).map(|_| crowd.enter(client("192.0.2.1"))).collect();
        assert_eq!(places.iter().flatten().count(), 2);
        assert!(crowd.enter(client("192.0.2.2")).is_some());
        let network = [crowd.enter(client("2001:db8::1")), crowd.enter(client("2001:db8::2"))];
        assert!(crowd.enter(client("2001:db8::3")).is_none());
        drop((places, network));
        assert!(crowd.enter(client("192.0.2.1")).is_some());
        assert!(crowd.open().is_empty(), "whoever left takes no room");
        let nobody = self::crowd(Some(0), None);
        assert!(nobody.enter(client("192.0.2.1")).is_none() && nobody.open().is_empty());
    }

    #[test]
    fn a_client_opens_so_many_connections_in_a_time() {
        let crowd = crowd(None, Some("2/1h"));
        let client = IpAddr::from([192, 0, 2, 1]);
        let entered = (0..5).filter(|_| crowd.enter(client).is_some()).count();
        assert_eq!(entered, 2);
        assert!(crowd.enter(IpAddr::from([192, 0, 2, 2])).is_some());
    }

    #[test]
    fn a_listener_that_says_nothing_counts_nothing() {
        assert!(Crowd::of(&ListenerLimits::default()).unwrap().is_none());
    }
}
