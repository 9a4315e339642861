//! New rows.

use super::shop::{same, shops};

#[test]
fn one_row_gets_its_defaults_and_tells_its_key() {
    for shop in shops() {
        let done = shop
            .make(&shop.insertion(
                "orders",
                "select=id,customer,state,total,paid,note",
                r#"{"customer":"Eve","total":1.25}"#,
                None,
            ))
            .unwrap();
        let expected = r#"[{"id":4,"customer":"Eve","state":"new","total":1.25,"paid":false,"note":null}]"#;
        assert_eq!(done.body(), same(expected), "{}", shop.engine);
        assert_eq!(done.hidden(), ["4", "1"], "{}", shop.engine);
        let done = shop
            .make(&shop.insertion("tags", "", r#"{"word":"green"}"#, None))
            .unwrap();
        assert_eq!(
            (done.rows(), done.hidden()),
            (1, vec!["3".to_owned()]),
            "{}",
            shop.engine
        );
        assert!(done.outcomes[done.changes.answer].body.is_empty(), "{}", shop.engine);
    }
}

#[test]
fn several_rows_are_one_change() {
    for shop in shops() {
        let rows =
            r#"[{"customer":"Eve","note":"a"},{"customer":"Joe","state":null},{"customer":"Sam","state":"gone"}]"#;
        let done = shop
            .make(&shop.insertion("orders", "select=customer,state,note", rows, None))
            .unwrap();
        // A member that is null is NULL; one that is not there is the column's default.
        let expected = r#"[{"customer":"Eve","state":"new","note":"a"},{"customer":"Joe","state":null,"note":null},
            {"customer":"Sam","state":"gone","note":null}]"#;
        assert_eq!(done.body(), same(expected), "{}", shop.engine);
        assert_eq!(done.rows(), 3);
        // The last one breaks a rule of the table, so none is there.
        let rows = r#"[{"order_id":1,"number":7,"product":"a"},{"order_id":1,"number":1,"product":"b"}]"#;
        assert_eq!(
            shop.refused(&shop.insertion("order_lines", "", rows, None)),
            "conflict",
            "{}",
            shop.engine
        );
        shop.holds("order_lines", "order_id=eq.1&number=eq.7", "[]");
    }
}

#[test]
fn a_hundred_rows_keep_their_order() {
    for shop in shops() {
        let rows: Vec<String> = (0..40)
            .map(|number| format!("{{\"word\":\"w{number}\",\"uses\":{number}}}"))
            .collect();
        let done = shop
            .make(&shop.insertion("tags", "select=word", &format!("[{}]", rows.join(",")), None))
            .unwrap();
        let expected: Vec<String> = (0..40).map(|number| format!("{{\"word\":\"w{number}\"}}")).collect();
        assert_eq!(
            done.body(),
            same(&format!("[{}]", expected.join(","))),
            "{}",
            shop.engine
        );
    }
}

#[test]
fn rows_of_nothing_are_all_defaults() {
    for shop in shops() {
        let done = shop
            .make(&shop.insertion("loose", "select=word,uses", "{}", None))
            .unwrap();
        assert_eq!(done.body(), same(r#"[{"word":null,"uses":null}]"#), "{}", shop.engine);
        shop.make(&shop.insertion("loose", "", "[{},{}]", None)).unwrap();
        shop.holds(
            "loose",
            "word=is.null&select=word",
            r#"[{"word":null},{"word":null},{"word":null}]"#,
        );
    }
}

#[test]
fn rows_that_are_there_are_merged_or_left() {
    for shop in shops() {
        let rows = r#"[{"word":"red","uses":7},{"word":"green","uses":8}]"#;
        let done = shop
            .make(&shop.insertion("tags", "select=word,uses", rows, Some((&["word"], true))))
            .unwrap();
        assert_eq!(
            done.body(),
            same(r#"[{"word":"red","uses":7},{"word":"green","uses":8}]"#),
            "{}",
            shop.engine
        );
        let rows = r#"[{"word":"red","uses":9},{"word":"pink","uses":9}]"#;
        let done = shop
            .make(&shop.insertion("tags", "select=word,uses", rows, Some((&["word"], false))))
            .unwrap();
        assert_eq!(done.body(), same(r#"[{"word":"pink","uses":9}]"#), "{}", shop.engine);
        shop.holds(
            "tags",
            "select=word,uses&order=word",
            r#"[{"word":"blue","uses":2},{"word":"green","uses":8},{"word":"pink","uses":9},{"word":"red","uses":7}]"#,
        );
        // By the primary key, with a version that counts on.
        let rows = r#"[{"id":1,"customer":"Ada","note":"merged"},{"id":9,"customer":"New"}]"#;
        let change = shop.insertion(
            "orders",
            "select=id,note,state,lock_version",
            rows,
            Some((&["id"], true)),
        );
        let expected = r#"[{"id":1,"note":"merged","state":"new","lock_version":2},{"id":9,"note":null,"state":"new","lock_version":1}]"#;
        assert_eq!(shop.make(&change).unwrap().body(), same(expected), "{}", shop.engine);
    }
}

#[test]
fn new_rows_show_related_ones() {
    for shop in shops() {
        let rows = r#"[{"order_id":1,"number":5,"product":"cap"},{"order_id":3,"number":5,"product":"cap"}]"#;
        let done = shop
            .make(&shop.insertion("order_lines", "select=number,orders(customer)", rows, None))
            .unwrap();
        let expected = r#"[{"number":5,"orders":{"customer":"Ada"}},{"number":5,"orders":{"customer":"Bob"}}]"#;
        assert_eq!(done.body(), same(expected), "{}", shop.engine);
    }
}

#[test]
fn what_breaks_a_rule_of_the_table_is_refused() {
    for shop in shops() {
        for (resource, rows, code) in [
            ("tags", r#"{"word":"red"}"#, "conflict"),
            ("tags", r#"{"uses":1}"#, "invalid_content"),
            ("order_lines", r#"{"order_id":99,"number":1,"product":"x"}"#, "conflict"),
            (
                "order_lines",
                r#"{"order_id":1,"number":9,"product":"x","quantity":0}"#,
                "invalid_content",
            ),
        ] {
            assert_eq!(
                shop.refused(&shop.insertion(resource, "", rows, None)),
                code,
                "{}: {rows}",
                shop.engine
            );
        }
    }
}

#[test]
fn rows_that_are_left_may_give_different_columns_or_are_refused() {
    for shop in shops() {
        let rows = r#"[{"word":"red","uses":7},{"word":"green"}]"#;
        let change = shop.insertion("tags", "select=word,uses", rows, Some((&["word"], false)));
        if shop.engine == "mariadb" {
            assert_eq!(shop.refused(&change), "bad_query");
        } else {
            let done = shop.make(&change).unwrap();
            assert_eq!(done.body(), same(r#"[{"word":"green","uses":0}]"#), "{}", shop.engine);
        }
    }
}
