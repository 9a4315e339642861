//! Asks servers of DNS, on the runtime for slow work.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::sync::Semaphore;

use super::turns::{Answer, CEILING, Family, Outcome, Question, Record};

/// Questions that may be under way at a time, over all services.
const QUESTIONS: usize = 64;

/// How long a question may take with all its repetitions.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one server may take for an answer where the configuration names it. Servers of one's own are near.
const TRY: Duration = Duration::from_secs(2);

/// How much longer one family of addresses is waited for when the other has answered (RFC 8305, section 3, has 50 ms for a
/// person who waits; here nobody does). There are servers that never answer questions for AAAA.
const OTHER_FAMILY: Duration = Duration::from_millis(500);

/// The files that say how this machine resolves names.
const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What comes of a question, some time.
pub(in crate::service) type Asking = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Whoever can be asked.
pub(in crate::service) trait Oracle: Send + Sync {
    /// Asks. To be polled on the runtime for slow work.
    fn ask(self: Arc<Self>, question: Question) -> Asking;
}

/// Servers of DNS, and the file of hosts.
pub(in crate::service) struct Resolver {
    /// In place of those of the system, where there are some.
    servers: Vec<SocketAddr>,
    current: Mutex<Option<(Stamps, Arc<Means>)>>,
    questions: Semaphore,
}

/// What tells one state of the two files from another.
type Stamps = [Option<(u64, u64, i64, i64)>; 2];

/// By what names are resolved, as the files have it.
struct Means {
    resolver: TokioResolver,
    hosts: Hosts,
}

impl Resolver {
    /// Asks these servers, or those of the system where there are none.
    pub(in crate::service) fn new(servers: Vec<SocketAddr>) -> Resolver {
        Resolver {
            servers,
            current: Mutex::default(),
            questions: Semaphore::new(QUESTIONS),
        }
    }

    /// The means of now. The files of the system are read when they have changed: a machine that moves between networks, and a
    /// container whose file is written late, need no reload.
    fn means(&self) -> Result<Arc<Means>, String> {
        let stamps = [HOSTS, RESOLV_CONF].map(stamp);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, means)) = &*current
            && *known == stamps
        {
            return Ok(means.clone());
        }
        let means = Arc::new(Means::new(&self.servers)?);
        *current = Some((stamps, means.clone()));
        Ok(means)
    }

    async fn answer(self: Arc<Self>, question: Question) -> Outcome {
        let _one = self.questions.acquire().await.map_err(|error| error.to_string())?;
        let means = self.means()?;
        let answer = async {
            match &question {
                Question::Addresses(name) => means.addresses(name).await,
                Question::Services(name) => means.services(name).await,
            }
        };
        let late = |_| Err(format!("no answer in {PATIENCE:?}"));
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(late)
    }
}

impl Oracle for Resolver {
    fn ask(self: Arc<Self>, question: Question) -> Asking {
        Box::pin(self.answer(question))
    }
}

impl Means {
    fn new(servers: &[SocketAddr]) -> Result<Means, String> {
        let mut builder = if servers.is_empty() {
            // Without a file the machine itself is asked (resolv.conf(5)).
            TokioResolver::builder_tokio().unwrap_or_else(|_| builder_of(&[([127, 0, 0, 1], 53).into()]))
        } else {
            builder_of(servers)
        };
        let options = builder.options_mut();
        // The answers are kept by whoever asked.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.max_active_requests = 2 * QUESTIONS;
        let resolver = builder.build().map_err(|error| error.to_string())?;
        let hosts = Hosts::from_system().unwrap_or_default();
        Ok(Means { resolver, hosts })
    }

    /// The addresses of a name: those in the file of hosts, if it is there at all, or those of DNS.
    async fn addresses(&self, name: &str) -> Outcome {
        let parsed: Name = name.parse().map_err(|error| format!("it is no name of DNS: {error}"))?;
        let in_file = |kind| self.hosts.lookup_static_host(&Query::query(parsed.clone(), kind));
        let in_file: Vec<Record> = [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(in_file)
            .flat_map(|lookup| addresses_in(&lookup).collect::<Vec<_>>())
            .collect();
        if !in_file.is_empty() {
            return Ok(Answer {
                records: reachable_of(in_file, is_reachable),
                lasts: CEILING,
                unheard: None,
            });
        }
        let mut v4 = std::pin::pin!(self.resolver.ipv4_lookup(parsed.clone()));
        let mut v6 = std::pin::pin!(self.resolver.ipv6_lookup(parsed));
        let late = |_| Err("no answer in time".to_owned());
        let (v4, v6) = tokio::select! {
            v4 = &mut v4 => {
                let v4 = heard(v4);
                let v6 = tokio::time::timeout(patience_after(&v4), async { heard(v6.await) }).await;
                (v4, v6.unwrap_or_else(late))
            }
            v6 = &mut v6 => {
                let v6 = heard(v6);
                let v4 = tokio::time::timeout(patience_after(&v6), async { heard(v4.await) }).await;
                (v4.unwrap_or_else(late), v6)
            }
        };
        let mut answer = both(v4, v6)?;
        answer.records = reachable_of(answer.records, is_reachable);
        Ok(answer)
    }

    async fn services(&self, name: &str) -> Outcome {
        heard(self.resolver.srv_lookup(name).await)
    }
}

fn builder_of(servers: &[SocketAddr]) -> hickory_resolver::ResolverBuilder<TokioRuntimeProvider> {
    let server = |address: &SocketAddr| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = address.port();
            connection
        });
        NameServerConfig::new(address.ip(), true, connections.into())
    };
    let config = ResolverConfig::from_name_servers(servers.iter().map(server).collect());
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().timeout = TRY;
    builder
}

