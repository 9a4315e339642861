//! Filters.

use super::{POSTGRES, SQLITE, check, shop};

#[test]
fn operators_compare_with_values_of_the_columns_type() {
    check(
        &POSTGRES,
        &[
            ("tags?select=id&id=eq.5", "id; where id Equal 5"),
            ("tags?select=id&id=neq.5", "id; where id NotEqual 5"),
            ("tags?select=id&id=gt.5", "id; where id Greater 5"),
            ("tags?select=id&id=gte.5", "id; where id GreaterOrEqual 5"),
            ("tags?select=id&id=lt.5", "id; where id Less 5"),
            ("tags?select=id&id=lte.-5", "id; where id LessOrEqual -5"),
            ("tags?select=id&id=not.eq.5", "id; where !id Equal 5"),
            ("tags?select=id&word=eq.", "id; where word Equal ''"),
            ("tags?select=id&word=eq.a.b", "id; where word Equal 'a.b'"),
            ("tags?select=id&word=eq.\"a\"", "id; where word Equal '\"a\"'"),
            ("tags?select=id&word=eq.a+b%2Bc", "id; where word Equal 'a b+c'"),
            ("tags?select=id&word=eq.null", "id; where word Equal 'null'"),
            (
                "tags?select=id&word=eq.x' or 1=1--",
                "id; where word Equal 'x' or 1=1--'",
            ),
            ("tags?select=id&id=gt.1&id=lt.5", "id; where (id Greater 1 & id Less 5)"),
            ("tags?select=id&id=isdistinct.5", "id; where id isdistinct 5"),
            ("tags?select=id&id=not.isdistinct.5", "id; where !id isdistinct 5"),
            ("customers?select=id&vip=eq.true", "id; where vip Equal true"),
            (
                "customers?select=id&balance=gt.10.50",
                "id; where balance Greater '10.50'",
            ),
            ("orders?select=id&state=eq.paid", "id; where state Equal 'paid'"),
            (
                "orders?select=id&placed_at=gte.2026-01-31",
                "id; where placed_at GreaterOrEqual '2026-01-31'",
            ),
            (
                "shipments?select=id&id=eq.A0EEBC999C0B4EF8BB6D6BB9BD380A11",
                "id; where id Equal 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
            ),
            (
                "kinds?select=id&a_jsonb=eq.{\"e\":1}",
                "id; where a_jsonb Equal `{\"e\":1}`",
            ),
            (
                "kinds?select=id&some_bytes=eq.aGk=",
                "id; where some_bytes Equal [104, 105]",
            ),
            (
                "kinds?select=id&some_integers=eq.{1,2}",
                "id; where some_integers Equal [1,2]",
            ),
            (
                "kinds?select=id&some_integers=isdistinct.{1,NULL}",
                "id; where some_integers isdistinct [1,null]",
            ),
            ("kinds?select=id&a_range=eq.[1,3]", "id; where a_range Equal '[1,3]'"),
            (
                "kinds?select=id&an_other=eq.10.0.0.1",
                "id; where an_other Equal '10.0.0.1'",
            ),
            ("kinds?select=id&an_any=eq.7", "id; where an_any Equal 7"),
            ("products?select=id&\"a.b\"=eq.x", "id; where a.b Equal 'x'"),
            (
                "products?select=id&shelf life=eq.1 day",
                "id; where shelf life Equal '1 day'",
            ),
            (
                "products?select=id&attributes->>color=eq.red",
                "id; where attributes->>color Equal 'red'",
            ),
            (
                "products?select=id&attributes->size=eq.5",
                "id; where attributes->size Equal `5`",
            ),
            (
                "products?select=id&attributes->0->>b=gt.0.5",
                "id; where attributes->0->>b Greater '0.5'",
            ),
            (
                "products?select=id&labels->>0=eq.new",
                "id; where labels->>0 Equal 'new'",
            ),
        ],
    );
}

