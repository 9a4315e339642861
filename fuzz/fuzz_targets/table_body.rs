//! No body makes the readers of content, the planner of changes or transactions panic, and nothing of a body stands in the
//! text of a statement.
//!
//! The first line is a resource and a content type with a space between, or `$tx`; what follows is the body.

#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use portcullis_core::Consumer;
use portcullis_tables::api::Api;
use portcullis_tables::change::{Action, Change, Condition};
use portcullis_tables::content::{parse_rows, parse_values};
use portcullis_tables::fixture;
use portcullis_tables::grammar::Caller;
use portcullis_tables::schema::Engine;
use portcullis_tables::sql::{self, RowForm};
use portcullis_tables::statement::{Session, Step};
use portcullis_tables::tx;
use portcullis_tables::value::Value;

static APIS: LazyLock<Vec<Arc<Api>>> = LazyLock::new(|| {
    [Engine::Sqlite, Engine::Postgres, Engine::MariaDb]
        .map(fixture::api)
        .into()
});

static CALLER: LazyLock<Consumer> = LazyLock::new(|| {
    let mut consumer = Consumer::new("ada", "fuzz");
    consumer.claims.insert("sub".into(), "ada".into());
    consumer
});

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (head, body) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let Ok(head) = std::str::from_utf8(head) else { return };
    let (resource, content_type) = head.split_once(' ').unwrap_or((head, "application/json"));
    for api in APIS.iter() {
        if resource == "$tx" {
            transaction(api, body);
            continue;
        }
        let Some((place, _)) = api.resource(resource) else {
            return;
        };
        if let Ok(rows) = parse_rows(api, place, content_type, body, None, true) {
            assert!(
                rows.rows.iter().all(|row| row.len() == rows.columns.len()),
                "each row has all columns"
            );
            let columns = rows.columns.clone();
            let action = |rows| Action::Insert {
                columns: columns.clone(),
                rows,
                conflict: None,
            };
            let nulls = rows
                .rows
                .iter()
                .map(|row| row.iter().map(|value| value.as_ref().map(|_| Value::Null)).collect());
            same_text(api, place, &action(rows.rows.clone()), &action(nulls.collect()));
        }
        if let Ok(values) = parse_values(api, place, content_type, body) {
            let nulls = values.iter().map(|(column, _)| (*column, Value::Null)).collect();
            let action = |values| Action::Update { values, filter: None };
            same_text(api, place, &action(values), &action(nulls));
        }
    }
});

fn transaction(api: &Api, body: &[u8]) {
    let caller = Caller {
        consumer: Some(&CALLER),
    };
    let Ok(transaction) = tx::parse(api, body, &caller) else {
        return;
    };
    let Ok(planned) = transaction.script(api, RowForm::Json, Session::default(), Duration::from_secs(1), false) else {
        return;
    };
    for (at, step) in planned.script.steps.iter().enumerate() {
        for value in step.batch.iter().flatten().chain(&step.statement.values) {
            let earlier = match value {
                Value::Of { step, .. } | Value::AllOf { step } => *step < at,
                _ => true,
            };
            assert!(earlier, "a value refers to an earlier step");
        }
    }
    let _ = transaction.answer(api, &planned.places, &[]);
}

/// Whether a change has the text that it has with no values at all.
fn same_text(api: &Api, resource: usize, action: &Action, empty: &Action) {
    let steps = |action: &Action| -> Vec<Step> {
        let change = Change {
            resource,
            action: action.clone(),
            rule: None,
            shown: None,
            single: false,
            max_affected: 1000,
            condition: Condition::None,
            keep: Vec::new(),
        };
        sql::change(api, &change, RowForm::Json, 0)
            .map(|changes| changes.steps)
            .unwrap_or_default()
    };
    let (one, other) = (steps(action), steps(empty));
    assert_eq!(one.len(), other.len());
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(
            one.statement.text, other.statement.text,
            "the text depends on the shape only"
        );
        assert_eq!(one.statement.values.len(), other.statement.values.len());
    }
}
