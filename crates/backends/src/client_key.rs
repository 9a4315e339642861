//! What requests of one client have in common, and a hash of it that is the same on every gate and after every restart.

use portcullis_core::{Headers, Known};

/// The hash of nothing.
pub(crate) const NOTHING: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of what was hashed before and these bytes: 64 bits of FNV-1a, whose high bits depend little on the last bytes.
pub(crate) fn hash(before: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(before, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The values of the cookies of that name (RFC 6265 §4.2.1). Clients send one field, and HTTP/2 allows them several (RFC 9113
/// §8.2.3).
pub(crate) fn cookies<'h>(headers: &'h Headers, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
    let pairs = headers
        .get_all(Known::Cookie)
        .flat_map(|value| value.split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        value.strip_prefix(b"=")
    })
}
