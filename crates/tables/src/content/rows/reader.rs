//! Reads rows, one value after the other, and keeps what is wrong with them.

use std::borrow::Cow;

use portcullis_core::{Error, Finding, Result, codes};
use serde_json::value::RawValue;

use super::{Refer, Rows, bad_content, escaped, shown};
use crate::api::{Api, Resource};
use crate::content::{document, record, value};
use crate::schema::{Column, Engine, did_you_mean};
use crate::value::Value;

/// Why a name is refused.
pub(super) struct Unwritable {
    /// Why, for the client.
    pub(super) what: String,
    /// Whether the column is there all the same.
    known: bool,
}

/// Reads rows of a resource.
pub(super) struct Reader<'a> {
    engine: Engine,
    resource: &'a Resource,
    /// The only columns that are read.
    only: Option<&'a [usize]>,
    /// What stands for `{"$ref": …}`, where that may be.
    pub(super) refer: Option<Refer<'a>>,
    /// What the pointers of findings begin with.
    pub(super) pointer: String,
    /// The columns that were found, in the order of their finding.
    columns: Vec<usize>,
    /// For each column of the table its place among those found.
    slots: Vec<Option<usize>>,
    /// The column that comes next where all rows name the same ones in the same order.
    next: usize,
    rows: Vec<Vec<Option<Value>>>,
    findings: Vec<Finding>,
    unwritable: bool,
}

impl<'a> Reader<'a> {
    /// Things that are told of one request.
    const MAX_FINDINGS: usize = 20;

