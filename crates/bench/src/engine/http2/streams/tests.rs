#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;
use crate::outcome::Failure;

const WANTS: Wants = Wants {
    headers: true,
    body: Some(4),
};

/// `:status: 200`, and that with `content-length: 5`.
const OK: &[u8] = &[0x88];
const FIVE: &[u8] = &[0x88, 0x0f, 0x0d, 0x01, b'5'];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::begin(&mut out, payload.len(), kind, flags, stream);
    out.extend_from_slice(payload);
    out
}

fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let bytes = |(name, value): &(u16, u32)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(
        frame::SETTINGS,
        0,
        0,
        &settings.iter().flat_map(bytes).collect::<Vec<_>>(),
    )
}

/// A connection whose server has said this.
fn greeted(said: &[(u16, u32)]) -> Streams {
    let mut streams = Streams::new();
    take(&mut streams, &settings(said));
    streams.written();
    streams
}

fn take(streams: &mut Streams, input: &[u8]) {
    assert_eq!(streams.receive(input), Ok(input.len()));
}

fn start(streams: &mut Streams, body: &'static [u8]) -> usize {
    streams.start(&[0x82], &Bytes::from_static(body), WANTS, false)
}

fn done(streams: &mut Streams, place: usize) -> Option<Result<Partial, Failed>> {
    match streams.poll_done(place, &mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// The frames that wait to be written, after what was written before.
fn written(streams: &mut Streams) -> Vec<(u8, u32, usize)> {
    let mut out = std::mem::take(&mut streams.out);
    streams.written();
    let mut frames = Vec::new();
    while let Some(head) = Head::read(&out) {
        frames.push((head.kind, head.stream, head.length));
        out.drain(..frame::HEADER + head.length);
    }
    frames
}

#[test]
fn an_answer_may_come_in_any_pieces() {
    let whole = [
        frame(frame::PING, 0, 0, &[1; 8]),
        frame(0x42, 0, 1, b"nobody knows this"),
        frame(frame::HEADERS, 0, 1, &FIVE[..2]),
        frame(frame::CONTINUATION, frame::END_HEADERS, 1, &FIVE[2..]),
        frame(frame::DATA, frame::PADDED, 1, b"\x03hel___"),
        frame(frame::DATA, frame::END_STREAM, 1, b"lo"),
    ]
    .concat();
    for size in [1, 7, 20, whole.len()] {
        let mut streams = greeted(&[]);
        let place = start(&mut streams, b"");
        let mut input = Vec::new();
        for piece in whole.chunks(size) {
            input.extend_from_slice(piece);
            let taken = streams.receive(&input).unwrap();
            input.drain(..taken);
        }
        let answer = done(&mut streams, place).unwrap().unwrap();
        assert_eq!(
            (answer.status, answer.length, &answer.body.unwrap()[..]),
            (200, 5, &b"hell"[..]),
            "{size}"
        );
        assert_eq!(answer.headers.unwrap().get("content-length"), Some(&b"5"[..]));
        assert_eq!(written(&mut streams), [(frame::HEADERS, 1, 1), (frame::PING, 0, 8)]);
    }
}

#[test]
fn content_goes_as_the_server_grants_it() {
    static BODY: [u8; 40_000] = [0; 40_000];
    let mut streams = greeted(&[(0x4, 20_000)]);
    let place = start(&mut streams, &BODY);
    let data = |count| (frame::DATA, 1, count);
    assert_eq!(
        written(&mut streams),
        [(frame::HEADERS, 1, 1), data(16_384), data(3_616)]
    );
    take(
        &mut streams,
        &frame(frame::WINDOW_UPDATE, 0, 1, &1_000u32.to_be_bytes()),
    );
    assert_eq!(written(&mut streams), [data(1_000)]);
    // The window grows behind what was sent, and may be negative before.
    take(&mut streams, &settings(&[(0x4, 10_000)]));
    take(&mut streams, &settings(&[(0x4, 65_535)]));
    assert_eq!(
        written(&mut streams),
        [
            (frame::SETTINGS, 0, 0),
            (frame::SETTINGS, 0, 0),
            data(16_384),
            data(2_616)
        ]
    );
    assert_eq!(streams.sending, 0);
    let other = start(&mut streams, &BODY);
    assert_eq!(
        written(&mut streams).len(),
        3,
        "what is left of the connection's window"
    );
    assert_eq!(streams.window, 0);
    take(
        &mut streams,
        &frame(frame::HEADERS, frame::END_HEADERS | frame::END_STREAM, 3, OK),
    );
    assert_eq!(
        written(&mut streams),
        [(frame::RST_STREAM, 3, 4)],
        "the answer came before all was sent"
    );
    assert!(done(&mut streams, other).unwrap().is_ok());
    streams.give_up(place);
    assert_eq!(
        (written(&mut streams), streams.sending, streams.active),
        (vec![(frame::RST_STREAM, 1, 4)], 0, 0)
    );
}

#[test]
fn no_more_streams_than_allowed_are_open() {
    let mut streams = greeted(&[(0x3, 1)]);
    let mut cx = Context::from_waker(Waker::noop());
    let place = start(&mut streams, b"");
    let (mut first, mut second) = (None, None);
    assert!(streams.poll_room(&mut first, &mut cx).is_pending());
    assert!(streams.poll_room(&mut second, &mut cx).is_pending());
    assert!(streams.poll_room(&mut first, &mut cx).is_pending());
    assert_eq!(
        streams.waiting.len(),
        2,
        "a ticket is one however often it is asked about"
    );
    streams.give_up(place);
    assert_eq!(streams.waiting.len(), 1, "the first was called");
    streams.stop_waiting(first.unwrap());
    assert_eq!(streams.waiting.len(), 0, "and the second in its place");
    assert!(streams.poll_room(&mut second, &mut cx) == Poll::Ready(true));
}

#[test]
fn a_goodbye_fails_what_was_not_begun() {
    let mut streams = greeted(&[]);
    let (first, second) = (start(&mut streams, b""), start(&mut streams, b""));
    take(&mut streams, &frame(frame::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 11]));
    let failed = done(&mut streams, second).unwrap().unwrap_err();
    assert_eq!(failed.kind, Failure::Reset);
    assert_eq!(
        failed.why,
        "the connection was given up before this request: ENHANCE_YOUR_CALM"
    );
    assert!(!streams.is_usable() && !streams.is_over());
    take(
        &mut streams,
        &frame(frame::HEADERS, frame::END_HEADERS | frame::END_STREAM, 1, OK),
    );
    assert_eq!(done(&mut streams, first).unwrap().unwrap().status, 200);
    assert!(streams.is_over());
}

#[test]
fn a_malformed_answer_fails_its_stream_alone() {
    let ends = frame::END_HEADERS | frame::END_STREAM;
    for (frames, why) in [
        (frame(frame::DATA, 0, 1, b"x"), "content before the head"),
        (frame(frame::HEADERS, ends, 1, FIVE), "another length than announced"),
        (
            frame(frame::HEADERS, ends, 1, &[0x00, 0x01, b'a', 0x01, b'b']),
            "a malformed head",
        ),
        (
            frame(frame::HEADERS, ends, 1, &[0x88, 0x00, 0x01, b'A', 0x01, b'b']),
            "a malformed head",
        ),
        (frame(frame::HEADERS, ends, 1, &[0x88, 0x88]), "a malformed head"),
        (frame(frame::HEADERS, ends, 1, b"\x08\x03101"), "a malformed head"),
    ] {
        let mut streams = greeted(&[]);
        let (broken, other) = (start(&mut streams, b""), start(&mut streams, b""));
        take(&mut streams, &frames);
        let failed = done(&mut streams, broken).unwrap().unwrap_err();
        assert_eq!(
            (failed.kind, failed.why),
            (Failure::Protocol, format!("the answer breaks HTTP/2: {why}"))
        );
        assert_eq!(written(&mut streams).last(), Some(&(frame::RST_STREAM, 1, 4)));
        take(&mut streams, &frame(frame::HEADERS, ends, 3, OK));
        assert!(done(&mut streams, other).unwrap().is_ok());
    }
}

#[test]
fn what_breaks_a_connection_is_told() {
    let endless = [
        frame(frame::HEADERS, 0, 1, OK),
        frame(frame::CONTINUATION, 0, 1, &[0; frame::LONGEST]).repeat(5),
    ];
    for (input, why) in [
        (
            frame(frame::DATA, 0, 1, &[0; frame::LONGEST + 1]),
            "a frame is too long",
        ),
        (endless.concat(), "a head is too long"),
        (
            frame(frame::CONTINUATION, 0, 1, OK),
            "a head goes on that has not begun",
        ),
        (
            [frame(frame::HEADERS, 0, 1, OK), frame(frame::PING, 0, 0, &[0; 8])].concat(),
            "a head is interrupted",
        ),
        (
            frame(frame::HEADERS, frame::END_HEADERS, 1, &[0xff]),
            "a head can't be decompressed",
        ),
        (frame(frame::PUSH_PROMISE, 0, 1, OK), "something is pushed"),
        (frame(frame::WINDOW_UPDATE, 0, 0, &[0; 4]), "a window grows by nothing"),
        (
            frame(frame::WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            "a window is too large",
        ),
        (frame(frame::DATA, frame::PADDED, 1, &[9, 0]), "padding is too long"),
        (frame(frame::SETTINGS, 0, 0, &[0]), "malformed settings"),
    ] {
        let failed = greeted(&[]).receive(&input).unwrap_err();
        assert_eq!(
            (failed.kind, failed.why),
            (Failure::Protocol, format!("the answer breaks HTTP/2: {why}"))
        );
    }
    let failed = Streams::new().receive(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap_err();
    assert_eq!(failed.why, "the server does not speak HTTP/2");
}

#[test]
fn replies_that_nobody_takes_have_a_limit() {
    let mut streams = greeted(&[]);
    let pings = frame(frame::PING, 0, 0, &[0; 8]).repeat(10_000);
    let failed = (0..200).find_map(|_| streams.receive(&pings).err()).unwrap();
    assert_eq!(failed.why, "the server takes nothing");
}

#[test]
fn a_smaller_table_is_heard_of() {
    let mut streams = greeted(&[(0x1, 0)]);
    start(&mut streams, b"");
    start(&mut streams, b"");
    assert_eq!(written(&mut streams), [(frame::HEADERS, 1, 2), (frame::HEADERS, 3, 1)]);
}

#[test]
fn a_long_head_takes_several_frames() {
    let mut out = Vec::new();
    frame::head(&mut out, 1, &[0x20], &[0; 40_000], true, frame::LONGEST);
    let mut lengths = Vec::new();
    while let Some(head) = Head::read(&out) {
        lengths.push((head.kind, head.flags, head.length));
        out.drain(..frame::HEADER + head.length);
    }
    let (first, last) = (frame::END_STREAM, frame::END_HEADERS);
    let expected = [
        (frame::HEADERS, first, 16_384),
        (frame::CONTINUATION, 0, 16_384),
        (frame::CONTINUATION, last, 7_233),
    ];
    assert_eq!(lengths, expected);
}

proptest! {
    #[test]
    fn no_frames_make_it_panic(
        frames in proptest::collection::vec((0u8..11, any::<u8>(), 0u32..8, proptest::collection::vec(any::<u8>(), 0..40)), 0..12),
    ) {
        let mut streams = greeted(&[]);
        let places = [start(&mut streams, b"content"), start(&mut streams, b"")];
        for (kind, flags, stream, payload) in frames {
            if let Err(failed) = streams.receive(&frame(kind, flags, stream, &payload)) {
                streams.fail(&failed);
                break;
            }
        }
        for place in places {
            if done(&mut streams, place).is_none() {
                streams.give_up(place);
            }
        }
        prop_assert_eq!((streams.active, streams.sending), (0, 0));
    }
}
