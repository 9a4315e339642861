//! Connections by QUIC: how clients learn of them, who is let in, how they move and end.

use std::net::UdpSocket;

use super::folder::Folder;
use super::gate::{Gate, eventually, portcullis, refused};
use super::http3::{configuration, gate};
use super::http3_client::{Line, Quic};
use super::secure::{Authority, Identity};
use super::upstream::Upstream;

#[test]
fn clients_learn_of_it_from_other_answers() {
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &["gate.test"]);
    let upstream = Upstream::ok();
    let gate = Gate::start_in(folder, &configuration(&upstream, "    http3: {advertised_port: 443}"));
    let told = |gate: &Gate| {
        let mut client = identity.connect(gate.address(), "gate.test").unwrap();
        client.get("/here").field("alt-svc").map(str::to_owned)
    };
    assert_eq!(told(&gate).as_deref(), Some("h3=\":443\"; ma=86400"));
    gate.rewrite(&configuration(
        &upstream,
        "    http3: {advertised_port: 443}\n    protocols: [http1, http2]",
    ));
    gate.signal("HUP");
    eventually("the word of it to be gone", || told(&gate).is_none());
}

#[test]
fn a_reload_lets_it_end_and_begin() {
    let upstream = Upstream::ok();
    let (gate, quic) = gate(&upstream, "");
    let address = gate.address();
    let mut client = quic.connect(address);
    assert_eq!(client.get("/here").status, 200);
    gate.rewrite(&configuration(&upstream, "    protocols: [http1]"));
    gate.signal("HUP");
    // The connection is told to end, without an error, and the port is free again.
    assert_eq!(quic.closed(&client.connection), 0x100);
    eventually("the port to be free", || UdpSocket::bind(address).is_ok());
    gate.rewrite(&configuration(&upstream, ""));
    gate.signal("HUP");
    eventually("the port to be taken", || UdpSocket::bind(address).is_err());
    assert_eq!(quic.connect(address).get("/here").text(), "here");
}

#[test]
fn a_taken_port_is_an_error() {
    let folder = Folder::new();
    Identity::make(&folder, "gate", &["gate.test"]);
    // Another test may have the TCP port of that number: then the gate says so before it comes to the UDP port.
    eventually("the word of the taken port", || {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let text = configuration(&Upstream::ok(), "").replacen("127.0.0.1:0", &address, 1);
        let file = folder.write("portcullis.yaml", text);
        let output = portcullis().arg("run").arg(file).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).contains("by UDP")
    });
}

#[test]
fn it_needs_tls_and_another_protocol() {
    let folder = Folder::new();
    let bare = "listeners: [{bind: \"127.0.0.1:0\", protocols: [http1, http3]}]\nroutes: []\n";
    let (told, _) = refused(&folder, bare);
    assert!(told.contains("http3 needs `tls`"), "{told}");
    Identity::make(&folder, "gate", &["gate.test"]);
    let (told, _) = refused(&folder, &configuration(&Upstream::ok(), "    protocols: [http3]"));
    assert!(told.contains("list http1 or http2"), "{told}");
}

#[test]
fn requests_in_progress_are_answered_at_the_end() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::playing(move |peer| {
        peer.request();
        gone.lock().unwrap().recv().unwrap();
        peer.answer("200 OK", &"late".repeat(100_000));
    });
    let (mut gate, quic) = gate(&upstream, "");
    let mut busy = quic.connect(gate.address());
    let mut exchange = busy.begin("GET", "/", &[]);
    exchange.finish();
    let mut idle = quic.connect(gate.address());
    assert_eq!(idle.get("/here").status, 200);
    eventually("the request at the upstream", || upstream.open() == 1);
    gate.signal("TERM");
    assert_eq!(quic.closed(&idle.connection), 0x100);
    // What is asked for after the goodbye, the client may ask for elsewhere.
    eventually("the goodbye", || busy.try_begin("GET", "/here", &[]).is_err());
    go.send(()).unwrap();
    assert_eq!(exchange.answer().unwrap().body.len(), 400_000);
    assert_eq!(quic.closed(&busy.connection), 0x100);
    assert!(gate.await_exit().success(), "{}", gate.log());
}

#[test]
fn a_client_may_move() {
    for workers in ["1", "2", "5"] {
        let folder = Folder::new();
        let identity = Identity::make(&folder, "gate", &["gate.test"]);
        let upstream = Upstream::echo();
        folder.write("portcullis.yaml", configuration(&upstream, ""));
        let mut command = portcullis();
        command.arg("run").arg(folder.path().join("portcullis.yaml"));
        let gate = Gate::with_workers(folder, command, workers);
        let visitor = identity.visitor().remember();
        let ways: Vec<Quic> = (0..4).map(|_| Quic::new(&visitor)).collect();
        let mut clients: Vec<_> = ways.iter().map(|quic| quic.connect(gate.address())).collect();
        for _ in 0..3 {
            for (quic, client) in ways.iter().zip(&mut clients) {
                assert_eq!(client.ask("POST", "/", &[], b"from here").json()["body"], "from here");
                quic.move_away();
                assert_eq!(client.ask("POST", "/", &[], b"from there").json()["body"], "from there");
            }
        }
    }
}

