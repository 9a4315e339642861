//! PgBouncer.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;

use rustix::process::Signal;

use crate::account::Account;
use crate::folder::Folder;
use crate::postgres::Postgres;
use crate::process::{Server, controls, settings};
use crate::programs::program;

/// Where its connections are lent for a transaction, state of a session must not be relied on. The limits are above what tests
/// and measurements open.
const SETTINGS: &[(&str, &str)] = &[
    ("pool_mode", "transaction"),
    ("max_client_conn", "2000"),
    ("default_pool_size", "50"),
    ("ignore_startup_parameters", "extra_float_digits"),
];

/// A running PgBouncer in front of a PostgreSQL. It is ended and removed when this is dropped.
pub struct PgBouncer {
    server: Server,
}

impl PgBouncer {
    /// One in front of a server, which may be restarted meanwhile, that lends its connections for a transaction.
    ///
    /// # Errors
    /// Names what is missing, or tells what PgBouncer said.
    pub fn start(postgres: &Postgres) -> Result<PgBouncer, String> {
        let account = Account::of_server("postgres", "postgresql")?;
        let folder = Folder::new("pgbouncer", &account, "KILL")?;
        let mut bouncer = PgBouncer {
            server: Server::new(folder, account)?,
        };
        bouncer.configure(postgres)?;
        bouncer.run()?;
        Ok(bouncer)
    }

    /// Where the server's database `postgres` is through it. It trusts everybody whom the server knows.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for("postgres")
    }

    /// Where a database of the server is through it. `pgbouncer` is its own, which answers `SHOW POOLS`.
    #[must_use]
    pub fn url_for(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port())
    }

    fn configure(&self, postgres: &Postgres) -> Result<(), String> {
        let folder = self.folder().display();
        let own = [
            ("listen_addr", "127.0.0.1".to_owned()),
            ("listen_port", self.port().to_string()),
            ("unix_socket_dir", folder.to_string()),
            ("auth_type", "trust".to_owned()),
            ("auth_file", format!("{folder}/users")),
            // Whoever is not in the file is looked for in the server.
            ("auth_user", "postgres".to_owned()),
            ("admin_users", "postgres".to_owned()),
        ];
        let (host, port) = (postgres.folder().display(), postgres.port());
        // The socket of the server trusts everybody, whatever is asked for over TCP.
        let mut text = format!("[databases]\n* = host={host} port={port}\n[pgbouncer]\n");
        for (name, value) in settings(SETTINGS.iter(), &[], &own) {
            let _ = writeln!(text, "{name} = {value}");
        }
        for (name, text) in [("settings.ini", text.as_str()), ("users", "\"postgres\" \"\"\n")] {
            std::fs::write(self.folder().join(name), text).map_err(|failure| format!("{name}: {failure}"))?;
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), String> {
        let port = self.port();
        let socket = self.folder().join(format!(".s.PGSQL.{port}"));
        // One that is left from a server that was killed.
        let _ = std::fs::remove_file(&socket);
        let mut command = Command::new(program("pgbouncer")?);
        command.arg(self.folder().join("settings.ini"));
        self.server.run(&mut command, |_| {
            // The socket is in our folder, so that it is not another's who took the port before.
            UnixStream::connect(&socket).is_ok() && TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
    }
}

controls!(PgBouncer, Signal::TERM);

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // Should this fail, its folder's keeper sees to it.
        let _ = self.server.kill();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{client, shared_postgres};

    fn ask(bouncer: &PgBouncer, database: &str, sql: &str) -> Result<String, String> {
        let mut psql = Command::new(program("psql").unwrap());
        psql.args(["-X", "-w", "-A", "-t", "-d", &bouncer.url_for(database), "-c", sql]);
        client::run(&mut psql, b"")
    }

    #[test]
    fn it_leads_to_the_server_again_after_a_kill() {
        let server = shared_postgres();
        let database = server.fresh_database().unwrap();
        let mut bouncer = PgBouncer::start(server).unwrap();
        assert_eq!(
            ask(&bouncer, &database, "SELECT current_database()").unwrap().trim(),
            database
        );
        let settings = ask(&bouncer, "pgbouncer", "SHOW CONFIG").unwrap();
        assert!(settings.contains("pool_mode|transaction"), "{settings}");
        bouncer.kill().unwrap();
        assert!(ask(&bouncer, &database, "SELECT 1").is_err());
        bouncer.restart().unwrap();
        assert_eq!(ask(&bouncer, &database, "SELECT 1").unwrap(), "1\n");
    }
}
