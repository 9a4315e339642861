//! PostgreSQL.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::account::Account;
use crate::certificate::Certificate;
use crate::client;
use crate::folder::{self, Folder};
use crate::process::{Server, controls, settings};
use crate::programs::{postgres_version, program};

const MISSING: &str = "PostgreSQL is missing; on Debian, as root: apt-get install postgresql";

/// Fast and steady: nothing that happens by itself shows in what is measured. A commit is written to the kernel, so that it
/// outlives the server that is killed, but not the machine.
const SETTINGS: &[(&str, &str)] = &[
    ("autovacuum", "off"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "200"),
    ("timezone", "UTC"),
    // What the other kinds keep outside of the folder would be left by a server that is killed.
    ("dynamic_shared_memory_type", "mmap"),
];

/// What is true of the machine's own disks: commits are on them when they are told.
const DURABLE: &[(&str, &str)] = &[("fsync", "on"), ("full_page_writes", "on")];

/// A running PostgreSQL. It is ended and removed when this is dropped.
pub struct Postgres {
    server: Server,
    password: Option<String>,
}

/// How a PostgreSQL is to be.
#[derive(Default)]
pub struct PostgresBuilder {
    settings: Vec<(String, String)>,
    durable: bool,
    password: Option<String>,
    certificate: Option<Certificate>,
}

impl PostgresBuilder {
    /// A setting of `postgresql.conf`; the last of a name holds.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> PostgresBuilder {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Commits are on the disk before they are told. Killing the server loses none without it, either.
    #[must_use]
    pub fn durable(mut self) -> PostgresBuilder {
        self.durable = true;
        self
    }

    /// Over TCP everybody needs a password (SCRAM-SHA-256), and the owner has this one. Without it everybody is trusted.
    #[must_use]
    pub fn password(mut self, password: &str) -> PostgresBuilder {
        self.password = Some(password.to_owned());
        self
    }

    /// Takes TLS connections, by a certificate and its key in PEM.
    #[must_use]
    pub fn tls(mut self, certificate: &str, key: &str) -> PostgresBuilder {
        self.certificate = Some(Certificate::new(certificate, key));
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// Names what is missing, or tells what the server said.
    pub fn start(self) -> Result<Postgres, String> {
        let version = postgres_version().ok_or(MISSING)?;
        let account = Account::of_server("postgres", "postgresql")?;
        let folder = Folder::new("postgres", &account, "QUIT")?;
        let data = folder.path().join("data");
        folder::initialised(&format!("postgres-{version}"), &account, &data, |place| {
            initialise(&account, place)
        })?;
        let mut postgres = Postgres {
            server: Server::new(folder, account)?,
            password: None,
        };
        postgres.configure(&self)?;
        postgres.run()?;
        if let Some(password) = self.password {
            let literal = password.replace('\'', "''");
            postgres.run_sql("postgres", &format!("ALTER ROLE postgres PASSWORD '{literal}'"))?;
            postgres.password = Some(password);
        }
        Ok(postgres)
    }
}

impl Postgres {
    /// One as it comes from the builder.
    ///
    /// # Errors
    /// As [`PostgresBuilder::start`].
    pub fn start() -> Result<Postgres, String> {
        Postgres::builder().start()
    }

    /// One that is to be described first.
    #[must_use]
    pub fn builder() -> PostgresBuilder {
        PostgresBuilder::default()
    }

    /// Where its database `postgres` is, for its owner, who is called that too.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for("postgres")
    }

    /// Where a database is, for the owner of the server.
    #[must_use]
    pub fn url_for(&self, database: &str) -> String {
        let password = self
            .password
            .as_deref()
            .map_or_else(String::new, |password| format!(":{}", escaped(password)));
        format!("postgres://postgres{password}@127.0.0.1:{}/{database}", self.port())
    }

    /// Creates a database.
    ///
    /// # Errors
    /// What the server said.
    pub fn create_database(&self, name: &str) -> Result<(), String> {
        self.run_sql("postgres", &format!("CREATE DATABASE \"{name}\""))
            .map(drop)
    }

    /// Creates a database of a name that nobody else has, and returns the name.
    ///
    /// # Errors
    /// What the server said.
    pub fn fresh_database(&self) -> Result<String, String> {
        let name = folder::unique("test").replace('-', "_");
        self.create_database(&name)?;
        Ok(name)
    }

