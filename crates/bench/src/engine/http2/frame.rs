//! Frames of HTTP/2 as they are on the wire (RFC 9113 §4 and §6).

use std::borrow::Cow;

/// What is before the payload of each frame.
pub(super) const HEADER: usize = 9;

/// The longest payload that a server may send us, which is what applies where nobody says otherwise.
pub(super) const LONGEST: usize = 16 * 1024;

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PUSH_PROMISE: u8 = 0x5;
pub(super) const PING: u8 = 0x6;
pub(super) const GOAWAY: u8 = 0x7;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;

/// Of SETTINGS and PING: it answers one of ours.
pub(super) const ACK: u8 = 0x1;
/// Of DATA and HEADERS: nothing follows on the stream.
pub(super) const END_STREAM: u8 = 0x1;
/// Of HEADERS and CONTINUATION: the block ends here.
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
/// Of HEADERS: five bytes about priority come first, which nobody uses any more.
const PRIORITY: u8 = 0x20;

pub(super) const REFUSED: u32 = 0x7;
pub(super) const CANCEL: u32 = 0x8;

/// What stands before a payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    /// Reads it from the start of the input, once it is there.
    pub(super) fn read(input: &[u8]) -> Option<Head> {
        let [high, middle, low, kind, flags, a, b, c, d] = *input.first_chunk::<HEADER>()?;
        Some(Head {
            length: usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low),
            kind,
            flags,
            stream: u32::from_be_bytes([a, b, c, d]) & 0x7fff_ffff,
        })
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// A payload without its padding and what is said of priority; nothing where the padding is longer than all.
    pub(super) fn content(self, mut payload: &[u8]) -> Option<&[u8]> {
        let mut padding = 0;
        if self.has(PADDED) {
            let (length, rest) = payload.split_first()?;
            (padding, payload) = (usize::from(*length), rest);
        }
        if self.kind == HEADERS && self.has(PRIORITY) {
            payload = payload.get(5..)?;
        }
        payload.get(..payload.len().checked_sub(padding)?)
    }
}

/// Writes what stands before a payload of at most [`LONGEST`] bytes, or what the server allows.
pub(super) fn begin(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [.., high, middle, low] = length.to_be_bytes();
    let [a, b, c, d] = stream.to_be_bytes();
    out.extend_from_slice(&[high, middle, low, kind, flags, a, b, c, d]);
}

/// Writes a frame whose payload is one number: RST_STREAM and WINDOW_UPDATE.
pub(super) fn number(out: &mut Vec<u8>, kind: u8, stream: u32, number: u32) {
    begin(out, 4, kind, 0, stream);
    out.extend_from_slice(&number.to_be_bytes());
}

/// Writes a head, in as many frames as it takes. `prefix` comes before the block.
pub(super) fn head(out: &mut Vec<u8>, stream: u32, prefix: &[u8], block: &[u8], ends: bool, longest: usize) {
    let end_stream = if ends { END_STREAM } else { 0 };
    let first = block.len().min(longest - prefix.len());
    let (mut piece, mut rest) = block.split_at(first);
    let mut flags = end_stream;
    let mut kind = HEADERS;
    let mut prefix = prefix;
    loop {
        if rest.is_empty() {
            flags |= END_HEADERS;
        }
        begin(out, prefix.len() + piece.len(), kind, flags, stream);
        out.extend_from_slice(prefix);
        out.extend_from_slice(piece);
        if rest.is_empty() {
            return;
        }
        (piece, rest) = rest.split_at(rest.len().min(longest));
        (kind, flags, prefix) = (CONTINUATION, 0, b"");
    }
}

/// The number that a payload begins with, without its highest bit.
pub(super) fn first_number(payload: &[u8]) -> Option<u32> {
    payload
        .first_chunk()
        .map(|bytes| u32::from_be_bytes(*bytes) & 0x7fff_ffff)
}

/// The name of an error code (RFC 9113 §7).
pub(super) fn reason(code: u32) -> Cow<'static, str> {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let known = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    known.map_or_else(|| format!("{code:#x}").into(), |name| Cow::Borrowed(*name))
}
