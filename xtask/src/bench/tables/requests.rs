//! What is asked of each, and how its answers are checked.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::engine::{CUSTOMERS, ORDERS};
use super::subject::{Kind, Subject};
use crate::process;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Case {
    /// An order by its key.
    Point,
    /// The last 20 orders of a customer.
    List,
    /// The same, each with its customer and its three lines.
    Embed,
    /// A new line.
    Insert,
    /// A thousand orders.
    Thousand,
}

impl Case {
    pub(super) const ALL: [Case; 5] = [Case::Point, Case::List, Case::Embed, Case::Insert, Case::Thousand];

    pub(super) fn name(self) -> &'static str {
        match self {
            Case::Point => "point read",
            Case::List => "list of 20",
            Case::Embed => "embed of 3 × 20",
            Case::Insert => "insert",
            Case::Thousand => "1,000 rows",
        }
    }

    /// How many orders, and how many lines, an answer shows.
    fn shown(self) -> (usize, usize) {
        match self {
            Case::Point => (1, 0),
            Case::List => (20, 0),
            Case::Embed => (20, 60),
            Case::Insert => (0, 1),
            Case::Thousand => (1000, 0),
        }
    }
}

/// A request of HTTP/1.1.
pub(super) struct Request {
    method: &'static str,
    target: String,
    body: Option<String>,
}

