//! `select`.

use super::{POSTGRES, check, shop};

#[test]
fn columns_are_shown_by_name() {
    check(
        &POSTGRES,
        &[
            ("tags", "id,word"),
            ("tags?select=*", "id,word"),
            ("tags?select=id", "id"),
            ("tags?select=word,id", "word,id"),
            ("tags?select= id , word ", "id,word"),
            ("tags?select=", ""),
            ("tags?select=id,id", "id"),
            ("tags?select=word,*", "word,id"),
            ("tags?select=*,word", "id,word"),
            ("tags?select=number:id", "number=id"),
            ("tags?select=id::text", "id=id::Text"),
            ("tags?select=n:id::text,id", "n=id::Text,id"),
            ("tags?select=id::TEXT", "id=id::Text"),
            ("tags?select=id::double precision", "id=id::Double"),
            ("tags?select=id::text[]", "id=id::TextArray"),
            ("tags?select=id,other:id", "id,other=id"),
            ("products?select=shelf life,\"a.b\"", "shelf life,a.b"),
            ("products?select=days:shelf life", "days=shelf life"),
            ("products?select=\"a,b\":\"a.b\"", "a,b=a.b"),
            ("products?select=%22shelf%20life%22", "shelf life"),
            ("products?select=shelf+life", "shelf life"),
        ],
    );
}

#[test]
fn paths_lead_into_documents() {
    check(
        &POSTGRES,
        &[
            ("products?select=attributes->color", "color=attributes->color"),
            ("products?select=attributes->>color", "color=attributes->>color"),
            ("products?select=attributes->sizes->0", "sizes=attributes->sizes->0"),
            ("products?select=attributes->0->>1", "attributes=attributes->0->>1"),
            ("products?select=attributes->a->-1->>b", "b=attributes->a->-1->>b"),
            ("products?select=x:attributes->>a::integer", "x=attributes->>a::Integer"),
            (
                "products?select=attributes->!@#$%^%26*_d->>e",
                "e=attributes->!@#$%^&*_d->>e",
            ),
            (
                "products?select=attributes->0xy1->1->23-xy-45",
                "23-xy-45=attributes->0xy1->1->23-xy-45",
            ),
            ("products?select=attributes->\"a.b\"", "a.b=attributes->a.b"),
            ("products?select=labels->0", "labels=labels->0"),
            ("kinds?select=a_composite->i", "i=a_composite->i"),
            (
                "products?select=name->a",
                "! `select`: `name` holds a text, into which no path leads",
            ),
            (
                "products?select=attributes->",
                "! `select`: a name in a path is missing at the end",
            ),
            (
                "products?select=attributes->>--34",
                "! `select`: an index is expected where `-34` stands",
            ),
            (
                "products?select=attributes->>a->b",
                "! `select`: `->>` gives text, so that no step can follow it",
            ),
            (
                "products?select=attributes->(a",
                "! `select`: a name in a path is expected where `(a` stands",
            ),
            (
                "products?select=attributes->99999999999",
                "! `select`: an index in a path is too large",
            ),
        ],
    );
}

#[test]
fn what_is_no_column_is_refused() {
    check(
        &POSTGRES,
        &[
            (
                "tags?select=wrod",
                "! `select`: there is no column `wrod`; did you mean `word`?",
            ),
            ("tags?select=id,", "! `select`: a name is missing at the end"),
            ("tags?select=,id", "! `select`: a name is expected where `,id` stands"),
            (
                "tags?select=id word",
                "! `select`: there is no column `id word`; did you mean `word`?",
            ),
            (
                "tags?select=id;word",
                "! `select`: the end is expected where `;word` stands",
            ),
            ("tags?select=id)", "! `select`: the end is expected where `)` stands"),
            ("tags?select=*id", "! `select`: the end is expected where `id` stands"),
            (
                "tags?select=\"id",
                "! `select`: a name that ends with a quote is expected where `\"id` stands",
            ),
            ("tags?select=id::", "! `select`: `` is no type to cast to"),
            (
                "tags?select=id::txt",
                "! `select`: `txt` is no type to cast to; did you mean `text`?",
            ),
            (
                "tags?select=id::regclass",
                "! `select`: `regclass` is no type to cast to",
            ),
            (
                "tags?select=id::text);drop table tags",
                "! `select`: the end is expected where `);drop table tags` stands",
            ),
            (
                "tags?select=id,id:word",
                "! `select`: `id` would stand for two things; name one of them otherwise: NAME:id",
            ),
            ("tags?select=id&select=word", "! `select`: it stands there twice"),
            ("tags?select=$resource", "! `select`: there is no column `$resource`"),
            ("tags?select=id%", "! `select`: the end is expected where `%` stands"),
            ("tags?select=%ff", "! `%ff`: its percent-encoding does not encode UTF-8"),
            ("tags?columns=id", "! `columns`: it goes with new rows only"),
            ("tags?on_conflict=id", "! `on_conflict`: it goes with new rows only"),
        ],
    );
}

#[test]
fn a_hidden_column_is_as_unknown_as_none() {
    let unknown = "! `select`: there is no column `internal_note`";
    check(
        &POSTGRES,
        &[
            ("customers?select=internal_note", unknown),
            (
                "customers?select=internal_not",
                "! `select`: there is no column `internal_not`",
            ),
            ("customers?select=x:internal_note::text", unknown),
            ("customers?select=internal_note.count()", unknown),
            ("customers?select=internal_note->>a", unknown),
            (
                "customers?internal_note=is.null",
                "! `internal_note`: there is no column `internal_note`",
            ),
            (
                "customers?or=(internal_note.is.null)",
                "! `or`: there is no column `internal_note`",
            ),
            (
                "customers?order=internal_note",
                "! `order`: there is no column `internal_note`",
            ),
            (
                "customers?select=internal_note(*)",
                "! `select`: nothing relates `customers` and `internal_note`",
            ),
            ("orders?select=customers(internal_note)", unknown),
            (
                "orders?select=customers()&customers.internal_note=eq.x",
                "! `customers.internal_note`: there is no column `internal_note`",
            ),
            (
                "orders?select=customers()&order=customers(internal_note)",
                "! `order`: there is no column `internal_note`",
            ),
            (
                "customers?select=secrets(*)",
                "! `select`: nothing relates `customers` and `secrets`",
            ),
            (
                "customers?select=secrets_customer_id_fkey(*)",
                "! `select`: nothing relates `customers` and `secrets_customer_id_fkey`",
            ),
            ("customers?union=secrets", "! `union`: there is no resource `secrets`"),
            // It can be read, but not filtered by.
            (
                "orders?owner=eq.x",
                "! `owner`: rows can't be filtered or ordered by `owner`",
            ),
            (
                "orders?order=owner",
                "! `order`: rows can't be filtered or ordered by `owner`",
            ),
            ("orders?select=owner&limit=1", "owner; limit 1"),
        ],
    );
}

#[test]
fn everything_is_what_can_be_read() {
    check(
        &POSTGRES,
        &[
            ("customers", "id,name,email,vip,balance,owner,settings,created_at"),
            (
                "customers?select=*",
                "id,name,email,vip,balance,owner,settings,created_at",
            ),
            ("orders", "id,customer_id,state,total,placed_at,note,owner,lock_version"),
            ("order_totals", "customer_id,orders,total"),
        ],
    );
    let few = shop(|exposed| exposed.resources[0].1.columns = Some(vec!["name".to_owned(), "id".to_owned()]));
    check(&few, &[("customers", "name,id")]);
}
