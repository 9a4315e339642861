//! A small shop on each engine, and what is asked of it.

use portcullis_core::{Method, Result};
use portcullis_tables::api::{Api, Exposed, ExposedResource, Limits, ResourceLimits};
use portcullis_tables::change::{Action, Change, Condition, Conflict};
use portcullis_tables::content;
use portcullis_tables::grammar::{self, Caller};
use portcullis_tables::query::Filter;
use portcullis_tables::sql::{self, Changes, RowForm};
use portcullis_tables::statement::{Access, Outcome, Script, Step};
use portcullis_tables::value::Value;

use crate::it::opened::{self, Opened, script};

/// The tables, in words that each engine has its own for.
const TABLES: &str = "
CREATE TABLE orders (
    id {serial},
    customer {name} NOT NULL,
    state {name} DEFAULT 'new',
    total decimal(12, 2),
    paid {boolean} NOT NULL DEFAULT {false},
    note {name},
    owner {name} NOT NULL DEFAULT 'nobody',
    lock_version integer NOT NULL DEFAULT 1
);
CREATE TABLE order_lines (
    order_id integer NOT NULL REFERENCES orders (id),
    number integer NOT NULL,
    product {name} NOT NULL,
    quantity integer NOT NULL DEFAULT 1 CHECK (quantity > 0),
    PRIMARY KEY (order_id, number)
);
CREATE TABLE tags (
    id {serial},
    word {name} NOT NULL UNIQUE,
    uses integer NOT NULL DEFAULT 0
);
CREATE TABLE settings (
    name {name} NOT NULL PRIMARY KEY,
    value {name},
    weight integer NOT NULL DEFAULT 5,
    changed_at {moment}
);
CREATE TABLE kinds (
    id integer NOT NULL PRIMARY KEY,
    a_boolean {boolean},
    a_big bigint,
    a_real {real},
    a_decimal {decimal},
    a_text {name},
    some_bytes {bytes},
    a_date {date},
    a_timestamp {timestamp},
    a_moment {moment},
    a_json {json}
);
CREATE TABLE loose (word {name}, uses integer);
CREATE TABLE pairs (one integer NOT NULL, other integer NOT NULL, PRIMARY KEY (one, other));
CREATE TABLE prices (amount decimal(6, 2) NOT NULL PRIMARY KEY, owner {name} NOT NULL);
INSERT INTO prices VALUES (1.00, 'ada'), (2.00, 'bob');
INSERT INTO orders (customer, state, total, owner) VALUES
    ('Ada', 'new', 10.50, 'ada'), ('Ada', 'paid', 20, 'ada'), ('Bob', 'new', 30, 'bob');
INSERT INTO order_lines (order_id, number, product, quantity) VALUES (1, 1, 'pen', 2), (1, 2, 'ink', 1), (3, 1, 'pen', 5);
INSERT INTO tags (word, uses) VALUES ('red', 1), ('blue', 2);
INSERT INTO loose VALUES ('a', 1), ('b', 2);
";

/// An engine with the shop in it.
pub(super) struct Shop {
    pub(super) engine: &'static str,
    pub(super) api: Api,
    opened: Opened,
}

/// What became of a change.
pub(super) struct Done {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) changes: Changes,
}

/// The shop on every engine, new.
pub(super) fn shops() -> Vec<Shop> {
    vec![sqlite(), postgres(), mariadb()]
}

/// The shop in SQLite.
pub(super) fn sqlite() -> Shop {
    let words = [
        ("serial", "INTEGER PRIMARY KEY"),
        ("name", "TEXT"),
        ("boolean", "BOOLEAN"),
        ("false", "0"),
        ("moment", "TEXT"),
        ("real", "REAL"),
        ("decimal", "TEXT"),
        ("bytes", "BLOB"),
        ("date", "TEXT"),
        ("timestamp", "TEXT"),
        ("json", "TEXT CHECK (json_valid(a_json))"),
    ];
    Shop::new(opened::sqlite(&tables(&words)))
}