#[test]
fn values_that_are_none_of_the_type_are_refused() {
    check(
        &POSTGRES,
        &[
            ("tags?id=eq.x", "! `id`: `x` is not an integer of 32 bits"),
            ("tags?id=eq.", "! `id`: `` is not an integer of 32 bits"),
            ("tags?id=eq.5.5", "! `id`: `5.5` is not an integer of 32 bits"),
            (
                "tags?id=eq.3000000000",
                "! `id`: `3000000000` is not an integer of 32 bits",
            ),
            ("tags?id=eq.1 or 1=1", "! `id`: `1 or 1=1` is not an integer of 32 bits"),
            ("tags?id=in.( ,3,4)", "! `id`: `` is not an integer of 32 bits"),
            (
                "lines?number=eq.40000",
                "! `number`: `40000` is not an integer of 16 bits",
            ),
            ("customers?vip=eq.maybe", "! `vip`: `maybe` is not true or false"),
            ("customers?balance=eq.1,5", "! `balance`: `1,5` is not a number"),
            (
                "customers?created_at=gt.now",
                "! `created_at`: `now` is not a date and time with a zone such as 2026-01-31T12:30:00Z",
            ),
            (
                "orders?state=eq.payd",
                "! `state`: `payd` is not one of its words; did you mean `paid`?",
            ),
            (
                "products?added=eq.2026-02-30",
                "! `added`: `2026-02-30` is not a date such as 2026-01-31",
            ),
            ("shipments?id=eq.7", "! `id`: `7` is not a UUID"),
            ("kinds?a_jsonb=eq.{a}", "! `a_jsonb`: `{a}` is not JSON"),
            (
                "kinds?a_json=eq.{}",
                "! `a_json`: a comparison doesn't go with a column that holds JSON",
            ),
            (
                "kinds?a_composite=eq.(1,2)",
                "! `a_composite`: a comparison doesn't go with a column that holds an object",
            ),
            (
                "products?attributes->size=eq.red",
                "! `attributes->size`: `red` is not JSON",
            ),
            ("tags?word=eq.a%00b", "! `word`: `a\0b` is not a text"),
        ],
    );
}

#[test]
fn lists_have_quotes() {
    check(
        &POSTGRES,
        &[
            ("tags?select=id&id=in.(1,2,3)", "id; where id in [1,2,3]"),
            ("tags?select=id&id=in.( 1, 2, 3 )", "id; where id in [1,2,3]"),
            ("tags?select=id&id=not.in.(1)", "id; where !id in [1]"),
            ("tags?select=id&id=in.()", "id; where id in []"),
            ("tags?select=id&id=in.(  )", "id; where id in []"),
            ("tags?select=id&word=in.(a,\"b,c\")", "id; where word in ['a','b,c']"),
            (
                "tags?select=id&word=in.(\"Double\\\"Quote\\\"\")",
                "id; where word in ['Double\"Quote\"']",
            ),
            ("tags?select=id&word=in.(\"\\\\\")", "id; where word in ['\\']"),
            ("tags?select=id&word=in.(\")", "id; where word in ['\"']"),
            (
                "tags?select=id&word=in.(Double\"Quote\")",
                "id; where word in ['Double\"Quote\"']",
            ),
            ("tags?select=id&word=in.(\\)", "id; where word in ['\\']"),
            ("tags?select=id&word=in.(a\\,b)", "id; where word in ['a\\','b']"),
            ("tags?select=id&word=in.(\"\")", "id; where word in ['']"),
            ("tags?id=in.1,2", "! `id`: `(` is expected where `1,2` stands"),
            ("tags?id=in.(1,2", "! `id`: `,` is missing at the end"),
            ("tags?id=in.(1)2", "! `id`: the end is expected where `2` stands"),
            (
                "tags?word=in.{consumer}",
                "! `word`: `in` takes a list: in.(a,b,\"c,d\")",
            ),
            (
                "tags?word=in.{claims.sub}",
                "! `word`: `in` takes a list: in.(a,b,\"c,d\")",
            ),
            (
                "tags?select=id&word=eq.{claims.sub}",
                "id; where word Equal '{claims.sub}'",
            ),
        ],
    );
}

