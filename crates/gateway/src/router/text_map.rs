//! A map by texts that only the configuration puts into it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by text that only a configuration fills.
///
/// Its hash is FNV-1a, which is quick for short keys and can be made to collide on purpose. A client can't do that
/// harm here: it chooses what is looked up, never what is in the map, so a look-up compares a few keys at the most.
pub(super) type TextMap<V> = HashMap<Box<str>, V, BuildHasherDefault<Fnv>>;

/// The 64-bit FNV-1a hash.
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
