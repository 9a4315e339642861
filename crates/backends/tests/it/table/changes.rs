//! POST, PATCH and DELETE: every change wholly, or not at all.

use serde_json::{Value, json};

use super::{Fixture, HIRING, ask, get};

#[test]
fn one_row_is_inserted_and_gets_an_address() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({}));
    let row = json!({"topic_id": 1, "text": "\u{0}ü\"", "public": true, "weight": 0.1, "sketch": "/w==", "note": null});
    let answer = ask("POST", "/questions").json(&row).of(&table);
    assert_eq!((answer.status, answer.body.len()), (201, 0));
    assert_eq!(answer.field("location"), Some("/questions/5"));
    let stored = get("/questions/5").of(&table).json();
    assert_eq!(
        (&stored["text"], &stored["weight"], &stored["level"]),
        (&row["text"], &json!(0.1), &json!(1))
    );
    assert_eq!((&stored["sketch"], &stored["public"]), (&json!("/w=="), &json!(true)));
    let answer = ask("POST", "/questions?select=id,level")
        .json(&json!({"topic_id": 2, "text": "x", "level": 3.0}))
        .header("Prefer", "return=representation")
        .of(&table);
    assert_eq!(
        (answer.status, answer.field("preference-applied")),
        (201, Some("return=representation"))
    );
    assert_eq!(answer.json(), json!({"id": 6, "level": 3}));
    let scores = fixture.table("scores", json!({}));
    let row = json!({"interview": "x/y,ü", "question": 3, "points": 1});
    let answer = ask("POST", "/scores").json(&row).of(&scores);
    let location = answer.field("location").unwrap();
    assert_eq!(location, "/scores/x%2Fy%2C%C3%BC,3");
    assert_eq!(get(location).of(&scores).json(), row);
}

#[test]
fn many_rows_are_inserted_together_or_not_at_all() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("topics", json!({"max_affected": 3}));
    let rows = json!([{"name": "a"}, {"id": 10, "name": "b"}]);
    let answer = ask("POST", "/topics")
        .json(&rows)
        .header("Prefer", "return=representation")
        .of(&table);
    assert_eq!(
        (answer.json(), answer.field("location")),
        (json!([{"id": 3, "name": "a"}, {"id": 10, "name": "b"}]), None)
    );
    let one = ask("POST", "/topics").json(&json!([{"name": "c"}])).of(&table);
    assert_eq!((one.status, one.field("location")), (201, Some("/topics/11")));
    let broken = ask("POST", "/topics")
        .json(&json!([{"name": "d"}, {"name": "a"}]))
        .of(&table);
    broken.is_error("conflict", "`name`");
    assert_eq!(broken.status, 409);
    assert_eq!(get("/topics").of(&table).ids(), [1, 2, 3, 10, 11]);
    assert_eq!(get("/topics?name=eq.d").of(&table).ids(), [0; 0]);
    let many = ask("POST", "/topics").json(&json!([{}, {}, {}, {}])).of(&table);
    many.is_error("content_too_large", "3 rows");
}

#[test]
fn a_row_is_patched() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({}));
    let answer = ask("PATCH", "/questions/2")
        .json(&json!({"note": null, "level": 3}))
        .of(&table);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let row = get("/questions/2?select=note,level,text").of(&table).json();
    assert_eq!(row, json!({"note": null, "level": 3, "text": "Why are URIs simple?"}));
    let answer = ask("PATCH", "/questions/2?select=id,level")
        .header("Prefer", "return=representation")
        .header("Content-Type", "application/merge-patch+json; charset=utf-8");
    let mut with_body = answer;
    with_body.body = "{\"level\":1}".to_owned();
    assert_eq!(with_body.of(&table).json(), json!({"id": 2, "level": 1}));
    let nothing = ask("PATCH", "/questions/2?select=id").json(&json!({}));
    assert_eq!(
        nothing.header("Prefer", "return=representation").of(&table).json(),
        json!({"id": 2})
    );
    assert_eq!(ask("PATCH", "/questions/2").json(&json!({})).of(&table).status, 204);
    assert_eq!(ask("PATCH", "/questions/99").json(&json!({})).of(&table).status, 404);
    assert_eq!(
        ask("PATCH", "/questions/99")
            .json(&json!({"level": 1}))
            .of(&table)
            .status,
        404
    );
    assert_eq!(
        ask("PATCH", "/questions/2")
            .json(&json!([{"level": 1}]))
            .of(&table)
            .code,
        "bad_content"
    );
}

