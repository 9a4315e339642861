//! Values on their way in and out again.

use super::shop::{same, shops};

const ROW: &str = r#"{"id":7,"a_boolean":true,"a_big":9007199254740993,"a_real":1.5,"a_text":"ü'\"\\ %_","some_bytes":"AP+A",
    "a_date":"2026-01-31","a_timestamp":"2026-01-31T12:30:00.25","a_moment":"2026-01-31T12:30:00+01:00","a_json":{"a":[1,null,"x"]}}"#;

#[test]
fn values_come_back_as_they_were() {
    for shop in shops() {
        let two = format!("[{ROW},{}]", ROW.replace("\"id\":7", "\"id\":8"));
        shop.make(&shop.insertion("kinds", "", &two, None)).unwrap();
        let row = ROW.replace("\"id\":7", "\"id\":9");
        let shown = "select=id,a_boolean,a_real,a_text,some_bytes,a_date,a_json";
        let done = shop.make(&shop.insertion("kinds", shown, &row, None)).unwrap();
        let expected = r#"{"id":9,"a_boolean":true,"a_real":1.5,"a_text":"ü'\"\\ %_","some_bytes":"AP+A","a_date":"2026-01-31","a_json":{"a":[1,null,"x"]}}"#;
        assert_eq!(done.body(), same(&format!("[{expected}]")), "{}", shop.engine);
        for id in [7, 8, 9] {
            let expected = expected.replace("\"id\":9", &format!("\"id\":{id}"));
            shop.holds("kinds", &format!("id=eq.{id}&{shown}"), &format!("[{expected}]"));
        }
        // All digits of a large integer, on all ways.
        let found = shop
            .make(&shop.update("kinds", "a_big=eq.9007199254740993", r#"{"a_text":null}"#))
            .unwrap();
        assert_eq!(found.rows(), 3, "{}", shop.engine);
        if shop.engine != "sqlite" {
            shop.holds(
                "kinds",
                "id=eq.8&select=a_timestamp,a_moment",
                r#"[{"a_timestamp":"2026-01-31T12:30:00.25","a_moment":"2026-01-31T11:30:00+00:00"}]"#,
            );
        }
    }
}

#[test]
fn decimals_lose_no_digit() {
    for shop in shops() {
        let written = match shop.engine {
            "sqlite" => r#""12345678901234567890.12345678901234567891""#,
            _ => "12345678901234567890.12345678901234567891",
        };
        let rows = format!("[{{\"id\":1,\"a_decimal\":{written}}},{{\"id\":2,\"a_decimal\":{written}}}]");
        shop.make(&shop.insertion("kinds", "", &rows, None)).unwrap();
        let found = shop.make(&shop.update(
            "kinds",
            "a_decimal=eq.12345678901234567890.12345678901234567891",
            r#"{"a_text":"x"}"#,
        ));
        assert_eq!(found.unwrap().rows(), 2, "{}", shop.engine);
    }
}
