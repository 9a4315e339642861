//! What a change may demand of the row.

use portcullis_core::codes;
use portcullis_tables::change::{Change, Condition};
use portcullis_tables::tag;
use portcullis_tables::value::Value;

use super::shop::{Shop, shops};

fn if_match(shop: &Shop, resource: &str, change: Change, key: Value, field: &str) -> Change {
    let (place, _) = shop.api.resource(resource).unwrap();
    let condition = tag::if_match(&shop.api, place, &[key], field).unwrap();
    Change {
        single: true,
        condition,
        ..change
    }
}

fn tag_of(shop: &Shop, resource: &str, done: &super::shop::Done) -> String {
    let (place, _) = shop.api.resource(resource).unwrap();
    let hidden = &done.outcomes[done.changes.hidden].last;
    tag::strong(&shop.api, place, &hidden[..1], &hidden[1], Some("select"))
}

#[test]
fn a_version_is_matched_inside_of_the_statement() {
    for shop in shops() {
        let patch = || shop.update("orders", "id=eq.1", r#"{"note":"x"}"#);
        let first = tag_of(
            &shop,
            "orders",
            &shop.make(&shop.update("orders", "id=eq.1", "{}")).unwrap(),
        );
        let with = |field: &str| if_match(&shop, "orders", patch(), Value::Integer(1), field);
        let second = tag_of(&shop, "orders", &shop.make(&with(&first)).unwrap());
        assert_ne!(first, second, "{}", shop.engine);
        assert_eq!(shop.refused(&with(&first)), "precondition_failed", "{}", shop.engine);
        assert_eq!(shop.refused(&with("\"x\"")), "precondition_failed", "{}", shop.engine);
        assert_eq!(
            shop.refused(&with(&format!("W/{second}"))),
            "precondition_failed",
            "{}",
            shop.engine
        );
        // The tag of another row, of the same version.
        let other = tag_of(
            &shop,
            "orders",
            &shop.make(&shop.update("orders", "id=eq.2", r#"{"note":"x"}"#)).unwrap(),
        );
        assert_eq!(shop.refused(&with(&other)), "precondition_failed", "{}", shop.engine);
        shop.make(&with(&format!("{first}, {second}"))).unwrap();
        shop.make(&with("*")).unwrap();
        let nowhere = |field: &str| {
            let change = shop.update("orders", "id=eq.77", r#"{"note":"x"}"#);
            if_match(&shop, "orders", change, Value::Integer(77), field)
        };
        assert_eq!(shop.refused(&nowhere(&first)), "resource_not_found", "{}", shop.engine);
        assert_eq!(shop.refused(&nowhere("*")), "resource_not_found", "{}", shop.engine);
        let gone = if_match(
            &shop,
            "orders",
            shop.deletion("orders", "id=eq.2"),
            Value::Integer(2),
            &first,
        );
        assert_eq!(shop.refused(&gone), "precondition_failed", "{}", shop.engine);
        let gone = if_match(
            &shop,
            "orders",
            shop.deletion("orders", "id=eq.2"),
            Value::Integer(2),
            &other,
        );
        shop.make(&gone).unwrap();
    }
}

#[test]
fn a_version_may_be_a_time() {
    for shop in shops() {
        let made = shop
            .make(&shop.insertion("settings", "", r#"{"name":"a","value":"1"}"#, None))
            .unwrap();
        let first = tag_of(&shop, "settings", &made);
        let key = || Value::Text("a".to_owned());
        let patch = || shop.update("settings", "name=eq.a", r#"{"value":"2"}"#);
        let with = |field: &str| if_match(&shop, "settings", patch(), key(), field);
        let second = tag_of(&shop, "settings", &shop.make(&with(&first)).unwrap());
        assert_ne!(first, second, "{}", shop.engine);
        assert_eq!(shop.refused(&with(&first)), "precondition_failed", "{}", shop.engine);
        shop.make(&with(&second)).unwrap();
    }
}

#[test]
fn without_a_version_nothing_can_be_matched() {
    for shop in shops() {
        let (tags, _) = shop.api.resource("tags").unwrap();
        let refused = tag::if_match(&shop.api, tags, &[Value::Integer(1)], "\"a\"").unwrap_err();
        assert_eq!(refused.code(), &codes::PRECONDITION_FAILED);
        assert_eq!(
            tag::if_match(&shop.api, tags, &[Value::Integer(1)], "*").unwrap(),
            Condition::Present
        );
        let mut change = shop.deletion("tags", "id=eq.1");
        (change.single, change.condition) = (true, Condition::Version(vec![Value::Integer(1)]));
        assert_eq!(shop.refused(&change), "precondition_failed", "{}", shop.engine);
    }
}

#[test]
fn one_row_must_be_there() {
    for shop in shops() {
        for mut change in [
            shop.update("tags", "id=eq.9", r#"{"uses":1}"#),
            shop.deletion("tags", "id=eq.9"),
            shop.update("tags", "id=eq.9", "{}"),
        ] {
            change.single = true;
            assert_eq!(shop.refused(&change), "resource_not_found", "{}", shop.engine);
        }
    }
}
