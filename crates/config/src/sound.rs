//! Those parts of a file in which nothing is wrong by themselves, so that they can be compared with each other even when
//! there is something wrong elsewhere.

use serde::Deserialize;
use serde::de::value::Error;

use crate::file::File;
use crate::written::Written;

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
    /// Reads what the check of the structure gave. `is_whole` says that it found nothing wrong.
    pub(crate) fn of(written: Written<'_>, is_whole: bool) -> Result<Sound, Error> {
        let mut root = match written {
            Written::Group(root) => root,
            _ => Vec::new(),
        };
        let (mut listeners, mut routes) = (None, None);
        if !is_whole {
            for (key, value) in &mut root {
                match *key {
                    "listeners" => listeners = Some(prune_list(value)),
                    "routes" => routes = Some(prune_list(value)),
                    "services" | "databases" | "policies" => prune_group(value),
                    "everywhere" => _ = prune_list(value),
                    _ => {}
                }
            }
            for key in ["listeners", "routes"] {
                if !root.iter().any(|(present, _)| *present == key) {
                    root.push((key, Written::List(Vec::new())));
                }
            }
            root.retain(|(_, value)| value.is_sound());
        }
        let file = File::deserialize(Written::Group(root))?;
        Ok(Sound {
            listeners: listeners.unwrap_or_else(|| (0..file.listeners.len()).collect()),
            routes: routes.unwrap_or_else(|| (0..file.routes.len()).collect()),
            file,
        })
    }
}

/// Leaves the sound items of a list, and says which those are.
fn prune_list(value: &mut Written<'_>) -> Vec<usize> {
    let Written::List(items) = value else {
        *value = Written::List(Vec::new());
        return Vec::new();
    };
    let sound: Vec<_> = (0..items.len()).filter(|index| items[*index].is_sound()).collect();
    items.retain(Written::is_sound);
    sound
}

fn prune_group(value: &mut Written<'_>) {
    match value {
        Written::Group(entries) => entries.retain(|(_, value)| value.is_sound()),
        _ => *value = Written::Group(Vec::new()),
    }
}
