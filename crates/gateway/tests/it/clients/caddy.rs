//! Caddy as an authority: it speaks ACME by smallstep's implementation, and has its own idea of what is right.
//!
//! Authorities ask on the ports 80 and 443 and nowhere else, so all of it happens in a network of its own, where those
//! ports are free and nobody else listens; or in that of the machine, where no other is to be had.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{home, said};
use crate::it::folder::Folder;
use crate::it::gate::{Gate, eventually};

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where the ports 80 and 443 are free.
enum Network {
    /// A network of its own, which is there as long as a process in it; with users of its own, too, where that takes no
    /// privileges.
    Own { holder: Running, users: bool },
    /// That of the machine, where nothing else may be had. One test has it at a time.
    Machine(#[allow(dead_code, reason = "it is held")] MutexGuard<'static, ()>),
}

/// Who may have the ports of the machine.
static MACHINE: Mutex<()> = Mutex::new(());

impl Network {
    /// One of its own, or that of the machine: containers often allow the first to nobody, and a root may have the second.
    fn new() -> Network {
        let own = |users| {
            Some(Network::Own {
                holder: Network::hold(users)?,
                users,
            })
        };
        own(true).or_else(|| own(false)).unwrap_or_else(|| {
            let turn = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
            for port in [80, 443] {
                let free = TcpListener::bind(("0.0.0.0", port));
                assert!(
                    free.is_ok(),
                    "there is no network of its own to be had, and port {port}: {free:?}"
                );
            }
            Network::Machine(turn)
        })
    }

    fn hold(users: bool) -> Option<Running> {
        let mut command = Command::new("unshare");
        if users {
            command.args(["--user", "--map-root-user"]);
        }
        let mut holder = command
            .args(["--net", "sh", "-c"])
            .arg("ip link set lo up && echo up && exec sleep infinity")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(holder.stdout.take().unwrap());
        let holder = Running(holder);
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        (line == "up\n").then_some(holder)
    }

    /// A command within it.
    fn command(&self, program: &str) -> Command {
        let Network::Own { holder, users } = self else {
            return Command::new(program);
        };
        let mut command = Command::new("nsenter");
        command.args(["--target", &holder.0.id().to_string(), "--net"]);
        if *users {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg(program);
        command
    }
}

/// Starts Caddy as an authority. What it issues, and what it shows itself, is verified by the file that is given back.
fn authority(network: &Network, folder: &Folder) -> (Running, String) {
    let configuration = folder.write(
        "Caddyfile",
        "{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n\thttp_port 9080\n\thttps_port 9443\n}\n\
         https://localhost {\n\ttls internal\n\tacme_server\n}\n",
    );
    let log = std::fs::File::create(folder.path().join("caddy.log")).unwrap();
    let child = network
        .command(&home().join("bin/caddy").display().to_string())
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(configuration)
        .env("XDG_DATA_HOME", folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let caddy = Running(child);
    let root = folder
        .path()
        .join("caddy/pki/authorities/local/root.crt")
        .display()
        .to_string();
    eventually("the authority", || {
        let mut ask = network.command("curl");
        ask.args(["--silent", "--fail", "--cacert", &root]);
        ask.arg("https://localhost:9443/acme/local/directory");
        ask.stdout(Stdio::null()).status().unwrap().success()
    });
    (caddy, root)
}

fn gets_a_certificate(challenge: &str) {
    let network = Network::new();
    let folder = Folder::new();
    let (_caddy, root) = authority(&network, &folder);
    folder.write(
        "portcullis.yaml",
        format!(
            "listeners:\n  - bind: 0.0.0.0:443\n    tls:\n      acme:\n        domains: [localhost]\n\
             \x20       contact: ops@example.com\n        accept_terms: true\n        ca: {root}\n\
             \x20       challenge: {challenge}\n        directory: https://localhost:9443/acme/local/directory\n\
             \x20 - {{bind: \"0.0.0.0:80\", redirect_to_https: 443}}\n\
             routes:\n  - {{path: /**, to: {{respond: hello}}}}\n"
        ),
    );
    let mut command = network.command(env!("CARGO_BIN_EXE_portcullis"));
    command.arg("run").arg(folder.path().join("portcullis.yaml"));
    let gate = Gate::spawn(folder, command);
    gate.await_log("there is a new certificate for localhost");
    let mut ask = network.command("curl");
    ask.args(["--silent", "--show-error", "--cacert", &root, "--location"]);
    assert_eq!(said(ask.arg("http://localhost/")), "hello");
}

#[test]
fn it_issues_a_certificate_to_who_answers_handshakes() {
    gets_a_certificate("tls_alpn");
}

#[test]
fn it_issues_a_certificate_to_who_answers_requests() {
    gets_a_certificate("http");
}
