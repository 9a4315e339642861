//! While one client floods the gate, others are served as before, and the gate's memory stays bounded.

mod siege;

use std::io;

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, Frames, HEADERS, INITIAL_WINDOW_SIZE, PING, PRIORITY, RST_STREAM, Raw, SETTINGS,
    WINDOW_UPDATE, head,
};
use siege::{Crowd, Ground, Siege};

/// CANCEL, the code that a client gives which no longer wants an answer (RFC 9113 §7).
const CANCEL: [u8; 4] = [0, 0, 0, 8];

#[test]
fn rapid_reset() {
    // CVE-2023-44487: each stream is opened and taken back at once, so that none counts as open.
    let siege = Siege::start();
    siege.repel(|raw, ground| {
        for first in (1..1_000_000).step_by(200) {
            let mut frames = Frames::new();
            for stream in (first..first + 200).step_by(2) {
                frames = frames.get(stream, "/held").frame(RST_STREAM, 0, stream, &CANCEL);
            }
            ground.send(raw, &frames, 200)?;
            raw.forget()?;
        }
        Ok(())
    });
}

#[test]
fn a_head_without_an_end() {
    // CVE-2024-27316 and its kin: the block of fields goes on for ever in CONTINUATION frames.
    let siege = Siege::start();
    siege.repel(|raw, ground| {
        ground.send(raw, &Frames::new().frame(HEADERS, 0, 1, &head("GET", "/plain")), 1)?;
        let field = [&[0, 10][..], b"x-filling1", &[100], &[b'x'; 100]].concat();
        let piece = Frames::new().frame(CONTINUATION, 0, 1, &field.repeat(100));
        endless(raw, ground, &piece, 1)
    });
}

#[test]
fn a_head_of_empty_frames() {
    let siege = Siege::start();
    siege.repel(|raw, ground| {
        ground.send(raw, &Frames::new().frame(HEADERS, 0, 1, &head("GET", "/plain")), 1)?;
        let mut pieces = Frames::new();
        for _ in 0..500 {
            pieces = pieces.frame(CONTINUATION, 0, 1, &[]);
        }
        endless(raw, ground, &pieces, 500)
    });
}

#[test]
fn settings() {
    // CVE-2019-9515: each must be acknowledged, and nobody reads that.
    let siege = Siege::start();
    siege.flood(|raw, ground| {
        let mut frames = Frames::new();
        for _ in 0..500 {
            frames = frames.frame(SETTINGS, 0, 0, &[]);
        }
        endless(raw, ground, &frames, 500)
    });
}

#[test]
fn pings() {
    // CVE-2019-9512: the same with pings.
    let siege = Siege::start();
    siege.flood(|raw, ground| {
        let mut frames = Frames::new();
        for _ in 0..500 {
            frames = frames.frame(PING, 0, 0, b"are you?");
        }
        endless(raw, ground, &frames, 500)
    });
}

#[test]
fn empty_pieces_of_content() {
    // CVE-2019-9518: empty frames take no room in a window. The upstream doesn't read, so that they could pile up.
    let siege = Siege::start();
    siege.flood(|raw, ground| {
        ground.send(raw, &Frames::new().post(1, "/held"), 1)?;
        let mut frames = Frames::new();
        for _ in 0..500 {
            frames = frames.frame(DATA, 0, 1, &[]);
        }
        endless(raw, ground, &frames, 500)
    });
}

#[test]
fn priorities() {
    // CVE-2019-9513. RFC 9113 §5.3.2 has them ignored, which must be cheap.
    let siege = Siege::start();
    siege.flood(|raw, ground| {
        let mut frames = Frames::new();
        for stream in (1_u32..1000).step_by(2) {
            let parent = (stream + 2).to_be_bytes();
            frames = frames.frame(PRIORITY, 0, stream, &[&parent[..], &[16]].concat());
        }
        endless(raw, ground, &frames, 500)
    });
}

#[test]
fn windows() {
    // Windows of many waiting streams grow and shrink with each change of the initial size.
    let siege = Siege::start();
    siege.repel(|raw, ground| {
        let mut opening = Frames::new();
        for stream in (1..160).step_by(2) {
            opening = opening.get(stream, "/large");
        }
        ground.send(raw, &opening, 80)?;
        let mut frames = Frames::new();
        for round in 0..100_u32 {
            frames = frames
                .setting(INITIAL_WINDOW_SIZE, round % 2)
                .frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
        }
        // The whole connection's window may not overflow (RFC 9113 §6.9.1), so that each attempt is bounded.
        for _ in 0..10_000 {
            ground.send(raw, &frames, 200)?;
            raw.forget()?;
        }
        Ok(())
    });
}

#[test]
fn a_bomb_of_fields() {
    // One field of nearly 4 KiB goes into the dynamic table, and each further byte names it again (RFC 7541 §6.1).
    let siege = Siege::start();
    siege.flood(|raw, ground| {
        let mut block = head("GET", "/plain");
        // A literal with a name of ten bytes, indexed; 4000 as HPACK writes it with seven bits: 127 + 3873.
        block.extend_from_slice(&[0x40, 10]);
        block.extend_from_slice(b"x-filling1");
        block.extend_from_slice(&[0x7f, 0xa1, 0x1e]);
        block.extend_from_slice(&[b'x'; 4000]);
        // 62 is the newest entry.
        block.extend_from_slice(&[0x80 | 62; 12_000]);
        for stream in (1..100_000).step_by(2) {
            ground.send(
                raw,
                &Frames::new().frame(HEADERS, END_HEADERS | super::frames::END_STREAM, stream, &block),
                1,
            )?;
            raw.forget()?;
        }
        Ok(())
    });
}

#[test]
fn answers_that_nobody_takes() {
    // CVE-2019-9517: as many streams as there may be ask for what has no end, and no window lets it out.
    let siege = Siege::start();
    let mut asking = Frames::preface().setting(INITIAL_WINDOW_SIZE, 1);
    for stream in (1..200).step_by(2) {
        asking = asking.get(stream, "/endless");
    }
    siege.unread(5, asking.bytes());
}

#[test]
fn heads_that_come_byte_by_byte() {
    let siege = Siege::start();
    siege.trickle(2000, b"GET /plain HTTP/1.1\r\nHost: a\r\nX-Filling: ", b'x');
}

#[test]
fn contents_that_come_byte_by_byte() {
    let siege = Siege::start();
    siege.trickle(
        500,
        b"POST /taken HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
        b'x',
    );
}

#[test]
fn answers_that_are_read_slowly() {
    let siege = Siege::start();
    siege.unread(500, b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn ten_thousand_connections_that_say_nothing() {
    let siege = Siege::start();
    let silent: Crowd = siege.silent(10_000);
    siege.assert_calm_beside(&silent);
}

/// The same frames again and again, until the gate has enough or the siege is over.
fn endless(raw: &mut Raw, ground: &Ground, frames: &Frames, count: u64) -> io::Result<()> {
    loop {
        ground.send(raw, frames, count)?;
    }
}
