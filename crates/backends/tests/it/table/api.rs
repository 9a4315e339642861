//! Several tables as one API.

use std::sync::Arc;

use portcullis_backends::table::{Open, Table};
use portcullis_core::Consumer;
use serde_json::{Value, json};

use super::{Answer, Ask, Fixture, api_config, ask, get};

const SHOP: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner TEXT NOT NULL);
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY,
        customer_id INTEGER NOT NULL REFERENCES customers (id),
        total INTEGER NOT NULL CHECK (total >= 0),
        lock_version INTEGER NOT NULL DEFAULT 1
    );
    CREATE TABLE secrets (marker TEXT);
    INSERT INTO customers VALUES (1, 'Ada', 'clara'), (2, 'Bob', 'david'), (3, 'Cem', 'clara');
    INSERT INTO orders (id, customer_id, total) VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30), (4, 3, 40), (5, 3, 50);
    INSERT INTO secrets VALUES ('the-marker');
";

fn shop() -> Fixture {
    Fixture::new(SHOP)
}

fn both() -> Value {
    json!({"tables": {"customers": {}, "orders": {"aggregates": true}}, "transactions": true})
}

fn names(answer: &Answer) -> Vec<String> {
    let rows = answer.json();
    let each = rows.as_array().unwrap().iter();
    each.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// Where an answer's link of that relation leads.
fn link(answer: &Answer, relation: &str) -> Option<String> {
    let mut links = answer.field("link")?.split(", ");
    let link = links.find(|link| link.ends_with(&format!("rel=\"{relation}\"")))?;
    Some(link.trim_start_matches('<').split('>').next()?.to_owned())
}

#[test]
fn tables_have_paths_and_what_is_not_listed_has_none() {
    let fixture = shop();
    let table = fixture.api(both());
    assert_eq!(get("/v1/customers").of(&table).ids(), [1, 2, 3]);
    assert_eq!(get("/v1/orders/3?select=total").of(&table).json(), json!({"total": 30}));
    for path in [
        "/v1",
        "/v1/",
        "/v1/secrets",
        "/v1/sqlite_schema",
        "/v1/customers/1/2",
        "/v1/rpc/x",
        "/v1/rpc",
        "/v1//",
    ] {
        assert_eq!(get(path).of(&table).status, 404, "{path}");
    }
    let renamed = fixture.api(json!({"tables": {"buyers": {"table": "customers"}}}));
    assert_eq!(get("/v1/buyers").of(&renamed).ids(), [1, 2, 3]);
    assert_eq!(get("/v1/customers").of(&renamed).status, 404);
    let listed = fixture.api(json!({"tables": ["customers"]}));
    assert_eq!(get("/v1/customers").of(&listed).status, 200);
    assert_eq!(get("/v1/orders").of(&listed).status, 404);
    let all = fixture.api(json!({"tables": "*"}));
    assert_eq!(get("/v1/secrets").of(&all).json(), json!([{"marker": "the-marker"}]));
}

#[test]
fn related_rows_come_along() {
    let fixture = shop();
    let table = fixture.api(both());
    let answer =
        get("/v1/customers?select=name,orders(total)&orders.order=total.desc&orders.limit=1&id=eq.1").of(&table);
    assert_eq!(answer.json(), json!([{"name": "Ada", "orders": [{"total": 20}]}]));
    let answer = get("/v1/orders?select=id,customers(name)&customers.name=eq.Bob").of(&table);
    assert_eq!(answer.json()[2], json!({"id": 3, "customers": {"name": "Bob"}}));
    let answer = get("/v1/orders?select=customer_id,total.sum()&order=customer_id").of(&table);
    assert_eq!(answer.json()[0], json!({"customer_id": 1, "sum": 30}));
    let hidden = fixture.api(json!({"tables": {"customers": {}}}));
    get("/v1/customers?select=name,orders(total)")
        .of(&hidden)
        .is_error("bad_query", "orders");
}

#[test]
fn pages_lead_to_each_other() {
    let fixture = shop();
    let table = fixture.api(both());
    let first = get("/v1/orders?order=total.desc&limit=2").of(&table);
    assert_eq!(
        (first.ids(), link(&first, "prev"), link(&first, "first")),
        (vec![5, 4], None, None)
    );
    let next = link(&first, "next").unwrap();
    let second = get(&next).of(&table);
    assert_eq!(second.ids(), [3, 2]);
    let last = get(&link(&second, "next").unwrap()).of(&table);
    assert_eq!((last.ids(), link(&last, "next")), (vec![1], None));
    let back = get(&link(&last, "prev").unwrap()).of(&table);
    assert_eq!(back.ids(), [3, 2]);
    let start = get(&link(&back, "first").unwrap()).of(&table);
    assert_eq!(start.ids(), [5, 4]);
    let other = next.replace("total.desc", "total.asc");
    assert_eq!(get(&other).of(&table).status, 400, "a cursor of another order");
}

#[test]
fn ranges_choose_rows_too() {
    let fixture = shop();
    let table = fixture.api(both());
    let part = get("/v1/orders").header("Range", "1-2").of(&table);
    assert_eq!(
        (part.status, part.ids(), part.field("content-range")),
        (206, vec![2, 3], Some("1-2/*"))
    );
    let counted = get("/v1/orders")
        .header("Range", "items=0-9")
        .header("Prefer", "count=exact")
        .of(&table);
    assert_eq!((counted.status, counted.field("content-range")), (200, Some("0-4/5")));
    let few = get("/v1/orders?limit=2").header("Prefer", "count=exact").of(&table);
    assert_eq!((few.status, few.field("content-range")), (206, Some("0-1/5")));
    let behind = get("/v1/orders")
        .header("Range", "9-")
        .header("Prefer", "count=exact")
        .of(&table);
    assert_eq!((behind.status, behind.field("content-range")), (416, Some("*/5")));
    assert_eq!(get("/v1/orders").header("Range", "3-1").of(&table).status, 416);
    assert_eq!(get("/v1/orders").header("Range", "bytes=0-1").of(&table).ids().len(), 5);
}

#[test]
fn answers_have_the_form_that_is_asked_for() {
    let fixture = shop();
    let table = fixture.api(both());
    for (accept, content_type, text) in [
        ("text/csv", "text/csv; charset=utf-8", "id,name\n1,Ada\n"),
        (
            "application/x-ndjson",
            "application/x-ndjson",
            "{\"id\":1,\"name\":\"Ada\"}\n",
        ),
        (
            "application/vnd.pgrst.object+json",
            "application/vnd.pgrst.object+json",
            "{\"id\":1,\"name\":\"Ada\"}",
        ),
    ] {
        let answer = get("/v1/customers?select=id,name&id=eq.1")
            .header("Accept", accept)
            .of(&table);
        assert_eq!(answer.field("content-type"), Some(content_type));
        assert_eq!(String::from_utf8_lossy(&answer.body).replace("\r\n", "\n"), text);
    }
    let xml = get("/v1/customers/1?select=name")
        .header("Accept", "application/xml")
        .of(&table);
    assert!(
        String::from_utf8_lossy(&xml.body).contains("<name>Ada</name>"),
        "{xml:?}"
    );
    get("/v1/customers")
        .header("Accept", "image/png")
        .of(&table)
        .is_error("not_acceptable", "text/csv");
    for query in ["id=gt.1", "id=eq.99"] {
        let target = format!("/v1/customers?{query}");
        let several = get(&target).header("Accept", "application/vnd.pgrst.object+json");
        assert_eq!(several.of(&table).status, 406, "{query}");
    }
}

#[test]
fn the_links_of_a_long_query_take_the_same_content() {
    let fixture = shop();
    let table = fixture.api(both());
    let content = json!(["total=gte.20", "order=total.desc", "limit=2", ["offset", "1"]]);
    let send = |target: &str| ask("POST", target).json(&content).of(&table);
    let page = send("/v1/orders/$query");
    assert_eq!(page.ids(), [4, 3]);
    let next = send(&link(&page, "next").unwrap());
    assert_eq!((next.ids(), link(&next, "next")), (vec![2], None));
    assert_eq!(send(&link(&next, "prev").unwrap()).ids(), [4, 3]);
    assert_eq!(send(&link(&next, "first").unwrap()).ids(), [5, 4]);
}

#[test]
fn long_queries_are_posted() {
    let fixture = shop();
    let table = fixture.api(both());
    let form = ask("POST", "/v1/orders/$query").text("application/x-www-form-urlencoded", "total=gte.30&order=id.desc");
    assert_eq!(form.of(&table).ids(), [5, 4, 3]);
    let json = ask("POST", "/v1/orders/$query").json(&json!(["total=gte.30", ["limit", "1"]]));
    assert_eq!(json.of(&table).ids(), [3]);
    assert_eq!(
        ask("POST", "/v1/orders/$query")
            .text("text/plain", "x")
            .of(&table)
            .status,
        415
    );
    assert_eq!(
        get("/v1/orders/$query").of(&table).field("allow"),
        Some("OPTIONS, POST")
    );
}

#[test]
fn rows_are_kept_from_who_has_no_right_to_them() {
    let fixture = shop();
    let table = fixture.api(json!({"tables": {
        "customers": {"rows": [{"roles": ["admin"]}, {"roles": [], "rows": "owner=eq.{consumer}"}]},
        "orders": {},
    }}));
    let clara = || Consumer::new("clara", "api_key");
    assert_eq!(names(&get("/v1/customers").by(clara()).of(&table)), ["Ada", "Cem"]);
    let mut admin = Consumer::new("root", "api_key");
    admin.roles = Box::new(["admin".into()]);
    assert_eq!(get("/v1/customers").by(admin).of(&table).ids(), [1, 2, 3]);
    assert_eq!(get("/v1/customers").of(&table).ids(), [0; 0]);
    assert_eq!(get("/v1/customers/2").by(clara()).of(&table).status, 404);
    let embedded = get("/v1/orders?select=id,customers(name)&id=eq.3")
        .by(clara())
        .of(&table);
    assert_eq!(embedded.json(), json!([{"id": 3, "customers": null}]));
    let patch = |path: &'static str, body: Value| ask("PATCH", path).json(&body).by(clara()).of(&table);
    assert_eq!(patch("/v1/customers/2", json!({"name": "x"})).status, 404);
    assert_eq!(patch("/v1/customers/1", json!({"owner": "david"})).code, "forbidden");
    assert_eq!(ask("DELETE", "/v1/customers/2").by(clara()).of(&table).status, 404);
    let stolen = ask("POST", "/v1/customers")
        .json(&json!({"name": "Eve", "owner": "david"}))
        .by(clara());
    assert_eq!(stolen.of(&table).code, "forbidden");
    let own = ask("POST", "/v1/customers")
        .json(&json!({"name": "Eve", "owner": "clara"}))
        .by(clara());
    assert_eq!(own.of(&table).status, 201);
    let all = fixture.api(both());
    assert_eq!(names(&get("/v1/customers").of(&all)), ["Ada", "Bob", "Cem", "Eve"]);
}

#[test]
fn how_many_rows_were_changed_is_told() {
    let fixture = shop();
    for orders in [json!({}), json!({"version": "lock_version"})] {
        let table = fixture.api(json!({"tables": {"orders": orders}}));
        let change = ask("PATCH", "/v1/orders?total=gte.30").json(&json!({"customer_id": 1}));
        let answer = change.of(&table);
        assert_eq!((answer.status, answer.field("content-range")), (204, Some("*/3")));
    }
}

#[test]
fn versions_keep_changes_from_being_lost() {
    let fixture = shop();
    let table = fixture.api(json!({"tables": {"orders": {"version": "lock_version", "require_if_match": true}}}));
    let tag = get("/v1/orders/1").of(&table).field("etag").unwrap().to_owned();
    assert!(tag.starts_with('"'), "{tag}");
    assert_eq!(get("/v1/orders/1").header("If-None-Match", &tag).of(&table).status, 304);
    let patch = |tag: &str| {
        let patch = ask("PATCH", "/v1/orders/1").json(&json!({"total": 11}));
        let answer = if tag.is_empty() {
            patch.of(&table)
        } else {
            patch.header("If-Match", tag).of(&table)
        };
        (answer.status, answer.field("etag").map(str::to_owned))
    };
    assert_eq!(patch("").0, 428);
    let (status, newer) = patch(&tag);
    assert_eq!(status, 204);
    assert_eq!(patch(&tag).0, 412, "it was changed since");
    assert_eq!(get("/v1/orders/1").header("If-None-Match", &tag).of(&table).status, 200);
    assert_eq!(get("/v1/orders/1").of(&table).json()["lock_version"], json!(2));
    let other = get("/v1/orders/2").of(&table).field("etag").unwrap().to_owned();
    assert_eq!(patch(&other).0, 412, "the tag of another row");
    assert_eq!(patch(&newer.unwrap()).0, 204);
    let gone = ask("DELETE", "/v1/orders/1").header("If-Match", "*").of(&table);
    assert_eq!(gone.status, 204);
}

#[test]
fn a_row_is_put_as_a_whole() {
    let fixture = shop();
    let table = fixture.api(both());
    let put = |id: i64, body: Value, fields: &[(&'static str, &'static str)]| {
        let path = format!("/v1/customers/{id}");
        let mut ask = ask("PUT", &path).json(&body);
        ask.headers.extend(fields);
        let answer = ask.of(&table);
        (answer.status, answer.field("location").map(str::to_owned))
    };
    let row = json!({"name": "Dora", "owner": "clara"});
    assert_eq!(put(9, row.clone(), &[]), (201, Some("/v1/customers/9".to_owned())));
    assert_eq!(put(9, json!({"name": "Dor", "owner": "x"}), &[]).0, 204);
    assert_eq!(put(9, row.clone(), &[("If-None-Match", "*")]).0, 412);
    assert_eq!(put(10, row.clone(), &[("If-Match", "*")]).0, 412);
    assert_eq!(
        get("/v1/customers/9").of(&table).json(),
        json!({"id": 9, "name": "Dor", "owner": "x"})
    );
    assert_eq!(ask("PUT", "/v1/customers").json(&row).of(&table).status, 405);
}

#[test]
fn many_rows_come_in_other_forms_and_over_others() {
    let fixture = shop();
    let table = fixture.api(both());
    let csv = ask("POST", "/v1/customers")
        .text("text/csv", "name,owner\nDora,clara\nEmil,david\n")
        .of(&table);
    assert_eq!(csv.status, 201);
    let lines = "{\"name\":\"Finn\",\"owner\":\"a\"}\n{\"name\":\"Gero\",\"owner\":\"b\"}\n";
    assert_eq!(
        ask("POST", "/v1/customers")
            .text("application/x-ndjson", lines)
            .of(&table)
            .status,
        201
    );
    let rows = json!([{"id": 1, "name": "Ada L.", "owner": "clara"}, {"id": 50, "name": "New", "owner": "x"}]);
    let upsert = ask("POST", "/v1/customers")
        .json(&rows)
        .header("Prefer", "resolution=merge-duplicates, return=representation")
        .of(&table);
    assert_eq!(
        (upsert.status, names(&upsert)),
        (200, vec!["Ada L.".to_owned(), "New".to_owned()])
    );
    let ignored = ask("POST", "/v1/customers?on_conflict=name")
        .json(&json!({"name": "Bob", "owner": "z"}))
        .header("Prefer", "resolution=ignore-duplicates")
        .of(&table);
    assert_eq!(ignored.status, 200);
    assert_eq!(
        get("/v1/customers/2?select=owner").of(&table).json(),
        json!({"owner": "david"})
    );
    let all = names(&get("/v1/customers?order=id").of(&table));
    assert_eq!(all, ["Ada L.", "Bob", "Cem", "Dora", "Emil", "Finn", "Gero", "New"]);
}

#[test]
fn preferences_limit_and_undo() {
    let fixture = shop();
    let table = fixture.api(both());
    let patch = |prefer: &'static str| {
        ask("PATCH", "/v1/orders?total=gte.30")
            .json(&json!({"total": 1}))
            .header("Prefer", prefer)
            .of(&table)
    };
    patch("handling=strict, max-affected=2").is_error("too_many_rows", "");
    let dry = patch("tx=rollback, return=representation");
    assert_eq!((dry.status, dry.ids()), (200, vec![3, 4, 5]));
    assert!(dry.field("preference-applied").unwrap().contains("tx=rollback"));
    assert_eq!(get("/v1/orders?total=gte.30").of(&table).ids(), [3, 4, 5]);
    assert_eq!(patch("handling=strict, nonsense=1").status, 400);
    assert_eq!(patch("handling=strict, max-affected=3").status, 204);
    assert_eq!(get("/v1/orders?total=gte.30").of(&table).ids(), [0; 0]);
}