#[test]
fn a_row_is_deleted() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({}));
    let answer = ask("DELETE", "/questions/2").of(&table);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(ask("DELETE", "/questions/2").of(&table).code, "resource_not_found");
    let shown = ask("DELETE", "/questions/3?select=id")
        .header("Prefer", "return=representation")
        .of(&table);
    assert_eq!((shown.status, shown.json()), (200, json!({"id": 3})));
    assert_eq!(get("/questions").of(&table).ids(), [1, 4]);
}

#[test]
fn many_rows_are_changed_by_a_filter_within_the_limit() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({"max_affected": 2}));
    let before = get("/questions").of(&table).body;
    for (method, target, words) in [
        ("PATCH", "/questions", "needs a filter"),
        ("DELETE", "/questions", "needs a filter"),
        ("DELETE", "/questions?select=id", "needs a filter"),
        ("DELETE", "/questions?id=gt.0&limit=1", "`limit`"),
        ("DELETE", "/questions?id=gt.0&offset=1", "`offset`"),
        ("PATCH", "/questions?id=gt.0&order=id", "`order`"),
        ("DELETE", "/questions?leve=eq.1", "did you mean `level`?"),
    ] {
        let answer = ask(method, target).json(&json!({"note": "changed"})).of(&table);
        answer.is_error("bad_query", words);
    }
    for method in ["PATCH", "DELETE"] {
        let answer = ask(method, "/questions?id=gt.1")
            .json(&json!({"note": "changed"}))
            .of(&table);
        answer.is_error("too_many_rows", "more than 2 rows");
    }
    assert_eq!(get("/questions").of(&table).body, before);
    let patch = ask("PATCH", "/questions?level=eq.1&select=id").json(&json!({"note": "easy"}));
    let answer = patch.header("Prefer", "return=representation").of(&table);
    assert_eq!((answer.status, answer.ids()), (200, vec![1, 4]));
    assert_eq!(ask("DELETE", "/questions?note=eq.easy").of(&table).status, 204);
    assert_eq!(ask("DELETE", "/questions?note=eq.easy").of(&table).status, 204);
    assert_eq!(get("/questions").of(&table).ids(), [2, 3]);
}

#[test]
fn broken_rules_are_told_by_column_and_change_nothing() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({}));
    let with = |name: &str, value: Value| {
        let mut row = json!({"topic_id": 1, "text": "x"});
        row[name] = value;
        row
    };
    for (row, status, code, words) in [
        (with("id", json!(1)), 409, "conflict", "`id`"),
        (with("topic_id", json!(99)), 409, "conflict", "referred"),
        (
            json!({"topic_id": 1}),
            422,
            "invalid_content",
            "a value is needed in `text`",
        ),
        (
            with("text", json!(null)),
            422,
            "invalid_content",
            "a value is needed in `text`",
        ),
        (
            with("level", json!(4)),
            422,
            "invalid_content",
            "a check fails on `level`",
        ),
        (
            with("level", json!("high")),
            422,
            "invalid_content",
            "`level` takes an integer",
        ),
        (
            with("level", json!("1")),
            422,
            "invalid_content",
            "`level` takes an integer",
        ),
        (
            with("level", json!(1.5)),
            422,
            "invalid_content",
            "`level` takes an integer",
        ),
        (
            with("level", json!(u64::MAX)),
            422,
            "invalid_content",
            "`level` takes an integer",
        ),
        (
            with("level", json!(true)),
            422,
            "invalid_content",
            "`level` takes an integer",
        ),
        (with("text", json!(1)), 422, "invalid_content", "`text` takes a text"),
        (
            with("text", json!({"a": 1})),
            422,
            "invalid_content",
            "`text` takes a text",
        ),
        (
            with("public", json!(1)),
            422,
            "invalid_content",
            "`public` takes true or false",
        ),
        (with("sketch", json!("!")), 422, "invalid_content", "base64"),
        (with("length", json!(1)), 422, "invalid_content", "`length` is computed"),
        (
            with("levle", json!(1)),
            400,
            "bad_content",
            "`levle`; did you mean `level`?",
        ),
    ] {
        let answer = ask("POST", "/questions").json(&row).of(&table);
        assert_eq!(answer.status, status, "{row}: {answer:?}");
        answer.is_error(code, words);
    }
    let topics = fixture.table("topics", json!({}));
    ask("DELETE", "/topics/1")
        .of(&topics)
        .is_error("conflict", "still refer");
    ask("PATCH", "/topics/1")
        .json(&json!({"name": "SQL"}))
        .of(&topics)
        .is_error("conflict", "`name`");
    assert_eq!(get("/questions").of(&table).ids(), [1, 2, 3, 4]);
    assert_eq!(get("/topics").of(&topics).ids(), [1, 2]);
}

