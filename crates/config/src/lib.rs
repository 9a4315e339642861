//! The file that a person writes: plain types, their defaults with the reasons, and every problem at once with the
//! place where it stands.
//!
//! Nothing here opens a socket, knows a runtime, or compiles what was written into what runs.

pub mod defaults;
mod formats;
pub mod secret;
pub mod units;

pub mod database;
pub mod file;
pub mod listener;
pub mod policy;
pub mod route;
pub mod service;

pub use file::File;
