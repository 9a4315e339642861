//! A connection: how it begins, the statements that it keeps prepared, and what it is set to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{BinaryProtocol, Conn, Params, QueryResult, Result, Statement, Value};
use portcullis_tables::schema::Engine;

use super::address::Address;
use super::failure::is_stale;

/// How long a connection may take to be there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps. The server has a limit for all connections together
/// (`max_prepared_stmt_count`, 16,382 where nobody set it).
const PREPARED: usize = 256;
/// The longest that the server works at a read whose gate has died: while that lives, it ends reads itself.
const LONGEST_READ: Duration = Duration::from_secs(3600);
/// How long the server waits for a client that takes no more rows. A stalled reader keeps its connection no longer.
const NET_TIMEOUT: u32 = 30;

/// A connection.
pub(super) struct Session {
    connection: Conn,
    engine: Engine,
    mode: Option<Mode>,
    limit: Duration,
    statements: HashMap<Arc<str>, Kept>,
    uses: u64,
}

/// What a connection is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A statement outside of a transaction is one by itself. None can write.
    Reads,
    /// The first statement begins a transaction, which ends when that is said.
    Writes,
}

struct Kept {
    statement: Statement,
    used: u64,
}

impl Session {
    /// Connects. How a session is to behave, the server is told at once: nothing depends on how it is configured.
    ///
    /// # Errors
    /// What the network or the server had against it.
    pub(super) async fn connect(address: &Address) -> Result<Session> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, async {
            let mut connection = Conn::new(address.options.clone()).await?;
            let version: Option<String> = connection.query_first("SELECT VERSION()").await?;
            let is_mariadb = version.unwrap_or_default().to_ascii_lowercase().contains("mariadb");
            let engine = if is_mariadb { Engine::MariaDb } else { Engine::MySql };
            connection.query_drop(beginning(engine)).await?;
            Ok::<_, mysql_async::Error>((connection, engine))
        });
        let (connection, engine) = match connecting.await {
            Ok(connected) => connected?,
            Err(_) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        };
        Ok(Session {
            connection,
            engine,
            mode: None,
            limit: Duration::ZERO,
            statements: HashMap::new(),
            uses: 0,
        })
    }

    /// Which server it is.
    pub(super) fn engine(&self) -> Engine {
        self.engine
    }

    /// The server's number for the connection.
    pub(super) fn id(&self) -> u32 {
        self.connection.id()
    }

    /// What it is set to.
    pub(super) fn mode(&self) -> Option<Mode> {
        self.mode
    }

    /// Sets it for work of that kind, where it is set otherwise. The limit is that of each statement that writes.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn prepare_for(&mut self, mode: Mode, limit: Duration) -> Result<()> {
        let limit = match mode {
            Mode::Reads => LONGEST_READ,
            Mode::Writes => limit,
        };
        if self.mode == Some(mode) && self.limit == limit {
            return Ok(());
        }
        self.mode = None;
        self.connection.query_drop(setting(self.engine, mode, limit)).await?;
        self.mode = Some(mode);
        self.limit = limit;
        Ok(())
    }

    /// Runs a command that is written here or in a migration, in the text protocol.
    ///
    /// # Errors
    /// What the server had against it.
    pub(super) async fn command(&mut self, text: &str) -> Result<()> {
        self.connection.query_drop(text).await
    }

    /// The connection itself, for queries of our own.
    pub(super) fn connection(&mut self) -> &mut Conn {
        &mut self.connection
    }

    /// Executes a statement, which is kept prepared.
    ///
    /// # Errors
    /// What the server had against it.
    pub(super) async fn execute(
        &mut self,
        text: &Arc<str>,
        values: Vec<Value>,
    ) -> Result<QueryResult<'_, 'static, BinaryProtocol>> {
        let values = if values.is_empty() {
            Params::Empty
        } else {
            Params::Positional(values)
        };
        let statement = self.prepared(text).await?;
        match self.connection.exec_iter(&statement, values.clone()).await.map(drop) {
            Err(failure) if is_stale(&failure) => {
                self.statements.remove(text);
                let statement = self.prepared(text).await?;
                self.connection.exec_iter(&statement, values).await
            }
            Err(failure) => Err(failure),
            // The borrow of a result that is returned here would last for the other arm as well, so it is taken anew.
            Ok(()) => Ok(QueryResult::new(&mut self.connection)),
        }
    }

    /// Forgets what was set for the session, by whomever.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn begin_anew(&mut self) -> Result<()> {
        let (mode, limit) = (self.mode.take(), self.limit);
        self.connection.query_drop(beginning(self.engine)).await?;
        match mode {
            Some(mode) => self.prepare_for(mode, limit).await,
            None => Ok(()),
        }
    }

    /// Says farewell to the server.
    pub(super) async fn close(self) {
        // Whether it hears that or not, the connection is closed.
        let _ = self.connection.disconnect().await;
    }

    /// How many values a statement takes.
    ///
    /// # Errors
    /// What the server had against it.
    pub(super) async fn parameters(&mut self, text: &Arc<str>) -> Result<usize> {
        Ok(self.prepared(text).await?.num_params().into())
    }

    /// Whether a result was not taken to its end, or the connection is lost.
    pub(super) fn is_lost(&self) -> bool {
        self.connection.is_disconnected()
    }

    /// Ends the connection at once, in the middle of whatever it does. Nothing that is still to come is read.
    pub(super) fn abandon(mut self) {
        use std::future::Future as _;
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        // A connection of this driver that is dropped reads all that the server still sends, be it millions of rows. One
        // that is dropped in the middle of a command is closed: so a command is begun.
        let mut ping = Box::pin(self.connection.ping());
        let _ = ping.as_mut().poll(&mut context);
    }

    async fn prepared(&mut self, text: &Arc<str>) -> Result<Statement> {
        self.uses += 1;
        if let Some(kept) = self.statements.get_mut(text) {
            kept.used = self.uses;
            return Ok(kept.statement.clone());
        }
        if self.statements.len() >= PREPARED {
            let oldest = self
                .statements
                .iter()
                .min_by_key(|(_, kept)| kept.used)
                .map(|(text, _)| Arc::clone(text));
            if let Some(kept) = oldest.and_then(|text| self.statements.remove(&text)) {
                self.connection.close(kept.statement).await?;
            }
        }
        let statement = self.connection.prep(&**text).await?;
        let kept = Kept {
            statement: statement.clone(),
            used: self.uses,
        };
        self.statements.insert(Arc::clone(text), kept);
        Ok(statement)
    }
}

