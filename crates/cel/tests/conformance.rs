//! The conformance tests of the language's specification: with `CEL_SPEC` set to its folder `tests/simple/testdata`, each
//! test of each file is run and counted. Without, nothing is to be done.
//!
//! ```text
//! CEL_SPEC=cel-spec/tests/simple/testdata cargo test -p portcullis-cel --test conformance -- --nocapture
//! ```

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "conformance/textproto.rs"]
mod textproto;

use std::collections::BTreeMap;
use std::path::Path;

use portcullis_cel::{Environment, List, Map, Program, Shared, Type, Value, Variables};
use textproto::Message;

/// Files about what isn't of this implementation: messages of Protocol Buffers, and extensions that it doesn't have.
const ELSEWHERE: &[&str] = &[
    "bindings_ext",
    "block_ext",
    "encoders_ext",
    "enums",
    "math_ext",
    "network_ext",
    "optionals",
    "proto2",
    "proto2_ext",
    "proto3",
    "type_deduction",
    "unknowns",
    "wrappers",
];

/// Words that only tests of messages, and of what this implementation leaves out on purpose, have.
const LEFT_OUT: &[&str] = &[
    "TestAllTypes",
    "google.protobuf.Any",
    "google.protobuf.Value",
    "google.protobuf.Struct",
    "google.protobuf.ListValue",
    "Value{",
    "Struct{",
    "google.protobuf.Int",
    "google.protobuf.UInt",
    "google.protobuf.Bool",
    "google.protobuf.String",
    "google.protobuf.Float",
    "google.protobuf.Double",
    "google.protobuf.Bytes",
    "google.protobuf.Timestamp{",
    "google.protobuf.Duration{",
    ".format(",
    "strings.quote",
    "transformMap",
    "transformList",
];

#[derive(Default)]
struct Count {
    passed: usize,
    left_out: usize,
    /// What the checker refuses where the test turned its checker off.
    stricter: usize,
    failed: Vec<String>,
}

#[test]
#[allow(clippy::print_stdout, reason = "the numbers are what it is for")]
fn the_specification_is_kept() {
    let Ok(folder) = std::env::var("CEL_SPEC") else {
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "textproto"))
        .collect();
    files.sort();
    let (mut passed_of_all, mut failed) = (0, 0);
    println!(
        "{:<18} {:>6} {:>6} {:>8} {:>8}",
        "file", "passed", "failed", "stricter", "left out"
    );
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        let count = run_file(&path);
        let (passed, stricter, left_out) = (count.passed, count.stricter, count.left_out);
        println!(
            "{name:<18} {passed:>6} {:>6} {stricter:>8} {left_out:>8}",
            count.failed.len()
        );
        for line in &count.failed {
            println!("    {line}");
        }
        passed_of_all += passed;
        failed += count.failed.len();
    }
    println!("{passed_of_all} passed");
    assert_eq!(failed, 0);
}

fn run_file(path: &Path) -> Count {
    let file = textproto::parse(&std::fs::read_to_string(path).unwrap());
    let mut count = Count::default();
    for section in file.messages("section") {
        for test in section.messages("test") {
            run(test, &mut count);
        }
    }
    count
}

struct Bindings(Vec<Message>);

impl Variables for Bindings {
    fn get(&self, place: usize) -> Value<'_> {
        value(&self.0[place])
    }
}

