//! When two JSON values are the same: numbers by their value, groups in any order (JSON Schema Core §4.2.2).

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};

use serde_json::Value;

use crate::number;

/// Whether two values are the same.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => number::compare(left, right) == Ordering::Equal,
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let found = |(name, value): (&String, &Value)| right.get(name).is_some_and(|other| same(value, other));
            left.len() == right.len() && left.iter().all(found)
        }
        _ => left == right,
    }
}

/// Whether no two items of a list are the same. The hashes have a key of their own each time, so that nobody can send
/// items that all have one.
pub(crate) fn all_different(items: &[Value]) -> bool {
    let keys = RandomState::new();
    let mut seen: HashMap<u64, Vec<&Value>> = HashMap::with_capacity(items.len());
    for item in items {
        let mut hasher = keys.build_hasher();
        digest(item, &mut hasher);
        let alike = seen.entry(hasher.finish()).or_default();
        if alike.iter().any(|other| same(other, item)) {
            return false;
        }
        alike.push(item);
    }
    true
}

/// Values that a schema lists, found among many in one step.
#[derive(Debug)]
pub(crate) struct Constants {
    values: Box<[Value]>,
    /// The texts, sorted: what long lists consist of.
    texts: Box<[Box<str>]>,
}

impl Constants {
    pub(crate) fn new(values: &[Value]) -> Constants {
        let mut texts: Vec<Box<str>> = values.iter().filter_map(Value::as_str).map(Box::from).collect();
        texts.sort_unstable();
        Constants {
            values: values.iter().filter(|value| !value.is_string()).cloned().collect(),
            texts: texts.into(),
        }
    }

    pub(crate) fn contain(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.texts.binary_search_by(|known| (**known).cmp(text)).is_ok(),
            other => self.values.iter().any(|known| same(known, other)),
        }
    }

    /// All of them but texts.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    /// Whether there are texts among them.
    pub(crate) fn has_texts(&self) -> bool {
        !self.texts.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() + self.texts.len()
    }
}

fn digest(value: &Value, hasher: &mut impl Hasher) {
    match value {
        Value::Null => hasher.write_u8(0),
        Value::Bool(value) => hasher.write_u8(1 + u8::from(*value)),
        Value::Number(value) => match number::whole(value) {
            Some(integer) => integer.hash(hasher),
            None => value.as_f64().unwrap_or(f64::NAN).to_bits().hash(hasher),
        },
        Value::String(text) => text.hash(hasher),
        Value::Array(items) => {
            hasher.write_usize(items.len());
            items.iter().for_each(|item| digest(item, hasher));
        }
        // Members have no order, so they are taken by their names.
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            for name in names {
                name.hash(hasher);
                digest(&members[name], hasher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_the_same_by_what_they_mean() {
        for (left, right, expected) in [
            (json!(1), json!(1.0), true),
            (json!(1), json!(true), false),
            (json!(0), json!(false), false),
            (json!({"a": 1, "b": [2]}), json!({"b": [2.0], "a": 1}), true),
            (json!({"a": 1}), json!({"a": 1, "b": null}), false),
            (json!([1, 2]), json!([2, 1]), false),
            (json!("1"), json!(1), false),
            (json!(null), json!(null), true),
        ] {
            assert_eq!(same(&left, &right), expected, "{left} {right}");
            assert_eq!(
                all_different(&[left.clone(), right.clone()]),
                !expected,
                "{left} {right}"
            );
            assert_eq!(Constants::new(std::slice::from_ref(&left)).contain(&right), expected);
        }
    }

    #[test]
    fn a_long_list_is_judged_at_once() {
        let mut items: Vec<Value> = (0..200_000).map(|number| json!({"id": number})).collect();
        assert!(all_different(&items));
        items.push(json!({"id": 7.0}));
        assert!(!all_different(&items));
    }
}