impl Request {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: gate.test\r\nUser-Agent: portcullis-load\r\nAccept: */*\r\n",
            self.method, self.target
        );
        let body = self.body.as_deref().unwrap_or_default();
        if self.body.is_some() {
            let _ = write!(
                text,
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        format!("{text}\r\n{body}").into_bytes()
    }
}

/// The request with that number of a case, or nothing where one can't do it. A step that shares no factor with how many there
/// are visits all, and never one beside the last.
pub(super) fn of(kind: Kind, case: Case, number: usize) -> Option<Request> {
    let order = number * 7919 % ORDERS + 1;
    let customer = number * 7919 % CUSTOMERS + 1;
    let (target, body) = match kind {
        Kind::Portcullis => ours(case, order, customer),
        Kind::ByHand => by_hand(case, order, customer),
        Kind::PocketBase => pocketbase(case, order, customer),
        Kind::Datasette => (datasette(case, order, customer)?, None),
        Kind::PostGraphile => ("/graphql".to_owned(), Some(postgraphile(case, order, customer))),
    };
    Some(Request {
        method: if body.is_some() { "POST" } else { "GET" },
        target,
        body,
    })
}

fn ours(case: Case, order: usize, customer: usize) -> (String, Option<String>) {
    let target = match case {
        Case::Point => format!("/shop/orders/{order}"),
        Case::List => format!("/shop/orders?customer_id=eq.{customer}&order=id.desc&limit=20"),
        Case::Embed => format!(
            "/shop/orders?select=id,status,customers(id,name),lines(id,product,quantity)\
             &customer_id=eq.{customer}&order=id.desc&limit=20"
        ),
        Case::Insert => return ("/shop/lines".to_owned(), Some(line("order_id", json!(order)))),
        Case::Thousand => "/shop/orders?limit=1000".to_owned(),
    };
    (target, None)
}

fn by_hand(case: Case, order: usize, customer: usize) -> (String, Option<String>) {
    let target = match case {
        Case::Point => format!("/orders/{order}"),
        Case::List => format!("/orders?customer={customer}&limit=20"),
        Case::Embed => format!("/orders?customer={customer}&limit=20&with=lines"),
        Case::Insert => return ("/lines".to_owned(), Some(line("order_id", json!(order)))),
        Case::Thousand => "/orders?limit=1000".to_owned(),
    };
    (target, None)
}

/// Its keys are words of 15 letters. `skipTotal` spares it the counting that none of the others does.
fn pocketbase(case: Case, order: usize, customer: usize) -> (String, Option<String>) {
    let orders = "/api/collections/orders/records";
    let of_customer = format!("{orders}?filter=(customer%3D'{customer:015}')&sort=-id&perPage=20&skipTotal=1");
    let target = match case {
        Case::Point => format!("{orders}/{order:015}"),
        Case::List => of_customer,
        Case::Embed => format!(
            "{of_customer}&expand=customer,lines_via_order&fields=id,status,expand.customer.id,expand.customer.name,\
             expand.lines_via_order.id,expand.lines_via_order.product,expand.lines_via_order.quantity"
        ),
        Case::Insert => {
            let body = line("order", json!(format!("{order:015}")));
            return ("/api/collections/lines/records".to_owned(), Some(body));
        }
        Case::Thousand => format!("{orders}?perPage=1000&skipTotal=1"),
    };
    (target, None)
}

/// It joins nothing but by SQL of one's own, and this version writes nothing.
fn datasette(case: Case, order: usize, customer: usize) -> Option<String> {
    let orders = "/datasette/orders";
    let lean = "_shape=array&_nocount=1&_nofacet=1";
    match case {
        Case::Point => Some(format!("{orders}/{order}.json?_shape=array")),
        Case::List => Some(format!(
            "{orders}.json?customer_id={customer}&_sort_desc=id&_size=20&{lean}"
        )),
        Case::Thousand => Some(format!("{orders}.json?_size=1000&{lean}")),
        Case::Embed | Case::Insert => None,
    }
}

/// Its language is GraphQL, in which `id` is a name of its own for every row. Keys are text to JavaScript, which has no such
/// numbers.
fn postgraphile(case: Case, order: usize, customer: usize) -> String {
    const COLUMNS: &str = "rowId customerId status totalCents placedOn note";
    let of_customer = "condition: {customerId: $customer}, orderBy: ROW_ID_DESC, first: 20";
    let (query, variables) = match case {
        Case::Point => (
            format!("query ($id: BigInt!) {{orderByRowId(rowId: $id) {{{COLUMNS}}}}}"),
            json!({"id": order.to_string()}),
        ),
        Case::List => (
            format!("query ($customer: BigInt!) {{allOrders({of_customer}) {{nodes {{{COLUMNS}}}}}}}"),
            json!({"customer": customer.to_string()}),
        ),
        Case::Embed => (
            format!(
                "query ($customer: BigInt!) {{allOrders({of_customer}) {{nodes {{rowId status \
                 customerByCustomerId {{rowId name}} orderLinesByOrderId {{nodes {{rowId product quantity}}}}}}}}}}"
            ),
            json!({"customer": customer.to_string()}),
        ),
        Case::Insert => (
            "mutation ($line: OrderLineInput!) {createOrderLine(input: {orderLine: $line}) {orderLine {rowId}}}"
                .to_owned(),
            json!({"line": {"orderId": order.to_string(), "product": "Product 77", "quantity": "2", "priceCents": "1999"}}),
        ),
        Case::Thousand => (format!("{{allOrders(first: 1000) {{nodes {{{COLUMNS}}}}}}}"), json!({})),
    };
    json!({"query": query, "variables": variables}).to_string()
}

fn line(reference: &str, order: Value) -> String {
    let mut body = json!({"product": "Product 77", "quantity": 2, "price_cents": 1999});
    body[reference] = order;
    body.to_string()
}

/// Asks once. Ours must give the same content as the service by hand; others must show as many orders and lines.
///
/// # Errors
/// With what came instead.
pub(super) fn check(subject: &Subject, case: Case, request: &Request, by_hand: &Subject) -> Result<(), String> {
    let (status, content) = ask(subject, request)?;
    if !matches!(status.as_str(), "200" | "201") {
        return Err(format!("{status}: {content}"));
    }
    if subject.kind == Kind::Portcullis {
        let theirs = of(Kind::ByHand, case, 0).ok_or("the service by hand can do all")?;
        let (same, theirs) = ask(by_hand, &theirs)?;
        let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
        if status != same || parsed(&content) != parsed(&theirs) {
            return Err(format!("{status} {} is not {same} {}", start(&content), start(&theirs)));
        }
        return Ok(());
    }
    let count = |name: &str| content.matches(&format!("\"{name}\":")).count();
    let shown = (count("status"), count("product"));
    if shown != case.shown() && case != Case::Insert {
        return Err(format!(
            "shows {shown:?} in place of {:?}: {}",
            case.shown(),
            start(&content)
        ));
    }
    Ok(())
}

fn start(text: &str) -> String {
    text.chars().take(200).collect()
}

/// The status and the content.
fn ask(subject: &Subject, request: &Request) -> Result<(String, String), String> {
    let mut command = process::command("curl --silent --globoff --max-time 10 --write-out \\n%{http_code}");
    command.args(["--request", request.method]);
    if let Some(body) = &request.body {
        command.args(["--header", "Content-Type: application/json", "--data-binary", body]);
    }
    command.arg(format!("http://{}{}", subject.address(), request.target));
    let said = process::output(&mut command)?;
    let (content, status) = said.rsplit_once('\n').ok_or("no answer")?;
    Ok((status.to_owned(), content.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_how_long_its_content_is() {
        let request = of(Kind::ByHand, Case::Insert, 3).unwrap();
        let text = String::from_utf8(request.bytes()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /lines HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
        assert!(of(Kind::Datasette, Case::Insert, 0).is_none());
    }
}