#[test]
fn a_crowd_of_handshakes_must_prove_where_it_is() {
    let (gate, quic) = gate(&Upstream::ok(), "");
    let line = Line::to(gate.address());
    assert_eq!(quic.connect(line.address).get("/here").text(), "here");
    assert!(!line.saw_retry());
    let held = Line::to(gate.address());
    held.hold();
    // More than each of two workers begins without a proof.
    let _crowd = quic.begin_handshakes(held.address, 200);
    eventually("the wish for a proof", || {
        assert_eq!(quic.connect(line.address).get("/here").text(), "here");
        line.saw_retry()
    });
}

#[test]
fn certificates_of_clients_are_asked_for() {
    let folder = Folder::new();
    let identity = Identity::make(&folder, "gate", &["gate.test"]);
    let authority = Authority::make(&folder, "ca");
    let stranger = Authority::make(&folder, "stranger").issue("ann");
    let known = authority.issue("ann");
    let upstream = Upstream::ok();
    let text = configuration(&upstream, "").replace(
        "gate.key}]",
        "gate.key}], client_certificates: {ca: ca.pem, forward: true}",
    );
    let gate = Gate::start_in(folder, &text);
    let way = |visitor| Quic::new(&visitor);
    for refused in [
        way(identity.visitor().remember()),
        way(identity.visitor().showing(&stranger).remember()),
    ] {
        // A client of TLS 1.3 learns of it after its own handshake.
        if let Ok(connection) = refused.try_connect(gate.address()) {
            refused.wait(connection.closed());
        }
    }
    assert_eq!(upstream.accepted(), 0);
    let quic = way(identity.visitor().showing(&known).remember());
    for _ in 0..2 {
        let mut client = quic.connect(gate.address());
        assert_eq!(client.get("/").status, 200);
        assert!(upstream.last().field("client-cert").is_some());
    }
}

#[test]
fn early_data_is_taken_for_what_changes_nothing() {
    let upstream = Upstream::echo();
    let (gate, quic) = gate(&upstream, "");
    let line = Line::to(gate.address());
    resumable(&quic, &line);
    line.hold();
    let mut early = quic.connect_early(line.address).unwrap();
    let mut get = early.begin("GET", "/early", &[]);
    get.finish();
    let mut post = early.begin("POST", "/early", &[]);
    post.send(b"change");
    post.finish();
    eventually("the request at the upstream", || upstream.requests().len() == 1);
    assert_eq!(upstream.last().field("early-data"), Some("1"));
    line.release();
    assert_eq!(get.answer().unwrap().status, 200);
    post.answer().unwrap().assert_problem(425, "too_early");
    assert_eq!(upstream.requests().len(), 1);
    // By now the handshake is complete, and who says otherwise is not believed.
    assert_eq!(early.ask("POST", "/", &[("early-data", "1")], b"change").status, 200);
    assert_eq!(upstream.last().field("early-data"), None);
}

#[test]
fn early_data_waits_where_the_file_says_so() {
    let upstream = Upstream::echo();
    let (gate, quic) = gate(&upstream, "    http3: {early_data: false}");
    let line = Line::to(gate.address());
    for _ in 0..3 {
        assert_eq!(quic.connect(line.address).get("/here").status, 200);
        assert!(quic.connect_early(line.address).is_none(), "it offers early data");
    }
}

/// Comes once, so that the client can come back with early data.
fn resumable(quic: &Quic, line: &Line) {
    // A ticket comes a moment after the handshake.
    eventually("a session to resume", || {
        assert_eq!(quic.connect(line.address).get("/here").status, 200);
        quic.connect_early(line.address).is_some()
    });
    // That one was used up.
    assert_eq!(quic.connect(line.address).get("/here").status, 200);
}

#[test]
fn no_more_than_the_limit_are_let_in() {
    let (gate, quic) = gate(&Upstream::ok(), "    limits: {connections: 2}");
    let mut clients = [quic.connect(gate.address()), quic.connect(gate.address())];
    assert!(quic.try_connect(gate.address()).is_err());
    assert_eq!(clients[0].get("/here").status, 200);
    drop(clients);
    eventually("room", || quic.try_connect(gate.address()).is_ok());
}
