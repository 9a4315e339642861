//! What can't start says so in one line, with the place, and with exit code 1, before anything listens.

use std::net::TcpListener;

use super::folder::Folder;
use super::gate::{Gate, refused};

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = Folder::new();
    let (said, code) = refused(
        &folder,
        &format!("listeners: [{address}]\nroutes:\n  - {{path: /**, to: {{respond: a}}}}\n"),
    );
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&address.to_string()), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

#[test]
fn a_port_of_another_gate_is_taken_too() {
    // Workers share a port by SO_REUSEPORT, which must not let a second gate take half of the first one's connections.
    let first = Gate::start("listeners: [127.0.0.1:0]\nroutes:\n  - {path: /**, to: {respond: first}}\n");
    let folder = Folder::new();
    let (said, code) = refused(
        &folder,
        &format!(
            "listeners: [{}]\nroutes:\n  - {{path: /**, to: {{respond: second}}}}\n",
            first.address()
        ),
    );
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&first.address().to_string()), "{said}");
    for _ in 0..20 {
        assert_eq!(first.get("/").text(), "first");
    }
}

#[test]
fn a_taken_admin_port_is_named_and_nothing_listens() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (said, code) = refused(
        &Folder::new(),
        &format!(
            "listeners: [127.0.0.1:0]\nadmin: {{bind: '{address}'}}\nroutes:\n  - {{path: /**, to: {{respond: a}}}}\n"
        ),
    );
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&address.to_string()), "{said}");
}

#[test]
fn what_cant_listen_creates_no_database() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (listener, admin) in [
        (address.to_string().as_str(), "127.0.0.1:0"),
        ("127.0.0.1:0", &address.to_string()),
    ] {
        let folder = Folder::new();
        folder.write(
            "migrations/0001_notes.sql",
            "CREATE TABLE notes (id INTEGER PRIMARY KEY);",
        );
        let (said, code) = refused(
            &folder,
            &format!(
                "listeners: ['{listener}']\nadmin: {{bind: '{admin}'}}\n\
                 databases: {{bank: {{url: 'sqlite:data/bank.db', migrations: migrations}}}}\n\
                 routes:\n  - {{path: /notes, to: {{table: bank.notes}}}}\n"
            ),
        );
        assert_eq!(code, Some(1), "{said}");
        assert!(!folder.path().join("data").exists(), "{said}");
    }
}

#[test]
fn every_problem_of_a_file_is_told_at_once_with_its_place() {
    let (said, code) = refused(
        &Folder::new(),
        "listeners:\n  - bind: nowhere\nservices:\n  calendar: http://127.0.0.1:1\n\
         routes:\n  - {path: /a, to: {service: calender}}\n  - {path: /b, polices: [], to: {respond: b}}\n",
    );
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "portcullis.yaml:2:",
        "portcullis.yaml:6:",
        "portcullis.yaml:7:",
        "`calendar`",
        "`policies`",
    ] {
        assert!(said.contains(part), "{part} is missing:\n{said}");
    }
    assert!(!said.contains("listening"), "{said}");
}

#[test]
fn a_file_that_isnt_there_is_named() {
    let folder = Folder::new();
    let output = super::gate::command(folder.path(), &["run", "nowhere.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nowhere.yaml"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

#[test]
fn start_says_what_listens_where() {
    let gate = Gate::start(
        "listeners: [127.0.0.1:0]\nadmin: {bind: '127.0.0.1:0'}\nroutes:\n  - {path: /**, to: {respond: a}}\n",
    );
    let log = gate.log();
    assert!(log.contains(&format!("http://{}", gate.address())), "{log}");
    assert!(log.contains(&format!("http://{}", gate.admin())), "{log}");
}
