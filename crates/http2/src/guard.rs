//! Tells a client at work from one that only makes us work (RFC 9113 §10.5).
//!
//! The guard follows the heads of frames in both directions, without touching what is in them. What costs the client next
//! to nothing and us an answer, a lock or a request is paid for with calm; calm is earned by what the client is served,
//! and by time. No mixture of PING, SETTINGS, PRIORITY, RST_STREAM, WINDOW_UPDATE, CONTINUATION, empty DATA or requests
//! that are taken back at once can so be out of proportion to useful work.

use std::time::{Duration, Instant};

/// What a client may ask for in advance. Twice the requests that it may have in progress, each with the frames that go
/// with it, are well within.
const IN_ADVANCE: u32 = 1000;

/// What a client may have earned and not spent. Thousands of small messages may be on their way to it before it answers
/// the first one with windows and pings.
const MOST_CALM: u32 = 100_000;

/// What time gives. A client may take back so many requests a second, or ping so often, whatever it is served.
const CALM_PER_SECOND: u32 = 100;

/// What the head of a response gives: the request itself, a change of priority, some windows, a ping, and a trailer.
const FOR_RESPONSE: u32 = 8;

/// What a piece of a response gives. A careful client answers each with two windows; one that measures the way pings.
const FOR_DATA_SENT: u32 = 4;

/// Less than this at a time may be what a changed window lets out of a waiting response.
const SMALL: u32 = 256;

/// How many small pieces of responses give nothing after a change of settings, at most: one for each request so far.
/// Otherwise a client with many responses waiting would earn by opening all their windows for a byte, with one frame.
const MOST_UNEARNED: u32 = 1000;

/// So many received bytes of content give one of calm.
const BYTES_RECEIVED: u32 = 1024;

/// Before the first frame, a client sends so many bytes of greeting (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The balance of one connection.
#[derive(Debug)]
pub struct Guard {
    incoming: Frames,
    outgoing: Frames,
    /// Whether the last header block that came has not come to its end.
    in_block: bool,
    /// Header blocks that have begun.
    blocks: u64,
    calm: u32,
    /// Small pieces of responses that will give nothing.
    unearned: u32,
    counted_at: Instant,
}

/// The client makes more work than it has use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood;

impl Guard {
    /// The guard of a connection that the client has not sent anything on yet.
    pub fn new(now: Instant) -> Guard {
        Guard {
            incoming: Frames {
                to_skip: u32::try_from(PREFACE.len()).expect("it is short"),
                ..Frames::default()
            },
            outgoing: Frames::default(),
            in_block: false,
            blocks: 0,
            calm: IN_ADVANCE,
            unearned: 0,
            counted_at: now,
        }
    }

    /// Follows what was received. `now` is asked only when there is no calm left.
    ///
    /// # Errors
    /// When the client is out of calm. What was received is best not looked at any more.
    pub fn received(&mut self, bytes: &[u8], now: impl FnOnce() -> Instant) -> Result<(), Flood> {
        let (mut cost, mut gain) = (0u32, 0u32);
        let (in_block, blocks, unearned) = (&mut self.in_block, &mut self.blocks, &mut self.unearned);
        self.incoming.follow(bytes, |frame| {
            if frame.is_of_block() {
                *in_block = !frame.has(END_HEADERS);
                *blocks += u64::from(frame.kind != CONTINUATION);
            }
            if frame.kind == SETTINGS && !frame.has(ACK) {
                *unearned = u32::try_from(*blocks).map_or(MOST_UNEARNED, |blocks| blocks.min(MOST_UNEARNED));
            }
            match frame.kind {
                DATA if frame.len > 0 => gain = gain.saturating_add(frame.len / BYTES_RECEIVED),
                DATA if frame.has(END_STREAM) => {}
                _ => cost = cost.saturating_add(1),
            }
        });
        self.earn(gain);
        match self.calm.checked_sub(cost) {
            Some(left) => {
                self.calm = left;
                Ok(())
            }
            None => self.spend_over_time(cost, now()),
        }
    }

    /// Follows what was sent.
    pub fn sent(&mut self, bytes: &[u8]) {
        let mut gain = 0u32;
        let unearned = &mut self.unearned;
        self.outgoing.follow(bytes, |frame| {
            gain = gain.saturating_add(match frame.kind {
                HEADERS => FOR_RESPONSE,
                DATA if frame.len < SMALL && *unearned > 0 => {
                    *unearned -= 1;
                    0
                }
                DATA if frame.len > 0 => FOR_DATA_SENT,
                _ => 0,
            });
        });
        self.earn(gain);
    }

    /// Which header block the client is in the middle of: of a frame of it, or between two.
    pub fn unfinished_block(&self) -> Option<u64> {
        (self.in_block || self.incoming.is_within_block()).then_some(self.blocks)
    }

    fn earn(&mut self, gain: u32) {
        self.calm = self.calm.saturating_add(gain).min(MOST_CALM);
    }

    #[cold]
    fn spend_over_time(&mut self, cost: u32, now: Instant) -> Result<(), Flood> {
        let since = now.saturating_duration_since(self.counted_at);
        let rested = since.min(Duration::from_secs(60)).as_millis() * u128::from(CALM_PER_SECOND) / 1000;
        let rested = u32::try_from(rested).unwrap_or(IN_ADVANCE).min(IN_ADVANCE);
        self.counted_at = now;
        self.calm = (self.calm + rested).checked_sub(cost).ok_or(Flood)?;
        Ok(())
    }
}

// RFC 9113 §6, the types and flags that matter here.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// The head of a frame (RFC 9113 §4.1), but for its stream.
#[derive(Clone, Copy, Debug)]
struct Frame {
    len: u32,
    kind: u8,
    flags: u8,
}

impl Frame {
    fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn is_of_block(self) -> bool {
        matches!(self.kind, HEADERS | PUSH_PROMISE | CONTINUATION)
    }
}

const HEAD: usize = 9;

/// Finds the heads of frames in a stream of bytes that comes in any pieces.
#[derive(Debug, Default)]
struct Frames {
    /// The start of a head whose end has not come.
    head: [u8; HEAD],
    head_len: usize,
    /// What of the last frame's content has not come.
    to_skip: u32,
    kind: u8,
}

impl Frames {
    fn follow(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame)) {
        loop {
            let skipped = bytes.len().min(self.to_skip as usize);
            self.to_skip -= u32::try_from(skipped).expect("it is at most what there is to skip");
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let wanted = (HEAD - self.head_len).min(bytes.len());
            self.head[self.head_len..self.head_len + wanted].copy_from_slice(&bytes[..wanted]);
            self.head_len += wanted;
            bytes = &bytes[wanted..];
            if self.head_len < HEAD {
                return;
            }
            let [high, middle, low, kind, flags, ..] = self.head;
            let len = u32::from_be_bytes([0, high, middle, low]);
            self.head_len = 0;
            self.to_skip = len;
            self.kind = kind;
            each(Frame { len, kind, flags });
        }
    }

    fn is_within_block(&self) -> bool {
        self.to_skip > 0 && matches!(self.kind, HEADERS | PUSH_PROMISE | CONTINUATION)
    }
}

#[cfg(test)]
mod tests;
