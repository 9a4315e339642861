//! The check of a tree against the schema: every key known, every value of the kind and form that is asked for, every
//! name there. It goes on after each problem, and gives the tree back in the one long form that the types read.

mod branch;
mod text;

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::problem::{Place, Report};
use crate::schema::resolve;
use crate::substitute::Environment;
use crate::suggest::did_you_mean;
use crate::tree::{Content, Entry, Node};

/// What a file may refer to outside of itself.
pub(crate) struct Surroundings<'a> {
    /// The folder from which relative paths start.
    pub(crate) base: &'a Path,
    /// Looks variables up.
    pub(crate) environment: Environment<'a>,
    /// Reads the files that hold secrets.
    pub(crate) read: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// Checks a tree and gives what it says. In place of what is wrong, and has been reported, there is `null`.
pub(crate) fn check<'a>(
    root: &'a Node,
    schema: &'a Value,
    surroundings: &'a Surroundings<'a>,
    report: &mut Report,
) -> Value {
    let names = ["services", "databases", "policies"].map(|key| {
        let entries = root.entry(key).map(|entry| entry.node.entries()).unwrap_or_default();
        (key, entries.iter().map(|entry| &*entry.key).collect())
    });
    Walk {
        schema,
        surroundings,
        report,
        names: names.into(),
        path: String::new(),
    }
    .value(root, schema, root.place)
}

struct Walk<'a, 'r> {
    schema: &'a Value,
    surroundings: &'a Surroundings<'a>,
    report: &'r mut Report,
    /// The names that there are to refer to, by the key of the file under which they stand.
    names: HashMap<&'static str, BTreeSet<&'a str>>,
    path: String,
}

