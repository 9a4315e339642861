//! Databases as they are: real files and real servers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod it {
    mod random;
    mod sqlite;
}
