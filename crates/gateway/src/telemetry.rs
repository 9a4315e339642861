//! What the gate tells its operators: a log of its own life, and numbers.

mod databases;
mod discovery;
mod ends;
pub(crate) mod log;
pub(crate) mod numbers;
mod overload;
mod services;
mod soft_store;
mod upstreams;
