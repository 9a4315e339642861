//! Finding what a name means.

use std::sync::Arc;

use super::{Relation, Routine, Schema};

impl Schema {
    /// The relation of that name, `NAMESPACE.NAME` or `NAME` alone, with its place.
    pub fn relation(&self, name: &str) -> Option<(usize, &Arc<Relation>)> {
        let found = |namespace: &str, name: &str| {
            let place = *self.by_name.get(&(Arc::from(namespace), Arc::from(name)))?;
            Some((place, &self.relations[place]))
        };
        let bare = self.namespaces.iter().find_map(|namespace| found(namespace, name));
        bare.or_else(|| {
            let (namespace, name) = name.split_once('.')?;
            found(namespace, name)
        })
    }

    /// The routines of that name, `NAMESPACE.NAME` or `NAME` alone: several where it is overloaded.
    pub fn routines_named(&self, name: &str) -> Vec<&Arc<Routine>> {
        // A name may have a dot itself, and is looked for as a whole first.
        let is_whole = self.routines.iter().any(|routine| routine.name.as_str() == name);
        let (namespace, bare) = match name.split_once('.') {
            Some((namespace, bare)) if !is_whole => (Some(namespace), bare),
            _ => (None, name),
        };
        self.routines
            .iter()
            .filter(|routine| routine.name.as_str() == bare)
            .filter(|routine| namespace.is_none_or(|namespace| routine.namespace.as_str() == namespace))
            .collect()
    }
}

/// Bytes of a name for which others are looked through: the work grows with the product of the lengths.
const MAX_WANTED: usize = 64;
/// Names that are looked through. Schemas have tens of thousands of them.
const MAX_NAMES: usize = 500;

/// "; did you mean `name`?", or nothing.
pub fn did_you_mean<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> String {
    closest(wanted, names).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The name out of `names` that was probably meant.
fn closest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if wanted.len() > MAX_WANTED {
        return None;
    }
    let wanted = wanted.to_lowercase();
    // A third of the letters may be wrong; more, and the suggestion would only puzzle.
    let tolerated = wanted.chars().count().div_ceil(3);
    names
        .take(MAX_NAMES)
        .map(|name| (strsim::osa_distance(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
