//! One operation of a transaction: read, and checked like a request of its own.

use std::cell::RefCell;

use portcullis_core::{Error, Method, Result, codes};
use serde_json::value::RawValue;

use super::reference::{Known, refer};
use super::written::{Verb, Written};
use super::{refused, shown};
use crate::api::{Api, Resource};
use crate::change::{Action, Change, Condition, Conflict};
use crate::content::{self, rows};
use crate::grammar::{self, Caller};
use crate::query::{Filter, Item, Read};
use crate::schema::did_you_mean;
use crate::tag;
use crate::value::Value;

/// An operation, resolved.
#[derive(Debug)]
pub(super) struct Operation {
    /// What later ones call it.
    pub(super) name: Option<Box<str>>,
    /// The resource, by its place in the API.
    pub(super) resource: usize,
    /// Whether it is about one row.
    pub(super) single: bool,
    /// What it does.
    pub(super) task: Task,
    is_get: bool,
}

/// What an operation does.
#[derive(Debug)]
pub(super) enum Task {
    /// Rows are read.
    Get(Box<Read>),
    /// Rows change; a row that is read so that later operations can refer to it is locked by a change of nothing.
    Change(Box<Change>),
}

impl Operation {
    /// Reads the operation at that place.
    ///
    /// # Errors
    /// Whatever a request of its own would be refused for, and `bad_content` for what is no operation.
    pub(super) fn parse(
        api: &Api,
        caller: &Caller<'_>,
        json: &RawValue,
        at: usize,
        known: &RefCell<Vec<Known>>,
    ) -> Result<Operation> {
        let written = Written::parse(json)?;
        if let Some(name) = &written.name
            && known.borrow().iter().any(|known| known.is_named(name))
        {
            return Err(refused(format!(
                "`as`: an operation before is called `{}` too",
                shown(name)
            )));
        }
        let asked = Asked::new(api, caller, &written, at, known)?;
        let (task, single) = match written.verb {
            Verb::Insert => asked.insert(&written)?,
            Verb::Patch | Verb::Delete => asked.touch(&written)?,
            Verb::Put => (asked.put(&written)?, true),
            Verb::Get => (asked.get()?, asked.key.is_some()),
        };
        let (resource, is_get) = (asked.resource, written.verb == Verb::Get);
        Ok(Operation {
            name: written.name,
            resource,
            single,
            task,
            is_get,
        })
    }

    /// Whether it changes something.
    pub(super) fn changes(&self) -> bool {
        !self.is_get
    }

    /// Whether rows go.
    pub(super) fn removes(&self) -> bool {
        matches!(&self.task, Task::Change(change) if matches!(change.action, Action::Delete { .. }))
    }

    /// Whether the answer has rows.
    pub(super) fn shows(&self) -> bool {
        match &self.task {
            Task::Get(_) => true,
            Task::Change(change) => change.shown.is_some(),
        }
    }

    /// Keeps the columns that later operations refer to.
    pub(super) fn keep(&mut self, columns: Vec<usize>, used: bool) {
        if let Task::Get(read) = &mut self.task {
            if !used {
                return;
            }
            let nothing = Read::all(self.resource, Vec::new(), None, None);
            let read = std::mem::replace(&mut **read, nothing);
            self.task = Task::Change(Box::new(Change {
                resource: read.resource,
                action: Action::Update {
                    values: Vec::new(),
                    filter: read.filter,
                },
                rule: read.rule,
                shown: Some(read.items),
                single: true,
                max_affected: 1,
                condition: Condition::None,
                keep: Vec::new(),
            }));
        }
        if let Task::Change(change) = &mut self.task {
            change.keep = columns;
        }
    }
}

/// An operation's target, resolved.
struct Asked<'a> {
    api: &'a Api,
    caller: &'a Caller<'a>,
    known: &'a RefCell<Vec<Known>>,
    at: usize,
    resource: usize,
    key: Option<Vec<Value>>,
    /// What the target's query says, and the members that mean the same.
    pairs: Vec<(String, String)>,
}

