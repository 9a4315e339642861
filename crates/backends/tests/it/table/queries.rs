//! What can be asked of a collection and of a row.

use serde_json::json;

use super::{Fixture, HIRING, ask, get};

#[test]
fn a_collection_is_an_array_in_the_order_of_keys() {
    let fixture = Fixture::new(HIRING);
    let answer = get("/questions").of(&fixture.table("questions", json!({})));
    assert_eq!(
        (answer.status, answer.field("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(answer.field("content-range"), Some("0-3/*"));
    assert_eq!(
        answer.json()[0],
        json!({
            "id": 1, "topic_id": 1, "level": 1, "text": "What is REST?", "public": true, "weight": 1.5,
            "sketch": "AP8=", "note": null, "length": 13
        })
    );
    assert_eq!(answer.ids(), [1, 2, 3, 4]);
    let answer = get("/scores").of(&fixture.table("scores", json!({})));
    assert_eq!(answer.json()[0]["points"].to_string(), "9007199254740993");
    let answer = get("/questions?id=eq.99").of(&fixture.table("questions", json!({})));
    assert_eq!((answer.json(), answer.field("content-range")), (json!([]), Some("*/*")));
}

#[test]
fn filters_choose_rows() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({}));
    for (query, expected) in [
        ("level=eq.1", &[1, 4][..]),
        ("level=neq.1", &[2, 3]),
        ("level=gt.1", &[2, 3]),
        ("level=gte.2&level=lt.3", &[2]),
        ("level=lte.2", &[1, 2, 4]),
        ("level=gt.1.5", &[2, 3]),
        ("level=not.eq.1", &[2, 3]),
        ("text=like.What*", &[1, 3]),
        ("text=like.*is_a*", &[3, 4]),
        ("text=ilike.what%25", &[1, 3, 4]),
        ("text=not.ilike.*JOIN*", &[1, 2, 3]),
        (r"note=like.50\%25\_\*", &[3]),
        (r"note=ilike.*\%25\_*", &[3]),
        ("note=eq.ask+late", &[2]),
        ("note=eq.ask%20late", &[2]),
        ("id=in.(1,3,99)", &[1, 3]),
        ("id=not.in.(1,3)", &[2, 4]),
        ("id=in.()", &[]),
        ("note=in.(\"a,b\",x)", &[4]),
        ("note=is.null", &[1]),
        ("note=not.is.null", &[2, 3, 4]),
        ("public=is.true", &[1, 3]),
        ("public=is.false", &[2, 4]),
        ("public=eq.true", &[1, 3]),
        ("sketch=eq.AP8%3D", &[1]),
        ("weight=gte.1.5", &[1, 3]),
        ("length=gt.16", &[2, 3]),
        ("topic_id=eq.2&level=eq.1", &[4]),
        ("", &[1, 2, 3, 4]),
    ]
    .map(|(query, expected)| (query.replace('\\', "%5C").replace('"', "%22"), expected))
    {
        assert_eq!(
            get(&format!("/questions?{query}")).of(&table).ids(),
            expected,
            "{query}"
        );
    }
}

#[test]
fn rows_are_ordered_and_shown_in_part() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({"max_rows": 3}));
    for (query, expected, range) in [
        ("order=level.desc,text", &[3, 2, 1][..], "0-2/*"),
        ("order=level", &[1, 4, 2], "0-2/*"),
        ("order=weight.desc.nullsfirst", &[2, 4, 3], "0-2/*"),
        ("order=weight.nullslast", &[1, 3, 2], "0-2/*"),
        ("limit=2", &[1, 2], "0-1/*"),
        ("limit=2&offset=1", &[2, 3], "1-2/*"),
        ("offset=3", &[4], "3-3/*"),
        ("limit=100", &[1, 2, 3], "0-2/*"),
        ("limit=0", &[], "*/*"),
        ("offset=10000", &[], "*/*"),
    ] {
        let answer = get(&format!("/questions?{query}")).of(&table);
        assert_eq!(
            (answer.ids(), answer.field("content-range")),
            (expected.to_vec(), Some(range)),
            "{query}"
        );
    }
    let answer = get("/questions?select=text,id&limit=1").of(&table);
    assert_eq!(answer.body, br#"[{"text":"What is REST?","id":1}]"#);
}

