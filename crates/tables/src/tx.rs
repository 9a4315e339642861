//! Several operations in one transaction: `POST …/$tx`.
//!
//! ```json
//! {"isolation": "serializable", "ops": [
//!   {"as": "o", "insert": "orders", "values": {"customer_id": 7}},
//!   {"insert": "lines", "values": [{"order_id": {"$ref": "o.id"}, "number": 1, "product_id": 3}]},
//!   {"patch": "products/3", "if_match": "\"NA.6f…\"", "values": {"price": 12.5}, "select": "id,price"},
//!   {"get": "orders?state=eq.new&order=id&limit=5"}
//! ]}
//! ```
//!
//! | operation | members beside `as` |
//! |---|---|
//! | `insert`: RESOURCE | `values` (an object, or an array of them), `select`, `on_conflict`, `resolution` |
//! | `patch`: RESOURCE/KEY or RESOURCE?FILTERS | `values`, `select`, `if_match` |
//! | `put`: RESOURCE/KEY | `values`, `select`, `if_match`, `if_none_match` |
//! | `delete`: RESOURCE/KEY or RESOURCE?FILTERS | `select`, `if_match` |
//! | `get`: RESOURCE/KEY or RESOURCE?QUERY | |
//!
//! Each is checked like a request of its own: methods, columns, rules and limits are those of its resource. They run in
//! their order, all of them or none. A value `{"$ref": "NAME.COLUMN"}` is what the operation with `as: NAME`, one of a single
//! row, has in that column; the column must be one that the caller may read there.
//!
//! The answer is `{"results": […]}`, for each operation `{"as", "status", "rows", "location", "etag", "body"}`, of which `body`
//! is there where `select` or `get` asks for it, and `location` and `etag` where it was about one row that has them.

mod operation;
mod reference;
mod written;

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use portcullis_core::{Error, Result, codes};
use serde_json::value::RawValue;

use self::operation::{Operation, Task};
use self::reference::Known;
use crate::api::Api;
use crate::content::document;
use crate::grammar::{self, Caller};
use crate::sql::{self, Changes, Made, RowForm};
use crate::statement::{Access, Expect, Isolation, Outcome, Script, Session, Step};
use crate::tag;
use crate::value::Value;

/// A transaction as it was asked for, resolved and checked.
#[derive(Debug)]
pub struct Transaction {
    isolation: Isolation,
    access: Access,
    operations: Vec<Operation>,
}

/// A transaction's script, and where in its outcomes each operation's is.
#[derive(Debug)]
pub struct Planned {
    /// The script, to be run with [`crate::content::Format::Json`].
    pub script: Script,
    /// What [`Transaction::answer`] needs to know of it.
    pub places: Places,
}

/// Where in a script's outcomes each operation's is.
#[derive(Debug)]
pub struct Places(Vec<Place>);

/// Where an operation's outcome is.
#[derive(Debug)]
struct Place {
    answer: usize,
    hidden: Option<usize>,
    made: Made,
}

/// Reads the body of a `$tx` request.
///
/// # Errors
/// `bad_content` for what is no such document, names what isn't there or refers to what can't be referred to; beside that
/// whatever a request of its own would be refused for, with the operation's place in front.
pub fn parse(api: &Api, body: &[u8], caller: &Caller<'_>) -> Result<Transaction> {
    let document = document::parse(body)?;
    let mut transaction = Transaction {
        isolation: Isolation::Default,
        access: Access::ReadWrite,
        operations: Vec::new(),
    };
    let mut written: Option<Vec<&RawValue>> = None;
    for (name, value) in object(document)? {
        match &*name {
            "isolation" => transaction.isolation = isolation(value)?,
            "read_only" if value.get() == "true" => transaction.access = Access::ReadOnly,
            "read_only" if value.get() == "false" => {}
            "ops" => written = document::items(value, api.limits().max_steps),
            _ => {
                return Err(refused(format!(
                    "`{}` is no member of a transaction, or has no such value",
                    shown(&name)
                )));
            }
        }
    }
    let written = written.ok_or_else(|| refused("`ops` must be an array of operations".to_owned()))?;
    if written.is_empty() || written.len() > api.limits().max_steps {
        return Err(refused(format!("`ops` has 1 to {} operations", api.limits().max_steps)));
    }
    let known = RefCell::new(Vec::<Known>::new());
    for (at, operation) in written.into_iter().enumerate() {
        let operation = Operation::parse(api, caller, operation, at, &known).map_err(|error| placed(&error, at))?;
        if transaction.access == Access::ReadOnly && operation.changes() {
            return Err(placed(
                &refused("`read_only` transactions have `get` operations only".to_owned()),
                at,
            ));
        }
        known.borrow_mut().push(Known::of(&operation));
        transaction.operations.push(operation);
    }
    for (operation, known) in transaction.operations.iter_mut().zip(known.into_inner()) {
        operation.keep(known.keep, known.used);
    }
    Ok(transaction)
}

impl Transaction {
    /// The script that does all of it.
    ///
    /// # Errors
    /// `bad_query` where the engine can't do what is asked for.
    pub fn script(
        &self,
        api: &Api,
        form: RowForm,
        session: Session,
        timeout: Duration,
        roll_back: bool,
    ) -> Result<Planned> {
        let mut steps = Vec::new();
        let mut places: Vec<Place> = Vec::new();
        for (at, operation) in self.operations.iter().enumerate() {
            let place = operation
                .plan(api, form, &mut steps, &places)
                .map_err(|error| placed(&error, at))?;
            places.push(place);
        }
        let script = Script {
            access: self.access,
            isolation: self.isolation,
            session,
            steps,
            roll_back,
            timeout,
        };
        Ok(Planned {
            script,
            places: Places(places),
        })
    }

