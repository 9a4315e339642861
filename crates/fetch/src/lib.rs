//! Asks another server one thing: a document of keys, a token, a certificate. For what the gate itself wants to know, not
//! for requests of clients.
//!
//! A [`Fetcher`] makes each request on a connection of its own, away from whoever asks: its future can be awaited on a worker
//! and on the runtime for slow work. Nothing here knows policies, routes, pools of connections or a configuration file.
//!
//! What comes back is limited in size and time, always. Nothing is asked in clear text beyond this machine, unless
//! [`Limits::clear_text`] says so, and no redirect leads to another server.

mod fetcher;
mod question;
mod url;

mod failure;
mod roots;

mod exchange;

#[cfg(test)]
mod server;

pub use failure::Failure;
pub use fetcher::{Fetcher, Limits};
pub use question::{Answer, Question};
pub use roots::roots;
pub use url::Url;
