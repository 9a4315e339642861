//! What a route ends in. Each backend is a module by its name in the file; none knows policies, routes or the admin side.

pub mod counts;
pub mod files;
pub mod mirror;
pub mod redirect;
pub mod respond;
pub mod rollout;
pub mod service;
pub mod split;
pub mod swap;
pub mod table;

mod client_key;
mod field_value;
