//! The HTTP/2 wire, both sides (RFC 9113), on the `h2` crate. Nothing here knows policies, routes or configuration.

pub mod client;
pub mod guard;
pub mod message;
pub mod server;