#[test]
fn any_and_all_take_lists_in_braces() {
    check(
        &POSTGRES,
        &[
            ("tags?select=id&id=eq(any).{3,4,5}", "id; where id Equal Any [3,4,5]"),
            ("tags?select=id&id=gt(all).{4,3}", "id; where id Greater All [4,3]"),
            (
                "tags?select=id&id=not.lte(any).{4}",
                "id; where !id LessOrEqual Any [4]",
            ),
            (
                "tags?select=id&word=like(any).{O*,%P%}",
                "id; where word like Any O%|%P%",
            ),
            (
                "tags?select=id&word=ilike(all).{\"a,*\",b}",
                "id; where word ilike All a,%|b",
            ),
            (
                "tags?select=id&word=match(any).{stop,thing}",
                "id; where word match Any stop|thing",
            ),
            ("tags?select=id&word=imatch(all).{a,b}", "id; where word imatch All a|b"),
            ("tags?select=id&id=eq(any).{}", "id; where id Equal Any []"),
            (
                "tags?id=eq(any).3",
                "! `id`: `any` and `all` take a list: {a,b}, each an integer of 32 bits",
            ),
            (
                "tags?id=eq(any).{3,x}",
                "! `id`: `any` and `all` take a list: {a,b}, each an integer of 32 bits",
            ),
            (
                "tags?id=eq(any).{{3}}",
                "! `id`: neither lists nor NULL can be in a list of `any` and `all`",
            ),
            (
                "tags?id=eq(any).{NULL}",
                "! `id`: neither lists nor NULL can be in a list of `any` and `all`",
            ),
            ("tags?id=eq(some).{3}", "! `id`: `eq` doesn't take `(some)`"),
            ("tags?id=eq().3", "! `id`: `eq` doesn't take `()`"),
            ("tags?id=neq(any).{3}", "! `id`: `neq` doesn't take `(any)`"),
            ("tags?id=in(any).{3}", "! `id`: `in` doesn't take `(any)`"),
            ("tags?id=is(any).null", "! `id`: `is` doesn't take `(any)`"),
        ],
    );
}

#[test]
fn patterns_go_with_texts() {
    check(
        &POSTGRES,
        &[
            ("tags?select=id&word=like.O*", "id; where word like O%"),
            ("tags?select=id&word=like.%25a_", "id; where word like %a_"),
            ("tags?select=id&word=not.ilike.*x*", "id; where !word ilike %x%"),
            ("tags?select=id&word=match.^a.*$", "id; where word match Any ^a.*$"),
            ("tags?select=id&word=imatch.YY", "id; where word imatch Any YY"),
            (
                "products?select=id&attributes->>a=like.x*",
                "id; where attributes->>a like x%",
            ),
            (
                "tags?id=like.5*",
                "! `id`: `like` doesn't go with a column that holds an integer of 32 bits",
            ),
            (
                "orders?state=like.p*",
                "! `state`: `like` doesn't go with a column that holds one of its words",
            ),
        ],
    );
    check(
        &SQLITE,
        &[
            ("tags?select=id&word=ilike.O*", "id; where word ilike O%"),
            ("orders?select=id&state=like.p*", "id; where state like p%"),
            (
                "tags?word=match.a",
                "! `word`: this database has no regular expressions; `like` and `ilike` take `*`",
            ),
            (
                "tags?word=fts(english).a",
                "! `word`: this database has no languages for searching",
            ),
            // Columns of SQLite hold what they are given.
            ("tags?select=id&id=gt.1.5", "id; where id Greater 1.5"),
        ],
    );
    let plain = shop(|exposed| {
        for (_, resource) in &mut exposed.resources {
            resource.patterns = false;
        }
    });
    check(
        &plain,
        &[
            (
                "tags?word=match.a",
                "! `word`: regular expressions are not allowed here; `like` and `ilike` take `*`",
            ),
            (
                "tags?or=(word.imatch.a)",
                "! `or`: regular expressions are not allowed here; `like` and `ilike` take `*`",
            ),
        ],
    );
}

