//! Embeds.

use super::{POSTGRES, check, shop};

/// The relationships' constraints make long lines; the names say which table refers.
#[test]
fn related_rows_are_embedded_by_the_name_of_their_resource() {
    check(
        &POSTGRES,
        &[
            (
                "lines?select=number,orders(id)",
                "number,orders<1 lines_order_id_fkey>(id)",
            ),
            (
                "orders?select=id,lines(number)",
                "id,lines<* lines_order_id_fkey>(number)",
            ),
            (
                "orders?select=id,invoices(number)",
                "id,invoices<1 invoices_order_id_fkey>(number)",
            ),
            (
                "orders?select=id,tags(word)",
                "id,tags<* order_tags_tag_id_fkey by order_tags>(word)",
            ),
            (
                "tags?select=word,orders(id)",
                "word,orders<* order_tags_order_id_fkey by order_tags>(id)",
            ),
            (
                "tags?select=order_tags(order_id)",
                "order_tags<* order_tags_tag_id_fkey>(order_id)",
            ),
            (
                "orders?select=customer:customers(name)",
                "customer<1 orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=customer_id(name)",
                "customer_id<1 orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=customer:customer_id(name)",
                "customer<1 orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=orders_customer_id_fkey(name)",
                "orders_customer_id_fkey<1 orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=customers!orders_customer_id_fkey(name)",
                "customers<1 orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=customers!customer_id(name)",
                "customers<1 orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=customers!inner(name)",
                "customers<1! orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=customers!left(name)",
                "customers<1 orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=customers!customer_id!inner(name)",
                "customers<1! orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=customers!inner!customer_id(name)",
                "customers<1! orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=tags!order_tags(word)",
                "tags<* order_tags_tag_id_fkey by order_tags>(word)",
            ),
            (
                "orders?select=id, tags ( word )",
                "id,tags<* order_tags_tag_id_fkey by order_tags>(word)",
            ),
            (
                "orders?select=id, tags( word )",
                "id,tags<* order_tags_tag_id_fkey by order_tags>(word)",
            ),
            (
                "customers?select=name,orders(id,lines(number,products(sku)))",
                "name,orders<* orders_customer_id_fkey>(id,lines<* lines_order_id_fkey>(number,products<1 lines_product_id_fkey>(sku)))",
            ),
            (
                "orders?select=id,one:lines(number),two:lines(price)",
                "id,one<* lines_order_id_fkey>(number),two<* lines_order_id_fkey>(price)",
            ),
            ("orders?select=id,lines()", "id,lines<* lines_order_id_fkey>()"),
            ("orders?select=id,lines( )", "id,lines<* lines_order_id_fkey>()"),
        ],
    );
}

#[test]
fn of_several_ways_one_must_be_named() {
    check(
        &POSTGRES,
        &[
            (
                "shipments?select=addresses(city)",
                "! `select`: `shipments` and `addresses` are related in several ways; name one of them: \
                 addresses!shipments_origin_id_fkey, addresses!shipments_target_id_fkey",
            ),
            (
                "shipments?select=addresses!origin_id(city)",
                "addresses<1 shipments_origin_id_fkey>(city)",
            ),
            (
                "shipments?select=origin_id(city)",
                "origin_id<1 shipments_origin_id_fkey>(city)",
            ),
            (
                "shipments?select=from:origin_id(city),to:target_id(city)",
                "from<1 shipments_origin_id_fkey>(city),to<1 shipments_target_id_fkey>(city)",
            ),
            (
                "addresses?select=shipments!target_id(order_id)",
                "shipments<* shipments_target_id_fkey>(order_id)",
            ),
            (
                "shipments?select=addresses!order_id(city)",
                "! `select`: nothing relates `shipments` and `addresses` by `order_id`",
            ),
            (
                "orders?select=custmers(name)",
                "! `select`: nothing relates `orders` and `custmers`; did you mean `customers`?",
            ),
            (
                "orders?select=order_totals(total)",
                "! `select`: nothing relates `orders` and `order_totals`; did you mean `order_tags`?",
            ),
            (
                "orders?select=products(name)",
                "! `select`: nothing relates `orders` and `products`",
            ),
            (
                "orders?select=customers!a!b(name)",
                "! `select`: an embed takes one hint, and `!inner` or `!left`",
            ),
            ("orders?select=customers(name", "! `select`: `)` is missing at the end"),
            (
                "orders?select=customers!(name)",
                "! `select`: a name is expected where `(name)` stands",
            ),
            (
                "orders?select=customers->a(name)",
                "! `select`: the end is expected where `(name)` stands",
            ),
        ],
    );
}

