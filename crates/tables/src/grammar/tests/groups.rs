//! Computations over groups, and unions.

use super::{POSTGRES, check, shop};

#[test]
fn rows_are_grouped_by_what_is_shown_beside() {
    check(
        &POSTGRES,
        &[
            ("orders?select=count()", "count=count(*)"),
            ("orders?select=count", "count=count(*)"),
            ("orders?select=cnt:count()", "cnt=count(*)"),
            ("orders?select=count()::text", "count=count(*)::Text"),
            ("orders?select=total.sum()", "sum=sum(total)"),
            (
                "orders?select=total.avg(),total.min(),total.max(),total.count()",
                "avg=avg(total),min=min(total),max=max(total),count=count(total)",
            ),
            (
                "orders?select=all:total.sum(),customer_id",
                "all=sum(total),customer_id",
            ),
            ("orders?select=total.sum()::text", "sum=sum(total)::Text"),
            ("orders?select=total::integer.sum()", "sum=sum(total::Integer)"),
            (
                "products?select=attributes->>n::integer.sum()::text",
                "sum=sum(attributes->>n::Integer)::Text",
            ),
            (
                "orders?select=n:total.sum(),customers(name)",
                "n=sum(total),customers<1 orders_customer_id_fkey>(name)",
            ),
            (
                "customers?select=name,orders(total.sum())",
                "name,orders<* orders_customer_id_fkey>(sum=sum(total))",
            ),
            (
                "customers?select=name,orders(count)",
                "name,orders<* orders_customer_id_fkey>(count=count(*))",
            ),
            (
                "lines?select=quantity.sum(),...orders(state,count())",
                "sum=sum(quantity),...orders<1 lines_order_id_fkey>(state,count=count(*))",
            ),
            (
                "orders?select=...lines(quantity.sum())",
                "! `select`: a computation can't be spread out of `lines`, of which there are several",
            ),
            (
                "customers?select=...orders(...customers(count()))",
                "! `select`: a computation can't be spread out of `orders`, of which there are several",
            ),
            (
                "tags?select=word.sum()",
                "! `select`: `sum` doesn't go with `word`, which holds a text; a cast may help",
            ),
            (
                "products?select=attributes->>n.sum()",
                "! `select`: `sum` doesn't go with `attributes`, which holds a text; a cast may help",
            ),
            (
                "customers?select=vip.max()",
                "! `select`: `max` doesn't go with `vip`, which holds true or false; a cast may help",
            ),
            (
                "orders?select=total.median()",
                "! `select`: `.median` is none of sum, avg, count, max, min, with `()`",
            ),
            ("orders?select=total.sum", "! `select`: `()` is missing at the end"),
            ("orders?select=total.sum(),total.sum()", "sum=sum(total)"),
            (
                "orders?select=total.sum(),id.sum()",
                "! `select`: `sum` would stand for two things; name one of them otherwise: NAME:sum",
            ),
        ],
    );
    let plain = shop(|exposed| {
        for (_, resource) in &mut exposed.resources {
            resource.aggregates = false;
        }
    });
    let refused = "! `select`: computations over rows are not allowed here";
    check(
        &plain,
        &[
            ("orders?select=count()", refused),
            ("orders?select=count", refused),
            ("orders?select=total.sum()", refused),
            ("customers?select=orders(total.sum())", refused),
        ],
    );
}

#[test]
fn groups_are_ordered_by_what_they_show() {
    check(
        &POSTGRES,
        &[
            (
                "orders?select=state,n:count()&order=n.desc,state",
                "state,n=count(*); order #n desc,#state",
            ),
            (
                "orders?select=s:state,count()&order=s",
                "s=state,count=count(*); order #s",
            ),
            (
                "orders?select=s:state,count()&order=state.desc",
                "s=state,count=count(*); order #s desc",
            ),
            (
                "orders?select=state,count()&order=total",
                "! `order`: groups can't be ordered by `total`, which is not in `select`",
            ),
            (
                "lines?select=number,...orders(count())&order=number",
                "number,...orders<1 lines_order_id_fkey>(count=count(*)); order #number",
            ),
            ("orders?select=state&order=n", "! `order`: there is no column `n`"),
        ],
    );
}

