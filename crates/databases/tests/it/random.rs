//! Random questions to a small town: every engine gives the rows that the evaluator gives.

mod evaluator;
mod questions;
mod town;

use portcullis_tables::cursor;
use portcullis_tables::sql;
use proptest::prelude::{ProptestConfig, TestCaseError, prop_assert, proptest};
use proptest::test_runner::FileFailurePersistence;
use serde_json::Value as Json;

use evaluator::Evaluator;
use town::{Town, towns};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_engine_gives_the_same_rows((resource, query) in questions::any()) {
        for town in towns() {
            let read = town.read(resource, &query);
            let expected = Evaluator::new(&town.api).rows(&read);
            let found = town.ask(&read).rows;
            prop_assert!(same_rows(&found, &expected), "{}: {resource}?{query}\nfound    {found:?}\nexpected {expected:?}", town.engine);
        }
    }

    #[test]
    fn pages_make_up_the_whole((resource, query) in questions::ordered(), size in 1_usize..6) {
        for town in towns() {
            paged(town, resource, &query, size)?;
        }
    }
}

/// What fails once is tried first ever after.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 256,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("seeds"))),
        ..ProptestConfig::default()
    }
}

/// Goes through all pages by their cursors, and back.
fn paged(town: &Town, resource: &str, query: &str, size: usize) -> Result<(), TestCaseError> {
    let whole = Evaluator::new(&town.api).rows(&town.read(resource, query));
    let what = || format!("{}: {resource}?{query} by {size}", town.engine);
    let page = |cursor: &str| {
        let read = town.read(resource, &format!("{query}&limit={size}{cursor}"));
        let answer = town.ask(&read);
        let terms = sql::order_terms(&town.api, &read);
        let told = |values: &[portcullis_tables::value::Value]| cursor::write(&town.api, &read, &values[..terms]);
        let ends = (!answer.first.is_empty()).then(|| {
            // Of a single row only the first is told.
            let last = if answer.last.is_empty() {
                &answer.first
            } else {
                &answer.last
            };
            (told(&answer.first), told(last))
        });
        (answer.rows, ends)
    };
    let mut cursor = String::new();
    let mut starts = Vec::new();
    for expected in whole.chunks(size) {
        let (rows, ends) = page(&cursor);
        prop_assert!(
            same_rows(&rows, expected),
            "{}{cursor}: {rows:?}, and not {expected:?}",
            what()
        );
        let (Some(first), Some(last)) = ends.unwrap_or_default() else {
            return Err(TestCaseError::fail(format!("no cursor: {}", what())));
        };
        cursor = format!("&after={last}");
        starts.push((first, expected));
    }
    if !whole.is_empty() {
        prop_assert!(page(&cursor).0.is_empty(), "rows behind the last: {}", what());
    }
    for pair in starts.windows(2) {
        let ((_, expected), (first, _)) = (&pair[0], &pair[1]);
        let (rows, _) = page(&format!("&before={first}"));
        prop_assert!(
            same_rows(&rows, expected),
            "{} before: {rows:?}, and not {expected:?}",
            what()
        );
    }
    Ok(())
}

fn same_rows(one: &[Json], other: &[Json]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
}

/// Whether they are the same, numbers up to what engines round.
fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (one - other).abs() < 1e-3
        }
        (Json::Array(one), Json::Array(other)) => same_rows(one, other),
        (Json::Object(one), Json::Object(other)) => {
            let member = |name: &String, value| other.get(name).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(|(name, value)| member(name, value))
        }
        (one, other) => one == other,
    }
}
