//! The content of a request to rows: columns found, values checked, everything wrong with them told at once.

use std::borrow::Cow;

use portcullis_core::{Error, Finding, Result, codes};
use serde_json::value::RawValue;

use super::{document, record, value};
use crate::api::{Api, Resource};
use crate::schema::{Column, Engine, did_you_mean};
use crate::value::Value;

/// New rows, as [`crate::change::Action::Insert`] takes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The columns that get values, in the order of the table, so that the order of members has no part in a statement.
    pub columns: Vec<usize>,
    /// The rows: for each column a value, or its default.
    pub rows: Vec<Vec<Option<Value>>>,
    /// Whether the content is one object, and not a list of one.
    pub is_one: bool,
}

/// Reads the rows of a POST: a JSON object or an array of them, NDJSON, CSV, a form.
///
/// `columns` are the only ones that are read (`columns=`), and every row gets a value for each of them: one that is not
/// there is NULL, or with `missing_default` the column's default. Without it a row gets values for what it names, and
/// defaults for what others name.
///
/// # Errors
/// `unsupported_content_type`; `bad_content` for what is no such document, names a column twice or one that can't be
/// written; `invalid_content` for values that a column doesn't take; `content_too_large` for more rows than one request
/// may change.
pub fn parse_rows(
    api: &Api,
    resource: usize,
    content_type: &str,
    body: &[u8],
    columns: Option<&[usize]>,
    missing_default: bool,
) -> Result<Rows> {
    let mut reader = Reader::new(api, resource, columns);
    let is_one = match Form::of(content_type)? {
        Form::Json => reader.document(document::parse(body)?)?,
        Form::NdJson => reader.lines(body)?,
        Form::Csv => reader.records(text_of(body)?)?,
        Form::Fields => reader.form(body)?,
        Form::MergePatch => return Err(unsupported()),
    };
    reader.finish(is_one, columns, missing_default)
}

/// Reads the values of a PATCH or PUT: a JSON object (as a merge patch, RFC 7396, too), or a form.
///
/// # Errors
/// Those of [`parse_rows`].
pub fn parse_values(api: &Api, resource: usize, content_type: &str, body: &[u8]) -> Result<Vec<(usize, Value)>> {
    match Form::of(content_type)? {
        Form::Json | Form::MergePatch => parse_object(api, resource, body),
        Form::Fields => {
            let mut reader = Reader::new(api, resource, None);
            reader.form(body)?;
            reader.into_values()
        }
        Form::NdJson | Form::Csv => Err(unsupported()),
    }
}

/// Reads the values of one row from a JSON object.
///
/// # Errors
/// Those of [`parse_rows`].
fn parse_object(api: &Api, resource: usize, body: &[u8]) -> Result<Vec<(usize, Value)>> {
    let document = document::parse(body)?;
    let mut reader = Reader::new(api, resource, None);
    reader.object(document, None)?;
    reader.into_values()
}

/// The columns of a `columns=` parameter, decoded: names with commas between, those with reserved characters in double
/// quotes.
///
/// # Errors
/// `bad_query` for columns that can't be written, and for one that is there twice.
pub fn writable_columns(api: &Api, resource: usize, list: &str) -> Result<Vec<usize>> {
    let reader = Reader::new(api, resource, None);
    let mut columns = Vec::new();
    for name in record::split_list(list).ok_or_else(|| bad_query("`columns` has a quote without its end".to_owned()))? {
        match reader.place(&name) {
            Ok(place) if columns.contains(&place) => {
                return Err(bad_query(format!("`columns` names `{}` twice", shown(&name))));
            }
            Ok(place) => columns.push(place),
            Err(wrong) => return Err(bad_query(wrong.0)),
        }
    }
    Ok(columns)
}

