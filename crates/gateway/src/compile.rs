//! From what was written to what runs: the whole of it, or every reason why not.

pub(crate) mod durable;
mod ends;
mod guards;
mod matches;
mod names;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use portcullis_acme::Keeping;
use portcullis_backends::swap::Meanings;
use portcullis_backends::table::{Open, Table, settings};
use portcullis_backends::{files, redirect, respond, service};
use portcullis_config::bind::Bind as WrittenBind;
use portcullis_config::route::{Route as WrittenRoute, To};
use portcullis_config::service::Service as WrittenService;
use portcullis_config::service::discover::Discover;
use portcullis_config::{Loaded, Problem, Problems, listener as written_listener, read_targets};
use portcullis_core::{Backend, Ctx, Error, Headers, Known, Reply, Request, RouteName, codes};
use portcullis_databases::Database;
use portcullis_http1::HeadLimits;
use portcullis_http1::server::Settings;
use portcullis_tables::schema::Schema;
use tokio::runtime::Handle;

use self::durable::Durable;
use self::guards::{Guards, Policies};
use crate::acme;
use crate::bans;
use crate::kept::Kept;
use crate::listener::quic::Quic;
use crate::listener::{Issued, ListenerTls, Protocols, TlsSurroundings};
use crate::overload::Limits;
use crate::rollouts::Course;
use crate::router::{Finding, PathPattern, Router};
use crate::snapshot::{Bind, ListenerKey, ListenerRules, Observers, Route, Snapshot, Told};

/// Whether what is compiled will run, or is only looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Databases are opened and migrated, after everything else that can fail.
    Run,
    /// Nothing is created or changed.
    Check,
}

/// Compiles a configuration.
///
/// # Errors
/// Everything in it that can't run.
pub(crate) fn compile(loaded: &Loaded, kept: &Kept, slow: &Handle, purpose: Purpose) -> Result<Compiled, Problems> {
    Compiler::new(loaded, kept, slow, purpose).compile(None)
}

/// Compiles a configuration that was checked, to be put in force.
///
/// # Errors
/// What can't be had now, such as a database that is locked.
pub(crate) fn compile_for_good(
    loaded: &Loaded,
    paths: Paths,
    kept: &Kept,
    slow: &Handle,
) -> Result<Snapshot, Problems> {
    let compiled = Compiler::new(loaded, kept, slow, Purpose::Run).compile(Some(paths))?;
    Ok(compiled.snapshot)
}

/// How requests find their routes. Nothing of it lives through reloads, so that what was made for a check is good to run.
pub(crate) struct Paths {
    names: Vec<&'static str>,
    router: Router,
    route_of_rule: Vec<u32>,
}

impl Paths {
    /// Takes them out of what was compiled for a check.
    pub(crate) fn of(snapshot: Snapshot) -> Paths {
        Paths {
            names: snapshot.routes.iter().map(|route| route.name.name).collect(),
            router: snapshot.router,
            route_of_rule: snapshot.route_of_rule,
        }
    }
}

/// The name of each route, no two alike.
pub(crate) fn route_names(routes: &[WrittenRoute]) -> Vec<String> {
    names::of_routes(routes)
}

/// How many segments the fixed part of a path of tables has.
pub(crate) fn table_base_segments(path: &str) -> usize {
    matches::table_base(path).split('/').skip(1).count()
}

/// What came of a compilation.
pub(crate) struct Compiled {
    pub(crate) snapshot: Snapshot,
    /// What is allowed and probably not meant.
    pub(crate) warnings: Vec<Problem>,
}

struct Compiler<'c> {
    loaded: &'c Loaded,
    kept: &'c Kept,
    slow: &'c Handle,
    purpose: Purpose,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    certificates: Vec<Arc<Keeping>>,
    /// The ends of routes in services, by service and stripped prefix: routes that agree in both share one.
    forwards: HashMap<(String, Option<String>), Arc<dyn Backend>>,
    /// What names of services mean.
    meanings: Arc<Meanings>,
    /// What must not be lost, for the policies that ask for it.
    durable: Durable<'c>,
    /// Roll-outs of routes.
    rollouts: Vec<Arc<Course>>,
}

