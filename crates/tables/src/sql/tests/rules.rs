//! Rules are in every statement, wherever the resource is read in it.

use serde_json::json;

use super::engines::{ENGINES, api, run};
use super::{answer, question};
use crate::query::{Comparison, Embed, Field, Filter, Item, Read, Test};
use crate::sql::{self, RowForm};
use crate::value::Value;

fn embed(read: &mut Read, place: usize) -> &mut Embed {
    match &mut read.items[place] {
        Item::Embed(embed) => embed,
        other => panic!("{other:?} is no embed"),
    }
}

fn least(column: usize, value: i64) -> Option<Filter> {
    let test = Test::Compare(Comparison::GreaterOrEqual, Value::Integer(value));
    Some(Filter::Test {
        field: Field::of(column),
        test,
    })
}

/// What no row passes: the rule of a caller for whom there is none.
fn nothing() -> Option<Filter> {
    Some(Filter::Or(Vec::new()))
}

#[test]
fn of_the_resource_itself() {
    for engine in ENGINES {
        // Whatever a filter says, the rule holds beside it.
        let mut read = question(engine, "orders", "select=id&or=(id.eq.10,id.gt.0)&order=id");
        read.rule = least(0, 13);
        assert_eq!(
            answer(engine, &read, RowForm::Json),
            json!([{"id": 13.0}]),
            "{engine:?}"
        );
        read.rule = nothing();
        assert_eq!(answer(engine, &read, RowForm::Json), json!([]), "{engine:?}");
        let counted = sql::count(api(engine), &read, 10).expect("the engine can do it");
        let number = run(engine, &counted).expect("it runs").first.remove(0);
        assert!(
            matches!(&number, Value::Integer(0)) || number == Value::Text("0".to_owned()),
            "{number:?}"
        );
    }
}

#[test]
fn of_related_rows() {
    for engine in ENGINES {
        let mut read = question(
            engine,
            "orders",
            "select=id,customers(id),lines(number),tags(id)&id=eq.10",
        );
        embed(&mut read, 1).read.rule = nothing();
        embed(&mut read, 2).read.rule = least(1, 3);
        embed(&mut read, 3).read.rule = least(0, 2);
        let expected = json!([{"id": 10.0, "customers": null, "lines": [{"number": 3.0}], "tags": [{"id": 2.0}]}]);
        assert_eq!(answer(engine, &read, RowForm::Json), expected, "{engine:?}");
        // The table between has one of its own.
        embed(&mut read, 3).read.rule = None;
        embed(&mut read, 3).through_rule = least(1, 2);
        assert_eq!(answer(engine, &read, RowForm::Json), expected, "{engine:?}");
        embed(&mut read, 3).inner = true;
        embed(&mut read, 3).through_rule = nothing();
        assert_eq!(answer(engine, &read, RowForm::Json), json!([]), "{engine:?}");
    }
}

#[test]
fn of_rows_that_are_only_looked_for() {
    for engine in ENGINES {
        for query in [
            "select=id,customers!inner(id)",
            "select=id,customers!inner()",
            "select=id,lines()&lines=not.is.null",
            "select=id,lines!inner()",
        ] {
            let mut read = question(engine, "orders", query);
            embed(&mut read, 1).read.rule = nothing();
            assert_eq!(answer(engine, &read, RowForm::Json), json!([]), "{engine:?} {query}");
        }
    }
}

#[test]
fn of_members_of_a_union_and_of_groups() {
    for engine in ENGINES {
        let mut read = question(engine, "orders", "select=id&union=archived_orders&order=id");
        read.rule = least(0, 13);
        let union = read.union.as_mut().expect("a union");
        union.members[0].rule = least(0, 2);
        assert_eq!(
            answer(engine, &read, RowForm::Json),
            json!([{"id": 2.0}, {"id": 13.0}]),
            "{engine:?}"
        );
        let mut read = question(engine, "customers", "select=id,orders(state,count())&id=eq.1");
        embed(&mut read, 1).read.rule = nothing();
        assert_eq!(
            answer(engine, &read, RowForm::Json),
            json!([{"id": 1.0, "orders": []}]),
            "{engine:?}"
        );
    }
}
