//! What a gate under test does otherwise than its file says, so that it reaches nothing but stand-ins and keeps nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use portcullis_config::bind::Bind;
use portcullis_config::listener::Http3;
use portcullis_config::overload::Overload;
use portcullis_config::policy::PolicySet;
use portcullis_config::route::{PolicyRef, Route};
use portcullis_config::service::{Protocol, Service, ServiceTls, Target};
use portcullis_config::stores::Stores;
use portcullis_config::{File, defaults};
use serde::{Deserialize, Serialize};

/// The most bytes of one that is handed over: some ten thousand services.
pub(super) const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// Whose place stand-ins take, and what is tested. It goes from the process that tests to the gate, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Isolation {
    /// Where the stand-in of each service listens, by the service's name.
    pub(crate) services: BTreeMap<String, SocketAddr>,
    /// What is tested.
    pub(crate) subject: Subject,
}

/// What is tested. Policies that would answer in its place are taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    /// Limits of how often clients may ask.
    Limits,
    /// Circuit breakers.
    Breakers,
    /// What is sent away when the node is at its limit.
    Shedding,
    /// Budgets of retries.
    Retries,
}

impl Subject {
    /// All, in the order in which they are tested.
    pub(super) const ALL: [Subject; 4] = [Subject::Limits, Subject::Breakers, Subject::Shedding, Subject::Retries];
}

impl Isolation {
    /// Makes of a file what the gate under test serves by: one listener on a free port of loopback; stand-ins for all targets; no
    /// operators, stores, databases, state, logs or bans; and no policy that asks anybody else.
    pub(crate) fn apply(&self, file: &mut File) {
        let kept: BTreeSet<usize> = (0..file.routes.len())
            .filter(|index| left_out(file, &file.routes[*index]).is_none())
            .collect();
        let mut index = 0;
        file.routes.retain(|_| {
            index += 1;
            kept.contains(&(index - 1))
        });
        one_listener(file);
        file.admin = None;
        file.state = None;
        file.stores = Stores::default();
        file.bans.after = None;
        file.databases.clear();
        for (name, service) in &mut file.services {
            if let Some(address) = self.services.get(name) {
                replace(service, *address);
            }
            self.quieten(service);
        }
        let inline = file.routes.iter_mut().flat_map(|route| &mut route.policies);
        let inline = inline.filter_map(|policies| match policies {
            PolicyRef::Inline(set) => Some(&mut **set),
            PolicyRef::Name(_) => None,
        });
        for set in file.policies.values_mut().chain(inline) {
            self.strip(set);
        }
        if self.subject != Subject::Shedding {
            file.overload = Overload::default();
        }
    }

    /// Takes out of a service what would answer in the place of what is tested.
    fn quieten(&self, service: &mut Service) {
        service.adaptive_concurrency = None;
        if self.subject != Subject::Shedding {
            service.hedge = None;
            service.max_connections = service.max_connections.max(defaults::max_connections());
        }
        if self.subject != Subject::Breakers {
            service.circuit_breaker = None;
        }
    }

    fn strip(&self, set: &mut PolicySet) {
        set.access_log = None;
        set.quota = None;
        set.idempotency = None;
        set.mtls = None;
        set.jwt = None;
        set.introspect = None;
        set.oidc = None;
        set.forward = None;
        set.hmac = None;
        if let Some(keys) = &mut set.api_key {
            keys.store = false;
        }
        if let Some(inspect) = &mut set.inspect {
            inspect.audit_log = None;
        }
        set.concurrency = None;
        if self.subject != Subject::Limits {
            set.rate_limit = None;
        }
    }
}

/// Why a route can't be tested on a gate that reaches nobody; nothing where it can.
pub(super) fn left_out(file: &File, route: &Route) -> Option<&'static str> {
    if route.to.database().is_some() {
        return Some("it leads to a table, and databases are not touched");
    }
    let asks_others = |set: &PolicySet| {
        set.mtls.is_some()
            || set.jwt.is_some()
            || set.introspect.is_some()
            || set.oidc.is_some()
            || set.forward.is_some()
            || set.hmac.is_some()
    };
    sets(file, route)
        .into_iter()
        .any(asks_others)
        .then_some("who asks is found out by a way that needs others, or proof that can't be made here")
}

/// The sets of policies that apply to a route, in their order.
pub(super) fn sets<'f>(file: &'f File, route: &'f Route) -> Vec<&'f PolicySet> {
    let named = |name: &String| file.policies.get(name);
    let everywhere = file.everywhere.iter().filter_map(named);
    let of_route = route.policies.iter().filter_map(|policies| match policies {
        PolicyRef::Name(name) => file.policies.get(name),
        PolicyRef::Inline(set) => Some(&**set),
    });
    everywhere.chain(of_route).collect()
}

