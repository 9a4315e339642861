//! Addresses that are kept out for a while: those that offend too often, and those that operators name.
//!
//! As long as nobody is banned, a request pays for one look at a number.

mod offenders;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use portcullis_config::bans::{BanAnswer, Bans as Written};
use portcullis_config::units::Quota;
use serde_json::{Value, json};

use self::offenders::Offenders;
use crate::telemetry::log;

/// How many addresses can be banned at a time. When there are more, further ones are told in the log and let be.
const MOST: usize = 100_000;

/// How many networks operators can ban: each is looked at, one after the other.
const MOST_NETWORKS: usize = 1000;

/// How long a full list is not looked through again: with as many in force as can be, each offence would look at all.
const LOOKED_THROUGH: Duration = Duration::from_secs(10);

/// How many requests may be held at a time.
const MOST_HELD: usize = 1000;

/// What a configuration says of bans.
pub(crate) struct Settings {
    after: Option<Arc<Offenders>>,
    /// In order.
    offences: Box<[u16]>,
    lasting: Duration,
    longest: Duration,
    pub(crate) answer: BanAnswer,
    pub(crate) tarpit: Duration,
    never: Box<[IpNet]>,
}

impl Settings {
    /// What the file says; offences that were counted before a reload still count.
    ///
    /// # Errors
    /// When the quota admits nobody.
    pub(crate) fn new(config: &Written, bans: &Bans) -> Result<Settings, String> {
        let mut offences = config.offences.clone();
        offences.sort_unstable();
        Ok(Settings {
            after: config.after.map(|after| bans.offenders(after)).transpose()?,
            offences: offences.into(),
            lasting: config.lasting.0,
            longest: config.longest.0.max(config.lasting.0),
            answer: config.answer,
            tarpit: config.tarpit.0,
            never: config.never.clone().into(),
        })
    }

    /// Whether an answer of that status may be an offence.
    pub(crate) fn counts(&self, status: u16) -> bool {
        self.after.is_some() && self.offences.binary_search(&status).is_ok()
    }

    /// For how long someone is banned who has been before, so many times.
    fn lasting(&self, before: u32) -> Duration {
        let doubled = self.lasting.saturating_mul(2_u32.saturating_pow(before));
        doubled.min(self.longest)
    }
}

/// Who is banned. It lives through reloads and, for what operators decided, restarts.
#[derive(Default)]
pub(crate) struct Bans {
    /// How many there are: zero is all that most requests look at.
    count: AtomicUsize,
    lists: RwLock<Lists>,
    held: AtomicUsize,
    /// Who offended how often, by the quota that counts them.
    offenders: Mutex<Option<(Quota, Arc<Offenders>)>>,
    /// Bans for offences, over the life of the process.
    pub(crate) made: AtomicU64,
    /// Requests and connections that were kept out.
    pub(crate) requests: AtomicU64,
    pub(crate) connections: AtomicU64,
}

#[derive(Default)]
struct Lists {
    addresses: HashMap<IpAddr, Ban>,
    networks: Vec<(IpNet, Ban)>,
    /// When there was no room and all were looked at.
    looked_through: Option<SystemTime>,
}

#[derive(Clone, Debug)]
struct Ban {
    until: SystemTime,
    /// How often it has been banned before this.
    before: u32,
    /// In the operator's words; nothing for a ban for offences.
    reason: Option<String>,
}

