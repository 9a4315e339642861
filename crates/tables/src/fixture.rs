//! A shop to try things on: what an introspection would find, and what a route would expose of it. For tests only.

use std::sync::Arc;

use portcullis_core::Method;

use crate::api::{Api, Exposed, ExposedResource, ExposedRule, ExposedStatement, Limits, ResourceLimits};
use crate::schema::{
    Engine, FoundArgument, FoundColumn, FoundForeignKey, FoundIndex, FoundRelation, FoundReturns, FoundRoutine,
    FoundSchema, Kind, Schema, Type, Volatile,
};

/// The tables: a line for each, and under it its columns: name, type, and marks: `key` (of the primary key), `unique`,
/// `null`, `default`, `generated`, `>TABLE.COLUMN` (refers to), `index`.
const TABLES: &str = "
customers
    id            integer key default
    name          text
    email         text null unique
    vip           boolean default
    balance       decimal
    owner         text index
    settings      jsonb null
    created_at    moment default
    internal_note text null
orders
    id            integer key default
    customer_id   integer >customers.id index
    state         state default
    total         decimal
    placed_at     timestamp
    note          text null
    owner         text
    lock_version  integer default
lines
    order_id      integer key >orders.id
    number        smallint key
    product_id    integer >products.id
    quantity      integer
    price         decimal
products
    id            integer key default
    sku           text unique
    name          text
    price         decimal
    weight        real null
    added         date
    attributes    jsonb null
    labels        text[]
    shelf life    interval null
    a.b           text null
tags
    id            integer key default
    word          text unique
order_tags
    order_id      integer key >orders.id
    tag_id        integer key >tags.id
invoices
    order_id      integer key >orders.id
    number        text unique
    issued        date
employees
    id            integer key default
    name          text
    manager_id    integer null >employees.id
addresses
    id            integer key default
    city          text
shipments
    id            uuid key default
    order_id      integer >orders.id
    origin_id     integer >addresses.id
    target_id     integer >addresses.id
    document      search null
kinds
    id            integer key default
    a_boolean     boolean null
    a_tiny        tiny null
    a_small       smallint null
    an_integer    integer null
    a_big         bigint null
    an_unsigned   unsigned null
    a_real        real null
    a_decimal     decimal null
    a_numeric     numeric null
    a_text        text null
    some_bytes    bytes null
    a_uuid        uuid null
    a_date        date null
    a_time        time null
    a_timestamp   timestamp null
    a_moment      moment null
    an_interval   interval null
    a_json        json null
    a_jsonb       jsonb null
    a_state       state null
    some_texts    text[] null
    some_integers integer[] null
    a_range       range null
    a_document    search null
    a_composite   composite null
    an_any        any null
    an_other      other null
    doubled       integer generated
secrets
    id            integer key
    customer_id   integer >customers.id
    marker        text
archived_orders
    id            integer key
    customer_id   integer >customers.id
    total         decimal
    owner         text
*order_totals
    customer_id   integer null
    orders        bigint null
    total         decimal null
";

/// The shop, as an introspection would find it.
pub fn found(engine: Engine) -> FoundSchema {
    let namespace = namespace(engine);
    let mut relations: Vec<FoundRelation> = Vec::new();
    for line in TABLES.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("    ") {
            None => relations.push(relation(namespace, line)),
            Some(column) => add_column(relations.last_mut().expect("a table comes first"), column),
        }
    }
    for relation in &mut relations {
        let primary = relation.primary_key.clone();
        if !primary.is_empty() {
            let name = format!("{}_pkey", relation.name);
            relation.indexes.insert(0, index(name, primary, true, true));
        }
    }
    FoundSchema {
        namespaces: vec![namespace.to_owned()],
        relations,
        routines: routines(namespace),
    }
}

/// The shop's schema.
pub fn schema(engine: Engine) -> Arc<Schema> {
    Arc::new(Schema::new(engine, found(engine)))
}

