//! The durable store: what it acknowledged is there after a crash of the process or of the machine.
//!
//! Each table is a module with a trait of what it offers, and its users hold no more than that trait. [`sqlite::Sqlite`] is
//! the one store there is; another one, for several gates together, would implement the same traits.
//!
//! No call waits for room or for the disk: each gives an [`Answer`], a future that any thread and any event loop can await.
//! Times are milliseconds since 1970, and given by the caller.

mod answer;
mod readers;
mod schema;
pub mod sqlite;
mod sweep;
pub mod unopened;
mod writer;

pub mod baselines;
pub mod idempotency;
pub mod keys;
pub mod quota;

pub use answer::{Answer, Error};

/// A SHA-256, by which tables find what clients named: of a known length, and nothing to read in a stolen file.
pub type Digest = [u8; 32];

/// Milliseconds since 1970.
pub type Millis = i64;