#[test]
fn all_rows_are_counted_when_asked() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({"max_rows": 2}));
    for (query, range) in [
        ("", "0-1/4"),
        ("?level=eq.1&limit=1", "0-0/2"),
        ("?id=eq.9", "*/0"),
        ("?offset=9", "*/4"),
    ] {
        let answer = get(&format!("/questions{query}"))
            .header("Prefer", "count=exact")
            .of(&table);
        assert_eq!(answer.field("content-range"), Some(range), "{query}");
        assert_eq!(answer.field("preference-applied"), Some("count=exact"));
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({}));
    let mut others = Vec::new();
    for (query, words) in [
        ("levle=eq.1", "`levle`; did you mean `level`?"),
        ("salary=eq.1", "`salary`"),
        ("selct=id", "`selct`"),
        ("offset=10001", "10000 rows"),
        ("level=1", "none of the operators"),
        ("level=", "none of the operators"),
        ("level", "none of the operators"),
        ("level=eq", "`level`"),
        ("level=eqq.1", "did you mean `eq`?"),
        ("level=eq.high", "`level`: `high` is not an integer"),
        ("public=eq.maybe", "true or false"),
        ("sketch=eq.!!", "base64"),
        ("level=is.1", "`is` takes"),
        ("level=in.1,2", "`(` is expected"),
        ("level=in.(1,x)", "`x` is not an integer"),
        ("select=id,txet", "did you mean `text`?"),
        ("order=txet.desc", "did you mean `text`?"),
        ("order=id.down", "`down`"),
        ("limit=-1", "`limit`"),
        ("limit=1&limit=2", "twice"),
        ("offset=x", "`offset`"),
        ("level=eq.%ff", "percent-encoding"),
    ] {
        let answer = get(&format!("/questions?{query}")).of(&table);
        if answer.code != "bad_query" || !answer.detail.contains(words) {
            others.push((query, answer.code, answer.detail));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
    let many = format!("/questions?{}", ["level=eq.1"; 65].join("&"));
    get(&many).of(&table).is_error("bad_query", "64");
    let pattern = "*a".repeat(2049);
    get(&format!("/questions?text=like.{pattern}"))
        .of(&table)
        .is_error("bad_query", "4096");
    let list = vec!["1"; 1001].join(",");
    get(&format!("/questions?id=in.({list})"))
        .of(&table)
        .is_error("bad_query", "1000");
}

#[test]
fn a_row_has_an_address() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({}));
    assert_eq!(
        get("/questions/3?select=text").of(&table).json(),
        json!({"text": "What is a B-tree?"})
    );
    let scores = fixture.table("scores", json!({}));
    assert_eq!(
        get("/scores/c,2?select=points").of(&scores).json(),
        json!({"points": 5})
    );
    assert_eq!(
        get("/scores/a%2Cb,1?select=question").of(&scores).json(),
        json!({"question": 1})
    );
    for path in [
        "/questions/99",
        "/questions/x",
        "/questions/1.0",
        "/questions/1/2",
        "/questions/",
        "/questions/1%2C2",
    ] {
        let answer = get(path).of(&table);
        assert_eq!((answer.status, answer.code), (404, "resource_not_found"), "{path}");
    }
    for path in ["/scores/c", "/scores/c,2,3", "/scores/a,b,1", "/scores/c,x"] {
        assert_eq!(get(path).of(&scores).status, 404, "{path}");
    }
    get("/questions/3?level=eq.1")
        .of(&table)
        .is_error("bad_query", "`level`");
    get("/questions/3?limit=1").of(&table).is_error("bad_query", "`limit`");
    let views = fixture.table("counts", json!({}));
    assert_eq!(get("/counts/1").of(&views).status, 404);
    assert_eq!(
        get("/counts?questions=gt.1&order=topic_id.desc")
            .of(&views)
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn an_unchanged_answer_is_not_sent_again() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({}));
    for target in ["/questions", "/questions/1"] {
        let first = get(target).of(&table);
        let tag = first.field("etag").unwrap();
        assert!(tag.starts_with("W/\""));
        for known in [tag, &tag[2..], "*", &format!("\"x\", {tag}")] {
            let again = get(target).header("If-None-Match", known).of(&table);
            assert_eq!(
                (again.status, again.body.len(), again.field("etag")),
                (304, 0, Some(tag))
            );
        }
        let patch = ask("PATCH", "/questions/1").json(&json!({"note": target})).of(&table);
        assert_eq!(patch.status, 204);
        let changed = get(target).header("If-None-Match", tag).of(&table);
        assert_eq!(changed.status, 200);
        assert_ne!(changed.field("etag"), Some(tag));
    }
}

