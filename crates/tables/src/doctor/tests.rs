//! Plans that the three engines gave, and what is told of the shop.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::plan::Plan;
use super::unindexed::{Why, unindexed};
use super::{Access, advice, indexes, potential, words};
use crate::api::Api;
use crate::fixture;
use crate::grammar::{self, Caller};
use crate::query::{Filter, Read};
use crate::schema::{Engine, Schema};

fn steps(engine: Engine, said: &str, statement: &str) -> Vec<(Access, Option<String>, Option<String>)> {
    let plan = Plan::read(engine, said, statement);
    plan.steps
        .into_iter()
        .map(|step| (step.access, step.relation, step.index))
        .collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn lines_of_sqlite_are_understood() {
    let statement = r#"SELECT t0."id", (SELECT count(*) FROM "main"."lines" AS t1 WHERE t1."o" = t0."id"), ' FROM "x" t9'
        FROM "main"."orders" AS t0 WHERE t0."a" = ? ORDER BY t0."b" LIMIT ?"#;
    let orders = || some("orders");
    for (said, access, relation, index) in [
        (
            "SEARCH t0 USING INTEGER PRIMARY KEY (rowid=?)",
            Access::Clustered,
            orders(),
            None,
        ),
        ("SEARCH t0 USING PRIMARY KEY (id=?)", Access::Clustered, orders(), None),
        (
            "SEARCH t0 USING INDEX by a (a=?)",
            Access::SeekLookup,
            orders(),
            some("by a"),
        ),
        (
            "SEARCH t1 USING COVERING INDEX i (o=?)",
            Access::Covering,
            some("lines"),
            some("i"),
        ),
        (
            "SEARCH t1 USING AUTOMATIC COVERING INDEX (o=?)",
            Access::AutomaticIndex,
            some("lines"),
            None,
        ),
        ("SCAN t0 USING COVERING INDEX i", Access::IndexScan, orders(), some("i")),
        ("SCAN t0 USING INDEX i", Access::IndexScan, orders(), some("i")),
        ("SCAN t0", Access::FullScan, orders(), None),
        ("SCAN t0 VIRTUAL TABLE INDEX 0:M1", Access::Seek, orders(), None),
        ("SCAN t0 VIRTUAL TABLE INDEX 0:", Access::FullScan, orders(), None),
        ("USE TEMP B-TREE FOR ORDER BY", Access::Sort, None, None),
        ("USE TEMP B-TREE FOR LAST TERM OF ORDER BY", Access::Sort, None, None),
    ] {
        assert_eq!(
            steps(Engine::Sqlite, said, statement),
            [(access, relation, index)],
            "{said}"
        );
    }
    for said in [
        "SCAN t9",
        "SCAN t7",
        "SCAN CONSTANT ROW",
        "CORRELATED SCALAR SUBQUERY 1",
        "MULTI-INDEX OR",
        "",
        "SEARCH",
    ] {
        assert_eq!(steps(Engine::Sqlite, said, statement), [], "{said}");
    }
}

#[test]
fn a_page_in_the_order_of_the_table_is_no_full_scan() {
    let page = r#"SELECT "id" FROM "main"."orders" AS t0 ORDER BY t0."id" LIMIT ?"#;
    let class = |said: &str, statement: &str| Plan::read(Engine::Sqlite, said, statement).class();
    assert_eq!(class("SCAN t0", page), Access::Walk);
    assert_eq!(class("SCAN t0\nUSE TEMP B-TREE FOR ORDER BY", page), Access::FullScan);
    assert_eq!(class("SCAN t0", &page.replace(" LIMIT ?", "")), Access::FullScan);
    let filtered = page.replace(" ORDER", " WHERE t0.\"a\" = ? ORDER");
    assert_eq!(class("SCAN t0", &filtered), Access::FullScan);
}

#[test]
fn documents_of_postgresql_are_understood() {
    let said = r#"[{"Plan": {"Node Type": "Limit", "Total Cost": 8.79, "Plans": [{"Node Type": "Sort", "Plans": [
        {"Node Type": "Nested Loop", "Plans": [
            {"Node Type": "Index Scan", "Index Name": "track_album_id_idx", "Relation Name": "track", "Index Cond": "(album_id = 3)"},
            {"Node Type": "Index Only Scan", "Index Name": "album_pkey", "Relation Name": "album", "Index Cond": "(album_id = 3)"},
            {"Node Type": "Bitmap Heap Scan", "Relation Name": "genre", "Plans": [
                {"Node Type": "BitmapOr", "Plans": [{"Node Type": "Bitmap Index Scan", "Index Name": "genre_name"}]}]},
            {"Node Type": "Seq Scan", "Relation Name": "artist", "Filter": "(name = 'a')"}]}]}]}}]"#;
    let found = [
        (Access::Sort, None, None),
        (Access::SeekLookup, some("track"), some("track_album_id_idx")),
        (Access::Covering, some("album"), some("album_pkey")),
        (Access::Bitmap, some("genre"), some("genre_name")),
        (Access::FullScan, some("artist"), None),
    ];
    assert_eq!(steps(Engine::Postgres, said, "SELECT 1"), found);
    let plan = Plan::read(Engine::Postgres, said, "SELECT 1");
    assert_eq!((plan.class(), plan.cost), (Access::FullScan, Some(8.79)));
    assert_eq!(plan.reads_all().collect::<Vec<_>>(), ["artist"]);
    assert_eq!(
        words::of_plan(&plan)[4],
        "artist: through the whole table: it costs more the larger the table is (full_scan)"
    );
    assert_eq!(Plan::read(Engine::Postgres, "no JSON", "").steps, []);
}

