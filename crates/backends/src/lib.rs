//! What a route ends in. Each backend is a module by its name in the file; none knows policies, routes or the admin side.

pub mod files;
pub mod redirect;
pub mod respond;
pub mod service;
pub mod table;

mod field_value;
