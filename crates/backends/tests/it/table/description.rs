//! What an API says of itself.

use portcullis_backends::table::{Open, Table};
use portcullis_core::Consumer;
use serde_json::{Value, json};

use super::{Fixture, api_config, ask, get};

const PATH: &str = "/v1/openapi.json";

fn shop() -> Fixture {
    Fixture::new(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE salaries (level INTEGER PRIMARY KEY, least INTEGER NOT NULL);
         CREATE TABLE secrets (marker TEXT);",
    )
}

fn both() -> Value {
    json!({"tables": {"customers": {}, "salaries": {"rows": [{"roles": ["boss"]}]}}})
}

#[test]
fn each_caller_is_told_what_there_is_for_them() {
    let fixture = shop();
    let table = fixture.api(both());
    let mut boss = Consumer::new("ada", "jwt");
    boss.roles = vec!["boss".into()].into();
    for _ in 0..2 {
        for (consumer, sees) in [(Consumer::new("bob", "jwt"), false), (boss.clone(), true)] {
            let answer = get(PATH).by(consumer).of(&table);
            assert_eq!(answer.status, 200);
            assert_eq!(answer.field("content-type"), Some("application/json"));
            assert_eq!(answer.field("cache-control"), Some("private, no-cache"));
            let document = answer.json();
            assert_eq!(document["openapi"], "3.1.0");
            assert_eq!(document["servers"][0]["url"], "/v1");
            assert!(document["paths"].get("/customers/{id}").is_some());
            assert_eq!(document.to_string().contains("salaries"), sees);
            assert!(!document.to_string().contains("secrets"));
        }
    }
}

#[test]
fn browsers_get_a_page_and_nobody_gets_the_same_twice() {
    let fixture = shop();
    let table = fixture.api(both());
    let page = get(PATH)
        .header(
            "Accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        )
        .of(&table);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        page.field("content-security-policy")
            .unwrap()
            .starts_with("default-src 'none'")
    );
    let json = get(PATH)
        .header("Accept", "application/json, text/html;q=0.5")
        .of(&table);
    assert_eq!(json.field("content-type"), Some("application/json"));
    assert_ne!(json.field("etag"), page.field("etag"));
    let tag = json.field("etag").unwrap();
    let again = get(PATH).header("If-None-Match", tag).of(&table);
    assert_eq!((again.status, again.body.len()), (304, 0));
    let head = ask("HEAD", PATH).of(&table);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.field("content-length"), Some(json.body.len().to_string().as_str()));
}

#[test]
fn what_is_asked_otherwise_is_refused() {
    let fixture = shop();
    let table = fixture.api(both());
    assert_eq!(ask("POST", PATH).of(&table).status, 405);
    assert_eq!(
        ask("OPTIONS", PATH).of(&table).field("allow"),
        Some("GET, HEAD, OPTIONS")
    );
    assert_eq!(get(PATH).header("Accept", "image/png").of(&table).status, 406);
    assert_eq!(get("/v1/openapi.json/x").of(&table).status, 404);
    let silent = fixture.api(json!({"tables": ["customers"], "openapi": false}));
    assert_eq!(get(PATH).of(&silent).status, 404);
}

#[test]
fn a_changed_table_is_described_anew() {
    let fixture = shop();
    let open = Open::still(fixture.database.clone());
    let table = Table::new(&open, &api_config(both()), 1).unwrap();
    let before = get(PATH).of(&table);
    fixture
        .outside()
        .execute_batch("ALTER TABLE customers ADD COLUMN city TEXT")
        .unwrap();
    open.look().unwrap();
    let after = get(PATH).of(&table);
    assert!(!before.json().to_string().contains("city") && after.json().to_string().contains("city"));
    assert_ne!(before.field("etag"), after.field("etag"));
}
