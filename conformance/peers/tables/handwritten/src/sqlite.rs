//! SQLite: a thread that writes, and threads that read, each with its connection.

use std::thread;

use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::oneshot;

use crate::orders::{Customer, Failure, Line, NewLine, Order, Store, WithLines};

type Job = Box<dyn FnOnce(&Connection) + Send>;

#[derive(Clone)]
pub struct Sqlite {
    readers: flume::Sender<Job>,
    writer: flume::Sender<Job>,
}

const READERS: usize = 4;

/// How many may wait for a thread.
const QUEUE: usize = 1024;

const COLUMNS: &str = "id, customer_id, status, total_cents, placed_on, note";

impl Sqlite {
    pub fn open(path: &str) -> Result<Sqlite, Failure> {
        let (writer, jobs) = flume::bounded(QUEUE);
        start(path, jobs)?;
        let (readers, jobs) = flume::bounded(QUEUE);
        for _ in 0..READERS {
            start(path, jobs.clone())?;
        }
        Ok(Sqlite { readers, writer })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        run(&self.readers, work).await
    }
}

fn start(path: &str, jobs: flume::Receiver<Job>) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    thread::spawn(move || {
        for job in jobs {
            job(&connection);
        }
    });
    Ok(())
}

async fn run<T: Send + 'static>(
    threads: &flume::Sender<Job>,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let (sender, receiver) = oneshot::channel();
    let job: Job = Box::new(move |connection| {
        // Where nobody waits any more, nobody has to know.
        let _ = sender.send(work(connection));
    });
    threads.try_send(job).map_err(|_| "too many wait for the database")?;
    Ok(receiver.await??)
}

impl Store for Sqlite {
    async fn order(&self, id: i64) -> Result<Option<Order>, Failure> {
        self.read(move |connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM orders WHERE id = ?"))?
                .query_row([id], order)
                .optional()
        })
        .await
    }

    async fn first(&self, limit: i64) -> Result<Vec<Order>, Failure> {
        self.read(move |connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} FROM orders ORDER BY id LIMIT ?"))?
                .query_map([limit], order)?
                .collect()
        })
        .await
    }

    async fn of_customer(&self, customer: i64, limit: i64) -> Result<Vec<Order>, Failure> {
        self.read(move |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM orders WHERE customer_id = ? ORDER BY id DESC LIMIT ?"
                ))?
                .query_map([customer, limit], order)?
                .collect()
        })
        .await
    }

    /// A statement costs no way to a server here, so one for the lines of each order is the simplest and the fastest.
    async fn with_lines(&self, customer: i64, limit: i64) -> Result<Vec<WithLines>, Failure> {
        self.read(move |connection| {
            let mut orders = connection.prepare_cached(
                "SELECT o.id, o.status, c.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id
                 WHERE o.customer_id = ? ORDER BY o.id DESC LIMIT ?",
            )?;
            let mut lines =
                connection.prepare_cached("SELECT id, product, quantity FROM lines WHERE order_id = ? ORDER BY id")?;
            let orders = orders.query_map([customer, limit], |row| {
                let id = row.get(0)?;
                let line = |row: &Row<'_>| {
                    Ok(Line {
                        id: row.get(0)?,
                        product: row.get(1)?,
                        quantity: row.get(2)?,
                    })
                };
                Ok(WithLines {
                    id,
                    status: row.get(1)?,
                    customers: Customer {
                        id: row.get(2)?,
                        name: row.get(3)?,
                    },
                    lines: lines.query_map([id], line)?.collect::<Result<_, _>>()?,
                })
            })?;
            orders.collect()
        })
        .await
    }

    async fn add(&self, line: NewLine) -> Result<i64, Failure> {
        run(&self.writer, move |connection| {
            connection
                .prepare_cached("INSERT INTO lines (order_id, product, quantity, price_cents) VALUES (?, ?, ?, ?)")?
                .insert(params![line.order_id, line.product, line.quantity, line.price_cents])
        })
        .await
    }
}

fn order(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order {
        id: row.get(0)?,
        customer_id: row.get(1)?,
        status: row.get(2)?,
        total_cents: row.get(3)?,
        placed_on: row.get(4)?,
        note: row.get(5)?,
    })
}
