//! What lines hold, and that none is forged, torn or lost in silence.

use std::fs;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use portcullis_core::{Consumer, Error, Method, Status, Version, codes};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::trial::context;

/// Longer than anything here takes, so that a failure shows as one.
const PATIENCE: Duration = Duration::from_secs(20);

fn outcome<'a>(target: &'a str, method: &'a Method) -> Outcome<'a> {
    Outcome {
        method: Some(method),
        target,
        version: Version::Http11,
        host: "a.example",
        user_agent: None,
        referer: None,
        status: Status::OK,
        error: None,
        bytes_in: 3,
        bytes_out: 45,
        duration: Duration::from_micros(1_020),
        complete: true,
    }
}

fn log(template: Option<&str>, folder: &TempDir, sinks: &Sinks) -> AccessLog {
    let config = access_log::AccessLog {
        off: false,
        file: Some(PathBuf::from("access.log")),
        template: template.map(str::to_owned),
    };
    AccessLog::new(&config, folder.path(), sinks).unwrap()
}

/// The lines that those outcomes make.
fn written(template: Option<&str>, outcomes: &[Outcome<'_>]) -> String {
    let (folder, sinks) = (TempDir::new().unwrap(), Sinks::default());
    let log = log(template, &folder, &sinks);
    let mut cx = context();
    cx.consumer = Some(Arc::new(Consumer::new("alice", "api_key")));
    outcomes.iter().for_each(|outcome| log.ended(&cx, outcome));
    assert!(sinks.close(PATIENCE));
    assert_eq!((sinks.dropped(), sinks.failed_writes()), (0, 0));
    fs::read_to_string(folder.path().join("access.log")).unwrap()
}

#[test]
fn a_line_is_an_object_without_the_querys_values() {
    let method = Method::Get;
    let mut outcome = outcome("/items/7?token=secret&page=2&flag", &method);
    (outcome.user_agent, outcome.referer) = (Some("curl/8"), Some("https://b.example/x?token=secret#y"));
    let text = written(None, &[outcome]);
    assert!(text.ends_with("}\n") && !text.contains("secret"), "{text}");
    let expected = json!({
        "time": "2026-11-22T08:44:05.006Z", "request_id": "id-1", "client": "192.0.2.7", "method": "GET",
        "scheme": "http", "host": "a.example", "path": "/items/7", "query": "token&page&flag", "version": "HTTP/1.1",
        "status": 200, "bytes_in": 3, "bytes_out": 45, "duration_ms": 1.02, "complete": true, "route": "items",
        "consumer": "alice", "user_agent": "curl/8", "referer": "https://b.example/x",
    });
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    assert!(text.contains("\"duration_ms\":1.020,"), "{text}");
}

#[test]
fn a_failure_has_code_policy_and_cause() {
    let method = Method::Post;
    let mut outcome = outcome("", &method);
    let error = Error::new(&codes::RATE_LIMITED)
        .by_policy("rate_limit")
        .with_cause("line\nbreak");
    (outcome.error, outcome.method, outcome.complete) = (Some(&error), None, false);
    let text = written(None, &[outcome]);
    let object: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(object["error"], "rate_limited");
    assert_eq!(object["policy"], "rate_limit");
    assert_eq!(object["cause"], "line\nbreak");
    assert_eq!(object["complete"], false);
    assert!(object.get("method").is_none() && object.get("path").is_none());
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_template_has_the_same_fields_and_nobody_can_forge_a_line() {
    let method = Method::Get;
    let mut outcome = outcome("/a", &method);
    outcome.user_agent = Some("x\" 200\r\n192.0.2.9 \"GET /forged\\");
    let template = "{client} \"{method} {path}\" {status} {duration_ms} {{{service}}} \"{user_agent}\"";
    let expected = r#"192.0.2.7 "GET /a" 200 1.020 {-} "x\x22 200\x0d\x0a192.0.2.9 \x22GET /forged\x5c""#;
    assert_eq!(written(Some(template), &[outcome]), format!("{expected}\n"));
}

#[test]
fn a_template_with_an_unknown_field_is_refused() {
    for (template, words) in [
        ("{nothing}", "no field `nothing`; there are time, "),
        ("{status", "stands alone"),
        ("a}b", "stands alone"),
        ("a\nb", "one line"),
    ] {
        let config = access_log::AccessLog {
            template: Some(template.to_owned()),
            ..Default::default()
        };
        let problem = AccessLog::new(&config, Path::new("/"), &Sinks::default()).unwrap_err();
        assert!(problem.contains(words), "{problem}");
        assert_eq!(check(&config, Path::new("/")), Err(problem));
    }
    assert_eq!(check(&access_log::AccessLog::default(), Path::new("/")), Ok(()));
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let config = access_log::AccessLog {
        file: Some("missing/access.log".into()),
        ..Default::default()
    };
    let folder = TempDir::new().unwrap();
    let problem = AccessLog::new(&config, folder.path(), &Sinks::default()).unwrap_err();
    assert!(problem.contains("missing/access.log"), "{problem}");
    assert_eq!(check(&config, folder.path()), Err(problem));
    fs::create_dir(folder.path().join("missing")).unwrap();
    assert_eq!(check(&config, folder.path()), Ok(()));
    assert!(!folder.path().join("missing/access.log").exists());
    fs::create_dir(folder.path().join("missing/access.log")).unwrap();
    let problem = AccessLog::new(&config, folder.path(), &Sinks::default()).unwrap_err();
    assert!(problem.contains("missing/access.log"), "{problem}");
    assert!(check(&config, folder.path()).is_err());
}

#[test]
fn lines_of_all_workers_arrive_whole() {
    let (folder, sinks) = (TempDir::new().unwrap(), Sinks::default());
    let log = log(None, &folder, &sinks);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (cx, method) = (context(), Method::Get);
                (0..200).for_each(|_| log.ended(&cx, &outcome("/a", &method)));
            });
        }
    });
    assert!(sinks.close(PATIENCE));
    let text = fs::read_to_string(folder.path().join("access.log")).unwrap();
    assert_eq!(
        text.lines()
            .filter(|line| serde_json::from_str::<Value>(line).is_ok())
            .count(),
        800
    );
    assert_eq!(text.lines().count(), 800);
}

