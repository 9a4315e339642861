//! Cuts what arrives on a stream into frames (RFC 9114 §7). Nothing here does I/O.
//!
//! `h3` reads frames too, but it gathers a frame of any length and reads ahead while a body waits to be taken. What is
//! handed to it here is a whole frame of bounded length, or nothing.

use bytes::{Buf, Bytes, BytesMut};

/// Content of a request or response (RFC 9114 §7.2.1).
const DATA: u64 = 0x00;

/// The types that mean something to `h3`, or that it must refuse: HEADERS, CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY,
/// MAX_PUSH_ID, and those of HTTP/2 that may not come (RFC 9114 §7.2.8). All others are to be ignored.
const KNOWN: [u64; 10] = [0x01, 0x03, 0x04, 0x05, 0x07, 0x0d, 0x02, 0x06, 0x08, 0x09];

/// The most bytes of a type and a length.
const HEADER_BYTES: usize = 16;

/// A part of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Some content: part of a DATA frame, without its header.
    Data(Bytes),
    /// A frame that is not content, whole, with its header.
    Frame(Bytes),
}

/// A frame is longer than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Cuts one stream.
pub(crate) struct Cutter {
    state: State,
    /// The most bytes of a frame that is handed on whole.
    longest: u64,
}

enum State {
    /// Within type and length.
    Header { bytes: [u8; HEADER_BYTES], len: usize },
    /// So many bytes of content are still to come.
    Data(u64),
    /// So many bytes of the frame are still to come.
    Whole { frame: BytesMut, missing: usize },
    /// So many bytes of a frame that means nothing are still to come.
    Ignored(u64),
}

const START: State = State::Header {
    bytes: [0; HEADER_BYTES],
    len: 0,
};

impl Cutter {
    /// One that hands on whole frames of at most `longest` bytes.
    pub(crate) fn new(longest: u64) -> Cutter {
        Cutter { state: START, longest }
    }

    /// Whether the stream may end here: not within a frame (RFC 9114 §7.1).
    pub(crate) fn is_between_frames(&self) -> bool {
        matches!(self.state, State::Header { len: 0, .. })
    }

    /// The next piece of `input`, which it takes from it; `None` when more must come.
    ///
    /// # Errors
    /// When a frame that would be handed on whole is too long. The stream can't be read on then.
    pub(crate) fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, TooLong> {
        while !input.is_empty() {
            match &mut self.state {
                State::Header { bytes, len } => {
                    bytes[*len] = input.get_u8();
                    *len += 1;
                    if let Some((kind, length)) = header(&bytes[..*len]) {
                        let header = BytesMut::from(&bytes[..*len]);
                        self.state = self.begin(kind, length, header)?;
                    }
                }
                State::Data(left) => {
                    let data = take(input, *left);
                    *left -= data.len() as u64;
                    if *left == 0 {
                        self.state = START;
                    }
                    return Ok(Some(Piece::Data(data)));
                }
                State::Whole { frame, missing } => {
                    let part = take(input, *missing as u64);
                    *missing -= part.len();
                    frame.extend_from_slice(&part);
                }
                State::Ignored(left) => {
                    *left -= take(input, *left).len() as u64;
                    if *left == 0 {
                        self.state = START;
                    }
                }
            }
            if let State::Whole { frame, missing: 0 } = &mut self.state {
                let frame = frame.split().freeze();
                self.state = START;
                return Ok(Some(Piece::Frame(frame)));
            }
        }
        Ok(None)
    }

    fn begin(&self, kind: u64, length: u64, header: BytesMut) -> Result<State, TooLong> {
        Ok(match kind {
            DATA if length > 0 => State::Data(length),
            _ if KNOWN.contains(&kind) => {
                if length > self.longest {
                    return Err(TooLong);
                }
                State::Whole {
                    frame: header,
                    missing: usize::try_from(length).map_err(|_| TooLong)?,
                }
            }
            _ if length > 0 => State::Ignored(length),
            _ => START,
        })
    }
}

/// Type and length of a frame, once both are there.
fn header(bytes: &[u8]) -> Option<(u64, u64)> {
    let (kind, rest) = integer(bytes)?;
    let (length, _) = integer(rest)?;
    Some((kind, length))
}

