//! The reference of the file, written from its schema.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::{Map, Value};

use crate::schema::{resolve, schema};

const INTRODUCTION: &str = "\
<!-- Written from the schema by `cargo xtask docs`; change the doc comments in `crates/config` instead. -->

# The configuration file

One YAML file says everything. Each group of keys below has its place in the file as its heading: `[]` is an item of a
list, `NAME` a name that you choose.

- A key that is not known is an error, and so is a key without a value. All problems are reported at once.
- Where a *short form* is given, it may be written in place of the whole group.
- A *duration* has a unit: `250ms`, `5s`, `1m30s`, `2h`, `1d`. A *size* is a number of bytes: `512`, `64KiB`, `1MiB`, `10MB`.
  A *quota* is a number and a period: `100/1m`.
- `${VARIABLE}`, `${VARIABLE:-default}` and `${VARIABLE:?message}` are put in anywhere within a value; `$$` is a dollar
  sign. Within `{…}` and `[…]`, YAML wants such a value in quotes.
- A *secret* is only ever a reference: `${VARIABLE}` or `file:PATH`.
- Paths of files are relative to the configuration file.
- Anchors, aliases, merge keys and tags of YAML are not understood.
";

/// The reference of the configuration file, as Markdown.
pub fn reference() -> String {
    reference_of(&schema(), INTRODUCTION)
}

/// The reference of the file that a schema describes, after an introduction.
pub(crate) fn reference_of(schema: &Value, introduction: &str) -> String {
    let mut writer = Writer {
        root: schema,
        text: introduction.to_owned(),
        described: HashMap::new(),
        waiting: Vec::new(),
    };
    writer.group("", schema);
    // Each group is followed by those within it, so that reading on is going deeper.
    while let Some((path, schema)) = writer.waiting.pop() {
        writer.group(&path, schema);
    }
    writer.text
}

struct Writer<'a> {
    root: &'a Value,
    text: String,
    /// The definitions that have, or will get, a section of their own, with its path.
    described: HashMap<&'a str, String>,
    waiting: Vec<(String, &'a Value)>,
}

impl<'a> Writer<'a> {
    /// Writes the section of a group of keys, or of several to choose from.
    fn group(&mut self, path: &str, schema: &'a Value) {
        let heading = if path.is_empty() {
            "The file".to_owned()
        } else {
            format!("`{path}`")
        };
        self.line(&format!("\n## {heading}\n"));
        if let Some(description) = schema["description"].as_str() {
            self.line(&format!("{description}\n"));
        }
        let before = self.waiting.len();
        let long = if schema["x-short"].is_string() {
            &schema["anyOf"][1]
        } else {
            schema
        };
        if let Some(properties) = long["properties"].as_object() {
            self.keys(path, long, properties);
        } else if let Some(branches) = long["anyOf"].as_array() {
            for branch in branches {
                let branch = resolve(self.root, branch);
                if let (Some(key), Some(properties)) =
                    (branch["required"][0].as_str(), branch["properties"].as_object())
                {
                    self.line(&format!("### `{path}.{key}`\n"));
                    self.line(&format!("{}\n", branch["description"].as_str().unwrap_or_default()));
                    self.keys(path, branch, properties);
                    self.line("");
                }
            }
            self.text.pop();
        }
        self.waiting[before..].reverse();
    }

    fn keys(&mut self, path: &str, schema: &'a Value, properties: &'a Map<String, Value>) {
        self.line("| key | value | default | meaning |");
        self.line("|---|---|---|---|");
        for (key, property) in properties.iter().filter(|(_, property)| property["x-means"].is_null()) {
            let required = schema["required"]
                .as_array()
                .is_some_and(|required| required.iter().any(|name| name == key));
            let below = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            let kind = self.kind(&below, property);
            let default = match &property["default"] {
                _ if required => "required".to_owned(),
                Value::Null => String::new(),
                // The defaults of a group stand with its keys.
                Value::Object(_) => String::new(),
                Value::Array(items) if items.is_empty() => String::new(),
                Value::String(text) if text.is_empty() => String::new(),
                value => format!("`{}`", written(value)),
            };
            let own = property["description"].as_str();
            let meaning = own
                .or_else(|| resolve(self.root, property)["description"].as_str())
                .unwrap_or_default();
            let also = properties.iter().find(|(_, other)| other["x-means"] == key.as_str());
            let key = also.map_or_else(|| format!("`{key}`"), |(also, _)| format!("`{key}` or `{also}`"));
            let choices = choices_explained(resolve(self.root, property));
            let meaning = format!("{meaning}{choices}").replace('|', "\\|").replace('\n', " ");
            self.line(&format!("| {key} | {kind} | {default} | {meaning} |"));
        }
    }

