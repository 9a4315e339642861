//! Fields as HTTP/2 compresses them (RFC 7541). Nothing here does I/O.
//!
//! A load sends the same few requests again and again: they are encoded once, without a table that would make the same request other
//! bytes on each connection. What servers answer may use such a table, which is kept as the RFC has it.

mod huffman;
mod names;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use self::names::STATIC;

/// The most that the table of a decoder holds, as RFC 7541 §4.1 counts it: what applies as long as nobody says otherwise.
const TABLE: usize = 4096;

/// What an entry counts beside its name and value.
const ENTRY: usize = 32;

/// The most bytes of a head's fields, counted in the same way.
const HEAD: usize = 64 * 1024;

/// The largest number that is of any use here; no larger one is read.
const LARGEST: usize = 1 << 24;

/// What stands before a block where the table of the other side may have been larger before: it has no room any more (RFC 7541 §6.3).
pub(crate) const EMPTY_TABLE: u8 = 0x20;

/// Fields that can't be read. The connection is of no more use then, since its tables differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Name and value.
type Entry = (Box<[u8]>, Box<[u8]>);

/// Reads the fields of one connection.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The newest first.
    table: VecDeque<Entry>,
    size: usize,
    /// How much of the table the server uses less than it may.
    unused: usize,
    changes: u64,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Decoder {
    /// Grows whenever the table changes. As long as it doesn't, the same block means the same fields.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Reads a block, field by field.
    ///
    /// # Errors
    /// When it isn't one, or holds more than 64 KiB of fields.
    pub(crate) fn decode(&mut self, mut block: &[u8], mut field: impl FnMut(&[u8], &[u8])) -> Result<(), Malformed> {
        let mut total = 0;
        while let Some(first) = block.first().copied() {
            // RFC 7541 §6: which form it is.
            match first {
                0x80.. => {
                    let index = integer(&mut block, 7)?;
                    let (name, value) = self.entry(index)?;
                    total += name.len() + value.len() + ENTRY;
                    field(name, value);
                }
                0x20..0x40 => {
                    let most = integer(&mut block, 5)?;
                    self.unused = TABLE.checked_sub(most).ok_or(Malformed)?;
                    self.evict(0);
                }
                _ => {
                    let kept = first & 0x40 != 0;
                    let index = integer(&mut block, if kept { 6 } else { 4 })?;
                    self.literal(index, &mut block)?;
                    total += self.name.len() + self.value.len() + ENTRY;
                    field(&self.name, &self.value);
                    if kept {
                        self.insert();
                    }
                }
            }
            if total > HEAD {
                return Err(Malformed);
            }
        }
        Ok(())
    }

    fn literal(&mut self, index: usize, block: &mut &[u8]) -> Result<(), Malformed> {
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        if index == 0 {
            string(block, &mut name)?;
        } else {
            name.extend_from_slice(self.entry(index)?.0);
        }
        self.name = name;
        self.value.clear();
        string(block, &mut self.value)
    }

    /// An entry of both tables together, counted from 1 (RFC 7541 §2.3.3).
    fn entry(&self, index: usize) -> Result<(&[u8], &[u8]), Malformed> {
        let index = index.checked_sub(1).ok_or(Malformed)?;
        if let Some((name, value)) = STATIC.get(index) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        let (name, value) = self.table.get(index - STATIC.len()).ok_or(Malformed)?;
        Ok((name, value))
    }

    fn insert(&mut self) {
        let size = self.name.len() + self.value.len() + ENTRY;
        // RFC 7541 §4.4: what doesn't fit empties the table, and that is no error.
        self.evict(size);
        if size <= TABLE - self.unused {
            self.table.push_front((self.name[..].into(), self.value[..].into()));
            self.size += size;
        }
    }

    /// Makes room, as far as there can be any.
    fn evict(&mut self, room: usize) {
        self.changes += 1;
        while self.size + room > TABLE - self.unused {
            let Some((name, value)) = self.table.pop_back() else {
                return;
            };
            self.size -= name.len() + value.len() + ENTRY;
        }
    }
}

/// The head of a request, as a block that means the same on every connection.
pub(crate) fn encode(head: &http::Request<()>) -> Vec<u8> {
    let mut block = Vec::with_capacity(128);
    let (uri, method) = (head.uri(), head.method());
    pseudo(&mut block, ":method", method.as_str());
    pseudo(&mut block, ":scheme", uri.scheme_str().unwrap_or("http"));
    pseudo(
        &mut block,
        ":authority",
        uri.authority().map_or("", |authority| authority.as_str()),
    );
    pseudo(
        &mut block,
        ":path",
        uri.path_and_query().map_or("/", |path| path.as_str()),
    );
    for (name, value) in head.headers() {
        literal(&mut block, name.as_str(), value.as_bytes());
    }
    block
}

/// One of the fields that begin a head: by its place in the table where it has one.
fn pseudo(block: &mut Vec<u8>, name: &str, value: &str) {
    match STATIC.iter().position(|entry| *entry == (name, value)) {
        Some(place) => number(block, 0x80, 7, place + 1),
        None => literal(block, name, value.as_bytes()),
    }
}

/// A field that the server keeps in no table (RFC 7541 §6.2.2).
fn literal(block: &mut Vec<u8>, name: &str, value: &[u8]) {
    match STATIC.iter().position(|entry| entry.0 == name) {
        Some(place) => number(block, 0, 4, place + 1),
        None => {
            block.push(0);
            number(block, 0, 7, name.len());
            block.extend_from_slice(name.as_bytes());
        }
    }
    number(block, 0, 7, value.len());
    block.extend_from_slice(value);
}

/// Writes a number behind a prefix of some bits (RFC 7541 §5.1).
fn number(block: &mut Vec<u8>, mark: u8, bits: u32, number: usize) {
    let most = (1 << bits) - 1;
    match u8::try_from(number) {
        Ok(small) if small < most => block.push(mark | small),
        _ => {
            block.push(mark | most);
            let mut left = number - usize::from(most);
            while left >= 0x80 {
                block.push(0x80 | (left & 0x7f).to_le_bytes()[0]);
                left >>= 7;
            }
            block.push(left.to_le_bytes()[0]);
        }
    }
}

/// Reads a number behind a prefix of some bits.
fn integer(block: &mut &[u8], bits: u32) -> Result<usize, Malformed> {
    let most = (1usize << bits) - 1;
    let mut value = usize::from(byte(block)?) & most;
    if value < most {
        return Ok(value);
    }
    for shift in (0..28).step_by(7) {
        let next = byte(block)?;
        value += usize::from(next & 0x7f) << shift;
        if value > LARGEST {
            break;
        }
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

/// Reads a string behind what is in `out` (RFC 7541 §5.2).
fn string(block: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let compressed = block.first().ok_or(Malformed)? & 0x80 != 0;
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length).ok_or(Malformed)?;
    *block = rest;
    if compressed {
        huffman::decode(text, out)
    } else {
        out.extend_from_slice(text);
        Ok(())
    }
}

fn byte(block: &mut &[u8]) -> Result<u8, Malformed> {
    let (first, rest) = block.split_first().ok_or(Malformed)?;
    *block = rest;
    Ok(*first)
}
