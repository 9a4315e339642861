//! The backends against real files and sockets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "a test reads better when it hands over what it made in place"
)]

#[path = "it/table.rs"]
mod table;
