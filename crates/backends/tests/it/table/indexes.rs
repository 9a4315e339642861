//! What is said of indexes, and what is refused for want of one.

use portcullis_backends::table::doctor::Patient;

use super::{Fixture, Open, Table, Value, api_config, ask, get, json};

/// A table of which the largest number tells how large it is.
fn shop() -> Fixture {
    Fixture::new(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, state TEXT, total REAL);
         CREATE INDEX by_customer ON orders (customer);
         CREATE INDEX by_customer_and_total ON orders (customer, total);
         CREATE INDEX by_state ON orders (state) WHERE state IS NOT NULL;
         CREATE TABLE lines (order_id INTEGER NOT NULL, product TEXT NOT NULL, PRIMARY KEY (order_id, product)) WITHOUT ROWID;
         INSERT INTO orders VALUES (1, 1, 'open', 5), (50000, 2, NULL, 6);",
    )
}

#[test]
fn what_would_read_a_large_table_whole_is_refused_before_it_runs() {
    let fixture = shop();
    let open = Open::still(fixture.database.clone());
    let config = json!({"tables": "*", "reject_full_scan": 1000});
    let table = Table::new(&open, &api_config(config), 1)
        .unwrap()
        .watched("shop", "/v1/**");
    for query in [
        "total=eq.5",
        "order=total",
        "id=neq.1",
        "or=(id.eq.1,total.eq.5)",
        "state=eq.open",
    ] {
        let refused = get(&format!("/v1/orders?{query}")).of(&table);
        assert_eq!((refused.status, refused.code), (400, "unindexed_query"), "{query}");
        assert_eq!(
            refused.detail,
            "of `orders` these columns have an index: `id`, `customer`"
        );
    }
    for query in [
        "",
        "id=eq.1",
        "customer=eq.1&total=gt.1",
        "order=customer",
        "order=id.desc&limit=1",
    ] {
        let answered = get(&format!("/v1/orders?{query}")).of(&table);
        assert!(matches!(answered.status, 200 | 206), "{query}: {answered:?}");
    }
    assert_eq!(
        get("/v1/lines?product=eq.a").of(&table).status,
        200,
        "how many rows it has nobody knows"
    );
    for method in ["PATCH", "DELETE"] {
        let refused = ask(method, "/v1/orders?total=eq.5")
            .json(&json!({"state": "x"}))
            .of(&table);
        assert_eq!((refused.status, refused.code), (400, "unindexed_query"), "{method}");
    }
    assert_eq!(ask("DELETE", "/v1/orders?id=eq.1").of(&table).status, 204);
    // Without the setting all are answered.
    let lenient = fixture.api(json!({"tables": "*"}));
    assert_eq!(get("/v1/orders?total=eq.5").of(&lenient).status, 200);
}

#[test]
fn what_a_plan_shows_to_be_harmless_is_let_through() {
    let fixture = shop();
    let open = Open::still(fixture.database.clone());
    let to = |config: Value| {
        Table::new(&open, &api_config(config), 1)
            .unwrap()
            .watched("shop", "/v1/**")
    };
    let query = "/v1/orders?state=eq.open";
    let (lenient, strict) = (
        to(json!({"tables": "*"})),
        to(json!({"tables": "*", "reject_full_scan": 1000})),
    );
    assert_eq!(
        get(query).of(&strict).status,
        400,
        "the schema alone doesn't know what the partial index holds"
    );
    assert_eq!(get(query).of(&lenient).status, 200);
    open.plan(5).unwrap();
    assert_eq!(get(query).of(&strict).status, 200);
}

#[test]
fn runs_are_counted_by_what_their_plans_do() {
    let fixture = shop();
    let open = Open::still(fixture.database.clone());
    let table = Table::new(&open, &api_config(json!({"tables": "*"})), 1)
        .unwrap()
        .watched("shop", "/v1/**");
    for query in ["id=eq.1", "id=eq.2", "total=eq.5", "customer=eq.1", ""] {
        get(&format!("/v1/orders?{query}")).of(&table);
    }
    assert_eq!(open.accesses(), [], "no plan is known yet");
    open.plan(2).unwrap();
    assert!(
        open.accesses().iter().map(|(_, _, count)| count).sum::<u64>() < 5,
        "two are planned at a time"
    );
    open.plan(2).unwrap();
    open.plan(2).unwrap();
    let shop = |class, count| ("shop".to_owned(), class, count);
    let found = [
        shop("clustered", 2),
        shop("seek_lookup", 1),
        shop("walk", 1),
        shop("full_scan", 1),
    ];
    assert_eq!(open.accesses(), found);
    let reports = open.indexes().unwrap();
    assert_eq!(reports[0]["statements"].as_array().unwrap().len(), 4);
}

#[test]
fn a_report_names_indexes_that_are_missing_and_such_as_are_too_many() {
    let fixture = shop();
    let config = json!({"tables": "*"});
    let api = Table::api(&fixture.database.schema(), &api_config(config)).unwrap();
    let patient = Patient {
        route: "shop",
        path: "/v1/**",
        settings: fixture.database.settings(),
        api: &api,
        seen: None,
    };
    let report = patient.report().unwrap();
    let of = |name: &str| {
        let all = report["resources"].as_array().unwrap();
        all.iter().find(|resource| resource["name"] == name).unwrap()
    };
    let question = |query: &str| {
        let all = of("orders")["questions"].as_array().unwrap();
        all.iter().find(|question| question["query"] == query).unwrap()
    };
    let by_total = question("total=eq.1");
    assert_eq!(by_total["class"], "full_scan");
    assert_eq!(by_total["reads_all"], json!(["orders"]));
    assert_eq!(
        by_total["advice"][0]["statement"],
        r#"CREATE INDEX "orders_total_idx" ON "orders" ("total")"#
    );
    assert_eq!(
        (&by_total["advice"][0]["verified"], &by_total["advice"][0]["class"]),
        (&json!(true), &json!("seek_lookup"))
    );
    assert_eq!(question("id=eq.1")["class"], "clustered");
    assert_eq!(question("id=eq.1")["advice"], json!([]));
    assert_eq!(question("")["class"], "walk");
    let index = |name: &str| {
        let all = of("orders")["indexes"].as_array().unwrap();
        all.iter().find(|index| index["index"] == name).unwrap()
    };
    assert_eq!(index("by_customer")["redundant_with"], "by_customer_and_total");
    assert!(index("by_customer_and_total")["redundant_with"].is_null());
    assert!(of("lines")["storage"].as_str().unwrap().contains("WITHOUT ROWID"));
    assert!(
        !of("lines")["indexes"][0]["serves"].as_array().unwrap().is_empty(),
        "the key is the table itself"
    );
    let left = fixture.outside().query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'orders_%'",
        [],
        |row| row.get(0),
    );
    assert_eq!(left, Ok(0), "nothing is made");
}
