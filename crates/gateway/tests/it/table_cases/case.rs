//! How cases are written.
//!
//! ```text
//! # A remark.
//! at /v1/orders
//! state=eq.new => 10 11            the values of `id` in the rows that are answered
//! state=eq.x => none               no row
//! select=total&id=eq.10 => [{"total": 20}]
//! zzz=eq.1 => bad_query            the code of a problem
//! /rpc/one => json 1               a path below, and JSON that is no row
//! [postgres] labels=cs.{a} => 1    not for every engine
//!
//! PATCH /v1/orders/10              a request in full, up to an empty line
//! Prefer: return=minimal           fields of the request
//! > {"state": "paid"}              lines of its content
//! = 204                            the answer's status
//! Etag: "1"                        its fields; `!Etag:` must not be there
//! Location: {made}                 kept under a name, for the requests behind it; of Link, the target of that relation
//! code conflict                    the code of a problem
//! ~ paid                           what stands somewhere in the content
//! | id,name                        its lines
//! empty                            or no content
//! {"id": 1}                        or JSON, in which the order of members and the form of numbers mean nothing
//! ```

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use super::MARKER;
use super::words::Engine;
use crate::it::client::Answer;
use crate::it::gate::Gate;

/// What earlier answers said, by the names that the file gave it.
pub(super) type Names = BTreeMap<String, String>;

/// What may not stand in a target as it is. A `%` may: cases write some characters encoded.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// In place of a status: rows are answered, all of them or a part.
const READ: u16 = 0;

/// In place of a status: the code says which.
const REFUSED: u16 = 1;

pub(super) struct Case {
    pub(super) line: usize,
    engines: Option<String>,
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    content: String,
    status: u16,
    expected: Vec<String>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} => {} {}",
            self.method,
            self.target,
            self.status,
            self.expected.join(" / ")
        )
    }
}

