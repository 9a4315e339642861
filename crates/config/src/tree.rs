//! The file as it stands: every key and value with its place, nothing interpreted yet.
//!
//! It lives as long as problems may still be found, beside the types that were made from it; hence its thrift.

mod read;

pub(crate) use read::read;

use crate::problem::Place;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) content: Content,
}

/// What a value consists of.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Nothing was written, or `null` was.
    Nothing,
    /// A single value as it was written. What it means depends on what is expected in its place.
    Scalar { text: Box<str>, quoted: bool },
    /// A list.
    List(Box<[Node]>),
    /// Keys and values, in their order, each key once.
    Map(Box<[Entry]>),
    /// Something that has already been reported.
    Broken,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Box<str>,
    pub(crate) place: Place,
    pub(crate) node: Node,
}

impl Node {
    /// The entry with that key, when this is a map that has one.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| *entry.key == *key)
    }

    /// The entries; none when this is no map.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// What this is, in words for a message.
    pub(crate) fn described(&self) -> &'static str {
        match &self.content {
            Content::Nothing => "nothing",
            Content::Scalar { .. } => "a single value",
            Content::List(_) => "a list",
            Content::Map(_) => "a group of keys",
            Content::Broken => "broken",
        }
    }

    /// The place of the value at a path such as `routes[3].to.table`, or of what comes nearest to it: a missing key has
    /// the place of its group, and a key that a short form stands for has the place of the short form. Of a key with its
    /// value, it is the key's place.
    pub(crate) fn place_of(&self, path: &str) -> Place {
        let mut node = self;
        let mut place = self.place;
        let mut rest = path;
        while !rest.is_empty() {
            match &node.content {
                Content::Map(entries) => {
                    rest = rest.strip_prefix('.').unwrap_or(rest);
                    // A key may hold dots and brackets itself: the longest one that fits is meant.
                    let fitting = entries.iter().filter(|entry| after_key(rest, &entry.key).is_some());
                    let Some(entry) = fitting.max_by_key(|entry| entry.key.len()) else {
                        // The only item of a list may stand without one.
                        let Some(of_item) = rest.strip_prefix("[0]") else {
                            break;
                        };
                        rest = of_item;
                        continue;
                    };
                    rest = &rest[entry.key.len()..];
                    place = entry.place;
                    node = &entry.node;
                }
                Content::List(items) if rest.starts_with('[') => {
                    let Some((index, after)) = rest[1..].split_once(']') else {
                        break;
                    };
                    let Some(item) = index.parse().ok().and_then(|index: usize| items.get(index)) else {
                        break;
                    };
                    rest = after;
                    place = item.place;
                    node = item;
                }
                Content::List(_) | Content::Scalar { .. } => rest = after_segment(rest),
                Content::Nothing | Content::Broken => break,
            }
        }
        place
    }
}

/// What follows in a path after a key with which it begins.
fn after_key<'a>(path: &'a str, key: &str) -> Option<&'a str> {
    path.strip_prefix(key)
        .filter(|after| after.is_empty() || after.starts_with(['.', '[']))
}

/// What follows in a path after its first segment: one that a short form left out.
fn after_segment(path: &str) -> &str {
    let start = usize::from(path.starts_with(['.', '[']));
    path[start..].find(['.', '[']).map_or("", |end| &path[start + end..])
}