#[test]
fn documents_of_mariadb_are_understood() {
    let statement = "SELECT t0.`id` FROM `shop`.`orders` AS t0 JOIN `shop`.`customers` AS t1 WHERE t0.`state` = ?";
    let table = |inner: &str| {
        format!(r#"{{"query_block": {{"nested_loop": [{{"table": {{"table_name": "t0", {inner}}}}}]}}}}"#)
    };
    let key = |access: &str, key: &str| table(&format!(r#""access_type": "{access}", "key": "{key}""#));
    let orders = || some("orders");
    for (said, access, index) in [
        (key("const", "PRIMARY"), Access::Clustered, some("PRIMARY")),
        (key("range", "PRIMARY"), Access::Clustered, some("PRIMARY")),
        (key("ref", "c"), Access::SeekLookup, some("c")),
        (
            table(r#""access_type": "ref", "key": "c", "using_index": true"#),
            Access::Covering,
            some("c"),
        ),
        (key("index", "c"), Access::IndexScan, some("c")),
        (key("fulltext", "words"), Access::Seek, some("words")),
        (table(r#""access_type": "index_merge""#), Access::Bitmap, None),
        (table(r#""access_type": "ALL", "rows": 19742"#), Access::FullScan, None),
    ] {
        assert_eq!(
            steps(Engine::MariaDb, &said, statement),
            [(access, orders(), index)],
            "{said}"
        );
    }
    let sorted = r#"{"query_block": {"nested_loop": [{"read_sorted_file": {"filesort": {"sort_key": "t0.total",
        "table": {"table_name": "t0", "access_type": "ALL", "rows": 19742, "filtered": 100}}}}],
        "subqueries": [{"expression_cache": {"query_block": {"nested_loop": [{"table": {"table_name": "t1", "access_type": "eq_ref",
        "key": "PRIMARY"}}]}}}, {"table": {"table_name": "<derived2>", "access_type": "ALL"}}]}}"#;
    let found = [
        (Access::Sort, None, None),
        (Access::FullScan, orders(), None),
        (Access::Clustered, some("customers"), some("PRIMARY")),
    ];
    assert_eq!(steps(Engine::MariaDb, sorted, statement), found);
    let mysql = r#"{"query_block": {"cost_info": {"query_cost": "1.25"}, "ordering_operation": {"using_filesort": true,
        "table": {"table_name": "t0", "access_type": "ALL"}}}}"#;
    let plan = Plan::read(Engine::MySql, mysql, statement);
    assert_eq!(
        (plan.cost, plan.class(), plan.steps.len()),
        (Some(1.25), Access::FullScan, 2)
    );
    let nothing = r#"{"query_block": {"table": {"message": "Impossible WHERE noticed after reading const tables"}}}"#;
    assert_eq!(steps(Engine::MariaDb, nothing, statement), []);
}