impl<'a> Walk<'a, '_> {
    /// Reports a problem with the value that is being looked at.
    fn problem(&mut self, place: Place, message: impl Into<String>) -> Value {
        self.report.add(Some(place), &self.path, message);
        Value::Null
    }

    /// The proposal that follows a name that isn't there.
    fn advice<'n>(&self, wrong: &str, names: impl Iterator<Item = &'n str>) -> String {
        if self.report.is_full() {
            String::new()
        } else {
            did_you_mean(wrong, names)
        }
    }

    /// Looks at something below the present value: its path is longer by `segment`.
    fn below<T>(&mut self, segment: &str, look: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        self.path.push_str(segment);
        let result = look(self);
        self.path.truncate(length);
        result
    }

    /// A value of any kind. `key` is the place of its key, where it has one: what is nothing stands nowhere itself.
    fn value(&mut self, node: &Node, schema: &'a Value, key: Place) -> Value {
        let names = &schema["x-names"];
        let schema = resolve(self.schema, schema);
        match &node.content {
            Content::Broken => return Value::Null,
            Content::Nothing => {
                return self.problem(key, "there is no value here; write one, or take the key out");
            }
            _ => {}
        }
        if let Some(name) = schema["x-short"].as_str() {
            return self.short(node, schema, name);
        }
        if schema["x-single"] == true {
            return self.single(node, schema);
        }
        if let Some(branches) = schema["anyOf"].as_array() {
            return match self.branch(node, branches) {
                Some(branch) => self.value(node, branch, key),
                None => Value::Null,
            };
        }
        match (&node.content, schema["type"].as_str()) {
            (Content::Map(entries), Some("object")) => self.object(node, entries, schema),
            (Content::List(items), Some("array")) => self.array(node, items, schema),
            (Content::Scalar { text, quoted }, Some("integer")) => self.integer(node.place, text, *quoted, schema),
            (Content::Scalar { text, quoted }, Some("boolean")) => self.boolean(node.place, text, *quoted),
            (Content::Scalar { text, .. }, Some("string") | None) => self.text(node.place, text, schema, names),
            (_, expected) => {
                let expected = expected_in_words(expected.unwrap_or("string"));
                self.problem(node.place, format!("expected {expected}, found {}", node.described()))
            }
        }
    }

    /// A type with a short form: whatever isn't a group of keys is the value of the one key that matters.
    fn short(&mut self, node: &Node, schema: &'a Value, name: &str) -> Value {
        match &node.content {
            Content::Map(_) => self.value(node, &schema["anyOf"][1], node.place),
            _ => match self.value(node, &schema["anyOf"][0], node.place) {
                Value::Null => Value::Null,
                value => json!({ name: value }),
            },
        }
    }

    /// A list, or its only item.
    fn single(&mut self, node: &Node, schema: &'a Value) -> Value {
        match &node.content {
            Content::Scalar { .. } => match self.value(node, &schema["anyOf"][0], node.place) {
                Value::Null => Value::Null,
                item => json!([item]),
            },
            _ => self.value(node, &schema["anyOf"][1], node.place),
        }
    }

    fn array(&mut self, node: &Node, items: &[Node], schema: &'a Value) -> Value {
        if let Some(least) = schema["minItems"].as_u64()
            && (items.len() as u64) < least
        {
            return self.problem(node.place, "the list is empty; it needs at least one item");
        }
        if let Some(most) = schema["maxItems"].as_u64()
            && (items.len() as u64) > most
        {
            let message = format!("the list has {} items; it can have {most}", items.len());
            return self.problem(node.place, message);
        }
        let each = items.iter().enumerate().map(|(index, item)| {
            self.below(&format!("[{index}]"), |walk| {
                walk.value(item, &schema["items"], item.place)
            })
        });
        Value::Array(each.collect())
    }

    fn object(&mut self, node: &Node, entries: &[Entry], schema: &'a Value) -> Value {
        let mut object = Map::new();
        for entry in entries {
            let segment = if self.path.is_empty() {
                entry.key.to_string()
            } else {
                format!(".{}", entry.key)
            };
            self.below(&segment, |walk| walk.entry(entry, schema, &mut object));
        }
        for required in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !object.contains_key(required) {
                let meaning = self.first_sentence(&schema["properties"][required]);
                self.problem(node.place, format!("`{required}` is missing{meaning}"));
                object.insert(required.to_owned(), Value::Null);
            }
        }
        Value::Object(object)
    }

    fn entry(&mut self, entry: &Entry, schema: &'a Value, object: &mut Map<String, Value>) {
        let (key, property) = match &schema["properties"][&*entry.key] {
            Value::Null if schema["additionalProperties"].is_object() => {
                let format = schema["propertyNames"]["format"].as_str().unwrap_or_default();
                if let Err(message) = crate::formats::check(format, &entry.key) {
                    self.problem(entry.place, message);
                }
                (&*entry.key, &schema["additionalProperties"])
            }
            Value::Null => {
                self.unknown(entry, schema);
                return;
            }
            property => (property["x-means"].as_str().unwrap_or(&entry.key), property),
        };
        if object.contains_key(key) {
            self.problem(
                entry.place,
                format!("this means the same as `{key}`, which is there too; keep one of them"),
            );
            return;
        }
        let value = self.value(&entry.node, property, entry.place);
        object.insert(key.to_owned(), value);
    }

    fn unknown(&mut self, entry: &Entry, schema: &Value) {
        let known = || {
            schema["properties"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, _)| key.as_str())
        };
        let mut advice = self.advice(&entry.key, known());
        if advice.is_empty() {
            let keys: Vec<_> = known().map(|key| format!("`{key}`")).collect();
            advice = format!("; there is {}", keys.join(", "));
        }
        self.problem(entry.place, format!("there is no key `{}` here{advice}", entry.key));
    }

    /// What a missing key is for, to follow its name.
    fn first_sentence(&self, property: &Value) -> String {
        let own = property["description"].as_str();
        let description = own
            .or_else(|| resolve(self.schema, property)["description"].as_str())
            .unwrap_or_default();
        match description
            .split_once(". ")
            .map_or(description, |(first, _)| first)
            .trim_end_matches('.')
        {
            "" => String::new(),
            sentence => format!(": {sentence}"),
        }
    }
}

/// What a type of the schema is called in a message.
fn expected_in_words(kind: &str) -> &'static str {
    match kind {
        "object" => "a group of keys",
        "array" => "a list",
        "integer" => "a whole number",
        "boolean" => "`true` or `false`",
        _ => "a text",
    }
}
