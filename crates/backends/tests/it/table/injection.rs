//! Nothing that a client sends, or that a schema is called, becomes SQL.

use proptest::prelude::Strategy;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::{Ask, Fixture, ask, get};

/// Texts that have been SQL in other programs.
const NASTY: &[&str] = &[
    "'",
    "\"",
    "\"\"",
    "' OR '1'='1",
    "\" OR \"1\"=\"1",
    "1; DROP TABLE victims",
    "1) UNION SELECT marker FROM secrets --",
    "x' UNION SELECT marker FROM secrets --",
    "\"; DELETE FROM victims; --",
    "?1",
    ":name",
    "$where",
    "@x",
    "`id`",
    "[id]",
    "id\0",
    "%00",
    "\\",
    "--",
    "/* */",
    "name\nDROP TABLE victims",
    "(SELECT marker FROM secrets)",
    "rowid",
    "sqlite_master",
    "ａｄｍｉｎ＇",
];

const VICTIMS: &str = "
    CREATE TABLE victims (id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO victims VALUES (1, 'one'), (2, 'two');
    CREATE TABLE secrets (marker TEXT);
    INSERT INTO secrets VALUES ('the-marker');
";

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[track_caller]
fn send(fixture: &Fixture, ask: Ask<'_>) -> u16 {
    let answer = ask.of(&fixture.table("victims", json!({})));
    assert!(!String::from_utf8_lossy(&answer.body).contains("the-marker"));
    assert!(!answer.detail.contains("the-marker"));
    assert_ne!(answer.status, 500, "{answer:?}");
    answer.status
}

#[test]
fn text_of_a_client_is_a_value_or_refused_in_every_place() {
    let fixture = Fixture::new(VICTIMS);
    for text in NASTY {
        let nasty = encoded(text);
        for query in [
            format!("{nasty}=eq.1"),
            format!("id={nasty}"),
            format!("id=eq.{nasty}"),
            format!("id={nasty}.1"),
            format!("id=in.({nasty})"),
            format!("id=is.{nasty}"),
            format!("select={nasty}"),
            format!("select=id,{nasty}"),
            format!("order={nasty}"),
            format!("order=id.{nasty}"),
            format!("order=id.desc.{nasty}"),
            format!("limit={nasty}"),
            format!("offset={nasty}"),
        ] {
            assert_eq!(
                send(&fixture, get(&format!("/victims?{query}"))),
                400,
                "{text:?} in {query}"
            );
        }
        for query in ["name=eq.", "name=like.", "name=ilike.", "name=not.eq.", "name=gt."] {
            // No text of PostgreSQL holds a NUL, so that no filter does.
            let expected = if text.contains('\0') { 400 } else { 200 };
            let status = send(&fixture, get(&format!("/victims?{query}{nasty}")));
            assert_eq!(status, expected, "{text:?} in {query}");
        }
        let _ = send(&fixture, get(&format!("/victims?name=in.({nasty})")));
        if !text.contains('\0') {
            assert_eq!(
                send(&fixture, get(&format!("/victims/{nasty}"))),
                404,
                "{text:?} as a key"
            );
        }
        assert_eq!(
            send(&fixture, ask("POST", "/victims").json(&json!({*text: 1}))),
            400,
            "{text:?} as a member"
        );
        assert_eq!(
            send(
                &fixture,
                get("/victims").header("Prefer", &format!("count={}", text.escape_debug()))
            ),
            200
        );
    }
    assert_eq!(get("/victims").of(&fixture.table("victims", json!({}))).ids(), [1, 2]);
}

#[test]
fn values_are_stored_as_they_are() {
    let fixture = Fixture::new(VICTIMS);
    let table = fixture.table("victims", json!({}));
    for text in NASTY.iter().filter(|text| !text.contains('\0')) {
        let inserted = ask("POST", "/victims").json(&json!({"name": text})).of(&table);
        let row = inserted.field("location").unwrap().to_owned();
        assert_eq!(get(&row).of(&table).json()["name"], json!(text));
        let found = get(&format!("/victims?name=eq.{}", encoded(text))).of(&table);
        assert_eq!(found.json().as_array().unwrap().len(), 1, "{text:?}");
        let deleted = ask("DELETE", &format!("/victims?name=eq.{}", encoded(text))).of(&table);
        assert_eq!(deleted.status, 204);
    }
    assert_eq!(get("/victims").of(&table).ids(), [1, 2]);
}

#[test]
fn names_of_a_schema_are_quoted() {
    for text in NASTY.iter().filter(|text| !text.contains('\0')) {
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let name = format!("t{text}");
        let sql = format!(
            "CREATE TABLE {} (id INTEGER PRIMARY KEY, {} TEXT CHECK ({} <> 'bad'));",
            quoted(&name),
            quoted(&format!("c{text}")),
            quoted(&format!("c{text}")),
        );
        let fixture = Fixture::new(&sql);
        let table = fixture.table(&name, json!({}));
        let column = format!("c{text}");
        let row = json!({&*column: "good"});
        let inserted = ask("POST", "/t")
            .json(&row)
            .header("Prefer", "return=representation")
            .of(&table);
        assert_eq!(inserted.json()[&column], json!("good"), "{text:?}");
        // In a query, a name with reserved characters stands in quotes.
        let quotable = column.replace('\\', "\\\\").replace('"', "\\\"");
        let encoded = encoded(&format!("\"{quotable}\""));
        let target = format!("/t?{encoded}=eq.good&select=id,{encoded}&order={encoded}.desc");
        if !text.contains(',') {
            assert_eq!(get(&target).of(&table).ids(), [1], "{text:?}");
        }
        assert_eq!(
            ask("PATCH", "/t/1").json(&json!({&*column: "bad"})).of(&table).code,
            "invalid_content"
        );
        assert_eq!(ask("DELETE", &format!("/t?{encoded}=eq.good")).of(&table).status, 204);
    }
}

/// Pieces of the grammar, and of what doesn't belong into it.
const PIECES: &[&str] = &[
    "id",
    "name",
    "select",
    "order",
    "limit",
    "offset",
    "=",
    "=",
    "&",
    "&",
    ".",
    ",",
    "(",
    ")",
    "\"",
    "\\",
    "*",
    "%25",
    "%",
    "_",
    "+",
    "not.",
    "eq.",
    "neq.",
    "gt.",
    "lte.",
    "like.",
    "ilike.",
    "in.(",
    "is.",
    "null",
    "true",
    "asc",
    "desc",
    "nullslast",
    "1",
    "-1",
    "9223372036854775808",
    "1e999",
    "%C3%BC",
    "%ff",
    "'",
    ";",
    "--",
    "[",
    "]",
    "?",
];

#[test]
fn any_query_is_answered_or_refused() {
    let fixture = Fixture::new(VICTIMS);
    let table = fixture.table("victims", json!({}));
    let queries = proptest::collection::vec(proptest::sample::select(PIECES), 0..16).prop_map(|pieces| pieces.concat());
    let mut runner = TestRunner::new(Config {
        cases: 2000,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&queries, |query| {
            let answer = get(&format!("/victims?{query}")).of(&table);
            assert!(
                matches!((answer.status, answer.code), (200, "") | (400, "bad_query")),
                "{query}: {answer:?}"
            );
            Ok(())
        })
        .unwrap();
}