fn api(engine: Engine) -> Api {
    let mut exposed = fixture::exposed();
    exposed
        .resources
        .iter_mut()
        .for_each(|(_, resource)| resource.rules.clear());
    Api::new(fixture::schema(engine), exposed).unwrap()
}

fn read(api: &Api, resource: &str, query: &str) -> Read {
    let (place, _) = api.resource(resource).unwrap();
    grammar::read(api, place, Some(query), &Caller::default()).unwrap_or_else(|error| panic!("{query}: {error:?}"))
}

#[test]
fn what_no_index_helps_is_told_from_the_schema() {
    let api = api(Engine::Postgres);
    for query in [
        "id=eq.1",
        "id=gt.1",
        "email=eq.a",
        "email=in.(a,b)",
        "email=like.a*&id=eq.1",
        "or=(id.eq.1,email.eq.a)",
        "name=eq.a&id=lt.3",
        "",
        "order=id.desc",
        "order=email,name",
    ] {
        assert_eq!(unindexed(&api, &read(&api, "customers", query)), [], "{query}");
    }
    for (query, why) in [
        ("name=eq.a", Why::Filter),
        ("id=neq.1", Why::Filter),
        ("id=not.eq.1", Why::Filter),
        ("email=like.*a", Why::Filter),
        ("or=(id.eq.1,name.eq.a)", Why::Filter),
        ("settings->>a=eq.1", Why::Filter),
        ("order=name", Why::Order),
        ("select=count()", Why::Whole),
    ] {
        let found = unindexed(&api, &read(&api, "customers", query));
        assert_eq!(
            found.iter().map(|found| found.why).collect::<Vec<_>>(),
            [why],
            "{query}"
        );
    }
    assert_eq!(
        unindexed(&api, &read(&api, "order_totals", "total=eq.1")),
        [],
        "what is below a view isn't known"
    );
    assert_eq!(unindexed(&api, &read(&api, "customers", "select=id,orders(id)")), []);
    let embedded = unindexed(&api, &read(&api, "products", "select=id,lines(quantity)"));
    assert_eq!(embedded.len(), 1, "lines have no index by product");
    assert_eq!(embedded[0].why, Why::Join);
}

#[test]
fn columns_with_one_value_come_first_then_the_order_then_what_is_shown() {
    let statements = |engine, query: &str| -> Vec<String> {
        let api = api(engine);
        let found = advice::candidates(&api, &read(&api, "customers", query));
        found.into_iter().map(|candidate| candidate.statement).collect()
    };
    assert_eq!(
        statements(
            Engine::Postgres,
            "vip=eq.true&name=eq.a&balance=gt.1&order=created_at&select=id,email"
        ),
        [
            r#"CREATE INDEX CONCURRENTLY "customers_name_vip_balance_idx" ON "public"."customers" ("name", "vip", "balance")"#,
            r#"CREATE INDEX CONCURRENTLY "customers_name_vip_created_at_idx" ON "public"."customers" ("name", "vip", "created_at")"#,
            r#"CREATE INDEX CONCURRENTLY "customers_name_vip_balance_cov_idx" ON "public"."customers" ("name", "vip", "balance") INCLUDE ("email")"#,
        ]
    );
    assert_eq!(
        statements(Engine::Sqlite, "name=eq.a&select=id,balance"),
        [
            r#"CREATE INDEX "customers_name_idx" ON "customers" ("name")"#,
            r#"CREATE INDEX "customers_name_cov_idx" ON "customers" ("name", "balance")"#,
        ]
    );
    assert_eq!(
        statements(Engine::MariaDb, "name=eq.a"),
        ["CREATE INDEX `customers_name_idx` ON `shop`.`customers` (`name`(64))"]
    );
    let nothing: [String; 0] = [];
    for helped in ["email=eq.a", "id=eq.1", "settings->>a=eq.1", ""] {
        assert_eq!(statements(Engine::Postgres, helped), nothing, "{helped}");
    }
}

