//! The policies of each route, in the order of the program's table.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use portcullis_backends::swap::{Meanings, Named};
use portcullis_config::File;
use portcullis_config::policy::{PolicySet, access_log as written_log};
use portcullis_config::route::{PolicyRef, Route};
use portcullis_config::stores::soft::SoftStore;
use portcullis_core::{Backend, Policy};
use portcullis_fetch::Fetcher;
use portcullis_policies::access_log::{self, AccessLog};
use portcullis_policies::authenticate::{Authenticate, Authenticator};
use portcullis_policies::metrics::Metrics;
use portcullis_policies::order::{Kind, ORDER};
use portcullis_policies::rate_limit::store::Store;
use portcullis_policies::{
    anonymous, api_key, authorize, basic, compress, concurrency, cookies, cors, csrf, forward, graphql, grpc_web, headers,
    hmac, idempotency, inspect, introspect, ip, jwt, limits, mtls, oidc, openapi, payload, quota, rate_limit,
    reveal, security_headers, validate,
};
use tokio::runtime::Handle;

use super::durable::Durable;
use super::{Compiler, Purpose};
use crate::kept::Kept;
use crate::snapshot::{Observers, Unrouted};
use crate::telemetry::log;

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

/// What a policy may be made of beside its own words.
pub(super) struct Around<'c> {
    /// The name of its set, or of the route for a set of its own: clients see it.
    pub(super) name: &'c str,
    /// The folder to which paths of files are relative.
    pub(super) base: &'c Path,
    /// What lives through reloads.
    pub(super) kept: &'c Kept,
    /// Where slow work is done.
    pub(super) slow: &'c Handle,
    /// Whether it will run, or is only looked at: then nothing is opened for writing, and nobody asked.
    pub(super) purpose: Purpose,
    /// What must not be lost.
    pub(super) durable: &'c Durable<'c>,
    soft: &'c SoftStore,
    services: Arc<Meanings>,
}

impl Around<'_> {
    /// The server in which several gates count; `None` where each counts for itself.
    ///
    /// # Errors
    /// When what it is verified by can't be read.
    pub(super) fn soft_store(&self) -> Result<Option<Arc<Store>>, String> {
        let slow = (self.purpose == Purpose::Run).then_some(self.slow);
        let tell = |line: &str| log::warn(line);
        self.kept.soft_stores.open(self.soft, self.base, slow, tell)
    }

    /// The service of that name, for a policy that asks it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn service(&self, name: &str) -> Result<Arc<dyn Backend>, String> {
        let named = Named::new(name, None, self.services.clone());
        named
            .map(|named| Arc::new(named) as _)
            .ok_or_else(|| format!("there is no service `{name}`"))
    }
}

/// A set while it is compiled.
struct Making<'m, 'c> {
    compiler: &'m mut Compiler<'c>,
    place: &'m str,
    name: &'m str,
    set: Set,
}

