use std::time::{Duration, Instant};

use serde_json::json;

use super::super::{Compiler, Dialect, Direction, Documents, Problem};
use super::*;

const STEPS: u64 = 1_000_000;

fn compiled(dialect: Dialect, schema: Value) -> Result<(SchemaSet, SchemaId), Vec<Problem>> {
    let mut documents = Documents::default();
    documents.add("schema.json", schema).unwrap();
    let mut compiler = Compiler::new(&documents, dialect, false);
    let id = compiler.schema("schema.json", "", Direction::Either).unwrap();
    compiler.finish().map(|set| (set, id))
}

fn set(schema: Value) -> (SchemaSet, SchemaId) {
    compiled(Dialect::Draft202012, schema).unwrap()
}

fn problems(schema: Value) -> String {
    let problems = compiled(Dialect::Draft202012, schema).unwrap_err();
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn told(schema: Value, value: &Value) -> Vec<(String, String)> {
    let (set, id) = set(schema);
    assert_eq!(set.check(id, value, STEPS), Verdict::Invalid);
    let violations = set.violations(id, value, STEPS, 20);
    violations.into_iter().map(|it| (it.pointer, it.what)).collect()
}

#[test]
fn what_is_broken_is_told_with_its_place() {
    let schema = json!({
        "type": "object",
        "required": ["name", "age"],
        "properties": {
            "name": {"type": "string", "maxLength": 3},
            "tags": {"items": {"enum": ["a", "b"]}},
            "a/b": {"minimum": 5},
        },
        "additionalProperties": false,
    });
    let value = json!({"name": "secret", "tags": ["a", "x"], "a/b": 4, "more": 1});
    let expected = [
        ("", "the member `age` is missing"),
        ("/name", "this may have at most 3 characters"),
        ("/tags/1", "this must be one of the values that are allowed"),
        ("/a~1b", "this must be at least 5"),
        ("/more", "this may not be here"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(place, what)| ((*place).to_owned(), (*what).to_owned()))
        .collect();
    assert_eq!(told(schema, &value), expected);
}

#[test]
fn of_alternatives_the_one_for_the_type_is_told() {
    let schema = json!({"anyOf": [{"type": "null"}, {"type": "object", "required": ["id"]}]});
    assert_eq!(
        told(schema.clone(), &json!({})),
        [(String::new(), "the member `id` is missing".to_owned())]
    );
    assert_eq!(
        told(schema, &json!(1)),
        [(String::new(), "this fits none of 2 alternatives".to_owned())]
    );
}

#[test]
fn at_most_so_much_is_told_and_nothing_long() {
    let (set, id) = set(json!({"items": {"type": "string"}, "additionalProperties": false}));
    let many = Value::from(vec![1; 10_000]);
    assert_eq!(set.violations(id, &many, STEPS, 20).len(), 20);
    let name = "é".repeat(100_000);
    let violations = set.violations(id, &json!({ name: 1 }), STEPS, 20);
    assert!(violations[0].pointer.len() < 600, "{}", violations[0].pointer.len());
}

/// Three alternatives at each level, each of which looks at the next level: 3^depth ways.
fn branching(tracked: bool) -> Value {
    let alternative = |name: &str| {
        let mut schema = json!({
            "type": "object",
            "properties": {"items": {"items": {"$ref": "#/$defs/node"}}, "type": {"enum": [name, "any"]}},
        });
        if tracked {
            schema["unevaluatedProperties"] = json!(false);
        }
        schema
    };
    json!({
        "$ref": "#/$defs/node",
        "$defs": {"node": {"anyOf": [alternative("a"), alternative("b"), alternative("c")]}},
    })
}

#[test]
fn a_small_document_cannot_make_a_schema_branch_for_ever() {
    for tracked in [false, true] {
        let (set, id) = set(branching(tracked));
        let deep = (0..50).fold(json!(1), |inner, _| json!({"type": "any", "items": [inner]}));
        let started = Instant::now();
        assert_eq!(set.check(id, &deep, STEPS), Verdict::Invalid);
        assert!(!set.violations(id, &deep, STEPS, 20).is_empty());
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

#[test]
fn what_takes_too_many_steps_is_undecided() {
    let (set, id) = set(json!({"not": {"items": {"type": "string"}}, "uniqueItems": true}));
    let many: Vec<Value> = (0..10_000).map(|number| json!(number.to_string())).collect();
    assert_eq!(set.check(id, &Value::from(many), 5_000), Verdict::Undecided);
}

#[test]
fn a_schema_that_refers_to_itself_at_once_is_undecided() {
    let (set, id) =
        set(json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}));
    let check = move || set.check(id, &json!(1), STEPS);
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(check).unwrap();
    assert_eq!(thread.join().unwrap(), Verdict::Undecided);
}

#[test]
fn a_deep_value_needs_no_large_stack() {
    let (set, id) = set(json!({"allOf": [{"anyOf": [{"items": {"$ref": "#"}}]}], "unevaluatedItems": false}));
    let text = format!(
        "{}{}",
        "[".repeat(crate::json::DEEPEST),
        "]".repeat(crate::json::DEEPEST)
    );
    let value = crate::json::parse(text.as_bytes(), crate::json::DEEPEST).unwrap();
    let check = move || set.check(id, &value, STEPS);
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(check).unwrap();
    assert_eq!(thread.join().unwrap(), Verdict::Valid);
}

#[test]
fn mistakes_of_a_schema_are_told_with_their_place() {
    for (schema, expected) in [
        (
            json!({"properties": {"a": {"type": "strng"}}}),
            "schema.json#/properties/a: `type` is",
        ),
        (json!({"$ref": "#/$defs/none"}), "leads nowhere"),
        (json!({"$ref": "https://example.com/a.json"}), "nothing is ever fetched"),
        (json!({"$ref": "#none"}), "no anchor `none`"),
        (json!({"pattern": "("}), "the pattern `(`"),
        (json!({"minLength": -1}), "`minLength`"),
        (json!({"required": "name"}), "`required` is a list"),
        (json!({"allOf": [1]}), "a schema is"),
        (json!({"properties": []}), "`properties` is a group"),
        (json!({"multipleOf": 0}), "above 0"),
        (
            json!({"$schema": "https://example.com/dialect", "type": "string"}),
            "not known",
        ),
        (json!([]), "a schema is"),
    ] {
        let problems = problems(schema);
        assert!(problems.contains(expected), "{expected}: {problems}");
    }
}

#[test]
fn older_drafts_mean_what_they_said() {
    let check = |dialect, schema, value: Value, expected| {
        let (set, id) = compiled(dialect, schema).unwrap();
        assert_eq!(set.check(id, &value, STEPS), expected, "{dialect:?} {value}");
    };
    let list = json!({"items": [{"type": "string"}], "additionalItems": false});
    check(Dialect::Draft7, list.clone(), json!(["a"]), Verdict::Valid);
    check(Dialect::Draft7, list, json!(["a", 1]), Verdict::Invalid);
    let above = json!({"minimum": 5, "exclusiveMinimum": true});
    check(Dialect::OpenApi30, above, json!(5), Verdict::Invalid);
    let nullable = json!({"type": "string", "nullable": true});
    check(Dialect::OpenApi30, nullable.clone(), Value::Null, Verdict::Valid);
    check(Dialect::Draft202012, nullable, Value::Null, Verdict::Invalid);
    let named = json!({"$ref": "#/definitions/a", "type": "number", "definitions": {"a": {"type": "string"}}});
    check(Dialect::Draft7, named, json!("a"), Verdict::Valid);
}

#[test]
fn what_only_the_other_side_sets_is_not_required() {
    let mut documents = Documents::default();
    let schema = json!({
        "required": ["id", "password", "name"],
        "properties": {"id": {"$ref": "#/$defs/id"}, "password": {"writeOnly": true}, "name": {}},
        "$defs": {"id": {"readOnly": true}},
    });
    documents.add("a", schema).unwrap();
    let mut compiler = Compiler::new(&documents, Dialect::Draft202012, false);
    let ids = [Direction::Request, Direction::Response, Direction::Either]
        .map(|direction| compiler.schema("a", "", direction).unwrap());
    let set = compiler.finish().unwrap();
    let holds = |value: Value| ids.map(|id| set.check(id, &value, STEPS) == Verdict::Valid);
    assert_eq!(holds(json!({"name": 1, "password": 1})), [true, false, false]);
    assert_eq!(holds(json!({"name": 1, "id": 1})), [false, true, false]);
    assert_eq!(holds(json!({"name": 1, "id": 1, "password": 1})), [true, true, true]);
}

#[test]
fn schemas_in_a_description_refer_to_it_or_to_themselves() {
    let mut documents = Documents::default();
    let description = json!({
        "openapi": "3.1.0",
        "components": {"schemas": {"Name": {"type": "string"}}},
        "a": {"$defs": {"own": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/own"}, "y": {"$ref": "#"}}},
        "b": {"$ref": "#/components/schemas/Name"},
    });
    documents.add("api.yaml", description).unwrap();
    let mut compiler = Compiler::new(&documents, Dialect::Draft202012, false);
    compiler.holder("api.yaml");
    let a = compiler.schema("api.yaml", "/a", Direction::Either).unwrap();
    let b = compiler.schema("api.yaml", "/b", Direction::Either).unwrap();
    let set = compiler.finish().unwrap();
    assert_eq!(set.check(a, &json!({"y": {"x": "text"}}), STEPS), Verdict::Invalid);
    assert_eq!(set.check(a, &json!({"y": {"x": 1}}), STEPS), Verdict::Valid);
    assert_eq!(set.check(b, &json!(1), STEPS), Verdict::Invalid);
    assert!(set.types(b).may_be_string() && !set.types(b).may_be_number());
}