#[test]
fn statements_of_the_file_are_called() {
    let fixture = shop();
    let table = fixture.api(json!({
        "tables": {"orders": {}},
        "rpc": {"statements": {
            "above": {
                "sql": "SELECT id, total AS sum FROM orders WHERE total > :least ORDER BY id LIMIT 2",
                "arguments": {"least": "integer"},
            },
            "empty": {"sql": "DELETE FROM orders WHERE total > :least", "arguments": {"least": "integer"}, "writes": true},
        }},
    }));
    let expected = json!([{"id": 3, "sum": 30}, {"id": 4, "sum": 40}]);
    assert_eq!(get("/v1/rpc/above?least=20").of(&table).json(), expected);
    let posted = ask("POST", "/v1/rpc/above").json(&json!({"least": 20})).of(&table);
    assert_eq!(posted.json(), expected);
    get("/v1/rpc/above").of(&table).is_error("bad_query", "`least`");
    get("/v1/rpc/above?least=x").of(&table).is_error("bad_query", "`least`");
    get("/v1/rpc/above?laest=1")
        .of(&table)
        .is_error("bad_query", "did you mean `least`?");
    get("/v1/rpc/above?least=1%20OR%201=1")
        .of(&table)
        .is_error("bad_query", "`least`");
    let refused = get("/v1/rpc/empty?least=1").of(&table);
    assert_eq!((refused.status, refused.field("allow")), (405, Some("OPTIONS, POST")));
    assert_eq!(
        ask("POST", "/v1/rpc/empty")
            .json(&json!({"least": 20}))
            .of(&table)
            .status,
        204
    );
    assert_eq!(get("/v1/orders").of(&table).ids(), [1, 2]);
    assert_eq!(get("/v1/rpc/none").of(&table).status, 404);
}

