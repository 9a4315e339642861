//! Those parts of a file in which nothing is wrong by themselves, so that they can be compared with each other even when
//! there is something wrong elsewhere.

use serde_json::{Map, Value, json};

use crate::file::File;

/// What is sound of a file: all of it when no problem was found.
pub(crate) struct Sound {
    /// The file without what is wrong.
    pub(crate) file: File,
    /// Of each listener of `file`, which one it was.
    pub(crate) listeners: Vec<usize>,
    /// Of each route of `file`, which one it was.
    pub(crate) routes: Vec<usize>,
}

impl Sound {
    /// Reads what the check of the structure gave, where `null` stands for what is wrong.
    pub(crate) fn of(value: Value) -> Result<Sound, serde_json::Error> {
        let mut root = match value {
            Value::Object(root) => root,
            _ => Map::new(),
        };
        let listeners = prune_list(root.entry("listeners").or_insert(Value::Null));
        let routes = prune_list(root.entry("routes").or_insert(Value::Null));
        for (key, value) in &mut root {
            match key.as_str() {
                "services" | "databases" | "policies" => prune_map(value),
                "everywhere" => _ = prune_list(value),
                _ => {}
            }
        }
        root.retain(|_, value| is_sound(value));
        Ok(Sound {
            file: serde_json::from_value(Value::Object(root))?,
            listeners,
            routes,
        })
    }
}

/// Leaves the sound items of a list, and says which those are.
fn prune_list(value: &mut Value) -> Vec<usize> {
    let Value::Array(items) = value else {
        *value = json!([]);
        return Vec::new();
    };
    let sound: Vec<_> = (0..items.len()).filter(|index| is_sound(&items[*index])).collect();
    items.retain(is_sound);
    sound
}

fn prune_map(value: &mut Value) {
    match value {
        Value::Object(entries) => entries.retain(|_, value| is_sound(value)),
        _ => *value = json!({}),
    }
}

fn is_sound(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().all(is_sound),
        Value::Object(entries) => entries.values().all(is_sound),
        _ => true,
    }
}