#[test]
fn a_table_that_refers_to_itself_is_embedded_both_ways() {
    check(
        &POSTGRES,
        &[
            (
                "employees?select=name,employees(name)",
                "name,employees<* employees_manager_id_fkey>(name)",
            ),
            (
                "employees?select=name,manager_id(name)",
                "name,manager_id<1 employees_manager_id_fkey>(name)",
            ),
            (
                "employees?select=name,manager:manager_id(name,manager:manager_id(name))",
                "name,manager<1 employees_manager_id_fkey>(name,manager<1 employees_manager_id_fkey>(name))",
            ),
            (
                "employees?select=staff:employees!manager_id(name)",
                "staff<* employees_manager_id_fkey>(name)",
            ),
        ],
    );
}

#[test]
fn members_are_spread_into_the_row() {
    check(
        &POSTGRES,
        &[
            (
                "orders?select=id,...customers(name)",
                "id,...customers<1 orders_customer_id_fkey>(name)",
            ),
            (
                "orders?select=id,...customers(who:name)",
                "id,...customers<1 orders_customer_id_fkey>(who=name)",
            ),
            (
                "orders?select=id,...lines(number)",
                "id,...lines<* lines_order_id_fkey>(number)",
            ),
            (
                "orders?select=id,...lines!inner(number)",
                "id,...lines<*! lines_order_id_fkey>(number)",
            ),
            (
                "lines?select=number,...orders(state,...customers(name))",
                "number,...orders<1 lines_order_id_fkey>(state,...customers<1 orders_customer_id_fkey>(name))",
            ),
            (
                "orders?select=id,...customers(id)",
                "! `select`: `id` would stand for two things; name one of them otherwise: NAME:id",
            ),
            (
                "orders?select=id,...customers()",
                "id,...customers<1 orders_customer_id_fkey>()",
            ),
            (
                "orders?select=id,x:...customers(name)",
                "! `select`: a name is expected where `...customers(name)` stands",
            ),
            (
                "orders?select=id,customers(name),customers:note",
                "! `select`: `customers` would stand for two things; name one of them otherwise: NAME:customers",
            ),
            (
                "orders?select=id,customers(),customers:note",
                "id,customers<1 orders_customer_id_fkey>(),customers=note",
            ),
        ],
    );
}

#[test]
fn a_path_leads_to_the_embed_that_is_filtered() {
    check(
        &POSTGRES,
        &[
            (
                "orders?select=id,lines(number)&lines.quantity=gt.5",
                "id,lines<* lines_order_id_fkey>(number; where quantity Greater 5)",
            ),
            (
                "orders?select=id,l:lines(number)&l.quantity=gt.5",
                "id,l<* lines_order_id_fkey>(number; where quantity Greater 5)",
            ),
            // By the target's name too, where there is one of it only.
            (
                "orders?select=id,l:lines(number)&lines.quantity=gt.5",
                "id,l<* lines_order_id_fkey>(number; where quantity Greater 5)",
            ),
            (
                "orders?select=id,a:lines(number),b:lines(number)&lines.quantity=gt.5",
                "! `lines.quantity`: `lines` is not embedded by `select`",
            ),
            (
                "orders?select=id,lines(number),b:lines(number)&lines.number=eq.1&b.number=eq.2",
                "id,lines<* lines_order_id_fkey>(number; where number Equal 1),b<* lines_order_id_fkey>(number; where number Equal 2)",
            ),
            (
                "customers?select=orders(lines(number))&orders.lines.number=eq.1&orders.state=eq.new",
                "orders<* orders_customer_id_fkey>(lines<* lines_order_id_fkey>(number; where number Equal 1); where state Equal 'new')",
            ),
            (
                "orders?select=id,lines(number)&lines.or=(number.eq.1,quantity.gt.5)",
                "id,lines<* lines_order_id_fkey>(number; where (number Equal 1 | quantity Greater 5))",
            ),
            (
                "customers?select=orders(lines(number))&orders.lines.not.or=(number.eq.1)",
                "orders<* orders_customer_id_fkey>(lines<* lines_order_id_fkey>(number; where !(number Equal 1)))",
            ),
            (
                "orders?select=id,lines(number)&lines.order=number.desc&lines.limit=2&lines.offset=1",
                "id,lines<* lines_order_id_fkey>(number; order number desc; limit 2; offset 1)",
            ),
            (
                "lines?select=products(sku)&products.attributes->>a=eq.x",
                "products<1 lines_product_id_fkey>(sku; where attributes->>a Equal 'x')",
            ),
            (
                "lines?select=products(sku)&products.\"a.b\"=eq.x",
                "products<1 lines_product_id_fkey>(sku; where a.b Equal 'x')",
            ),
            (
                "orders?select=id&lines.number=eq.1",
                "! `lines.number`: `lines` is not embedded by `select`",
            ),
            (
                "orders?select=lines(number)&line.number=eq.1",
                "! `line.number`: `line` is not embedded by `select`; did you mean `lines`?",
            ),
            (
                "orders?select=lines(number)&lines.x.number=eq.1",
                "! `lines.x.number`: `x` is not embedded by `select`",
            ),
            (
                "orders?select=lines(number)&lines.nmber=eq.1",
                "! `lines.nmber`: there is no column `nmber`; did you mean `number`?",
            ),
            (
                "orders?select=lines(number)&lines.number=eq.x",
                "! `lines.number`: `x` is not an integer of 16 bits",
            ),
        ],
    );
}

