use std::fmt::Write as _;
use std::time::{Duration, Instant};

use portcullis_tables::schema::{Kind, Relation, Returns, Type};

use super::{database, open};
use crate::postgres::Postgres;
use crate::tests::name_of;

const SHOP: &str = r#"
create schema api;
create type api.mood as enum ('sad', 'ok', 'happy');
create domain api.email as varchar(80) not null check (value like '%@%');
create type api.pair as (x int, y text);
create table api.customers (
    id bigint generated always as identity primary key,
    "E-Mail" api.email unique,
    mood api.mood default 'ok',
    moods api.mood[],
    gone int,
    born date, seen timestamptz, at timestamp, t time, span interval,
    price numeric(10, 2), ratio real, raw bytea, uid uuid, doc jsonb, text json, words tsvector,
    spread int4range, nested api.pair, name varchar(20) not null,
    twice int generated always as (id::int * 2) stored
);
alter table api.customers drop column gone;
comment on table api.customers is 'who buys';
comment on column api.customers.name is 'as they like it';
create table api.orders (
    id serial primary key,
    customer bigint not null constraint orders_buyer references api.customers,
    total numeric, state text default 'new'
);
create index orders_state on api.orders (state, (lower(state))) include (total) where total > 0;
create unique index orders_pair on api.orders (customer, state);
create table api.events (id bigint, day date, primary key (id, day)) partition by range (day);
create table api.events_2026 partition of api.events for values from ('2026-01-01') to ('2027-01-01');
create view api.buyers as select c.id as customer_id, c.name, upper(c.name) as loud from api.customers c;
create view api.loud_buyers as select customer_id, loud from api.buyers;
create view api.counted as select count(*) as n from api.orders;
create materialized view api.kept as select id, customer from api.orders;
create function api.add(a int, b int default 1) returns int language sql immutable as 'select a + b';
create function api.find(state text) returns setof api.orders language sql stable as 'select * from api.orders';
create function api.rows(variadic names text[]) returns table (name text, n int) language sql as 'select null::text, 1';
create function api.both(out a int, out b text) language sql as 'select 1, null::text';
create function api.a_pair() returns api.pair language sql as 'select (1, null)::api.pair';
create function api.nothing() returns void language sql as 'select';
create procedure api.clean(inout removed int) language sql as 'select 1';
create function api.on_change() returns trigger language plpgsql as 'begin return new; end';
create schema hidden;
create table hidden.secrets (id int primary key);
create table public.portcullis_migrations (name text);
"#;

fn relation<'s>(schema: &'s portcullis_tables::schema::Schema, name: &str) -> &'s Relation {
    schema.relation(name).unwrap_or_else(|| panic!("{name}")).1
}

#[test]
fn a_schema_is_found_with_all_that_is_in_it() {
    let mut settings = database(SHOP);
    settings.namespaces = vec!["api".to_owned(), "public".to_owned()];
    let (_, schema) = open(&settings);
    let names: Vec<_> = schema
        .relations()
        .iter()
        .map(|relation| relation.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "buyers",
            "counted",
            "customers",
            "events",
            "kept",
            "loud_buyers",
            "orders"
        ]
    );

    let customers = relation(&schema, "customers");
    let kind = |name: &str| customers.columns[customers.column(name).unwrap()].kind.clone();
    let mood = Type::Enumeration(["sad", "ok", "happy"].map(str::to_owned).to_vec());
    for (name, expected) in [
        (
            "id",
            Type::Integer {
                bytes: 8,
                unsigned: false,
            },
        ),
        ("E-Mail", Type::Text),
        ("mood", mood.clone()),
        ("moods", Type::Array(Box::new(mood))),
        ("born", Type::Date),
        ("seen", Type::Moment),
        ("at", Type::Timestamp),
        ("t", Type::Time),
        ("span", Type::Interval),
        ("price", Type::Decimal),
        ("ratio", Type::Real),
        ("raw", Type::Bytes),
        ("uid", Type::Uuid),
        ("doc", Type::Json { binary: true }),
        ("text", Type::Json { binary: false }),
        ("words", Type::SearchVector),
        ("spread", Type::Range),
        ("nested", Type::Composite),
    ] {
        assert_eq!(kind(name), expected, "{name}");
    }
    let column = |name: &str| &customers.columns[customers.column(name).unwrap()];
    assert_eq!(column("moods").declared.as_str(), "api.mood[]");
    assert_eq!(column("E-Mail").declared.as_str(), "api.email");
    assert_eq!(
        (column("E-Mail").max_length, column("E-Mail").nullable),
        (Some(80), false)
    );
    assert_eq!((column("name").max_length, column("name").nullable), (Some(20), false));
    assert_eq!(column("price").declared.as_str(), "numeric(10,2)");
    assert_eq!(column("mood").default.as_deref(), Some("'ok'::api.mood"));
    assert!(column("id").generated && column("twice").generated && !column("name").generated);
    assert_eq!(column("name").comment.as_deref(), Some("as they like it"));
    assert_eq!(customers.comment.as_deref(), Some("who buys"));
    assert_eq!(customers.primary_key, [0]);
    assert!(customers.unique.contains(&vec![1]));
    assert_eq!(customers.kind, Kind::Table);
}

