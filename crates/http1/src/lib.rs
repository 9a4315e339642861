//! The HTTP/1.1 wire, both sides (RFC 9112). Nothing here knows policies, routes or configuration.
//!
//! The core does no I/O: [`request`] and [`response`] read heads, [`chunked`] decodes content, [`encode`] writes.
//! It is strict wherever two readers could take one message for two different ones, for that is how requests are
//! smuggled.

pub mod authority;
pub mod chunked;
pub mod date;
pub mod encode;
pub mod framing;
pub mod hop_by_hop;
pub mod request;
pub mod response;

pub mod buffers;
pub mod client;
pub mod server;
pub mod watchdog;

mod channel;
mod head;
mod outbox;
mod outgoing;
mod refusal;

pub use head::{HeadLimits, HeadScanner, METHOD_BYTES};
pub use refusal::Refusal;
