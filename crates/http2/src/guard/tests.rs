#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::{any, proptest};

use super::*;

const RST_STREAM: u8 = 3;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

fn frame(kind: u8, flags: u8, len: usize) -> Vec<u8> {
    let [_, high, middle, low] = u32::try_from(len).unwrap().to_be_bytes();
    let mut bytes = vec![high, middle, low, kind, flags, 0, 0, 0, 1];
    bytes.resize(HEAD + len, 0xff);
    bytes
}

/// A guard that the greeting has gone by.
fn greeted() -> (Guard, Instant) {
    let start = Instant::now();
    let mut guard = Guard::new(start);
    guard.received(PREFACE, || start).unwrap();
    (guard, start)
}

/// How many repetitions of these frames a fresh guard lets pass within an instant, up to 100,000.
fn passed(incoming: &[Vec<u8>], outgoing: &[Vec<u8>]) -> usize {
    let (mut guard, start) = greeted();
    let (incoming, outgoing) = (incoming.concat(), outgoing.concat());
    (0..100_000)
        .take_while(|_| {
            let calm = guard.received(&incoming, || start).is_ok();
            guard.sent(&outgoing);
            calm
        })
        .count()
}

const FOR_EVER: usize = 100_000;

#[test]
fn floods_come_to_an_end() {
    let (ping, pong) = (frame(PING, 0, 8), frame(PING, 1, 8));
    assert_eq!(passed(&[ping], &[pong]), 1000);
    assert_eq!(passed(&[frame(SETTINGS, 0, 6)], &[frame(SETTINGS, 1, 0)]), 1000);
    assert_eq!(passed(&[frame(2, 0, 5)], &[]), 1000);
    assert_eq!(passed(&[frame(WINDOW_UPDATE, 0, 4)], &[]), 1000);
    assert_eq!(passed(&[frame(DATA, 0, 0)], &[]), 1000);
    assert_eq!(passed(&[frame(CONTINUATION, 0, 0)], &[]), 1000);
    assert_eq!(passed(&[frame(0x42, 0, 0)], &[]), 1000);
    let taken_back = [frame(HEADERS, END_HEADERS | END_STREAM, 20), frame(RST_STREAM, 0, 4)];
    assert_eq!(passed(&taken_back, &[]), 500);
}

#[test]
fn a_client_at_work_is_never_stopped() {
    let request = frame(HEADERS, END_HEADERS | END_STREAM, 40);
    let head = frame(HEADERS, END_HEADERS, 40);
    let last = frame(HEADERS, END_HEADERS | END_STREAM, 10);
    let window = frame(WINDOW_UPDATE, 0, 4);
    let message = frame(DATA, 0, 7);
    // Plain requests, answered with a head alone.
    assert_eq!(passed(&[request], std::slice::from_ref(&head)), FOR_EVER);
    // Unary gRPC calls by a client that returns every window, pings and resets after each.
    let call = [
        head.clone(),
        frame(DATA, END_STREAM, 5),
        window.clone(),
        window.clone(),
        frame(PING, 0, 8),
        frame(RST_STREAM, 0, 4),
    ];
    assert_eq!(passed(&call, &[head.clone(), message.clone(), last]), FOR_EVER);
    // A stream of small messages from the server, each with its windows and a ping that measures.
    let echo = [window.clone(), window, frame(PING, 0, 8)];
    assert_eq!(passed(&echo, std::slice::from_ref(&message)), FOR_EVER);
    // A stream of small messages from the client.
    assert_eq!(passed(&[message], &[]), FOR_EVER);
    // An upload in which each piece is followed by a ping.
    assert_eq!(passed(&[frame(DATA, 0, 1024), frame(PING, 0, 8)], &[]), FOR_EVER);
}

#[test]
fn windows_that_let_out_single_bytes_earn_nothing() {
    let (mut guard, now) = greeted();
    guard
        .received(&frame(HEADERS, END_HEADERS | END_STREAM, 20).repeat(100), || now)
        .unwrap();
    let (settings, dribble) = (frame(SETTINGS, 0, 6), frame(DATA, 0, 1).repeat(100));
    let rounds = (0..FOR_EVER).take_while(|_| {
        guard.sent(&dribble);
        guard.received(&settings, || now).is_ok()
    });
    // What was sent before the first change was earned.
    assert_eq!(rounds.count(), 1300);
}

#[test]
fn a_client_may_answer_late() {
    let (mut guard, now) = greeted();
    for _ in 0..20_000 {
        guard.sent(&frame(DATA, 0, 7));
    }
    let windows = frame(WINDOW_UPDATE, 0, 4).repeat(40_000);
    assert_eq!(guard.received(&windows, || now), Ok(()));
    let pings = frame(PING, 0, 8).repeat(100_000);
    assert_eq!(guard.received(&pings, || now), Err(Flood), "but not for ever");
}

#[test]
fn time_gives_calm_back() {
    let (mut guard, start) = greeted();
    let pings = frame(PING, 0, 8).repeat(1000);
    assert_eq!(guard.received(&pings, || start), Ok(()));
    let ping = frame(PING, 0, 8);
    assert_eq!(guard.received(&ping, || start + Duration::from_millis(20)), Ok(()));
    assert_eq!(guard.received(&ping, || start + Duration::from_millis(20)), Ok(()));
    assert_eq!(guard.received(&ping, || start + Duration::from_millis(20)), Err(Flood));
    assert_eq!(guard.received(&pings, || start + Duration::from_secs(3600)), Ok(()));
    assert_eq!(guard.received(&ping, || start + Duration::from_secs(3600)), Err(Flood));
}

#[test]
fn an_unfinished_head_is_seen() {
    let (mut guard, now) = greeted();
    let mut check = |bytes: &[u8], within| {
        guard.received(bytes, || now).unwrap();
        assert_eq!(guard.unfinished_block(), within);
    };
    let head = frame(HEADERS, END_HEADERS, 10);
    check(&head, None);
    check(&head[..12], Some(2));
    check(&head[12..], None);
    check(&frame(HEADERS, 0, 10), Some(3));
    check(&frame(CONTINUATION, 0, 0), Some(3));
    check(&frame(CONTINUATION, END_HEADERS, 1), None);
    check(&frame(DATA, 0, 10)[..12], None);
}

proptest! {
    #[test]
    fn pieces_make_no_difference(kinds in proptest::collection::vec((any::<u8>(), any::<u8>(), 0usize..40), 1..30), piece in 1usize..50) {
        let bytes: Vec<u8> = kinds.iter().flat_map(|(kind, flags, len)| frame(*kind, *flags, *len)).collect();
        let heads = |size: usize| {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for piece in bytes.chunks(size) {
                frames.follow(piece, |frame| found.push((frame.kind, frame.flags, frame.len)));
            }
            assert_eq!(frames.to_skip, 0);
            found
        };
        let expected: Vec<_> = kinds.iter().map(|(kind, flags, len)| (*kind, *flags, u32::try_from(*len).unwrap())).collect();
        assert_eq!(heads(piece), expected);
        assert_eq!(heads(bytes.len()), expected);
    }
}