#[test]
fn groups_have_conditions() {
    check(
        &POSTGRES,
        &[
            (
                "orders?select=state,n:count()&having=(n.gt.10)",
                "state,n=count(*); having (#n Greater 10)",
            ),
            (
                "orders?select=s:total.sum(),n:count()&having=(n.gt.1,or(s.lt.5.5,s.not.eq.7))",
                "s=sum(total),n=count(*); having (#n Greater 1 & (#s Less 5.5 | !#s Equal 7))",
            ),
            (
                "orders?select=count()&having=(not.and(count.gt.1))",
                "count=count(*); having (!(#count Greater 1))",
            ),
            (
                "orders?select=d:placed_at.max()&having=(d.gt.2026-01-01)",
                "d=max(placed_at); having (#d Greater '2026-01-01')",
            ),
            (
                "orders?select=n:count()::text&having=(n.eq.5)",
                "n=count(*)::Text; having (#n Equal '5')",
            ),
            (
                "orders?select=count()&having=(count.gt.x)",
                "! `having`: `x` is not an integer of 64 bits",
            ),
            (
                "orders?select=total.sum()&having=(sum.gt.x)",
                "! `having`: `x` is not a number",
            ),
            (
                "orders?select=state,count()&having=(state.eq.new)",
                "! `having`: no computation in `select` is named `state`",
            ),
            (
                "orders?select=count()&having=(cuont.gt.1)",
                "! `having`: no computation in `select` is named `cuont`; did you mean `count`?",
            ),
            (
                "orders?select=count()&having=(count.in.(1,2))",
                "! `having`: groups are compared by eq, neq, gt, gte, lt and lte",
            ),
            (
                "orders?select=count()&having=count.gt.1",
                "! `having`: `(` is expected where `count.gt.1` stands",
            ),
            (
                "orders?select=id&having=(id.gt.1)",
                "! `having`: it goes with computations in `select`",
            ),
        ],
    );
}

#[test]
fn resources_of_one_shape_are_united() {
    check(
        &POSTGRES,
        &[
            (
                "orders?select=id,total&union=archived_orders&total=gt.5&order=total.desc&limit=10",
                "id,total; where total Greater '5'; order total desc; limit 10; \
                 union all archived_orders(id,total; where total Greater '5'; unlimited)",
            ),
            (
                "orders?select=kind:$resource,id&union=distinct(archived_orders)",
                "kind=$resource,id; union distinct archived_orders(kind=$resource,id; unlimited)",
            ),
            (
                "orders?union=archived_orders",
                "id,customer_id,total,owner; union all archived_orders(id,customer_id,total,owner; unlimited)",
            ),
            (
                "tags?select=$resource,*&union=addresses",
                "$resource=$resource,id; union all addresses($resource=$resource,id; unlimited)",
            ),
            (
                "tags?select=id,name:word&union=employees",
                "! `select`: of `employees`: there is no column `word`",
            ),
            (
                "tags?select=id&union=shipments",
                "! `union`: `id` of `tags` and of `shipments` are of different types; cast them",
            ),
            (
                "tags?select=id::text&union=shipments",
                "id=id::Text; union all shipments(id=id::Text; unlimited)",
            ),
            (
                "orders?select=id&union=archived_order",
                "! `union`: there is no resource `archived_order`; did you mean `archived_orders`?",
            ),
            (
                "orders?select=id&union=orders",
                "! `union`: `orders` is part of it twice",
            ),
            (
                "orders?select=id&union=archived_orders,archived_orders",
                "! `union`: `archived_orders` is part of it twice",
            ),
            (
                "orders?select=id&union=",
                "! `union`: it takes resources: union=a,b or union=distinct(a,b)",
            ),
            (
                "orders?select=id,customers(name)&union=archived_orders",
                "! `select`: a union shows columns and `$resource` only",
            ),
            (
                "orders?select=count()&union=archived_orders",
                "! `select`: a union shows columns and `$resource` only",
            ),
            (
                "orders?select=id&union=archived_orders&state=eq.new",
                "! `state`: there is no column `state`",
            ),
            (
                "orders?select=id&union=archived_orders&order=state",
                "! `order`: rows of `archived_orders` can't be ordered by `state`",
            ),
            (
                "orders?select=id&union=archived_orders&customers.id=eq.1",
                "! `customers.id`: a union has no embeds",
            ),
            (
                "orders?select=id&union=archived_orders&after=x",
                "! `after`: it doesn't go with `union`",
            ),
            (
                "orders?select=id&union=archived_orders&having=(id.gt.1)",
                "! `having`: it doesn't go with `union`",
            ),
        ],
    );
}
