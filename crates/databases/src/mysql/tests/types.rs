//! Each type, there and back.

use super::{Type, Value, ask, columns, database, read, statement, step, write};

/// A column's declaration, a value for it, what it holds, and the value in JSON.
type Case = (&'static str, Value, Type, &'static str);

#[tokio::test]
async fn numbers_come_back_as_they_were_given() {
    let text = |text: &str| Value::Text(text.to_owned());
    let int = |bytes, unsigned| Type::Integer { bytes, unsigned };
    come_back(&[
        ("BOOLEAN", Value::Boolean(true), Type::Boolean, "true"),
        ("BIT(1)", Value::Boolean(false), Type::Boolean, "false"),
        ("BIT(12)", Value::Integer(2049), int(8, true), "2049"),
        ("TINYINT", Value::Integer(-128), int(1, false), "-128"),
        ("SMALLINT UNSIGNED", Value::Integer(65_535), int(2, true), "65535"),
        ("MEDIUMINT", Value::Integer(-8_388_608), int(3, false), "-8388608"),
        ("INT", Value::Integer(i64::from(i32::MIN)), int(4, false), "-2147483648"),
        (
            "BIGINT",
            Value::Integer(i64::MIN),
            int(8, false),
            "-9223372036854775808",
        ),
        (
            "BIGINT UNSIGNED",
            text("18446744073709551615"),
            int(8, true),
            "18446744073709551615",
        ),
        ("YEAR", Value::Integer(2026), int(2, true), "2026"),
        ("FLOAT", Value::Real(0.1), Type::Real, "0.1"),
        ("DOUBLE", Value::Real(1.0e-300), Type::Real, "1e-300"),
        (
            "DECIMAL(40,20)",
            text("12345678901234567890.12345678901234567890"),
            Type::Decimal,
            "12345678901234567890.12345678901234567890",
        ),
    ])
    .await;
}

#[tokio::test]
async fn texts_and_times_come_back_as_they_were_given() {
    let text = |text: &str| Value::Text(text.to_owned());
    come_back(&[
        ("CHAR(5)", text("ab"), Type::Text, "\"ab\""),
        (
            "VARCHAR(50)",
            text("ü 🦀 \"quoted\" \\ back ' ? :name"),
            Type::Text,
            "\"ü 🦀 \\\"quoted\\\" \\\\ back ' ? :name\"",
        ),
        ("LONGTEXT", text("long"), Type::Text, "\"long\""),
        (
            "VARBINARY(9)",
            Value::Bytes(vec![0, 255, 39, 92]),
            Type::Bytes,
            "\"AP8nXA==\"",
        ),
        ("LONGBLOB", Value::Bytes(vec![0xc3]), Type::Bytes, "\"ww==\""),
        ("DATE", text("2026-01-31"), Type::Date, "\"2026-01-31\""),
        ("TIME(3)", text("-100:02:03.450"), Type::Time, "\"-100:02:03.45\""),
        (
            "DATETIME(6)",
            text("2026-01-31 12:30:00.000001"),
            Type::Timestamp,
            "\"2026-01-31T12:30:00.000001\"",
        ),
        (
            "TIMESTAMP",
            text("2026-01-31 12:30:00"),
            Type::Moment,
            "\"2026-01-31T12:30:00+00:00\"",
        ),
        (
            "JSON",
            Value::Json("{\"a\": [1, null]}".to_owned()),
            Type::Json { binary: false },
            "{\"a\": [1, null]}",
        ),
        (
            "ENUM('new','it''s')",
            text("it's"),
            Type::Enumeration(vec!["new".to_owned(), "it's".to_owned()]),
            "\"it's\"",
        ),
        ("SET('a','b')", text("a,b"), Type::Text, "\"a,b\""),
        (
            "UUID",
            text("6f9619ff-8b86-d011-b42d-00c04fc964ff"),
            Type::Uuid,
            "\"6f9619ff-8b86-d011-b42d-00c04fc964ff\"",
        ),
        ("INET6", text("2001:db8::1"), Type::Other, "\"2001:db8::1\""),
    ])
    .await;
}

async fn come_back(cases: &[Case]) {
    let list: Vec<_> = cases
        .iter()
        .enumerate()
        .map(|(at, (kind, ..))| format!("c{at} {kind} NULL"))
        .collect();
    let database = database(&format!(
        "CREATE TABLE sample (id INT PRIMARY KEY, {})",
        list.join(", ")
    ));
    let marks = vec!["?"; cases.len()].join(", ");
    let insert = |id: i64, values: Vec<Value>| step(&format!("INSERT INTO sample VALUES ({id}, {marks})"), values);
    let values = cases.iter().map(|(_, value, ..)| value.clone()).collect();
    let nothing = vec![Value::Null; cases.len()];
    write(&database, vec![insert(1, values), insert(2, nothing)])
        .await
        .unwrap();
    let schema = database.schema();
    for (at, (declared, value, kind, expected)) in cases.iter().enumerate() {
        assert_eq!(&schema.relations()[0].columns[at + 1].kind, kind, "{declared}");
        let outputs = columns(&[("v", kind.clone())], 0, false);
        let rows = format!("SELECT c{at} FROM sample ORDER BY id");
        let body = read(&database, statement(&rows, vec![], outputs.clone()))
            .await
            .unwrap();
        assert_eq!(body, format!("[{{\"v\":{expected}}},{{\"v\":null}}]"), "{declared}");
        // What was given finds the row again; a number with a binary point is none that can be compared so.
        if !matches!(declared, &"FLOAT" | &"JSON") {
            let rows = format!("SELECT c{at} FROM sample WHERE c{at} = ?");
            let body = read(&database, statement(&rows, vec![value.clone()], outputs))
                .await
                .unwrap();
            assert_eq!(body, format!("[{{\"v\":{expected}}}]"), "{declared}");
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_never_bent() {
    let database = database("CREATE TABLE sample (day DATE, letter CHAR(1), small TINYINT, price DECIMAL(4,2))");
    let text = |text: &str| Value::Text(text.to_owned());
    for (column, value) in [
        ("day", text("2026-02-30")),
        ("day", text("0000-00-00")),
        ("letter", text("ab")),
        ("small", Value::Integer(128)),
        ("price", text("100")),
        ("small", text("1x")),
    ] {
        let insert = step(&format!("INSERT INTO sample ({column}) VALUES (?)"), vec![value]);
        let error = write(&database, vec![insert]).await.unwrap_err();
        assert_eq!(super::code(&error), "invalid_content", "{column}");
    }
    assert_eq!(ask(&database, "SELECT COUNT(*) FROM sample"), "0");
}

#[tokio::test]
async fn aggregated_json_is_whole() {
    let database = database("CREATE TABLE sample (id INT); INSERT INTO sample SELECT seq FROM seq_1_to_200000");
    let outputs = columns(&[("v", Type::Json { binary: false })], 0, false);
    let body = read(
        &database,
        statement("SELECT JSON_ARRAYAGG(id) FROM sample", vec![], outputs),
    )
    .await
    .unwrap();
    let value: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(value[0]["v"].as_array().unwrap().len(), 200_000);
}
