//! Questions in the grammar of requests.

use proptest::prelude::{BoxedStrategy, Just, Strategy, prop_oneof};
use proptest::sample::select;

type Question = (&'static str, String);

/// Any question: a table, and a query.
pub(super) fn any() -> impl Strategy<Value = Question> {
    let rows = (ordered(), window("")).prop_map(|((table, query), window)| (table, format!("{query}{window}")));
    prop_oneof![3 => rows, 1 => groups()]
}

/// Rows in an order that a cursor can go through, without a window.
pub(super) fn ordered() -> impl Strategy<Value = Question> {
    let people = (
        embed(&["*", "id,name", "age,active,id"], person_embeds()),
        filters("", person(), 2),
        order("", &["name", "age", "active", "team_id"]),
    );
    let teams = (
        embed(&["*", "id,title", "score,size"], team_embeds()),
        filters("", team(), 2),
        order("", &["title", "size", "score"]),
    );
    prop_oneof![
        people.prop_map(|(shown, filters, order)| ("people", format!("{shown}{filters}{order}"))),
        teams.prop_map(|(shown, filters, order)| ("teams", format!("{shown}{filters}{order}"))),
    ]
}

/// Computations over groups.
fn groups() -> impl Strategy<Value = Question> {
    let by = select(vec!["", "team_id,", "active,", "name,active,"]);
    let computed = select(vec![
        "n:count()",
        "n:age.sum()",
        "n:count(),low:age.min()",
        "n:age.max(),mean:age.avg()",
        "n:age.count()",
    ]);
    let having = select(vec![
        "",
        "&having=(n.gt.2)",
        "&having=(or(n.lt.3,n.gte.6))",
        "&having=(not.and(n.gt.2,n.lt.9))",
    ]);
    (by, computed, having, filters("", person(), 2)).prop_map(|(by, computed, having, filters)| {
        let named = by.trim_end_matches(',');
        let order = if named.is_empty() {
            String::new()
        } else {
            format!("&order=n.desc,{named}")
        };
        let having = if by.is_empty() { "" } else { having };
        ("people", format!("select={by}{computed}{filters}{having}{order}"))
    })
}

/// What rows show, with an embed or none, and what belongs to the embed.
fn embed(shown: &[&'static str], embeds: BoxedStrategy<(String, String)>) -> impl Strategy<Value = String> + use<> {
    (select(shown.to_vec()), proptest::option::of(embeds)).prop_map(|(shown, embed)| match embed {
        None => format!("select={shown}"),
        Some((item, more)) => format!("select={shown},{item}{more}"),
    })
}

fn person_embeds() -> BoxedStrategy<(String, String)> {
    let one = (
        select(vec![
            "team:teams(id,title)",
            "team:teams!inner(title)",
            "team:teams()",
            "...teams(t:title,score)",
        ]),
        filters("team.", team(), 1),
        select(vec![
            "",
            "",
            "&team=is.null",
            "&team=not.is.null",
            "&or=(team.is.null,age.gt.3)",
        ]),
    );
    let one = one.prop_map(|(item, filters, present)| {
        if item.starts_with('.') {
            return (item.to_owned(), filters.replace("team.", "teams."));
        }
        (item.to_owned(), format!("{filters}{present}"))
    });
    let boss = (
        select(vec![
            "boss:boss_id(id,name)",
            "boss:boss_id!inner(age)",
            "boss:boss_id(id,team:teams(title))",
        ]),
        filters("boss.", person(), 1),
    );
    let boss = boss.prop_map(|(item, filters)| (item.to_owned(), filters));
    prop_oneof![one, boss].boxed()
}

fn team_embeds() -> BoxedStrategy<(String, String)> {
    let many = (
        select(vec![
            "all:people(id,name)",
            "all:people!inner(age)",
            "all:people(id,boss:boss_id(name))",
            "all:people(n:count(),age.sum())",
        ]),
        filters("all.", person(), 1),
        order("all.", &["name", "age", "active"]),
        window("all."),
        select(vec!["", "", "&all=is.null", "&all=not.is.null"]),
    );
    many.prop_map(|(item, filters, order, window, present)| {
        // A computation has one row, whatever there is.
        if item.contains("count()") {
            return (item.to_owned(), filters);
        }
        let window = if item.contains("inner") || !present.is_empty() {
            String::new()
        } else {
            window
        };
        (item.to_owned(), format!("{filters}{order}{window}{present}"))
    })
    .boxed()
}

fn window(prefix: &'static str) -> impl Strategy<Value = String> {
    (proptest::option::of(0..8_u8), proptest::option::of(0..5_u8)).prop_map(move |(limit, offset)| {
        let limit = limit.map_or_else(String::new, |limit| format!("&{prefix}limit={limit}"));
        let offset = offset.map_or_else(String::new, |offset| format!("&{prefix}offset={offset}"));
        format!("{limit}{offset}")
    })
}

fn order(prefix: &'static str, columns: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    let term = (
        select(columns.to_vec()),
        select(vec!["", ".asc", ".desc"]),
        select(vec!["", ".nullsfirst", ".nullslast"]),
    );
    let terms = proptest::collection::vec(term, 0..3);
    terms.prop_map(move |mut terms| {
        terms.dedup_by_key(|(column, _, _)| *column);
        let terms: Vec<String> = terms
            .iter()
            .map(|(column, way, nulls)| format!("{column}{way}{nulls}"))
            .collect();
        if terms.is_empty() {
            String::new()
        } else {
            format!("&{prefix}order={}", terms.join(","))
        }
    })
}

/// Up to so many conditions, each a parameter.
fn filters(prefix: &'static str, leaf: BoxedStrategy<String>, most: usize) -> impl Strategy<Value = String> {
    let tree = leaf.prop_recursive(3, 12, 3, |inner| {
        let several = proptest::collection::vec(inner, 1..4);
        (select(vec!["and", "or", "not.and", "not.or"]), several)
            .prop_map(|(word, several)| format!("{word}({})", several.join(",")))
    });
    proptest::collection::vec(tree, 0..=most).prop_map(move |trees| {
        let each = trees.iter().map(|tree| format!("&{prefix}and=({tree})"));
        each.collect()
    })
}

fn person() -> BoxedStrategy<String> {
    prop_oneof![
        test(select(vec!["id", "age", "team_id", "boss_id"]).boxed(), number()),
        test(Just("name").boxed(), word()),
        test(
            Just("active").boxed(),
            select(vec![
                "is.true",
                "is.false",
                "is.unknown",
                "is.null",
                "eq.true",
                "neq.false"
            ])
            .prop_map(str::to_owned)
            .boxed()
        ),
    ]
    .boxed()
}

fn team() -> BoxedStrategy<String> {
    let halves = (select(vec!["eq", "gt", "lte", "isdistinct"]), -4..5_i8);
    let halves = halves.prop_map(|(operator, number)| format!("{operator}.{}", f32::from(number) / 2.0));
    prop_oneof![
        test(select(vec!["id", "size"]).boxed(), number()),
        test(Just("title").boxed(), word()),
        test(Just("score").boxed(), halves.boxed()),
    ]
    .boxed()
}

fn test(column: BoxedStrategy<&'static str>, test: BoxedStrategy<String>) -> BoxedStrategy<String> {
    (column, select(vec!["", "", "not."]), test)
        .prop_map(|(column, not, test)| format!("{column}.{not}{test}"))
        .boxed()
}

fn number() -> BoxedStrategy<String> {
    let compared = (
        select(vec!["eq", "neq", "gt", "gte", "lt", "lte", "isdistinct"]),
        -1..10_i8,
    );
    let listed = (
        select(vec![
            "in.()",
            "in.(1,3,5)",
            "in.(0,2,2,40)",
            "eq(any).{1,4}",
            "gt(all).{1,3}",
            "lte(any).{2,3}",
            "is.null",
            "not_null",
        ]),
        Just(0_i8),
    );
    prop_oneof![
        compared.prop_map(|(operator, number)| format!("{operator}.{number}")),
        listed.prop_map(|(test, _)| if test == "not_null" {
            "is.not_null".to_owned()
        } else {
            test.to_owned()
        }),
    ]
    .boxed()
}

fn word() -> BoxedStrategy<String> {
    let quoted = select(vec!["ada", "Ada", "red", "o'b", "Zo\u{eb}", "", "b\\\\", "a%25b_c"]);
    let compared = (select(vec!["eq", "neq", "gt", "lte", "isdistinct"]), quoted);
    let other = select(vec![
        "like.a*",
        "ilike.A*",
        "like.*b",
        "like._da",
        "like.a\\%25*",
        "like.*",
        "like(any).{a*,R*}",
        "ilike(all).{a*,*b*}",
        "is.null",
        "in.(ada,\"\")",
        "in.(red,blue)",
    ]);
    prop_oneof![
        compared.prop_map(|(operator, word)| format!("{operator}.\"{word}\"")),
        other.prop_map(str::to_owned),
    ]
    .boxed()
}
