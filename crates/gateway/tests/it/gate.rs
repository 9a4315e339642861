//! The program itself, started and ended by a test.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::client::{Answer, Client};
use super::folder::Folder;

/// How long anything may take that a test waits for. Far longer than it ever takes, for busy machines.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running gate, with the folder of its configuration. It ends with the test.
pub(crate) struct Gate {
    child: Child,
    /// The processes that took over from it, one after the other.
    later: Vec<u32>,
    pub(crate) folder: Folder,
    log: Arc<Log>,
    listeners: Vec<SocketAddr>,
    admin: Option<SocketAddr>,
}

/// What the gate wrote to standard error, line by line.
#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl Gate {
    /// A gate with this configuration. Listeners bind port 0; `listen` tells where they came to be.
    pub(crate) fn start(configuration: &str) -> Gate {
        Gate::start_in(Folder::new(), configuration)
    }

    /// The same, with files that the test has put into the folder.
    pub(crate) fn start_in(folder: Folder, configuration: &str) -> Gate {
        folder.write("portcullis.yaml", configuration);
        let mut command = portcullis();
        command.arg("run").arg(folder.path().join("portcullis.yaml"));
        Gate::spawn(folder, command)
    }

    /// A gate in front of one upstream, where the rest of the configuration doesn't matter.
    pub(crate) fn before(upstream: SocketAddr) -> Gate {
        Gate::start(&forward_all(upstream, ""))
    }

    /// Starts a command that ends in a running gate.
    pub(crate) fn spawn(folder: Folder, command: Command) -> Gate {
        Gate::with_workers(folder, command, "2")
    }

    /// The same, with so many workers.
    pub(crate) fn with_workers(folder: Folder, mut command: Command, workers: &str) -> Gate {
        let stdout = std::fs::File::create(folder.path().join("stdout")).unwrap();
        let mut child = command
            .current_dir(folder.path())
            .env("PORTCULLIS_WORKERS", workers)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().unwrap();
        let reader = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                reader.push(line);
            }
            reader.end();
        });
        let mut gate = Gate {
            child,
            later: Vec::new(),
            folder,
            log,
            listeners: Vec::new(),
            admin: None,
        };
        gate.await_ready();
        gate
    }

    /// The line that says "ready" comes after those that say what listens where.
    fn await_ready(&mut self) {
        let lines = self.log.wait("the line that says ready", |lines| {
            lines.iter().any(|line| line.contains("ready"))
        });
        for line in &lines {
            let Some(address) = address_in(line) else { continue };
            if line.contains("admin") {
                self.admin = Some(address);
            } else if line.contains("listening") {
                self.listeners.push(address);
            }
        }
        assert!(
            !self.listeners.is_empty(),
            "the gate names no listener:\n{}",
            lines.join("\n")
        );
    }

    /// The address of the first listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listeners[0]
    }

    /// The address of a listener, in the order of the file.
    pub(crate) fn listener(&self, place: usize) -> SocketAddr {
        self.listeners[place]
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.expect("the gate names no admin listener")
    }

    /// The process that serves.
    pub(crate) fn pid(&self) -> u32 {
        self.later.last().copied().unwrap_or(self.child.id())
    }

    /// Has its program started anew, and waits until that has taken over. Gives back the process that did until then.
    pub(crate) fn upgrade(&mut self) -> u32 {
        let before = self.pid();
        self.signal("USR2");
        let count = self.later.len() + 1;
        let lines = self.log.wait("another process to take over", |lines| {
            let said = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
            said("handed over to process") == count && said("INFO  ready") == count + 1
        });
        let said = lines
            .iter()
            .rev()
            .find_map(|line| line.split_once("handed over to process "));
        self.later.extend(said.and_then(|(_, pid)| pid.parse::<u32>().ok()));
        assert_eq!(self.later.len(), count);
        before
    }

    /// Waits for the end of a process that served before.
    pub(crate) fn await_end_of(&mut self, pid: u32) {
        if pid == self.child.id() {
            assert!(self.await_exit().success(), "{}", self.log());
        } else {
            eventually("the end of a process", || has_ended(pid));
        }
    }

    /// The most memory that it ever had in use, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes << 10
    }

    /// A new connection to the first listener.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// One GET on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.connect().get(target)
    }

    /// One GET of the admin listener.
    pub(crate) fn ask_admin(&self, target: &str) -> Answer {
        Client::connect(self.admin()).get(target)
    }

    /// The value of a metric, by its name with labels; 0 when there is no such line.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.ask_admin("/metrics").text();
        text.lines()
            .filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
            .filter_map(|rest| rest.split(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Writes a new configuration without telling the gate.
    pub(crate) fn rewrite(&self, configuration: &str) {
        self.folder.write("portcullis.yaml", configuration);
    }

    /// Sends a signal by its name, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lines.lock().unwrap().0.join("\n")
    }

    /// Waits for a line on standard error.
    pub(crate) fn await_log(&self, part: &str) {
        self.log
            .wait(part, |lines| lines.iter().any(|line| line.contains(part)));
    }

    /// Waits for a warning that names this on standard error.
    pub(crate) fn await_warning(&self, part: &str) {
        self.log.wait(part, |lines| {
            lines.iter().any(|line| line.contains(" WARN ") && line.contains(part))
        });
    }

    /// Waits for its end.
    pub(crate) fn await_exit(&mut self) -> ExitStatus {
        await_exit(&mut self.child)
    }

    /// Ends it at once, as a power failure would, and gives back the folder.
    pub(crate) fn kill(mut self) -> Folder {
        self.end();
        std::mem::replace(&mut self.folder, Folder::new())
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in self.later.iter().copied().filter(|pid| !has_ended(*pid)) {
            let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
            let _ = rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("the gate's log:\n{}", self.log());
        }
    }
}

