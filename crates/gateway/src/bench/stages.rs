//! The stages of a test, one after the other.

pub(crate) mod environment;
pub(crate) mod metrics;
pub(crate) mod plan;

pub(crate) mod build;
pub(crate) mod setup;

pub(crate) mod compare;
pub(crate) mod stand_in;
