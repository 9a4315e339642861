//! Databases as they are: real files and real servers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod it {
    mod changes;
    mod opened;
    mod random;
    mod sqlite;
}
