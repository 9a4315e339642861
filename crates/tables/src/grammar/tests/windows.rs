//! Order, windows and cursors; keys of rows; what a change says; limits.

use portcullis_core::{Result, codes};

use super::{POSTGRES, SQLITE, admin, check, resolved, shop};
use crate::api::{Api, Limits};
use crate::cursor;
use crate::grammar::{Caller, Change, change, filter_of_key, key, path_of_key, read, read_pairs};
use crate::query::Item;
use crate::value::Value;

#[test]
fn rows_are_ordered_by_columns() {
    check(
        &POSTGRES,
        &[
            ("tags?select=id&order=word", "id; order word"),
            ("tags?select=id&order=word.asc", "id; order word"),
            ("tags?select=id&order=word.desc,id", "id; order word desc,id"),
            ("tags?select=id&order=word.desc.nullsfirst", "id; order word desc first"),
            ("tags?select=id&order=word.nullslast", "id; order word last"),
            ("tags?select=id&order=word, id.desc", "id; order word,id desc"),
            ("tags?select=id&order=word,word.desc", "id; order word"),
            (
                "products?select=id&order=attributes->>a.desc",
                "id; order attributes->>a desc",
            ),
            ("products?select=id&order=attributes->0.asc", "id; order attributes->0"),
            (
                "products?select=id&order=\"a.b\".desc,shelf life",
                "id; order a.b desc,shelf life",
            ),
            ("tags?order=", "! `order`: a name is missing at the end"),
            (
                "tags?order=wrod",
                "! `order`: there is no column `wrod`; did you mean `word`?",
            ),
            (
                "tags?order=word.dsc",
                "! `order`: asc, desc, nullsfirst or nullslast is expected where `dsc` stands",
            ),
            (
                "tags?order=word.desc.nulls",
                "! `order`: nullsfirst or nullslast is expected where `nulls` stands",
            ),
            (
                "tags?order=word.nullsfirst.desc",
                "! `order`: asc, desc, nullsfirst or nullslast is expected where `desc` stands",
            ),
            (
                "tags?order=word.desc.asc",
                "! `order`: nullsfirst or nullslast is expected where `asc` stands",
            ),
            (
                "tags?order=word;select 1",
                "! `order`: `,` is expected where `;select 1` stands",
            ),
            (
                "tags?order=word::text",
                "! `order`: `,` is expected where `::text` stands",
            ),
            ("tags?order=word&order=id", "! `order`: it stands there twice"),
        ],
    );
}

#[test]
fn windows_have_the_routes_limits() {
    check(
        &POSTGRES,
        &[
            ("tags?select=id&limit=5", "id; limit 5"),
            ("tags?select=id&limit=0", "id; limit 0"),
            ("tags?select=id&limit=5000", "id"),
            ("tags?select=id&limit=5&offset=10", "id; limit 5; offset 10"),
            ("tags?select=id&offset=-4", "id"),
            ("tags?limit=-1", "! `limit`: it is not a whole number"),
            ("tags?limit=five", "! `limit`: it is not a whole number"),
            ("tags?limit=", "! `limit`: it is not a whole number"),
            ("tags?limit=99999999999999999999", "! `limit`: it is not a whole number"),
            (
                "tags?offset=10001",
                "! `offset`: no more than 10000 rows can be left out; filter by the last row's values, or follow the links",
            ),
            ("tags?limit=1&limit=2", "! `limit`: it stands there twice"),
            (
                "orders?select=customers(name)&customers.limit=1",
                "customers<1 orders_customer_id_fkey>(name; limit 1)",
            ),
            (
                "orders?select=lines(number)&lines.offset=99999",
                "! `lines.offset`: no more than 10000 rows can be left out; filter by the last row's values, or follow the links",
            ),
        ],
    );
    let few = shop(|exposed| {
        for (_, resource) in &mut exposed.resources {
            resource.limits.default_rows = Some(10);
            resource.limits.max_rows = Some(50);
        }
    });
    check(
        &few,
        &[
            ("tags?select=id", "id; limit 10"),
            ("tags?select=id&limit=20", "id; limit 20"),
            ("tags?select=id&limit=51", "id; limit 50"),
            // The default isn't an embed's: nobody could tell that there are more.
            (
                "orders?select=lines(number)&limit=1",
                "lines<* lines_order_id_fkey>(number; limit 50); limit 1",
            ),
        ],
    );
    let free = shop(|exposed| exposed.resources[0].1.limits.max_rows = None);
    check(&free, &[("customers?select=id", "id; unlimited")]);
}