impl Log {
    fn push(&self, line: String) {
        self.lines.lock().unwrap().0.push(line);
        self.more.notify_all();
    }

    fn end(&self) {
        self.lines.lock().unwrap().1 = true;
        self.more.notify_all();
    }

    fn wait(&self, what: &str, found: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lines.lock().unwrap();
        loop {
            if found(&state.0) {
                return state.0.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.1 || left.is_zero() {
                // The end of the gate looks at the log too, and a lock that is held in a panic would end every other test.
                drop(state);
                panic!("waited in vain: {what}");
            }
            state = self.more.wait_timeout(state, left).unwrap().0;
        }
    }
}

/// Whether a process that isn't our child has ended. Who adopted it may not have looked yet.
fn has_ended(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

/// The binary under test.
pub(crate) fn portcullis() -> Command {
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
}

/// Runs a command of the binary to its end.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Output {
    portcullis()
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs the gate with a configuration that must not start, and gives back what it said and how it ended.
pub(crate) fn refused(folder: &Folder, configuration: &str) -> (String, Option<i32>) {
    folder.write("portcullis.yaml", configuration);
    let mut child = portcullis()
        .args(["run", "portcullis.yaml"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = await_exit(&mut child);
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    (said, status.code())
}

/// Sends a signal by its name to a process of ours.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status()
        .unwrap();
    assert!(sent.success(), "signal {name} to {pid}");
}

/// Asks until the answer is yes.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        // Between two looks at something that can't notify us: a file, a process, a counter of the kernel.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A configuration that forwards everything, with `more` lines at the top level.
pub(crate) fn forward_all(upstream: SocketAddr, more: &str) -> String {
    let mut text = format!(
        "listeners:\n  - bind: 127.0.0.1:0\nadmin: {{bind: \"127.0.0.1:0\"}}\n\
         services:\n  up: http://{upstream}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n"
    );
    writeln!(text, "{more}").unwrap();
    text
}

fn await_exit(child: &mut Child) -> ExitStatus {
    let mut status = None;
    eventually("the end of the process", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// The address in `… http://127.0.0.1:41234 …`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("://")?;
    let end = rest
        .find(|letter: char| !(letter.is_ascii_hexdigit() || ".:[]".contains(letter)))
        .unwrap_or(rest.len());
    rest[..end].trim_end_matches(['.', ':']).parse().ok()
}
