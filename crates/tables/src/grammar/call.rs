//! Calls under `/rpc/`: which routine is meant, with which values, and what of its rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_core::{Error, Finding, Result, codes};
use serde_json::value::RawValue;

use super::{Caller, literal, pairs, read_pairs, refused, shown};
use crate::api::{Api, Resource};
use crate::content;
use crate::query::Read;
use crate::schema::{Engine, Returns, Routine, Type, did_you_mean};
use crate::value::Value;

/// A call, resolved.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is called.
    pub callee: Callee,
    /// The values of its arguments, by their places.
    pub arguments: Vec<(usize, Value)>,
    /// What is asked of the rows that it gives, where those are rows of a resource.
    pub read: Option<Read>,
}

/// What can be called.
#[derive(Clone, Debug)]
pub enum Callee {
    /// A function or procedure of the database.
    Routine(Arc<Routine>),
    /// A statement of the file, by its place in the API.
    Statement(usize),
}

/// What a call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Reads,
    /// It may change something, and can be called so that the database refuses that: PostgreSQL's functions are volatile
    /// where their authors say nothing.
    Either,
    /// It changes something.
    Changes,
}

/// What calls of that name may do; `None` where nothing of that name can be called.
pub fn callable(api: &Api, name: &str) -> Option<Effect> {
    if let Some(statement) = api.statements.iter().find(|statement| *statement.name == *name) {
        return Some(if statement.writes {
            Effect::Changes
        } else {
            Effect::Reads
        });
    }
    let routines = routines(api, name)?;
    Some(if routines.iter().any(|routine| routine.procedure) {
        Effect::Changes
    } else if !routines.iter().any(|routine| routine.volatile) {
        Effect::Reads
    } else if api.schema.engine() == Engine::Postgres {
        Effect::Either
    } else {
        Effect::Changes
    })
}

/// Reads a call: its arguments are in the query, or in `body`, a JSON object. All else in the query is asked of the rows
/// that it gives, where those are rows of a resource of the API.
///
/// # Errors
/// `resource_not_found` where nothing of that name can be called; `bad_query`, naming the parameter; `bad_content` and
/// `invalid_content` for what is wrong with the body.
pub fn call(api: &Api, name: &str, query: Option<&str>, body: Option<&[u8]>, caller: &Caller<'_>) -> Result<Call> {
    let given = pairs(query)?;
    if let Some(place) = api.statements.iter().position(|statement| *statement.name == *name) {
        return of_statement(api, place, &given, body);
    }
    let routines = routines(api, name).ok_or_else(|| Error::new(&codes::RESOURCE_NOT_FOUND))?;
    let engine = api.schema.engine();
    let (routine, arguments, rest) = match body {
        None => {
            let is_argument = |name: &str| routines.iter().any(|routine| place_of(routine, name).is_some());
            let (arguments, rest): (Vec<_>, Vec<_>) = given.into_iter().partition(|(name, _)| is_argument(name));
            let names: Vec<&str> = arguments.iter().map(|(name, _)| name.as_str()).collect();
            let routine = fitting(routines, &names)?;
            (routine, from_query(engine, &parameters(routine), &arguments)?, rest)
        }
        Some(body) => {
            let members = members(body)?;
            let names: Vec<&str> = members.keys().map(String::as_str).collect();
            let routine = fitting(routines, &names)?;
            (routine, from_body(engine, &parameters(routine), &members)?, given)
        }
    };
    let read = match resource_of(api, routine) {
        Some(resource) => Some(read_pairs(api, resource, &rest, caller)?),
        None => {
            refuse_rest(routine, &rest)?;
            None
        }
    };
    Ok(Call {
        callee: Callee::Routine(routine.clone()),
        arguments,
        read,
    })
}

/// An argument: its name, what it takes, and whether it must be given.
type Parameter<'p> = (&'p str, &'p Type);

fn of_statement(api: &Api, place: usize, given: &[(String, String)], body: Option<&[u8]>) -> Result<Call> {
    let statement = &api.statements[place];
    let parameters: Vec<Parameter<'_>> = statement.arguments.iter().map(|(name, kind)| (&**name, kind)).collect();
    let engine = api.schema.engine();
    let arguments = match body {
        None => from_query(engine, &parameters, given)?,
        Some(body) => {
            if let Some((name, _)) = given.first() {
                return Err(refused(name, "the arguments are in the content"));
            }
            from_body(engine, &parameters, &members(body)?)?
        }
    };
    let missing = (0..parameters.len()).find(|place| !arguments.iter().any(|(given, _)| given == place));
    if let Some(place) = missing {
        return Err(missing_argument(parameters[place].0));
    }
    Ok(Call {
        callee: Callee::Statement(place),
        arguments,
        read: None,
    })
}

fn routines<'a>(api: &'a Api, name: &str) -> Option<&'a [Arc<Routine>]> {
    let known = api.routines.iter().find(|(known, _)| **known == *name);
    known.map(|(_, routines)| routines.as_slice())
}