#[test]
fn several_changes_happen_together_or_not_at_all() {
    let fixture = shop();
    let table = fixture.api(both());
    let ops = |total: i64| {
        json!({"ops": [
            {"as": "c", "insert": "customers", "values": {"name": "Dora", "owner": "clara"}},
            {"insert": "orders", "values": [{"customer_id": {"$ref": "c.id"}, "total": total}]},
        ]})
    };
    let broken = ask("POST", "/v1/$tx").json(&ops(-1)).of(&table);
    broken.is_error("invalid_content", "a check fails");
    assert_eq!(get("/v1/customers?name=eq.Dora").of(&table).ids(), [0; 0]);
    let made = ask("POST", "/v1/$tx").json(&ops(7)).of(&table);
    assert_eq!(made.status, 200, "{made:?}");
    let both = get("/v1/customers?select=name,orders(total)&name=eq.Dora")
        .of(&table)
        .json();
    assert_eq!(both, json!([{"name": "Dora", "orders": [{"total": 7}]}]));
    assert_eq!(get("/v1/$tx").of(&table).status, 405);
    let without = fixture.api(json!({"tables": {"orders": {}}}));
    assert_eq!(ask("POST", "/v1/$tx").json(&ops(7)).of(&without).status, 404);
}

#[test]
fn plans_are_for_those_who_may_see_them() {
    let fixture = shop();
    let table = fixture.api(json!({"tables": {"orders": {}}, "plans": {"roles": ["operator"]}}));
    let plan = |ask: Ask<'static>| ask.header("Accept", "application/vnd.portcullis.plan+json").of(&table);
    assert_eq!(plan(get("/v1/orders?total=gt.1")).status, 403);
    let mut operator = Consumer::new("op", "api_key");
    operator.roles = Box::new(["operator".into()]);
    let told = plan(get("/v1/orders?total=gt.1").by(operator)).json();
    assert_eq!(told["engine"], "sqlite");
    assert!(told["plan"].to_string().contains("SCAN"), "{told}");
}