#[test]
fn head_tells_what_get_would_send() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({"methods": ["GET"]}));
    for target in ["/questions", "/questions/1"] {
        let (get, head) = (get(target).of(&table), ask("HEAD", target).of(&table));
        assert_eq!(
            (head.status, head.body.len(), head.field("etag")),
            (200, 0, get.field("etag"))
        );
        assert_eq!(head.field("content-length"), Some(get.body.len().to_string().as_str()));
    }
}

#[test]
fn methods_are_told_and_kept() {
    let fixture = Fixture::new(HIRING);
    let all = "GET, HEAD, OPTIONS, POST, PATCH, DELETE";
    for (table, settings, path, allow) in [
        ("questions", json!({}), "/questions", all),
        (
            "questions",
            json!({}),
            "/questions/1",
            "GET, HEAD, OPTIONS, PUT, PATCH, DELETE",
        ),
        (
            "questions",
            json!({"methods": ["GET", "POST"]}),
            "/questions",
            "GET, HEAD, OPTIONS, POST",
        ),
        (
            "questions",
            json!({"methods": ["GET", "POST"]}),
            "/questions/1",
            "GET, HEAD, OPTIONS",
        ),
        ("counts", json!({}), "/counts", "GET, HEAD, OPTIONS"),
    ] {
        let table = fixture.table(table, settings);
        let options = ask("OPTIONS", path).of(&table);
        assert_eq!((options.status, options.field("allow")), (204, Some(allow)));
        assert_eq!(options.field("accept-patch").is_some(), allow.contains("PATCH"));
        for method in ["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "TRACE", "FOO"] {
            if !allow.contains(method) {
                let answer = ask(method, path).of(&table);
                assert_eq!(
                    (answer.status, answer.field("allow")),
                    (405, Some(allow)),
                    "{method} {path}"
                );
            }
        }
    }
}

#[test]
fn columns_that_the_route_leaves_out_do_not_exist() {
    let fixture = Fixture::new(HIRING);
    let table = fixture.table("questions", json!({"columns": ["id", "text"]}));
    assert_eq!(
        get("/questions/1").of(&table).json(),
        json!({"id": 1, "text": "What is REST?"})
    );
    for query in ["level=eq.1", "select=level", "order=level"] {
        get(&format!("/questions?{query}"))
            .of(&table)
            .is_error("bad_query", "there is no column `level`");
    }
    let change = ask("PATCH", "/questions/1").json(&json!({"level": 2})).of(&table);
    change.is_error("bad_content", "there is no column `level`");
    // The rule that is broken is of a hidden column, which the answer must not name.
    let insert = ask("POST", "/questions").json(&json!({"text": "x"})).of(&table);
    insert.is_error("invalid_content", "a value is needed in a column");
    let keyless = fixture.table("questions", json!({"columns": ["text"]}));
    assert_eq!(get("/questions/1").of(&keyless).status, 404);
    assert_eq!(
        get("/questions?limit=1").of(&keyless).json(),
        json!([{"text": "What is REST?"}])
    );
}