impl Case {
    /// The cases of a file.
    pub(super) fn all(text: &str) -> Vec<Case> {
        let mut cases = Vec::new();
        let mut at = "";
        let mut lines = text.lines().enumerate();
        while let Some((place, line)) = lines.next() {
            if line.trim().is_empty() || line.starts_with("# ") {
                continue;
            }
            if let Some(path) = line.strip_prefix("at ") {
                at = path.trim();
                continue;
            }
            let (engines, line) = match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
                Some((engines, rest)) => (Some(engines.to_owned()), rest),
                None => (None, line),
            };
            let mut case = match line.split_once(" => ") {
                Some((query, expected)) => Case::short(at, query.trim(), expected.trim()),
                None => {
                    let more = lines.by_ref().map(|(_, line)| line);
                    Case::in_full(line, more.take_while(|line| !line.trim().is_empty()))
                }
            };
            (case.line, case.engines) = (place + 1, engines);
            cases.push(case);
        }
        cases
    }

    fn short(at: &str, query: &str, expected: &str) -> Case {
        let target = match query {
            "-" => at.to_owned(),
            path if path.starts_with('/') => format!("{at}{path}"),
            query => format!("{at}?{query}"),
        };
        let is_code = expected != "none" && expected.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let is_ids = expected.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ');
        let (status, expected) = match expected {
            "none" => (READ, "[]".to_owned()),
            code if is_code => (REFUSED, format!("code {code}")),
            ids if is_ids => (READ, format!("ids {ids}")),
            json => (READ, json.strip_prefix("json ").unwrap_or(json).to_owned()),
        };
        Case {
            line: 0,
            engines: None,
            method: "GET".to_owned(),
            target,
            fields: Vec::new(),
            content: String::new(),
            status,
            expected: vec![expected],
        }
    }

    fn in_full<'t>(first: &str, more: impl Iterator<Item = &'t str>) -> Case {
        let (method, target) = first.split_once(' ').unwrap_or_else(|| panic!("no case: {first}"));
        let mut case = Case::short("", target, "");
        (case.method, case.target) = (method.to_owned(), target.to_owned());
        (case.status, case.expected) = (0, Vec::new());
        let mut content = Vec::new();
        for line in more {
            if case.status > 0 {
                case.expected.push(line.to_owned());
            } else if let Some(line) = line.strip_prefix("> ") {
                content.push(line);
            } else if let Some(status) = line.strip_prefix("= ") {
                case.status = status.parse().unwrap();
            } else {
                let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no field: {line}"));
                case.fields.push((name.to_owned(), value.to_owned()));
            }
        }
        assert!(case.status > 0, "no status: {first}");
        case.content = content.join("\n");
        let typed = case.fields.iter().any(|(name, _)| name == "Content-Type");
        if !case.content.is_empty() && !typed {
            let json = ("Content-Type".to_owned(), "application/json".to_owned());
            case.fields.push(json);
        }
        case
    }

    pub(super) fn is_for(&self, engine: Engine) -> bool {
        let named = |engines: &String| engines.split(' ').any(|name| name == engine.name());
        self.engines.as_ref().is_none_or(named)
    }

    /// Asks, and tells what is wrong with the answer.
    pub(super) fn run(&self, gate: &Gate, names: &mut Names) -> Result<(), String> {
        let filled = |text: &str| {
            let each = names.iter();
            each.fold(text.to_owned(), |text, (name, value)| {
                text.replace(&format!("{{{name}}}"), value)
            })
        };
        let target = utf8_percent_encode(&filled(&self.target), ENCODED).to_string();
        let fields: Vec<(String, String)> = self
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), filled(value)))
            .collect();
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = gate.connect().ask(&self.method, &target, &fields, &self.content);
        let whole = format!("{answer}");
        if whole.contains(MARKER) {
            return Err(format!("what is hidden came out: {whole}"));
        }
        self.judge(&answer, names).map_err(|why| format!("{why}: {whole}"))
    }

    fn judge(&self, answer: &Answer, names: &mut Names) -> Result<(), String> {
        let is_expected = match self.status {
            READ => matches!(answer.status, 200 | 206),
            REFUSED => answer.status >= 400,
            status => answer.status == status,
        };
        holds(is_expected, "another status")?;
        let (mut lines, mut json) = (Vec::new(), String::new());
        let content = String::from_utf8_lossy(&answer.body).replace("\r\n", "\n");
        for line in &self.expected {
            if let Some(line) = line.strip_prefix("| ") {
                lines.push(line);
            } else if let Some(part) = line.strip_prefix("~ ") {
                holds(content.contains(part), line)?;
            } else if let Some(code) = line.strip_prefix("code ") {
                holds(read(&content)?["code"] == code, line)?;
            } else if let Some(ids) = line.strip_prefix("ids ") {
                holds(identities(&read(&content)?) == ids, line)?;
            } else if line == "empty" {
                holds(content.is_empty(), line)?;
            } else if let Some((name, value)) = field(line) {
                judge_field(answer, name, value, names)?;
            } else {
                json.push_str(line);
            }
        }
        if !lines.is_empty() {
            holds(content.trim_end_matches('\n') == lines.join("\n"), "other lines")?;
        }
        if !json.is_empty() {
            holds(same(&read(&json)?, &read(&content)?), "another content")?;
        }
        Ok(())
    }
}

/// A field of an answer, as a case writes it.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'!'));
    (is_name && !name.is_empty()).then_some((name, value.trim()))
}

fn judge_field(answer: &Answer, name: &str, expected: &str, names: &mut Names) -> Result<(), String> {
    if let Some(name) = name.strip_prefix('!') {
        return holds(answer.field(name).is_none(), "a field that must not be there");
    }
    let found = answer.field(name).ok_or_else(|| format!("no {name}"))?;
    match expected.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(kept) if name == "Link" => {
            let relation = format!("rel=\"{kept}\"");
            let link = found.split(", <").find(|link| link.ends_with(&relation));
            let link = link.ok_or_else(|| format!("no link with {relation}"))?;
            let target = link.trim_start_matches('<').split('>').next().unwrap_or_default();
            names.insert(kept.to_owned(), target.to_owned());
            Ok(())
        }
        Some(kept) => {
            names.insert(kept.to_owned(), found.to_owned());
            Ok(())
        }
        None if name == "Link" => holds(found.contains(expected), "another Link"),
        None => holds(found == expected, &format!("another {name}")),
    }
}

fn identities(rows: &Value) -> String {
    let each = rows.as_array().into_iter().flatten();
    each.map(|row| row["id"].to_string()).collect::<Vec<_>>().join(" ")
}

fn holds(truth: bool, what: &str) -> Result<(), String> {
    if truth { Ok(()) } else { Err(what.to_owned()) }
}

fn read(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|failure| format!("no JSON ({failure})"))
}

/// Whether it is the same content: 20 and 20.00 are the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let member = |name: &String, value| other.get(name).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(|(name, value)| member(name, value))
        }
        (one, other) => one == other,
    }
}
