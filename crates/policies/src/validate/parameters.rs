//! Parameters of a query, a path or a head, held against their schemas.

use std::collections::BTreeMap;

use portcullis_config::policy::validate::Parameters as Written;
use portcullis_contract::schema::{SchemaId, TypeHint};
use portcullis_contract::text::typed;
use portcullis_core::Finding;
use serde_json::{Map, Value};

use super::judge::{Judge, Judged, MOST_FINDINGS};

/// The most characters of a parameter's name that are repeated.
const SHOWN: usize = 64;

/// The parameters that a message has, by name.
pub(super) type Given = BTreeMap<String, Vec<String>>;

/// Schemas of parameters.
#[derive(Debug)]
pub(super) enum Parameters {
    Each {
        schemas: BTreeMap<String, SchemaId>,
        refuse_unknown: bool,
    },
    All(SchemaId),
}

impl Parameters {
    /// Compiles what the file says, with what makes a schema of a text.
    pub(super) fn compile(
        written: &Written,
        refuse_unknown: bool,
        mut schema: impl FnMut(&str) -> Result<SchemaId, String>,
    ) -> Result<Parameters, String> {
        match written {
            Written::All(text) => schema(text).map(Parameters::All),
            Written::Each(texts) => {
                let schemas = texts.iter().map(|(name, text)| {
                    let compiled = schema(text).map_err(|error| format!("`{name}`: {error}"))?;
                    Ok((name.clone(), compiled))
                });
                Ok(Parameters::Each {
                    schemas: schemas.collect::<Result<_, String>>()?,
                    refuse_unknown,
                })
            }
        }
    }

    /// The names that have schemas of their own; `None` where one schema is for all.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &str>> {
        match self {
            Parameters::Each { schemas, .. } => Some(schemas.keys().map(String::as_str)),
            Parameters::All(_) => None,
        }
    }

    /// Adds what is wrong with the parameters.
    pub(super) fn judge(&self, judge: &Judge, part: &'static str, given: &Given, findings: &mut Vec<Finding>) {
        match self {
            Parameters::Each {
                schemas,
                refuse_unknown,
            } => {
                for (name, values) in given {
                    match schemas.get(name) {
                        Some(schema) => one(judge, part, *schema, name, values, findings),
                        None if *refuse_unknown => add(findings, part, name, "no such parameter is known"),
                        None => {}
                    }
                }
            }
            Parameters::All(schema) => all(judge, part, *schema, given, findings),
        }
        findings.truncate(MOST_FINDINGS);
    }
}

fn one(
    judge: &Judge,
    part: &'static str,
    schema: SchemaId,
    name: &str,
    values: &[String],
    findings: &mut Vec<Finding>,
) {
    let Some(value) = value_of(values, judge.set.types(schema), judge.set.item_types(schema)) else {
        return add(findings, part, name, "it may be there only once");
    };
    collect(judge.value(schema, &value, part, &pointer(name)), part, name, findings);
}

fn all(judge: &Judge, part: &'static str, schema: SchemaId, given: &Given, findings: &mut Vec<Finding>) {
    let mut group = Map::new();
    for (name, values) in given {
        let set = &judge.set;
        let value = value_of(
            values,
            set.member_types(schema, name),
            set.member_item_types(schema, name),
        );
        match value {
            Some(value) => {
                group.insert(name.clone(), value);
            }
            None => return add(findings, part, name, "it may be there only once"),
        }
    }
    collect(judge.value(schema, &Value::Object(group), part, ""), part, "", findings);
}

/// The value that the texts of a parameter mean; `None` where there are several and only one is expected.
fn value_of(values: &[String], hint: TypeHint, items: TypeHint) -> Option<Value> {
    match values {
        [only] if !hint.may_be_array() || is_scalar_too(hint) => Some(typed(only, hint)),
        values if hint.may_be_array() => Some(values.iter().map(|value| typed(value, items)).collect()),
        _ => None,
    }
}

fn is_scalar_too(hint: TypeHint) -> bool {
    hint.may_be_string() || hint.may_be_number() || hint.may_be_boolean()
}

fn collect(judged: Judged, part: &'static str, name: &str, findings: &mut Vec<Finding>) {
    match judged {
        Judged::Good => {}
        Judged::Broken(found) => findings.extend(found),
        Judged::Malformed(_) | Judged::Undecided => add(findings, part, name, "it takes too long to be checked"),
    }
}

pub(crate) fn add(findings: &mut Vec<Finding>, part: &'static str, name: &str, what: &str) {
    if findings.len() < MOST_FINDINGS {
        findings.push(Finding {
            part,
            pointer: pointer(name),
            what: what.to_owned(),
        });
    }
}

/// The pointer to a parameter.
pub(crate) fn pointer(name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    let shown: String = name.chars().take(SHOWN).collect();
    format!("/{}", shown.replace('~', "~0").replace('/', "~1"))
}
