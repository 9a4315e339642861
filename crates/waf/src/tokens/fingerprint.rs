//! The kinds of the tokens of an attack, in order, one letter each.

use std::fmt;

/// At most so many letters; what follows has no say.
pub(super) const LONGEST: usize = 12;

/// The kinds of tokens that make an input an attack, such as `q&b`: a closed text, `or`, a comparison.
///
/// It is made for logs and for comparing; the letters are listed in `tokens/sql/kind.rs`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    letters: [u8; LONGEST],
    length: u8,
}

impl Fingerprint {
    pub(super) const EMPTY: Fingerprint = Fingerprint {
        letters: [0; LONGEST],
        length: 0,
    };

    /// Adds a letter, which must be ASCII; beyond the longest fingerprint it is dropped.
    pub(super) fn push(&mut self, letter: u8) {
        debug_assert!(letter.is_ascii(), "letters are ASCII");
        if let Some(place) = self.letters.get_mut(usize::from(self.length)) {
            *place = letter;
            self.length += 1;
        }
    }

    pub(super) fn letters(&self) -> &[u8] {
        &self.letters[..usize::from(self.length)]
    }

    /// The letters as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.letters()).unwrap_or_default()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({})", self.as_str())
    }
}