#[test]
fn is_has_its_words() {
    check(
        &POSTGRES,
        &[
            ("customers?select=id&email=is.null", "id; where email is null"),
            ("customers?select=id&email=is.NULL", "id; where email is null"),
            ("customers?select=id&email=is.NoT_NuLl", "id; where email is not null"),
            ("customers?select=id&email=not.is.null", "id; where !email is null"),
            ("customers?select=id&vip=is.true", "id; where vip is true"),
            ("customers?select=id&vip=is.FALSE", "id; where vip is false"),
            ("customers?select=id&vip=is.unknown", "id; where vip is unknown"),
            (
                "customers?select=id&settings->a=is.null",
                "id; where settings->a is null",
            ),
            (
                "customers?vip=is.nil",
                "! `vip`: `is` takes null, not_null, true, false or unknown",
            ),
            (
                "customers?vip=is.5",
                "! `vip`: `is` takes null, not_null, true, false or unknown",
            ),
            (
                "customers?vip=is.true.",
                "! `vip`: the end is expected where `.` stands",
            ),
            (
                "customers?name=is.true",
                "! `name`: `is.true` doesn't go with a column that holds a text",
            ),
        ],
    );
}

#[test]
fn searches_have_forms_and_languages() {
    check(
        &POSTGRES,
        &[
            (
                "shipments?select=id&document=fts.fun%26!possible",
                "id; where document Query() fun&!possible",
            ),
            (
                "shipments?select=id&document=plfts.The%20Fat%20Cats",
                "id; where document Plain() The Fat Cats",
            ),
            (
                "shipments?select=id&document=phfts(german).Art Spass",
                "id; where document Phrase(german) Art Spass",
            ),
            (
                "shipments?select=id&document=not.wfts(english).a or -b",
                "id; where !document Web(english) a or -b",
            ),
            ("tags?select=id&word=wfts.a", "id; where word Web() a"),
            ("products?select=id&attributes=fts.a", "id; where attributes Query() a"),
            (
                "shipments?document=fts(a'b).x",
                "! `document`: `fts` doesn't take `(a'b)`",
            ),
            ("shipments?document=fts().x", "! `document`: `fts` doesn't take `()`"),
            (
                "shipments?order_id=fts.x",
                "! `order_id`: a search doesn't go with a column that holds an integer of 32 bits",
            ),
        ],
    );
}

#[test]
fn collections_contain_and_ranges_lie() {
    check(
        &POSTGRES,
        &[
            (
                "products?select=id&labels=cs.{a,\"b c\"}",
                "id; where labels Contains ['a','b c']",
            ),
            ("products?select=id&labels=cd.{a}", "id; where labels ContainedIn ['a']"),
            ("products?select=id&labels=ov.{a}", "id; where labels Overlaps ['a']"),
            (
                "products?select=id&attributes=cs.{\"a\":1}",
                "id; where attributes Contains `{\"a\":1}`",
            ),
            ("kinds?select=id&a_range=cs.[1,2]", "id; where a_range Contains '[1,2]'"),
            ("kinds?select=id&a_range=ov.[1,2)", "id; where a_range Overlaps '[1,2)'"),
            (
                "kinds?select=id&a_range=sl.(9,10)",
                "id; where a_range StrictlyLeft '(9,10)'",
            ),
            (
                "kinds?select=id&a_range=sr.[3,4]",
                "id; where a_range StrictlyRight '[3,4]'",
            ),
            (
                "kinds?select=id&a_range=nxr.[4,7]",
                "id; where a_range NotRight '[4,7]'",
            ),
            ("kinds?select=id&a_range=nxl.[4,7]", "id; where a_range NotLeft '[4,7]'"),
            (
                "kinds?select=id&a_range=adj.(3,10]",
                "id; where a_range Adjacent '(3,10]'",
            ),
            ("products?labels=cs.a", "! `labels`: `a` is not an array"),
            (
                "products?attributes=ov.{}",
                "! `attributes`: `ov` doesn't go with a column that holds JSON",
            ),
            (
                "products?name=cs.x",
                "! `name`: containment doesn't go with a column that holds a text",
            ),
            (
                "products?price=sl.[1,2]",
                "! `price`: an operator for ranges doesn't go with a column that holds a number",
            ),
            ("kinds?a_range=sl.1", "! `a_range`: `1` is not a range"),
            (
                "kinds?a_range=eq(any).{\"[1,2]\"}",
                "! `a_range`: a comparison doesn't go with a column that holds a range",
            ),
        ],
    );
}

