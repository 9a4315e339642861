//! Queries of a shop, and what they are resolved to; and that nothing that a client sends makes the grammar panic.

mod columns;
mod conditions;
mod embeds;
mod groups;
mod properties;
mod rules;
mod told;
mod windows;

use std::sync::{Arc, LazyLock};

use portcullis_core::Consumer;

use self::told::tell;
use super::{Caller, read};
use crate::api::{Api, Exposed};
use crate::fixture;
use crate::schema::Engine;

static POSTGRES: LazyLock<Arc<Api>> = LazyLock::new(|| fixture::api(Engine::Postgres));
static SQLITE: LazyLock<Arc<Api>> = LazyLock::new(|| fixture::api(Engine::Sqlite));

/// The shop of PostgreSQL with something else exposed of it.
fn shop(change: impl FnOnce(&mut Exposed)) -> Api {
    let mut exposed = fixture::exposed();
    change(&mut exposed);
    Api::new(fixture::schema(Engine::Postgres), exposed).expect("it fits")
}

/// An admin, to whom no rule applies.
fn admin() -> Consumer {
    let mut consumer = Consumer::new("root", "test");
    consumer.roles = vec!["admin".into()].into();
    consumer
}

/// What `resource?query` is resolved to for an admin, or what is said of it.
fn resolved(api: &Api, text: &str) -> String {
    let (name, query) = text.split_once('?').unwrap_or((text, ""));
    let (place, _) = api.resource(name).expect("the resource is there");
    let consumer = admin();
    let caller = Caller {
        consumer: Some(&consumer),
    };
    match read(api, place, Some(query), &caller) {
        Ok(read) => tell(api, &read),
        Err(error) => format!("! {}", error.detail().unwrap_or_default()),
    }
}

/// Checks queries against what they are resolved to.
fn check(api: &Api, cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        let found = resolved(api, text);
        if found != *expected {
            wrong.push(format!("{text}\n   is  {found}\n   not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
