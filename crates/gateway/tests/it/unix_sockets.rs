//! Sockets of the machine in place of the network: on the client's side and on the upstream's.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use super::client::{Client, Connection};
use super::folder::Folder;
use super::gate::{Gate, PATIENCE, refused};
use super::upstream::Upstream;

impl Connection for UnixStream {
    fn end(&mut self) {
        self.shutdown(Shutdown::Write).unwrap();
    }
}

fn connect(path: &Path) -> Client {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Client::over(Box::new(stream))
}

/// A configuration that listens on a port and at a path, and forwards everything.
fn listening(upstream: &Upstream, more: &str) -> String {
    format!(
        "listeners:\n  - 127.0.0.1:0\n  - {{bind: \"unix:gate.sock\"{more}}}\n\
         services: {{up: \"http://{}\"}}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address()
    )
}

#[test]
fn clients_come_by_a_unix_socket() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&listening(&upstream, ""));
    let path = gate.folder.path().join("gate.sock");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // Each connection may be another worker's.
    for _ in 0..8 {
        let mut client = connect(&path);
        assert_eq!(client.get("/a").status, 200);
        assert_eq!(client.get("/b").status, 200);
    }
    assert_eq!(upstream.last().field("x-forwarded-for"), Some("127.0.0.1"));
}

#[test]
fn a_proxy_at_the_socket_may_say_who_the_client_is() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&listening(&upstream, ", mode: \"0600\", proxy_protocol: [127.0.0.1]"));
    let path = gate.folder.path().join("gate.sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut client = connect(&path);
    client.send("PROXY TCP4 192.0.2.7 198.51.100.2 4711 8443\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(upstream.last().field("x-forwarded-for"), Some("192.0.2.7"));
}

#[test]
fn the_file_goes_with_the_listener() {
    let upstream = Upstream::ok();
    let mut gate = Gate::start(&listening(&upstream, ""));
    let path = gate.folder.path().join("gate.sock");
    let mut open = connect(&path);
    assert_eq!(open.get("/").status, 200);
    gate.rewrite(&listening(&upstream, "").replace("  - {bind: \"unix:gate.sock\"}\n", ""));
    gate.signal("HUP");
    gate.await_log("no longer listening on unix:");
    assert!(!path.exists());
    assert_eq!(open.get("/").status, 200, "a connection did not outlive its listener");

    gate.rewrite(&listening(&upstream, ""));
    gate.signal("HUP");
    super::gate::eventually("the socket to be there again", || path.exists());
    assert_eq!(connect(&path).get("/").status, 200);
    gate.signal("TERM");
    assert!(gate.await_exit().success());
    assert!(!path.exists());
}

#[test]
fn what_a_dead_process_left_is_replaced_and_nothing_else() {
    let upstream = Upstream::ok();
    let folder = Folder::new();
    let path = folder.path().join("gate.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a socket outlives its process");
    let gate = Gate::start_in(folder, &listening(&upstream, ""));
    assert_eq!(connect(&path).get("/").status, 200);

    let other = Folder::new();
    let taken = format!("unix:{}", path.display());
    let (said, _) = refused(&other, &listening(&upstream, "").replace("unix:gate.sock", &taken));
    assert!(said.contains("can't listen on") && said.contains("gate.sock"), "{said}");
    assert_eq!(
        connect(&path).get("/").status,
        200,
        "the refused gate took the socket away"
    );

    other.write("gate.sock", "a file of somebody's");
    let (said, _) = refused(&other, &listening(&upstream, ""));
    assert!(said.contains("another kind"), "{said}");
    assert_eq!(other.read("gate.sock"), "a file of somebody's");
    drop(gate);
}

/// An upstream at a path that answers each request with the head that it got, and counts its connections by name.
fn upstream_at(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                    if head.ends_with(b"\r\n\r\n") {
                        let body = format!("{number} {}", String::from_utf8_lossy(&head));
                        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                        stream.write_all(answer.as_bytes()).unwrap();
                        head.clear();
                    }
                }
            });
        }
    });
}

#[test]
fn a_service_may_be_at_a_unix_socket() {
    let folder = Folder::new();
    upstream_at(&folder.path().join("app.sock"));
    let configuration = "listeners: [127.0.0.1:0]\nservices: {up: \"unix:app.sock\"}\n\
                         routes:\n  - {path: /**, to: {service: up}}\n";
    let gate = Gate::start_in(folder, configuration);
    let mut client = gate.connect();
    for _ in 0..3 {
        let text = client.get("/x").text();
        assert!(
            text.starts_with("0 GET /x HTTP/1.1\r\n"),
            "another connection was made: {text}"
        );
    }
}

#[test]
fn a_service_that_is_not_there_is_refused() {
    let configuration = "listeners: [127.0.0.1:0]\nservices: {up: \"unix:nobody.sock\"}\n\
                         routes:\n  - {path: /**, to: {service: up}}\n";
    let gate = Gate::start(configuration);
    gate.get("/").assert_problem(502, "upstream_refused");
}