fn postgres() -> Shop {
    let words = [
        ("serial", "serial PRIMARY KEY"),
        ("name", "varchar(60)"),
        ("boolean", "boolean"),
        ("false", "false"),
        ("moment", "timestamptz"),
        ("real", "double precision"),
        ("decimal", "numeric(40, 20)"),
        ("bytes", "bytea"),
        ("date", "date"),
        ("timestamp", "timestamp"),
        ("json", "jsonb"),
    ];
    Shop::new(opened::postgres(&tables(&words)))
}

fn mariadb() -> Shop {
    let words = [
        ("serial", "integer PRIMARY KEY AUTO_INCREMENT"),
        ("name", "varchar(60)"),
        ("boolean", "boolean"),
        ("false", "false"),
        ("moment", "timestamp(6) NULL"),
        ("real", "double"),
        ("decimal", "decimal(40, 20)"),
        ("bytes", "blob"),
        ("date", "date"),
        ("timestamp", "datetime(6)"),
        ("json", "json"),
    ];
    Shop::new(opened::mariadb(&tables(&words)))
}

fn tables(words: &[(&str, &str)]) -> String {
    words.iter().fold(TABLES.to_owned(), |sql, (word, meaning)| {
        sql.replace(&format!("{{{word}}}"), meaning)
    })
}

impl Shop {
    fn new(opened: Opened) -> Shop {
        let names = [
            "orders",
            "order_lines",
            "tags",
            "settings",
            "kinds",
            "loose",
            "pairs",
            "prices",
        ];
        let exposed = Exposed {
            resources: names.iter().map(|name| ((*name).to_owned(), resource(name))).collect(),
            limits: Limits::default(),
            ..Exposed::default()
        };
        Shop {
            engine: opened.engine,
            api: Api::new(opened.schema(), exposed).unwrap(),
            opened,
        }
    }

    fn place(&self, resource: &str) -> usize {
        self.api.resource(resource).unwrap().0
    }

    /// A change of nothing yet.
    fn change(&self, resource: &str, action: Action, query: &str) -> Change {
        let resource = self.place(resource);
        let said = grammar::change(&self.api, resource, Some(query), &Caller::default()).unwrap();
        Change {
            resource,
            action,
            rule: None,
            shown: query.contains("select=").then_some(said.items),
            single: false,
            max_affected: self.api.resources()[resource].limits.max_affected,
            condition: Condition::None,
            keep: Vec::new(),
        }
    }

    /// The insertion of those rows.
    pub(super) fn insertion(
        &self,
        resource: &str,
        query: &str,
        json: &str,
        conflict: Option<(&[&str], bool)>,
    ) -> Change {
        let place = self.place(resource);
        let rows = content::parse_rows(&self.api, place, "application/json", json.as_bytes(), None, true).unwrap();
        let conflict = conflict.map(|(columns, merge)| Conflict {
            columns: columns.iter().map(|name| self.column(resource, name)).collect(),
            merge,
        });
        let action = Action::Insert {
            columns: rows.columns,
            rows: rows.rows,
            conflict,
        };
        self.change(resource, action, query)
    }

    /// New values for the rows of a query.
    pub(super) fn update(&self, resource: &str, query: &str, json: &str) -> Change {
        let values =
            content::parse_values(&self.api, self.place(resource), "application/json", json.as_bytes()).unwrap();
        let filter = self.filter(resource, query);
        self.change(resource, Action::Update { values, filter }, query)
    }

    /// The removal of the rows of a query.
    pub(super) fn deletion(&self, resource: &str, query: &str) -> Change {
        let filter = self.filter(resource, query);
        self.change(resource, Action::Delete { filter }, query)
    }

