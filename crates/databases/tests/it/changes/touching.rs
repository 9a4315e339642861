//! Rows that change, and rows that go.

use super::shop::{same, shops};

#[test]
fn rows_of_a_filter_change() {
    for shop in shops() {
        let done = shop
            .make(&shop.update(
                "orders",
                "customer=eq.Ada&select=id,state,lock_version",
                r#"{"state":"sent"}"#,
            ))
            .unwrap();
        let expected = r#"[{"id":1,"state":"sent","lock_version":2},{"id":2,"state":"sent","lock_version":2}]"#;
        assert_eq!(done.body(), same(expected), "{}", shop.engine);
        shop.holds(
            "orders",
            "id=eq.3&select=state,lock_version",
            r#"[{"state":"new","lock_version":1}]"#,
        );
        // Values that are there already count as changed rows too.
        let done = shop.make(&shop.update("tags", "word=eq.red", r#"{"uses":1}"#)).unwrap();
        assert_eq!(done.rows(), 1, "{}", shop.engine);
        let done = shop
            .make(&shop.update("tags", "word=eq.none", r#"{"uses":1}"#))
            .unwrap();
        assert_eq!(done.rows(), 0, "{}", shop.engine);
    }
}

#[test]
fn a_key_may_change() {
    for shop in shops() {
        let change = shop.update(
            "order_lines",
            "order_id=eq.1&number=eq.2&select=order_id,number,product",
            r#"{"number":8}"#,
        );
        let done = shop.make(&change).unwrap();
        assert_eq!(
            done.body(),
            same(r#"[{"order_id":1,"number":8,"product":"ink"}]"#),
            "{}",
            shop.engine
        );
        assert_eq!(done.hidden(), ["1", "8"], "{}", shop.engine);
    }
}

#[test]
fn a_patch_of_nothing_shows_the_rows() {
    for shop in shops() {
        let done = shop
            .make(&shop.update("orders", "id=eq.1&select=id,lock_version", "{}"))
            .unwrap();
        assert_eq!(done.body(), same(r#"[{"id":1,"lock_version":1}]"#), "{}", shop.engine);
    }
}

#[test]
fn changed_rows_show_related_ones() {
    for shop in shops() {
        let query = "id=in.(1,2)&select=id,order_lines(product)";
        let done = shop.make(&shop.update("orders", query, r#"{"note":"x"}"#)).unwrap();
        let expected = r#"[{"id":1,"order_lines":[{"product":"pen"},{"product":"ink"}]},{"id":2,"order_lines":[]}]"#;
        assert_eq!(done.body(), same(expected), "{}", shop.engine);
        let done = shop
            .make(&shop.deletion("order_lines", "product=eq.ink&select=product,orders(customer)"))
            .unwrap();
        assert_eq!(
            done.body(),
            same(r#"[{"product":"ink","orders":{"customer":"Ada"}}]"#),
            "{}",
            shop.engine
        );
        shop.holds("order_lines", "product=eq.ink", "[]");
    }
}

#[test]
fn rows_go_and_are_shown_once_more() {
    for shop in shops() {
        let done = shop.make(&shop.deletion("tags", "uses=gte.1&select=word")).unwrap();
        assert_eq!(
            done.body(),
            same(r#"[{"word":"red"},{"word":"blue"}]"#),
            "{}",
            shop.engine
        );
        shop.holds("tags", "", "[]");
        assert_eq!(
            shop.refused(&shop.deletion("orders", "id=eq.1")),
            "conflict",
            "{}",
            shop.engine
        );
    }
}

#[test]
fn a_table_without_a_key_changes_too() {
    for shop in shops() {
        assert_eq!(
            shop.make(&shop.update("loose", "word=eq.a", r#"{"uses":9}"#))
                .unwrap()
                .rows(),
            1,
            "{}",
            shop.engine
        );
        shop.holds(
            "loose",
            "select=word,uses&order=word",
            r#"[{"word":"a","uses":9},{"word":"b","uses":2}]"#,
        );
        assert_eq!(
            shop.make(&shop.deletion("loose", "word=eq.a&select=word"))
                .unwrap()
                .body(),
            same(r#"[{"word":"a"}]"#)
        );
    }
}

#[test]
fn too_many_rows_are_none() {
    for shop in shops() {
        let mut change = shop.update("orders", "id=gt.0", r#"{"note":"x"}"#);
        change.max_affected = 2;
        assert_eq!(shop.refused(&change), "too_many_rows", "{}", shop.engine);
        let mut change = shop.deletion("order_lines", "number=gt.0");
        change.max_affected = 2;
        assert_eq!(shop.refused(&change), "too_many_rows", "{}", shop.engine);
        shop.holds("orders", "note=not.is.null", "[]");
        shop.holds(
            "order_lines",
            "select=number&order=number",
            r#"[{"number":1},{"number":1},{"number":2}]"#,
        );
    }
}