/// Why a ban can't be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Bans {
    /// Whether that client is banned now.
    pub(crate) fn forbids(&self, client: IpAddr, now: SystemTime) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let client = client.to_canonical();
        let lists = self.read();
        let own = lists.addresses.get(&origin(client));
        own.is_some_and(|ban| ban.until > now)
            || lists
                .networks
                .iter()
                .any(|(network, ban)| ban.until > now && network.contains(&client))
    }

    /// Counts an offence; the one that is too many bans. Says whether it did.
    pub(crate) fn offence(&self, client: IpAddr, settings: &Settings, now: SystemTime) -> bool {
        let client = client.to_canonical();
        let Some(offenders) = &settings.after else {
            return false;
        };
        if settings.never.iter().any(|network| network.contains(&client)) || offenders.admits(origin(client)) {
            return false;
        }
        let address = origin(client);
        let mut lists = self.write();
        let before = match lists.addresses.get(&address) {
            Some(ban) if ban.until > now => return false,
            Some(ban) => ban.before.saturating_add(1),
            None => 0,
        };
        lists.make_room(MOST, now, settings.longest);
        if lists.addresses.len() >= MOST {
            drop(lists);
            log::banned(client, None);
            return false;
        }
        let lasting = settings.lasting(before);
        let ban = Ban {
            until: now + lasting,
            before,
            reason: None,
        };
        lists.addresses.insert(address, ban);
        self.recount(&lists);
        drop(lists);
        self.made.fetch_add(1, Ordering::Relaxed);
        log::banned(client, Some(lasting));
        true
    }

    /// Bans a network for a while, in an operator's name.
    ///
    /// # Errors
    /// When there are as many as can be.
    pub(crate) fn ban(&self, network: IpNet, lasting: Duration, reason: &str, now: SystemTime) -> Result<(), Full> {
        let ban = Ban {
            until: now + lasting,
            before: 0,
            reason: Some(reason.to_owned()),
        };
        let network = unmapped(network);
        let mut lists = self.write();
        lists
            .networks
            .retain(|(other, ban)| *other != network && ban.until > now);
        if lists.networks.len() >= MOST_NETWORKS {
            return Err(Full);
        }
        lists.networks.push((network, ban));
        self.recount(&lists);
        Ok(())
    }

    /// Lifts every ban on that network and on what is within it; says how many.
    pub(crate) fn lift(&self, network: IpNet) -> usize {
        let network = unmapped(network);
        let mut lists = self.write();
        let before = lists.len();
        lists.networks.retain(|(other, _)| !network.contains(other));
        lists.addresses.retain(|address, _| !network.contains(&named(*address)));
        self.recount(&lists);
        before - lists.len()
    }

    /// All bans in force, for operators.
    pub(crate) fn told(&self, now: SystemTime) -> Value {
        let lists = self.read();
        let tell = |network: IpNet, ban: &Ban| {
            json!({
                "network": network.to_string(),
                "until": log::time(ban.until),
                "reason": ban.reason.as_deref().unwrap_or("offences"),
                "before": ban.before,
            })
        };
        let networks = lists.networks.iter().filter(|(_, ban)| ban.until > now);
        let networks = networks.map(|(network, ban)| tell(*network, ban));
        let addresses = lists.addresses.iter().filter(|(_, ban)| ban.until > now);
        let addresses = addresses.map(|(address, ban)| tell(named(*address), ban));
        networks.chain(addresses).collect()
    }

    /// How many bans are in force.
    pub(crate) fn in_force(&self, now: SystemTime) -> u64 {
        let lists = self.read();
        let networks = lists.networks.iter().map(|(_, ban)| ban);
        let all = networks.chain(lists.addresses.values());
        all.filter(|ban| ban.until > now).count() as u64
    }

    /// What the next process is to know: all of them, since whoever was kept out must not come in by an upgrade.
    pub(crate) fn decisions(&self) -> Value {
        let lists = self.read();
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let one = |network: IpNet, ban: &Ban| json!({"network": network.to_string(), "until": since(ban.until), "before": ban.before, "reason": ban.reason});
        let networks = lists.networks.iter().map(|(network, ban)| one(*network, ban));
        let addresses = lists.addresses.iter().map(|(address, ban)| one(named(*address), ban));
        networks.chain(addresses).collect()
    }

    /// Takes what the process before decided.
    ///
    /// # Errors
    /// Says what can't be used; the rest is taken.
    pub(crate) fn take_decisions(&self, decided: &Value) -> Result<(), String> {
        let mut unusable = 0;
        let mut lists = self.write();
        for one in decided.as_array().into_iter().flatten() {
            let network = one["network"].as_str().and_then(|text| text.parse::<IpNet>().ok());
            let until = one["until"]
                .as_u64()
                .and_then(|until| UNIX_EPOCH.checked_add(Duration::from_secs(until)));
            let (Some(network), Some(until)) = (network, until) else {
                unusable += 1;
                continue;
            };
            let ban = Ban {
                until,
                before: one["before"]
                    .as_u64()
                    .and_then(|before| u32::try_from(before).ok())
                    .unwrap_or(0),
                reason: one["reason"].as_str().map(str::to_owned),
            };
            if ban.reason.is_some() && lists.networks.len() < MOST_NETWORKS {
                lists.networks.push((network, ban));
            } else if ban.reason.is_none() && lists.addresses.len() < MOST {
                lists.addresses.insert(origin(network.addr()), ban);
            }
        }
        self.recount(&lists);
        match unusable {
            0 => Ok(()),
            count => Err(format!("{count} bans can't be read")),
        }
    }

    /// A place among the requests that are held, if there is one.
    pub(crate) fn hold(self: &Arc<Bans>) -> Option<Held> {
        let before = self.held.fetch_add(1, Ordering::Relaxed);
        let held = Held(self.clone());
        (before < MOST_HELD).then_some(held)
    }

    /// The counts of offences under that quota: those that are kept, or new ones.
    fn offenders(&self, after: Quota) -> Result<Arc<Offenders>, String> {
        let mut kept = self.offenders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, offenders)) = &*kept
            && *known == after
        {
            return Ok(offenders.clone());
        }
        let new = Arc::new(Offenders::new(after)?);
        *kept = Some((after, new.clone()));
        Ok(new)
    }

    fn recount(&self, lists: &Lists) {
        self.count.store(lists.len(), Ordering::Relaxed);
    }

    fn read(&self) -> RwLockReadGuard<'_, Lists> {
        self.lists.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Lists> {
        self.lists.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lists {
    fn len(&self) -> usize {
        self.addresses.len() + self.networks.len()
    }

    /// Forgets bans that are over, where there are as many as can be: those that have been for so long, and if that isn't enough all
    /// of them, since to keep one out now counts for more than to remember that another was.
    fn make_room(&mut self, most: usize, now: SystemTime, after: Duration) {
        let lately = self.looked_through.and_then(|looked| now.duration_since(looked).ok());
        if self.addresses.len() < most || lately.is_some_and(|since| since < LOOKED_THROUGH) {
            return;
        }
        self.looked_through = Some(now);
        let since = now.checked_sub(after).unwrap_or(UNIX_EPOCH);
        self.addresses.retain(|_, ban| ban.until > since);
        if self.addresses.len() >= most {
            self.addresses.retain(|_, ban| ban.until > now);
        }
        self.networks.retain(|(_, ban)| ban.until > now);
    }
}

/// One of the requests that are held.
pub(crate) struct Held(Arc<Bans>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one client is at the least: an address of IPv4, a /64 network of IPv6.
pub(crate) fn origin(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}

/// The network as clients' addresses are looked for in it: those of IPv4 are never mapped into IPv6 there.
fn unmapped(network: IpNet) -> IpNet {
    let network = network.trunc();
    let mapped = match network {
        IpNet::V4(_) => None,
        IpNet::V6(v6) => v6.network().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
    };
    let v4 = mapped.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    v4.map_or(network, IpNet::V4)
}

/// The network that an origin stands for.
fn named(origin: IpAddr) -> IpNet {
    match origin {
        IpAddr::V4(_) => IpNet::from(origin),
        IpAddr::V6(address) => Ipv6Net::new(address, 64).map_or_else(|_| IpNet::from(origin), IpNet::V6),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn settings(after: Option<&str>) -> Settings {
        let config = Written {
            after: after.map(|quota| quota.parse().unwrap()),
            never: vec!["10.0.0.0/8".parse().unwrap()],
            ..Written::default()
        };
        Settings::new(&config, &Bans::default()).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        NOW + Duration::from_secs(seconds)
    }

    #[test]
    fn whoever_offends_too_often_is_banned_for_a_while() {
        let (bans, settings) = (Bans::default(), settings(Some("3/1m")));
        let client = address("192.0.2.1");
        for _ in 0..3 {
            bans.offence(client, &settings, NOW);
            assert!(!bans.forbids(client, NOW));
        }
        bans.offence(client, &settings, NOW);
        assert!(bans.forbids(client, NOW) && bans.forbids(address("::ffff:192.0.2.1"), at(599)));
        assert!(!bans.forbids(address("192.0.2.2"), NOW));
        assert!(!bans.forbids(client, at(600)));
        assert_eq!((bans.in_force(NOW), bans.in_force(at(600))), (1, 0));
    }

    #[test]
    fn each_time_is_twice_as_long_up_to_a_limit() {
        let (bans, settings) = (Bans::default(), settings(Some("1/1h")));
        let client = address("192.0.2.1");
        let mut now = 0;
        bans.offence(client, &settings, at(now));
        for lasting in [600, 1200, 2400, 4800] {
            bans.offence(client, &settings, at(now));
            assert!(bans.forbids(client, at(now + lasting - 1)) && !bans.forbids(client, at(now + lasting)));
            now += lasting;
        }
        assert_eq!(settings.lasting(40), Duration::from_secs(86_400));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_some_are_never_banned() {
        let (bans, settings) = (Bans::default(), settings(Some("1/1h")));
        for client in ["2001:db8::1", "2001:db8::2", "10.0.0.1", "10.0.0.1"] {
            bans.offence(address(client), &settings, NOW);
        }
        assert!(bans.forbids(address("2001:db8::3"), NOW));
        assert!(!bans.forbids(address("2001:db8:0:1::1"), NOW) && !bans.forbids(address("10.0.0.1"), NOW));
    }

    #[test]
    fn operators_ban_and_lift() {
        let bans = Bans::default();
        bans.ban("192.0.2.0/24".parse().unwrap(), Duration::from_secs(60), "scans", NOW)
            .unwrap();
        bans.ban("198.51.100.7/32".parse().unwrap(), Duration::from_secs(60), "spam", NOW)
            .unwrap();
        assert!(bans.forbids(address("192.0.2.9"), at(59)) && !bans.forbids(address("192.0.2.9"), at(60)));
        assert_eq!(bans.told(NOW).as_array().unwrap().len(), 2);
        assert_eq!(bans.lift("192.0.2.0/24".parse().unwrap()), 1);
        assert!(!bans.forbids(address("192.0.2.9"), NOW) && bans.forbids(address("198.51.100.7"), NOW));
        assert_eq!(bans.lift("0.0.0.0/0".parse().unwrap()), 1);
        assert!(!bans.forbids(address("198.51.100.7"), NOW));
    }

    #[test]
    fn a_mapped_network_is_that_of_ipv4() {
        let bans = Bans::default();
        let mapped: IpNet = "::ffff:192.0.2.7/120".parse().unwrap();
        bans.ban(mapped, Duration::from_secs(60), "scans", NOW).unwrap();
        assert!(bans.forbids(address("192.0.2.1"), NOW) && !bans.forbids(address("192.0.3.1"), NOW));
        assert_eq!(bans.lift(mapped), 1);
    }

    #[test]
    fn a_full_list_makes_room_and_is_not_looked_through_each_time() {
        let ban = |until| Ban {
            until: at(until),
            before: 0,
            reason: None,
        };
        let of = |numbers: std::ops::Range<u32>, until: u64| {
            let addresses = numbers.map(|number| IpAddr::from(number.to_be_bytes()));
            addresses.map(move |address| (address, ban(until))).collect::<Vec<_>>()
        };
        let longest = Duration::from_secs(1000);
        let mut lists = Lists::default();
        lists.addresses.extend(of(0..5, 10).into_iter().chain(of(5..10, 5000)));
        lists.make_room(11, at(2000), longest);
        assert_eq!(lists.addresses.len(), 10, "there is room");
        lists.make_room(10, at(2000), longest);
        assert_eq!(lists.addresses.len(), 5, "what has been over for long is forgotten");
        lists.addresses.extend(of(10..15, 2005));
        lists.make_room(10, at(2009), longest);
        assert_eq!(lists.addresses.len(), 10, "it was looked through just now");
        lists.make_room(10, at(2010), longest);
        assert_eq!(lists.addresses.len(), 5, "what is over makes room for what is not");
    }

    #[test]
    fn operators_bans_are_limited() {
        let bans = Bans::default();
        for number in 0..MOST_NETWORKS {
            let network = IpNet::from(IpAddr::from(u32::try_from(number).unwrap().to_be_bytes()));
            bans.ban(network, Duration::from_secs(60), "", NOW).unwrap();
        }
        let more = "192.0.2.0/24".parse().unwrap();
        assert_eq!(bans.ban(more, Duration::from_secs(60), "", NOW), Err(Full));
        assert_eq!(bans.ban(more, Duration::from_secs(60), "", at(61)), Ok(()));
    }

    #[test]
    fn what_is_handed_over_is_in_force_there() {
        let (old, new, settings) = (Bans::default(), Bans::default(), settings(Some("1/1h")));
        old.offence(address("2001:db8::1"), &settings, NOW);
        old.offence(address("2001:db8::1"), &settings, NOW);
        old.ban("192.0.2.0/24".parse().unwrap(), Duration::from_secs(60), "scans", NOW)
            .unwrap();
        new.take_decisions(&old.decisions()).unwrap();
        assert_eq!(old.told(NOW), new.told(NOW));
        assert!(new.forbids(address("2001:db8::7"), NOW) && new.forbids(address("192.0.2.7"), NOW));
        assert!(Bans::default().take_decisions(&json!([{"network": "x"}])).is_err());
    }

    #[test]
    fn a_tarpit_has_an_end() {
        let bans = Arc::new(Bans::default());
        let held: Vec<Held> = std::iter::from_fn(|| bans.hold()).collect();
        assert_eq!(held.len(), MOST_HELD);
        drop(held);
        assert!(bans.hold().is_some());
    }
}
