//! The names that placeholders may use.

use std::sync::{Arc, OnceLock};

use super::capture::Keep;
use super::data::DataSet;
use super::escape::Place;
use super::source::Source;
use super::text::Text;
use super::value::Value;

/// Words that mean something by themselves, so that nothing captured can have them as a name.
pub const RESERVED: [&str; 6] = ["as", "number", "popular", "random", "timestamp", "uuid"];

/// What is known where a template stands: sets of data, what was captured before the load, and what earlier steps of the same
/// flow captured.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    sets: Vec<Arc<DataSet>>,
    /// Sets that there should be and that can't be read.
    unread: Vec<String>,
    for_all: Vec<(String, Arc<OnceLock<Value>>)>,
    own: Vec<String>,
}

impl Scope {
    /// One that knows these sets, each at its own place.
    pub fn new(mut sets: Vec<DataSet>) -> Scope {
        for (place, set) in sets.iter_mut().enumerate() {
            set.place = place;
        }
        Scope {
            sets: sets.into_iter().map(Arc::new).collect(),
            ..Scope::default()
        }
    }

    /// Takes any column of a set for one that there is: who knows already that the set can't be read doesn't want to hear of
    /// each placeholder, too.
    pub fn forgive(&mut self, set: &str) {
        self.unread.push(set.to_owned());
    }

    /// From here on the name is known to this flow; says where its value is kept.
    pub fn capture(&mut self, name: &str) -> Keep {
        let slot = self.own.iter().position(|own| own == name);
        Keep::Own(slot.unwrap_or_else(|| {
            self.own.push(name.to_owned());
            self.own.len() - 1
        }))
    }

    /// From here on the name is known to all flows; says where its value is kept.
    pub fn capture_for_all(&mut self, name: &str) -> Keep {
        if let Some((_, slot)) = self.for_all.iter().find(|(known, _)| known == name) {
            return Keep::ForAll(slot.clone());
        }
        let slot = Arc::new(OnceLock::new());
        self.for_all.push((name.to_owned(), slot.clone()));
        Keep::ForAll(slot)
    }

    /// Whether all placeholders of a text say something that is known.
    pub fn knows(&self, text: &str) -> bool {
        Text::parse(text, Place::Plain, self).is_ok()
    }

    /// What a name stands for.
    ///
    /// # Errors
    /// When nothing has that name, with what there is.
    pub(crate) fn source(&self, name: &str) -> Result<Source, String> {
        if let Some(slot) = self.own.iter().position(|own| own == name) {
            return Ok(Source::Captured(Keep::Own(slot)));
        }
        if let Some((_, slot)) = self.for_all.iter().find(|(known, _)| known == name) {
            return Ok(Source::Captured(Keep::ForAll(slot.clone())));
        }
        let Some((set_name, column)) = name.split_once('.') else {
            return Err(self.unknown(name));
        };
        if self.unread.iter().any(|unread| unread == set_name) {
            return Ok(Source::Number);
        }
        let set = self.sets.iter().find(|set| set.name() == set_name);
        let set = set.ok_or_else(|| self.unknown(name))?;
        match set.column(column) {
            Some(column) => Ok(Source::Column {
                set: set.clone(),
                column,
            }),
            None => Err(format!(
                "the data `{set_name}` has no column `{column}`; it has {}",
                listed(set.columns())
            )),
        }
    }

    fn unknown(&self, name: &str) -> String {
        let columns = self.sets.iter().flat_map(|set| {
            let columns = set.columns().iter();
            columns.map(|column| format!("{}.{column}", set.name()))
        });
        let known = self
            .own
            .iter()
            .chain(self.for_all.iter().map(|(name, _)| name))
            .cloned();
        let known: Vec<_> = known.chain(columns).collect();
        if known.is_empty() {
            return format!("there is no `{name}`: there is no data, and nothing is captured before");
        }
        format!("there is no `{name}` here; there is {}", listed(&known))
    }
}

/// Names for a message, as many as anybody reads.
fn listed(names: &[String]) -> String {
    const MOST: usize = 12;
    let mut shown: Vec<_> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if names.len() > MOST {
        shown.push(format!("{} more", names.len() - MOST));
    }
    shown.join(", ")
}