#[test]
fn conditions_are_joined_by_and_and_or() {
    check(
        &POSTGRES,
        &[
            (
                "tags?select=id&or=(id.eq.1,id.eq.2)",
                "id; where (id Equal 1 | id Equal 2)",
            ),
            (
                "tags?select=id&and=(id.gt.1,id.lt.9)",
                "id; where (id Greater 1 & id Less 9)",
            ),
            (
                "tags?select=id&not.or=(id.eq.1,id.eq.2)",
                "id; where !(id Equal 1 | id Equal 2)",
            ),
            ("tags?select=id&not.and=(id.eq.1)", "id; where !(id Equal 1)"),
            (
                "tags?select=id&word=eq.a&or=(id.eq.1)",
                "id; where (word Equal 'a' & (id Equal 1))",
            ),
            (
                "tags?select=id&or=(and(word.eq.a,id.eq.1),not.and(word.eq.b,id.eq.2))",
                "id; where ((word Equal 'a' & id Equal 1) | !(word Equal 'b' & id Equal 2))",
            ),
            (
                "tags?select=id&and=( and ( id.in.( 1, 2, 3 ) , id.eq.3 ) , or ( id.eq.2 , id.eq.3 ) )",
                "id; where ((id in [1,2,3] & id Equal 3) & (id Equal 2 | id Equal 3))",
            ),
            (
                "tags?select=id&or=(id.not.eq.1,word.not.is.null)",
                "id; where (!id Equal 1 | !word is null)",
            ),
            (
                "tags?select=id&or=(id.in.(1,2),id.in.(\"3\"))",
                "id; where (id in [1,2] | id in [3])",
            ),
            (
                "tags?select=id&or=(word.eq.\"(a,b)\",word.eq.\"c)\")",
                "id; where (word Equal '(a,b)' | word Equal 'c)')",
            ),
            (
                "tags?select=id&or=(word.like.\"*a,4*\",word.ilike.*B)",
                "id; where (word like %a,4% | word ilike %B)",
            ),
            (
                "tags?select=id&or=(id.eq(any).{1,2},word.eq.b)",
                "id; where (id Equal Any [1,2] | word Equal 'b')",
            ),
            (
                "products?select=id&or=(labels.cs.{a,b},labels.cd.{c})",
                "id; where (labels Contains ['a','b'] | labels ContainedIn ['c'])",
            ),
            (
                "products?select=id&or=(attributes->>a.eq.x,attributes->0->b.is.null)",
                "id; where (attributes->>a Equal 'x' | attributes->0->b is null)",
            ),
            (
                "shipments?select=id&or=(document.plfts(german).Art Spass, document.not.fts(english).x)",
                "id; where (document Plain(german) Art Spass | !document Query(english) x)",
            ),
            (
                "products?select=id&or=(\"a.b\".eq.x,shelf life.is.null)",
                "id; where (a.b Equal 'x' | shelf life is null)",
            ),
            ("tags?or=()", "! `or`: a name is expected where `)` stands"),
            ("tags?or=", "! `or`: `(` is missing at the end"),
            ("tags?or=(id.eq.1", "! `or`: `,` is missing at the end"),
            ("tags?or=(id.eq.1))", "! `or`: the end is expected where `)` stands"),
            (
                "tags?or=(id.in.1,2,id.eq.3)",
                "! `or`: `(` is expected where `1,2,id.eq.3)` stands",
            ),
            (
                "tags?or=(id.eq.1,xor(id.eq.2))",
                "! `or`: `.` is expected where `(id.eq.2))` stands",
            ),
            (
                "tags?or=(idd.eq.1)",
                "! `or`: there is no column `idd`; did you mean `id`?",
            ),
            ("tags?or=(id)", "! `or`: `.` is expected where `)` stands"),
        ],
    );
}

