//! Several tables as one API, from end to end.

use serde_json::{Value, json};

use super::client::Answer;
use super::folder::Folder;
use super::gate::{Gate, eventually};

const SCHEMA: &str = "
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner TEXT NOT NULL);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    total INTEGER NOT NULL CHECK (total >= 0),
    lock_version INTEGER NOT NULL DEFAULT 1
);
CREATE VIEW many AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000)
    SELECT i AS id, printf('%.*c', 50, 'x') AS filling FROM n;
CREATE VIEW broken AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200000)
    SELECT i AS id, CASE WHEN i > 150000 THEN json('nonsense') ELSE printf('%.*c', 50, 'x') END AS filling FROM n;
INSERT INTO customers VALUES (1, 'Ada', 'clara'), (2, 'Bob', 'david');
INSERT INTO orders (id, customer_id, total) VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30);
";

const CONFIGURATION: &str = "
listeners: [127.0.0.1:0]
admin: 127.0.0.1:0
databases: {shop: {url: 'sqlite:data/shop.db', migrations: migrations, schema_look: 100ms}}
policies:
  known: {api_key: {consumers: [{name: clara, sha256: CLARA}, {name: root, sha256: ROOT, roles: [admin]}]}}
routes:
  - path: /v1/**
    to:
      tables:
        database: shop
        tables:
          '*': {max_rows: 1000000}
          orders: {version: lock_version, require_if_match: true}
        transactions: true
  - path: /mine/**
    policies: known
    to:
      tables:
        database: shop
        tables:
          customers: {rows: [{roles: admin}, 'owner=eq.{consumer}']}
";

fn gate() -> Gate {
    let folder = Folder::new();
    folder.write("migrations/0001_schema.sql", SCHEMA);
    Gate::start_in(folder, &CONFIGURATION.replace("CLARA", CLARA).replace("ROOT", ROOT))
}

/// SHA-256 of `try-clara` and `try-root`.
const CLARA: &str = "18824ef2e13d29fe18b24b1bf4fa6fa4b56708b9a02ce70671d4400c8e690cce";
const ROOT: &str = "d0cd858b2e5484c82ab9fad3420cc810cf1d1fdde11cc17c889030a52f53846e";

fn post(gate: &Gate, target: &str, body: &Value) -> Answer {
    gate.connect().ask(
        "POST",
        target,
        &[("Content-Type", "application/json")],
        body.to_string(),
    )
}

#[test]
fn rows_come_with_what_they_are_related_to() {
    let gate = gate();
    let answer = gate.get("/v1/customers?select=name,orders(total)&orders.order=total.desc&order=name");
    assert_eq!(
        answer.json(),
        json!([{"name": "Ada", "orders": [{"total": 20}, {"total": 10}]}, {"name": "Bob", "orders": [{"total": 30}]}])
    );
    gate.get("/v1/portcullis_migrations")
        .assert_problem(404, "resource_not_found");
}

#[test]
fn several_changes_are_one_transaction() {
    let gate = gate();
    let ops = |total: i64| {
        json!({"ops": [
            {"as": "c", "insert": "customers", "values": {"name": "Cem", "owner": "clara"}},
            {"insert": "orders", "values": {"customer_id": {"$ref": "c.id"}, "total": total}},
        ]})
    };
    post(&gate, "/v1/$tx", &ops(-1)).assert_problem(422, "invalid_content");
    assert_eq!(gate.get("/v1/customers?name=eq.Cem").json(), json!([]));
    assert_eq!(post(&gate, "/v1/$tx", &ops(1)).status, 200);
    let both = gate.get("/v1/customers?select=name,orders(total)&name=eq.Cem").json();
    assert_eq!(both, json!([{"name": "Cem", "orders": [{"total": 1}]}]));
}

#[test]
fn a_change_that_was_overtaken_is_412() {
    let gate = gate();
    let mut client = gate.connect();
    let tag = client.get("/v1/orders/1").field("etag").unwrap().to_owned();
    let mut patch = |tag: Option<&str>| {
        let mut fields = vec![("Content-Type", "application/json")];
        fields.extend(tag.map(|tag| ("If-Match", tag)));
        client.ask("PATCH", "/v1/orders/1", &fields, "{\"total\": 11}")
    };
    patch(None).assert_problem(428, "precondition_required");
    assert_eq!(patch(Some(&tag)).status, 204);
    patch(Some(&tag)).assert_problem(412, "precondition_failed");
}

#[test]
fn each_caller_sees_their_own_rows() {
    let gate = gate();
    let names = |key: &str| {
        let answer = gate
            .connect()
            .ask("GET", "/mine/customers?select=name", &[("X-Api-Key", key)], "");
        answer.json()
    };
    assert_eq!(names("try-clara"), json!([{"name": "Ada"}]));
    assert_eq!(names("try-root"), json!([{"name": "Ada"}, {"name": "Bob"}]));
    gate.get("/mine/customers").assert_problem(401, "unauthenticated");
    let stolen = gate.connect().ask(
        "POST",
        "/mine/customers",
        &[("X-Api-Key", "try-clara"), ("Content-Type", "application/json")],
        json!({"name": "Eve", "owner": "david"}).to_string(),
    );
    stolen.assert_problem(403, "forbidden");
}

#[test]
fn a_large_answer_is_sent_as_it_comes_and_never_cut_silently() {
    let gate = gate();
    let whole = gate.get("/v1/many");
    assert_eq!((whole.status, whole.field("content-length")), (200, None));
    assert_eq!(whole.json().as_array().unwrap().len(), 200_000);
    let mut client = gate.connect();
    client.send("GET /v1/broken HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        client.try_answer(false).is_err(),
        "the connection ends without the end of the message"
    );
}

#[test]
fn tables_that_come_later_are_served_without_a_reload() {
    let gate = gate();
    gate.get("/v1/later").assert_problem(404, "resource_not_found");
    let outside = rusqlite::Connection::open(gate.folder.path().join("data/shop.db")).unwrap();
    outside
        .execute_batch("CREATE TABLE later (id INTEGER PRIMARY KEY); INSERT INTO later VALUES (7)")
        .unwrap();
    eventually("the new table", || gate.get("/v1/later").status == 200);
    assert_eq!(gate.get("/v1/later").json(), json!([{"id": 7}]));
}
