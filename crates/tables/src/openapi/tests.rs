use portcullis_contract::openapi::Contract;
use portcullis_contract::schema::{Compiler, Dialect, Direction, Documents};
use portcullis_core::Consumer;

use super::*;
use crate::fixture;
use crate::schema::{Engine, Schema};

const SHOP: Description<'static> = Description {
    title: "The shop <b>",
    base_path: "/v1",
    transactions: true,
};
const ENGINES: [Engine; 3] = [Engine::Sqlite, Engine::Postgres, Engine::MariaDb];

fn described(api: &Api, consumer: Option<&Consumer>) -> Json {
    document(api, &Visible::of(api, &Caller { consumer }), &SHOP)
}

/// The shop, in which only clerks and who has a scope may see orders, and changes of them need a tag.
fn guarded() -> Api {
    let mut exposed = fixture::exposed();
    let orders = exposed.resources.iter_mut().find(|(name, _)| name == "orders").unwrap();
    orders.1.rules.truncate(2);
    orders.1.rules[0].scopes = vec!["orders".to_owned()];
    orders.1.require_if_match = true;
    Api::new(fixture::schema(Engine::Postgres), exposed).unwrap()
}

/// All places of a document, by JSON pointers.
fn walk<'d>(at: &'d Json, pointer: &str, found: &mut Vec<(String, &'d Json)>) {
    let mut each = |name: &str, value: &'d Json| {
        let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        found.push((below.clone(), value));
        walk(value, &below, found);
    };
    match at {
        Json::Object(members) => members.iter().for_each(|(name, value)| each(name, value)),
        Json::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, value)| each(&at.to_string(), value)),
        _ => {}
    }
}

