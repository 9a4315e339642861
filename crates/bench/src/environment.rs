//! What machine a run is made on, whether it is fit for that, and whether two are alike.

mod checks;
mod load;
mod machine;

use std::collections::BTreeMap;
use std::fmt;

pub use checks::{Check, Needs, State, checks};
pub use load::{Busy, Ticks};
use machine::Machine;

/// What isn't seen from the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The version of what is measured, such as a commit of git.
    pub commit: Option<String>,
    /// A digest of what is asked.
    pub scenario: Option<String>,
    /// A digest of the configuration of what is measured.
    pub configuration: Option<String>,
}

/// What may differ between runs that are compared: it is what they are compared for.
const SUBJECTS: [&str; 2] = ["commit", "configuration"];

/// The most of a value that is kept: what the system says of itself is short.
const MOST_BYTES: usize = 200;

/// What measurements depend on but the target, by name: `cpu`, `processors`, `memory`, `kernel`, `clock`, `governor`,
/// `virtualisation`, `version` (of this program), and what is given. What the system doesn't tell isn't in it.
pub fn fingerprint(given: &Given) -> BTreeMap<String, String> {
    fingerprint_of(&Machine::here(), given)
}

fn fingerprint_of(machine: &Machine, given: &Given) -> BTreeMap<String, String> {
    let values = [
        ("cpu", machine.cpu.clone()),
        ("processors", machine.processors()),
        ("memory", machine.memory()),
        ("kernel", machine.kernel.clone()),
        ("clock", machine.clock.clone()),
        ("governor", machine.governor.clone()),
        ("virtualisation", machine.virtualisation.clone()),
        ("version", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("commit", given.commit.clone()),
        ("scenario", given.scenario.clone()),
        ("configuration", given.configuration.clone()),
    ];
    let known = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
    known
        .map(|(name, value)| (name.to_owned(), shortened(&value)))
        .collect()
}

fn shortened(value: &str) -> String {
    value[..value.floor_char_boundary(MOST_BYTES)].to_owned()
}

/// In what two environments differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What, by its name in the fingerprint.
    pub name: String,
    /// Its value in one; nothing where that doesn't say.
    pub base: Option<String>,
    /// Its value in the other.
    pub head: Option<String>,
    /// Whether measurements can't be compared for it. A commit may differ: that is what one wants to know about.
    pub matters: bool,
}

/// As a sentence.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.name.as_str() {
            "cpu" => "kind of processor",
            "processors" => "number of processors",
            "version" => "version of portcullis bench",
            "clock" => "clock source",
            other => other,
        };
        match (&self.base, &self.head) {
            (Some(base), Some(head)) => write!(f, "The {name} isn't the same: `{base}` and `{head}`."),
            (Some(only), None) | (None, Some(only)) => {
                write!(f, "The {name} is known of one of them only: `{only}`.")
            }
            (None, None) => write!(f, "The {name} is unknown."),
        }
    }
}

/// In what two fingerprints differ, by name.
pub fn differences(base: &BTreeMap<String, String>, head: &BTreeMap<String, String>) -> Vec<Difference> {
    let mut names: Vec<&String> = base.keys().chain(head.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let unlike = names.into_iter().filter(|name| base.get(*name) != head.get(*name));
    let difference = |name: &String| Difference {
        name: name.clone(),
        base: base.get(name).cloned(),
        head: head.get(name).cloned(),
        matters: !SUBJECTS.contains(&name.as_str()),
    };
    unlike.map(difference).collect()
}

#[cfg(test)]
mod tests;
