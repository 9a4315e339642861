//! The driver of PostgreSQL. Each thread has connections of its own; what goes over them is pipelined.

mod address;
mod connection;
mod cursor;
mod explain;
mod failure;
mod introspection;
mod migrations;
mod plans;
mod pool;
mod rows;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
mod tls;
mod transaction;
mod values;

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_core::{Error, Result, codes};
use portcullis_tables::content::Format;
use portcullis_tables::schema::Schema;
use portcullis_tables::statement::{Access, Outcome, Script, Statement};
use thread_local::ThreadLocal;
use tokio_postgres::Client;

use self::address::Address;
use self::connection::Connection;
use self::failure::{describe, is_conflict, is_lost, is_stale, to_error};
use self::pool::{Common, Pool, Want};
use self::transaction::{Done, Failed, Plan, Run};
use crate::database::{Answer, Load};
use crate::plans::{Answered, Question};
use crate::settings::Settings;

/// The namespace where none is named.
const NAMESPACE: &str = "public";

/// Runs of a script that the server could not order among others, at the most.
const MAX_CONFLICTS: u32 = 3;
/// Runs of a script whose connection was lost before anything could come of it.
const MAX_LOST: u32 = 3;
/// The pause before a script that met a conflict is tried again: a random part of it, which doubles.
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes of an answer that are held in any case. An answer has to be larger than that for a cursor to be worth its
/// round trips.
const HELD: usize = 1 << 20;
/// Statements of which is known that their answers are larger.
const MAX_LARGE: usize = 256;
/// What is added to a script's time and to the wait for a connection before we stop waiting for a server that is silent
/// about its own time limit.
const GRACE: Duration = Duration::from_secs(1);

/// An open database of PostgreSQL.
pub(crate) struct Postgres {
    settings: Settings,
    namespaces: Vec<String>,
    common: Arc<Common>,
    pools: ThreadLocal<Arc<Pool>>,
    /// The digest of the catalogs when the schema was read last.
    digest: Mutex<String>,
    /// Statements whose answer was too large to be held the last time.
    large: Mutex<HashSet<Arc<str>>>,
}

impl Postgres {
    pub(crate) fn open(settings: &Settings) -> std::result::Result<(Postgres, Schema), String> {
        let address = Address::new(settings)?;
        let namespaces = namespaces(settings);
        let (digest, schema) = with_client(address.clone(), async |client| {
            if let Some(folder) = &settings.migrations {
                migrations::run(client, folder).await?;
            }
            inspect(client, &namespaces).await
        })?;
        let common = Common {
            address: Arc::new(address.serving(settings)),
            most: settings.connections.max(1),
            queue: settings.queue,
            wait: settings.wait,
            open: Arc::default(),
            waiting: AtomicUsize::new(0),
            lent: AtomicUsize::new(0),
            pools: AtomicUsize::new(0),
        };
        let postgres = Postgres {
            settings: settings.clone(),
            namespaces,
            common: Arc::new(common),
            pools: ThreadLocal::new(),
            digest: Mutex::new(digest),
            large: Mutex::default(),
        };
        Ok((postgres, schema))
    }

    pub(crate) fn inspect(settings: &Settings) -> std::result::Result<Option<Schema>, String> {
        let namespaces = namespaces(settings);
        with_client(Address::new(settings)?, async |client| {
            if let Some(folder) = &settings.migrations
                && migrations::are_pending(client, folder).await?
            {
                return Ok(None);
            }
            inspect(client, &namespaces).await.map(|(_, schema)| Some(schema))
        })
    }

    /// Migrations are not tried: even rolled back, they would hold locks on tables that are in use meanwhile.
    pub(crate) fn rehearse(settings: &Settings) -> std::result::Result<Option<Schema>, String> {
        Postgres::inspect(settings)
    }

    /// Plans of statements, on a connection that is there for them only.
    pub(crate) fn plans(settings: &Settings, questions: &[Question]) -> std::result::Result<Vec<Answered>, String> {
        with_connection(Address::new(settings)?, async |connection| {
            plans::answers(connection, questions).await
        })
    }

    /// The schema, where it is another one than when it was read last.
    pub(crate) fn look(&self) -> std::result::Result<Option<Schema>, String> {
        let known = self.digest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = with_client(Address::new(&self.settings)?, async |client| {
            let digest = introspection::digest(client, &self.namespaces)
                .await
                .map_err(|error| describe(&error))?;
            if digest == known {
                return Ok(None);
            }
            inspect(client, &self.namespaces).await.map(Some)
        })?;
        let Some((digest, schema)) = found else { return Ok(None) };
        *self.digest.lock().unwrap_or_else(PoisonError::into_inner) = digest;
        Ok(Some(schema))
    }

    pub(crate) async fn run(&self, script: Script, format: Format) -> Result<Vec<Outcome>> {
        Ok(self.go(&script, format, usize::MAX).await?.outcomes)
    }

    pub(crate) async fn read(&self, script: Script, format: Format, hold: usize) -> Result<(Vec<Outcome>, Answer)> {
        let mut done = self.go(&script, format, hold).await?;
        let answer = match done.rest {
            Some(mut rest) => Answer {
                outcome: rest.begun(),
                rest: Some(Box::new(rest)),
            },
            None => Answer {
                outcome: done.outcomes.pop().unwrap_or_default(),
                rest: None,
            },
        };
        Ok((done.outcomes, answer))
    }

