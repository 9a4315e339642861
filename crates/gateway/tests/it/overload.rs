//! When descriptors run out, connections are shed, it is logged, and the gate recovers by itself.

use std::process::Command;

use super::client::Client;
use super::folder::Folder;
use super::gate::{Gate, eventually};

#[test]
fn a_full_table_of_descriptors_is_survived() {
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        "listeners: [127.0.0.1:0]\nroutes:\n  - {path: /**, to: {respond: here}}\n",
    );
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -n 60; exec \"$0\" run portcullis.yaml",
        env!("CARGO_BIN_EXE_portcullis"),
    ]);
    let gate = Gate::spawn(folder, command);
    let mut crowd: Vec<Client> = (0..100).map(|_| gate.connect()).collect();
    let mut served = 0;
    for client in &mut crowd {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    for client in &mut crowd {
        // Who was shed sees the end of the connection or 503, and nobody hangs.
        match client.try_answer(false) {
            Ok(answer) if answer.status == 200 => served += 1,
            Ok(answer) => assert_eq!(answer.status, 503),
            Err(failure) => assert_ne!(
                failure.kind(),
                std::io::ErrorKind::WouldBlock,
                "a client was left hanging"
            ),
        }
    }
    assert!(served >= 10, "only {served} were served");
    drop(crowd);
    eventually("an answer after the crowd", || {
        let mut client = gate.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.try_answer(false).is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn it_is_logged_once_and_not_for_each_connection() {
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        "listeners: [127.0.0.1:0]\nroutes:\n  - {path: /**, to: {respond: here}}\n",
    );
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -n 60; exec \"$0\" run portcullis.yaml",
        env!("CARGO_BIN_EXE_portcullis"),
    ]);
    let gate = Gate::spawn(folder, command);
    let crowd: Vec<Client> = (0..150).map(|_| gate.connect()).collect();
    gate.await_log("descriptor");
    drop(crowd);
    eventually("an answer after the crowd", || {
        let mut client = gate.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.try_answer(false).is_ok_and(|answer| answer.status == 200)
    });
    let lines = gate.log().lines().filter(|line| line.contains("descriptor")).count();
    assert!(lines <= 20, "{lines} lines");
}