/// What routes can end in, by name.
struct Ends {
    pools: BTreeMap<String, Arc<service::Pool>>,
    databases: BTreeMap<String, Store>,
}

/// A database as far as the purpose allows to know it.
enum Store {
    Open(Arc<Open>),
    /// Its schema, where that can be known without changing anything.
    Seen(Option<Arc<Schema>>),
}

impl<'c> Compiler<'c> {
    fn new(loaded: &'c Loaded, kept: &'c Kept, slow: &'c Handle, purpose: Purpose) -> Compiler<'c> {
        Compiler {
            loaded,
            kept,
            slow,
            purpose,
            problems: Vec::new(),
            warnings: Vec::new(),
            certificates: Vec::new(),
            forwards: HashMap::new(),
            meanings: Arc::new(Meanings::new(kept.swaps.clone(), BTreeMap::new())),
            durable: Durable::new(loaded, kept, purpose),
            rollouts: Vec::new(),
        }
    }

    /// Compiles all, but for the paths where those are known. Databases come after all else that can fail.
    fn compile(mut self, known: Option<Paths>) -> Result<Compiled, Problems> {
        let names = match &known {
            Some(paths) => paths.names.clone(),
            None => names::of_routes(&self.loaded.file.routes)
                .iter()
                .map(|name| lasting(name))
                .collect(),
        };
        let listeners = self.listeners();
        let bans = self.check("bans", bans::Settings::new(&self.loaded.file.bans, &self.kept.bans));
        let pools = self.pools();
        self.meanings = Arc::new(Meanings::new(self.kept.swaps.clone(), pools.clone()));
        let guards = Guards::compile(&mut self);
        let guarded = guards.of_routes(&mut self, &names);
        let paths = known.ok_or_else(|| matches::rules(&mut self));
        let ends = Ends {
            pools,
            databases: self.databases(),
        };
        let routes = self.routes(&names, guarded, &ends);
        if !self.problems.is_empty() {
            return Err(Problems(self.problems));
        }
        let mut warnings: Vec<Problem> = self.loaded.warnings.iter().chain(&self.warnings).cloned().collect();
        let (router, route_of_rule) = match paths {
            Ok(paths) => (paths.router, paths.route_of_rule),
            Err((rules, route_of_rule, primary)) => {
                let (router, findings) = Router::new(rules);
                let told = |rule: u32| primary[rule as usize].then(|| route_of_rule[rule as usize]);
                let findings = findings.iter();
                warnings.extend(findings.filter_map(|finding| self.warning(finding, told, &routes)));
                (router, route_of_rule)
            }
        };
        let snapshot = Snapshot {
            router,
            route_of_rule,
            routes,
            unrouted: guards.unrouted(),
            listeners,
            certificates: self.certificates,
            services: ends.pools,
            overload: Limits::of(&self.loaded.file),
            bans,
            consumers: self.durable.known_consumers(),
            rollouts: self.rollouts,
            drain: self.loaded.file.drain.0,
            max_age: self.loaded.file.max_age.0,
        };
        Ok(Compiled { snapshot, warnings })
    }
}

impl Compiler<'_> {
    fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(self.loaded.problem(path, message));
    }

    /// The value, or nothing and a problem.
    fn check<T>(&mut self, path: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.problem(path, message)).ok()
    }

    fn listeners(&mut self) -> Vec<Arc<ListenerRules>> {
        let mut listeners: Vec<Arc<ListenerRules>> = Vec::new();
        for (index, listener) in self.loaded.file.listeners.iter().enumerate() {
            let bind = match &listener.bind {
                WrittenBind::Tcp(address) => Bind::Tcp(*address),
                WrittenBind::Unix(path) => Bind::Unix(lasting_path(&self.loaded.base.join(path))),
            };
            let nth = listeners.iter().filter(|other| other.key.bind == bind).count();
            let key = ListenerKey { bind, nth };
            let Some(tls) = self.tls(&format!("listeners[{index}].tls"), key, listener) else {
                continue;
            };
            let crowd = self.kept.crowd_of(key, &listener.limits);
            let Some(crowd) = self.check(&format!("listeners[{index}].limits"), crowd) else {
                continue;
            };
            let name = listener.name.clone().unwrap_or_else(|| listener.bind.to_string());
            listeners.push(Arc::new(ListenerRules {
                key,
                open: self.kept.connections_of(key),
                name: name.into(),
                mode: mode_of(listener),
                settings: settings_of(listener),
                protocols: Protocols::of(listener),
                max_streams: listener.limits.streams,
                trusted_proxies: listener.trusted_proxies.clone(),
                proxy_protocol: listener.proxy_protocol.clone(),
                max_connections: listener.limits.connections,
                crowd,
                tls,
                quic: Protocols::of(listener).http3.then(|| Quic::of(listener)),
                forward_certificates: forwards_certificates(listener),
                redirect_to_https: listener.redirect_to_https,
                answer: answer_of(listener),
            }));
        }
        listeners
    }

    /// TLS of a listener, where it speaks that; or a problem.
    fn tls(
        &mut self,
        path: &str,
        key: ListenerKey,
        listener: &written_listener::Listener,
    ) -> Option<Option<ListenerTls>> {
        let Some(written) = &listener.tls else {
            return Some(None);
        };
        let issued = self.issued(path, written)?;
        let around = TlsSurroundings {
            base: &self.loaded.base,
            key,
            tickets: self.kept.tickets.clone(),
            protocols: Protocols::of(listener).for_alpn(),
            issued,
        };
        let mut odd = Vec::new();
        let tls = ListenerTls::load(written, around, &mut |what| odd.push(what));
        let odd = odd.into_iter().map(|what| self.loaded.problem(path, what));
        self.warnings.extend(odd);
        self.check(path, tls).map(Some)
    }

    /// The certificates that are issued for a listener, where it asks for such; or a problem.
    fn issued(&mut self, path: &str, tls: &written_listener::Tls) -> Option<Option<Arc<dyn Issued>>> {
        let Some(written) = &tls.acme else {
            return Some(None);
        };
        let base = &self.loaded.base;
        let path = format!("{path}.acme");
        if self.purpose == Purpose::Check {
            return self.check(&path, acme::check(written, base)).map(|()| None);
        }
        let keeping = acme::open(&self.kept.acme, written, base, self.slow);
        let keeping = self.check(&path, keeping)?;
        let issued = keeping.certificates().clone();
        self.certificates.push(keeping);
        Some(Some(issued))
    }

    fn pools(&mut self) -> BTreeMap<String, Arc<service::Pool>> {
        let mut pools = BTreeMap::new();
        let servers = self.loaded.file.dns.servers.iter();
        // The form of each was checked with the file.
        let servers: Vec<_> = servers.filter_map(|server| server.parse().ok()).collect();
        self.kept.services.set_name_servers(&servers);
        for (name, config) in &self.loaded.file.services {
            self.look_at_targets(name, config);
            let pool = service::Pool::new(name, config, &self.loaded.base, &self.kept.services, self.slow.clone());
            if let Some(pool) = self.check(&format!("services.{name}"), pool) {
                pools.insert(name.clone(), Arc::new(pool));
            }
        }
        pools
    }

    /// Says what is wrong with a file of targets now. It is no reason not to start: whoever writes it may come later.
    fn look_at_targets(&mut self, name: &str, config: &WrittenService) {
        if self.purpose == Purpose::Check
            && let Some(Discover::File(from)) = &config.discover
            && let Err(problems) = read_targets(&self.loaded.base.join(&from.file))
        {
            let what = problems.0.into_iter().map(|problem| problem.to_string());
            let path = format!("services.{name}.discover.file");
            self.warnings.extend(what.map(|what| self.loaded.problem(&path, what)));
        }
    }

    fn databases(&mut self) -> BTreeMap<String, Store> {
        let mut databases = BTreeMap::new();
        for (name, config) in &self.loaded.file.databases {
            if self.purpose == Purpose::Run && !self.problems.is_empty() {
                // What was found wrong refuses the whole, and a migration would not be undone.
                break;
            }
            let store = match self.purpose {
                Purpose::Run => self
                    .kept
                    .databases
                    .open(name, config, &self.loaded.base, self.slow)
                    .map(Store::Open),
                Purpose::Check => settings::of(name, config, &self.loaded.base)
                    .and_then(|settings| Database::rehearse(&settings))
                    .map(Store::Seen),
            };
            if let Some(store) = self.check(&format!("databases.{name}"), store) {
                databases.insert(name.clone(), store);
            }
        }
        databases
    }

    fn routes(&mut self, names: &[&'static str], guarded: Vec<(Policies, Observers)>, ends: &Ends) -> Vec<Route> {
        let mut routes = Vec::with_capacity(self.loaded.file.routes.len());
        let written = self.loaded.file.routes.iter();
        for (index, ((written, name), (policies, observers))) in written.zip(names).zip(guarded).enumerate() {
            let Some(backend) = self.backend(index, name, written, ends) else {
                continue;
            };
            let index = u32::try_from(index).expect("a file holds fewer than 2^32 routes");
            let name = RouteName { name, index };
            routes.push(Route {
                name,
                policies: policies.layers,
                observers,
                backend,
                told: Box::new(Told {
                    guards: policies.names,
                    end: ends::in_words(&written.to),
                    services: written.to.services().into_iter().map(lasting).collect(),
                }),
            });
        }
        routes
    }

    /// What a route ends in: one arm for each kind of end.
    fn backend(
        &mut self,
        index: usize,
        name: &'static str,
        route: &WrittenRoute,
        ends: &Ends,
    ) -> Option<Arc<dyn Backend>> {
        let place = format!("routes[{index}].to");
        match &route.to {
            To::Service(to) => self.service(to),
            To::Split(to) => self.split(name, to),
            To::Rollout(to) => self.rollout(name, to),
            To::Table(_) | To::Tables(_) => self.table(&place, name, route, ends),
            To::Files(to) => {
                let pattern = self.check(&format!("routes[{index}].path"), PathPattern::parse(&route.path))?;
                let files = files::Files::new(to, &self.loaded.base, pattern.fixed_folder(), self.slow.clone());
                self.check(&place, files).map(|files| Arc::new(files) as _)
            }
            To::Respond(to) => {
                let respond = respond::Respond::new(&to.respond);
                self.check(&place, respond).map(|respond| Arc::new(respond) as _)
            }
            To::Redirect(to) => {
                let pattern = self.check(&format!("routes[{index}].path"), PathPattern::parse(&route.path))?;
                let names: Vec<&str> = pattern.names().collect();
                let redirect = redirect::Redirect::new(&to.redirect, &names);
                self.check(&place, redirect).map(|redirect| Arc::new(redirect) as _)
            }
        }
    }

    fn table(&mut self, place: &str, name: &str, route: &WrittenRoute, ends: &Ends) -> Option<Arc<dyn Backend>> {
        let base_segments = table_base_segments(&route.path);
        match ends.databases.get(route.to.database()?)? {
            Store::Open(database) => {
                let table = Table::new(database, &route.to, base_segments);
                self.check(place, table)
                    .map(|table| Arc::new(table.watched(name, &route.path)) as _)
            }
            Store::Seen(Some(schema)) => {
                let checked = Table::check(schema, &route.to);
                self.check(place, checked).map(|()| Arc::new(Unopened) as _)
            }
            Store::Seen(None) => Some(Arc::new(Unopened)),
        }
    }

    /// What the router found odd, in the words of the file. `told` gives the route of a rule that the file wrote.
    fn warning(&self, finding: &Finding, told: impl Fn(u32) -> Option<u32>, routes: &[Route]) -> Option<Problem> {
        let (loser, winner, why) = match *finding {
            Finding::Identical { first, second } => (
                told(second)?,
                told(first)?,
                "can't be told apart from it, so this one never matches",
            ),
            Finding::Shadowed { rule, by } => (told(rule)?, told(by)?, "takes every request that this one could take"),
        };
        if loser == winner {
            return None;
        }
        let name = routes[winner as usize].name.name;
        let message = format!("the route never matches: routes[{winner}] (`{name}`) {why}");
        Some(self.loaded.problem(&format!("routes[{loser}]"), message))
    }
}

