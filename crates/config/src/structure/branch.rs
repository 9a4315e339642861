//! Which of several forms a value has.

use super::shape::{Kind, Shape, ShapeId};
use super::{Step, Walk, expected_in_words};
use crate::suggest::did_you_mean;
use crate::tree::{Content, Node};

impl<'a> Walk<'a, '_> {
    /// Chooses the branch that a value means: by its kind, and among several groups of keys by the key that only one
    /// of them requires. Where it means none or more than one, that is reported.
    pub(super) fn branch(&mut self, node: &Node, branches: &[ShapeId]) -> Option<&'a Shape> {
        let kind = match &node.content {
            Content::Map(_) => "object",
            Content::List(_) => "array",
            _ => "string",
        };
        let branches = branches.iter().map(|branch| self.shapes.get(*branch));
        let of_kind: Vec<_> = branches.clone().filter(|branch| branch.kind_name == kind).collect();
        match of_kind.as_slice() {
            [only] => Some(only),
            [] => {
                let mut kinds: Vec<_> = branches.map(|branch| expected_in_words(&branch.kind_name)).collect();
                kinds.dedup();
                self.problem(
                    node.place,
                    format!("expected {}, found {}", kinds.join(" or "), node.described()),
                );
                None
            }
            groups => self.one_of(node, groups),
        }
    }

    fn one_of(&mut self, node: &Node, groups: &[&'a Shape]) -> Option<&'a Shape> {
        let keys: Vec<&str> = groups.iter().map(|group| deciding_key(group)).collect();
        let present: Vec<_> = (0..groups.len())
            .filter(|index| node.entry(keys[*index]).is_some())
            .collect();
        match present.as_slice() {
            [one] => Some(groups[*one]),
            [one, other, ..] => {
                let message = format!(
                    "both `{}` and `{}` are there; keep one of them",
                    keys[*one], keys[*other]
                );
                self.problem(node.place, message);
                None
            }
            [] => {
                let near = node
                    .entries()
                    .iter()
                    .map(|entry| (entry, did_you_mean(&entry.key, keys.iter().copied())));
                match near.into_iter().find(|(_, advice)| !advice.is_empty()) {
                    Some((entry, advice)) => {
                        let message = format!("there is no key `{}` here{advice}", entry.key);
                        self.below(&Step::Key(&entry.key), |walk| walk.problem(entry.place, message));
                    }
                    None => {
                        let one_of: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
                        self.problem(node.place, format!("one of {} is missing", one_of.join(", ")));
                    }
                }
                None
            }
        }
    }
}

/// The key that tells a group from the others: the first that it requires.
fn deciding_key(shape: &Shape) -> &str {
    match &shape.kind {
        Kind::Group(group) => group.required.first().map_or("", |required| required.key.as_str()),
        _ => "",
    }
}