    /// What a value is, in a few words; a group within gets a section of its own and a link.
    fn kind(&mut self, path: &str, schema: &'a Value) -> String {
        if let Some(name) = schema["$ref"]
            .as_str()
            .and_then(|reference| reference.strip_prefix("#/$defs/"))
        {
            return self.definition(path, name);
        }
        if schema["x-single"] == true {
            let item = self.kind(&format!("{path}[]"), &schema["anyOf"][1]["items"]);
            return format!("one or a list: {item}");
        }
        if let Some(branches) = schema["anyOf"].as_array() {
            let kinds: Vec<_> = branches.iter().map(|branch| self.kind(path, branch)).collect();
            return kinds.join(" or ");
        }
        match schema["type"].as_str() {
            None if schema["x-anything"] == true => "anything".to_owned(),
            Some("array") => format!("list: {}", self.kind(&format!("{path}[]"), &schema["items"])),
            Some("object") => format!(
                "by name: {}",
                self.kind(&format!("{path}.NAME"), &schema["additionalProperties"])
            ),
            Some("integer") => number(schema),
            Some("boolean") => "`true` or `false`".to_owned(),
            _ => text(schema),
        }
    }

    fn definition(&mut self, path: &str, name: &'a str) -> String {
        let schema = &self.root["$defs"][name];
        let is_group = schema["type"] == "object" || schema["anyOf"].is_array();
        if !is_group {
            return text(schema);
        }
        if schema["x-short"].is_null()
            && let Some(branches) = schema["anyOf"].as_array()
            && branches.iter().any(|branch| branch["type"] == "string")
        {
            let kinds: Vec<_> = branches.iter().map(|branch| self.kind(path, branch)).collect();
            return kinds.join(" or ");
        }
        if !self.described.contains_key(name) {
            self.described.insert(name, path.to_owned());
            self.waiting.push((path.to_owned(), schema));
        }
        let link = format!("[{}](#{})", words(name), anchor(&self.described[name]));
        match schema["x-short"].as_str() {
            Some(short) => format!("{link}, or its `{short}` alone"),
            None => link,
        }
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("writing to a string doesn't fail");
    }
}

fn number(schema: &Value) -> String {
    if let Some(choices) = schema["enum"].as_array() {
        return choices
            .iter()
            .map(|choice| format!("`{choice}`"))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let least = schema["minimum"].as_u64().unwrap_or(0);
    match schema["maximum"].as_u64() {
        Some(most) if most < u64::from(u32::MAX) => format!("number, {least} to {most}"),
        _ => format!("number, at least {least}"),
    }
}

fn text(schema: &Value) -> String {
    let choices = schema["enum"]
        .as_array()
        .or_else(|| schema["oneOf"].as_array())
        .into_iter()
        .flatten();
    let choices: Vec<_> = choices
        .filter_map(|choice| choice.as_str().or_else(|| choice["const"].as_str()))
        .map(|choice| format!("`{choice}`"))
        .collect();
    if !choices.is_empty() {
        return choices.join(", ");
    }
    if let Some(key) = schema["x-names"].as_str() {
        return format!("a name under `{key}`");
    }
    match schema["format"].as_str() {
        Some("timeout") => "duration, not 0".to_owned(),
        Some("byte-size") => "size".to_owned(),
        Some("percent") => "share".to_owned(),
        Some("ip-network") => "network".to_owned(),
        Some("label" | "name") => "name".to_owned(),
        Some("sha256") => "SHA-256".to_owned(),
        Some("editable-field-name" | "field-name" | "bench-field-name") => "name of a header field".to_owned(),
        Some("bench-request") => "method and path".to_owned(),
        Some("json-pointer") => "JSON Pointer".to_owned(),
        Some("bench-target" | "target-url" | "database-url" | "sqlite-url" | "redirect-url") => "URL".to_owned(),
        Some(format) => format.replace('-', " "),
        None => "text".to_owned(),
    }
}

/// What each of the values to choose from means, where the types say it.
fn choices_explained(schema: &Value) -> String {
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let explained = choices.filter_map(|choice| Some((choice["const"].as_str()?, choice["description"].as_str()?)));
    explained
        .map(|(choice, meaning)| format!(" `{choice}`: {meaning}"))
        .collect()
}

/// The anchor that Markdown makes of the heading of a section.
fn anchor(path: &str) -> String {
    path.chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect::<String>()
        .to_lowercase()
}

/// The name of a type as words: `ListenerLimits` is "listener limits".
fn words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

/// A default as a person would write it.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_key() {
        fn check(schema: &Value, text: &str) {
            let properties = schema["properties"].as_object().into_iter().flatten();
            for (key, property) in properties {
                assert!(text.contains(&format!("`{key}`")), "{key}");
                assert!(
                    !property["description"].is_null() || !property["$ref"].is_null(),
                    "{key} has no description"
                );
            }
            match schema {
                Value::Object(entries) => entries.values().for_each(|value| check(value, text)),
                Value::Array(items) => items.iter().for_each(|value| check(value, text)),
                _ => {}
            }
        }
        check(&schema(), &reference());
        check(&crate::bench::schema(), &crate::bench::reference());
    }
}
