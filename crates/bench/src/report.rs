//! A run with its verdict: what is kept, compared and shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::measured::Measured;
use crate::process::Resources;

pub mod json;
pub mod junit;
pub mod markdown;
pub mod text;

pub mod html;

pub mod comparison;

mod chart;
mod findings;
pub(crate) mod overview;

pub(crate) mod escape;
pub(crate) mod figures;

#[cfg(test)]
pub(crate) mod samples;

/// A run, as it is written to a file and read again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The version of this form: 1.
    pub version: u32,
    /// What the run is called: the name of the scenario, or the URL.
    pub name: String,
    /// The target's name.
    pub target: String,
    /// The profile's word.
    pub profile: String,
    /// When it began, in milliseconds since 1970.
    pub began: u64,
    /// What machine and versions it was measured with, by name: `cpu`, `kernel`.
    pub environment: BTreeMap<String, String>,
    /// What was measured.
    pub measured: Measured,
    /// What the profile itself found, by name, such as `capacity` (requests a second) or `recovery` (seconds).
    #[serde(serialize_with = "numbers_only")]
    pub found: BTreeMap<String, f64>,
    /// What the profile says of it, as sentences: what broke, or that the target never recovered.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// One for each objective.
    pub objectives: Vec<Judged>,
    /// What came of it all.
    pub verdict: Verdict,
    /// Why the run says nothing about the target; then the verdict is `invalid`.
    pub invalid: Vec<String>,
    /// Whether who looked on ended it before its time.
    #[serde(default)]
    pub interrupted: bool,
    /// What the process took that was watched meanwhile, such as that of the target.
    #[serde(default)]
    pub resources: Option<Resources>,
}

/// An objective and whether it was met.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Judged {
    /// As it was written: `p99 < 50ms`.
    pub objective: String,
    /// The route it is for; all together where there is none.
    pub route: Option<String>,
    /// What was measured, in the objective's own unit: `48.2ms`.
    pub measured: String,
    /// Whether that is as it should be.
    pub met: bool,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every objective was met.
    Pass,
    /// One wasn't.
    Fail,
    /// The generator was at its limit: nothing is known.
    Invalid,
}

/// JSON has neither infinity nor what is no number.
fn numbers_only<S: Serializer>(found: &BTreeMap<String, f64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(found.iter().filter(|(_, value)| value.is_finite()))
}
