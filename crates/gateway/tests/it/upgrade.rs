//! SIGUSR2: another process takes over, and no client notices.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use super::client::Client;
use super::folder::Folder;
use super::gate::{Gate, PATIENCE, eventually, forward_all, portcullis};
use super::http2_client::{Http2Client, get, run, whole};
use super::http3;
use super::upstream::Upstream;

const UPGRADES: usize = 5;

/// Clients that ask without a pause until they are told to end.
struct Load {
    end: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// On connections that are kept, on new ones, and over HTTP/2.
    fn on(address: SocketAddr) -> Load {
        let mut load = Load {
            end: Arc::default(),
            asked: Arc::default(),
            clients: Vec::new(),
        };
        for _ in 0..2 {
            load.add(move |again| keep_asking(address, again));
            load.add(move |again| {
                while again() {
                    assert_eq!(Client::connect(address).get("/").text(), "ok");
                }
            });
        }
        load.add(move |again| run(keep_asking_by_http2(address, again)));
        load
    }

    fn add(&mut self, client: impl FnOnce(&dyn Fn() -> bool) + Send + 'static) {
        let (end, asked) = (self.end.clone(), self.asked.clone());
        self.clients.push(std::thread::spawn(move || {
            client(&|| {
                asked.fetch_add(1, Ordering::Relaxed);
                !end.load(Ordering::Relaxed)
            });
        }));
    }

    /// Waits until each client has asked a few times more.
    fn go_on(&self) {
        let due = self.asked.load(Ordering::Relaxed) + 20 * self.clients.len();
        eventually("requests to be answered", || self.asked.load(Ordering::Relaxed) >= due);
    }

    /// Every request was answered, or this panics.
    fn end(self) {
        self.end.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
    }
}

/// One request after the other, on another connection only where an answer has said that it was the last.
fn keep_asking(address: SocketAddr, again: &dyn Fn() -> bool) {
    let mut client = Client::connect(address);
    while again() {
        let answer = client.get("/");
        assert_eq!(answer.text(), "ok");
        if answer.field("connection") == Some("close") {
            client = Client::connect(address);
        }
    }
}