/// What holds for every session. Values that don't fit are refused, not bent until they do; backslashes escape, as `LIKE`
/// patterns rely on; moments are those of UTC; aggregated JSON is never cut off.
fn beginning(engine: Engine) -> String {
    let more = match engine {
        Engine::MariaDb => ", SESSION idle_transaction_timeout = 30",
        _ => "",
    };
    format!(
        "SET NAMES utf8mb4, SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
         ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', SESSION time_zone = '+00:00', \
         SESSION group_concat_max_len = 1073741824, SESSION sql_auto_is_null = 0, \
         SESSION net_write_timeout = {NET_TIMEOUT}{more}"
    )
}

fn setting(engine: Engine, mode: Mode, limit: Duration) -> String {
    let (read_only, isolation) = match engine {
        Engine::MariaDb => ("tx_read_only", "tx_isolation"),
        _ => ("transaction_read_only", "transaction_isolation"),
    };
    let limits = match engine {
        Engine::MariaDb => format!("SESSION max_statement_time = {}", limit.as_secs_f64()),
        // MySQL limits statements that read only, in milliseconds.
        _ => format!("SESSION max_execution_time = {}", limit.as_millis().max(1)),
    };
    // Both locks are waited for in whole seconds.
    let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
    let locks = format!(
        "SESSION innodb_lock_wait_timeout = {0}, SESSION lock_wait_timeout = {0}",
        seconds.max(1)
    );
    let kind = match mode {
        // Several steps see one state of the database.
        Mode::Reads => {
            format!("SESSION {read_only} = 1, SESSION {isolation} = 'REPEATABLE-READ', SESSION autocommit = 1")
        }
        Mode::Writes => {
            format!("SESSION {read_only} = 0, SESSION {isolation} = @@GLOBAL.{isolation}, SESSION autocommit = 0")
        }
    };
    format!("SET {kind}, {limits}, {locks}")
}