    /// With its values, the plan for these; without, for whatever values.
    pub(crate) async fn explain(&self, statement: &Statement) -> Result<String> {
        let lease = self.pool().lend(Want::Own).await?;
        let plan = explain::explain(lease.connection(), statement).await;
        lease.done();
        plan.map_err(|error| to_error(&error, false))
    }

    async fn go(&self, script: &Script, format: Format, hold: usize) -> Result<Done> {
        let Some(last) = script.steps.last() else {
            return Ok(Done {
                outcomes: Vec::new(),
                rest: None,
            });
        };
        let limit = script.timeout.saturating_add(self.settings.wait).saturating_add(GRACE);
        let text = &last.statement.text;
        match tokio::time::timeout(limit, Box::pin(self.held_or_not(script, text, format, hold))).await {
            Ok(result) => result,
            Err(_) if script.access == Access::ReadWrite => Err(Error::new(&codes::DATABASE_TIMEOUT)
                .with_detail("the database is silent: whether the change was made is unknown")),
            Err(_) => Err(Error::new(&codes::DATABASE_TIMEOUT)),
        }
    }

    /// Runs a script whose last statement has that text, and once more where the answer turns out to be too large to be
    /// held: most are not, and are had in one round trip.
    async fn held_or_not(&self, script: &Script, text: &Arc<str>, format: Format, hold: usize) -> Result<Done> {
        let plan = Plan::new(script, self.settings.pooled, self.settings.statement_timeout);
        if plan.writes || hold == usize::MAX {
            return self
                .attempts(script, &plan, format, usize::MAX)
                .await
                .map_err(|failed| failed.into_error(&plan));
        }
        if !self.large().contains(text) {
            match self.attempts(script, &plan, format, hold.max(HELD)).await {
                Err(Failed::TooLarge) => {
                    let mut large = self.large();
                    if large.len() >= MAX_LARGE {
                        large.clear();
                    }
                    large.insert(text.clone());
                }
                other => return other.map_err(|failed| failed.into_error(&plan)),
            }
        }
        let plan = plan.with_cursor();
        let done = self
            .attempts(script, &plan, format, hold)
            .await
            .map_err(|failed| failed.into_error(&plan))?;
        if done.rest.is_none() {
            self.large().remove(text);
        }
        Ok(done)
    }

    /// Runs a script, and runs it again where that is safe and helps.
    async fn attempts(
        &self,
        script: &Script,
        plan: &Plan,
        format: Format,
        hold: usize,
    ) -> std::result::Result<Done, Failed> {
        let (mut conflicts, mut lost, mut stale) = (0, 0, 0);
        loop {
            let lease = self.pool().lend(plan.want).await?;
            let connection = lease.connection().clone();
            let (error, committing) = match Run::new(script, plan, format, hold).go(lease).await {
                Err(Failed::Server { error, committing }) => (error, committing),
                other => return other,
            };
            // One whose answer was too large ended the connection, and with it what others had on it.
            if (is_lost(&error) || connection.is_severed()) && !committing && lost + 1 < MAX_LOST {
                lost += 1;
            } else if is_conflict(&error) && conflicts < MAX_CONFLICTS {
                tokio::time::sleep(PAUSE.mul_f64(fastrand::f64()) * 2_u32.pow(conflicts)).await;
                conflicts += 1;
            } else if is_stale(&error) && stale == 0 {
                connection.forget();
                stale += 1;
            } else {
                return Err(Failed::Server { error, committing });
            }
        }
    }

    fn large(&self) -> MutexGuard<'_, HashSet<Arc<str>>> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections there are, and who uses and wants them.
    pub(crate) fn load(&self) -> Load {
        let connections = self.common.open.load(Ordering::Relaxed);
        Load {
            connections,
            busy: self.common.lent.load(Ordering::Relaxed).min(connections),
            waiting: self.common.waiting.load(Ordering::Relaxed),
        }
    }

    fn pool(&self) -> &Arc<Pool> {
        self.pools.get_or(|| Pool::new(self.common.clone()))
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive()
    }
}

fn namespaces(settings: &Settings) -> Vec<String> {
    if settings.namespaces.is_empty() {
        vec![NAMESPACE.to_owned()]
    } else {
        settings.namespaces.clone()
    }
}

/// The schema, and the digest of the catalogs before it was read: what changes in between is seen next time.
async fn inspect(client: &Client, namespaces: &[String]) -> std::result::Result<(String, Schema), String> {
    let words = |error: tokio_postgres::Error| describe(&error);
    let digest = introspection::digest(client, namespaces).await.map_err(words)?;
    let schema = introspection::inspect(client, namespaces).await.map_err(words)?;
    Ok((digest, schema))
}

/// Does something on a connection of its own, and blocks until it is done.
fn with_client<T>(
    address: Address,
    work: impl AsyncFnOnce(&Client) -> std::result::Result<T, String>,
) -> std::result::Result<T, String> {
    with_connection(address, async |connection| work(&connection.client).await)
}

fn with_connection<T>(
    address: Address,
    work: impl AsyncFnOnce(&Connection) -> std::result::Result<T, String>,
) -> std::result::Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("can't start: {error}"))?;
    runtime.block_on(async {
        let connection = Connection::open(Arc::new(address), Arc::default())
            .await
            .map_err(|error| format!("can't connect: {}", describe(&error)))?;
        work(&connection).await
    })
}
