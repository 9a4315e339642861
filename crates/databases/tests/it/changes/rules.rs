//! Which rows a caller may change, and into what.

use portcullis_tables::change::Change;

use super::shop::{Shop, shops};

/// The change, by somebody who sees Ada's orders only.
fn by_ada(shop: &Shop, change: Change) -> Change {
    Change {
        rule: shop.filter("orders", "owner=eq.ada"),
        ..change
    }
}

#[test]
fn rows_that_the_caller_does_not_see_do_not_change() {
    for shop in shops() {
        let done = shop
            .make(&by_ada(&shop, shop.update("orders", "id=gt.0", r#"{"note":"x"}"#)))
            .unwrap();
        assert_eq!(done.rows(), 2, "{}", shop.engine);
        shop.holds(
            "orders",
            "note=not.is.null&select=id&order=id",
            r#"[{"id":1},{"id":2}]"#,
        );
        let mut change = by_ada(&shop, shop.deletion("orders", "id=eq.3"));
        change.single = true;
        assert_eq!(shop.refused(&change), "resource_not_found", "{}", shop.engine);
        let mut change = by_ada(&shop, shop.update("orders", "id=eq.3", r#"{"note":"x"}"#));
        change.single = true;
        assert_eq!(shop.refused(&change), "resource_not_found", "{}", shop.engine);
    }
}

#[test]
fn nobody_gives_a_row_away() {
    for shop in shops() {
        for change in [
            shop.update("orders", "id=eq.1", r#"{"owner":"bob"}"#),
            shop.update("orders", "id=gt.0", r#"{"owner":null}"#),
            shop.insertion("orders", "", r#"{"customer":"x","owner":"bob"}"#, None),
            shop.insertion(
                "orders",
                "",
                r#"[{"customer":"x","owner":"ada"},{"customer":"x"}]"#,
                None,
            ),
            shop.put("orders", "1", "", r#"{"customer":"x","owner":"bob"}"#),
            shop.put("orders", "77", "", r#"{"customer":"x","owner":"bob"}"#),
        ] {
            let code = shop.refused(&by_ada(&shop, change));
            assert!(
                matches!(code, "forbidden" | "invalid_content"),
                "{}: {code}",
                shop.engine
            );
        }
        shop.holds("orders", "owner=eq.ada&select=id&order=id", r#"[{"id":1},{"id":2}]"#);
        let one = shop.insertion("orders", "select=id,owner", r#"{"customer":"x","owner":"ada"}"#, None);
        shop.make(&by_ada(&shop, one)).unwrap();
    }
}

#[test]
fn a_row_that_is_not_seen_can_not_be_taken_over() {
    for shop in shops() {
        let row = r#"[{"id":3,"customer":"mine","owner":"ada"}]"#;
        for change in [
            shop.insertion("orders", "select=id", row, Some((&["id"], true))),
            shop.insertion("orders", "", row, Some((&["id"], true))),
            shop.put("orders", "3", "", r#"{"customer":"mine","owner":"ada"}"#),
        ] {
            assert_eq!(shop.refused(&by_ada(&shop, change)), "forbidden", "{}", shop.engine);
        }
        let left = shop.insertion("orders", "select=id", row, Some((&["id"], false)));
        assert_eq!(shop.make(&by_ada(&shop, left)).unwrap().rows(), 0, "{}", shop.engine);
        shop.holds(
            "orders",
            "id=eq.3&select=customer,owner",
            r#"[{"customer":"Bob","owner":"bob"}]"#,
        );
        let merged = shop.insertion(
            "orders",
            "select=id,note",
            r#"[{"id":1,"customer":"Ada","note":"y"}]"#,
            Some((&["id"], true)),
        );
        assert_eq!(shop.make(&by_ada(&shop, merged)).unwrap().rows(), 1, "{}", shop.engine);
    }
}

#[test]
fn a_key_that_the_column_rounds_hides_no_change_from_the_rule() {
    for shop in shops() {
        let by_ada = |change: Change| Change {
            rule: shop.filter("prices", "owner=eq.ada"),
            ..change
        };
        for query in ["amount=eq.1.00", "amount=gt.0"] {
            let given_away = by_ada(shop.update("prices", query, r#"{"amount":1.239,"owner":"bob"}"#));
            assert_eq!(shop.refused(&given_away), "forbidden", "{}", shop.engine);
        }
        let put = by_ada(shop.put("prices", "3.339", "", r#"{"owner":"bob"}"#));
        assert_eq!(shop.refused(&put), "forbidden", "{}", shop.engine);
        shop.holds("prices", "owner=eq.ada&select=amount", r#"[{"amount":1.00}]"#);
        let moved = by_ada(shop.update("prices", "amount=eq.1.00", r#"{"amount":1.25}"#));
        shop.make(&moved).unwrap();
        shop.holds("prices", "owner=eq.ada&select=amount", r#"[{"amount":1.25}]"#);
    }
}
