//! The gate under a service manager: what it tells it, and the sockets that it is given.

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use super::client::Client;
use super::folder::Folder;
use super::gate::{Gate, PATIENCE, portcullis};

const ANSWERING: &str = "routes:\n  - {path: /**, to: {respond: {status: 200, body: here}}}\n";

/// Stands for the manager: it hears what the gate says.
struct Manager(UnixDatagram);

impl Manager {
    fn at(folder: &Folder) -> Manager {
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager(socket)
    }

    /// The next message that is no heartbeat.
    fn hear(&self) -> String {
        loop {
            let message = self.hear_any();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }

    fn hear_any(&self) -> String {
        let mut room = [0; 512];
        let length = self.0.recv(&mut room).unwrap();
        String::from_utf8(room[..length].to_vec()).unwrap()
    }
}

fn run_in(folder: &Folder, configuration: &str) -> Command {
    folder.write("portcullis.yaml", configuration);
    let mut command = portcullis();
    command.args(["run", "portcullis.yaml"]);
    command.env("NOTIFY_SOCKET", folder.path().join("notify"));
    command
}

#[test]
fn the_manager_hears_of_start_reload_and_end() {
    let folder = Folder::new();
    let manager = Manager::at(&folder);
    let configuration = format!("listeners: [127.0.0.1:0]\n{ANSWERING}");
    let command = run_in(&folder, &configuration);
    let mut gate = Gate::spawn(folder, command);
    assert_eq!(manager.hear(), "READY=1\nSTATUS=serving");

    gate.signal("HUP");
    let reloading = manager.hear();
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    assert!(time.is_some_and(|time| time.parse::<u64>().is_ok()), "{reloading}");
    assert_eq!(manager.hear(), "READY=1\nSTATUS=serving");

    gate.rewrite("listeners: nonsense");
    gate.signal("HUP");
    assert!(manager.hear().starts_with("RELOADING=1"));
    assert_eq!(manager.hear(), "READY=1\nSTATUS=serving; the last reload was refused");

    gate.signal("TERM");
    assert!(manager.hear().starts_with("STOPPING=1\n"));
    assert!(gate.await_exit().success());
}

#[test]
fn the_manager_follows_the_process_that_takes_over() {
    let folder = Folder::new();
    let manager = Manager::at(&folder);
    let configuration = format!("listeners: [127.0.0.1:0]\n{ANSWERING}");
    let mut command = run_in(&folder, &configuration);
    command.env("WATCHDOG_USEC", "200000");
    let mut gate = Gate::spawn(folder, command);
    assert_eq!(manager.hear(), "READY=1\nSTATUS=serving");
    let old = gate.upgrade();
    let pid = gate.pid();
    // The old process says it, because nobody else is listened to; then the new one does.
    assert_eq!(manager.hear(), format!("MAINPID={pid}"));
    assert_eq!(manager.hear(), format!("MAINPID={pid}\nREADY=1\nSTATUS=serving"));
    gate.await_end_of(old);
    assert_eq!(manager.hear_any(), "WATCHDOG=1");
    gate.signal("TERM");
    assert!(manager.hear().starts_with("STOPPING=1\n"));
}

#[test]
fn the_heart_beats_while_the_workers_live() {
    let folder = Folder::new();
    let manager = Manager::at(&folder);
    let configuration = format!("listeners: [127.0.0.1:0]\n{ANSWERING}");
    let mut command = run_in(&folder, &configuration);
    command.env("WATCHDOG_USEC", "200000");
    let _gate = Gate::spawn(folder, command);
    assert!(manager.hear_any().starts_with("READY=1"));
    for _ in 0..3 {
        assert_eq!(manager.hear_any(), "WATCHDOG=1");
    }
}

/// Starts the gate through a shell that puts an open socket where a manager would.
fn given(folder: &Folder, socket: &TcpListener) -> Command {
    // A copy made by the shell has no flag that closes it as the gate begins.
    let script = format!(
        "exec env LISTEN_PID=$$ LISTEN_FDS=1 \"$0\" run portcullis.yaml 3<&{}",
        socket.as_raw_fd()
    );
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).unwrap();
    // Other shells know descriptors of one digit only.
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).arg(portcullis().get_program());
    command.current_dir(folder.path());
    command
}

#[test]
fn a_socket_that_was_opened_before_is_used() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Who connects before the gate runs is served once it does.
    let mut early = Client::connect(address);
    early.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let folder = Folder::new();
    folder.write("portcullis.yaml", format!("listeners: [{address}]\n{ANSWERING}"));
    let command = given(&folder, &socket);
    let gate = Gate::spawn(folder, command);
    assert_eq!(gate.address(), address);
    assert_eq!(early.answer().text(), "here");
    for _ in 0..8 {
        assert_eq!(gate.get("/").text(), "here");
    }
}

#[test]
fn a_socket_that_no_listener_is_bound_to_is_warned_of() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Folder::new();
    folder.write("portcullis.yaml", format!("listeners: [127.0.0.1:0]\n{ANSWERING}"));
    let command = given(&folder, &socket);
    let gate = Gate::spawn(folder, command);
    gate.await_warning("no listener is bound to the inherited socket");
    assert_eq!(gate.get("/").text(), "here");
}