fn run(test: &Message, count: &mut Count) {
    let text = test.text("expr");
    let all = format!("{test:?}");
    // Containers, too: names are looked up as they stand.
    let elsewhere =
        ["object_value", "message_type"].iter().any(|word| all.contains(word)) || !test.text("container").is_empty();
    if elsewhere || LEFT_OUT.iter().any(|word| text.contains(word)) {
        count.left_out += 1;
        return;
    }
    let mut types: BTreeMap<String, Type> = BTreeMap::new();
    for declared in test.messages("type_env") {
        if let Some(ident) = declared.message("ident") {
            types.insert(declared.text("name"), declared_type(ident.message("type").unwrap()));
        }
    }
    let mut environment = Environment::new();
    let mut bindings = Vec::new();
    for binding in test.messages("bindings") {
        let name = binding.text("key");
        let r#type = types.remove(&name).unwrap_or(Type::Dyn);
        environment = environment.with(name.leak(), r#type);
        bindings.push(binding.message("value").unwrap().message("value").unwrap().clone());
    }
    let bindings = Bindings(bindings);
    let (failed, outcome) = match Program::compile(&environment, &text) {
        Err(problem) => (Some(true), format!("refused: {problem}")),
        Ok(program) => match program.evaluate(&bindings) {
            Err(failure) => (Some(false), format!("failed: {failure}")),
            Ok(found) => {
                let expected = test
                    .message("value")
                    .or_else(|| test.message("typed_result")?.message("result"));
                let same = match expected {
                    Some(expected) => same(&found, &value(expected)),
                    // What gives nothing is expected to be true.
                    None => test.message("eval_error").is_none() && matches!(found, Value::Bool(true)),
                };
                if same {
                    count.passed += 1;
                    return;
                }
                (None, format!("is {found:?}"))
            }
        },
    };
    let wants_error = test.message("eval_error").is_some() || test.message("any_eval_errors").is_some();
    match failed {
        Some(_) if wants_error => count.passed += 1,
        Some(true) if test.text("disable_check") == "true" => count.stricter += 1,
        _ => count.failed.push(format!("{}: {text}: {outcome}", test.text("name"))),
    }
}

fn declared_type(message: &Message) -> Type {
    if let Some(list) = message.message("list_type") {
        return Type::list(declared_type(list.message("elem_type").unwrap()));
    }
    if let Some(map) = message.message("map_type") {
        let part = |name| declared_type(map.message(name).unwrap()).into();
        return Type::Map(part("key_type"), part("value_type"));
    }
    match message.text("primitive").as_str() {
        "BOOL" => Type::Bool,
        "INT64" => Type::Int,
        "UINT64" => Type::Uint,
        "DOUBLE" => Type::Double,
        "STRING" => Type::String,
        "BYTES" => Type::Bytes,
        _ => match message.text("well_known").as_str() {
            "TIMESTAMP" => Type::Timestamp,
            "DURATION" => Type::Duration,
            _ => Type::Dyn,
        },
    }
}

fn value(message: &Message) -> Value<'static> {
    let Some((kind, content)) = message.first() else {
        return Value::Null;
    };
    let text = content.text();
    match kind {
        "bool_value" => Value::Bool(text == "true"),
        "int64_value" => Value::Int(integer(&text).try_into().unwrap()),
        "uint64_value" => Value::Uint(integer(&text).try_into().unwrap()),
        "double_value" => Value::Double(text.parse().unwrap()),
        "string_value" => text.into(),
        "bytes_value" => Value::Bytes(Shared::Made(content.bytes().into())),
        "type_value" => Value::Type(text.leak()),
        "list_value" => Value::List(List::Made(content.message().messages("values").map(value).collect())),
        "map_value" => {
            let entry = |entry: &Message| {
                (
                    value(entry.message("key").unwrap()),
                    value(entry.message("value").unwrap()),
                )
            };
            Value::Map(Map::Made(content.message().messages("entries").map(entry).collect()))
        }
        _ => Value::Null,
    }
}

fn integer(text: &str) -> i128 {
    let digits = text.trim_start_matches('-');
    let number = match digits.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).unwrap(),
        None => digits.parse().unwrap(),
    };
    if text.starts_with('-') { -number } else { number }
}

/// Whether both are the same and of the same type.
fn same(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (one, other) {
        (Value::Double(one), Value::Double(other)) => one == other || one.is_nan() && other.is_nan(),
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| same(&one, &other))
        }
        (Value::Map(one), Value::Map(other)) => {
            let found = |key| Some((one.get(key)?, other.get(key)?));
            one.len() == other.len()
                && one
                    .keys()
                    .iter()
                    .all(|key| found(key).is_some_and(|(one, other)| same(&one, &other)))
        }
        (one, other) => format!("{one:?}") == format!("{other:?}"),
    }
}