#[test]
fn bodies_are_json_of_limited_size() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("topics", json!({"max_body": "64"}));
    let send = |content_type: &'static str, body: &str| {
        let mut ask = ask("POST", "/topics").header("Content-Type", content_type);
        ask.body = body.to_owned();
        ask.of(&table)
    };
    assert_eq!(send("text/plain", "{}").status, 415);
    assert_eq!(send("", "{}").code, "unsupported_content_type");
    assert_eq!(send("application/merge-patch+json", "{}").status, 415);
    assert_eq!(
        send("application/json", &format!("{{\"name\":\"{}\"}}", "x".repeat(60))).status,
        413
    );
    for body in ["", "{", "{}{}", "1", "\"x\"", "null", "[1]", "[]", "[[]]", "\u{feff}{}"] {
        assert_eq!(send("application/json", body).code, "bad_content", "{body}");
    }
    // Half of a surrogate pair is no text (RFC 8259 §8.2).
    assert_eq!(send("application/json", "{\"name\":\"\\ud800\"}").status, 422);
    let deep = fixture.table("topics", json!({}));
    let mut ask = ask("POST", "/topics").header("Content-Type", "application/json");
    ask.body = "[".repeat(100_000);
    assert_eq!(ask.of(&deep).code, "bad_content");
    assert_eq!(get("/topics").of(&table).ids(), [1, 2]);
}

#[test]
fn a_strong_precondition_is_never_pretended() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("topics", json!({}));
    let tag = get("/topics/1").of(&table).field("etag").unwrap().to_owned();
    for method in ["PATCH", "DELETE"] {
        let answer = ask(method, "/topics/1")
            .json(&json!({"name": "x"}))
            .header("If-Match", &tag)
            .of(&table);
        assert_eq!((answer.status, answer.code), (412, "precondition_failed"));
    }
    let answer = ask("PATCH", "/topics/1")
        .json(&json!({"name": "x"}))
        .header("If-Match", "*")
        .of(&table);
    assert_eq!(answer.status, 204);
}

#[test]
fn rows_without_a_key_are_written_too() {
    let fixture = Fixture::new("CREATE TABLE log (line ANY); CREATE TABLE strict (n INTEGER, d TEXT) STRICT;");
    let table = fixture.table("log", json!({}));
    for line in [json!("b"), json!(1), json!(2.5), json!(true), json!(null)] {
        let answer = ask("POST", "/log").json(&json!({"line": line})).of(&table);
        assert_eq!((answer.status, answer.field("location")), (201, None));
    }
    let lines = json!([{"line": "b"}, {"line": 1}, {"line": 2.5}, {"line": 1}, {"line": null}]);
    assert_eq!(get("/log").of(&table).json(), lines);
    let answer = ask("POST", "/log")
        .json(&json!({}))
        .header("Prefer", "return=representation")
        .of(&table);
    assert_eq!(answer.json(), json!({"line": null}));
    let strict = fixture.table("strict", json!({}));
    assert_eq!(
        ask("POST", "/strict")
            .json(&json!({"n": 1, "d": "x"}))
            .of(&strict)
            .status,
        201
    );
}

#[test]
fn a_trigger_may_refuse() {
    let fixture = Fixture::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT);
         CREATE TRIGGER refuse BEFORE INSERT ON t WHEN new.a = 'secret' BEGIN SELECT raise(ABORT, 'inner text'); END;",
    );
    let answer = ask("POST", "/t")
        .json(&json!({"a": "secret"}))
        .of(&fixture.table("t", json!({})));
    answer.is_error("invalid_content", "a rule of the table");
    assert!(!answer.detail.contains("inner"));
}
