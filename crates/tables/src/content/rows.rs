//! The content of a request to rows: columns found, values checked, everything wrong with them told at once.

mod reader;

use portcullis_core::{Error, Finding, Result, codes};
use serde_json::value::RawValue;

use self::reader::Reader;
use super::{document, record};
use crate::api::Api;
use crate::schema::Column;
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
            Err(wrong) => return Err(bad_query(wrong.what)),
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
