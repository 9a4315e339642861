//! One connection, with the statements that it has prepared.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, NoTls, RowStream, Statement};

use super::address::Address;
use super::values::Parameter;

/// Statements that a connection keeps prepared. A server keeps a plan for each, of some tens of kilobytes.
const MAX_PREPARED: usize = 256;

/// A connection. What is sent on it is answered in that order, so several requests can be under way.
pub(super) struct Connection {
    pub(super) client: Client,
    address: Arc<Address>,
    prepared: Mutex<Prepared>,
    task: AbortHandle,
    severed: AtomicBool,
    _permit: Permit,
}

/// Counts a connection, from before it is there.
struct Permit(Arc<AtomicUsize>);

#[derive(Default)]
struct Prepared {
    statements: HashMap<Arc<str>, (Statement, u64)>,
    uses: u64,
}

/// A statement that can be executed.
#[derive(Clone)]
pub(super) enum Ready {
    /// The server has it.
    Named(Statement),
    /// It goes with its values.
    Unnamed(Arc<str>),
}

impl Connection {
    /// Opens one, which counts among the `open` ones from now on. What it sends and receives is the work of a task of the
    /// runtime that this is awaited on.
    pub(super) async fn open(address: Arc<Address>, open: Arc<AtomicUsize>) -> Result<Arc<Connection>, Error> {
        open.fetch_add(1, Ordering::Relaxed);
        let permit = Permit(open);
        let (client, task) = match address.tls.clone() {
            None => {
                let (client, connection) = address.config.connect(NoTls).await?;
                (client, tokio::spawn(connection))
            }
            Some(tls) => {
                let (client, connection) = address.config.connect(tls).await?;
                (client, tokio::spawn(connection))
            }
        };
        Ok(Arc::new(Connection {
            client,
            address,
            prepared: Mutex::default(),
            task: task.abort_handle(),
            severed: AtomicBool::new(false),
            _permit: permit,
        }))
    }

    /// Whether it is of no more use.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.severed.load(Ordering::Relaxed)
    }

    /// Whether we ended it: what fails on it from then on says nothing about itself.
    pub(super) fn is_severed(&self) -> bool {
        self.severed.load(Ordering::Relaxed)
    }

    /// A statement, ready to be executed; prepared now if it hasn't been yet. `pooled` ones are never kept.
    pub(super) async fn prepare(&self, text: &Arc<str>, pooled: bool) -> Result<Ready, Error> {
        if pooled {
            return Ok(Ready::Unnamed(text.clone()));
        }
        if let Some(statement) = self.known(text) {
            return Ok(Ready::Named(statement));
        }
        let statement = self.client.prepare(text).await?;
        Ok(self.keep(text, statement))
    }

    /// Keeps a statement that was prepared.
    pub(super) fn keep(&self, text: &Arc<str>, statement: Statement) -> Ready {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if prepared.statements.len() >= MAX_PREPARED {
            let oldest = prepared.statements.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(text) = oldest.map(|(text, _)| text.clone()) {
                prepared.statements.remove(&text);
            }
        }
        prepared.uses += 1;
        let used = prepared.uses;
        prepared.statements.insert(text.clone(), (statement.clone(), used));
        Ready::Named(statement)
    }

    /// Forgets all statements: one of them was prepared for a schema that has changed.
    pub(super) fn forget(&self) {
        self.prepared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .statements
            .clear();
        self.client.clear_type_cache();
    }

    /// Executes a statement. It is sent when this is polled first; its rows may come later.
    pub(super) async fn execute(&self, ready: &Ready, values: Vec<Parameter<'_>>) -> Result<RowStream, Error> {
        match ready {
            Ready::Named(statement) => self.client.query_raw(statement, values).await,
            Ready::Unnamed(text) => {
                let values = values.into_iter().map(|value| (value, Type::UNKNOWN));
                self.client.query_typed_raw(text, values).await
            }
        }
    }

    /// Ends it at once, and the statement that runs on it.
    pub(super) fn sever(&self) {
        self.severed.store(true, Ordering::Relaxed);
        let token = self.client.cancel_token();
        let address = self.address.clone();
        let task = self.task.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // The server notices a closed connection when it sends the next time; a sort may last until then.
                let _ = match address.tls.clone() {
                    None => token.cancel_query(NoTls).await,
                    Some(tls) => token.cancel_query(tls).await,
                };
                task.abort();
            });
        } else {
            task.abort();
        }
    }

    fn known(&self, text: &Arc<str>) -> Option<Statement> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.uses += 1;
        let now = prepared.uses;
        let (statement, used) = prepared.statements.get_mut(text)?;
        *used = now;
        Some(statement.clone())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
