//! The driver of MariaDB and MySQL. Which of them a server is, it says itself.
//!
//! It is tested with MariaDB (10.11). MySQL (from 8.0.19) speaks the same protocol and is told apart where its SQL differs, but
//! nothing here was ever run against one. Connections are not encrypted: a server beyond a trusted network can't be used.

mod address;
mod execute;
mod failure;
mod introspection;
mod migrations;
mod plans;
mod pool;
mod reader;
mod session;
#[cfg(test)]
mod tests;
mod values;
mod watch;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_core::Result;
use portcullis_tables::content::Format;
use portcullis_tables::schema::Schema;
use portcullis_tables::statement::{Access, Outcome, Script, Statement};

use self::address::Address;
use self::pool::Pool;
use self::session::{Mode, Session};
use self::watch::Watch;
use crate::database::{Answer, Load};
use crate::plans::{Answered, Question};
use crate::settings::Settings;

/// How long a question about the schema may take, or a migration's statement.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(3600);

/// An open database of MariaDB and MySQL.
#[derive(Debug)]
pub(crate) struct MySql {
    pool: Arc<Pool>,
    address: Address,
    namespaces: Vec<String>,
    limit: std::time::Duration,
    watch: Mutex<Watch>,
}

impl MySql {
    pub(crate) fn open(settings: &Settings) -> std::result::Result<(MySql, Schema), String> {
        let address = Address::new(&settings.url)?;
        let namespaces = namespaces(settings, &address);
        let (watch, schema) = blocking(async {
            if let Some(folder) = &settings.migrations {
                let mut session = connect(&address, Mode::Writes).await?;
                let run = migrations::run(&mut session, folder).await;
                session.close().await;
                run?;
            }
            let mut session = connect(&address, Mode::Reads).await?;
            let watch = Watch::begin(&mut session).await?;
            let schema = introspect(&mut session, &namespaces).await;
            session.close().await;
            Ok((watch, schema?))
        })?;
        let driver = MySql {
            pool: Pool::new(address.clone(), settings),
            address,
            namespaces,
            limit: settings.statement_timeout,
            watch: Mutex::new(watch),
        };
        Ok((driver, schema))
    }

    pub(crate) fn inspect(settings: &Settings) -> std::result::Result<Option<Schema>, String> {
        let address = Address::new(&settings.url)?;
        let namespaces = namespaces(settings, &address);
        blocking(async {
            let mut session = connect(&address, Mode::Reads).await?;
            let schema = look_only(&mut session, settings, &namespaces).await;
            session.close().await;
            schema
        })
    }

    /// Statements that define tables can't be taken back, so that nothing can be tried.
    pub(crate) fn rehearse(settings: &Settings) -> std::result::Result<Option<Schema>, String> {
        MySql::inspect(settings)
    }

    /// Plans of statements, on a connection that is there for them only.
    pub(crate) fn plans(settings: &Settings, questions: &[Question]) -> std::result::Result<Vec<Answered>, String> {
        let address = Address::new(&settings.url)?;
        blocking(async {
            let mut session = connect(&address, Mode::Writes).await?;
            let answers = plans::answers(&mut session, questions).await;
            session.close().await;
            answers
        })
    }

    /// The schema, where it may be another one than when it was read last.
    pub(crate) fn look(&self) -> std::result::Result<Option<Schema>, String> {
        let mut guard = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = &mut *guard;
        blocking(async {
            let mut session = connect(&self.address, Mode::Reads).await?;
            let found = match watch.look(&mut session).await {
                Ok(true) => introspect(&mut session, &self.namespaces).await.map(Some),
                Ok(false) => Ok(None),
                Err(reason) => Err(reason),
            };
            session.close().await;
            if found.is_err() {
                watch.forget();
            }
            found
        })
    }

    pub(crate) async fn run(&self, script: Script, format: Format) -> Result<Vec<Outcome>> {
        execute::run(&self.pool, &script, format).await
    }

    pub(crate) async fn read(&self, script: Script, format: Format, hold: usize) -> Result<(Vec<Outcome>, Answer)> {
        if script.access == Access::ReadOnly {
            return reader::read(&self.pool, script, format, hold).await;
        }
        // What it changes has happened only once it is committed: so all of the answer is there before it begins.
        let mut outcomes = execute::run(&self.pool, &script, format).await?;
        let outcome = outcomes.pop().unwrap_or_default();
        Ok((outcomes, Answer { outcome, rest: None }))
    }

    pub(crate) async fn explain(&self, statement: &Statement) -> Result<String> {
        execute::explain(&self.pool, statement, self.limit).await
    }

    pub(crate) fn load(&self) -> Load {
        let (connections, busy, waiting) = self.pool.load();
        Load {
            connections,
            busy,
            waiting,
        }
    }
}

async fn connect(address: &Address, mode: Mode) -> std::result::Result<Session, String> {
    let failed = |failure| format!("the server can't be reached: {}", failure::describe(&failure));
    let mut session = Session::connect(address).await.map_err(failed)?;
    session.prepare_for(mode, LONGEST).await.map_err(failed)?;
    Ok(session)
}

async fn introspect(session: &mut Session, namespaces: &[String]) -> std::result::Result<Schema, String> {
    let engine = session.engine();
    introspection::read(session.connection(), engine, namespaces).await
}

async fn look_only(
    session: &mut Session,
    settings: &Settings,
    namespaces: &[String],
) -> std::result::Result<Option<Schema>, String> {
    if let Some(folder) = &settings.migrations
        && migrations::are_pending(session, folder).await?
    {
        return Ok(None);
    }
    introspect(session, namespaces).await.map(Some)
}

fn namespaces(settings: &Settings, address: &Address) -> Vec<String> {
    match settings.namespaces.as_slice() {
        [] => vec![address.database.clone()],
        named => named.to_vec(),
    }
}

/// Does work that waits for the network on a thread and an event loop of its own, and waits for it.
fn blocking<T: Send>(
    work: impl Future<Output = std::result::Result<T, String>> + Send,
) -> std::result::Result<T, String> {
    let on_thread = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(work)
    };
    std::thread::scope(|scope| {
        let thread = scope.spawn(on_thread);
        thread
            .join()
            .unwrap_or_else(|_| Err("the work on the schema panicked".to_owned()))
    })
}
