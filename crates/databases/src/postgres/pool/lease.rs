//! A connection that is lent.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Pool, Want};
use crate::postgres::connection::Connection;

/// How long a connection may take to come to rest after a request that went away.
const REST: Duration = Duration::from_secs(30);

/// A connection that is lent. It is given back by [`Lease::done`]; dropped without it, the request went away in the
/// middle, and the connection comes to rest first.
pub(in crate::postgres) struct Lease(Option<Lent>);

struct Lent {
    pool: Arc<Pool>,
    connection: Arc<Connection>,
    want: Want,
}

/// A large answer that is being taken, counted until this is dropped.
pub(in crate::postgres) struct Streaming(Arc<Pool>);

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, connection: Arc<Connection>, want: Want) -> Lease {
        pool.common.lent.fetch_add(1, Ordering::Relaxed);
        Lease(Some(Lent { pool, connection, want }))
    }

    /// The connection.
    pub(in crate::postgres) fn connection(&self) -> &Arc<Connection> {
        &self.0.as_ref().expect("it is given back once, by value").connection
    }

    /// A place for a large answer on it; `None` where as many are being taken as may be.
    pub(in crate::postgres) fn stream(&self) -> Option<Streaming> {
        let pool = &self.0.as_ref().expect("it is given back once, by value").pool;
        pool.begin_stream().then(|| Streaming(pool.clone()))
    }

    /// Gives it back: all that was sent on it leaves the session as it was.
    pub(in crate::postgres) fn done(mut self) {
        if let Some(lent) = self.0.take() {
            lent.give_back();
        }
    }

    /// Ends the connection, with whatever runs on it.
    pub(in crate::postgres) fn sever(mut self) {
        if let Some(lent) = self.0.take() {
            lent.connection.sever();
            lent.give_back();
        }
    }
}

impl Lent {
    fn give_back(self) {
        self.pool.give_back(&self.connection, self.want);
    }

    /// Waits until all that was sent is answered, and a transaction that was open is rolled back.
    async fn come_to_rest(self) {
        let client = &self.connection.client;
        let rest = async {
            match self.want {
                Want::Shared => client.check_connection().await,
                Want::Own => client.batch_execute("rollback").await,
            }
        };
        if !matches!(tokio::time::timeout(REST, rest).await, Ok(Ok(()))) {
            self.connection.sever();
        }
        self.give_back();
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.lock().streams -= 1;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(lent) = self.0.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if !lent.connection.is_closed() => drop(runtime.spawn(lent.come_to_rest())),
            _ => {
                lent.connection.sever();
                lent.give_back();
            }
        }
    }
}