/// An integer of variable length and what follows it (RFC 9000 §16).
pub(crate) fn integer(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let length = 1 << (bytes.first()? >> 6);
    let (digits, rest) = bytes.split_at_checked(length)?;
    let value = digits.iter().fold(0, |value, digit| (value << 8) | u64::from(*digit));
    let mask = u64::MAX >> (64 - (8 * length - 2));
    Some((value & mask, rest))
}

/// Writes the header of a DATA frame.
pub(crate) fn data_header(length: usize) -> Bytes {
    let length = length as u64;
    let mut header = BytesMut::with_capacity(9);
    header.extend_from_slice(&[0]);
    match length {
        0..0x40 => header.extend_from_slice(&length.to_be_bytes()[7..]),
        0x40..0x4000 => header.extend_from_slice(&(length | 0x4000).to_be_bytes()[6..]),
        0x4000..0x4000_0000 => header.extend_from_slice(&(length | 0x8000_0000).to_be_bytes()[4..]),
        _ => header.extend_from_slice(&(length | 0xc000_0000_0000_0000).to_be_bytes()),
    }
    header.freeze()
}

/// Up to `most` bytes from the start of the input.
fn take(input: &mut Bytes, most: u64) -> Bytes {
    let count = usize::try_from(most).unwrap_or(usize::MAX).min(input.len());
    input.split_to(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All pieces of a stream that arrives in parts of `size`, contents joined, and whether it may end there.
    fn cut(stream: &[u8], size: usize) -> (Result<Vec<Piece>, TooLong>, bool) {
        let mut cutter = Cutter::new(100);
        let mut pieces: Vec<Piece> = Vec::new();
        for part in stream.chunks(size) {
            let mut input = Bytes::copy_from_slice(part);
            loop {
                match cutter.next(&mut input) {
                    Ok(None) => break,
                    Ok(Some(Piece::Data(data))) => match pieces.last_mut() {
                        Some(Piece::Data(before)) => *before = [&before[..], &data].concat().into(),
                        _ => pieces.push(Piece::Data(data)),
                    },
                    Ok(Some(frame)) => pieces.push(frame),
                    Err(error) => return (Err(error), false),
                }
            }
        }
        (Ok(pieces), cutter.is_between_frames())
    }

    fn frame(bytes: &'static [u8]) -> Piece {
        Piece::Frame(Bytes::from_static(bytes))
    }

    #[test]
    fn frames_are_cut_wherever_the_parts_end() {
        let stream = b"\x01\x02hh\x00\x03abc\x21\x06grease\x00\x00\x00\x01d\x01\x00";
        for size in 1..=stream.len() {
            let expected = vec![frame(b"\x01\x02hh"), Piece::Data("abcd".into()), frame(b"\x01\x00")];
            assert_eq!(cut(stream, size), (Ok(expected), true), "in parts of {size}");
        }
    }

    #[test]
    fn long_frames_are_refused_unless_they_are_content_or_ignored() {
        assert_eq!(cut(b"\x01\x40\x65", 1).0, Err(TooLong));
        assert_eq!(cut(b"\x01\xff\xff\xff\xff\xff\xff\xff\xff", 9).0, Err(TooLong));
        assert_eq!(
            cut(b"\x00\xff\xff\xff\xff\xff\xff\xff\xffa", 10).0,
            Ok(vec![Piece::Data("a".into())])
        );
        assert_eq!(cut(b"\x21\xff\xff\xff\xff\xff\xff\xff\xffa", 10), (Ok(vec![]), false));
    }

    #[test]
    fn a_stream_may_end_between_frames_only() {
        for (stream, whole) in [
            (&b""[..], true),
            (b"\x00", false),
            (b"\x00\x02a", false),
            (b"\x00\x02ab", true),
            (b"\x01\x01", false),
            (b"\x21\x01", false),
            (b"\x21\x00", true),
        ] {
            assert_eq!(cut(stream, 1).1, whole, "{stream:?}");
        }
    }

    proptest! {
        #[test]
        fn a_written_header_is_read(length in 0_usize..=0x4fff_ffff) {
            let written = data_header(length);
            prop_assert_eq!(header(&written), Some((DATA, length as u64)));
            prop_assert_eq!(header(&written[..written.len() - 1]), None);
        }

        #[test]
        fn nothing_makes_it_panic(stream: Vec<u8>, size in 1_usize..20) {
            let _ = cut(&stream, size);
        }
    }
}
