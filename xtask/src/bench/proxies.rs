//! Proxies as processes: found, configured, started alone on a processor, and ended.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::cases::Port;
use super::process_tree;
use crate::process;

/// The processor of the proxy. Load and servers have the next one.
pub(super) const CPU: usize = 0;

const PATIENCE: Duration = Duration::from_secs(10);

/// A folder with a certificate for all of them; it goes when this is dropped.
pub(super) struct Place {
    folder: PathBuf,
}

impl Place {
    /// # Errors
    /// When it can't be made.
    pub(super) fn make() -> Result<Place, String> {
        let folder = std::env::temp_dir().join(format!("portcullis-bench-{}", std::process::id()));
        let made =
            rcgen::generate_simple_self_signed(vec!["gate.test".to_owned()]).map_err(|error| error.to_string())?;
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        fs::create_dir_all(&folder).map_err(|failure| failure.to_string())?;
        let place = Place { folder };
        place.write("cert.pem", &cert)?;
        place.write("key.pem", &key)?;
        // HAProxy wants both in one.
        place.write("both.pem", &format!("{cert}{key}"))?;
        Ok(place)
    }

    fn write(&self, name: &str, content: &str) -> Result<(), String> {
        fs::write(self.folder.join(name), content).map_err(|failure| failure.to_string())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A proxy that can be started.
pub(super) struct Contender {
    pub(super) name: &'static str,
    program: PathBuf,
    template: &'static str,
}

impl Contender {
    pub(super) fn new(name: &'static str, program: PathBuf, template: &'static str) -> Contender {
        Contender {
            name,
            program,
            template,
        }
    }

    /// Starts it before a server, and waits until it takes connections.
    ///
    /// # Errors
    /// When it doesn't; with what it said.
    pub(super) fn start(&self, place: &Place, upstream: SocketAddr) -> Result<Proxy, String> {
        let (clear, tls) = (free_port()?, free_port()?);
        let variables = [
            ("PORT", clear.to_string()),
            ("TLS_PORT", tls.to_string()),
            ("UP_PORT", upstream.port().to_string()),
            ("CERT", place.folder.join("cert.pem").display().to_string()),
            ("KEY", place.folder.join("key.pem").display().to_string()),
            ("PEM", place.folder.join("both.pem").display().to_string()),
            ("RUN", place.folder.display().to_string()),
            ("CRS", std::env::var("CRS").unwrap_or_default()),
        ];
        let file = self.configure(place, &variables)?;
        let log = place.folder.join(format!("{}.log", self.name));
        let output = File::create(&log).map_err(|failure| failure.to_string())?;
        let mut command = pinned(CPU, &self.program);
        self.arguments(&mut command, place, &file);
        let child = command
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .map_err(|failure| format!("{} can't be started: {failure}", self.name))?;
        Proxy::started(child, clear, tls).ready(self.name, &log)
    }

    /// Ours has its variables from the environment; those of others are put in here.
    fn configure(&self, place: &Place, variables: &[(&str, String)]) -> Result<PathBuf, String> {
        let source = process::root().join("conformance/peers").join(self.template);
        let Some(name) = self.template.strip_suffix(".template") else {
            return Ok(source);
        };
        let name = name.rsplit('/').next().unwrap_or(name);
        let mut text = fs::read_to_string(&source).map_err(|failure| format!("{}: {failure}", source.display()))?;
        for (name, value) in variables {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        place.write(name, &text)?;
        Ok(place.folder.join(name))
    }

    fn arguments(&self, command: &mut Command, place: &Place, file: &Path) {
        match self.name {
            "nginx" => command.arg("-p").arg(&place.folder).arg("-c").arg(file),
            "haproxy" => command.arg("-db").arg("-f").arg(file),
            "envoy" => command
                .arg("-c")
                .arg(file)
                .args(["--concurrency", "1", "--log-level", "error", "--disable-hot-restart"])
                .arg("--use-dynamic-base-id"),
            "caddy" => command
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(file)
                .env("GOMAXPROCS", "1")
                .env("HOME", &place.folder),
            _ => command.arg("run").arg(file).env("PORTCULLIS_WORKERS", "1"),
        };
    }
}

/// Where the program of a proxy is: where the variable of its name says, below `BENCH_HOME`, or among programs.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(name.to_ascii_uppercase()) {
        return Some(PathBuf::from(path));
    }
    let home = std::env::var_os("BENCH_HOME").map(|home| Path::new(&home).join("bin"));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let folders = home.into_iter().chain(std::env::split_paths(&paths));
    // Debian has some of them where only root looks.
    let folders = folders.chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A program that runs on one processor only.
pub(super) fn pinned(cpu: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(cpu.to_string()).arg(program);
    command
}

/// A running proxy. It ends when this is dropped, with all that it started.
pub(super) struct Proxy {
    child: Child,
    clear: u16,
    tls: u16,
}

impl Proxy {
    /// One that was just started, with its ports.
    pub(super) fn started(child: Child, clear: u16, tls: u16) -> Proxy {
        Proxy { child, clear, tls }
    }

    /// Waits until it takes connections.
    ///
    /// # Errors
    /// When it doesn't; with what it said in its log.
    pub(super) fn ready(mut self, name: &str, log: &Path) -> Result<Proxy, String> {
        self.wait_until_ready().map_err(|reason| {
            let said = fs::read_to_string(log).unwrap_or_default();
            format!("{name} {reason}: {}", said.trim())
        })?;
        Ok(self)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn address(&self, port: Port) -> SocketAddr {
        let port = if port == Port::Tls { self.tls } else { self.clear };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// Every configuration has a listener in clear text, if only for this.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let address = self.address(Port::Clear);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended ({status})"));
            }
            if Instant::now() > deadline {
                return Err("takes no connections".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let members = process_tree::members(self.child.id());
        signal(self.child.id(), Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(2);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        // A parent that didn't end, and children that have outlived theirs.
        for member in members {
            signal(member, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn signal(process: u32, signal: Signal) {
    if let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(process, signal);
    }
}

/// A port that was free just now, for TCP and for UDP.
fn free_port() -> Result<u16, String> {
    for _ in 0..100 {
        let found = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = found.map_err(|failure| failure.to_string())?.port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".to_owned())
}