/// A lookup's answer. That there are no records is an answer too.
fn heard(lookup: Result<Lookup, NetError>) -> Outcome {
    match lookup {
        Ok(lookup) => Ok(Answer {
            records: lookup
                .answers()
                .iter()
                .filter_map(|record| record_of(&record.data))
                .collect(),
            lasts: lookup.valid_until().saturating_duration_since(Instant::now()),
            unheard: None,
        }),
        Err(error) if error.is_no_records_found() => Ok(Answer {
            records: Vec::new(),
            lasts: CEILING,
            unheard: None,
        }),
        Err(error) => Err(error.to_string()),
    }
}

fn record_of(data: &RData) -> Option<Record> {
    match data {
        RData::SRV(srv) => {
            let host = srv.target.to_ascii().to_ascii_lowercase();
            let host = host.trim_end_matches('.');
            // A root in place of a name says that the service is not there (RFC 2782).
            (!host.is_empty()).then(|| Record::Service {
                priority: srv.priority,
                weight: srv.weight,
                host: host.to_owned(),
                port: srv.port,
            })
        }
        data => data.ip_addr().map(Record::Address),
    }
}

fn addresses_in(lookup: &Lookup) -> impl Iterator<Item = Record> {
    let addresses = lookup.answers().iter().filter_map(|record| record.data.ip_addr());
    addresses.map(Record::Address)
}

/// How long the other family is waited for.
fn patience_after(first: &Outcome) -> Duration {
    match first {
        Ok(answer) if !answer.records.is_empty() => OTHER_FAMILY,
        _ => PATIENCE,
    }
}

/// The answer for both families. One may be missing where the other has addresses.
fn both(v4: Outcome, v6: Outcome) -> Outcome {
    let (mut one, other, unheard) = match (v4, v6) {
        (Ok(v4), Ok(v6)) => (v4, Some(v6), None),
        (Ok(v4), Err(_)) if !v4.records.is_empty() => (v4, None, Some(Family::V6)),
        (Err(_), Ok(v6)) if !v6.records.is_empty() => (v6, None, Some(Family::V4)),
        (Err(why), _) | (_, Err(why)) => return Err(why),
    };
    if let Some(other) = other {
        one.lasts = one.lasts.min(other.lasts);
        one.records.extend(other.records);
    }
    one.unheard = unheard;
    Ok(one)
}

/// The addresses to which this machine has a way, where there are such: without IPv6 a server's second address would only
/// cost every other request an attempt. Where there is a way to none, all stay, and requests tell what is wrong.
fn reachable_of(records: Vec<Record>, is_reachable: impl Fn(IpAddr) -> bool) -> Vec<Record> {
    let reachable = |record: &Record| match record {
        Record::Address(ip) => is_reachable(*ip),
        Record::Service { .. } => true,
    };
    if records.iter().any(reachable) {
        return records.into_iter().filter(reachable).collect();
    }
    records
}

/// Whether there is a way to an address by this machine's table of routes. Nothing is sent.
fn is_reachable(ip: IpAddr) -> bool {
    const ANY_PORT: u16 = 9;
    let from: SocketAddr = match ip {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    UdpSocket::bind(from).is_ok_and(|socket| socket.connect((ip, ANY_PORT)).is_ok())
}

fn stamp(path: &str) -> Option<(u64, u64, i64, i64)> {
    let of = std::fs::metadata(path).ok()?;
    Some((of.ino(), of.size(), of.mtime(), of.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(addresses: &[&str], seconds: u64) -> Outcome {
        let address = |text: &&str| Record::Address(text.parse().expect("an address"));
        Ok(Answer {
            records: addresses.iter().map(address).collect(),
            lasts: Duration::from_secs(seconds),
            unheard: None,
        })
    }

    #[test]
    fn one_family_does_for_both() {
        let check = |v4: Outcome, v6: Outcome, expected: Result<(usize, u64, Option<Family>), &str>| {
            let found = both(v4, v6);
            let found = found.map(|it| (it.records.len(), it.lasts.as_secs(), it.unheard));
            assert_eq!(found, expected.map_err(str::to_owned));
        };
        let broken = || Err("broken".to_owned());
        check(answer(&["10.0.0.1"], 9), answer(&["fd00::1"], 5), Ok((2, 5, None)));
        check(answer(&["10.0.0.1"], 9), answer(&[], 300), Ok((1, 9, None)));
        check(answer(&["10.0.0.1"], 9), broken(), Ok((1, 9, Some(Family::V6))));
        check(broken(), answer(&["fd00::1"], 9), Ok((1, 9, Some(Family::V4))));
        check(answer(&[], 9), broken(), Err("broken"));
        check(broken(), broken(), Err("broken"));
    }

    #[test]
    fn addresses_without_a_way_to_them_are_left_out_unless_all_are() {
        let records = answer(&["10.0.0.1", "fd00::1"], 9).expect("an answer").records;
        let kept = |way: fn(IpAddr) -> bool| reachable_of(records.clone(), way).len();
        assert_eq!((kept(|ip| ip.is_ipv4()), kept(|_| false), kept(|_| true)), (1, 2, 2));
        assert!(is_reachable([127, 0, 0, 1].into()));
    }
}