fn cursor_of(api: &Api, name: &str, query: &str, values: &[Value]) -> Option<String> {
    let (place, _) = api.resource(name).expect("it is there");
    let consumer = admin();
    let caller = Caller {
        consumer: Some(&consumer),
    };
    let read = read(api, place, Some(query), &caller).expect("it can be read");
    assert!(read.window.cursors);
    cursor::write(api, &read, values)
}

#[test]
fn cursors_lead_back_to_their_row() {
    let values = [Value::Text("a".into()), Value::Integer(7)];
    let cursor = cursor_of(&POSTGRES, "tags", "order=word.desc&word=neq.x", &values).expect("it can be written");
    let at = |query: &str| resolved(&POSTGRES, &format!("tags?select=id&{query}"));
    assert_eq!(
        at(&format!("order=word.desc&word=neq.x&after={cursor}")),
        "id; where word NotEqual 'x'; order word desc; after ['a',7]"
    );
    assert_eq!(
        at(&format!("order=word.desc&word=neq.x&before={cursor}&limit=2")),
        "id; where word NotEqual 'x'; order word desc; limit 2; before ['a',7]"
    );
    let refused = "! `after`: it is no cursor of this resource in this order and with this filter";
    for query in [
        format!("order=word&word=neq.x&after={cursor}"),
        format!("order=word.desc&word=neq.y&after={cursor}"),
        format!("order=word.desc&after={cursor}"),
        format!("after={cursor}"),
        format!("order=word.desc&word=neq.x&after={cursor}x"),
        "after=x".to_owned(),
        "after=W10".to_owned(),
        "after=%00".to_owned(),
    ] {
        assert_eq!(at(&query), refused, "{query}");
    }
    assert_eq!(at("after="), "! `after`: it is no cursor");
    assert_eq!(
        at(&format!("after={cursor}&before={cursor}")),
        "! `before`: it doesn't go with `after`"
    );
    assert_eq!(
        at(&format!("offset=5&after={cursor}")),
        "! `offset`: it doesn't go with `after`"
    );
    let none = "! `after`: these rows have no key, so that there are no cursors";
    assert_eq!(resolved(&POSTGRES, "order_totals?after=x"), none);
    assert_eq!(resolved(&POSTGRES, "orders?select=count()&after=x"), none);
}

#[test]
fn a_forged_cursor_has_values_of_the_right_types() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let good = cursor_of(&POSTGRES, "tags", "", &[Value::Integer(7)]).expect("it can be written");
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(&good).expect("base64")).expect("a text");
    for (value, holds) in [
        ("8", true),
        ("\"9\"", true),
        ("null", true),
        ("\"x\"", false),
        ("\"1 or 1=1\"", false),
        ("true", false),
        ("[\"aGk=\"]", false),
        ("{}", false),
        ("8,9", false),
    ] {
        let forged = URL_SAFE_NO_PAD.encode(decoded.replace(",7]", &format!(",{value}]")));
        let found = resolved(&POSTGRES, &format!("tags?select=id&after={forged}"));
        assert_eq!(found.starts_with("id; after"), holds, "{value}: {found}");
    }
    // In SQLite a column holds what it is given.
    let loose = cursor_of(
        &SQLITE,
        "tags",
        "order=word",
        &[Value::Integer(7), Value::Text("x".into())],
    );
    let found = resolved(
        &SQLITE,
        &format!("tags?select=id&order=word&after={}", loose.expect("it can be written")),
    );
    assert_eq!(found, "id; order word; after [7,'x']");
}

