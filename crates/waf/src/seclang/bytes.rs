//! A set of bytes, to rule out a value at a glance.

/// Which of the 256 bytes are in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const EMPTY: ByteSet = ByteSet([0; 4]);

    /// The bytes that occur in `bytes`.
    pub(super) fn of(bytes: &[u8]) -> ByteSet {
        let mut set = ByteSet::EMPTY;
        for byte in bytes {
            set.insert(*byte);
        }
        set
    }

    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    pub(super) fn with_range(mut self, first: u8, last: u8) -> ByteSet {
        for byte in first..=last {
            self.insert(byte);
        }
        self
    }

    pub(super) fn complement(self) -> ByteSet {
        ByteSet(self.0.map(|word| !word))
    }

    pub(super) fn union(&mut self, other: &ByteSet) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }

    /// Whether a byte is in both.
    pub(super) fn meets(&self, other: &ByteSet) -> bool {
        self.0.iter().zip(other.0).any(|(word, other)| word & other != 0)
    }

    /// Whether each byte of it is in the other.
    pub(super) fn is_within(&self, other: &ByteSet) -> bool {
        self.0.iter().zip(other.0).all(|(word, other)| word & !other == 0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(|byte| self.contains(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_know_their_bytes() {
        let set = ByteSet::of(b"a\0\xff").with_range(b'0', b'3');
        assert_eq!(set.iter().collect::<Vec<_>>(), b"\x000123a\xff");
        assert!(set.meets(&ByteSet::of(b"xa")) && !set.meets(&ByteSet::of(b"xyz")));
        assert!(ByteSet::of(b"0a").is_within(&set) && !ByteSet::of(b"0b").is_within(&set));
        assert!(!set.complement().contains(b'a') && set.complement().contains(b'b'));
    }
}