#[test]
fn rows_are_filtered_by_whether_they_have_related_ones() {
    check(
        &POSTGRES,
        &[
            (
                "orders?select=id,lines()&lines=not.is.null",
                "id,lines<* lines_order_id_fkey>(); where has lines",
            ),
            (
                "orders?select=id,lines()&lines=is.null",
                "id,lines<* lines_order_id_fkey>(); where lacks lines",
            ),
            (
                "orders?select=id,lines()&lines=is.not_null",
                "id,lines<* lines_order_id_fkey>(); where has lines",
            ),
            (
                "orders?select=id,lines()&lines=not.is.not_null",
                "id,lines<* lines_order_id_fkey>(); where lacks lines",
            ),
            (
                "orders?select=id,l:lines()&l=is.null",
                "id,l<* lines_order_id_fkey>(); where lacks l",
            ),
            (
                "orders?select=id,lines(),tags()&or=(lines.not.is.null,tags.not.is.null)",
                "id,lines<* lines_order_id_fkey>(),tags<* order_tags_tag_id_fkey by order_tags>(); where (has lines | has tags)",
            ),
            (
                "orders?select=id,tags()&tags.word=eq.x&tags=is.null",
                "id,tags<* order_tags_tag_id_fkey by order_tags>(where word Equal 'x'); where lacks tags",
            ),
            (
                "customers?select=orders(lines())&orders.lines=not.is.null&orders=not.is.null",
                "orders<* orders_customer_id_fkey>(lines<* lines_order_id_fkey>(); where has lines); where has orders",
            ),
            (
                "orders?select=id&lines=is.null",
                "! `lines`: there is no column `lines`",
            ),
            // An embed by a column's name hides the column from `is.null` only.
            (
                "orders?select=customer_id()&customer_id=eq.5",
                "customer_id<1 orders_customer_id_fkey>(); where customer_id Equal 5",
            ),
            (
                "orders?select=customer_id()&customer_id=is.null",
                "customer_id<1 orders_customer_id_fkey>(); where lacks customer_id",
            ),
        ],
    );
}

#[test]
fn rows_are_ordered_by_the_one_related_row() {
    check(
        &POSTGRES,
        &[
            (
                "orders?select=id,customers(name)&order=customers(name).desc",
                "id,customers<1 orders_customer_id_fkey>(name); order customers.name desc",
            ),
            (
                "orders?select=id,c:customers()&order=c(balance),id",
                "id,c<1 orders_customer_id_fkey>(); order c.balance,id",
            ),
            (
                "lines?select=products(sku)&order=products(attributes->>a).asc.nullsfirst",
                "products<1 lines_product_id_fkey>(sku); order products.attributes->>a first",
            ),
            (
                "customers?select=orders(lines(number,products()))&orders.lines.order=products(name)",
                "orders<* orders_customer_id_fkey>(lines<* lines_order_id_fkey>(number,products<1 lines_product_id_fkey>(); order products.name))",
            ),
            (
                "orders?select=id,...customers(who:name)&order=customers(who)",
                "id,...customers<1 orders_customer_id_fkey>(who=name); order customers.name",
            ),
            (
                "orders?select=id,lines(number)&order=lines(number)",
                "! `order`: there may be several of `lines`, so that rows have no order by it",
            ),
            (
                "orders?select=id&order=customers(name)",
                "! `order`: `customers` is not embedded by `select`",
            ),
            (
                "orders?select=customers()&order=customer(name)",
                "! `order`: `customer` is not embedded by `select`; did you mean `customers`?",
            ),
            (
                "orders?select=customers()&order=customers(name,id)",
                "! `order`: `)` is expected where `,id)` stands",
            ),
        ],
    );
}

#[test]
fn a_resource_that_is_not_read_is_not_embedded() {
    let api = shop(|exposed| {
        for (name, resource) in &mut exposed.resources {
            if name == "customers" || name == "archived_orders" {
                resource.methods = vec![portcullis_core::Method::Post];
            }
        }
    });
    check(
        &api,
        &[
            (
                "orders?select=customers(name)",
                "! `select`: nothing relates `orders` and `customers`",
            ),
            (
                "orders?select=id&union=archived_orders",
                "! `union`: there is no resource `archived_orders`",
            ),
        ],
    );
}
