//! No query, key or rule makes the grammar panic, and no answer to one tells what is hidden.
//!
//! The first line is a resource with a query, the second a rule for it, the third a row's key.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use portcullis_core::Consumer;
use portcullis_tables::api::{Api, Exposed, ExposedRule};
use portcullis_tables::fixture;
use portcullis_tables::grammar::{self, Caller};
use portcullis_tables::schema::{Engine, Schema};

const ENGINES: [Engine; 3] = [Engine::Sqlite, Engine::Postgres, Engine::MariaDb];
/// Names that no client may learn.
const HIDDEN: [&str; 3] = ["internal_note", "secrets", "marker"];

struct Shop {
    schema: Arc<Schema>,
    api: Arc<Api>,
}

static SHOPS: LazyLock<Vec<Shop>> = LazyLock::new(|| {
    let shop = |engine| Shop {
        schema: fixture::schema(engine),
        api: fixture::api(engine),
    };
    ENGINES.into_iter().map(shop).collect()
});

static CALLER: LazyLock<Consumer> = LazyLock::new(|| {
    let mut consumer = Consumer::new("ada", "fuzz");
    consumer.claims.insert("sub".into(), "ada".into());
    consumer.claims.insert("groups".into(), vec!["a", "b"].into());
    consumer
});

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut lines = text.splitn(3, '\n');
    let (query, rule, key) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let (name, query) = query.split_once('?').unwrap_or((query, ""));
    let caller = Caller {
        consumer: Some(&CALLER),
    };
    for shop in SHOPS.iter() {
        let resource = shop.api.resource(name).map_or(0, |(place, _)| place);
        let read = grammar::read(&shop.api, resource, Some(query), &caller);
        let change = grammar::change(&shop.api, resource, Some(query), &caller);
        for error in [read.err(), change.err()].into_iter().flatten() {
            let told = error.detail().unwrap_or_default();
            let leaked = HIDDEN
                .iter()
                .find(|hidden| told.contains(*hidden) && !query.contains(*hidden));
            // What is decoded may have been encoded.
            assert!(leaked.is_none() || query.contains('%'), "{told}");
        }
        if let Ok(values) = grammar::key(&shop.api, resource, key)
            && let Some(path) = grammar::path_of_key(&values)
        {
            let again = grammar::key(&shop.api, resource, &path).expect("what is a key is one again");
            assert_eq!(again, values);
        }
        if !rule.is_empty() {
            bind(shop, rule, &caller);
        }
    }
});

/// A rule that can be read can be bound, to somebody and to nobody.
fn bind(shop: &Shop, rule: &str, caller: &Caller<'_>) {
    let mut customers = fixture::resource("customers");
    customers.rules = vec![ExposedRule {
        rows: Some(rule.to_owned()),
        ..ExposedRule::default()
    }];
    let exposed = Exposed {
        resources: vec![("customers".to_owned(), customers)],
        ..Exposed::default()
    };
    if let Ok(api) = Api::new(Arc::clone(&shop.schema), exposed) {
        assert!(grammar::rule(&api, 0, caller).is_some());
        assert!(grammar::rule(&api, 0, &Caller::default()).is_some());
    }
}