#[test]
fn every_filter_and_order_that_is_allowed_is_a_question() {
    let api = api(Engine::Postgres);
    let (place, _) = api.resource("orders").unwrap();
    let queries: Vec<String> = potential::of(&api, place)
        .into_iter()
        .map(|potential| potential.query)
        .collect();
    for query in ["", "state=eq.new", "order=total", "total=eq.1&order=placed_at"] {
        let is_there = queries.iter().any(|known| known == query) || query.starts_with("state");
        assert!(is_there, "{query} of {queries:?}");
    }
    assert!(
        !queries.iter().any(|query| query.contains("owner")),
        "it can't be filtered"
    );
    let (place, _) = api.resource("products").unwrap();
    assert!(
        potential::of(&api, place)
            .iter()
            .any(|potential| potential.query.contains("%22a.b%22=eq.a"))
    );
    for (place, resource) in api.resources().iter().enumerate() {
        let all = potential::of(&api, place);
        assert!(all.len() <= 256 && !all.is_empty(), "{}", resource.name);
        for potential in all {
            crate::sql::read(&api, &potential.read, crate::sql::RowForm::Columns).unwrap();
        }
    }
}

#[test]
fn columns_that_are_called_like_parameters_are_asked_about() {
    for name in ["limit", "order", "select", "columns", "after", "having", "and", "or"] {
        let mut found = fixture::found(Engine::Sqlite);
        for column in found.relations.iter_mut().flat_map(|relation| &mut relation.columns) {
            if column.name == "a.b" {
                column.name = name.to_owned();
            }
        }
        let api = Api::new(Schema::new(Engine::Sqlite, found).into(), fixture::exposed()).unwrap();
        let (place, resource) = api.resource("products").unwrap();
        let column = resource.relation.column(name);
        let asks =
            |read: &Read| matches!(&read.filter, Some(Filter::Test { field, .. }) if Some(field.column) == column);
        let all = potential::of(&api, place);
        assert!(all.iter().any(|potential| asks(&potential.read)), "{name}");
    }
}

#[test]
fn an_index_whose_work_another_does_is_redundant() {
    let mut found = fixture::found(Engine::Postgres);
    let customers = found
        .relations
        .iter_mut()
        .find(|relation| relation.name == "customers")
        .unwrap();
    let like = |name: &str, columns: &[usize]| {
        let mut index = customers.indexes[1].clone();
        name.clone_into(&mut index.name);
        index.columns = columns.iter().copied().map(Some).collect();
        index.unique = false;
        index
    };
    let added = [
        like("short", &[1]),
        like("long", &[1, 2]),
        like("again", &[1, 2]),
        like("key", &[0]),
        like("other", &[3]),
    ];
    customers.indexes.extend(added);
    let schema = Schema::new(Engine::Postgres, found);
    let (_, relation) = schema.relation("customers").unwrap();
    let redundant: Vec<(String, String)> = indexes::findings(relation)
        .into_iter()
        .filter_map(|finding| Some((finding.index, finding.redundant_with?)))
        .collect();
    let of = |index: &str, by: &str| (index.to_owned(), by.to_owned());
    assert_eq!(
        redundant,
        [of("short", "long"), of("again", "long"), of("key", "the primary key")]
    );
}

#[test]
fn rows_lie_otherwise_in_each_engine() {
    let schema = fixture::schema(Engine::Postgres);
    let (_, relation) = schema.relation("orders").unwrap();
    let told = |engine| words::of_storage(engine, relation);
    assert!(told(Engine::Postgres).contains("heap"));
    assert!(told(Engine::MariaDb).contains("InnoDB"));
    assert!(told(Engine::Sqlite).contains("WITHOUT ROWID"));
    for access in Access::ALL {
        assert!(!words::of_access(access).is_empty());
    }
}
