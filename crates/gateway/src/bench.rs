//! Load on a gate or another server: where its requests come from, and the stages of a test.
//!
//! This is the only place where load and gate are both known. How load is made and judged is `portcullis_bench`'s.

mod draft;
pub(crate) mod gate;
pub(crate) mod sources;

mod compile;
mod dry_run;
mod promised;
mod rows;
mod scenario_file;
pub(crate) mod stages;

mod interrupt;
mod ownership;
pub(crate) mod running;

pub(crate) mod policies;

pub(crate) mod baselines;
pub(crate) mod folder;
