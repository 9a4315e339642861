//! Computations over groups.

use super::{check, check_on};

#[test]
fn of_all_rows() {
    check(
        "lines",
        "select=count(),quantity.sum(),price.avg(),quantity.min(),top:quantity.max()",
        r#"[{"count":5,"sum":13,"avg":5.2,"min":1,"top":5}]"#,
    );
    check(
        "lines",
        "select=quantity.sum(),count()&order_id=eq.99",
        r#"[{"sum":null,"count":0}]"#,
    );
    check("customers", "select=email.count()", r#"[{"count":3}]"#);
}

#[test]
fn of_groups() {
    check(
        "lines",
        "select=product_id,n:count(),quantity.sum()&order=product_id",
        r#"[{"product_id":100,"n":1,"sum":5},{"product_id":101,"n":2,"sum":4},{"product_id":102,"n":2,"sum":4}]"#,
    );
    check(
        "lines",
        "select=product_id,n:count()&having=(n.gt.1)&order=n.desc,product_id.desc",
        r#"[{"product_id":102,"n":2},{"product_id":101,"n":2}]"#,
    );
    check(
        "customers",
        "select=theme:settings->>theme,n:count()&order=n.desc",
        r#"[{"theme":null,"n":2},{"theme":"dark","n":1},{"theme":"light","n":1}]"#,
    );
    check_on(
        "pm",
        "lines",
        "select=total:price.sum()::text,order_id&order=order_id&limit=1",
        r#"[{"total":"13.50","order_id":10}]"#,
    );
}

#[test]
fn with_related_rows() {
    check(
        "orders",
        "select=total.sum(),customers(name)&order=sum.desc",
        r#"[{"sum":50.5,"customers":{"name":"Ada"}},{"sum":7,"customers":{"name":"Cyd"}},
            {"sum":5.25,"customers":{"name":"bob"}}]"#,
    );
    check(
        "orders",
        "select=total.sum(),...customers(name)&order=sum.desc&limit=2",
        r#"[{"sum":50.5,"name":"Ada"},{"sum":7,"name":"Cyd"}]"#,
    );
    check(
        "customers",
        "select=id,orders(total.sum(),count())&order=id&limit=2",
        r#"[{"id":1,"orders":[{"sum":50.5,"count":2}]},{"id":2,"orders":[{"sum":5.25,"count":1}]}]"#,
    );
    check_on(
        "spm",
        "customers",
        "select=id,orders(state,count())&orders.order=state&id=eq.1",
        r#"[{"id":1,"orders":[{"state":"new","count":1},{"state":"paid","count":1}]}]"#,
    );
}
