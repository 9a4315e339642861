//! Rules of the file, bound to callers.

use portcullis_core::Consumer;
use serde_json::json;

use super::told::tell_filter;
use super::{POSTGRES, shop};
use crate::api::{Api, ExposedRule};
use crate::grammar::{Caller, read, rule};

fn caller(roles: &[&str], claims: serde_json::Value) -> Consumer {
    let mut consumer = Consumer::new("ada", "test");
    consumer.roles = roles.iter().map(|role| Box::from(*role)).collect();
    if let serde_json::Value::Object(claims) = claims {
        consumer.claims = claims;
    }
    consumer
}

fn told(api: &Api, name: &str, consumer: Option<&Consumer>) -> String {
    let (place, resource) = api.resource(name).expect("it is there");
    match rule(api, place, &Caller { consumer }) {
        None => "all".to_owned(),
        Some(filter) => tell_filter(&resource.relation, &[], &filter),
    }
}

#[test]
fn the_first_rule_for_the_caller_decides() {
    let nobody = json!({});
    for (consumer, expected) in [
        (Some(caller(&["admin"], nobody.clone())), "all"),
        (Some(caller(&["clerk", "admin"], nobody.clone())), "all"),
        (Some(caller(&["clerk"], nobody.clone())), "state NotEqual 'gone'"),
        (Some(caller(&[], json!({"sub": "ada"}))), "owner Equal 'ada'"),
        (
            Some(caller(&["guest"], json!({"sub": "x' or 1=1"}))),
            "owner Equal 'x' or 1=1'",
        ),
        // What is missing, or is no value, lets nothing through.
        (Some(caller(&[], nobody)), "()"),
        (Some(caller(&[], json!({"sub": null}))), "()"),
        (Some(caller(&[], json!({"sub": ["ada"]}))), "()"),
        (Some(caller(&[], json!({"sub": {"a": 1}}))), "()"),
        (None, "()"),
    ] {
        assert_eq!(told(&POSTGRES, "orders", consumer.as_ref()), expected, "{consumer:?}");
    }
    assert_eq!(told(&POSTGRES, "tags", None), "all");
}

#[test]
fn nobody_is_let_in_by_a_rule_for_others() {
    let api = shop(|exposed| {
        exposed.resources[0].1.rules = vec![ExposedRule {
            roles: vec!["clerk".to_owned()],
            scopes: vec!["read".to_owned()],
            rows: None,
        }];
    });
    assert_eq!(told(&api, "customers", None), "()");
    let mut consumer = caller(&["clerk"], json!({}));
    assert_eq!(told(&api, "customers", Some(&consumer)), "()");
    consumer.scopes = vec!["read".into()].into();
    assert_eq!(told(&api, "customers", Some(&consumer)), "all");
}

#[test]
fn facts_are_put_where_they_stand() {
    let claims = json!({
        "sub": "ada", "number": 7, "vip": true, "groups": ["a", "b,c"], "numbers": [1, 2], "mixed": [1, "x"],
        "deep": {"er": {"id": 5}}, "https://x.org/id": 9, "pattern": "50%_*\\",
    });
    let consumer = caller(&[], claims);
    for (rows, expected) in [
        ("owner=eq.{consumer}", "owner Equal 'ada'"),
        ("name=eq.x-{claims.sub}-{claims.number}", "name Equal 'x-ada-7'"),
        ("id=eq.{claims.number}", "id Equal 7"),
        ("vip=eq.{claims.vip}", "vip Equal true"),
        ("id=gt.{claims.deep.er.id}", "id Greater 5"),
        ("id=eq.{claims.https://x.org/id}", "id Equal 9"),
        ("id=not.eq.{claims.number}", "!id Equal 7"),
        ("owner=in.{claims.groups}", "owner in ['a','b,c']"),
        ("owner=in.{claims.sub}", "owner in ['ada']"),
        ("id=in.{claims.numbers}", "id in [1,2]"),
        ("owner=in.({claims.sub},x)", "owner in ['ada','x']"),
        ("owner=eq(any).{claims.groups}", "owner Equal Any ['a','b,c']"),
        ("name=like.{claims.pattern}*", "name like 50\\%\\_*\\\\%"),
        (
            "or=(owner.eq.{claims.sub},vip.is.true)",
            "(owner Equal 'ada' | vip is true)",
        ),
        ("not.and=(owner.eq.{claims.sub})", "!owner Equal 'ada'"),
        ("owner=eq.{claims.sub}&id=gt.5", "(owner Equal 'ada' & id Greater 5)"),
        ("internal_note=eq.a%26b+c", "internal_note Equal 'a&b+c'"),
        ("settings->>team=eq.{claims.sub}", "settings->>team Equal 'ada'"),
        ("name=eq.{other}", "name Equal '{other}'"),
        // A fact that doesn't fit makes all of the rule false, even under a negation or beside another way in.
        ("id=eq.{claims.sub}", "()"),
        ("id=not.eq.{claims.sub}", "()"),
        ("owner=eq.{claims.none}", "()"),
        ("owner=not.eq.{claims.none}", "()"),
        ("not.or=(owner.eq.{claims.none})", "()"),
        ("or=(owner.eq.{claims.none},vip.is.true)", "()"),
        ("owner=eq.{claims.groups}", "()"),
        ("id=in.{claims.mixed}", "()"),
        ("id=eq.{claims.deep}", "()"),
    ] {
        let api = shop(|exposed| {
            exposed.resources[0].1.rules = vec![ExposedRule {
                rows: Some(rows.to_owned()),
                ..ExposedRule::default()
            }];
        });
        assert_eq!(told(&api, "customers", Some(&consumer)), expected, "{rows}");
    }
}

#[test]
fn every_part_of_a_read_has_its_rule() {
    let consumer = caller(&[], json!({"sub": "ada"}));
    let caller = Caller {
        consumer: Some(&consumer),
    };
    let api = shop(|exposed| {
        for (name, resource) in &mut exposed.resources {
            if name == "order_tags" {
                resource.rules = vec![ExposedRule {
                    rows: Some("order_id=gt.5".to_owned()),
                    ..ExposedRule::default()
                }];
            }
        }
    });
    let resolved = |name: &str, query: &str| {
        let (place, _) = api.resource(name).expect("it is there");
        let read = read(&api, place, Some(query), &caller).expect("it can be read");
        let through = read.items.iter().find_map(|item| match item {
            crate::query::Item::Embed(embed) => embed.through_rule.clone(),
            _ => None,
        });
        (super::tell(&api, &read), through.is_some())
    };
    assert_eq!(
        resolved("customers", "select=id,orders(id)").0,
        "id,orders<* orders_customer_id_fkey>(id; rule owner Equal 'ada')"
    );
    assert!(resolved("tags", "select=id,orders(id)&id=eq.1").1);
    assert_eq!(
        resolved("archived_orders", "select=id&union=orders").0,
        "id; union all orders(id; rule owner Equal 'ada'; unlimited)"
    );
}
