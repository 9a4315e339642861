//! A proxy that lives through changes: its configuration is replaced, and so is its binary.

mod family;
mod upgrade;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use self::family::Family;
use super::place;
use crate::bench::proxies::{CPU, pinned};
use crate::process;

const PATIENCE: Duration = Duration::from_secs(5);

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::bench) enum Kind {
    Portcullis,
    Nginx,
    Haproxy,
    Envoy,
    Traefik,
}

impl Kind {
    pub(in crate::bench) fn name(self) -> &'static str {
        match self {
            Kind::Portcullis => "portcullis",
            Kind::Nginx => "nginx",
            Kind::Haproxy => "haproxy",
            Kind::Envoy => "envoy",
            Kind::Traefik => "traefik",
        }
    }

    /// The files of its configuration: the first is what it is started with, the last is what a reload replaces.
    fn files(self) -> &'static [&'static str] {
        match self {
            Kind::Portcullis => &["portcullis.yaml"],
            Kind::Nginx => &["nginx.conf"],
            Kind::Haproxy => &["haproxy.cfg"],
            Kind::Envoy => &["envoy.yaml", "envoy-routes.yaml"],
            Kind::Traefik => &["traefik.yaml", "traefik-services.yaml"],
        }
    }
}

/// What a proxy is to do.
pub(in crate::bench) struct Job<'a> {
    /// The folder of its templates, below `conformance/peers`.
    pub(in crate::bench) templates: &'a str,
    /// The ports of the targets that it balances. A line that says `${TARGET}` is there once for each.
    pub(in crate::bench) targets: &'a [u16],
    /// Other words that stand in templates.
    pub(in crate::bench) words: &'a [(&'a str, String)],
    /// How many threads it has.
    pub(in crate::bench) threads: u32,
}

/// A running proxy. All its processes end when this is dropped.
pub(in crate::bench) struct Subject {
    kind: Kind,
    program: PathBuf,
    folder: PathBuf,
    templates: PathBuf,
    targets: Vec<u16>,
    words: Vec<(String, String)>,
    threads: u32,
    clear: u16,
    http2: u16,
    admin: u16,
    /// Those that were started from here, the oldest first.
    children: Vec<Child>,
    family: Family,
    /// How often its binary was replaced.
    epoch: u32,
}

impl Subject {
    /// Starts a proxy in a folder of its own, and waits until it takes connections.
    ///
    /// # Errors
    /// When it doesn't; with what it said.
    pub(in crate::bench) fn start(
        kind: Kind,
        program: PathBuf,
        place: &Path,
        job: &Job<'_>,
    ) -> Result<Subject, String> {
        let [clear, http2, admin] = place::ports()?;
        let folder = place.join(format!("{}-{clear}", kind.name()));
        // One that ran before had the same ports.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|failure| failure.to_string())?;
        let mut subject = Subject {
            kind,
            program,
            folder,
            templates: process::root().join("conformance/peers").join(job.templates),
            targets: job.targets.to_owned(),
            words: job
                .words
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            threads: job.threads,
            clear,
            http2,
            admin,
            children: Vec::new(),
            family: Family::begin()?,
            epoch: 0,
        };
        // Where nothing is reloaded, the first has all in it.
        let there = |name: &&str| subject.template(name).is_file();
        for name in kind
            .files()
            .iter()
            .filter(|name| **name == kind.files()[0] || there(name))
        {
            subject.configure(name, 0)?;
        }
        subject.launch()?;
        // It forwards then, and isn't only there.
        let ready = subject.wait("doesn't forward", |subject| {
            let serves_http2 = TcpStream::connect(subject.http2_address()).is_ok();
            serves_http2 && ask(subject.address(), "/healthz").is_ok()
        });
        ready.map_err(|reason| format!("{} {reason}: {}", kind.name(), last_words(&subject.said())))?;
        subject.family.know(&subject.program, subject.newest());
        Ok(subject)
    }

    pub(in crate::bench) fn kind(&self) -> Kind {
        self.kind
    }

