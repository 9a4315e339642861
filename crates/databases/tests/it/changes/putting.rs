//! One row as a whole.

use portcullis_tables::change::{Change, Condition};
use portcullis_tables::sql::Made;

use super::shop::{Done, same, shops};

fn made(done: &Done) -> bool {
    match done.changes.made {
        Made::No => false,
        Made::Yes => true,
        Made::Unless(step) => done.outcomes[step].rows == 0,
    }
}

#[test]
fn a_row_is_made_or_replaced() {
    for shop in shops() {
        let put = |json: &str| shop.put("orders", "40", "select=id,customer,state,note,lock_version", json);
        let done = shop.make(&put(r#"{"customer":"Eve","note":"x"}"#)).unwrap();
        assert!(made(&done), "{}", shop.engine);
        let expected = r#"[{"id":40,"customer":"Eve","state":"new","note":"x","lock_version":1}]"#;
        assert_eq!(done.body(), same(expected), "{}", shop.engine);
        let done = shop.make(&put(r#"{"id":40,"customer":"Joe","state":"paid"}"#)).unwrap();
        assert!(!made(&done), "{}", shop.engine);
        // What is not given is the default again.
        let expected = r#"[{"id":40,"customer":"Joe","state":"paid","note":null,"lock_version":2}]"#;
        assert_eq!(done.body(), same(expected), "{}", shop.engine);
        assert_eq!(done.hidden(), ["40", "2"], "{}", shop.engine);
    }
}

#[test]
fn a_row_of_nothing_but_its_key_can_be_put() {
    for shop in shops() {
        assert!(
            made(&shop.make(&shop.put("settings", "a", "", "{}")).unwrap()),
            "{}",
            shop.engine
        );
        let done = shop
            .make(&shop.put("settings", "a", "select=name,weight", r#"{"weight":7}"#))
            .unwrap();
        assert_eq!(done.body(), same(r#"[{"name":"a","weight":7}]"#), "{}", shop.engine);
        let done = shop
            .make(&shop.put("settings", "a", "select=name,weight", "{}"))
            .unwrap();
        assert_eq!(done.body(), same(r#"[{"name":"a","weight":5}]"#), "{}", shop.engine);
    }
}

#[test]
fn a_row_whose_columns_are_all_of_its_key_can_be_put_twice() {
    for shop in shops() {
        for was_made in [true, false] {
            let done = shop.make(&shop.put("pairs", "1,2", "select=one,other", "{}")).unwrap();
            assert_eq!(
                (made(&done), done.body()),
                (was_made, same(r#"[{"one":1,"other":2}]"#)),
                "{}",
                shop.engine
            );
        }
    }
}

#[test]
fn a_put_may_make_only_or_replace_only() {
    for shop in shops() {
        let put = |key: &str, condition| Change {
            condition,
            ..shop.put("orders", key, "select=id,note", r#"{"customer":"Eve"}"#)
        };
        let done = shop.make(&put("50", Condition::Absent)).unwrap();
        assert_eq!(
            (made(&done), done.body()),
            (true, same(r#"[{"id":50,"note":null}]"#)),
            "{}",
            shop.engine
        );
        assert_eq!(
            shop.refused(&put("50", Condition::Absent)),
            "precondition_failed",
            "{}",
            shop.engine
        );
        let done = shop.make(&put("50", Condition::Present)).unwrap();
        assert_eq!((made(&done), done.rows()), (false, 1), "{}", shop.engine);
        assert_eq!(
            shop.refused(&put("51", Condition::Present)),
            "precondition_failed",
            "{}",
            shop.engine
        );
        let version = |number| Condition::Version(vec![portcullis_tables::value::Value::Integer(number)]);
        assert_eq!(
            shop.refused(&put("50", version(1))),
            "precondition_failed",
            "{}",
            shop.engine
        );
        shop.make(&put("50", version(2))).unwrap();
        assert_eq!(
            shop.refused(&put("51", version(1))),
            "precondition_failed",
            "{}",
            shop.engine
        );
        shop.holds(
            "orders",
            "id=gte.50&select=id,lock_version",
            r#"[{"id":50,"lock_version":3}]"#,
        );
    }
}

#[test]
fn a_put_shows_related_rows() {
    for shop in shops() {
        let done = shop
            .make(&shop.put(
                "order_lines",
                "1,1",
                "select=quantity,orders(customer)",
                r#"{"product":"cap"}"#,
            ))
            .unwrap();
        assert_eq!(
            done.body(),
            same(r#"[{"quantity":1,"orders":{"customer":"Ada"}}]"#),
            "{}",
            shop.engine
        );
    }
}
