//! What the service shows, and what a database must answer for it.

use std::error::Error;

use serde::{Deserialize, Serialize};

/// What any of the drivers may say.
pub type Failure = Box<dyn Error + Send + Sync>;

#[derive(Serialize)]
pub struct Order {
    pub id: i64,
    pub customer_id: i64,
    pub status: String,
    pub total_cents: i64,
    pub placed_on: String,
    pub note: Option<String>,
}

#[derive(Serialize)]
pub struct WithLines {
    pub id: i64,
    pub status: String,
    pub customers: Customer,
    pub lines: Vec<Line>,
}

#[derive(Serialize)]
pub struct Customer {
    pub id: i64,
    pub name: String,
}

#[derive(Serialize)]
pub struct Line {
    pub id: i64,
    pub product: String,
    pub quantity: i64,
}

#[derive(Deserialize)]
pub struct NewLine {
    pub order_id: i64,
    pub product: String,
    pub quantity: i64,
    pub price_cents: i64,
}

/// A database that has orders.
pub trait Store: Clone + Send + Sync + 'static {
    fn order(&self, id: i64) -> impl Future<Output = Result<Option<Order>, Failure>> + Send;

    /// The first orders of all.
    fn first(&self, limit: i64) -> impl Future<Output = Result<Vec<Order>, Failure>> + Send;

    /// The last orders of a customer.
    fn of_customer(&self, customer: i64, limit: i64) -> impl Future<Output = Result<Vec<Order>, Failure>> + Send;

    /// The same with the customer and the lines of each.
    fn with_lines(&self, customer: i64, limit: i64) -> impl Future<Output = Result<Vec<WithLines>, Failure>> + Send;

    /// The key of the new line.
    fn add(&self, line: NewLine) -> impl Future<Output = Result<i64, Failure>> + Send;
}

/// Puts lines to their orders, both sorted by the order's key, the largest first.
pub fn put_together(orders: &mut [WithLines], lines: impl Iterator<Item = (i64, Line)>) {
    let mut at = 0;
    for (order, line) in lines {
        while orders.get(at).is_some_and(|candidate| candidate.id != order) {
            at += 1;
        }
        if let Some(order) = orders.get_mut(at) {
            order.lines.push(line);
        }
    }
}
