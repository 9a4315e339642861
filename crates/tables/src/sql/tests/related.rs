//! Rows of related resources.

use super::check;

#[test]
fn one_related_row() {
    check(
        "orders",
        "select=id,customers(id,name,vip,settings)&order=id&limit=3",
        r#"[{"id":10,"customers":{"id":1,"name":"Ada","vip":true,
                "settings":{"theme":"dark","depth":{"n":5},"list":[10,20],"on":true,"none":null}}},
            {"id":11,"customers":{"id":1,"name":"Ada","vip":true,
                "settings":{"theme":"dark","depth":{"n":5},"list":[10,20],"on":true,"none":null}}},
            {"id":12,"customers":{"id":2,"name":"bob","vip":false,"settings":{"theme":"light"}}}]"#,
    );
    check(
        "orders",
        "select=id,invoices(number,issued)&order=id&limit=2",
        r#"[{"id":10,"invoices":{"number":"I-10","issued":"2026-02-05"}},{"id":11,"invoices":null}]"#,
    );
    check(
        "lines",
        "select=number,orders(id,customers(name))&order=order_id.desc&limit=1",
        r#"[{"number":1,"orders":{"id":12,"customers":{"name":"bob"}}}]"#,
    );
    check(
        "orders",
        "select=id,buyer:customers(who:name,created_at)&id=eq.12",
        r#"[{"id":12,"buyer":{"who":"bob","created_at":"2026-01-02T08:00:00.5+00:00"}}]"#,
    );
    check(
        "orders",
        "select=id,...customers(name,mail:email)&id=eq.12",
        r#"[{"id":12,"name":"bob","mail":null}]"#,
    );
}

#[test]
fn many_related_rows() {
    check(
        "customers",
        "select=id,orders(id,total,placed_at,note)&order=id",
        r#"[{"id":1,"orders":[{"id":10,"total":20,"placed_at":"2026-02-01T10:00:00","note":"first"},
                              {"id":11,"total":30.5,"placed_at":"2026-02-02T10:00:00","note":null}]},
            {"id":2,"orders":[{"id":12,"total":5.25,"placed_at":"2026-02-03T10:00:00.25","note":"a \"quoted\" note"}]},
            {"id":3,"orders":[{"id":13,"total":7,"placed_at":"2026-02-04T10:00:00","note":null}]},
            {"id":4,"orders":[]}]"#,
    );
    check(
        "customers",
        "select=id,orders(id)&orders.order=total.desc&orders.limit=1&id=in.(1,4)&order=id",
        r#"[{"id":1,"orders":[{"id":11}]},{"id":4,"orders":[]}]"#,
    );
    check(
        "customers",
        "select=id,orders(id)&orders.order=id&orders.limit=1&orders.offset=1&id=eq.1",
        r#"[{"id":1,"orders":[{"id":11}]}]"#,
    );
    check(
        "customers",
        "select=id,orders(id)&orders.total=gt.25&order=id&limit=2",
        r#"[{"id":1,"orders":[{"id":11}]},{"id":2,"orders":[]}]"#,
    );
    check(
        "customers",
        "select=id,orders(id,lines(number,products(name)),invoices(number))&id=eq.1&orders.id=eq.10&orders.lines.limit=2",
        r#"[{"id":1,"orders":[{"id":10,"lines":[{"number":1,"products":{"name":"Apple"}},
            {"number":2,"products":{"name":"Bread"}}],"invoices":{"number":"I-10"}}]}]"#,
    );
    check(
        "customers",
        "select=id,...orders(order_ids:id,state)&order=id&limit=1",
        r#"[{"id":1,"order_ids":[10,11],"state":["new","paid"]}]"#,
    );
}

#[test]
fn rows_related_through_a_table() {
    check(
        "orders",
        "select=id,tags(word)&order=id",
        r#"[{"id":10,"tags":[{"word":"urgent"},{"word":"gift"}]},{"id":11,"tags":[]},
            {"id":12,"tags":[{"word":"gift"}]},{"id":13,"tags":[]}]"#,
    );
}

#[test]
fn rows_without_related_ones_are_left_out() {
    check(
        "orders",
        "select=id,tags!inner(word)&tags.word=eq.gift&order=id",
        r#"[{"id":10,"tags":[{"word":"gift"}]},{"id":12,"tags":[{"word":"gift"}]}]"#,
    );
    check(
        "orders",
        "select=id,customers!inner(name)&customers.name=eq.Ada&order=id",
        r#"[{"id":10,"customers":{"name":"Ada"}},{"id":11,"customers":{"name":"Ada"}}]"#,
    );
    check(
        "orders",
        "select=id,customers(name)&customers.name=eq.Ada&order=id.desc&limit=1",
        r#"[{"id":13,"customers":null}]"#,
    );
    check(
        "lines",
        "select=order_id,orders!inner(customers!inner(name))&orders.customers.name=eq.bob",
        r#"[{"order_id":12,"orders":{"customers":{"name":"bob"}}}]"#,
    );
    check(
        "lines",
        "select=order_id,orders(customers!inner(name))&orders.customers.name=eq.bob&number=eq.1&order=order_id",
        r#"[{"order_id":10,"orders":null},{"order_id":11,"orders":null},{"order_id":12,"orders":{"customers":{"name":"bob"}}}]"#,
    );
    check("customers", "select=id,orders()&orders=is.null", r#"[{"id":4}]"#);
    check(
        "customers",
        "select=id,orders()&orders=not.is.null&order=id",
        r#"[{"id":1},{"id":2},{"id":3}]"#,
    );
}

#[test]
fn order_by_a_related_row() {
    check(
        "orders",
        "select=id,customers(name)&order=customers(name).desc,id.desc",
        r#"[{"id":12,"customers":{"name":"bob"}},{"id":13,"customers":{"name":"Cyd"}},
            {"id":11,"customers":{"name":"Ada"}},{"id":10,"customers":{"name":"Ada"}}]"#,
    );
}

#[test]
fn nothing_but_a_condition() {
    check("customers", "select=orders!inner()&order=id", "[{},{},{}]");
    check("orders", "select=customers!inner()&customers.name=eq.bob", "[{}]");
}
