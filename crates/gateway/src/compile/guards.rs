//! The policies of each route, in the order of the program's table.

mod made;
mod making;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portcullis_config::File;
use portcullis_config::policy::{PolicySet, access_log as written_log};
use portcullis_config::route::{PolicyRef, Route};
use portcullis_core::Policy;
use portcullis_policies::access_log::{self, AccessLog};
use portcullis_policies::authenticate::{Authenticate, Authenticator};
use portcullis_policies::metrics::Metrics;
use portcullis_policies::order::{Kind, ORDER};
use portcullis_policies::{authorize, cookies, cors, csrf, grpc_web, headers, ip, limits, mtls, reveal};

use self::making::Making;
use super::{Compiler, Purpose};
use crate::snapshot::{Observers, Unrouted};

/// The label of requests that no route claims.
const UNROUTED: &str = "unrouted";

/// The compiled sets of policies, by name.
pub(super) struct Guards {
    sets: BTreeMap<String, Set>,
    unrouted: Unrouted,
}

/// The policies of a route in their order, and their names.
#[derive(Clone)]
pub(super) struct Policies {
    pub(super) layers: Arc<[Arc<dyn Policy>]>,
    pub(super) names: Arc<[&'static str]>,
}

/// Lists of policies that several routes have, by the names of their sets.
type Lists = HashMap<Vec<String>, Policies>;

/// One set, compiled.
#[derive(Clone, Default)]
struct Set {
    layers: Vec<(usize, Arc<dyn Policy>)>,
    /// Ways of finding out who it is.
    ways: Vec<(usize, Arc<dyn Authenticator>)>,
    /// The one for those who show nothing, of which the last one counts; `None` where it is turned off.
    anonymous: Option<Option<Arc<dyn Authenticator>>>,
    /// Policies of which the last one counts; `None` for one that is turned off.
    alone: Vec<(usize, Option<Arc<dyn Policy>>)>,
    access_log: Option<Option<Arc<AccessLog>>>,
    metrics_off: Option<bool>,
}

/// Whether a route has a policy that answers preflights.
pub(super) fn answers_preflights(file: &File, route: &Route) -> bool {
    let named = |name: &String| file.policies.get(name).is_some_and(|set| set.cors.is_some());
    let of_route = route.policies.iter().any(|policies| match policies {
        PolicyRef::Name(name) => named(name),
        PolicyRef::Inline(set) => set.cors.is_some(),
    });
    of_route || file.everywhere.iter().any(named)
}

impl Guards {
    pub(super) fn compile(compiler: &mut Compiler<'_>) -> Guards {
        let file = &compiler.loaded.file;
        let mut sets = BTreeMap::new();
        for (name, set) in &file.policies {
            sets.insert(
                name.clone(),
                compile_set(compiler, &format!("policies.{name}"), name, set),
            );
        }
        let everywhere: Vec<&Set> = file.everywhere.iter().filter_map(|name| sets.get(name)).collect();
        let unrouted = Unrouted {
            policies: in_order(&everywhere).layers,
            observers: observers(compiler, &everywhere, UNROUTED),
        };
        Guards { sets, unrouted }
    }

    /// What guards and observes requests that no route claims.
    pub(super) fn unrouted(self) -> Unrouted {
        self.unrouted
    }

    /// What guards and observes the requests of each route, by its place and with the names that routes have.
    pub(super) fn of_routes(&self, compiler: &mut Compiler<'_>, names: &[&'static str]) -> Vec<(Policies, Observers)> {
        let mut lists = Lists::new();
        let routes = compiler.loaded.file.routes.iter().zip(names).enumerate();
        routes
            .map(|(index, (route, name))| self.of_route(compiler, (index, name), route, &mut lists))
            .collect()
    }

    fn of_route(
        &self,
        compiler: &mut Compiler<'_>,
        (index, name): (usize, &str),
        route: &Route,
        lists: &mut Lists,
    ) -> (Policies, Observers) {
        let mut own = Vec::new();
        let mut names = Vec::new();
        for (nth, policies) in route.policies.iter().enumerate() {
            match policies {
                PolicyRef::Name(name) => names.push(name.clone()),
                PolicyRef::Inline(set) => {
                    let place = format!("routes[{index}].policies[{nth}]");
                    own.push(compile_set(compiler, &place, name, set));
                }
            }
        }
        let everywhere = &compiler.loaded.file.everywhere;
        let sets: Vec<&Set> = everywhere
            .iter()
            .chain(&names)
            .filter_map(|name| self.sets.get(name))
            .chain(&own)
            .collect();
        let policies = if own.is_empty() {
            lists.entry(names).or_insert_with(|| in_order(&sets)).clone()
        } else {
            in_order(&sets)
        };
        (policies, observers(compiler, &sets, name))
    }
}