#[test]
fn an_api_follows_its_tables() {
    let fixture = shop();
    let open = Open::still(fixture.database.clone());
    let table = Table::new(&open, &api_config(json!({"tables": "*"})), 1).unwrap();
    let fixed = Table::new(
        &open,
        &api_config(json!({"tables": {"orders": {"columns": ["id", "total"]}}})),
        1,
    )
    .unwrap();
    fixture
        .outside()
        .execute_batch("CREATE TABLE later (id INTEGER PRIMARY KEY); INSERT INTO later VALUES (7)")
        .unwrap();
    assert_eq!(get("/v1/later").of(&table).status, 404);
    open.look().unwrap();
    assert_eq!(get("/v1/later").of(&table).ids(), [7]);
    fixture
        .outside()
        .execute_batch("ALTER TABLE orders ADD COLUMN note TEXT")
        .unwrap();
    open.look().unwrap();
    assert_eq!(get("/v1/orders/1?select=note").of(&table).json(), json!({"note": null}));
    // What the file names is gone: the API stays as it is, and somebody is told once.
    fixture
        .outside()
        .execute_batch("ALTER TABLE orders RENAME COLUMN total TO sum")
        .unwrap();
    let failed = open.look().unwrap_err();
    assert!(failed.iter().any(|why| why.contains("total")), "{failed:?}");
    assert_eq!(open.look(), Ok(()));
    assert_eq!((open.failures(), open.database().generation()), (1, 4));
    assert_eq!(get("/v1/orders?select=id").of(&fixed).ids(), [1, 2, 3, 4, 5]);
    assert_eq!(get("/v1/orders/1?select=sum").of(&table).json(), json!({"sum": 10}));
}

#[test]
fn statements_are_counted_by_their_shapes() {
    let fixture = shop();
    let table = fixture.api(both());
    for id in 1..=3 {
        assert_eq!(get(&format!("/v1/orders/{id}")).of(&table).status, 200);
    }
    assert_eq!(get("/v1/customers").of(&table).status, 200);
    let seen = table.shapes().seen();
    assert_eq!((seen.len(), seen[0].runs, seen[0].rows), (2, 3, 3));
    assert!(!seen[0].text.contains('3'), "{}", seen[0].text);
    let shapes: Arc<_> = table.shapes().clone();
    assert_eq!(shapes.left_out(), 0);
}