/// What of the whole file is left out, in sentences.
pub(super) fn remarks(file: &File) -> Vec<String> {
    let all = || file.routes.iter().flat_map(|route| sets(file, route));
    let found = [
        (
            file.overload.lag.is_some(),
            "`overload.lag` is not tested: how late an event loop is depends on the machine.",
        ),
        (
            file.stores.soft != Stores::default().soft,
            "Limits are counted by the gate under test, not in the soft store, which is not touched.",
        ),
        (file.bans.after.is_some(), "Nobody is banned during the test."),
        (
            all().any(|set| set.quota.is_some() || set.idempotency.is_some()),
            "`quota` and `idempotency` are left out: they need the durable store, which is not touched.",
        ),
        (
            file.services.values().any(|service| service.health.is_some()),
            "Health checks are left out: a stand-in counts requests, and is as well as it is told to be.",
        ),
    ];
    let found = found.into_iter().filter(|(is, _)| *is);
    found.map(|(_, sentence)| sentence.to_owned()).collect()
}

/// One listener in clear text, with the limits and times of the first that serves.
fn one_listener(file: &mut File) {
    let place = file
        .listeners
        .iter()
        .position(|listener| listener.redirect_to_https.is_none());
    let Some(mut listener) = file.listeners.get(place.unwrap_or(0)).cloned() else {
        return;
    };
    listener.bind = Bind::Tcp((Ipv4Addr::LOCALHOST, 0).into());
    listener.mode = None;
    listener.tls = None;
    listener.redirect_to_https = None;
    listener.http3 = Http3::default();
    listener.protocols = defaults::listener_protocols();
    listener.proxy_protocol.clear();
    // The whole load comes from one address.
    listener.limits.connections_per_client = None;
    listener.limits.new_connections_per_client = None;
    file.listeners = vec![listener];
}

/// One target that speaks HTTP/1.1, in the place of all.
fn replace(service: &mut Service, address: SocketAddr) {
    service.targets = vec![Target {
        url: format!("http://{address}"),
        weight: 1,
        priority: 0,
    }];
    service.discover = None;
    service.health = None;
    service.protocol = Protocol::Http1;
    service.proxy_protocol = None;
    service.tls = ServiceTls::default();
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::path::Path;

    use super::*;

    const FILE: &str = "
listeners: [{bind: '0.0.0.0:443', redirect_to_https: 8443}, {bind: '0.0.0.0:80', limits: {connections: 77}}]
admin: {bind: '127.0.0.1:9901'}
state: /var/lib/gate
bans: {after: 20/1m}
overload: {requests: 50}
databases: {d: 'sqlite:d.db'}
services:
  up: {targets: ['https://a.example', 'https://b.example'], health: {}, circuit_breaker: {}, protocol: auto}
policies:
  all: {access_log: {file: a.log}, inspect: {audit_log: b.log}}
  few: {rate_limit: 10/1s}
  proof: {jwt: {issuers: [{issuer: 'https://i.example', audience: a}]}}
everywhere: all
routes:
  - {path: /a, policies: few, to: {service: up}}
  - {path: /b, policies: proof, to: {service: up}}
  - {path: /c, policies: [{rate_limit: 5/1s}], to: {service: up}}
  - {path: /d, to: {table: d.t}}
";

    fn isolated(subject: Subject) -> File {
        let read = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
        let loaded = portcullis_config::parse(FILE, "gate.yaml".as_ref(), &|_| None, &read);
        let mut file = loaded.unwrap_or_else(|problems| panic!("{problems}")).file;
        let services = BTreeMap::from([("up".to_owned(), "127.0.0.1:7".parse().unwrap())]);
        Isolation { services, subject }.apply(&mut file);
        file
    }

    #[test]
    fn nothing_outside_is_reached() {
        let file = isolated(Subject::Limits);
        assert!(file.admin.is_none() && file.state.is_none() && file.databases.is_empty());
        let all = &file.policies["all"];
        assert!(file.bans.after.is_none() && all.access_log.is_none());
        assert!(all.inspect.as_ref().is_some_and(|inspect| inspect.audit_log.is_none()));
        let listener = &file.listeners[0];
        assert_eq!((file.listeners.len(), listener.limits.connections), (1, 77));
        assert_eq!(listener.bind.to_string(), "127.0.0.1:0");
        let up = &file.services["up"];
        assert_eq!((up.targets.len(), &*up.targets[0].url), (1, "http://127.0.0.1:7"));
        assert!(up.health.is_none() && up.protocol == Protocol::Http1);
        let paths: Vec<_> = file.routes.iter().map(|route| &*route.path).collect();
        assert_eq!(paths, ["/a", "/c"]);
    }

    #[test]
    fn what_would_answer_in_the_place_of_what_is_tested_is_taken_out() {
        let limits_left = |subject| {
            let file = isolated(subject);
            file.routes
                .iter()
                .flat_map(|route| sets(&file, route))
                .filter(|set| set.rate_limit.is_some())
                .count()
        };
        assert_eq!(Subject::ALL.map(limits_left), [2, 0, 0, 0]);
        let breaks = |subject| isolated(subject).services["up"].circuit_breaker.is_some();
        assert_eq!(Subject::ALL.map(breaks), [false, true, false, false]);
        let sheds = |subject| isolated(subject).overload.requests.is_some();
        assert_eq!(Subject::ALL.map(sheds), [false, false, true, false]);
    }
}
