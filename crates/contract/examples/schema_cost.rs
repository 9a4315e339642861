//! Measures what it costs to read a JSON document of 2 KiB and to hold it against a schema.

use std::hint::black_box;
use std::time::{Duration, Instant};

use portcullis_contract::json;
use portcullis_contract::schema::{Compiler, Dialect, Direction, Documents, Verdict};
use serde_json::{Value, json};

const ROUNDS: u32 = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut documents = Documents::default();
    documents.add("order.json", schema())?;
    let mut compiler = Compiler::new(&documents, Dialect::Draft202012, false);
    let order = compiler.schema("order.json", "", Direction::Either)?;
    let set = compiler.finish().map_err(|mut problems| problems.remove(0))?;
    let text = document().to_string();
    let value = json::parse(text.as_bytes(), 64)?;
    assert_eq!(set.check(order, &value, 100_000), Verdict::Valid);
    let plain = took(|| serde_json::from_slice::<Value>(text.as_bytes()).is_ok());
    let read = took(|| json::parse(text.as_bytes(), 64).is_ok());
    let check = took(|| set.check(order, &value, 100_000) == Verdict::Valid);
    writeln(&format!(
        "{} bytes: read by serde_json {plain:?}, read strictly {read:?}, held against the schema {check:?}",
        text.len()
    ));
    Ok(())
}

#[allow(clippy::print_stdout, reason = "it is what the program is for")]
fn writeln(line: &str) {
    println!("{line}");
}

/// What one round takes: the shortest of ten series.
fn took(mut task: impl FnMut() -> bool) -> Duration {
    let mut series = || {
        let started = Instant::now();
        for _ in 0..ROUNDS / 10 {
            assert!(black_box(task()));
        }
        started.elapsed() / (ROUNDS / 10)
    };
    (0..10).map(|_| series()).min().unwrap_or_default()
}

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["id", "customer", "items"],
        "additionalProperties": false,
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9a-f-]{36}$"},
            "customer": {"$ref": "#/$defs/customer"},
            "items": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"$ref": "#/$defs/item"}},
            "note": {"type": ["string", "null"], "maxLength": 500},
        },
        "$defs": {
            "customer": {
                "type": "object",
                "required": ["name", "mail"],
                "properties": {"name": {"type": "string", "minLength": 1}, "mail": {"type": "string", "pattern": "@"}},
            },
            "item": {
                "type": "object",
                "required": ["sku", "count", "price"],
                "additionalProperties": false,
                "properties": {
                    "sku": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
                    "count": {"type": "integer", "minimum": 1},
                    "price": {"type": "number", "exclusiveMinimum": 0},
                    "kind": {"enum": ["book", "tool", "toy"]},
                    "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
                },
            },
        },
    })
}

fn document() -> Value {
    let items: Vec<Value> = (0..22)
        .map(|number| json!({"sku": format!("ABC-{:04}", number), "count": number + 1, "price": 9.95, "kind": "tool", "tags": ["a", "b"]}))
        .collect();
    json!({
        "id": "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
        "customer": {"name": "Ada Lovelace", "mail": "ada@example.com"},
        "items": items,
        "note": "x".repeat(200),
    })
}