#[test]
fn cursors_hold_values_of_all_kinds() {
    let (place, _) = POSTGRES.resource("kinds").expect("it is there");
    let cases = [
        ("a_boolean", Value::Boolean(true)),
        ("a_real", Value::Real(0.1)),
        ("a_real", Value::Null),
        ("a_decimal", Value::Text("12.30".into())),
        ("a_text", Value::Text("ü\"\\".into())),
        ("some_bytes", Value::Bytes(vec![0, 255])),
        ("a_moment", Value::Text("2026-01-31 12:30:00.123456+00".into())),
        ("a_time", Value::Text("12:30:00".into())),
        ("an_interval", Value::Text("1 day 02:00:00".into())),
        ("a_jsonb", Value::Json("{\"a\": 1}".into())),
    ];
    for (column, value) in cases {
        let query = format!("order={column}");
        let values = vec![value, Value::Integer(1)];
        let cursor = cursor_of(&POSTGRES, "kinds", &query, &values).expect("it can be written");
        let caller = Caller::default();
        let read = read(&POSTGRES, place, Some(&format!("{query}&after={cursor}")), &caller).expect("it can be read");
        assert_eq!(read.window.cursor.expect("it is there").values, values, "{column}");
    }
    assert_eq!(cursor_of(&POSTGRES, "tags", "", &[]), None);
}

#[test]
fn keys_stand_in_paths() {
    let place = |name: &str| POSTGRES.resource(name).expect("it is there").0;
    for (name, segment, expected) in [
        ("tags", "7", Some("[Integer(7)]")),
        ("tags", "%37", Some("[Integer(7)]")),
        ("lines", "7,3", Some("[Integer(7), Integer(3)]")),
        ("lines", "%227%22,3", Some("[Integer(7), Integer(3)]")),
        ("tags", "7,3", None),
        ("tags", "", None),
        ("tags", "x", None),
        ("tags", "7.5", None),
        ("tags", "%zz", None),
        ("lines", "7", None),
        ("lines", "7,", None),
        ("lines", "7,3,1", None),
        ("order_totals", "7", None),
    ] {
        let values = key(&POSTGRES, place(name), segment);
        assert_eq!(
            values.as_ref().ok().map(|values| format!("{values:?}")).as_deref(),
            expected,
            "{name} {segment}"
        );
        if let Err(error) = values {
            assert_eq!(error.code(), &codes::RESOURCE_NOT_FOUND);
        }
    }
    let text = shop_with_text_key();
    let (words, _) = text.resource("words").expect("it is there");
    for (segment, expected) in [
        ("a%2Cb,c", ["a,b", "c"]),
        ("%22a,b%22,c", ["a,b", "c"]),
        ("%22a%5C%22b%22,%22%22", ["a\"b", ""]),
    ] {
        let expected = expected.map(|text| Value::Text(text.to_owned()));
        let values = key(&text, words, segment).expect("it is a key");
        assert_eq!(values, expected, "{segment}");
        let path = path_of_key(&values).expect("it has a path");
        assert_eq!(key(&text, words, &path).ok(), Some(values), "{path}");
    }
    let filter = filter_of_key(&POSTGRES, place("lines"), &[Value::Integer(7), Value::Integer(3)]);
    let relation = &POSTGRES.resources()[place("lines")].relation;
    assert_eq!(
        super::told::tell_filter(relation, &[], &filter),
        "(order_id Equal 7 & number Equal 3)"
    );
}

fn shop_with_text_key() -> Api {
    use crate::fixture;
    use crate::schema::{Engine, Schema};
    let mut found = fixture::found(Engine::Postgres);
    let mut words = found
        .relations
        .iter()
        .find(|relation| relation.name == "tags")
        .expect("tags")
        .clone();
    words.name = "words".to_owned();
    words.columns[0] = words.columns[1].clone();
    words.columns[0].name = "language".to_owned();
    words.primary_key = vec![0, 1];
    found.relations.push(words);
    let mut exposed = fixture::exposed();
    exposed.resources.push(("words".to_owned(), fixture::resource("words")));
    Api::new(std::sync::Arc::new(Schema::new(Engine::Postgres, found)), exposed).expect("it fits")
}

fn changed(query: &str) -> Result<Change> {
    let (place, _) = POSTGRES.resource("orders").expect("it is there");
    change(&POSTGRES, place, Some(query), &Caller::default())
}