#[test]
fn columns_may_be_named_like_words_of_the_grammar() {
    let mut found = crate::fixture::found(crate::schema::Engine::Postgres);
    let tags = found
        .relations
        .iter_mut()
        .find(|relation| relation.name == "tags")
        .expect("tags");
    for name in ["select", "order", "and_more", "or", "not", "count", "limit", "in"] {
        let mut column = tags.columns[1].clone();
        column.name = name.to_owned();
        tags.columns.push(column);
    }
    let schema = std::sync::Arc::new(crate::schema::Schema::new(crate::schema::Engine::Postgres, found));
    let api = crate::api::Api::new(schema, crate::fixture::exposed()).expect("it fits");
    check(
        &api,
        &[
            ("tags?select=select,order,or", "select,order,or"),
            ("tags?select=id&\"select\"=eq.a", "id; where select Equal 'a'"),
            (
                "tags?select=id&\"order\"=eq.a&order=order",
                "id; where order Equal 'a'; order order",
            ),
            (
                "tags?select=id&\"limit\"=eq.a&limit=5",
                "id; where limit Equal 'a'; limit 5",
            ),
            (
                "tags?select=id&or=(and_more.eq.a,or.eq.b,not.eq.c)",
                "id; where (and_more Equal 'a' | or Equal 'b' | not Equal 'c')",
            ),
            ("tags?select=id&not=eq.a", "id; where not Equal 'a'"),
            ("tags?select=id&in=in.(a)", "id; where in in ['a']"),
            ("tags?select=count", "count"),
            ("tags?select=count()", "count=count(*)"),
        ],
    );
}

#[test]
fn what_is_no_filter_is_refused() {
    check(
        &POSTGRES,
        &[
            (
                "tags?id",
                "! `id`: `` is none of the operators eq, neq, gt, gte, lt, lte, like, ilike, match, imatch, in, is, isdistinct, fts, plfts, phfts, wfts, cs, cd, ov, sl, sr, nxr, nxl, adj, with a dot and a value",
            ),
            ("tags?id=eq", "! `id`: a dot and a value are expected behind `eq`"),
            (
                "tags?id=eq5",
                "! `id`: `eq5` is none of the operators eq, neq, gt, gte, lt, lte, like, ilike, match, imatch, in, is, isdistinct, fts, plfts, phfts, wfts, cs, cd, ov, sl, sr, nxr, nxl, adj, with a dot and a value; did you mean `eq`?",
            ),
            (
                "tags?id=not.not.eq.5",
                "! `id`: `not` is none of the operators eq, neq, gt, gte, lt, lte, like, ilike, match, imatch, in, is, isdistinct, fts, plfts, phfts, wfts, cs, cd, ov, sl, sr, nxr, nxl, adj, with a dot and a value",
            ),
            (
                "tags?selec=id",
                "! `selec`: `id` is none of the operators eq, neq, gt, gte, lt, lte, like, ilike, match, imatch, in, is, isdistinct, fts, plfts, phfts, wfts, cs, cd, ov, sl, sr, nxr, nxl, adj, with a dot and a value; did you mean `in`?",
            ),
            (
                "tags?offfset=eq.5",
                "! `offfset`: there is no column `offfset`; did you mean `offset`?",
            ),
            (
                "tags?wrod=eq.5",
                "! `wrod`: there is no column `wrod`; did you mean `word`?",
            ),
            ("tags?=eq.5", "! ``: a name is missing at the end"),
            ("tags?id'--=eq.5", "! `id'--`: the end is expected where `'--` stands"),
            (
                "tags?id::text=eq.5",
                "! `id::text`: the end is expected where `::text` stands",
            ),
            (
                "tags?id[$ne]=5",
                "! `id[$ne]`: the end is expected where `[$ne]` stands",
            ),
            (
                "tags?id.sum()=gt.5",
                "! `id.sum()`: the end is expected where `()` stands",
            ),
            (
                "tags?orders.id=eq.5",
                "! `orders.id`: `orders` is not embedded by `select`",
            ),
        ],
    );
}
