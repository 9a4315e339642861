//! Names for requests: UUIDs of version 7 (RFC 9562 §5.7), which sort by time.

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_core::RequestId;

/// A new name. Unique, not secret.
pub(crate) fn new(now: SystemTime) -> RequestId {
    let millis = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() & 0xffff_ffff_ffff);
    let random = fastrand::u128(..);
    let mut uuid = (millis << 80) | (random & ((1 << 80) - 1));
    uuid = uuid & !(0xf << 76) | (0x7 << 76);
    uuid = uuid & !(0x3 << 62) | (0x2 << 62);
    RequestId::new(&text_of(uuid)).expect("a UUID is 36 visible ASCII characters")
}

fn text_of(uuid: u128) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in uuid.to_be_bytes().into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at..at + 2].copy_from_slice(&DIGITS[usize::from(byte)]);
        at += 2;
    }
    text
}

/// Both hexadecimal digits of every byte.
static DIGITS: [[u8; 2]; 256] = {
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        digits[byte] = [b"0123456789abcdef"[byte >> 4], b"0123456789abcdef"[byte & 15]];
        byte += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_uuid_of_version_7() {
        let id = new(UNIX_EPOCH + std::time::Duration::from_millis(0x0123_4567_89ab));
        let id = id.as_str();
        assert!(id.starts_with("01234567-89ab-7"), "{id}");
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        assert_eq!(id.len(), 36);
        assert_ne!(new(UNIX_EPOCH).as_str(), new(UNIX_EPOCH).as_str());
    }
}
