//! What bodies are, and what is refused of them.

use super::*;
use crate::fixture;
use crate::schema::Engine;

fn api() -> Api {
    Api::new(fixture::schema(Engine::Postgres), fixture::exposed()).unwrap()
}

fn read(resource: &str, content_type: &str, body: &str) -> Result<Rows> {
    let api = api();
    let (place, _) = api.resource(resource).unwrap();
    parse_rows(&api, place, content_type, body.as_bytes(), None, false)
}

fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.to_owned()))
}

#[test]
fn all_forms_are_the_same_rows() {
    let expected = vec![
        vec![text("red, \"x\""), Some(Value::Integer(7))],
        vec![text(""), Some(Value::Null)],
    ];
    for (content_type, body) in [
        (
            "application/json",
            r#"[{"word":"red, \"x\"","id":7},{"id":null,"word":""}]"#,
        ),
        (
            "Application/JSON; charset=utf-8",
            r#" [ {"word" : "red, \u0022x\"" , "id":7.0} , {"word":"","id":null} ] "#,
        ),
        (
            "application/x-ndjson",
            "{\"word\":\"red, \\\"x\\\"\",\"id\":7}\n\r\n{\"word\":\"\",\"id\":null}\n",
        ),
        ("text/csv", "\u{feff}word,id\r\n\"red, \"\"x\"\"\",7\r\n\"\",\r\n"),
        ("text/csv; charset=utf-8", "word,id\n\"red, \"\"x\"\"\",7\n\"\",NULL"),
    ] {
        let rows = read("tags", content_type, body).unwrap();
        assert_eq!(rows.columns, [0, 1], "{content_type}");
        let ordered: Vec<Vec<Option<Value>>> = rows
            .rows
            .into_iter()
            .map(|row| row.into_iter().rev().collect())
            .collect();
        assert_eq!(ordered, expected, "{content_type}");
        assert!(!rows.is_one);
    }
    let form = read("tags", "application/x-www-form-urlencoded", "word=a+%26b&id=").unwrap();
    assert_eq!(
        (form.rows, form.is_one),
        (vec![vec![Some(Value::Null), text("a &b")]], true)
    );
    assert!(read("tags", "application/json", r#"{"word":"a"}"#).unwrap().is_one);
}

#[test]
fn the_order_of_members_has_no_part_in_the_shape() {
    let one = read("tags", "application/json", r#"{"id":1,"word":"a"}"#).unwrap();
    let other = read("tags", "application/json", r#"{"word":"a","id":1}"#).unwrap();
    assert_eq!(one, other);
}

#[test]
fn what_a_row_does_not_name_is_a_default() {
    let rows = read("tags", "application/json", r#"[{"word":"a"},{"id":1},{}]"#).unwrap();
    assert_eq!(rows.columns, [0, 1]);
    assert_eq!(
        rows.rows,
        [
            vec![None, text("a")],
            vec![Some(Value::Integer(1)), None],
            vec![None, None]
        ]
    );
}

#[test]
fn columns_that_are_named_are_all_that_is_read() {
    let api = api();
    let (tags, _) = api.resource("tags").unwrap();
    let columns = writable_columns(&api, tags, "word,\"id\"").unwrap();
    assert_eq!(columns, [1, 0]);
    let body = br#"[{"word":"a","other":1},{"id":2}]"#;
    let rows = |missing_default| parse_rows(&api, tags, "application/json", body, Some(&columns), missing_default);
    let null = || Some(Value::Null);
    let two = || Some(Value::Integer(2));
    assert_eq!(
        rows(false).unwrap().rows,
        [vec![null(), text("a")], vec![two(), null()]]
    );
    assert_eq!(rows(true).unwrap().rows, [vec![None, text("a")], vec![two(), None]]);
    for list in ["nothing", "id,id", "\"id"] {
        assert_eq!(
            writable_columns(&api, tags, list).unwrap_err().code(),
            &codes::BAD_QUERY,
            "{list}"
        );
    }
}

#[test]
fn what_is_no_document_is_refused() {
    for (content_type, body, code, detail) in [
        ("", "{}", &codes::UNSUPPORTED_CONTENT_TYPE, "the content must be"),
        (
            "text/plain",
            "{}",
            &codes::UNSUPPORTED_CONTENT_TYPE,
            "the content must be",
        ),
        ("application/json", "", &codes::BAD_CONTENT, "it is not JSON"),
        (
            "application/json",
            "{\"word\":}",
            &codes::BAD_CONTENT,
            "line 1, column 9",
        ),
        ("application/json", "{} {}", &codes::BAD_CONTENT, "it is not JSON"),
        (
            "application/json",
            "7",
            &codes::BAD_CONTENT,
            "a JSON object or an array",
        ),
        ("application/json", "[]", &codes::BAD_CONTENT, "no row"),
        (
            "application/json",
            "[1]",
            &codes::BAD_CONTENT,
            "item 0 is not an object",
        ),
        (
            "application/json",
            r#"{"word":"a","word":"b"}"#,
            &codes::BAD_CONTENT,
            "`word` is there twice",
        ),
        (
            "application/json",
            r#"{"wrod":"a"}"#,
            &codes::BAD_CONTENT,
            "did you mean `word`",
        ),
        (
            "application/x-ndjson",
            "{}\n{",
            &codes::BAD_CONTENT,
            "line 2 is not JSON",
        ),
        ("application/x-ndjson", "\n", &codes::BAD_CONTENT, "no row"),
        ("text/csv", "", &codes::BAD_CONTENT, "the line of names is missing"),
        ("text/csv", "word\n", &codes::BAD_CONTENT, "no row"),
        ("text/csv", "word,word\na,b", &codes::BAD_CONTENT, "there twice"),
        ("text/csv", "word,id\na", &codes::BAD_CONTENT, "line 2 has 1 fields"),
        ("text/csv", "word,\na,1", &codes::BAD_CONTENT, "empty one"),
        ("text/csv", "word\n\"a", &codes::BAD_CONTENT, "a quote without its end"),
        (
            "application/x-www-form-urlencoded",
            "word=a&word=b",
            &codes::BAD_CONTENT,
            "there twice",
        ),
        (
            "application/x-www-form-urlencoded",
            "word=%ff",
            &codes::BAD_CONTENT,
            "not UTF-8",
        ),
        (
            "application/json",
            r#"{"word":1}"#,
            &codes::INVALID_CONTENT,
            "`word` takes a text",
        ),
    ] {
        let error = read("tags", content_type, body).unwrap_err();
        assert_eq!(error.code(), code, "{content_type}: {body}");
        assert!(
            error.detail().unwrap_or_default().contains(detail),
            "{body}: {:?}",
            error.detail()
        );
    }
    let deep = format!("{{\"settings\":{}{}}}", "[".repeat(200), "]".repeat(200));
    assert_eq!(
        read("customers", "application/json", &deep).unwrap_err().code(),
        &codes::BAD_CONTENT
    );
}

#[test]
fn columns_that_nobody_writes_are_refused_and_hidden_ones_are_not_told_of() {
    for (resource, body, code, detail) in [
        (
            "orders",
            r#"{"lock_version":3}"#,
            &codes::INVALID_CONTENT,
            "`lock_version` is the row's version",
        ),
        (
            "kinds",
            r#"{"doubled":3}"#,
            &codes::INVALID_CONTENT,
            "`doubled` is computed",
        ),
        (
            "customers",
            r#"{"internal_note":"x"}"#,
            &codes::BAD_CONTENT,
            "there is no column `internal_note`",
        ),
        (
            "customers",
            r#"{"internal_not":"x"}"#,
            &codes::BAD_CONTENT,
            "there is no column `internal_not`",
        ),
    ] {
        let error = read(resource, "application/json", body).unwrap_err();
        assert_eq!(error.code(), code, "{body}");
        assert!(
            !error
                .detail()
                .unwrap_or_default()
                .contains("did you mean `internal_note`")
        );
        assert!(
            error.detail().unwrap_or_default().starts_with(detail),
            "{body}: {:?}",
            error.detail()
        );
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_its_place() {
    let body = r#"[{"a_date":"2026-02-30","a_tiny":3},{"a_tiny":300,"a/b~c":1}]"#;
    let error = read("kinds", "application/json", body).unwrap_err();
    assert_eq!(error.code(), &codes::BAD_CONTENT);
    let pointers: Vec<&str> = error
        .findings()
        .iter()
        .map(|finding| finding.pointer.as_str())
        .collect();
    assert_eq!(pointers, ["/0/a_date", "/1/a_tiny", "/1/a~1b~0c"]);
    let many = format!("[{}]", vec![r#"{"a_tiny":300}"#; 100].join(","));
    assert_eq!(
        read("kinds", "application/json", &many).unwrap_err().findings().len(),
        20
    );
}

#[test]
fn more_rows_than_one_request_may_change_are_refused() {
    for (content_type, body) in [
        ("application/json", format!("[{}]", vec!["{}"; 1001].join(","))),
        ("application/x-ndjson", "{}\n".repeat(1001)),
        ("text/csv", format!("id\n{}", "1\n".repeat(1001))),
    ] {
        assert_eq!(
            read("tags", content_type, &body).unwrap_err().code(),
            &codes::CONTENT_TOO_LARGE,
            "{content_type}"
        );
    }
}

#[test]
fn a_put_has_the_key_of_its_address() {
    let api = api();
    let (lines, _) = api.resource("lines").unwrap();
    let key = [Value::Integer(1), Value::Integer(2)];
    let values = with_key(&api, lines, &key, vec![(1, Value::Integer(2)), (3, Value::Integer(5))]).unwrap();
    assert_eq!(
        values,
        [(1, Value::Integer(2)), (3, Value::Integer(5)), (0, Value::Integer(1))]
    );
    let other = with_key(&api, lines, &key, vec![(1, Value::Integer(3))]).unwrap_err();
    assert_eq!(
        (other.code(), other.findings()[0].pointer.as_str()),
        (&codes::INVALID_CONTENT, "/number")
    );
}

#[test]
fn patches_are_objects_and_forms() {
    let api = api();
    let (tags, _) = api.resource("tags").unwrap();
    let read = |content_type: &str, body: &str| parse_values(&api, tags, content_type, body.as_bytes());
    let expected = vec![(1, Value::Text("a".to_owned()))];
    assert_eq!(
        read("application/merge-patch+json", r#"{"word":"a"}"#).unwrap(),
        expected
    );
    assert_eq!(read("application/x-www-form-urlencoded", "word=a").unwrap(), expected);
    assert_eq!(read("application/json", "{}").unwrap(), []);
    assert_eq!(
        read("application/json", "[{}]").unwrap_err().code(),
        &codes::BAD_CONTENT
    );
    assert_eq!(
        read("text/csv", "word\na").unwrap_err().code(),
        &codes::UNSUPPORTED_CONTENT_TYPE
    );
}
