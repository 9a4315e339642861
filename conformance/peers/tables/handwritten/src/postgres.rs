//! PostgreSQL: a pool of connections, each of which keeps its prepared statements.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row};

use crate::orders::{Customer, Failure, Line, NewLine, Order, Store, WithLines, put_together};

#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
}

const CONNECTIONS: usize = 16;

const COLUMNS: &str = "id, customer_id, status, total_cents, placed_on::text, note";

impl Postgres {
    pub fn open(url: &str) -> Result<Postgres, Failure> {
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(url.parse()?, NoTls, recycling);
        let pool = Pool::builder(manager).max_size(CONNECTIONS).build()?;
        Ok(Postgres { pool })
    }

    async fn rows(&self, text: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failure> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached(text).await?;
        Ok(client.query(&statement, values).await?)
    }

    async fn orders(&self, rest: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Order>, Failure> {
        let rows = self
            .rows(&format!("SELECT {COLUMNS} FROM orders {rest}"), values)
            .await?;
        rows.iter().map(order).collect()
    }
}

impl Store for Postgres {
    async fn order(&self, id: i64) -> Result<Option<Order>, Failure> {
        Ok(self.orders("WHERE id = $1", &[&id]).await?.pop())
    }

    async fn first(&self, limit: i64) -> Result<Vec<Order>, Failure> {
        self.orders("ORDER BY id LIMIT $1", &[&limit]).await
    }

    async fn of_customer(&self, customer: i64, limit: i64) -> Result<Vec<Order>, Failure> {
        self.orders("WHERE customer_id = $1 ORDER BY id DESC LIMIT $2", &[&customer, &limit])
            .await
    }

    async fn with_lines(&self, customer: i64, limit: i64) -> Result<Vec<WithLines>, Failure> {
        let orders = "SELECT o.id, o.status, c.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id
                      WHERE o.customer_id = $1 ORDER BY o.id DESC LIMIT $2";
        let lines = "SELECT order_id, id, product, quantity FROM lines WHERE order_id = ANY($1)
                     ORDER BY order_id DESC, id";
        let orders = self.rows(orders, &[&customer, &limit]).await?;
        let mut orders: Vec<WithLines> = orders.iter().map(with_lines).collect::<Result<_, _>>()?;
        let ids: Vec<i64> = orders.iter().map(|order| order.id).collect();
        let lines = self.rows(lines, &[&ids]).await?;
        let lines: Vec<_> = lines.iter().map(line).collect::<Result<_, _>>()?;
        put_together(&mut orders, lines.into_iter());
        Ok(orders)
    }

    async fn add(&self, line: NewLine) -> Result<i64, Failure> {
        let text = "INSERT INTO lines (order_id, product, quantity, price_cents) VALUES ($1, $2, $3, $4) RETURNING id";
        let rows = self
            .rows(
                text,
                &[&line.order_id, &line.product, &line.quantity, &line.price_cents],
            )
            .await?;
        Ok(rows.first().ok_or("no key was given")?.try_get(0)?)
    }
}

fn order(row: &Row) -> Result<Order, Failure> {
    Ok(Order {
        id: row.try_get(0)?,
        customer_id: row.try_get(1)?,
        status: row.try_get(2)?,
        total_cents: row.try_get(3)?,
        placed_on: row.try_get(4)?,
        note: row.try_get(5)?,
    })
}

fn with_lines(row: &Row) -> Result<WithLines, Failure> {
    Ok(WithLines {
        id: row.try_get(0)?,
        status: row.try_get(1)?,
        customers: Customer {
            id: row.try_get(2)?,
            name: row.try_get(3)?,
        },
        lines: Vec::new(),
    })
}

fn line(row: &Row) -> Result<(i64, Line), Failure> {
    let line = Line {
        id: row.try_get(1)?,
        product: row.try_get(2)?,
        quantity: row.try_get(3)?,
    };
    Ok((row.try_get(0)?, line))
}