impl Making<'_, '_> {
    /// The policy of that kind, if the file has it and nothing is wrong with it.
    fn made<C, P>(
        &mut self,
        kind: Kind,
        config: Option<&C>,
        make: impl FnOnce(&C, &Around<'_>) -> Result<P, String>,
    ) -> Option<P> {
        let around = Around {
            name: self.name,
            base: &self.compiler.loaded.base,
            kept: self.compiler.kept,
            slow: self.compiler.slow,
            purpose: self.compiler.purpose,
            durable: &self.compiler.durable,
            soft: &self.compiler.loaded.file.stores.soft,
            services: self.compiler.meanings.clone(),
        };
        let made = make(config?, &around);
        self.compiler.check(&format!("{}.{}", self.place, kind.name()), made)
    }

    /// A policy of which each that applies to a route is a layer.
    fn layer<C, P: Policy + 'static>(
        &mut self,
        kind: Kind,
        config: Option<&C>,
        make: impl FnOnce(&C, &Around<'_>) -> Result<P, String>,
    ) {
        if let Some(policy) = self.made(kind, config, make) {
            self.set.layers.push((kind.place(), Arc::new(policy)));
        }
    }

    /// Limits of rates, which stand in two places.
    fn rate_limits(&mut self, config: Option<&Vec<portcullis_config::policy::rate_limit::RateLimit>>) {
        let stages = self.made(Kind::RateLimit, config, |config, around| {
            let store = around.soft_store()?;
            let counted = rate_limit::Where {
                registry: &around.kept.rate_limits,
                store: store.as_ref(),
            };
            rate_limit::Stages::new(config, around.name, counted)
        });
        let stages = stages.unwrap_or_default();
        let mut put = |kind: Kind, policy: Option<rate_limit::RateLimit>| {
            self.set
                .layers
                .extend(policy.map(|policy| (kind.place(), Arc::new(policy) as _)));
        };
        put(Kind::RateLimit, stages.before);
        put(Kind::RateLimitBehind, stages.behind);
    }

    /// A way of finding out who it is, of which any suffices.
    fn way<C, A: Authenticator + 'static>(
        &mut self,
        kind: Kind,
        config: Option<&C>,
        make: impl FnOnce(&C, &Around<'_>) -> Result<A, String>,
    ) {
        if let Some(way) = self.made(kind, config, make) {
            self.set.ways.push((kind.place(), Arc::new(way)));
        }
    }

    /// A policy of which the last one that applies to a route counts, and may be turned off.
    fn alone<C, P: Policy + 'static>(
        &mut self,
        kind: Kind,
        config: Option<&C>,
        enabled: impl FnOnce(&C) -> bool,
        make: impl FnOnce(&C, &Around<'_>) -> Result<P, String>,
    ) {
        if let (Some(written), Some(policy)) = (config, self.made(kind, config, make)) {
            let policy = enabled(written).then(|| Arc::new(policy) as _);
            self.set.alone.push((kind.place(), policy));
        }
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
    let mut making = Making {
        compiler,
        place,
        name,
        set,
    };
    let it = &mut making;
    it.layer(Kind::Csrf, csrf.as_ref(), |config, _| csrf::Csrf::new(config));
    it.layer(Kind::Cors, cors.as_ref(), |config, _| cors::Cors::new(config));
    it.layer(Kind::Ip, ip.as_ref(), |config, around| ip::Ip::new(config, around.base));
    it.layer(Kind::Limits, limits.as_ref(), |config, _| limits::Limits::new(config));
    it.rate_limits(rate_limit.as_ref());
    it.layer(Kind::Concurrency, concurrency.as_ref(), |config, around| {
        concurrency::Concurrency::new(config, around.name, &around.kept.concurrency)
    });
    it.way(Kind::Mtls, mtls.as_ref(), |config, _| mtls::Mtls::new(config));
    it.way(Kind::Jwt, jwt.as_ref(), |config, around| {
        let running = around.purpose == Purpose::Run;
        let surroundings = jwt::Surroundings {
            base: around.base,
            slow: around.slow,
            keyrings: running.then_some(&around.kept.keyrings),
        };
        jwt::Jwt::new(config, &surroundings)
    });
    it.way(Kind::Introspect, introspect.as_ref(), |config, around| {
        introspect::Introspect::new(config, around.service(&config.service)?)
    });
    it.way(Kind::Forward, forward.as_ref(), |config, around| {
        forward::Forward::new(config, around.service(&config.service)?)
    });
    it.way(Kind::Hmac, hmac.as_ref(), |config, around| {
        hmac::Hmac::new(config, around.name, around.base, &around.kept.signed_requests)
    });
    it.way(Kind::Oidc, oidc.as_ref(), |config, around| {
        let ca = config.ca.as_ref().map(|ca| around.base.join(ca));
        let fetcher = Fetcher::new(around.slow.clone(), ca.as_deref())?;
        oidc::Oidc::new(config, fetcher, around.slow, &around.kept.oidc)
    });
    it.way(Kind::Basic, basic.as_ref(), |config, around| {
        basic::Basic::new(config, around.base, around.slow)
    });
    it.way(Kind::ApiKey, api_key.as_ref(), |config, around| {
        let stored = config.store.then(|| around.durable.consumers()).transpose()?;
        api_key::ApiKey::new(config, stored)
    });
    it.layer(Kind::Authorize, authorize.as_ref(), |config, _| {
        authorize::Authorize::new(config)
    });
    it.layer(Kind::Reveal, reveal.as_ref(), |config, around| {
        reveal::Reveal::new(config, around.slow)
    });
    let contract = it.made(Kind::OpenApi, openapi.as_ref(), |config, around| {
        openapi::OpenApi::new(config, around.name, around.base, around.slow, &around.kept.reported)
    });
    if let Some(contract) = contract {
        let responses = contract.responses().map(|it| Arc::new(it) as _);
        it.set
            .layers
            .extend(responses.map(|it| (Kind::OpenApiResponses.place(), it)));
        it.set.layers.push((Kind::OpenApi.place(), Arc::new(contract)));
    }
    it.layer(Kind::Validate, validate.as_ref(), |config, around| {
        validate::Validate::new(config, around.name, around.base, around.slow, &around.kept.reported)
    });
    it.layer(Kind::Headers, headers.as_ref(), |config, _| {
        headers::Headers::new(config)
    });
    it.layer(Kind::Quota, quota.as_ref(), |config, around| {
        quota::Quota::new(config, around.name, around.durable.leases()?)
    });
    it.alone(
        Kind::Payload,
        payload.as_ref(),
        |config| config.enabled,
        |config, around| payload::Payload::new(config, around.slow),
    );
    it.alone(
        Kind::GraphQl,
        graphql.as_ref(),
        |_| true,
        |config, around| graphql::GraphQl::new(config, around.name, around.slow, &around.kept.reported),
    );
    it.alone(
        Kind::Inspect,
        inspect.as_ref(),
        |_| true,
        |config, around| {
            let surroundings = inspect::Surroundings {
                base: around.base,
                kept: &around.kept.inspect,
                sinks: (around.purpose == Purpose::Run).then_some(&around.kept.sinks),
                slow: around.slow,
            };
            let inspect = inspect::Inspect::new(config, &surroundings)?;
            if around.purpose == Purpose::Run {
                inspect.warnings().iter().for_each(|line| log::warn(line));
            }
            Ok(inspect)
        },
    );
    it.alone(
        Kind::Idempotency,
        idempotency.as_ref(),
        |config| config.enabled,
        |config, around| Ok(idempotency::Idempotency::new(config, around.durable.records()?)),
    );
    it.alone(
        Kind::Compress,
        compress.as_ref(),
        |config| config.enabled,
        |config, _| compress::Compress::new(config),
    );
    it.alone(
        Kind::SecurityHeaders,
        security_headers.as_ref(),
        |config| config.enabled,
        |config, _| security_headers::SecurityHeaders::new(config),
    );
    it.alone(
        Kind::Cookies,
        cookies.as_ref(),
        |config| config.enabled,
        |config, _| Ok(cookies::Cookies::new(config)),
    );
    it.alone(
        Kind::GrpcWeb,
        grpc_web.as_ref(),
        |config| config.enabled,
        |_, _| Ok(grpc_web::GrpcWeb),
    );
    let anonymous_way = it.made(Kind::Anonymous, anonymous.as_ref(), |config, _| {
        Ok((config.enabled, anonymous::Anonymous::new(config)?))
    });
    it.set.anonymous = anonymous_way.map(|(enabled, way)| enabled.then(|| Arc::new(way) as _));
    making.set
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
