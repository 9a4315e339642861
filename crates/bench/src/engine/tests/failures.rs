//! What goes wrong is called by its name, and never tried again.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Failures by kind and cause, with their number.
fn failures(total: &RouteMeasured) -> Vec<(Failure, &str, u64)> {
    let of_kind = |(kind, causes): (&Failure, &std::collections::BTreeMap<String, u64>)| {
        let kind = *kind;
        causes
            .iter()
            .map(|(why, count)| (kind, why.clone(), *count))
            .collect::<Vec<_>>()
    };
    let all: Vec<(Failure, String, u64)> = total.failures.iter().flat_map(of_kind).collect();
    all.into_iter()
        .map(|(kind, why, count)| (kind, &*why.leak(), count))
        .collect()
}

fn ten() -> Phase {
    phase(100, rate(100.0))
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (measured, total) = run(plan(address, 2), &[ten()]);
    assert_eq!(failures(&total), [(Failure::Connect, "connection refused", 10)]);
    assert_eq!((total.ended, total.latency.count()), (10, 10));
    let bad: u64 = measured.seconds.iter().map(|second| second.bad).sum();
    assert_eq!(bad, total.failed());
}

#[test]
fn no_answer_in_time() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let address = server(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        true
    });
    let plan = Plan {
        timeout: Duration::from_millis(100),
        connections: 20,
        ..plan(address, 1)
    };
    let (measured, total) = run(plan, &[ten()]);
    assert_eq!(failures(&total), [(Failure::Timeout, "no answer in time", 10)]);
    assert!(total.latency.min().unwrap() >= Duration::from_millis(99));
    // Each was sent once. A connection without an answer is of no more use, and so was each.
    assert!(sent.load(Ordering::Relaxed) <= 10 && measured.generator.connections <= 20);
}

#[test]
fn an_end_instead_of_an_answer() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let address = server(move |stream, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
            .unwrap();
        false
    });
    let (_, total) = run(plan(address, 1), &[ten()]);
    assert_eq!(
        failures(&total),
        [(Failure::Reset, "connection closed within an answer", 10)]
    );
    assert_eq!(sent.load(Ordering::Relaxed), 10);
}

#[test]
fn something_else_than_an_answer() {
    let address = server(|stream, _| stream.write_all(b"220 mail.example\r\n").is_ok());
    let (_, total) = run(plan(address, 1), &[ten()]);
    let why = "the response does not start with a status line";
    assert_eq!(failures(&total), [(Failure::Protocol, why, 10)]);
}

#[test]
fn a_status_that_is_not_right() {
    let address = server(|stream, number| {
        let status = if number % 2 == 0 { 503 } else { 404 };
        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nno");
        stream.write_all(answer.as_bytes()).is_ok()
    });
    let plan = Plan {
        connections: 1,
        ..plan(address, 3)
    };
    let (_, total) = run(plan, &[ten()]);
    // A flow ends with its first failure.
    assert_eq!(
        failures(&total),
        [(Failure::Status, "404", 5), (Failure::Status, "503", 5)]
    );
    assert_eq!((total.statuses[&503], total.bytes), (5, 20));
}

#[test]
fn a_connection_that_was_closed_while_idle_is_no_failure() {
    // It says that it goes on, and closes after each answer all the same.
    let address = server(|stream, _| {
        stream.write_all(b"HTTP/1.1 204 No\r\n\r\n").unwrap();
        false
    });
    let plan = Plan {
        connections: 1,
        ..plan(address, 1)
    };
    let (measured, total) = run(plan, &[phase(1000, rate(5.0))]);
    assert_eq!((total.ended, total.failed()), (5, 0), "{:?}", total.failures);
    assert_eq!(measured.generator.connected, 5);
}

#[test]
fn what_is_left_at_the_end_has_failed() {
    let address = server(|_, _| true);
    let plan = Plan {
        connections: 1,
        timeout: Duration::from_millis(300),
        ..plan(address, 1)
    };
    // One a time-out: the first, and a second one that begins before the last call.
    let (_, total) = run(plan, &[ten()]);
    let failed = |kind| {
        total
            .failures
            .get(&kind)
            .map_or(0, |causes| causes.values().sum::<u64>())
    };
    assert_eq!(
        failed(Failure::Timeout) + failed(Failure::Missed),
        10,
        "{:?}",
        total.failures
    );
    assert!(failed(Failure::Timeout) >= 1 && failed(Failure::Missed) >= 8);
}

#[test]
fn each_request_may_have_a_connection_of_its_own() {
    let server = StandIn::start(Behaviour::default()).unwrap();
    let plan = Plan {
        fresh_connections: true,
        ..plan(server.address(), 1)
    };
    let (measured, total) = run(plan, &[ten()]);
    assert_eq!(
        (total.failed(), measured.generator.connected, server.connections()),
        (0, 10, 10)
    );
}
