//! The text of a change depends on its shape only.

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::{Changes, change};
use crate::api::Api;
use crate::change::{Action, Change, Condition, Conflict};
use crate::fixture;
use crate::query::{Comparison, Field, Filter, Item, Test};
use crate::schema::Engine;
use crate::sql::RowForm;
use crate::value::Value;

const ENGINES: [Engine; 4] = [Engine::Sqlite, Engine::Postgres, Engine::MariaDb, Engine::MySql];
/// Columns of the orders.
const ID: usize = 0;
const NOTE: usize = 5;
const OWNER: usize = 6;

fn api(engine: Engine) -> Api {
    Api::new(fixture::schema(engine), fixture::exposed()).expect("the shop can be exposed")
}

/// All kinds of changes with that value in every place.
fn changes(orders: usize, value: &Value) -> Vec<Change> {
    let test = |column| Filter::Test {
        field: Field::of(column),
        test: Test::Compare(Comparison::Equal, value.clone()),
    };
    let row = || vec![Some(Value::Integer(1)), Some(value.clone())];
    let insert = |rows, conflict| Action::Insert {
        columns: vec![ID, NOTE],
        rows,
        conflict,
    };
    let merge = |merge| {
        Some(Conflict {
            columns: vec![ID],
            merge,
        })
    };
    let actions = [
        insert(vec![row()], None),
        insert(vec![row(), row(), row()], None),
        insert(vec![row(), vec![None, Some(value.clone())]], None),
        insert(vec![row(), row()], merge(true)),
        insert(vec![row(), row()], merge(false)),
        Action::Update {
            values: vec![(NOTE, value.clone())],
            filter: Some(test(NOTE)),
        },
        Action::Update {
            values: Vec::new(),
            filter: Some(test(NOTE)),
        },
        Action::Put {
            values: vec![(ID, Value::Integer(1)), (NOTE, value.clone())],
        },
        Action::Delete {
            filter: Some(test(NOTE)),
        },
    ];
    let conditions = [
        Condition::None,
        Condition::Absent,
        Condition::Version(vec![Value::Integer(1)]),
    ];
    let mut all = Vec::new();
    for action in actions {
        for condition in &conditions {
            all.push(Change {
                resource: orders,
                action: action.clone(),
                rule: Some(test(OWNER)),
                shown: Some(vec![Item::Field {
                    field: Field::of(NOTE),
                    name: "note".into(),
                    cast: None,
                }]),
                single: true,
                max_affected: 10,
                condition: condition.clone(),
                keep: vec![OWNER],
            });
        }
    }
    all
}

fn texts(changes: &Changes) -> Vec<&str> {
    changes.steps.iter().map(|step| &*step.statement.text).collect()
}

proptest! {
    #[test]
    fn the_text_depends_on_the_shape_only(
        value in prop_oneof![
            any::<String>().prop_map(Value::Text),
            any::<i64>().prop_map(Value::Integer),
            any::<String>().prop_map(|text| Value::Json(serde_json::Value::from(text).to_string())),
            Just(Value::Null),
        ]
    ) {
        for engine in ENGINES {
            let api = api(engine);
            let (orders, _) = api.resource("orders").expect("it is exposed");
            let plain = changes(orders, &Value::Text("x".to_owned()));
            for (one, other) in changes(orders, &value).iter().zip(&plain) {
                let (Ok(one), Ok(other)) = (change(&api, one, RowForm::Json, 0), change(&api, other, RowForm::Json, 0)) else {
                    // MySQL alone, which tells nothing of several rows whose keys it makes.
                    assert_eq!(engine, Engine::MySql);
                    continue;
                };
                assert_eq!(texts(&one), texts(&other), "{engine:?}");
                for step in &one.steps {
                    let statement = &step.statement;
                    let bound = match engine {
                        Engine::Postgres => (1..).take_while(|place| statement.text.contains(&format!("${place}"))).count(),
                        _ => statement.text.matches('?').count(),
                    };
                    assert_eq!(bound, statement.values.len(), "{engine:?}: {}", statement.text);
                    assert!(step.batch.iter().all(|values| values.len() == bound), "{engine:?}: {}", statement.text);
                }
            }
        }
    }
}

#[test]
fn statements_are_what_one_would_write() {
    let text = |engine, at: usize| {
        let api = api(engine);
        let (orders, _) = api.resource("orders").expect("it is exposed");
        let mut wanted = changes(orders, &Value::Text("x".to_owned())).swap_remove(at * 3);
        (wanted.rule, wanted.keep) = (None, Vec::new());
        let made = change(&api, &wanted, RowForm::Columns, 0).expect("it can be written");
        made.steps
            .iter()
            .map(|step| step.statement.text.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        text(Engine::Sqlite, 0),
        [r#"INSERT INTO "main"."orders" ("id", "note") VALUES (?, ?) RETURNING "note", "id", "lock_version""#]
    );
    assert_eq!(
        text(Engine::Postgres, 5),
        [concat!(
            r#"UPDATE "public"."orders" SET "note" = $1, "lock_version" = "lock_version" + 1 WHERE ("note" = $2) "#,
            r#"RETURNING "note", ("id")::text, ("lock_version")::text"#
        )]
    );
    assert_eq!(
        text(Engine::MariaDb, 8),
        ["DELETE FROM `shop`.`orders` WHERE (`note` = ?) RETURNING `note`, `id`, `lock_version`"]
    );
    let steps = text(Engine::MariaDb, 5);
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert!(
        steps[0].ends_with(" FOR UPDATE") && steps[1].starts_with("UPDATE "),
        "{steps:?}"
    );
}
