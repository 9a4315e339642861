//! Servers of databases for tests and measurements.
//!
//! Each has a folder, a port and processes of its own, and never touches what the machine runs as a service. It starts in a
//! fraction of a second, from a copy of data that was initialised once for each version, and it is gone with the process that
//! started it, however that ends. All works as root, who lets the accounts of Debian's packages run the servers, and as
//! anybody else.
//!
//! ```no_run
//! # fn main() -> Result<(), String> {
//! let server = portcullis_servers::shared_postgres();
//! let database = server.fresh_database()?;
//! server.run_sql(&database, "CREATE TABLE cities (name text)")?;
//! let url = server.url_for(&database);
//! # Ok(())
//! # }
//! ```

use std::sync::OnceLock;

pub use crate::mariadb::{MariaDb, MariaDbBuilder};
pub use crate::pgbouncer::PgBouncer;
pub use crate::postgres::{Postgres, PostgresBuilder};
pub use crate::programs::{postgres_version, program};

mod account;
mod certificate;
mod client;
mod folder;
mod mariadb;
mod pgbouncer;
mod postgres;
mod process;
mod programs;

/// The PostgreSQL of this process, started by the first who asks. It has the settings of [`Postgres::start`]; a test that kills
/// or configures one starts its own.
///
/// # Panics
/// When it can't be started, for the tests that need it; [`Postgres::start`] says so as an error.
pub fn shared_postgres() -> &'static Postgres {
    static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
    shared(SHARED.get_or_init(Postgres::start))
}

/// The MariaDB of this process, as [`shared_postgres`].
///
/// # Panics
/// When it can't be started.
pub fn shared_mariadb() -> &'static MariaDb {
    static SHARED: OnceLock<Result<MariaDb, String>> = OnceLock::new();
    shared(SHARED.get_or_init(MariaDb::start))
}

fn shared<T>(server: &'static Result<T, String>) -> &'static T {
    match server {
        Ok(server) => server,
        Err(reason) => panic!("{reason}"),
    }
}
