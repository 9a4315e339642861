//! Who is measured: each starts with the same routes, and takes up a changed file in its own way.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{ROUTES, SERVICES};
use crate::bench::load::{self, Connection};
use crate::bench::{process_tree, proxies};
use crate::gate::Gate;

/// How long a peer may take for anything: some take minutes for so many routes.
const PATIENCE: Duration = Duration::from_secs(180);

/// One that runs and whose configuration can be changed.
pub(super) trait Changing {
    fn address(&self) -> SocketAddr;
    /// From the start of the process until it answers.
    fn started(&self) -> Duration;
    fn memory(&self) -> u64;
    /// Adds a route, and waits until it answers.
    ///
    /// # Errors
    /// When it doesn't.
    fn change(&mut self, number: usize) -> Result<(), String>;
}

/// Our gate.
pub(super) struct Ours {
    gate: Gate,
    upstream: SocketAddr,
}

impl Ours {
    /// # Errors
    /// When it doesn't start.
    pub(super) fn start(binary: &Path, upstream: SocketAddr) -> Result<Ours, String> {
        let gate = Gate::start(binary, "many", &Ours::configuration(upstream, 0), 2)?;
        Ok(Ours { gate, upstream })
    }

    fn configuration(upstream: SocketAddr, number: usize) -> String {
        let mut text = "listeners: [127.0.0.1:0]\nadmin: {bind: '127.0.0.1:0'}\nservices:\n".to_owned();
        for service in 0..SERVICES {
            let _ = writeln!(text, "  service-{service}: 'http://{upstream}'");
        }
        text.push_str("routes:\n");
        for (path, service) in routes(number) {
            let _ = writeln!(text, "  - {{path: {path}/**, to: {{service: service-{service}}}}}");
        }
        text
    }
}

impl Changing for Ours {
    fn address(&self) -> SocketAddr {
        self.gate.address
    }

    fn started(&self) -> Duration {
        self.gate.start
    }

    fn memory(&self) -> u64 {
        process_tree::memory(self.gate.pid())
    }

    fn change(&mut self, number: usize) -> Result<(), String> {
        fs::write(&self.gate.file, Ours::configuration(self.upstream, number))
            .map_err(|failure| failure.to_string())?;
        self.gate.ask_admin("POST", "/reload")?;
        until_answered(self.address(), number)
    }
}

/// The paths of all routes and the numbers of their services. One is new with each change.
fn routes(number: usize) -> impl Iterator<Item = (String, usize)> {
    let all = (0..ROUTES).map(|route| (format!("/team-{route}"), route % SERVICES));
    all.chain([(format!("/changed-{number}"), 0)])
}

/// Envoy, whose routes are in a file that it watches.
pub(super) struct Envoy(PathBuf);

/// Traefik, whose routes and services are in a file that it watches.
pub(super) struct Traefik(PathBuf);

impl Envoy {
    /// Where it is installed.
    pub(super) fn find() -> Option<Envoy> {
        proxies::find("envoy").map(Envoy)
    }

    /// # Errors
    /// When it doesn't answer.
    pub(super) fn start(&self, upstream: SocketAddr) -> Result<Watching, String> {
        let folder = folder_of("envoy")?;
        let address = free_address()?;
        let mut fixed = format!(
            "stats_config: {{stats_matcher: {{reject_all: true}}}}\nnode: {{id: many, cluster: many}}\n\
             static_resources:\n  listeners:\n  - address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}\n    \
             filter_chains:\n    - filters:\n      - name: envoy.filters.network.http_connection_manager\n        typed_config:\n          \
             \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n          \
             stat_prefix: many\n          \
             rds: {{route_config_name: many, config_source: {{path_config_source: {{path: {}}}}}}}\n          \
             http_filters: [{{name: router, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]\n  \
             clusters:\n",
            address.port(),
            folder.join(CHANGING).display()
        );
        for service in 0..SERVICES {
            let endpoint = format!("{{address: 127.0.0.1, port_value: {}}}", upstream.port());
            let _ = writeln!(
                fixed,
                "  - {{name: service-{service}, type: STATIC, connect_timeout: 1s, load_assignment: {{cluster_name: service-{service}, \
                 endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {endpoint}}}}}}}]}}]}}}}"
            );
        }
        let mut command = Command::new(&self.0);
        command.args([
            "--concurrency",
            "2",
            "--disable-hot-restart",
            "--use-dynamic-base-id",
            "-c",
        ]);
        command.arg(folder.join(FIXED));
        Watching::start(command, folder, &fixed, address, Box::new(envoy_routes))
    }
}

