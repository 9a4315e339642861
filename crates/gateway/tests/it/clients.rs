//! Clients that others wrote, in front of the real gate: curl, h2load, Chromium, and programs of PyPI.
//!
//! `cargo xtask test --only clients` sets up what they need. The programs in Python are in `tests/clients`.

mod caddy;
mod chromium;
mod curl;
mod grpc;
mod http3;
mod load;
mod websocket;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::folder::Folder;
use super::gate::{Gate, PATIENCE};
use super::secure::Identity;

/// A gate with a listener in clear text and one with TLS, whose certificate is of `localhost`.
pub(crate) struct Front {
    pub(crate) gate: Gate,
}

impl Front {
    /// Starts one with these services and routes.
    pub(crate) fn start(rest: &str) -> Front {
        let folder = Folder::new();
        Identity::make(&folder, "front", &["localhost", "127.0.0.1"]);
        Front::start_in(folder, rest)
    }

    /// The same, in a folder that holds `front.pem` and `front.key` already.
    pub(crate) fn start_in(folder: Folder, rest: &str) -> Front {
        let listeners = "listeners:\n  - bind: 127.0.0.1:0\n  - bind: 127.0.0.1:0\n\
             \x20   tls: {certificates: [{cert: front.pem, key: front.key}]}\n";
        Front {
            gate: Gate::start_in(folder, &format!("{listeners}{rest}")),
        }
    }

    pub(crate) fn clear(&self) -> SocketAddr {
        self.gate.listener(0)
    }

    pub(crate) fn secure(&self) -> SocketAddr {
        self.gate.listener(1)
    }

    /// The file of the certificate that clients have to trust.
    pub(crate) fn certificate(&self) -> String {
        self.gate.folder.path().join("front.pem").display().to_string()
    }
}

/// Two routes that most clients ask: `/plain` is answered by the gate, the rest by the upstream.
pub(crate) fn plain_and_forwarded(upstream: SocketAddr) -> String {
    format!(
        "services: {{up: \"http://{upstream}\"}}\n\
         routes:\n  - {{path: /plain, to: {{respond: here}}}}\n  - {{path: /echo/**, to: {{service: up}}}}\n"
    )
}

/// Runs a program to its end, which must be a good one, and gives back what it said.
pub(crate) fn said(command: &mut Command) -> String {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|failure| panic!("{command:?}: {failure}; `cargo xtask test --only clients` installs it"));
    let mut stderr = child.stderr.take().unwrap();
    let complaints = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let deadline = std::time::Instant::now() + PATIENCE * 6;
    let mut stdout = child.stdout.take().unwrap();
    let output = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stdout.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if std::time::Instant::now() > deadline {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        // Between two looks at a process.
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    let (output, complaints) = (output.join().unwrap(), complaints.join().unwrap());
    assert!(status.success(), "{command:?}: {status}\n{output}{complaints}");
    output
}

/// One of the programs in Python.
pub(crate) fn python(script: &str) -> Command {
    let mut command = Command::new(home().join("bin/python"));
    command.arg(scripts().join(script));
    command
}

/// Where programs of PyPI are.
fn home() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients")
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// A server in Python that says its port. It ends with the test.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    pub(crate) fn start(script: &str) -> Server {
        let mut child = python(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("there is no Python of the clients: run `cargo xtask test --only clients`");
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        let port = port.trim().parse().expect("the server says its port");
        Server {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
