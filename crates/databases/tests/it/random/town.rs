//! People and their teams, the same on every engine.

use std::sync::OnceLock;

use portcullis_core::Method;
use portcullis_tables::api::{Api, Exposed, ExposedResource, Limits, ResourceLimits};
use portcullis_tables::grammar::{self, Caller};
use portcullis_tables::query::Read;
use portcullis_tables::sql::{self, RowForm};
use portcullis_tables::statement::{Access, Step};
use portcullis_tables::value::Value;
use serde_json::Value as Json;

use crate::it::opened::{self, Opened, script};

const TABLES: &str = "
CREATE TABLE teams (id INTEGER PRIMARY KEY, title {text}, size INTEGER, score {real});
CREATE TABLE people (
    id INTEGER PRIMARY KEY, name {text}, age INTEGER, active BOOLEAN, team_id INTEGER, boss_id INTEGER,
    FOREIGN KEY (team_id) REFERENCES teams (id), FOREIGN KEY (boss_id) REFERENCES people (id));
";

/// An engine with the town in it.
pub(super) struct Town {
    pub(super) engine: &'static str,
    pub(super) api: Api,
    opened: Opened,
}

/// Rows, and the values that their ends are known by.
pub(super) struct Answer {
    pub(super) rows: Vec<Json>,
    pub(super) first: Vec<Value>,
    pub(super) last: Vec<Value>,
}

/// The rows of a table, in the order of its columns.
pub(super) fn rows(table: &str) -> &'static [Vec<Value>] {
    static ROWS: OnceLock<[Vec<Vec<Value>>; 2]> = OnceLock::new();
    let [teams, people] = ROWS.get_or_init(|| {
        let mut dice = Dice(11);
        let teams = (1..=7).map(|id| {
            let title = dice.word(&["red", "Red", "blue", "", "a%b_c"]);
            let score = dice.maybe(3, |dice| Value::Real(f64::from(dice.below(9)) / 2.0 - 2.0));
            vec![Value::Integer(id), title, dice.number(3, 6), score]
        });
        let teams: Vec<Vec<Value>> = teams.collect();
        let people = (1..=40).map(|id| {
            let name = dice.word(&["ada", "Ada", "bob", "o'b", "Zoë", "ab", "", "b\\"]);
            let age = dice.number(4, 9);
            let active = dice.maybe(3, |dice| Value::Boolean(dice.below(2) == 0));
            let team = dice.maybe(4, |dice| Value::Integer(i64::from(dice.below(6)) + 1));
            let boss = if id > 1 {
                dice.number(3, u32::try_from(id - 1).unwrap())
            } else {
                Value::Null
            };
            let boss = match boss {
                Value::Integer(boss) => Value::Integer(boss + 1),
                none => none,
            };
            vec![Value::Integer(id), name, age, active, team, boss]
        });
        let people = people.collect();
        [teams, people]
    });
    if table == "teams" { teams } else { people }
}

/// The town on every engine, built once for each thread: a runtime belongs to one.
pub(super) fn towns() -> &'static [Town] {
    thread_local! {
        static TOWNS: &'static [Town] = Box::leak(Box::new([
            Town::new(opened::sqlite(&built("TEXT", "REAL"))),
            Town::new(opened::postgres(&built("text COLLATE \"C\"", "double precision"))),
            Town::new(opened::mariadb(
                &built("VARCHAR(60) COLLATE utf8mb4_nopad_bin", "DOUBLE").replace('\\', "\\\\"),
            )),
        ]));
    }
    TOWNS.with(|towns| *towns)
}

fn built(text: &str, real: &str) -> String {
    let mut sql = TABLES.replace("{text}", text).replace("{real}", real);
    for table in ["teams", "people"] {
        for row in rows(table) {
            let values: Vec<String> = row.iter().map(literal).collect();
            sql.push_str(&format!("INSERT INTO {table} VALUES ({});\n", values.join(", ")));
        }
    }
    sql
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        other => panic!("{other:?} is in no row"),
    }
}

impl Town {
    fn new(opened: Opened) -> Town {
        let exposed = Exposed {
            resources: ["teams", "people"].map(|name| (name.to_owned(), resource(name))).into(),
            limits: Limits::default(),
            ..Exposed::default()
        };
        Town {
            engine: opened.engine,
            api: Api::new(opened.schema(), exposed).unwrap(),
            opened,
        }
    }

    /// A question, resolved.
    pub(super) fn read(&self, resource: &str, query: &str) -> Read {
        let (place, _) = self.api.resource(resource).unwrap();
        grammar::read(&self.api, place, Some(query), &Caller::default())
            .unwrap_or_else(|error| panic!("{resource}?{query}: {error:?}"))
    }

    /// What the engine answers.
    pub(super) fn ask(&self, read: &Read) -> Answer {
        let statement = sql::read(&self.api, read, RowForm::Json).unwrap();
        let mut outcomes = self
            .opened
            .run(script(Access::ReadOnly, vec![Step::of(statement)]))
            .unwrap_or_else(|error| panic!("{}: {read:?}: {error:?}", self.engine));
        let outcome = outcomes.remove(0);
        let rows: Json = serde_json::from_slice(&outcome.body).unwrap();
        Answer {
            rows: rows.as_array().unwrap().clone(),
            first: outcome.first,
            last: outcome.last,
        }
    }
}

fn resource(name: &str) -> ExposedResource {
    ExposedResource {
        relation: name.to_owned(),
        columns: None,
        writable: None,
        filters: None,
        methods: vec![Method::Get],
        version: None,
        require_if_match: false,
        rules: Vec::new(),
        aggregates: true,
        patterns: false,
        full_table: false,
        limits: ResourceLimits::default(),
    }
}

/// The same numbers each time.
struct Dice(u32);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) % end
    }

    /// One in so many is NULL.
    fn maybe(&mut self, one_in: u32, value: impl FnOnce(&mut Dice) -> Value) -> Value {
        if self.below(one_in) == 0 {
            Value::Null
        } else {
            value(self)
        }
    }

    fn number(&mut self, one_in: u32, end: u32) -> Value {
        self.maybe(one_in, |dice| Value::Integer(i64::from(dice.below(end))))
    }

    fn word(&mut self, words: &[&str]) -> Value {
        let count = u32::try_from(words.len()).unwrap();
        self.maybe(5, |dice| Value::Text(words[dice.below(count) as usize].to_owned()))
    }
}