#[test]
fn a_rotated_file_is_opened_anew() {
    let (folder, sinks) = (TempDir::new().unwrap(), Sinks::default());
    let log = log(Some("{path}"), &folder, &sinks);
    let (cx, method) = (context(), Method::Get);
    let (current, rotated) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    log.ended(&cx, &outcome("/before", &method));
    wait_until(|| fs::read_to_string(&current).is_ok_and(|text| text == "/before\n"));
    fs::rename(&current, &rotated).unwrap();
    sinks.reopen();
    wait_until(|| current.exists());
    log.ended(&cx, &outcome("/after", &method));
    assert!(sinks.close(PATIENCE));
    assert_eq!(fs::read_to_string(&current).unwrap(), "/after\n");
    assert_eq!(fs::read_to_string(&rotated).unwrap(), "/before\n");
}

#[test]
fn lines_are_dropped_and_counted_while_the_disk_stalls() {
    let (mut reader, pipe) = std::io::pipe().unwrap();
    let sinks = Sinks::default();
    let config = access_log::AccessLog {
        file: Some(format!("/proc/self/fd/{}", pipe.as_raw_fd()).into()),
        ..Default::default()
    };
    let log = AccessLog::new(&config, Path::new("/"), &sinks).unwrap();
    drop(pipe);
    let (cx, method) = (context(), Method::Get);
    let lines: u64 = 20_000;
    // Nobody reads: the pipe is full soon, and then the buffers are.
    (0..lines).for_each(|_| log.ended(&cx, &outcome("/a", &method)));
    assert!(sinks.dropped() > 0, "all of it was buffered");
    assert!(
        !sinks.close(Duration::ZERO),
        "the writer ended before its lines were read"
    );
    let mut text = String::new();
    let reading = std::thread::spawn(move || reader.read_to_string(&mut text).map(|_| text));
    assert!(sinks.close(PATIENCE));
    let text = reading.join().unwrap().unwrap();
    assert_eq!(text.lines().count() as u64 + sinks.dropped(), lines);
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    let mut metrics = String::new();
    sinks.render(&mut metrics);
    assert!(metrics.contains(&format!(
        "portcullis_access_log_dropped_lines_total {}\n",
        sinks.dropped()
    )));
}

#[test]
fn write_errors_are_survived_and_counted() {
    let sinks = Sinks::default();
    let config = access_log::AccessLog {
        file: Some("/dev/full".into()),
        ..Default::default()
    };
    let log = AccessLog::new(&config, Path::new("/"), &sinks).unwrap();
    let (cx, method) = (context(), Method::Get);
    log.ended(&cx, &outcome("/a", &method));
    wait_until(|| sinks.failed_writes() == 1);
    log.ended(&cx, &outcome("/a", &method));
    assert!(sinks.close(PATIENCE));
    assert_eq!((sinks.dropped(), sinks.failed_writes()), (2, 2));
}

#[test]
fn a_destination_is_shared_and_survives_as_long_as_somebody_uses_it() {
    let (folder, sinks) = (TempDir::new().unwrap(), Sinks::default());
    let before = log(None, &folder, &sinks);
    let after = log(Some("{path}"), &folder, &sinks);
    assert!(Arc::ptr_eq(before.sink.as_ref().unwrap(), after.sink.as_ref().unwrap()));
    drop(before);
    after.ended(&context(), &outcome("/kept", &Method::Get));
    drop(after);
    let file = folder.path().join("access.log");
    wait_until(|| fs::read_to_string(&file).is_ok_and(|text| text == "/kept\n"));
}

#[test]
fn a_log_that_is_off_opens_nothing() {
    let config = access_log::AccessLog {
        off: true,
        file: Some("missing/access.log".into()),
        template: None,
    };
    let log = AccessLog::new(&config, Path::new("/"), &Sinks::default()).unwrap();
    log.ended(&context(), &outcome("/a", &Method::Get));
}

/// Waits for what another thread does; panics when it doesn't.
fn wait_until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "it did not happen");
        std::thread::yield_now();
    }
}
