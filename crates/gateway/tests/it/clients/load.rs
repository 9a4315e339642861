//! h2load, which keeps many streams of many connections busy.

use std::process::Command;

use super::super::upstream::Upstream;
use super::{Front, plain_and_forwarded, said};

const REQUESTS: &str = "4000";

fn h2load(arguments: &[&str], url: &str) {
    let output = said(
        Command::new("h2load")
            .args(["-n", REQUESTS, "-t", "1"])
            .args(arguments)
            .arg(url),
    );
    let line = output
        .lines()
        .find(|line| line.starts_with("status codes:"))
        .unwrap_or_else(|| panic!("{output}"));
    assert!(
        line.starts_with(&format!("status codes: {REQUESTS} 2xx")),
        "{arguments:?} {url}\n{output}"
    );
}

#[test]
fn every_request_of_a_crowd_is_answered() {
    let upstream = Upstream::ok();
    let front = Front::start(&plain_and_forwarded(upstream.address()));
    // A server of threads takes fewer at a time than the gate.
    for (path, streams) in [("/plain", "50"), ("/echo/a", "4")] {
        let clear = format!("http://{}{path}", front.clear());
        let secure = format!("https://localhost:{}{path}", front.secure().port());
        for url in [clear.as_str(), secure.as_str()] {
            h2load(&["-c", "20", "-m", streams], url);
            h2load(&["-c", "20", "--h1"], url);
        }
    }
}

#[test]
fn bodies_go_up_in_many_streams() {
    let upstream = Upstream::ok();
    let front = Front::start(&plain_and_forwarded(upstream.address()));
    let body = front.gate.folder.write("body", vec![b'x'; 20_000]);
    let url = format!("http://{}/echo/a", front.clear());
    h2load(&["-c", "10", "-m", "5", "-d", &body.display().to_string()], &url);
}