/// Compiles each policy of a set: one line for each kind. `name` names the set to clients and in logs.
fn compile_set(compiler: &mut Compiler<'_>, place: &str, name: &str, set: &PolicySet) -> Set {
    // Naming every field makes this fail to compile when a policy is forgotten.
    let PolicySet {
        access_log,
        metrics,
        ip,
        limits,
        rate_limit,
        concurrency,
        cors,
        csrf,
        anonymous,
        introspect,
        forward,
        oidc,
        api_key,
        basic,
        hmac,
        mtls,
        jwt,
        authorize,
        quota,
        idempotency,
        payload,
        openapi,
        graphql,
        validate,
        inspect,
        compress,
        cookies,
        reveal,
        security_headers,
        grpc_web,
        headers,
    } = set;
    let set = Set {
        access_log: access_log
            .as_ref()
            .map(|config| compile_log(compiler, &format!("{place}.access_log"), config)),
        metrics_off: metrics.as_ref().map(|config| config.off),
        ..Set::default()
    };
    let mut it = Making {
        compiler,
        place,
        name,
        set,
    };
    it.alone(Kind::SecurityHeaders, security_headers, made::security_headers);
    it.layer(Kind::Cors, cors, |config, _| cors::Cors::new(config));
    it.layer(Kind::Csrf, csrf, |config, _| csrf::Csrf::new(config));
    it.layer(Kind::Ip, ip, |config, around| ip::Ip::new(config, around.base));
    it.layer(Kind::Limits, limits, |config, _| limits::Limits::new(config));
    it.rate_limits(rate_limit);
    it.way(Kind::Mtls, mtls, |config, _| mtls::Mtls::new(config));
    it.way(Kind::Jwt, jwt, made::jwt);
    it.way(Kind::Introspect, introspect, made::introspect);
    it.way(Kind::ApiKey, api_key, made::api_key);
    it.way(Kind::Hmac, hmac, made::hmac);
    it.way(Kind::Basic, basic, made::basic);
    it.way(Kind::Forward, forward, made::forward);
    it.way(Kind::Oidc, oidc, made::oidc);
    it.anonymous(anonymous);
    it.layer(Kind::Authorize, authorize, |config, _| {
        authorize::Authorize::new(config)
    });
    it.layer(Kind::Quota, quota, made::quota);
    it.layer(Kind::Concurrency, concurrency, made::concurrency);
    it.alone(Kind::Payload, payload, made::payload);
    it.contract(openapi);
    it.alone(Kind::GraphQl, graphql, made::graphql);
    it.layer(Kind::Validate, validate, made::validate);
    it.alone(Kind::Inspect, inspect, made::inspect);
    it.alone(Kind::Idempotency, idempotency, made::idempotency);
    it.alone(Kind::Compress, compress, made::compress);
    it.alone(Kind::GrpcWeb, grpc_web, |config, _| {
        Ok(config.enabled.then_some(grpc_web::GrpcWeb))
    });
    it.alone(Kind::Cookies, cookies, |config, _| {
        Ok(config.enabled.then(|| cookies::Cookies::new(config)))
    });
    it.layer(Kind::Headers, headers, |config, _| headers::Headers::new(config));
    it.layer(Kind::Reveal, reveal, |config, around| {
        reveal::Reveal::new(config, around.slow)
    });
    it.set
}

fn compile_log(compiler: &mut Compiler<'_>, place: &str, config: &written_log::AccessLog) -> Option<Arc<AccessLog>> {
    if config.off {
        return None;
    }
    if compiler.purpose == Purpose::Check {
        compiler.check(place, access_log::check(config, &compiler.loaded.base));
        return None;
    }
    let log = AccessLog::new(config, &compiler.loaded.base, &compiler.kept.sinks);
    compiler.check(place, log).map(Arc::new)
}

/// The layers of all sets, outermost first. Several of one kind keep the order in which they were named, but for
/// those of which only the last one counts.
fn in_order(sets: &[&Set]) -> Policies {
    let alone: BTreeMap<usize, &Option<Arc<dyn Policy>>> = sets
        .iter()
        .flat_map(|set| &set.alone)
        .map(|(place, policy)| (*place, policy))
        .collect();
    let alone = alone
        .into_iter()
        .filter_map(|(place, policy)| Some((place, policy.as_ref()?)));
    let layers = sets
        .iter()
        .flat_map(|set| &set.layers)
        .map(|(place, policy)| (*place, policy));
    let ways = ways(sets);
    let mut names: Vec<usize> = ways.iter().map(|(place, _)| *place).collect();
    let first_way = names.first().copied();
    let authenticate: Arc<dyn Policy> = Arc::new(Authenticate::new(ways.into_iter().map(|(_, way)| way)));
    let authenticate = first_way.map(|place| (place, &authenticate));
    let mut layers: Vec<_> = layers.chain(alone).collect();
    names.extend(layers.iter().map(|(place, _)| *place));
    names.sort_unstable();
    layers.extend(authenticate);
    layers.sort_by_key(|(place, _)| *place);
    Policies {
        names: names.iter().map(|place| ORDER[*place].kind.name()).collect(),
        layers: layers.into_iter().map(|(_, policy)| Arc::clone(policy)).collect(),
    }
}

/// All ways of finding out who it is, in the order in which they are asked.
fn ways(sets: &[&Set]) -> Vec<(usize, Arc<dyn Authenticator>)> {
    let anonymous = sets.iter().rev().find_map(|set| set.anonymous.clone()).flatten();
    let mut ways: Vec<_> = sets.iter().flat_map(|set| set.ways.iter().cloned()).collect();
    ways.extend(anonymous.map(|way| (Kind::Anonymous.place(), way)));
    ways.sort_by_key(|(place, _)| *place);
    ways
}

/// Who learns how requests ended: of several logs or metrics the last one counts.
fn observers(compiler: &Compiler<'_>, sets: &[&Set], route: &str) -> Observers {
    let metrics_off = sets.iter().rev().find_map(|set| set.metrics_off).unwrap_or(false);
    Observers {
        metrics: (!metrics_off).then(|| Metrics::new(compiler.kept.metrics.clone(), route)),
        access_log: sets.iter().rev().find_map(|set| set.access_log.clone()).flatten(),
    }
}
