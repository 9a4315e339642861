//! A map by texts that only the configuration puts into it.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A map by text that only a configuration fills.
///
/// Its hash is FNV-1a, which is quick for short keys and can be made to collide on purpose. A client can't do that
/// harm here: it chooses what is looked up, never what is in the map, so a look-up compares a few keys at the most.
#[derive(Debug)]
pub(super) struct TextMap<V>(HashMap<Text, V, BuildHasherDefault<Fnv>>);

impl<V> TextMap<V> {
    pub(super) fn get(&self, text: &str) -> Option<&V> {
        self.0.get(text.as_bytes())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, text: &str, value: V) {
        self.0.insert(Text::new(text), value);
    }

    /// The value of a text; where there is none, `value` becomes it.
    pub(super) fn get_or_insert(&mut self, text: &str, value: V) -> &mut V {
        self.0.entry(Text::new(text)).or_insert(value)
    }
}

impl<V> Default for TextMap<V> {
    fn default() -> Self {
        TextMap(HashMap::default())
    }
}

/// A key. A short one stands in the map itself, so that a look-up among thousands fetches no other memory.
#[derive(Debug)]
enum Text {
    Short(u8, [u8; Text::SHORT]),
    Long(Box<[u8]>),
}

impl Text {
    /// The most bytes that take no more room than a pointer and a length with their tag.
    const SHORT: usize = 22;

    fn new(text: &str) -> Text {
        let mut bytes = [0; Text::SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(len)) => {
                room.copy_from_slice(text.as_bytes());
                Text::Short(len, bytes)
            }
            _ => Text::Long(text.as_bytes().into()),
        }
    }
}

impl Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        match self {
            Text::Short(len, bytes) => &bytes[..usize::from(*len)],
            Text::Long(bytes) => bytes,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        let (ours, theirs): (&[u8], &[u8]) = (self.borrow(), other.borrow());
        ours == theirs
    }
}

impl Eq for Text {}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes: &[u8] = self.borrow();
        bytes.hash(state);
    }
}

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