fn parameters(routine: &Routine) -> Vec<Parameter<'_>> {
    let arguments = routine.arguments.iter();
    arguments
        .map(|argument| (argument.name.as_str(), &argument.kind))
        .collect()
}

fn place_of(routine: &Routine, name: &str) -> Option<usize> {
    routine
        .arguments
        .iter()
        .position(|argument| argument.name.as_str() == name)
}

/// The routine out of those of one name that takes these arguments, and none that isn't given.
fn fitting<'r>(routines: &'r [Arc<Routine>], names: &[&str]) -> Result<&'r Arc<Routine>> {
    let takes_all = |routine: &Routine| names.iter().all(|name| place_of(routine, name).is_some());
    let lacks = |routine: &'r Routine| {
        let needed = routine
            .arguments
            .iter()
            .filter(|argument| !argument.optional && !argument.variadic);
        needed
            .map(|argument| argument.name.as_str())
            .find(|name| !names.contains(name))
    };
    if let Some(routine) = routines
        .iter()
        .find(|routine| takes_all(routine) && lacks(routine).is_none())
    {
        return Ok(routine);
    }
    match routines.iter().find(|routine| takes_all(routine)) {
        Some(routine) => Err(missing_argument(lacks(routine).unwrap_or_default())),
        None => {
            let first = routines.first().ok_or_else(|| Error::new(&codes::RESOURCE_NOT_FOUND))?;
            let unknown = names.iter().find(|name| place_of(first, name).is_none()).unwrap_or(&"");
            Err(no_such_argument(
                first.arguments.iter().map(|argument| argument.name.as_str()),
                unknown,
            ))
        }
    }
}

fn missing_argument(name: &str) -> Error {
    refused(name, "this argument is missing")
}

fn no_such_argument<'n>(known: impl Iterator<Item = &'n str>, name: &str) -> Error {
    let suggestion = did_you_mean(name, known);
    Error::new(&codes::BAD_QUERY).with_detail(format!("there is no argument `{}`{suggestion}", shown(name)))
}

fn from_query(engine: Engine, parameters: &[Parameter<'_>], given: &[(String, String)]) -> Result<Vec<(usize, Value)>> {
    let mut arguments: Vec<(usize, Value)> = Vec::with_capacity(given.len());
    for (name, text) in given {
        let Some(place) = parameters.iter().position(|(known, _)| known == name) else {
            return Err(no_such_argument(parameters.iter().map(|(known, _)| *known), name));
        };
        if arguments.iter().any(|(known, _)| *known == place) {
            return Err(refused(name, "it is given twice"));
        }
        let value = literal(parameters[place].1, text, engine).map_err(|problem| refused(name, &problem))?;
        arguments.push((place, value));
    }
    Ok(arguments)
}

fn from_body(
    engine: Engine,
    parameters: &[Parameter<'_>],
    members: &BTreeMap<String, &RawValue>,
) -> Result<Vec<(usize, Value)>> {
    let mut arguments = Vec::with_capacity(members.len());
    let mut findings = Vec::new();
    for (name, raw) in members {
        let Some(place) = parameters.iter().position(|(known, _)| known == name) else {
            return Err(no_such_argument(parameters.iter().map(|(known, _)| *known), name));
        };
        let kind = parameters[place].1;
        match content::from_json(engine, kind, raw) {
            Some(value) => arguments.push((place, value)),
            None => findings.push(Finding {
                part: "body",
                pointer: format!("/{}", name.replace('~', "~0").replace('/', "~1")),
                what: format!("`{}` takes {}", shown(name), kind.description()),
            }),
        }
    }
    match findings.first() {
        None => Ok(arguments),
        Some(first) => {
            let detail = first.what.clone();
            Err(Error::new(&codes::INVALID_CONTENT)
                .with_detail(detail)
                .with_findings(findings))
        }
    }
}

/// The members of a JSON object; of no content at all, none.
fn members(body: &[u8]) -> Result<BTreeMap<String, &RawValue>> {
    if body.trim_ascii().is_empty() {
        return Ok(BTreeMap::new());
    }
    serde_json::from_slice(body)
        .map_err(|_| Error::new(&codes::BAD_CONTENT).with_detail("the content is a JSON object of arguments"))
}

/// The resource whose rows a routine gives.
fn resource_of(api: &Api, routine: &Routine) -> Option<usize> {
    let Returns::Relation { relation, .. } = &routine.returns else {
        return None;
    };
    let relation = api.schema.relations().get(*relation)?;
    let rows_of = |resource: &Resource| Arc::ptr_eq(&resource.relation, relation);
    // Where several resources are of that table, the one that has its name is meant.
    let named = api
        .resources
        .iter()
        .position(|resource| rows_of(resource) && *resource.name == *relation.name.as_str());
    named.or_else(|| api.resources.iter().position(rows_of))
}

fn refuse_rest(routine: &Routine, rest: &[(String, String)]) -> Result<()> {
    match rest.first() {
        None => Ok(()),
        Some((name, _)) => Err(no_such_argument(
            routine.arguments.iter().map(|argument| argument.name.as_str()),
            name,
        )),
    }
}
