//! When descriptors run out, connections are shed, it is logged, and the gate recovers by itself.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::client::Client;
use super::folder::Folder;
use super::gate::{Gate, eventually};

/// The gate in a process with so many descriptors.
fn with_descriptors(limit: u32) -> Command {
    // Those that whoever runs the tests has left open would count.
    let line = format!("exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n {limit}; exec \"$0\" run portcullis.yaml");
    let mut command = Command::new("sh");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_portcullis")]);
    command
}

#[test]
fn a_full_table_of_descriptors_is_survived() {
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        "listeners: [127.0.0.1:0]\nroutes:\n  - {path: /**, to: {respond: here}}\n",
    );
    let gate = Gate::spawn(folder, with_descriptors(60));
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
fn too_few_descriptors_to_start_are_told_in_one_line() {
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        "listeners: [127.0.0.1:0]\nadmin: {bind: '127.0.0.1:0'}\nroutes:\n  - {path: /**, to: {respond: here}}\n",
    );
    // From what a process needs to be loaded at all, up to the first limit with which the gate starts.
    for (failures, limit) in (5..60).enumerate() {
        let mut gate = with_descriptors(limit)
            .current_dir(folder.path())
            .env("PORTCULLIS_WORKERS", "2")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(gate.stderr.take().unwrap()).lines() {
            said.push(line.unwrap());
            if said.last().is_some_and(|line| line.ends_with("ready")) {
                gate.kill().unwrap();
                gate.wait().unwrap();
                assert!(failures > 5, "only {failures} starts failed");
                return;
            }
        }
        assert_eq!(gate.wait().unwrap().code(), Some(1), "{limit}: {said:?}");
        assert_eq!(said.len(), 1, "{limit}: {said:?}");
    }
    panic!("the gate never started");
}

#[test]
fn it_is_logged_once_and_not_for_each_connection() {
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        "listeners: [127.0.0.1:0]\nroutes:\n  - {path: /**, to: {respond: here}}\n",
    );
    let gate = Gate::spawn(folder, with_descriptors(60));
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
