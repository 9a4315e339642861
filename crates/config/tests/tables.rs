//! How databases and tables are written.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use portcullis_config::route::To;
use portcullis_config::route::tables::Which;
use portcullis_config::{Loaded, Problems};
use serde_json::json;

fn parse(text: &str) -> Result<Loaded, Problems> {
    let environment = |name: &str| (name == "PASSWORD").then(|| "hunter2".to_owned());
    let read = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    portcullis_config::parse(text, "gate.yaml".as_ref(), &environment, &read)
}

fn with(to: &str) -> String {
    format!(
        "listeners: [127.0.0.1:80]\ndatabases: {{shop: 'postgres://shop:${{PASSWORD}}@db/shop'}}\n\
         routes:\n  - path: /v1/**\n    to: {to}\n"
    )
}

#[test]
fn what_is_not_written_has_defaults() {
    let loaded = parse(&with(
        "{tables: {database: shop, tables: {orders: {}, clients: api.customers, lines: {max_rows: 5}}}}",
    ));
    let loaded = loaded.unwrap();
    let To::Tables(to) = &loaded.file.routes[0].to else {
        panic!("an API")
    };
    assert!(to.tables.openapi && !to.tables.transactions && to.tables.plans.roles.is_empty());
    let named = to.tables.named();
    let told: Vec<_> = named
        .iter()
        .map(|(name, it)| (*name, it.table.as_deref(), it.max_rows))
        .collect();
    assert_eq!(
        told,
        [
            ("clients", Some("api.customers"), 1000),
            ("lines", None, 5),
            ("orders", None, 1000)
        ]
    );
    let shop = &loaded.file.databases["shop"];
    assert_eq!((shop.pool.max, shop.pooled, shop.namespaces.len()), (None, false, 0));
}

#[test]
fn tables_have_short_forms() {
    for (tables, expected) in [
        ("'*'", "All"),
        ("[orders, api.lines]", "Listed"),
        ("{orders: {}}", "Named"),
    ] {
        let loaded = parse(&with(&format!("{{tables: {{database: shop, tables: {tables}}}}}"))).unwrap();
        let To::Tables(to) = &loaded.file.routes[0].to else {
            panic!("an API")
        };
        let found = match &to.tables.tables {
            Which::All(_) => "All",
            Which::Listed(_) => "Listed",
            Which::Named(_) => "Named",
        };
        assert_eq!(found, expected);
    }
    let rules = "[{roles: admin}, {roles: [clerk], rows: state=neq.gone}, 'owner=eq.{claims.sub}']";
    let text = with(&format!("{{table: shop.api.orders, version: lock, rows: {rules}}}")).replace("/v1/**", "/v1");
    let loaded = parse(&text).unwrap();
    let To::Table(to) = &loaded.file.routes[0].to else {
        panic!("a table")
    };
    assert_eq!(to.parts(), ("shop", "api.orders"));
    let rows: Vec<_> = to
        .rows
        .iter()
        .map(|rule| (rule.roles.len(), rule.rows.as_deref()))
        .collect();
    assert_eq!(
        rows,
        [
            (1, None),
            (1, Some("state=neq.gone")),
            (0, Some("owner=eq.{claims.sub}"))
        ]
    );
}

#[test]
fn what_is_wrong_is_named() {
    for (text, words) in [
        (with("{tables: {database: shop, tables: all}}"), "`*`"),
        (with("{tables: {tables: '*'}}"), "`database` is missing"),
        (with("{tables: {database: sohp, tables: '*'}}"), "did you mean `shop`?"),
        (
            with("{tables: {database: shop, tables: {a/b: {}}}}"),
            "no name for a path",
        ),
        (
            with("{tables: {database: shop, tables: {orders: {vresion: x}}}}"),
            "did you mean `version`?",
        ),
        (
            with("{tables: {database: shop, tables: '*'}}").replace("/v1/**", "/v1"),
            "end in `/**`",
        ),
        (
            with("{table: shop.orders}").replace("postgres:", "oracle:"),
            "this is no database",
        ),
    ] {
        let problems = parse(&text)
            .err()
            .map(|problems| problems.to_string())
            .unwrap_or_default();
        assert!(problems.contains(words), "{text}: {problems}");
        assert!(!problems.contains("hunter2"));
    }
}

#[test]
fn a_password_in_a_url_is_shown_nowhere() {
    let loaded = parse(&with("{tables: {database: shop, tables: '*'}}")).unwrap();
    assert_eq!(
        loaded.file.databases["shop"].url.expose(),
        "postgres://shop:hunter2@db/shop"
    );
    let shown = portcullis_config::effective(&loaded.file);
    assert_eq!(shown["databases"]["shop"]["url"], json!("postgres://shop:***@db/shop"));
    assert!(!shown.to_string().contains("hunter2") && !format!("{:?}", loaded.file).contains("hunter2"));
    let other = parse(&with("{tables: {database: shop, tables: '*'}}").replace("${PASSWORD}", "tr0ub4dor")).unwrap();
    assert_eq!(
        loaded.record.digest(),
        other.record.digest(),
        "whoever knew all else could guess at it"
    );
}