    /// The answer, out of what the steps of its script came to.
    pub fn answer(&self, api: &Api, places: &Places, outcomes: &[Outcome]) -> Bytes {
        let mut json = b"{\"results\":[".to_vec();
        for (at, (operation, place)) in self.operations.iter().zip(&places.0).enumerate() {
            if at > 0 {
                json.push(b',');
            }
            write_result(&mut json, api, operation, place, outcomes);
        }
        json.extend_from_slice(b"]}");
        Bytes::from(json)
    }
}

impl Operation {
    /// Adds its steps. The outcomes that its values refer to are found by the places of the operations before.
    fn plan(&self, api: &Api, form: RowForm, steps: &mut Vec<Step>, places: &[Place]) -> Result<Place> {
        let first = steps.len();
        match &self.task {
            Task::Get(read) => {
                let mut expect = Expect::anything();
                expect.least = u64::from(self.single);
                steps.push(Step {
                    statement: sql::read(api, read, form)?,
                    batch: Vec::new(),
                    expect,
                });
                Ok(Place {
                    answer: first,
                    hidden: None,
                    made: Made::No,
                })
            }
            Task::Change(change) => {
                let Changes {
                    steps: mut added,
                    answer,
                    hidden,
                    made,
                } = sql::change(api, change, form, first)?;
                for step in &mut added {
                    for value in step.batch.iter_mut().flatten().chain(&mut step.statement.values) {
                        reference::resolve(value, |operation| places.get(operation)?.hidden);
                    }
                }
                steps.append(&mut added);
                Ok(Place {
                    answer,
                    hidden: Some(hidden),
                    made,
                })
            }
        }
    }
}

/// Writes what became of one operation.
fn write_result(json: &mut Vec<u8>, api: &Api, operation: &Operation, place: &Place, outcomes: &[Outcome]) {
    let resource = &api.resources()[operation.resource];
    let Some(answer) = outcomes.get(place.answer) else {
        json.extend_from_slice(b"null");
        return;
    };
    let made = place.made.is_true(outcomes);
    let shows = operation.shows();
    let status = match (made, shows) {
        (true, _) => 201,
        (false, true) => 200,
        (false, false) => 204,
    };
    let mut members = serde_json::Map::new();
    if let Some(name) = &operation.name {
        members.insert("as".to_owned(), name.as_ref().into());
    }
    members.insert("status".to_owned(), status.into());
    members.insert("rows".to_owned(), answer.rows.into());
    let hidden = place
        .hidden
        .and_then(|step| outcomes.get(step))
        .map(|outcome| outcome.last.as_slice());
    if let (Some(key), version) = sql::key_and_version(resource, hidden.unwrap_or_default())
        && answer.rows == 1
        && !operation.removes()
    {
        if let Some(path) = grammar::path_of_key(key).filter(|_| made) {
            members.insert("location".to_owned(), format!("{}/{path}", resource.name).into());
        }
        if let Some(version) = version {
            members.insert(
                "etag".to_owned(),
                tag::strong(api, operation.resource, key, version, None).into(),
            );
        }
    }
    let mut text = serde_json::Value::Object(members).to_string().into_bytes();
    if shows {
        text.pop();
        text.extend_from_slice(b",\"body\":");
        let rows: &[u8] = if answer.body.is_empty() { b"[]" } else { &answer.body };
        let one = rows.strip_prefix(b"[").and_then(|rows| rows.strip_suffix(b"]"));
        match one.filter(|one| operation.single && !one.is_empty()) {
            Some(one) => text.extend_from_slice(one),
            None if operation.single => text.extend_from_slice(b"null"),
            None => text.extend_from_slice(rows),
        }
        text.push(b'}');
    }
    json.extend_from_slice(&text);
}

/// The members of an object.
fn object(document: &RawValue) -> Result<Vec<document::Member<'_>>> {
    match document::members(document) {
        Some(Ok(members)) => Ok(members),
        Some(Err(twice)) => Err(refused(format!("`{}` is there twice", shown(&twice)))),
        None => Err(refused("a JSON object is needed".to_owned())),
    }
}

fn isolation(value: &RawValue) -> Result<Isolation> {
    let word = document::text(value).unwrap_or_default();
    match word.to_ascii_lowercase().replace(['_', ' '], "-").as_str() {
        "read-committed" => Ok(Isolation::ReadCommitted),
        "repeatable-read" => Ok(Isolation::RepeatableRead),
        "serializable" => Ok(Isolation::Serializable),
        _ => Err(refused(
            "`isolation` is `read-committed`, `repeatable-read` or `serializable`".to_owned(),
        )),
    }
}

/// The error with the operation's place in front.
fn placed(error: &Error, at: usize) -> Error {
    let detail = error.detail().unwrap_or(error.code().title);
    let mut told = Error::new(error.code()).with_detail(format!("ops/{at}: {detail}"));
    told = told.with_findings(error.findings().to_vec());
    *told.headers_mut() = error.headers().clone();
    told
}

fn refused(detail: String) -> Error {
    Error::new(&codes::BAD_CONTENT).with_detail(detail)
}

/// As much of a client's text as an answer repeats.
fn shown(text: &str) -> String {
    const SHOWN: usize = 64;
    text.chars().take(SHOWN).collect()
}

/// A value that stands for what an operation gives: `step` is the operation's place until the script is made.
fn standing_for(operation: usize, output: usize) -> Value {
    Value::Of {
        step: operation,
        output,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