fn envoy_routes(number: usize) -> String {
    let mut text = "version_info: '".to_owned();
    let _ = write!(
        text,
        "{number}'\nresources:\n- \"@type\": type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n  name: many\n  virtual_hosts:\n  - name: all\n    domains: ['*']\n    routes:\n"
    );
    for (path, service) in routes(number) {
        let _ = writeln!(
            text,
            "    - {{match: {{path_separated_prefix: {path}}}, route: {{cluster: service-{service}}}}}"
        );
    }
    text
}

impl Traefik {
    /// Where it is installed.
    pub(super) fn find() -> Option<Traefik> {
        proxies::find("traefik").map(Traefik)
    }

    /// # Errors
    /// When it doesn't answer.
    pub(super) fn start(&self, upstream: SocketAddr) -> Result<Watching, String> {
        let folder = folder_of("traefik")?;
        let address = free_address()?;
        let fixed = format!(
            "entryPoints: {{web: {{address: '{address}'}}}}\nproviders: {{file: {{filename: '{}', watch: true}}}}\n\
             log: {{level: ERROR}}\nglobal: {{checkNewVersion: false, sendAnonymousUsage: false}}\n",
            folder.join(CHANGING).display()
        );
        let mut command = Command::new(&self.0);
        command
            .env("GOMAXPROCS", "2")
            .arg(format!("--configFile={}", folder.join(FIXED).display()));
        let routes = move |number| traefik_routes(number, upstream);
        Watching::start(command, folder, &fixed, address, Box::new(routes))
    }
}

fn traefik_routes(number: usize, upstream: SocketAddr) -> String {
    let mut text = "http:\n  routers:\n".to_owned();
    for (path, service) in routes(number) {
        let name = &path[1..];
        let _ = writeln!(
            text,
            "    {name}: {{rule: 'PathPrefix(`{path}/`)', service: service-{service}, entryPoints: [web]}}"
        );
    }
    text.push_str("  services:\n");
    for service in 0..SERVICES {
        let _ = writeln!(
            text,
            "    service-{service}: {{loadBalancer: {{servers: [{{url: 'http://{upstream}'}}]}}}}"
        );
    }
    text
}

/// A peer that watches a file.
pub(super) struct Watching {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
    started: Duration,
    routes: Box<dyn Fn(usize) -> String>,
}

/// The file that is read once, and the one that is watched.
const FIXED: &str = "fixed.yaml";
const CHANGING: &str = "changing.yaml";

fn folder_of(name: &str) -> Result<PathBuf, String> {
    let folder = std::env::temp_dir().join(format!("portcullis-many-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|failure| failure.to_string())?;
    Ok(folder)
}

fn free_address() -> Result<SocketAddr, String> {
    let found = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    found.map_err(|failure| failure.to_string())
}

impl Watching {
    fn start(
        mut command: Command,
        folder: PathBuf,
        fixed: &str,
        address: SocketAddr,
        routes: Box<dyn Fn(usize) -> String>,
    ) -> Result<Watching, String> {
        fs::write(folder.join(FIXED), fixed)
            .and_then(|()| fs::write(folder.join(CHANGING), routes(0)))
            .map_err(|failure| failure.to_string())?;
        let begun = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|failure| failure.to_string())?;
        let mut watching = Watching {
            child,
            folder,
            address,
            started: Duration::ZERO,
            routes,
        };
        until_answered(address, 0)?;
        watching.started = begun.elapsed();
        Ok(watching)
    }
}

impl Changing for Watching {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn started(&self) -> Duration {
        self.started
    }

    fn memory(&self) -> u64 {
        process_tree::memory(self.child.id())
    }

    fn change(&mut self, number: usize) -> Result<(), String> {
        let next = self.folder.join("next.yaml");
        fs::write(&next, (self.routes)(number))
            .and_then(|()| fs::rename(&next, self.folder.join("changing.yaml")))
            .map_err(|failure| failure.to_string())?;
        until_answered(self.address, number)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Asks for the route that is new until it answers.
fn until_answered(address: SocketAddr, number: usize) -> Result<(), String> {
    let request = load::get(&format!("/changed-{number}/items/7"));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answered = Connection::open(address).and_then(|mut connection| {
            connection.send(&request)?;
            connection.receive()
        });
        match answered {
            Ok(()) => return Ok(()),
            Err(failure) if Instant::now() > deadline => {
                return Err(format!("not there within {} s: {failure}", PATIENCE.as_secs()));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}