/// The same over HTTP/2, on another connection only where the gate has said that it takes no more requests. One that crosses
/// that word on the way was not looked at, and asks again (RFC 9113 §8.7).
async fn keep_asking_by_http2(address: SocketAddr, again: &dyn Fn() -> bool) {
    let mut client = Http2Client::connect(address).await;
    while again() {
        let answer = async {
            let mut requests = client.requests.clone().ready().await?;
            let (response, _) = requests.send_request(get("/"), true)?;
            whole(response.await?).await
        };
        match answer.await {
            Ok(answer) => assert_eq!(answer.text(), "ok"),
            Err(error) if error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR) => {
                client = Http2Client::connect(address).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// An upstream that takes a protocol up and sends back what it gets, takes an upload, or says that all is well.
fn upstream() -> Upstream {
    Upstream::playing(|peer| {
        while let Some(request) = peer.head() {
            match request.target() {
                "/chat" => {
                    peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n");
                    while let Some(message) = peer.take(5) {
                        peer.send(message);
                    }
                    return;
                }
                "/upload" => {
                    let content = peer.take(5 * (UPGRADES + 1)).unwrap();
                    peer.answer("200 OK", &String::from_utf8(content).unwrap());
                }
                _ => peer.answer("200 OK", "ok"),
            }
        }
    })
}

#[test]
fn nothing_is_lost_while_five_binaries_follow_each_other() {
    let upstream = upstream();
    let mut gate = Gate::before(upstream.address());
    let mut tunnel = gate.connect();
    tunnel.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n");
    assert_eq!(tunnel.answer().status, 101);
    let mut upload = gate.connect();
    let length = 5 * (UPGRADES + 1);
    upload.send(format!(
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    ));
    let mut said = |message: &str| {
        tunnel.send(message);
        assert_eq!(tunnel.take(5).unwrap(), message.as_bytes());
        upload.send(message);
    };
    said("begin");
    let load = Load::on(gate.address());
    for number in 1..=UPGRADES {
        load.go_on();
        gate.upgrade();
        said(&format!("no. {number}"));
    }
    load.go_on();
    load.end();
    assert_eq!(upload.answer().text(), "beginno. 1no. 2no. 3no. 4no. 5");
    assert!((gate.metric("portcullis_upgrades_total") - 5.0).abs() < 0.1);
    assert_eq!(gate.get("/").text(), "ok");
    // The first process has the tunnel. The others had nothing to wait for.
    tunnel.send("after");
    assert_eq!(tunnel.take(5).unwrap(), b"after");
    drop(tunnel);
    assert!(gate.await_exit().success());
}

#[test]
fn a_process_that_cannot_start_leaves_the_old_one_serving() {
    let upstream = Upstream::ok();
    let mut gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    let first = gate.pid();
    gate.rewrite("listeners: nonsense");
    gate.signal("USR2");
    gate.await_warning("the new process ended before it was ready");
    assert_eq!(client.get("/").text(), "ok");
    assert!((gate.metric("portcullis_upgrades_failed_total") - 1.0).abs() < 0.1);

    gate.rewrite(&forward_all(upstream.address(), ""));
    let old = gate.upgrade();
    assert_eq!(old, first);
    assert_eq!(gate.get("/").text(), "ok");
    assert!((gate.metric("portcullis_upgrades_failed_total") - 1.0).abs() < 0.1);
    drop(client);
    gate.await_end_of(old);
}

#[test]
fn a_file_that_was_replaced_is_what_is_started() {
    let folder = Folder::new();
    let program = folder.path().join("portcullis");
    symlink(portcullis().get_program(), &program).unwrap();
    folder.write("portcullis.yaml", forward_all(Upstream::nobody(), ""));
    let mut command = Command::new(&program);
    command.args(["run", "portcullis.yaml"]);
    let mut gate = Gate::spawn(folder, command);
    // One that says nothing.
    std::fs::remove_file(&program).unwrap();
    gate.folder.write("portcullis", "#!/bin/sh\nexec sleep 600\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    gate.signal("USR2");
    gate.await_log("upgrade: started");
    gate.signal("USR2");
    gate.await_warning("upgrade refused: one is under way");
    // The end of the gate is the end of the one that was to take over.
    gate.signal("TERM");
    assert!(gate.await_exit().success(), "{}", gate.log());
    let started = gate.log();
    let pid = started.split("as process ").nth(1).unwrap();
    let pid = pid.split_whitespace().next().unwrap();
    assert!(!std::path::Path::new("/proc").join(pid).exists(), "{started}");
}

#[test]
fn sockets_files_and_operators_find_the_new_process() {
    let upstream = Upstream::ok();
    let configuration = |more: &str| {
        let forward = forward_all(upstream.address(), "");
        forward.replacen(
            "listeners:\n",
            &format!("listeners:\n  - {{bind: \"unix:gate.sock\"}}\n{more}"),
            1,
        )
    };
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        configuration("  - {bind: \"127.0.0.1:0\", name: second}\n"),
    );
    let mut command = portcullis();
    command.args(["run", "portcullis.yaml", "--pid-file", "gate.pid"]);
    let mut gate = Gate::with_workers(folder, command, "3");
    let written = |gate: &Gate| std::fs::read_to_string(gate.folder.path().join("gate.pid")).unwrap_or_default();
    assert_eq!(written(&gate), format!("{}\n", gate.pid()));
    let unix = |gate: &Gate| {
        let stream = UnixStream::connect(gate.folder.path().join("gate.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client::over(Box::new(stream)).get("/").text()
    };
    assert_eq!(unix(&gate), "ok");
    // A listener goes with the old process.
    gate.rewrite(&configuration(""));
    let old = gate.upgrade();
    gate.await_end_of(old);
    assert_eq!(unix(&gate), "ok");
    assert_eq!(written(&gate), format!("{}\n", gate.pid()));
    assert_eq!(gate.ask_admin("/readyz").status, 200);
    assert_eq!(gate.get("/").text(), "ok");
    assert!(TcpStream::connect(gate.listener(1)).is_err());

    let pid = gate.pid();
    gate.signal("TERM");
    gate.await_end_of(pid);
    assert!(!gate.folder.path().join("gate.sock").exists());
    assert_eq!(written(&gate), "");
}

#[test]
fn what_operators_decided_outlives_processes() {
    let [one, two] =
        ["one", "two"].map(|name| Upstream::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{name}")));
    let configuration = forward_all(one.address(), "state: kept");
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("kept")).unwrap();
    let mut gate = Gate::start_in(folder, &configuration);
    let tell = |gate: &Gate, target: String, body: String| {
        let answer = Client::connect(gate.admin()).ask("POST", &target, &[("Host", "localhost")], &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    tell(
        &gate,
        "/services/up/targets".to_owned(),
        format!(r#"{{"url": "http://{}"}}"#, two.address()),
    );
    tell(
        &gate,
        format!("/services/up/drain?url=http://{}", one.address()),
        String::new(),
    );
    eventually("the added target to be the only one", || gate.get("/").text() == "two");

    gate.upgrade();
    for _ in 0..8 {
        assert_eq!(gate.get("/").text(), "two");
    }
    let kept = gate.folder.path().join("kept/portcullis.state.json");
    let added = two.address().to_string();
    eventually("the state to be kept", || {
        std::fs::read_to_string(&kept).is_ok_and(|text| text.contains(&added))
    });
    // As a failure of power would end it.
    let gate = Gate::start_in(gate.kill(), &configuration);
    for _ in 0..8 {
        assert_eq!(gate.get("/").text(), "two");
    }
}

#[test]
fn a_connection_by_quic_goes_on() {
    let upstream = Upstream::echo();
    let (mut gate, quic) = http3::gate(&upstream, "");
    let address = gate.address();
    let mut client = quic.connect(address);
    assert_eq!(client.get("/here").text(), "here");
    let mut long = client.begin("POST", "/away", &[]);
    long.send(b"one,");
    eventually("the request at the upstream", || upstream.open() == 1);
    let first = gate.upgrade();
    long.send(b"two,");
    // New ones are the new process's at once, and older ones the old one's while others follow.
    assert_eq!(quic.connect(address).get("/here").text(), "here");
    gate.upgrade();
    quic.move_away();
    assert_eq!(quic.connect(address).get("/here").text(), "here");
    long.send(&[b'x'; 100_000]);
    long.finish();
    let answer = long.answer().unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["body"].as_str().map(str::len), Some(100_008));
    // What it had begun with was its last request.
    assert_eq!(quic.closed(&client.connection), 0x100);
    drop(client);
    gate.await_end_of(first);
}
#[test]
fn clients_that_come_by_quic_are_all_served() {
    let upstream = Upstream::ok();
    let (mut gate, quic) = http3::gate(&upstream, "");
    let address = gate.address();
    let (end, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                assert_eq!(quic.connect(address).get("/here").text(), "here");
                served.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..3 {
            let due = served.load(Ordering::Relaxed) + 20;
            eventually("clients to be served", || served.load(Ordering::Relaxed) >= due);
            gate.upgrade();
        }
        end.store(true, Ordering::Relaxed);
    });
}