/// What is exposed of it: all but `secrets`, and all columns but `customers.internal_note`. Orders have a version
/// (`lock_version`) and may be seen by their owner, by clerks where they aren't gone, and by admins; `owner` can't be
/// filtered there.
pub fn exposed() -> Exposed {
    let names = TABLES.lines().filter(|line| !line.is_empty() && !line.starts_with(' '));
    let mut resources: Vec<(String, ExposedResource)> = names
        .map(|name| name.trim_start_matches('*'))
        .filter(|name| *name != "secrets")
        .map(|name| (name.to_owned(), resource(name)))
        .collect();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    for (name, resource) in &mut resources {
        match name.as_str() {
            "customers" => {
                let readable = [
                    "id",
                    "name",
                    "email",
                    "vip",
                    "balance",
                    "owner",
                    "settings",
                    "created_at",
                ];
                resource.columns = Some(words(&readable));
            }
            "orders" => {
                resource.version = Some("lock_version".to_owned());
                resource.filters = Some(words(&["id", "customer_id", "state", "total", "placed_at", "note"]));
                resource.rules = order_rules();
            }
            _ => {}
        }
    }
    let statement = ExposedStatement {
        sql: "select name, ':a' as colon from customers where id = :id or balance > :least::numeric or id = :id"
            .to_owned(),
        arguments: vec![
            ("id".to_owned(), "integer".to_owned()),
            ("least".to_owned(), "numeric".to_owned()),
        ],
        writes: false,
    };
    Exposed {
        resources,
        routines: vec![
            ("place_order".to_owned(), "place_order".to_owned()),
            ("large_orders".to_owned(), "large_orders".to_owned()),
        ],
        statements: vec![("rich".to_owned(), statement)],
        limits: Limits::default(),
    }
}

/// An API over the shop.
///
/// # Panics
/// When what is exposed doesn't fit the shop.
pub fn api(engine: Engine) -> Arc<Api> {
    Arc::new(Api::new(schema(engine), exposed()).expect("the fixture fits"))
}

/// A resource of all columns, with all methods, aggregates and patterns.
pub fn resource(relation: &str) -> ExposedResource {
    ExposedResource {
        relation: relation.to_owned(),
        columns: None,
        writable: None,
        filters: None,
        methods: vec![
            Method::Get,
            Method::Head,
            Method::Post,
            Method::Put,
            Method::Patch,
            Method::Delete,
        ],
        version: None,
        require_if_match: false,
        rules: Vec::new(),
        aggregates: true,
        patterns: true,
        full_table: false,
        limits: ResourceLimits::default(),
    }
}

fn order_rules() -> Vec<ExposedRule> {
    let rule = |role: &str, rows: Option<&str>| ExposedRule {
        roles: if role.is_empty() {
            Vec::new()
        } else {
            vec![role.to_owned()]
        },
        scopes: Vec::new(),
        rows: rows.map(str::to_owned),
    };
    vec![
        rule("admin", None),
        rule("clerk", Some("state=neq.gone")),
        rule("", Some("owner=eq.{claims.sub}")),
    ]
}

fn namespace(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "main",
        Engine::Postgres => "public",
        Engine::MariaDb | Engine::MySql => "shop",
    }
}

fn relation(namespace: &str, name: &str) -> FoundRelation {
    let kind = if name.starts_with('*') { Kind::View } else { Kind::Table };
    FoundRelation {
        estimated_rows: Volatile(Some(1000)),
        ..FoundRelation::new(namespace.to_owned(), name.trim_start_matches('*').to_owned(), kind)
    }
}