/// The values of a PUT with the key of its address among them.
///
/// # Errors
/// `invalid_content` where the content has another key, or the key can't be written.
pub fn with_key(
    api: &Api,
    resource: usize,
    key: &[Value],
    mut values: Vec<(usize, Value)>,
) -> Result<Vec<(usize, Value)>> {
    let resource = &api.resources()[resource];
    for (column, wanted) in resource.key.iter().zip(key) {
        let name = resource.relation.columns[*column].name.as_str();
        match values.iter().find(|(place, _)| place == column) {
            Some((_, given)) if given == wanted => {}
            Some(_) => {
                return Err(invalid(
                    format!("/{}", escaped(name)),
                    format!("`{name}` is not that of the address"),
                ));
            }
            None if resource.writable.contains(column) => values.push((*column, wanted.clone())),
            None => {
                return Err(invalid(
                    String::new(),
                    format!("`{name}` can't be written, so no row can be put here"),
                ));
            }
        }
    }
    Ok(values)
}

/// What stands for a value that is not known yet: the text of a `{"$ref": …}`, and the column that it is for.
pub(crate) type Refer<'r> = &'r dyn Fn(&str, &Column) -> std::result::Result<Value, String>;

/// Reads JSON that stands in a larger document, in which members may refer to other rows by `{"$ref": "…"}`.
///
/// # Errors
/// Those of [`parse_rows`], with pointers that begin with `pointer`.
pub(crate) fn read_rows(api: &Api, resource: usize, json: &RawValue, pointer: &str, refer: Refer<'_>) -> Result<Rows> {
    let mut reader = Reader::new(api, resource, None);
    reader.pointer = pointer.to_owned();
    reader.refer = Some(refer);
    let is_one = reader.document(json)?;
    reader.finish(is_one, None, true)
}

/// As [`read_rows`], for one row.
///
/// # Errors
/// Those of [`parse_rows`].
pub(crate) fn read_values(
    api: &Api,
    resource: usize,
    json: &RawValue,
    pointer: &str,
    refer: Refer<'_>,
) -> Result<Vec<(usize, Value)>> {
    let mut reader = Reader::new(api, resource, None);
    reader.pointer = pointer.to_owned();
    reader.refer = Some(refer);
    reader.object(json, None)?;
    reader.into_values()
}

/// The forms of a request's content.
enum Form {
    Json,
    MergePatch,
    NdJson,
    Csv,
    Fields,
}

impl Form {
    fn of(content_type: &str) -> Result<Form> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        Ok(match media_type.to_ascii_lowercase().as_str() {
            "application/json" | "application/vnd.pgrst.object+json" | "application/vnd.pgrst.array+json" => Form::Json,
            "application/merge-patch+json" => Form::MergePatch,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Form::NdJson,
            "text/csv" => Form::Csv,
            "application/x-www-form-urlencoded" => Form::Fields,
            _ => return Err(unsupported()),
        })
    }
}

/// Why a name is refused, and whether the column is there all the same.
struct Unwritable(String, bool);

struct Reader<'a> {
    engine: Engine,
    resource: &'a Resource,
    /// The only columns that are read.
    only: Option<&'a [usize]>,
    refer: Option<Refer<'a>>,
    /// What the pointers of findings begin with.
    pointer: String,
    columns: Vec<usize>,
    rows: Vec<Vec<Option<Value>>>,
    findings: Vec<Finding>,
    unwritable: bool,
}

impl<'a> Reader<'a> {
    /// Things that are told of one request.
    const MAX_FINDINGS: usize = 20;