#[test]
fn a_change_has_filters_and_shows_rows() {
    let change = changed("id=eq.1&select=id,lines(number)&lines.number=gt.1&columns=note,total,note&on_conflict=id");
    let change = change.expect("it can be read");
    assert_eq!(change.columns, Some(vec![5, 3]));
    assert_eq!(change.on_conflict, Some(vec![0]));
    assert!(change.filter.is_some());
    assert!(matches!(&change.items[1], Item::Embed(embed) if embed.read.filter.is_some()));
    assert_eq!(changed("").expect("it can be read").filter, None);
    for (query, problem) in [
        ("order=id", "`order`: it goes with reading a collection only"),
        ("limit=1", "`limit`: it goes with reading a collection only"),
        ("offset=1", "`offset`: it goes with reading a collection only"),
        ("after=x", "`after`: it goes with reading a collection only"),
        (
            "union=archived_orders",
            "`union`: it goes with reading a collection only",
        ),
        ("having=(n.gt.1)", "`having`: it goes with reading a collection only"),
        (
            "select=count()",
            "`select`: a change shows rows, not computations over them",
        ),
        ("select=id,lines()&lines=is.null", "`lines`: there is no column `lines`"),
        (
            "columns=nte",
            "`columns`: there is no column `nte`; did you mean `note`?",
        ),
        ("columns=", "`columns`: a name is missing at the end"),
        ("owner=eq.x", "`owner`: rows can't be filtered or ordered by `owner`"),
    ] {
        let error = changed(query).expect_err(query);
        assert_eq!(error.detail(), Some(problem), "{query}");
        assert_eq!(error.code(), &codes::BAD_QUERY);
    }
}

#[test]
fn pairs_are_read_like_a_query() {
    let (place, _) = POSTGRES.resource("tags").expect("it is there");
    let pairs = [("select", "id"), ("word", "eq.a&b=c")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let caller = Caller::default();
    let by_pairs = read_pairs(&POSTGRES, place, &pairs, &caller).expect("it can be read");
    let by_query = read(&POSTGRES, place, Some("select=id&word=eq.a%26b%3Dc"), &caller).expect("it can be read");
    assert_eq!(by_pairs, by_query);
}

#[test]
fn queries_have_limits() {
    let small = shop(|exposed| {
        exposed.limits = Limits {
            max_depth: 3,
            max_nodes: 8,
            max_listed: 5,
            max_value: 10,
            ..Limits::default()
        };
    });
    check(
        &small,
        &[
            ("tags?select=id&id=in.(1,2,3,4,5)", "id; where id in [1,2,3,4,5]"),
            (
                "tags?id=in.(1,2,3,4,5,6)",
                "! `id`: there are more than 5 values in lists",
            ),
            (
                "tags?id=in.(1,2,3)&word=in.(1,2,3)",
                "! `word`: there are more than 5 values in lists",
            ),
            (
                "tags?id=eq(any).{1,2,3,4,5,6}",
                "! `id`: a value is longer than 10 bytes",
            ),
            ("tags?id=eq(any).{1,2}", "id,word; where id Equal Any [1,2]"),
            ("tags?select=id&word=eq.1234567890", "id; where word Equal '1234567890'"),
            ("tags?word=eq.12345678901", "! `word`: a value is longer than 10 bytes"),
            (
                "tags?word=in.(12345678901)",
                "! `word`: a value is longer than 10 bytes",
            ),
            ("tags?or=(or(or(id.eq.1)))&select=id", "id; where (((id Equal 1)))"),
            (
                "tags?or=(or(or(or(id.eq.1))))",
                "! `or`: it is nested deeper than 3 levels",
            ),
            (
                "tags?select=id,id,id,id,id,id,id,id,id",
                "! `select`: the query has more than 8 parts",
            ),
            (
                "tags?or=(id.eq.1,id.eq.1,id.eq.1,id.eq.1,id.eq.1,id.eq.1,id.eq.1,id.eq.1)",
                "! `or`: the query has more than 8 parts",
            ),
            (
                "tags?order=id,id,id,id,id,id,id,id,id",
                "! `order`: the query has more than 8 parts",
            ),
            (
                "tags?a.b.c.d.e.f.g.h.i.j=eq.1",
                "! `a.b.c.d.e.f.g.h.i.j`: the query has more than 8 parts",
            ),
            (
                "orders?select=lines(orders(lines(orders(id))))",
                "! `select`: it is nested deeper than 3 levels",
            ),
            (
                "orders?select=lines(orders(lines(number)))",
                "lines<* lines_order_id_fkey>(orders<1 lines_order_id_fkey>(lines<* lines_order_id_fkey>(number)))",
            ),
        ],
    );
    let long = format!("tags?word={}", "x".repeat(100_000));
    assert!(resolved(&POSTGRES, &long).starts_with("! `word`: `xxx"));
    assert!(resolved(&POSTGRES, &long).len() < 500);
}