    /// A reader that takes `only` these columns, or all that can be written.
    pub(super) fn new(api: &'a Api, resource: usize, only: Option<&'a [usize]>) -> Reader<'a> {
        Reader {
            engine: api.schema().engine(),
            resource: &api.resources()[resource],
            only,
            refer: None,
            pointer: String::new(),
            columns: Vec::new(),
            slots: vec![None; api.resources()[resource].relation.columns.len()],
            next: 0,
            rows: Vec::new(),
            findings: Vec::new(),
            unwritable: false,
        }
    }

    /// Reads an object or an array of them, and says which it is.
    pub(super) fn document(&mut self, document: &RawValue) -> Result<bool> {
        if document.get().starts_with('{') {
            self.object(document, None)?;
            return Ok(true);
        }
        let most = usize::try_from(self.resource.limits.max_affected).unwrap_or(usize::MAX - 1);
        let Some(items) = document::items(document, most.min(usize::MAX - 1)) else {
            return Err(bad_content("a JSON object or an array of objects is needed".to_owned()));
        };
        if items.is_empty() {
            return Err(bad_content("the array holds no row".to_owned()));
        }
        for (at, item) in items.into_iter().enumerate() {
            self.object(item, Some(at))?;
        }
        Ok(false)
    }

    /// Reads an object from each line that isn't empty.
    pub(super) fn lines(&mut self, body: &[u8]) -> Result<bool> {
        let lines = body.split(|byte| *byte == b'\n').enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
            let Ok(line) = document::parse(line) else {
                return Err(bad_content(format!("line {} is not JSON", number + 1)));
            };
            self.object(line, Some(self.rows.len()))?;
        }
        if self.rows.is_empty() {
            return Err(bad_content("there is no row".to_owned()));
        }
        Ok(false)
    }

    /// Reads a line of names, and a row from each line behind it.
    pub(super) fn records(&mut self, text: &str) -> Result<bool> {
        let mut records = record::Records::new(text);
        let Some(names) = records.next_record().map_err(bad_content)? else {
            return Err(bad_content("the line of names is missing".to_owned()));
        };
        let mut places = Vec::with_capacity(names.len());
        for name in names {
            let Some(name) = name else {
                return Err(bad_content("the line of names has an empty one".to_owned()));
            };
            let place = self.column(&name, "")?;
            if place.is_some() && places.contains(&place) {
                return Err(bad_content(format!("`{}` is there twice", shown(&name))));
            }
            places.push(place);
        }
        while let Some(fields) = records.next_record().map_err(bad_content)? {
            if fields.len() != places.len() {
                let detail = format!(
                    "line {} has {} fields, and there are {} names",
                    records.line(),
                    fields.len(),
                    places.len()
                );
                return Err(bad_content(detail));
            }
            let at = self.rows.len();
            let mut row = self.start_row()?;
            for (place, field) in places.iter().zip(fields) {
                if let Some(place) = place {
                    self.text(&mut row, *place, Some(at), field);
                }
            }
            self.rows.push(row);
        }
        if self.rows.is_empty() {
            return Err(bad_content("there is no row".to_owned()));
        }
        Ok(false)
    }

    /// Reads one row from the fields of a form. An empty field is an empty text where the column takes texts, else NULL:
    /// browsers send every field.
    pub(super) fn form(&mut self, body: &[u8]) -> Result<bool> {
        let fields = record::form(body).ok_or_else(|| bad_content("the form is not UTF-8".to_owned()))?;
        let mut row = self.start_row()?;
        let mut seen = Vec::new();
        for (name, field) in fields {
            let Some(place) = self.column(&name, "")? else {
                continue;
            };
            if seen.contains(&place) {
                return Err(bad_content(format!("`{}` is there twice", shown(&name))));
            }
            seen.push(place);
            let kind = &self.resource.relation.columns[place].kind;
            let is_null = field.is_empty() && value::from_text(self.engine, kind, "").is_none();
            self.text(&mut row, place, None, (!is_null).then_some(field));
        }
        self.rows.push(row);
        Ok(true)
    }

    /// Reads an object, which is the item of that place in a list, or the whole.
    pub(super) fn object(&mut self, json: &RawValue, at: Option<usize>) -> Result<()> {
        let members = match document::members(json) {
            Some(Ok(members)) => members,
            Some(Err(twice)) => return Err(bad_content(format!("`{}` is there twice", shown(&twice)))),
            None => {
                let what = at.map_or_else(
                    || "one JSON object is needed".to_owned(),
                    |at| format!("item {at} is not an object"),
                );
                return Err(bad_content(what));
            }
        };
        let mut row = self.start_row()?;
        for (name, raw) in members {
            let pointer = at.map(|at| format!("/{at}")).unwrap_or_default();
            let Some(place) = self.column(&name, &pointer)? else {
                continue;
            };
            let read = self.member(place, raw);
            self.put(&mut row, place, at, read);
        }
        self.rows.push(row);
        Ok(())
    }

    /// The value of a member, or why it is none.
    fn member(&self, place: usize, raw: &RawValue) -> std::result::Result<Value, String> {
        let column = &self.resource.relation.columns[place];
        if let Some(refer) = self.refer
            && let Some(reference) = reference(raw)
        {
            return refer(&reference, column);
        }
        let read = value::from_json(self.engine, &column.kind, raw);
        self.fitting(column, read)
    }

    fn text(&mut self, row: &mut Vec<Option<Value>>, place: usize, at: Option<usize>, field: Option<Cow<'_, str>>) {
        let column = &self.resource.relation.columns[place];
        let read = match field {
            None => Some(Value::Null),
            Some(field) => value::from_text(self.engine, &column.kind, &field),
        };
        let read = self.fitting(column, read);
        self.put(row, place, at, read);
    }

    fn fitting(&self, column: &Column, read: Option<Value>) -> std::result::Result<Value, String> {
        let name = column.name.as_str();
        match (read, column.max_length) {
            (None, _) => Err(format!("`{name}` takes {}", value::taken(&column.kind))),
            // Spaces at the end don't count: PostgreSQL cuts them off.
            (Some(Value::Text(text)), Some(most)) if text.trim_end_matches(' ').chars().count() > most as usize => {
                Err(format!("`{name}` takes {most} characters at the most"))
            }
            (Some(value), _) => Ok(value),
        }
    }

    fn put(
        &mut self,
        row: &mut Vec<Option<Value>>,
        place: usize,
        at: Option<usize>,
        read: std::result::Result<Value, String>,
    ) {
        let value = match read {
            Ok(value) => value,
            Err(what) => {
                let name = escaped(self.resource.relation.columns[place].name.as_str());
                self.find(
                    &at.map_or_else(|| format!("/{name}"), |at| format!("/{at}/{name}")),
                    what,
                );
                Value::Null
            }
        };
        let slot = self.slots[place].unwrap_or_else(|| {
            self.columns.push(place);
            self.columns.len() - 1
        });
        self.slots[place] = Some(slot);
        self.next = slot + 1;
        if row.len() <= slot {
            row.resize(slot + 1, None);
        }
        row[slot] = Some(value);
    }

    fn start_row(&mut self) -> Result<Vec<Option<Value>>> {
        self.next = 0;
        if self.rows.len() as u64 >= self.resource.limits.max_affected {
            let detail = format!("the limit is {} rows in one request", self.resource.limits.max_affected);
            return Err(Error::new(&codes::CONTENT_TOO_LARGE).with_detail(detail));
        }
        Ok(vec![None; self.columns.len()])
    }

    /// The column of that name; `None` where it is not to be read, or was told of as a finding.
    fn column(&mut self, name: &str, pointer: &str) -> Result<Option<usize>> {
        let columns = &self.resource.relation.columns;
        if let Some(next) = self
            .columns
            .get(self.next)
            .filter(|next| columns[**next].name.as_str() == name)
        {
            return Ok(Some(*next));
        }
        if let Some(only) = self.only {
            return Ok(only.iter().copied().find(|place| columns[*place].name.as_str() == name));
        }
        match self.place(name) {
            Ok(place) => Ok(Some(place)),
            Err(Unwritable { what, known: true }) => {
                self.find(&format!("{pointer}/{}", escaped(name)), what);
                Ok(None)
            }
            Err(Unwritable { what, known: false }) => {
                self.unwritable = true;
                self.find(&format!("{pointer}/{}", escaped(name)), what);
                // What is misspelt in one row is so in all of them.
                Err(self.refusal())
            }
        }
    }

    /// The column of that name, which can be written.
    pub(super) fn place(&self, name: &str) -> std::result::Result<usize, Unwritable> {
        let resource = self.resource;
        let columns = &resource.relation.columns;
        let refused = |what: String, known| Err(Unwritable { what, known });
        match resource.relation.column(name) {
            Some(place) if resource.version == Some(place) => {
                refused(format!("`{name}` is the row's version, which is kept here"), true)
            }
            Some(place) if columns[place].generated && resource.readable.contains(&place) => {
                refused(format!("`{name}` is computed and can't be written"), true)
            }
            Some(place) if resource.writable.contains(&place) => Ok(place),
            Some(place) if resource.readable.contains(&place) => {
                refused(format!("`{}` can't be written", shown(name)), false)
            }
            // A column that is not exposed is as good as none: nobody learns that it is there.
            _ => {
                let writable = resource.writable.iter().map(|place| columns[*place].name.as_str());
                let suggestion = did_you_mean(name, writable);
                refused(format!("there is no column `{}`{suggestion}", shown(name)), false)
            }
        }
    }

    fn find(&mut self, pointer: &str, what: String) {
        if self.findings.len() < Reader::MAX_FINDINGS {
            let pointer = format!("{}{pointer}", self.pointer);
            self.findings.push(Finding {
                part: "body",
                pointer,
                what,
            });
        }
    }

    fn refusal(&mut self) -> Error {
        let code = if self.unwritable {
            &codes::BAD_CONTENT
        } else {
            &codes::INVALID_CONTENT
        };
        let findings = std::mem::take(&mut self.findings);
        let detail = findings.first().map(|finding| finding.what.clone()).unwrap_or_default();
        Error::new(code).with_detail(detail).with_findings(findings)
    }

    /// The rows, with all columns in each.
    pub(super) fn finish(mut self, is_one: bool, only: Option<&[usize]>, missing_default: bool) -> Result<Rows> {
        if !self.findings.is_empty() {
            return Err(self.refusal());
        }
        for column in only.unwrap_or_default() {
            if self.slots[*column].is_none() {
                self.slots[*column] = Some(self.columns.len());
                self.columns.push(*column);
            }
        }
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        order.sort_unstable_by_key(|slot| self.columns[*slot]);
        let missing = || (only.is_some() && !missing_default).then_some(Value::Null);
        let arrange = |mut row: Vec<Option<Value>>| -> Vec<Option<Value>> {
            row.resize(order.len(), None);
            order.iter().map(|slot| row[*slot].take().or_else(missing)).collect()
        };
        Ok(Rows {
            rows: std::mem::take(&mut self.rows).into_iter().map(arrange).collect(),
            columns: order.iter().map(|slot| self.columns[*slot]).collect(),
            is_one,
        })
    }

    /// The values of the one row.
    pub(super) fn into_values(self) -> Result<Vec<(usize, Value)>> {
        let rows = self.finish(true, None, true)?;
        let row = rows.rows.into_iter().next().unwrap_or_default();
        Ok(rows.columns.into_iter().zip(row.into_iter().flatten()).collect())
    }
}

/// The text of `{"$ref": "…"}`.
fn reference(raw: &RawValue) -> Option<String> {
    let members = document::members(raw)?.ok()?;
    match members.as_slice() {
        [(name, value)] if name == "$ref" => document::text(value).map(Cow::into_owned),
        _ => None,
    }
}
