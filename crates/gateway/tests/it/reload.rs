//! A reload takes the whole new file or nothing of it, and no request notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::client::{Answer, Client};
use super::examples::free_ports;
use super::folder::Folder;
use super::gate::{Gate, eventually, forward_all, portcullis};
use super::upstream::Upstream;

fn saying(word: &str) -> String {
    format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nroutes:\n  - {{path: /**, to: {{respond: {word}}}}}\n"
    )
}

fn ask_to_reload(gate: &Gate) -> Answer {
    Client::connect(gate.admin()).ask("POST", "/reload", &[("Host", "localhost")], "")
}

#[test]
fn post_reload_brings_the_new_file() {
    let gate = Gate::start(&saying("old"));
    let mut kept = gate.connect();
    assert_eq!(kept.get("/").text(), "old");
    gate.rewrite(&saying("new"));
    assert_eq!(ask_to_reload(&gate).status, 200);
    assert_eq!(kept.get("/").text(), "new", "an open connection sees it too");
    assert_eq!(gate.get("/").text(), "new");
}

#[test]
fn sighup_brings_the_new_file() {
    let gate = Gate::start(&saying("old"));
    gate.rewrite(&saying("new"));
    gate.signal("HUP");
    eventually("the new file", || gate.get("/").text() == "new");
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let gate = Gate::start(&saying("old"));
    gate.rewrite("listeners: [127.0.0.1:0]\nroutes:\n  - {path: /**, to: {servise: x}}\n  - {path: a}\n");
    let answer = ask_to_reload(&gate);
    assert!((400..500).contains(&answer.status), "{answer}");
    let text = answer.text();
    assert!(
        text.contains("portcullis.yaml:3:") && text.contains("portcullis.yaml:4:"),
        "{text}"
    );
    assert!(text.contains("did you mean"), "{text}");
    assert_eq!(gate.get("/").text(), "old");
    gate.signal("HUP");
    gate.await_log("portcullis.yaml:3:");
    assert_eq!(gate.get("/").text(), "old");
    assert_eq!(gate.ask_admin("/readyz").status, 200);
    assert!(gate.metric("portcullis_config_reloads_refused_total") >= 1.0);
}

#[test]
fn a_refused_file_creates_no_database() {
    let folder = Folder::new();
    folder.write(
        "migrations/0001_notes.sql",
        "CREATE TABLE notes (id INTEGER PRIMARY KEY);",
    );
    folder.write("broken.pem", "no certificate");
    let gate = Gate::start_in(folder, &saying("old"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let with_database = |listener: &str| {
        format!(
            "listeners: [127.0.0.1:0, {listener}]\nadmin: {{bind: '127.0.0.1:0'}}\n\
             databases: {{bank: {{url: 'sqlite:data/bank.db', migrations: migrations}}}}\n\
             routes:\n  - {{path: /notes, to: {{table: bank.notes}}}}\n"
        )
    };
    let certificate = "{bind: '127.0.0.1:0', tls: {certificates: [{cert: broken.pem, key: broken.pem}]}}";
    for (listener, named) in [
        (certificate.to_owned(), "broken.pem".to_owned()),
        (
            taken.local_addr().unwrap().to_string(),
            taken.local_addr().unwrap().to_string(),
        ),
    ] {
        gate.rewrite(&with_database(&listener));
        let answer = ask_to_reload(&gate);
        assert_eq!(answer.status, 422, "{answer}");
        assert!(answer.text().contains(&named), "{answer}");
        assert!(
            !gate.folder.path().join("data").exists(),
            "{named} was refused and left a database"
        );
        assert_eq!(gate.get("/").text(), "old");
    }
    drop(taken);
    // A process that another test is just starting may still hold the socket, until it is that test's gate.
    eventually("the address to be free", || ask_to_reload(&gate).status == 200);
    assert_eq!(gate.get("/notes").text(), "[]");
}

#[test]
fn a_refusal_says_who_asked() {
    let gate = Gate::start(&saying("old"));
    gate.rewrite("listeners: nowhere\n");
    assert_eq!(ask_to_reload(&gate).status, 422);
    gate.await_log("reload by POST /reload refused: ");
    gate.signal("HUP");
    gate.await_log("reload by SIGHUP refused: ");
}

#[test]
fn what_needs_a_restart_is_told_and_stays() {
    let folder = Folder::new();
    folder.write("portcullis.yaml", format!("workers: 1\n{}", saying("old")));
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "unset PORTCULLIS_WORKERS; exec \"$0\" run portcullis.yaml",
        env!("CARGO_BIN_EXE_portcullis"),
    ]);
    let gate = Gate::spawn(folder, command);
    gate.rewrite(&format!(
        "workers: 3\n{}",
        saying("new").replace("bind: '127.0.0.1:0'", "bind: '127.0.0.1:1'")
    ));
    let answer = ask_to_reload(&gate);
    assert_eq!(answer.status, 200, "{answer}");
    let told = answer.text();
    for part in [
        "portcullis.yaml:1:1: workers: the change from 1 to 3 needs a restart",
        "admin: the change from 127.0.0.1:0 to 127.0.0.1:1 needs a restart",
    ] {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
    assert_eq!(gate.get("/").text(), "new");
    let in_force = gate.ask_admin("/config").json();
    assert_eq!(in_force["workers"], 1);
    assert_eq!(in_force["admin"]["bind"], "127.0.0.1:0");
    // The log comes by a way of its own, and may be behind the answer.
    for key in ["workers: ", "admin: "] {
        gate.await_warning(key);
    }
    gate.rewrite(&format!("workers: 1\n{}", saying("newer")));
    let told = ask_to_reload(&gate).text();
    assert!(!told.contains("warning"), "{told}");
}

#[test]
fn the_variable_for_workers_overrides_the_file_in_a_reload_too() {
    let folder = Folder::new();
    folder.write("portcullis.yaml", saying("old"));
    let mut command = portcullis();
    command.args(["run", "portcullis.yaml"]);
    let gate = Gate::spawn(folder, command);
    gate.rewrite(&format!("workers: 3\n{}", saying("new")));
    let told = ask_to_reload(&gate).text();
    assert!(!told.contains("warning"), "{told}");
}

#[test]
fn warnings_are_in_the_answer() {
    let gate = Gate::start(&saying("old"));
    gate.rewrite(&format!("{}  - {{path: /**, to: {{respond: never}}}}\n", saying("new")));
    let answer = ask_to_reload(&gate);
    assert_eq!(answer.status, 200, "{answer}");
    let told = answer.text();
    assert!(
        told.contains("warning: ") && told.contains("portcullis.yaml:5:"),
        "{told}"
    );
    assert!(told.contains("the route never matches"), "{told}");
    gate.await_log("the route never matches");
}

#[test]
fn a_file_that_is_gone_changes_nothing() {
    let gate = Gate::start(&saying("old"));
    std::fs::remove_file(gate.folder.path().join("portcullis.yaml")).unwrap();
    let answer = ask_to_reload(&gate);
    assert!(answer.status >= 400, "{answer}");
    assert_eq!(gate.get("/").text(), "old");
}

#[test]
fn get_doesnt_reload() {
    let gate = Gate::start(&saying("old"));
    gate.rewrite(&saying("new"));
    assert_eq!(gate.ask_admin("/reload").status, 405);
    assert_eq!(gate.get("/").text(), "old");
}

#[test]
fn a_request_in_progress_ends_on_what_it_began_with() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let upstream = Upstream::playing(move |peer| {
        peer.request();
        gone.lock().unwrap().recv().unwrap();
        peer.answer("200 OK", "old");
    });
    let gate = Gate::start(&forward_all(upstream.address(), ""));
    let mut client = gate.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the request at the upstream", || upstream.open() == 1);
    gate.rewrite(&saying("new"));
    assert_eq!(ask_to_reload(&gate).status, 200);
    assert_eq!(gate.get("/").text(), "new");
    go.send(()).unwrap();
    assert_eq!(client.answer().text(), "old");
    assert_eq!(client.get("/").text(), "new");
}

#[test]
fn pools_survive() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let mut client = gate.connect();
    for _ in 0..10 {
        assert_eq!(client.get("/").status, 200);
        assert_eq!(ask_to_reload(&gate).status, 200);
    }
    assert_eq!(upstream.accepted(), 1, "a reload threw the pool away");
}

#[test]
fn metrics_survive() {
    let upstream = Upstream::ok();
    let gate = Gate::start(&format!(
        "listeners: [127.0.0.1:0]\nadmin: {{bind: '127.0.0.1:0'}}\nservices: {{up: \"http://{}\"}}\n\
         routes:\n  - {{name: all, path: /**, to: {{service: up}}}}\n",
        upstream.address()
    ));
    let series = "portcullis_http_requests_total{route=\"all\",method=\"GET\",status=\"200\"}";
    gate.get("/");
    assert_eq!(ask_to_reload(&gate).status, 200);
    gate.get("/");
    eventually("both counted", || (gate.metric(series) - 2.0).abs() < f64::EPSILON);
}

#[test]
fn a_listener_can_come_and_go() {
    let gate = Gate::start(&saying("old"));
    let [port] = free_ports();
    gate.rewrite(&saying("new").replace("[127.0.0.1:0]", &format!("[127.0.0.1:0, {port}]")));
    let answer = ask_to_reload(&gate);
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(Client::connect(port).get("/").text(), "new");
    gate.rewrite(&saying("newer"));
    assert_eq!(ask_to_reload(&gate).status, 200);
    eventually("the listener to be gone", || {
        std::net::TcpStream::connect(port).is_err()
    });
    assert_eq!(gate.get("/").text(), "newer");
}

#[test]
fn many_reloads_under_load_fail_no_request() {
    let upstream = Upstream::ok();
    let gate = Gate::before(upstream.address());
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (stop, asked, address) = (Arc::clone(&stop), Arc::clone(&asked), gate.address());
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.get("/");
                    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..20 {
        eventually("requests between two reloads", || asked.load(Ordering::Relaxed) > round);
        gate.rewrite(&forward_all(upstream.address(), &format!("drain: {}s", round + 1)));
        assert_eq!(ask_to_reload(&gate).status, 200);
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    assert!(upstream.accepted() <= 8, "{} upstream connections", upstream.accepted());
}
