//! MariaDB.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::account::Account;
use crate::client;
use crate::folder::{self, Folder};
use crate::process::{Server, controls, settings};
use crate::programs::program;

/// Who connects over TCP, who may do everything; the password is the same word.
const OWNER: &str = "portcullis";

/// A commit is written to the kernel, so that it outlives the server that is killed, but not the machine.
const SETTINGS: &[(&str, &str)] = &[
    ("character-set-server", "utf8mb4"),
    ("default-time-zone", "+00:00"),
    ("innodb_flush_log_at_trx_commit", "2"),
    ("innodb_log_file_size", "16M"),
    ("innodb_stats_auto_recalc", "OFF"),
    ("max_connections", "200"),
    ("skip-name-resolve", "ON"),
];

const DURABLE: &[(&str, &str)] = &[("innodb_flush_log_at_trx_commit", "1")];

/// A running MariaDB. It is ended and removed when this is dropped.
pub struct MariaDb {
    server: Server,
}

/// How a MariaDB is to be.
#[derive(Default)]
pub struct MariaDbBuilder {
    settings: Vec<(String, String)>,
    durable: bool,
}

impl MariaDbBuilder {
    /// A setting of the server, as in the section `[mariadbd]` of its file; the last of a name holds. What `general_log` and
    /// `slow_query_log` write is in [`MariaDb::log`].
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> MariaDbBuilder {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Commits are on the disk before they are told. Killing the server loses none without it, either.
    #[must_use]
    pub fn durable(mut self) -> MariaDbBuilder {
        self.durable = true;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// Names what is missing, or tells what the server said.
    pub fn start(self) -> Result<MariaDb, String> {
        let version = version()?;
        let account = Account::of_server("mysql", "mariadb-server")?;
        let folder = Folder::new("mariadb", &account, "KILL")?;
        let data = folder.path().join("data");
        folder::initialised(&format!("mariadb-{version}"), &account, &data, |place| {
            initialise(&account, place)
        })?;
        let mut mariadb = MariaDb {
            server: Server::new(folder, account)?,
        };
        mariadb.configure(&self)?;
        mariadb.run()?;
        Ok(mariadb)
    }
}

impl MariaDb {
    /// One as it comes from the builder.
    ///
    /// # Errors
    /// As [`MariaDbBuilder::start`].
    pub fn start() -> Result<MariaDb, String> {
        MariaDb::builder().start()
    }

    /// One that is to be described first.
    #[must_use]
    pub fn builder() -> MariaDbBuilder {
        MariaDbBuilder::default()
    }

    /// Where it is, with no database, for a user who may do everything and has a password.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for("")
    }

    /// Where a database is, for the same user.
    #[must_use]
    pub fn url_for(&self, database: &str) -> String {
        format!("mysql://{OWNER}:{OWNER}@127.0.0.1:{}/{database}", self.port())
    }

    /// Creates a database.
    ///
    /// # Errors
    /// What the server said.
    pub fn create_database(&self, name: &str) -> Result<(), String> {
        self.run_sql("", &format!("CREATE DATABASE `{name}`")).map(drop)
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

    /// Runs SQL by the client mariadb, up to the first error; no database is the empty name. Returns what it answers: a line for
    /// each row, with tabs between the values.
    ///
    /// # Errors
    /// What the client said.
    pub fn run_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        client::run(&mut self.client(database)?, sql.as_bytes())
    }

    /// The same with the SQL of a file.
    ///
    /// # Errors
    /// When the file can't be read, and what the client said.
    pub fn run_file(&self, database: &str, path: &Path) -> Result<String, String> {
        client::run_file(&mut self.client(database)?, path)
    }

    fn configure(&self, wanted: &MariaDbBuilder) -> Result<(), String> {
        let folder = self.folder().display();
        let log = self.log().display().to_string();
        let own = [
            ("bind-address", "127.0.0.1".to_owned()),
            ("port", self.port().to_string()),
            ("datadir", format!("{folder}/data")),
            ("tmpdir", folder.to_string()),
            ("socket", format!("{folder}/socket")),
            ("pid-file", format!("{folder}/pid")),
            ("init-file", format!("{folder}/owner.sql")),
            ("general_log_file", log.clone()),
            ("slow_query_log_file", log),
        ];
        let durable = if wanted.durable { DURABLE } else { &[] };
        let mut text = "[mariadbd]\n".to_owned();
        for (name, value) in settings(SETTINGS.iter().chain(durable), &wanted.settings, &own) {
            let _ = writeln!(text, "{name} = {value}");
        }
        let owner = format!(
            "CREATE USER IF NOT EXISTS '{OWNER}'@'127.0.0.1' IDENTIFIED BY '{OWNER}';\nGRANT ALL ON *.* TO '{OWNER}'@'127.0.0.1' WITH GRANT OPTION;\n"
        );
        for (name, text) in [("settings.cnf", text), ("owner.sql", owner)] {
            std::fs::write(self.folder().join(name), text).map_err(|failure| format!("{name}: {failure}"))?;
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), String> {
        let settings = self.folder().join("settings.cnf");
        let file = self.folder().join("pid");
        let mut command = Command::new(program("mariadbd")?);
        command.arg(format!("--defaults-file={}", settings.display()));
        self.server.run(&mut command, |number| {
            // It is written once the sockets are there; one that is left from a server that was killed has another number.
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            text.trim() == number.to_string()
        })
    }

    fn client(&self, database: &str) -> Result<Command, String> {
        let mut command = Command::new(program("mariadb")?);
        command.args(["--no-defaults", "--batch", "--skip-column-names", "--user=root"]);
        command.arg("--default-character-set=utf8mb4");
        command.arg(format!("--socket={}", self.folder().join("socket").display()));
        if !database.is_empty() {
            command.arg(format!("--database={database}"));
        }
        Ok(command)
    }
}

controls!(MariaDb, Signal::TERM);

impl Drop for MariaDb {
    fn drop(&mut self) {
        // Its data goes, too: there is nothing to save. Should this fail, its folder's keeper sees to it.
        let _ = self.server.kill();
    }
}

/// The version, of which the form of the data is.
fn version() -> Result<String, String> {
    let mut command = Command::new(program("mariadbd")?);
    let said = client::run(command.args(["--no-defaults", "--version"]), b"")?;
    let number = said
        .split_whitespace()
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let number = number.ok_or_else(|| format!("mariadbd says of its version: {said}"))?;
    Ok(number.split('-').next().unwrap_or(number).to_owned())
}

fn initialise(account: &Account, place: &Path) -> Result<(), String> {
    let mut command = Command::new(program("mariadb-install-db")?);
    command.args([
        "--no-defaults",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]);
    command.args(["--skip-name-resolve", "--innodb-log-file-size=16M"]);
    command.arg(format!("--datadir={}", place.display()));
    account.runs(command.current_dir("/"));
    client::run(&mut command, b"").map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::shared_mariadb;

    #[test]
    fn what_was_committed_outlives_a_kill() {
        let mut server = MariaDb::builder()
            .durable()
            .setting("general_log", "ON")
            .start()
            .unwrap();
        server.create_database("cities").unwrap();
        let made = "CREATE TABLE city (name text); INSERT INTO city VALUES ('Bern'), ('Köln')";
        server.run_sql("cities", made).unwrap();
        server.kill().unwrap();
        assert!(server.pids().is_empty() && server.run_sql("cities", "SELECT 1").is_err());
        server.restart().unwrap();
        let names = server.run_sql("cities", "SELECT name FROM city ORDER BY name").unwrap();
        assert_eq!(names, "Bern\nKöln\n");
        let log = std::fs::read_to_string(server.log()).unwrap();
        assert!(log.contains("INSERT INTO city"), "{log}");
        let folder = server.folder().to_owned();
        drop(server);
        assert!(!folder.exists());
    }

    #[test]
    fn its_address_is_good_for_another_client() {
        let server = shared_mariadb();
        let database = server.fresh_database().unwrap();
        let mut client = Command::new(program("mariadb").unwrap());
        client.args(["--no-defaults", "--host=127.0.0.1", "--batch", "--skip-column-names"]);
        client.args([format!("--port={}", server.port()), format!("--user={OWNER}")]);
        client.args([format!("--password={OWNER}"), format!("--database={database}")]);
        assert_eq!(client::run(&mut client, b"SELECT DATABASE()").unwrap().trim(), database);
        assert!(server.run_sql(&database, "SELECT * FROM missing; SELECT 1").is_err());
    }
}
