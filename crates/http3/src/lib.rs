//! The HTTP/3 wire, the server's side (RFC 9114), on `quinn` and `h3`. Nothing here knows policies, routes or
//! configuration.
//!
//! `h3` codes the fields and keeps the control streams. Content goes past it: it would read ahead of a body that nobody
//! takes, and gather a frame of any length.

pub mod server;

mod activity;
mod interim;
mod request_body;
mod response;

mod frames;
mod stream;
mod transport;

pub use server::serve;