#[test]
fn what_the_api_exposes_is_described_and_nothing_else() {
    let document = described(&fixture::api(Engine::Postgres), None);
    let paths = document["paths"].as_object().unwrap();
    for path in [
        "/customers",
        "/customers/{id}",
        "/customers/$query",
        "/lines/{order_id},{number}",
        "/rpc/place_order",
        "/rpc/rich",
        "/$tx",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    let text = document.to_string();
    for hidden in ["secrets", "internal_note", "hidden_routine", "select name"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    assert!(
        paths["/rpc/place_order"].get("get").is_none(),
        "it may change something"
    );
    assert!(
        paths["/order_totals"].get("post").is_none(),
        "a view that can't be written"
    );
    assert!(
        !paths.keys().any(|path| path.starts_with("/order_totals/{")),
        "rows without a key"
    );
}

#[test]
fn a_resource_without_a_rule_for_the_caller_is_not_there() {
    let api = guarded();
    let mut clerk = Consumer::new("ada", "jwt");
    clerk.roles = vec!["clerk".into()].into();
    for (consumer, sees) in [
        (None, false),
        (Some(&Consumer::new("bob", "jwt")), false),
        (Some(&clerk), true),
    ] {
        let document = described(&api, consumer);
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(paths.contains_key("/orders"), sees);
        assert_eq!(document.to_string().contains("lock_version"), sees);
        let large = &paths["/rpc/large_orders"];
        assert_eq!(large.to_string().contains("schemas/orders"), sees, "{large}");
    }
    let document = described(&api, Some(&clerk));
    let patch = &document["paths"]["/orders/{id}"]["patch"];
    let demanded = |it: &Json| it["name"] == "If-Match" && it["required"] == true;
    assert!(patch["parameters"].as_array().unwrap().iter().any(demanded));
}

#[test]
fn columns_have_the_schemas_of_their_types() {
    let document = described(&fixture::api(Engine::Postgres), None);
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["customers.new"]["required"],
        json!(["name", "balance", "owner"])
    );
    let kinds = &schemas["kinds"]["properties"];
    for (column, expected) in [
        (
            "a_tiny",
            json!({"type": ["integer", "null"], "minimum": -128, "maximum": 127}),
        ),
        (
            "an_unsigned",
            json!({"type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX}),
        ),
        (
            "a_big",
            json!({"type": ["integer", "null"], "minimum": i64::MIN, "maximum": i64::MAX, "format": "int64"}),
        ),
        ("a_uuid", json!({"type": ["string", "null"], "format": "uuid"})),
        ("a_moment", json!({"type": ["string", "null"], "format": "date-time"})),
        (
            "a_state",
            json!({"type": ["string", "null"], "enum": ["new", "paid", "sent", "gone", null]}),
        ),
        (
            "some_texts",
            json!({"type": ["array", "null"], "items": {"type": ["string", "null"]}}),
        ),
    ] {
        assert_eq!(kinds[column], expected, "{column}");
    }
    assert_eq!(kinds["doubled"]["readOnly"], true);
    assert!(schemas["kinds.new"]["properties"].get("doubled").is_none());
}

#[test]
fn filters_say_what_an_index_does_for_them() {
    let document = described(&fixture::api(Engine::Postgres), None);
    let parameters = document["components"]["parameters"].as_object().unwrap();
    for (name, class) in [
        ("customers.id", "primary"),
        ("customers.owner", "seek"),
        ("customers.name", "none"),
        ("lines.order_id", "primary"),
        ("lines.number", "none"),
        ("tags.word", "seek"),
    ] {
        assert_eq!(parameters[name]["x-index"], class, "{name}");
    }
    assert_eq!(parameters["products.shelf_x0020_life"]["name"], "\"shelf life\"");
    assert_eq!(parameters["products.a_x002e_b"]["name"], "\"a.b\"");
    assert!(!parameters.contains_key("orders.owner"), "it can't be filtered");
    assert_eq!(document["paths"]["/customers"]["get"]["x-max-rows"], 1000);
}

#[test]
fn the_document_is_one_that_requests_can_be_held_against() {
    for engine in ENGINES {
        let document = described(&fixture::api(engine), None);
        let mut documents = Documents::default();
        documents.add("api.json", document).unwrap();
        let contract = Contract::import(&documents, "api.json", true).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert!(contract.operations() > 100, "{}", contract.operations());
    }
}

#[test]
fn references_lead_somewhere_and_names_are_there_once() {
    let document = described(&fixture::api(Engine::Postgres), None);
    let mut places = Vec::new();
    walk(&document, "", &mut places);
    let mut operations = std::collections::HashSet::new();
    for (pointer, value) in &places {
        if let Some(target) = value["$ref"].as_str() {
            assert!(document.pointer(&target[1..]).is_some(), "{pointer}: {target}");
        }
        if let Some(operation) = value["operationId"].as_str() {
            assert!(operations.insert(operation), "{operation}");
        }
    }
}

#[test]
fn examples_keep_their_schemas() {
    for engine in ENGINES {
        let document = described(&fixture::api(engine), None);
        let mut places = Vec::new();
        walk(&document, "", &mut places);
        let mut documents = Documents::default();
        documents.add("api.json", document.clone()).unwrap();
        let mut compiler = Compiler::new(&documents, Dialect::Draft202012, true);
        compiler.holder("api.json");
        let mut examples = Vec::new();
        for (pointer, value) in &places {
            let Some(example) = value.get("example").filter(|_| !pointer.ends_with("/properties")) else {
                continue;
            };
            let schema = if value.get("schema").is_some() {
                format!("{pointer}/schema")
            } else {
                pointer.clone()
            };
            let id = compiler.schema("api.json", &schema, Direction::Either).unwrap();
            examples.push((schema, id, example));
        }
        let set = compiler.finish().unwrap();
        assert!(examples.len() > 100);
        for (pointer, schema, example) in examples {
            let wrong = set.violations(schema, example, 100_000, 3);
            assert!(wrong.is_empty(), "{pointer}: {example}: {wrong:?}");
        }
    }
}

#[test]
fn equal_apis_have_equal_documents_and_others_another_version() {
    let text = |api: &Api| described(api, None).to_string();
    let (one, same) = (fixture::api(Engine::Postgres), fixture::api(Engine::Postgres));
    assert_eq!(text(&one), text(&same));
    let mut found = fixture::found(Engine::Postgres);
    found.relations[0].columns[1].nullable = true;
    let other = Api::new(
        std::sync::Arc::new(Schema::new(Engine::Postgres, found)),
        fixture::exposed(),
    )
    .unwrap();
    let version = |api: &Api| described(api, None)["info"]["version"].clone();
    assert_ne!(version(&one), version(&other));
}

#[test]
fn a_statement_that_changes_something_may_show_nothing() {
    let mut exposed = fixture::exposed();
    let mut renaming = exposed.statements[0].1.clone();
    renaming.sql = "update customers set name = 'x' where id = :id and balance > :least".to_owned();
    renaming.writes = true;
    exposed.statements.push(("rename".to_owned(), renaming));
    let document = described(&Api::new(fixture::schema(Engine::Postgres), exposed).unwrap(), None);
    let silent = |name: &str| document["paths"][name]["post"]["responses"].get("204").is_some();
    assert!(silent("/rpc/rename") && !silent("/rpc/rich") && !silent("/rpc/place_order"));
}

#[test]
fn an_api_of_nothing_is_described() {
    let api = Api::new(fixture::schema(Engine::Sqlite), crate::api::Exposed::default()).unwrap();
    let document = described(&api, None);
    assert_eq!(document["paths"], json!({}));
    assert!(page(&document).contains("The shop &lt;b&gt;"));
}

#[test]
fn the_page_holds_text_as_text_and_loads_nothing() {
    let mut found = fixture::found(Engine::Postgres);
    found.relations[0].comment = Some("<script>alert(1)</script> \"'&".to_owned());
    let api = Api::new(
        std::sync::Arc::new(Schema::new(Engine::Postgres, found)),
        fixture::exposed(),
    )
    .unwrap();
    let html = page(&described(&api, None));
    assert!(!html.contains("<script>alert"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &quot;&#39;&amp;"));
    for loading in ["src=", "http:", "https:", "url(", "@import", "style=", "onclick"] {
        assert!(!html.contains(loading), "{loading}");
    }
    assert!(html.contains("data-path=\"/v1/customers/{id}\""));
    assert_eq!(policy().matches("'sha256-").count(), 2);
}

#[test]
fn names_of_components_are_told_apart() {
    for (name, expected) in [
        ("orders", "orders"),
        ("a.b", "a_x002e_b"),
        ("a_x002e_b", "a_x005f_x002e_b"),
        ("\u{fc}", "_x00fc_"),
    ] {
        assert_eq!(key(name), expected);
    }
    assert_eq!(segment("a b{\u{fc}}"), "a%20b%7B%C3%BC%7D");
}
