//! The two stores: a durable one, which loses nothing that it acknowledged, and a soft one, which may.
//!
//! Nothing here knows policies, routes or a configuration file.

pub mod durable;
pub mod soft;