#[test]
fn keys_and_indexes_are_found_of_tables_and_of_views_on_them() {
    let mut settings = database(SHOP);
    settings.namespaces = vec!["api".to_owned()];
    let (_, schema) = open(&settings);
    let orders = relation(&schema, "api.orders");
    let to = |relation: &Relation| -> Vec<(String, Vec<usize>, String, Vec<usize>)> {
        let name = |place: usize| schema.relations()[place].name.as_str().to_owned();
        let key = |key: &portcullis_tables::schema::ForeignKey| {
            (
                key.name.to_string(),
                key.columns.clone(),
                name(key.relation),
                key.referred.clone(),
            )
        };
        relation.foreign_keys.iter().map(key).collect()
    };
    let buyer = |columns: &[usize], to: &str| ("orders_buyer".to_owned(), columns.to_vec(), to.to_owned(), vec![0]);
    let targets = ["customers", "buyers", "loud_buyers"];
    assert_eq!(to(orders), targets.map(|target| buyer(&[1], target)));
    assert_eq!(to(relation(&schema, "kept")), targets.map(|target| buyer(&[1], target)));
    assert!(to(relation(&schema, "counted")).is_empty());

    let state = orders
        .indexes
        .iter()
        .find(|index| index.name.as_str() == "orders_state")
        .unwrap();
    assert_eq!(
        (state.columns.clone(), state.included.clone()),
        (vec![Some(3), None], vec![2])
    );
    assert!(state.partial && !state.unique && &*state.method == "btree" && state.bytes.is_some());
    assert!(orders.is_key(&[0]) && orders.is_key(&[3, 1]) && !orders.is_key(&[1]));
    assert!(orders.indexes.iter().any(|index| index.primary));
    assert_eq!(relation(&schema, "events").primary_key, [0, 1]);
    let writable = |name: &str| relation(&schema, name).writable;
    assert!(writable("orders") && writable("buyers") && !writable("counted") && !writable("kept"));
}

#[test]
fn routines_are_found_with_what_they_take_and_give() {
    let mut settings = database(SHOP);
    settings.namespaces = vec!["api".to_owned()];
    let (_, schema) = open(&settings);
    let routine = |name: &str| schema.routines_named(name).first().copied().cloned().unwrap();
    let add = routine("add");
    assert!(!add.volatile && !add.procedure);
    assert_eq!(
        (
            add.arguments.len(),
            add.arguments[0].optional,
            add.arguments[1].optional
        ),
        (2, false, true)
    );
    assert!(matches!(add.returns, Returns::Value(Type::Integer { bytes: 4, .. })));
    assert!(matches!(routine("find").returns, Returns::Relation { many: true, .. }));
    let rows = routine("rows");
    assert!(rows.arguments[0].variadic && rows.arguments[0].declared.as_str() == "text[]");
    assert!(matches!(&rows.returns, Returns::Rows(columns) if columns[1].name.as_str() == "n"));
    assert!(matches!(&routine("both").returns, Returns::Row(columns) if columns.len() == 2));
    assert!(matches!(&routine("a_pair").returns, Returns::Row(columns) if columns[0].name.as_str() == "x"));
    assert!(matches!(routine("nothing").returns, Returns::Nothing));
    let clean = routine("clean");
    assert!(clean.procedure && clean.arguments[0].name.as_str() == "removed");
    assert!(matches!(&clean.returns, Returns::Row(columns) if columns.len() == 1));
    assert!(schema.routines_named("on_change").is_empty());
}

#[test]
fn a_change_of_the_schema_is_seen_and_a_change_of_rows_is_none() {
    let settings = database("create table a (id int primary key)");
    let (postgres, schema) = open(&settings);
    let server = portcullis_servers::shared_postgres();
    let name = name_of(&settings);
    let look = |postgres: &Postgres| postgres.look().unwrap();
    assert!(look(&postgres).is_none());
    server.run_sql(name, "insert into a values (1); analyze a").unwrap();
    assert!(look(&postgres).is_none());
    for change in [
        "alter table a add b text",
        "alter table a alter b set default 'x'",
        "alter table a rename b to c",
        "comment on table a is 'x'",
        "create index on a (c)",
        "create view v as select * from a",
        "create function f() returns int language sql as 'select 1'",
        "drop table a cascade",
    ] {
        server.run_sql(name, change).unwrap();
        let found = look(&postgres).unwrap_or_else(|| panic!("{change}"));
        assert_ne!(found.fingerprint(), schema.fingerprint(), "{change}");
        assert!(look(&postgres).is_none(), "{change}");
    }
}

#[test]
fn ten_thousand_tables_are_read_in_a_moment() {
    let mut sql = String::from("begin;");
    for at in 0..10_000 {
        write!(
            sql,
            "create table t{at} (id bigint primary key, other bigint{}, name text not null default 'x', at timestamptz);",
            if at == 0 { String::new() } else { format!(" references t{}", at - 1) },
        )
        .unwrap();
        if at % 500 == 499 {
            // A transaction holds a lock for each of its tables.
            sql.push_str("commit;begin;");
        }
    }
    sql.push_str("commit");
    let settings = database(&sql);
    let (postgres, schema) = open(&settings);
    assert_eq!(schema.relations().len(), 10_000);
    assert_eq!(schema.relations()[1].foreign_keys.len(), 1);
    let begun = Instant::now();
    Postgres::inspect(&settings).unwrap().unwrap();
    let inspected = begun.elapsed();
    let begun = Instant::now();
    assert!(postgres.look().unwrap().is_none());
    let looked = begun.elapsed();
    // Twice the promise, on a machine that does other things meanwhile and without optimisation.
    assert!(inspected < Duration::from_secs(5), "{inspected:?}");
    assert!(looked < Duration::from_secs(2), "{looked:?}");
}