    /// Where clients of HTTP/1.1 come.
    pub(in crate::bench) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.clear))
    }

    /// Where clients of HTTP/2 in clear text come: some proxies can't tell them from others.
    pub(in crate::bench) fn http2_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.http2))
    }

    /// Writes its configuration anew, with another value of a field that goes into answers, and sees to it that it is read.
    ///
    /// # Errors
    /// When it can't be written, or there is nobody to read it.
    pub(in crate::bench) fn reload(&mut self, revision: u32) -> Result<(), String> {
        let file = self.kind.files().last().expect("every proxy has a file");
        self.configure(file, revision)?;
        match self.kind {
            // They watch the file.
            Kind::Envoy | Kind::Traefik => Ok(()),
            Kind::Haproxy => family::signal(self.leader()?, Signal::USR2),
            Kind::Portcullis | Kind::Nginx => family::signal(self.leader()?, Signal::HUP),
        }
    }

    /// Asks the admin listener for something that it answers with 200.
    ///
    /// # Errors
    /// When it doesn't.
    pub(in crate::bench) fn ask_admin(&self, path: &str) -> Result<String, String> {
        ask(SocketAddr::from((Ipv4Addr::LOCALHOST, self.admin)), path)
    }

    /// What it has written on standard output and standard error.
    pub(in crate::bench) fn said(&self) -> String {
        fs::read_to_string(self.folder.join("output.log")).unwrap_or_default()
    }

    /// Makes a file of its template. It is moved to its place, so that nobody reads half of it.
    fn configure(&self, name: &str, revision: u32) -> Result<(), String> {
        let source = self.template(name);
        let template = fs::read_to_string(&source).map_err(|failure| format!("{}: {failure}", source.display()))?;
        let mut text = repeated(&template, &self.targets);
        let own = [
            ("PORT", self.clear.to_string()),
            ("H2_PORT", self.http2.to_string()),
            ("ADMIN_PORT", self.admin.to_string()),
            ("RUN", self.folder.display().to_string()),
            ("REVISION", revision.to_string()),
            ("THREADS", self.threads.to_string()),
        ];
        let own = own.iter().map(|(name, value)| (*name, value));
        for (name, value) in own.chain(self.words.iter().map(|(name, value)| (name.as_str(), value))) {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        let (new, path) = (self.folder.join(format!("{name}.new")), self.folder.join(name));
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|failure| failure.to_string())
    }

    fn template(&self, name: &str) -> PathBuf {
        self.templates.join(format!("{name}.template"))
    }

    /// Starts a process of it.
    fn launch(&mut self) -> Result<(), String> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("output.log"))
            .and_then(|log| Ok((log.try_clone()?, log)));
        let (output, errors) = log.map_err(|failure| failure.to_string())?;
        let mut command = pinned(CPU, &self.program);
        self.arguments(&mut command);
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|failure| format!("{} can't be started: {failure}", self.kind.name()))?;
        self.children.push(child);
        Ok(())
    }

    fn arguments(&self, command: &mut Command) {
        let file = self.folder.join(self.kind.files()[0]);
        let threads = self.threads.to_string();
        match self.kind {
            Kind::Portcullis => command.arg("run").arg(file).env("PORTCULLIS_WORKERS", threads),
            Kind::Nginx => command.arg("-p").arg(&self.folder).arg("-c").arg(file),
            Kind::Haproxy => command.args(["-W", "-f"]).arg(file),
            // The first port is nobody else's, so a number made of it isn't either.
            Kind::Envoy => command
                .arg("-c")
                .arg(file)
                .args(["--concurrency", &threads, "--log-level", "error"])
                .args(["--base-id", &self.clear.to_string()])
                .args(["--restart-epoch", &self.epoch.to_string()])
                .args(["--drain-time-s", "5", "--parent-shutdown-time-s", "900"]),
            Kind::Traefik => command
                .arg(format!("--configFile={}", file.display()))
                .env("GOMAXPROCS", threads),
        };
    }

    /// The process that is told what to do.
    fn leader(&self) -> Result<u32, String> {
        match self.kind {
            Kind::Nginx => {
                let text = fs::read_to_string(self.folder.join("nginx.pid")).unwrap_or_default();
                text.trim().parse().map_err(|_| "nginx has no process".to_owned())
            }
            Kind::Portcullis => self.family.youngest().ok_or_else(|| "portcullis has ended".to_owned()),
            Kind::Haproxy | Kind::Envoy | Kind::Traefik => Ok(self.newest()),
        }
    }

    fn newest(&self) -> u32 {
        self.children.last().expect("it was started").id()
    }

    /// Waits until something is so.
    fn wait(&mut self, otherwise: &str, mut until: impl FnMut(&Subject) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !until(self) {
            let newest = self.children.last_mut().expect("it was started");
            // One that makes itself a daemon ends well.
            if let Ok(Some(status)) = newest.try_wait()
                && !status.success()
            {
                return Err(format!("ended ({status})"));
            }
            if Instant::now() > deadline {
                return Err(otherwise.to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.family.end(&mut self.children);
    }
}

/// The end of what somebody said.
fn last_words(said: &str) -> &str {
    const LINES: usize = 4;
    let begin = said.trim_end().rmatch_indices('\n').nth(LINES - 1);
    said[begin.map_or(0, |(place, _)| place)..].trim()
}

/// Asks for something that is answered with 200.
fn ask(address: SocketAddr, path: &str) -> Result<String, String> {
    let mut stream = TcpStream::connect(address).map_err(|failure| failure.to_string())?;
    let mut answer = String::new();
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .and_then(|()| {
            write!(
                stream,
                "GET {path} HTTP/1.1\r\nHost: gate.test\r\nConnection: close\r\n\r\n"
            )
        })
        .and_then(|()| stream.read_to_string(&mut answer))
        .map_err(|failure| failure.to_string())?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        _ => Err(format!("GET {path}: {answer}")),
    }
}

/// A template in which each line that names a target is there once for each.
fn repeated(template: &str, targets: &[u16]) -> String {
    let mut text = String::with_capacity(template.len());
    for line in template.lines() {
        if line.contains("${TARGET}") {
            for (number, target) in targets.iter().enumerate() {
                let line = line.replace("${TARGET}", &target.to_string());
                text.push_str(&line.replace("${NUMBER}", &number.to_string()));
                text.push('\n');
            }
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_the_last_lines() {
        assert_eq!(last_words("one\ntwo\n"), "one\ntwo");
        assert_eq!(last_words("one\ntwo\nthree\nfour\nfive\n"), "two\nthree\nfour\nfive");
    }

    #[test]
    fn a_line_that_names_a_target_is_there_for_each() {
        let text = repeated("a\n  - ${NUMBER}: ${TARGET}\nz ${PORT}\n", &[81, 82]);
        assert_eq!(text, "a\n  - 0: 81\n  - 1: 82\nz ${PORT}\n");
    }
}
