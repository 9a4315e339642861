//! How often each client offends.

use std::net::IpAddr;
use std::time::Instant;

use portcullis_config::units::Quota;
use portcullis_policies::rate_limit::counters::Counters;
use portcullis_policies::rate_limit::gcra::Rate;

/// Counts offences as rate limits count requests: exactly over all workers, for a hundred thousand clients at a time; among more,
/// strangers share a count.
pub(super) struct Offenders {
    epoch: Instant,
    counters: Counters,
}

/// How many clients are told apart.
const CLIENTS: usize = 100_000;

impl Offenders {
    pub(super) fn new(after: Quota) -> Result<Offenders, String> {
        let rate = Rate::new(after.limit, after.per, after.limit)?;
        Ok(Offenders {
            epoch: Instant::now(),
            counters: Counters::with_room_for(CLIENTS, &[rate]),
        })
    }

    /// Whether one more offence of that client is not too many.
    pub(super) fn admits(&self, origin: IpAddr) -> bool {
        let key = match origin {
            IpAddr::V4(address) => self.counters.keys().of(&address.octets()),
            IpAddr::V6(address) => self.counters.keys().of(&address.octets()),
        };
        let now = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.counters.judge(key, 1, now).admitted
    }
}
