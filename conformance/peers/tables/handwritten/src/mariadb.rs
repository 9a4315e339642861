//! MariaDB: a pool of connections, each of which keeps its prepared statements.

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts};

use crate::orders::{Customer, Failure, Line, NewLine, Order, Store, WithLines, put_together};

#[derive(Clone)]
pub struct MariaDb {
    pool: Pool,
}

const CONNECTIONS: usize = 16;

const COLUMNS: &str = "id, customer_id, status, total_cents, CAST(placed_on AS CHAR), note";

type OrderRow = (i64, i64, String, i64, String, Option<String>);

impl MariaDb {
    pub fn open(url: &str) -> Result<MariaDb, Failure> {
        let constraints = PoolConstraints::new(CONNECTIONS, CONNECTIONS).ok_or("no such pool")?;
        // A connection that comes back is used again as it is: nothing here changes its state.
        let pool = PoolOpts::default()
            .with_constraints(constraints)
            .with_reset_connection(false);
        let options = OptsBuilder::from_opts(Opts::from_url(url)?)
            .pool_opts(pool)
            .prefer_socket(false);
        Ok(MariaDb {
            pool: Pool::new(options),
        })
    }

    async fn rows<R: FromRow + Send + 'static>(&self, text: &str, values: Vec<i64>) -> Result<Vec<R>, Failure> {
        let mut connection = self.pool.get_conn().await?;
        let values = Params::Positional(values.into_iter().map(Into::into).collect());
        Ok(connection.exec(text, values).await?)
    }

    async fn orders(&self, rest: &str, values: Vec<i64>) -> Result<Vec<Order>, Failure> {
        let rows: Vec<OrderRow> = self
            .rows(&format!("SELECT {COLUMNS} FROM orders {rest}"), values)
            .await?;
        Ok(rows.into_iter().map(order).collect())
    }
}

impl Store for MariaDb {
    async fn order(&self, id: i64) -> Result<Option<Order>, Failure> {
        Ok(self.orders("WHERE id = ?", vec![id]).await?.pop())
    }

    async fn first(&self, limit: i64) -> Result<Vec<Order>, Failure> {
        self.orders("ORDER BY id LIMIT ?", vec![limit]).await
    }

    async fn of_customer(&self, customer: i64, limit: i64) -> Result<Vec<Order>, Failure> {
        self.orders("WHERE customer_id = ? ORDER BY id DESC LIMIT ?", vec![customer, limit])
            .await
    }

    async fn with_lines(&self, customer: i64, limit: i64) -> Result<Vec<WithLines>, Failure> {
        let orders = "SELECT o.id, o.status, c.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id
                      WHERE o.customer_id = ? ORDER BY o.id DESC LIMIT ?";
        let rows: Vec<(i64, String, i64, String)> = self.rows(orders, vec![customer, limit]).await?;
        let mut orders: Vec<WithLines> = rows.into_iter().map(with_lines).collect();
        if orders.is_empty() {
            return Ok(orders);
        }
        let places = vec!["?"; orders.len()].join(", ");
        let lines = format!(
            "SELECT order_id, id, product, quantity FROM `lines` WHERE order_id IN ({places}) ORDER BY order_id DESC, id"
        );
        let ids = orders.iter().map(|order| order.id).collect();
        let lines: Vec<(i64, i64, String, i64)> = self.rows(&lines, ids).await?;
        put_together(&mut orders, lines.into_iter().map(line));
        Ok(orders)
    }

    async fn add(&self, line: NewLine) -> Result<i64, Failure> {
        let mut connection = self.pool.get_conn().await?;
        let text = "INSERT INTO `lines` (order_id, product, quantity, price_cents) VALUES (?, ?, ?, ?)";
        let values = (line.order_id, line.product, line.quantity, line.price_cents);
        connection.exec_drop(text, values).await?;
        Ok(i64::try_from(connection.last_insert_id().ok_or("no key was given")?)?)
    }
}

fn order((id, customer_id, status, total_cents, placed_on, note): OrderRow) -> Order {
    Order {
        id,
        customer_id,
        status,
        total_cents,
        placed_on,
        note,
    }
}

fn with_lines((id, status, customer, name): (i64, String, i64, String)) -> WithLines {
    WithLines {
        id,
        status,
        customers: Customer { id: customer, name },
        lines: Vec::new(),
    }
}

fn line((order, id, product, quantity): (i64, i64, String, i64)) -> (i64, Line) {
    (order, Line { id, product, quantity })
}