impl<'a> Asked<'a> {
    fn new(
        api: &'a Api,
        caller: &'a Caller<'a>,
        written: &Written<'_>,
        at: usize,
        known: &'a RefCell<Vec<Known>>,
    ) -> Result<Asked<'a>> {
        let (path, query) = written.target.split_once('?').unwrap_or((&written.target, ""));
        let (name, segment) = match path.split_once('/') {
            Some((name, segment)) => (name, Some(segment)),
            None => (path, None),
        };
        let Some((resource, exposed)) = api.resource(name) else {
            let names = api.resources().iter().map(|resource| &*resource.name);
            let detail = format!("there is no resource `{}`{}", shown(name), did_you_mean(name, names));
            return Err(Error::new(&codes::RESOURCE_NOT_FOUND).with_detail(detail));
        };
        demand(exposed, &written.verb.method())?;
        let key = segment
            .map(|segment| grammar::key(api, resource, segment))
            .transpose()?;
        let mut pairs = grammar::pairs(Some(query))?;
        let members = [
            ("select", written.select.as_deref()),
            ("on_conflict", written.on_conflict.as_deref()),
        ];
        let given = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        pairs.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(Asked {
            api,
            caller,
            known,
            at,
            resource,
            key,
            pairs,
        })
    }

    fn exposed(&self) -> &'a Resource {
        &self.api.resources()[self.resource]
    }

    fn insert(&self, written: &Written<'_>) -> Result<(Task, bool)> {
        if self.key.is_some() {
            return Err(refused("`insert` names a resource, without a key".to_owned()));
        }
        let said = grammar::change_pairs(self.api, self.resource, &self.pairs, self.caller)?;
        if said.filter.is_some() || said.columns.is_some() {
            return Err(refused("`insert` takes no filter".to_owned()));
        }
        let relation = &self.exposed().relation;
        let conflict = match (written.resolution, said.on_conflict) {
            (None, None) => None,
            (None, Some(_)) => return Err(refused("`on_conflict` needs a `resolution`".to_owned())),
            (Some(merge), columns) => {
                if merge {
                    demand(self.exposed(), &Method::Patch)?;
                }
                let columns = columns.unwrap_or_else(|| relation.primary_key.clone());
                if !relation.is_key(&columns) {
                    return Err(refused(
                        "`on_conflict`: no key of the table has these columns".to_owned(),
                    ));
                }
                Some(Conflict { columns, merge })
            }
        };
        let pointer = format!("/ops/{}/values", self.at);
        let refer = |text: &str, column: &crate::schema::Column| refer(self.api, self.known, text, column);
        let rows = rows::read_rows(self.api, self.resource, written.values()?, &pointer, &refer)?;
        // A row that is dropped has no values to refer to.
        let single = rows.is_one && conflict.as_ref().is_none_or(|conflict| conflict.merge);
        let shown = written.select.is_some().then_some(said.items);
        let action = Action::Insert {
            columns: rows.columns,
            rows: rows.rows,
            conflict,
        };
        Ok((self.change(action, shown, false, Condition::None), single))
    }

    fn touch(&self, written: &Written<'_>) -> Result<(Task, bool)> {
        let (filter, items) = self.rows()?;
        if filter.is_none() && !self.exposed().full_table {
            return Err(Error::new(&codes::BAD_QUERY)
                .with_detail("a change of the collection needs a filter, such as `column=eq.value`"));
        }
        let condition = self.condition(written)?;
        let action = if written.verb == Verb::Delete {
            Action::Delete { filter }
        } else {
            Action::Update {
                values: self.values(written)?,
                filter,
            }
        };
        let shown = written.select.is_some().then_some(items);
        let single = self.key.is_some();
        Ok((self.change(action, shown, single, condition), single))
    }

    fn put(&self, written: &Written<'_>) -> Result<Task> {
        let Some(key) = &self.key else {
            return Err(refused("`put` needs a key: RESOURCE/KEY".to_owned()));
        };
        let (_, items) = self.rows()?;
        let condition = match &written.if_none_match {
            Some(field) => tag::absent(field)?,
            None => self.condition(written)?,
        };
        let values = content::with_key(self.api, self.resource, key, self.values(written)?)?;
        let shown = written.select.is_some().then_some(items);
        Ok(self.change(Action::Put { values }, shown, true, condition))
    }

    fn get(&self) -> Result<Task> {
        let mut read = grammar::read_pairs(self.api, self.resource, &self.pairs, self.caller)?;
        if let Some(key) = &self.key {
            if read.filter.is_some() {
                return Err(refused("a row that is named by its key takes no filter".to_owned()));
            }
            read.filter = Some(grammar::filter_of_key(self.api, self.resource, key));
        }
        Ok(Task::Get(Box::new(read)))
    }

    /// Which rows are meant, and what is shown of them.
    fn rows(&self) -> Result<(Option<Filter>, Vec<Item>)> {
        let said = grammar::change_pairs(self.api, self.resource, &self.pairs, self.caller)?;
        match (&self.key, said.filter) {
            (None, filter) => Ok((filter, said.items)),
            (Some(key), None) => Ok((Some(grammar::filter_of_key(self.api, self.resource, key)), said.items)),
            (Some(_), Some(_)) => Err(refused("a row that is named by its key takes no filter".to_owned())),
        }
    }

    fn values(&self, written: &Written<'_>) -> Result<Vec<(usize, Value)>> {
        let pointer = format!("/ops/{}/values", self.at);
        let refer = |text: &str, column: &crate::schema::Column| refer(self.api, self.known, text, column);
        rows::read_values(self.api, self.resource, written.values()?, &pointer, &refer)
    }

    fn condition(&self, written: &Written<'_>) -> Result<Condition> {
        match (&written.if_match, &self.key) {
            (Some(field), Some(key)) => tag::if_match(self.api, self.resource, key, field),
            (Some(_), None) => Err(refused("`if_match` is for one row: RESOURCE/KEY".to_owned())),
            (None, Some(_)) if self.exposed().require_if_match => {
                Err(Error::new(&codes::PRECONDITION_REQUIRED).with_detail("`if_match` is missing"))
            }
            (None, _) => Ok(Condition::None),
        }
    }

    fn change(&self, action: Action, shown: Option<Vec<Item>>, single: bool, condition: Condition) -> Task {
        Task::Change(Box::new(Change {
            resource: self.resource,
            action,
            rule: grammar::rule(self.api, self.resource, self.caller),
            shown,
            single,
            max_affected: self.exposed().limits.max_affected,
            condition,
            keep: Vec::new(),
        }))
    }
}

fn demand(resource: &Resource, method: &Method) -> Result<()> {
    if resource.methods.contains(method) {
        return Ok(());
    }
    let detail = format!("`{}` does not take {}", resource.name, method.as_str());
    Err(Error::new(&codes::METHOD_NOT_ALLOWED).with_detail(detail))
}