/// A name that lives as long as the process. Each distinct one is kept once: a reload adds only those that are new.
fn lasting(name: &str) -> &'static str {
    static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(known) => known,
        None => {
            let lasting: &'static str = name.to_owned().leak();
            names.insert(lasting);
            lasting
        }
    }
}

/// As [`lasting`], for a path.
fn lasting_path(path: &Path) -> &'static Path {
    match path.to_str() {
        Some(text) => Path::new(lasting(text)),
        // A path from a file of text is text; a folder's name may be anything.
        None => Box::leak(path.to_owned().into_boxed_path()),
    }
}

/// The permissions of a listener's Unix socket.
fn mode_of(listener: &written_listener::Listener) -> u32 {
    const OWNER_AND_GROUP: u32 = 0o660;
    let written = listener.mode.as_deref();
    written
        .and_then(|mode| u32::from_str_radix(mode, 8).ok())
        .unwrap_or(OWNER_AND_GROUP)
}

fn settings_of(listener: &written_listener::Listener) -> Settings {
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Settings {
        limits: HeadLimits {
            head_bytes: size(listener.limits.head.0),
            target_bytes: size(listener.limits.target.0),
            fields: usize::from(listener.limits.fields),
        },
        head_timeout: listener.timeouts.head.0,
        body_timeout: listener.timeouts.body.0,
        idle_timeout: listener.timeouts.idle.0,
        write_timeout: listener.timeouts.write.0,
    }
}

