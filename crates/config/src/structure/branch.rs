//! Which of several forms a value has.

use serde_json::Value;

use super::{Walk, expected_in_words};
use crate::schema::resolve;
use crate::suggest::did_you_mean;
use crate::tree::{Content, Node};

impl<'a> Walk<'a, '_> {
    /// Chooses the branch that a value means: by its kind, and among several groups of keys by the key that only one
    /// of them requires. Where it means none or more than one, that is reported.
    pub(super) fn branch(&mut self, node: &Node, branches: &'a [Value]) -> Option<&'a Value> {
        let kind = match &node.content {
            Content::Map(_) => "object",
            Content::List(_) => "array",
            _ => "string",
        };
        let of_kind: Vec<_> = branches.iter().filter(|branch| self.kind(branch) == kind).collect();
        match of_kind.as_slice() {
            [only] => Some(only),
            [] => {
                let mut kinds: Vec<_> = branches
                    .iter()
                    .map(|branch| expected_in_words(self.kind(branch)))
                    .collect();
                kinds.dedup();
                self.problem(
                    node.place,
                    format!("expected {}, found {}", kinds.join(" or "), node.described()),
                );
                None
            }
            groups => self.group(node, groups),
        }
    }

    fn group(&mut self, node: &Node, groups: &[&'a Value]) -> Option<&'a Value> {
        let keys: Vec<&str> = groups.iter().map(|group| self.deciding_key(group)).collect();
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
                        self.below(&format!(".{}", entry.key), |walk| walk.problem(entry.place, message));
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

    fn kind(&self, branch: &'a Value) -> &'a str {
        resolve(self.schema, branch)["type"].as_str().unwrap_or_default()
    }

    /// The key that tells a group from the others: the first that it requires.
    fn deciding_key(&self, group: &'a Value) -> &'a str {
        resolve(self.schema, group)["required"][0].as_str().unwrap_or_default()
    }
}