    /// The row with that key as a whole.
    pub(super) fn put(&self, resource: &str, key: &str, query: &str, json: &str) -> Change {
        let place = self.place(resource);
        let key = grammar::key(&self.api, place, key).unwrap();
        let values = content::parse_values(&self.api, place, "application/json", json.as_bytes()).unwrap();
        let values = content::with_key(&self.api, place, &key, values).unwrap();
        Change {
            single: true,
            ..self.change(resource, Action::Put { values }, query)
        }
    }

    /// The rows that a query means.
    pub(super) fn filter(&self, resource: &str, query: &str) -> Option<Filter> {
        let (filter, _) = grammar::affected(&self.api, self.place(resource), Some(query), &Caller::default()).unwrap();
        filter
    }

    pub(super) fn column(&self, resource: &str, name: &str) -> usize {
        self.api.resource(resource).unwrap().1.relation.column(name).unwrap()
    }

    /// Makes a change.
    pub(super) fn make(&self, change: &Change) -> Result<Done> {
        let changes = sql::change(&self.api, change, RowForm::Json, 0)?;
        let script = script(Access::ReadWrite, changes.steps.clone());
        let outcomes = self.opened.run(script)?;
        Ok(Done { outcomes, changes })
    }

    /// Runs a script.
    pub(super) fn run(&self, script: Script) -> Result<Vec<Outcome>> {
        self.opened.run(script)
    }

    /// What a query gives.
    pub(super) fn ask(&self, resource: &str, query: &str) -> String {
        let read = grammar::read(&self.api, self.place(resource), Some(query), &Caller::default()).unwrap();
        let statement = sql::read(&self.api, &read, RowForm::Json).unwrap();
        let outcomes = self.run(script(Access::ReadOnly, vec![Step::of(statement)])).unwrap();
        same(std::str::from_utf8(&outcomes[0].body).unwrap())
    }

    /// Whether a query gives that.
    pub(super) fn holds(&self, resource: &str, query: &str, expected: &str) {
        assert_eq!(
            self.ask(resource, query),
            same(expected),
            "{}: {resource}?{query}",
            self.engine
        );
    }

    /// The code of the failure that a change is.
    pub(super) fn refused(&self, change: &Change) -> &'static str {
        match self.make(change) {
            Ok(_) => panic!("{}: the change is made", self.engine),
            Err(error) => error.code().name,
        }
    }
}

impl Done {
    /// What the answer shows.
    pub(super) fn body(&self) -> String {
        same(std::str::from_utf8(&self.outcomes[self.changes.answer].body).unwrap())
    }

    /// How many rows it was.
    pub(super) fn rows(&self) -> u64 {
        self.outcomes[self.changes.answer].rows
    }

    /// Key, version, and what is kept of the last row.
    pub(super) fn hidden(&self) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        self.outcomes[self.changes.hidden].last.iter().map(text).collect()
    }
}

/// JSON without what engines write differently: numbers are `10.5` and `10.50`, and spaces mean nothing.
pub(super) fn same(json: &str) -> String {
    fn plain(json: serde_json::Value) -> serde_json::Value {
        match json {
            serde_json::Value::Number(number) => serde_json::Value::from(number.as_f64().unwrap()),
            serde_json::Value::Array(items) => items.into_iter().map(plain).collect(),
            serde_json::Value::Object(members) => {
                members.into_iter().map(|(name, value)| (name, plain(value))).collect()
            }
            other => other,
        }
    }
    if json.is_empty() {
        return String::new();
    }
    plain(serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))).to_string()
}

fn resource(name: &str) -> ExposedResource {
    ExposedResource {
        relation: name.to_owned(),
        columns: None,
        writable: None,
        filters: None,
        methods: vec![Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete],
        version: match name {
            "orders" => Some("lock_version".to_owned()),
            "settings" => Some("changed_at".to_owned()),
            _ => None,
        },
        require_if_match: false,
        rules: Vec::new(),
        aggregates: false,
        patterns: false,
        full_table: false,
        limits: ResourceLimits {
            max_affected: 50,
            ..ResourceLimits::default()
        },
    }
}