fn forwards_certificates(listener: &written_listener::Listener) -> bool {
    let clients = listener.tls.as_ref().and_then(|tls| tls.client_certificates.as_ref());
    clients.is_some_and(|clients| clients.forward)
}

/// Fields of every answer on a listener.
fn answer_of(listener: &written_listener::Listener) -> Option<Headers> {
    let tls = listener.tls.as_ref()?;
    let mut answer = Headers::new();
    if let Some(hsts) = &tls.hsts {
        answer.append(Known::StrictTransportSecurity, hsts.field_value());
    }
    // A port that the system chooses is not known yet, and nothing to remember for a day.
    let bound = match &listener.bind {
        WrittenBind::Tcp(address) => address.port(),
        WrittenBind::Unix(_) => 0,
    };
    let port = listener.http3.advertised_port.unwrap_or(bound);
    if Protocols::of(listener).http3 && port != 0 {
        answer.append("Alt-Svc", format!("h3=\":{port}\"; ma=86400"));
    }
    (!answer.is_empty()).then_some(answer)
}

/// Stands for a table when a configuration is only looked at.
struct Unopened;

impl Backend for Unopened {
    fn call<'a>(&'a self, _: &'a mut Ctx, _: Request) -> Reply<'a> {
        Reply::from(Error::new(&codes::INTERNAL).with_cause("a configuration that is only checked serves no requests"))
    }
}