fn add_column(relation: &mut FoundRelation, text: &str) {
    // The one name with a space in it is why the name has a width.
    let (name, rest) = text.split_at(text.len().min(14));
    let name = name.trim();
    let mut words = rest.split_whitespace();
    let declared = words.next().expect("a type");
    let place = relation.columns.len();
    let mut column = FoundColumn {
        name: name.to_owned(),
        kind: kind(declared),
        declared: declared_as(declared),
        nullable: false,
        default: None,
        generated: false,
        max_length: None,
        comment: None,
    };
    for word in words {
        match word {
            "key" => relation.primary_key.push(place),
            "null" => column.nullable = true,
            "default" => column.default = Some("default".to_owned()),
            "generated" => column.generated = true,
            "unique" => {
                relation.unique.push(vec![place]);
                let name = format!("{}_{name}_key", relation.name);
                relation.indexes.push(index(name, vec![place], true, false));
            }
            "index" => {
                let name = format!("{}_{name}_idx", relation.name);
                relation.indexes.push(index(name, vec![place], false, false));
            }
            reference => {
                let target = reference.strip_prefix('>').expect("a reference");
                let (table, column) = target.split_once('.').expect("TABLE.COLUMN");
                relation.foreign_keys.push(FoundForeignKey {
                    name: format!("{}_{name}_fkey", relation.name),
                    columns: vec![place],
                    namespace: relation.namespace.clone(),
                    relation: table.to_owned(),
                    referred: vec![column.to_owned()],
                });
            }
        }
    }
    relation.columns.push(column);
}

fn index(name: String, columns: Vec<usize>, unique: bool, primary: bool) -> FoundIndex {
    FoundIndex {
        name,
        columns: columns.into_iter().map(Some).collect(),
        included: Vec::new(),
        unique,
        primary,
        partial: false,
        method: "btree".to_owned(),
        scans: Volatile(None),
        bytes: Volatile(None),
    }
}

fn kind(word: &str) -> Type {
    let integer = |bytes, unsigned| Type::Integer { bytes, unsigned };
    match word {
        "boolean" => Type::Boolean,
        "tiny" => integer(1, false),
        "smallint" => integer(2, false),
        "integer" => integer(4, false),
        "bigint" => integer(8, false),
        "unsigned" => integer(4, true),
        "real" => Type::Real,
        "decimal" => Type::Decimal,
        "numeric" => Type::Numeric,
        "text" => Type::Text,
        "bytes" => Type::Bytes,
        "uuid" => Type::Uuid,
        "date" => Type::Date,
        "time" => Type::Time,
        "timestamp" => Type::Timestamp,
        "moment" => Type::Moment,
        "interval" => Type::Interval,
        "json" => Type::Json { binary: false },
        "jsonb" => Type::Json { binary: true },
        "state" => Type::Enumeration(["new", "paid", "sent", "gone"].map(str::to_owned).to_vec()),
        "text[]" => Type::Array(Box::new(Type::Text)),
        "integer[]" => Type::Array(Box::new(integer(4, false))),
        "range" => Type::Range,
        "search" => Type::SearchVector,
        "composite" => Type::Composite,
        "any" => Type::Any,
        _ => Type::Other,
    }
}

/// The type in PostgreSQL's words.
fn declared_as(word: &str) -> String {
    match word {
        "tiny" => "smallint",
        "unsigned" => "bigint",
        "real" => "double precision",
        "decimal" => "numeric(12,2)",
        "bytes" => "bytea",
        "timestamp" => "timestamp without time zone",
        "moment" => "timestamp with time zone",
        "range" => "int4range",
        "search" => "tsvector",
        "composite" => "public.pair",
        "any" => "text",
        "other" => "inet",
        other => other,
    }
    .to_owned()
}

fn routines(namespace: &str) -> Vec<FoundRoutine> {
    let argument = |name: &str, word: &str, optional| FoundArgument {
        name: name.to_owned(),
        kind: kind(word),
        declared: declared_as(word),
        optional,
        variadic: false,
    };
    let routine = |name: &str, volatile, arguments, returns| FoundRoutine {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        procedure: false,
        volatile,
        arguments,
        returns,
        comment: None,
    };
    let orders = FoundReturns::Relation {
        namespace: namespace.to_owned(),
        relation: "orders".to_owned(),
        many: true,
    };
    vec![
        routine(
            "place_order",
            true,
            vec![argument("customer", "integer", false), argument("note", "text", true)],
            FoundReturns::Value(kind("integer")),
        ),
        routine("large_orders", false, vec![argument("least", "decimal", false)], orders),
        routine("hidden_routine", true, Vec::new(), FoundReturns::Nothing),
    ]
}