    fn new(api: &'a Api, resource: usize, only: Option<&'a [usize]>) -> Reader<'a> {
        Reader {
            engine: api.schema().engine(),
            resource: &api.resources()[resource],
            only,
            refer: None,
            pointer: String::new(),
            columns: only.map(<[usize]>::to_vec).unwrap_or_default(),
            rows: Vec::new(),
            findings: Vec::new(),
            unwritable: false,
        }
    }

    /// Reads an object or an array of them, and says which it is.
    fn document(&mut self, document: &RawValue) -> Result<bool> {
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
    fn lines(&mut self, body: &[u8]) -> Result<bool> {
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
    fn records(&mut self, text: &str) -> Result<bool> {
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
    fn form(&mut self, body: &[u8]) -> Result<bool> {
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

    fn object(&mut self, json: &RawValue, at: Option<usize>) -> Result<()> {
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
                    at.map_or_else(|| format!("/{name}"), |at| format!("/{at}/{name}")),
                    what,
                );
                Value::Null
            }
        };
        let slot = self
            .columns
            .iter()
            .position(|known| *known == place)
            .unwrap_or_else(|| {
                self.columns.push(place);
                self.columns.len() - 1
            });
        if row.len() <= slot {
            row.resize(slot + 1, None);
        }
        row[slot] = Some(value);
    }

    fn start_row(&self) -> Result<Vec<Option<Value>>> {
        if self.rows.len() as u64 >= self.resource.limits.max_affected {
            let detail = format!("the limit is {} rows in one request", self.resource.limits.max_affected);
            return Err(Error::new(&codes::CONTENT_TOO_LARGE).with_detail(detail));
        }
        Ok(vec![None; self.columns.len()])
    }

    /// The column of that name; `None` where it is not to be read, or was told of as a finding.
    fn column(&mut self, name: &str, pointer: &str) -> Result<Option<usize>> {
        if let Some(only) = self.only {
            let columns = &self.resource.relation.columns;
            return Ok(only.iter().copied().find(|place| columns[*place].name.as_str() == name));
        }
        match self.place(name) {
            Ok(place) => Ok(Some(place)),
            Err(Unwritable(what, true)) => {
                self.find(format!("{pointer}/{}", escaped(name)), what);
                Ok(None)
            }
            Err(Unwritable(what, false)) => {
                self.unwritable = true;
                self.find(format!("{pointer}/{}", escaped(name)), what);
                // What is misspelt in one row is so in all of them.
                Err(self.refusal())
            }
        }
    }

    fn place(&self, name: &str) -> std::result::Result<usize, Unwritable> {
        let resource = self.resource;
        let columns = &resource.relation.columns;
        match resource.relation.column(name) {
            Some(place) if resource.version == Some(place) => Err(Unwritable(
                format!("`{name}` is the row's version, which is kept here"),
                true,
            )),
            Some(place) if columns[place].generated && resource.readable.contains(&place) => {
                Err(Unwritable(format!("`{name}` is computed and can't be written"), true))
            }
            Some(place) if resource.writable.contains(&place) => Ok(place),
            Some(place) if resource.readable.contains(&place) => {
                Err(Unwritable(format!("`{}` can't be written", shown(name)), false))
            }
            // A column that is not exposed is as good as none: nobody learns that it is there.
            _ => {
                let writable = resource.writable.iter().map(|place| columns[*place].name.as_str());
                let suggestion = did_you_mean(name, writable);
                Err(Unwritable(
                    format!("there is no column `{}`{suggestion}", shown(name)),
                    false,
                ))
            }
        }
    }

    fn find(&mut self, pointer: String, what: String) {
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

    fn finish(mut self, is_one: bool, only: Option<&[usize]>, missing_default: bool) -> Result<Rows> {
        if !self.findings.is_empty() {
            return Err(self.refusal());
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

    fn into_values(self) -> Result<Vec<(usize, Value)>> {
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

/// A name as it stands in a JSON pointer (RFC 6901 §3).
fn escaped(name: &str) -> String {
    shown(name).replace('~', "~0").replace('/', "~1")
}

/// As much of a client's text as an answer repeats.
fn shown(text: &str) -> String {
    const SHOWN: usize = 64;
    text.chars().take(SHOWN).collect()
}

fn text_of(body: &[u8]) -> Result<&str> {
    // A byte order mark is what spreadsheets begin a file with.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body).map_err(|_| bad_content("it is not UTF-8".to_owned()))
}

fn unsupported() -> Error {
    Error::new(&codes::UNSUPPORTED_CONTENT_TYPE).with_detail(
        "the content must be application/json (of a PATCH also application/merge-patch+json), \
         application/x-www-form-urlencoded, or for several new rows application/x-ndjson or text/csv",
    )
}

fn bad_content(detail: String) -> Error {
    Error::new(&codes::BAD_CONTENT).with_detail(detail)
}

fn bad_query(detail: String) -> Error {
    Error::new(&codes::BAD_QUERY).with_detail(detail)
}

fn invalid(pointer: String, what: String) -> Error {
    Error::new(&codes::INVALID_CONTENT)
        .with_detail(what.clone())
        .with_findings(vec![Finding {
            part: "body",
            pointer,
            what,
        }])
}
