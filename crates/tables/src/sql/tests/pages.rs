//! Orders, windows, cursors and counts.

use super::engines::{ENGINES, api, run};
use super::{answer, check, question};
use crate::query::{Cursor, Read};
use crate::schema::Engine;
use crate::sql::{self, RowForm};
use crate::value::Value;

#[test]
fn nulls_are_the_largest() {
    check(
        "customers",
        "select=id&order=email",
        r#"[{"id":3},{"id":4},{"id":1},{"id":2}]"#,
    );
    check(
        "customers",
        "select=id&order=email.desc",
        r#"[{"id":2},{"id":1},{"id":4},{"id":3}]"#,
    );
    check(
        "customers",
        "select=id&order=email.nullsfirst",
        r#"[{"id":2},{"id":3},{"id":4},{"id":1}]"#,
    );
    check(
        "customers",
        "select=id&order=email.desc.nullslast",
        r#"[{"id":1},{"id":4},{"id":3},{"id":2}]"#,
    );
    check(
        "customers",
        "select=id&order=vip.desc,id.desc",
        r#"[{"id":4},{"id":1},{"id":3},{"id":2}]"#,
    );
    check(
        "customers",
        "select=id&order=settings->>theme",
        r#"[{"id":1},{"id":2},{"id":3},{"id":4}]"#,
    );
    check(
        "lines",
        "select=order_id,number&order=quantity.desc&limit=3",
        r#"[{"order_id":10,"number":1},{"order_id":11,"number":1},{"order_id":10,"number":2}]"#,
    );
}

#[test]
fn windows() {
    check("customers", "select=id&order=id&limit=2", r#"[{"id":1},{"id":2}]"#);
    check(
        "customers",
        "select=id&order=id&limit=2&offset=1",
        r#"[{"id":2},{"id":3}]"#,
    );
    check("customers", "select=id&order=id&offset=3", r#"[{"id":4}]"#);
    check("customers", "select=id&limit=0", "[]");
}

#[test]
fn pages_by_cursors_meet() {
    for order in [
        "id",
        "id.desc",
        "email",
        "email.desc",
        "email.nullsfirst",
        "email.desc.nullslast",
        "vip.desc,name",
        "vip,email.desc",
        "created_at.desc",
        "balance,id.desc",
    ] {
        for engine in ENGINES {
            walk(engine, "customers", order);
        }
    }
    for order in [
        "quantity",
        "order_id,number.desc",
        "number.desc,order_id.desc",
        "price.desc",
    ] {
        for engine in ENGINES {
            walk(engine, "lines", order);
        }
    }
}

/// Goes through all rows one by one, and back, and sees each of them once.
fn walk(engine: Engine, resource: &str, order: &str) {
    let mut read = question(engine, resource, &format!("order={order}"));
    let all = answer(engine, &read, RowForm::Columns);
    let all = all.as_array().expect("rows");
    read.window.cursors = true;
    read.window.limit = Some(2);
    let mut places = Vec::new();
    let mut seen = Vec::new();
    loop {
        let (rows, first, last) = page(engine, &read);
        if rows.is_empty() {
            break;
        }
        seen.extend(rows);
        places.push(first);
        assert!(seen.len() <= all.len(), "{engine:?} {order}: {seen:?}");
        read.window.cursor = Some(Cursor {
            values: last,
            before: false,
        });
    }
    assert_eq!(&seen, all, "{engine:?} {resource} by {order}");
    let last = places.pop().expect("there are pages");
    read.window.cursor = Some(Cursor {
        values: last,
        before: true,
    });
    let mut back = Vec::new();
    loop {
        let (rows, first, _) = page(engine, &read);
        if rows.is_empty() {
            break;
        }
        back.splice(0..0, rows);
        read.window.cursor = Some(Cursor {
            values: first,
            before: true,
        });
    }
    assert_eq!(back, all[..back.len()], "{engine:?} {resource} by {order}, backwards");
    assert_eq!(
        back.len(),
        (all.len() - 1) / 2 * 2,
        "{engine:?} {resource} by {order}, backwards"
    );
}

fn page(engine: Engine, read: &Read) -> (Vec<serde_json::Value>, Vec<Value>, Vec<Value>) {
    let forms = if engine == Engine::Postgres {
        &[RowForm::Columns, RowForm::Json][..]
    } else {
        &[RowForm::Columns]
    };
    let mut pages = forms.iter().map(|form| {
        let statement = sql::read(api(engine), read, *form).expect("the engine can do it");
        let outcome = run(engine, &statement).unwrap_or_else(|failure| panic!("{failure}\n{}", statement.text));
        let rows = super::plain(serde_json::from_slice(&outcome.body).expect("rows"));
        let terms = sql::order_terms(api(engine), read);
        let values = |values: &[Value]| values.iter().take(terms).cloned().collect::<Vec<_>>();
        (
            rows.as_array().expect("rows").clone(),
            values(&outcome.first),
            values(&outcome.last),
        )
    });
    let page = pages.next().expect("a form");
    for other in pages {
        assert_eq!(page, other);
    }
    page
}

#[test]
fn counts() {
    for (resource, query, cap, expected) in [
        ("customers", "", 100, "4"),
        ("customers", "limit=1&vip=is.true", 100, "2"),
        ("customers", "", 2, "3"),
        ("lines", "select=product_id,count()", 100, "3"),
        ("customers", "select=id,orders!inner(id)", 100, "3"),
        ("orders", "select=id,invoices!inner(order_id)", 100, "2"),
        ("orders", "select=customer_id&union=archived_orders", 100, "6"),
    ] {
        for engine in ENGINES {
            let read = question(engine, resource, query);
            let statement = sql::count(api(engine), &read, cap).expect("the engine can do it");
            let outcome = run(engine, &statement).unwrap_or_else(|failure| panic!("{failure}\n{}", statement.text));
            let number = match &outcome.first[..] {
                [Value::Integer(number)] => number.to_string(),
                [Value::Text(number)] => number.clone(),
                other => panic!("{other:?}"),
            };
            assert_eq!(number, expected, "{engine:?} {resource}?{query}");
            let planned = sql::planned(api(engine), &read).expect("the engine can do it");
            run(engine, &planned).unwrap_or_else(|failure| panic!("{failure}\n{}", planned.text));
        }
    }
}

#[test]
fn something_is_there_or_not() {
    for engine in ENGINES {
        for (query, rows) in [("id=eq.1", 1), ("id=eq.9", 0)] {
            let read = question(engine, "customers", query);
            let filter = read.filter.as_ref().expect("a filter");
            let statement = sql::exists(api(engine), read.resource, &[filter]).expect("the engine can do it");
            assert_eq!(run(engine, &statement).expect("it runs").rows, rows, "{engine:?}");
        }
    }
}

#[test]
fn unions() {
    check(
        "orders",
        "select=$resource,id,total&union=archived_orders&order=total.desc,id&limit=4",
        r#"[{"$resource":"orders","id":11,"total":30.5},{"$resource":"archived_orders","id":2,"total":20},
            {"$resource":"orders","id":10,"total":20},{"$resource":"orders","id":13,"total":7}]"#,
    );
    check(
        "orders",
        "select=customer_id&union=distinct(archived_orders)&order=customer_id",
        r#"[{"customer_id":1},{"customer_id":2},{"customer_id":3}]"#,
    );
}
