//! A gate to ask and to measure.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running gate. It ends when this is dropped.
pub(crate) struct Gate {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// From the start of the process until it was ready.
    pub(crate) start: Duration,
    pub(crate) file: PathBuf,
}

impl Gate {
    /// Starts a binary with a configuration that has a first listener and an admin listener.
    ///
    /// # Errors
    /// When it doesn't become ready; with what it said.
    pub(crate) fn start(binary: &Path, name: &str, configuration: &str, workers: u16) -> Result<Gate, String> {
        let folder = std::env::temp_dir().join(format!("portcullis-xtask-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|failure| failure.to_string())?;
        let file = folder.join(format!("{name}.yaml"));
        std::fs::write(&file, configuration).map_err(|failure| failure.to_string())?;
        let started = Instant::now();
        let mut child = Command::new(binary)
            .arg("run")
            .arg(&file)
            .env("PORTCULLIS_WORKERS", workers.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|failure| format!("{}: {failure}", binary.display()))?;
        let mut lines = BufReader::new(child.stderr.take().expect("standard error was asked for"));
        let found = await_ready(&mut lines);
        let start = started.elapsed();
        let (address, admin) = match found {
            Ok(addresses) => addresses,
            Err(said) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the gate doesn't start: {said}"));
            }
        };
        // It must not stall on a full pipe.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Ok(Gate {
            child,
            address,
            admin,
            start,
            file,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One request to the admin listener; gives back the body of a 200.
    ///
    /// # Errors
    /// When the answer is another.
    pub(crate) fn ask_admin(&self, method: &str, target: &str) -> Result<String, String> {
        let mut stream = TcpStream::connect(self.admin).map_err(|failure| failure.to_string())?;
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let mut answer = String::new();
        stream
            .write_all(request.as_bytes())
            .and_then(|()| stream.read_to_string(&mut answer))
            .map_err(|failure| failure.to_string())?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
            _ => Err(format!("{method} {target}: {answer}")),
        }
    }

    /// User and system time of the process so far.
    pub(crate) fn cpu(&self) -> Duration {
        // The kernel counts in hundredths of a second on every machine that we measure on (`getconf CLK_TCK`).
        const TICK: Duration = Duration::from_millis(10);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        let fields: Vec<&str> = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.split(' ').collect())
            .unwrap_or_default();
        let ticks = |place: usize| {
            fields
                .get(place)
                .and_then(|field| field.parse::<u32>().ok())
                .unwrap_or_default()
        };
        TICK * (ticks(11) + ticks(12))
    }

    /// Memory of the process that is in use, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or_default()
    }

    /// How many entries a folder of the process has under `/proc`: `fd` or `task`.
    pub(crate) fn entries(&self, folder: &str) -> usize {
        std::fs::read_dir(format!("/proc/{}/{folder}", self.pid()))
            .map(Iterator::count)
            .unwrap_or_default()
    }

    /// Tells it to read its file again.
    pub(crate) fn hang_up(&self) {
        if let Some(pid) = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::HUP);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.file);
    }
}

/// The addresses of the first listener and of the admin listener, from the lines at start.
fn await_ready(lines: &mut impl BufRead) -> Result<(SocketAddr, SocketAddr), String> {
    let (mut address, mut admin) = (None, None);
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).map_err(|failure| failure.to_string())? == 0 {
            return Err(said);
        }
        said.push_str(&line);
        if let Some(found) = address_in(&line) {
            if line.contains("admin") {
                admin = admin.or(Some(found));
            } else if line.contains("listening") {
                address = address.or(Some(found));
            }
        }
        if line.contains("ready") {
            return address.zip(admin).ok_or(said);
        }
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("://")?;
    let end = rest
        .find(|letter: char| !(letter.is_ascii_hexdigit() || ".:[]".contains(letter)))
        .unwrap_or(rest.len());
    rest[..end].trim_end_matches(['.', ':']).parse().ok()
}