    /// Runs SQL (and commands of psql) by psql, up to the first error, each statement in a transaction of its own. Returns what it
    /// answers: a line for each row, with `|` between the values.
    ///
    /// # Errors
    /// What psql said.
    pub fn run_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        client::run(&mut self.client(database)?, sql.as_bytes())
    }

    /// The same with the SQL of a file.
    ///
    /// # Errors
    /// When the file can't be read, and what psql said.
    pub fn run_file(&self, database: &str, path: &Path) -> Result<String, String> {
        client::run_file(&mut self.client(database)?, path)
    }

    fn configure(&self, wanted: &PostgresBuilder) -> Result<(), String> {
        let data = self.folder().join("data");
        let mut text = String::new();
        let own = [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", self.port().to_string()),
            ("unix_socket_directories", self.folder().display().to_string()),
        ];
        let durable = if wanted.durable { DURABLE } else { &[] };
        for (name, value) in settings(SETTINGS.iter().chain(durable), &wanted.settings, &own) {
            let _ = writeln!(text, "{name} = '{}'", value.replace('\'', "''"));
        }
        if let Some(certificate) = &wanted.certificate {
            let [certificate, key] = certificate.write(self.folder(), &self.server.account)?;
            let (certificate, key) = (certificate.display(), key.display());
            let _ = writeln!(
                text,
                "ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'"
            );
        }
        append(&data.join("postgresql.conf"), &text)?;
        let method = if wanted.password.is_some() {
            "scram-sha-256"
        } else {
            "trust"
        };
        let access = format!("local all all trust\nhost all all 127.0.0.1/32 {method}\n");
        std::fs::write(data.join("pg_hba.conf"), access).map_err(|failure| failure.to_string())
    }

    fn run(&mut self) -> Result<(), String> {
        let data = self.folder().join("data");
        let lock = data.join("postmaster.pid");
        let mut command = Command::new(program("postgres")?);
        command.arg("-D").arg(&data).env("LC_ALL", "C.UTF-8");
        self.server.run(&mut command, |number| {
            // The first line says whose the file is, which may be left from a server that was killed; the last whether it
            // takes connections.
            let text = std::fs::read_to_string(&lock).unwrap_or_default();
            text.lines().next() == Some(&number.to_string())
                && text.lines().nth(7).is_some_and(|state| state.trim() == "ready")
        })
    }

    fn client(&self, database: &str) -> Result<Command, String> {
        let mut command = Command::new(program("psql")?);
        command.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--no-password"]);
        command.args(["--set=ON_ERROR_STOP=1", "--username=postgres", "--file=-"]);
        command.arg("--host").arg(self.folder());
        command
            .arg(format!("--port={}", self.port()))
            .arg(format!("--dbname={database}"));
        // What is set for other servers is not for this one.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        Ok(command)
    }
}

controls!(Postgres, Signal::INT);

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.pid().is_some() {
            // At once, but so that it takes its shared memory away. Should it not end, its folder's keeper sees to it.
            let _ = self.server.stop(Signal::QUIT);
            return;
        }
        // One that was killed has left a segment, and its number.
        let lock = std::fs::read_to_string(self.folder().join("data/postmaster.pid")).unwrap_or_default();
        let segment = lock.lines().nth(6).and_then(|line| line.split_whitespace().nth(1));
        if let Some(segment) = segment {
            let mut remove = Command::new("ipcrm");
            remove.args(["-m", segment]).stdin(Stdio::null());
            let _ = remove.stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

fn initialise(account: &Account, place: &Path) -> Result<(), String> {
    let mut command = Command::new(program("initdb")?);
    command.args(["--no-sync", "--no-instructions", "--auth=trust", "--username=postgres"]);
    command
        .args(["--encoding=UTF8", "--locale=C.UTF-8"])
        .arg("--pgdata")
        .arg(place);
    account.runs(command.current_dir("/"));
    client::run(&mut command, b"").map(drop)
}

/// A password as an address has it (RFC 3986, section 2.1).
fn escaped(password: &str) -> String {
    password.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

fn append(path: &Path, text: &str) -> Result<(), String> {
    let file = std::fs::OpenOptions::new().append(true).open(path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(|failure| format!("{}: {failure}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::shared_postgres;

    #[test]
    fn what_was_committed_outlives_a_kill() {
        let mut server = Postgres::builder()
            .durable()
            .setting("log_statement", "all")
            .start()
            .unwrap();
        server.create_database("cities").unwrap();
        server
            .run_sql(
                "cities",
                "CREATE TABLE city (name text); INSERT INTO city VALUES ('Bern'), ('Köln')",
            )
            .unwrap();
        let (pids, port) = (server.pids(), server.port());
        assert!(pids.len() > 3 && server.pid() == Some(pids[0]), "{pids:?}");
        server.kill().unwrap();
        assert!(server.pids().is_empty());
        assert!(server.run_sql("cities", "SELECT 1").is_err());
        server.restart().unwrap();
        assert_eq!(
            server.run_sql("cities", "SELECT name FROM city ORDER BY name").unwrap(),
            "Bern\nKöln\n"
        );
        assert_eq!(server.port(), port);
        let log = std::fs::read_to_string(server.log()).unwrap();
        assert!(log.contains("INSERT INTO city"), "{log}");
    }

    #[test]
    fn nothing_is_left_of_one_that_is_dropped() {
        let server = Postgres::start().unwrap();
        let (folder, pids) = (server.folder().to_owned(), server.pids());
        drop(server);
        assert!(!folder.exists());
        assert!(
            pids.iter()
                .all(|pid| !Path::new("/proc").join(pid.to_string()).join("exe").exists())
        );
    }

    #[test]
    fn passwords_are_asked_for_over_tcp() {
        let server = Postgres::builder().password("it's @/").start().unwrap();
        let ask = |url: &str| {
            let mut psql = Command::new(program("psql").unwrap());
            psql.args(["-X", "-w", "-A", "-t", "-d", url, "-c", "SELECT 7"]);
            client::run(&mut psql, b"")
        };
        assert_eq!(ask(&server.url()).unwrap(), "7\n");
        assert!(ask(&server.url().replace("%20", "")).is_err());
    }

    #[test]
    fn a_server_is_shared_and_its_databases_are_not() {
        let server = shared_postgres();
        let (one, other) = (server.fresh_database().unwrap(), server.fresh_database().unwrap());
        assert_ne!(one, other);
        server.run_sql(&one, "CREATE TABLE here ()").unwrap();
        let failure = server.run_sql(&other, "SELECT * FROM here; SELECT 1").unwrap_err();
        assert!(failure.contains("\"here\" does not exist"), "{failure}");
    }

    #[test]
    fn indexes_that_are_not_there_can_be_planned_with() {
        let server = shared_postgres();
        let database = server.fresh_database().unwrap();
        server.run_sql(&database, "CREATE EXTENSION hypopg").unwrap();
    }
}
