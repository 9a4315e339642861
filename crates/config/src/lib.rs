//! The file that a person writes: plain types, their defaults with the reasons, and every problem at once with the
//! place where it stands.
//!
//! Nothing here opens a socket, knows a runtime, or compiles what was written into what runs.

mod anything;
mod document;
mod effective;
mod load;
mod part;
mod problem;
mod record;
mod reference;

mod substitute;
mod tree;
mod written;

mod check;
mod formats;
mod schema;
mod sound;
mod structure;
mod suggest;

pub mod changes;
pub mod defaults;
pub mod secret;
pub mod units;

pub mod acme;
pub mod bans;
pub mod bench;
pub mod bind;
pub mod database;
pub mod dns;
pub mod file;
pub mod listener;
pub mod mistakes;
pub mod overload;
pub mod policy;
pub mod route;
pub mod service;
pub mod stores;

pub use anything::Anything;
pub use effective::effective;
pub use file::File;
pub use load::{Loaded, load, load_with, parse, read};
pub use part::{parse_target, read_targets};
pub use problem::{Place, Problem, Problems};
pub use record::Record;
pub use reference::reference;
pub use schema::schema;
