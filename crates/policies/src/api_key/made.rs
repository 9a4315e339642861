//! The keys that the gate makes: `pcls_`, 256 random bits, and a checksum, in letters and digits, so that a double click
//! selects all of it.
//!
//! Scanners of leaked secrets find them by `pcls_[0-9A-Za-z]{49}`, and know by the checksum, six digits to the base of 62
//! that stand for the first four bytes of the SHA-256 of what is before them, that it is no text that happens to look alike.

use std::fmt;

use sha2::{Digest as _, Sha256};

const PREFIX: &str = "pcls_";
/// Digits of 256 bits: 62^43 is more than 2^256.
const BODY: usize = 43;
/// Digits of 32 bits.
const CHECKSUM: usize = 6;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new key. Whoever made it shows it once and forgets it.
pub struct MadeKey(String);

impl MadeKey {
    /// Makes a key of the system's randomness.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn new() -> Result<MadeKey, &'static str> {
        let mut random = [0; 32];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| "the system gives no random numbers")?;
        let mut text = PREFIX.to_owned();
        push_digits(&mut text, &mut random, BODY);
        let mut checksum = checksum(text.as_bytes());
        push_digits(&mut text, &mut checksum, CHECKSUM);
        Ok(MadeKey(text))
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// By what the key is found.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    /// What operators call it: the first 16 digits of its SHA-256, which its holder can find out, too.
    pub fn id(&self) -> String {
        self.sha256()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for MadeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MadeKey({})", self.id())
    }
}

/// Whether a gate made this key, as far as can be told without a look into the store.
pub(super) fn is_made(key: &[u8]) -> bool {
    if key.len() != PREFIX.len() + BODY + CHECKSUM || !key.starts_with(PREFIX.as_bytes()) {
        return false;
    }
    let (body, given) = key.split_at(PREFIX.len() + BODY);
    let mut expected = String::with_capacity(CHECKSUM);
    push_digits(&mut expected, &mut checksum(body), CHECKSUM);
    given == expected.as_bytes()
}

fn checksum(body: &[u8]) -> [u8; 4] {
    let digest = Sha256::digest(body);
    *digest.first_chunk().expect("a digest is longer than that")
}

/// Appends a number, the most significant byte first, as so many digits. The number is used up.
fn push_digits(text: &mut String, number: &mut [u8], digits: usize) {
    let mut reversed = Vec::with_capacity(digits);
    for _ in 0..digits {
        let rest = number.iter_mut().fold(0u32, |rest, byte| {
            let value = rest * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).expect("the rest is less than the divisor");
            value % 62
        });
        reversed.push(char::from(DIGITS[rest as usize]));
    }
    text.extend(reversed.iter().rev());
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_to_the_base_of_62() {
        for (number, expected) in [(0u32, "000000"), (61, "00000z"), (62, "000010"), (u32::MAX, "4gfFC3")] {
            let mut text = String::new();
            push_digits(&mut text, &mut number.to_be_bytes(), CHECKSUM);
            assert_eq!(text, expected);
        }
        let mut text = String::new();
        push_digits(&mut text, &mut [0xFF; 32], BODY);
        assert_eq!(text.len(), BODY);
        assert_ne!(text.as_bytes()[0], b'0', "all of it fits, and needs the last digit");
    }

    #[test]
    fn keys_are_known_by_their_form_and_no_two_are_the_same() {
        let (one, other) = (MadeKey::new().unwrap(), MadeKey::new().unwrap());
        assert_ne!(one.expose(), other.expose());
        assert!(is_made(one.expose().as_bytes()) && is_made(other.expose().as_bytes()));
        assert_eq!((one.id().len(), one.expose().len()), (16, 54));
        assert!(!format!("{one:?}").contains(&one.expose()[5..]));
        let key = one.expose().as_bytes();
        for at in 0..key.len() {
            let mut typo = key.to_vec();
            typo[at] = if typo[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_made(&typo), "{at}");
        }
        assert!(!is_made(&key[..53]) && !is_made(b"") && !is_made(&[b'x'; 54]));
    }
}
