//! POST, PUT, PATCH and DELETE: every change wholly, or not at all.

use std::time::Instant;

use bytes::Bytes;
use portcullis_core::{Body, Error, Known, Method, Response, Result, Status, codes};
use portcullis_tables::change::{Action, Change, Condition, Conflict};
use portcullis_tables::content::{self, Format};
use portcullis_tables::grammar::{self, Resolution, Return};
use portcullis_tables::query::{Filter, Item};
use portcullis_tables::sql::{self, RowForm};
use portcullis_tables::statement::{Access, Expect, Failure, Fewer};
use portcullis_tables::tag;
use portcullis_tables::value::Value;

use super::answer::all;
use super::negotiation::Form;
use super::place::Level;
use super::{Asked, failure, permit};

/// The preferences of requests that change something.
const CHANGING: &[&str] = &[
    "return",
    "resolution",
    "missing",
    "handling",
    "max-affected",
    "tx",
    "timezone",
];

/// What became of a change.
struct Changed {
    /// The rows, where they were asked for.
    content: Option<(&'static str, Bytes)>,
    /// How many rows it was.
    rows: u64,
    /// The key of the last row, where rows have one that can be told.
    key: Option<Vec<Value>>,
    /// The version of the last row, where rows have one.
    version: Option<Value>,
    /// Whether a PUT made the row.
    made: bool,
}

impl Asked<'_> {
    /// New rows.
    pub(super) async fn insert(&self, resource: usize, body: Body) -> Result<Response> {
        let said = grammar::change(self.api, resource, self.target.query(), &self.caller)?;
        if said.filter.is_some() {
            return Err(bad_query("new rows are not found by a filter"));
        }
        let body = self.body(resource, body).await?;
        let (columns, missing_default) = (said.columns, self.preferences.missing_default == Some(true));
        let content_type = self.content_type().to_owned();
        let rows = self
            .parsed(body.len(), move |api, _| {
                content::parse_rows(api, resource, &content_type, &body, columns.as_deref(), missing_default)
            })
            .await?;
        let conflict = self.conflict(resource, said.on_conflict)?;
        if conflict.as_ref().is_some_and(|conflict| conflict.merge) {
            // It changes rows that are there, which is what PATCH does.
            permit(&self.api.resources()[resource], &Method::Patch, Level::Collection)?;
        }
        let (is_one, is_upsert) = (rows.is_one, conflict.is_some());
        let mut change = self.change(
            resource,
            said.items,
            Action::Insert {
                columns: rows.columns,
                rows: rows.rows,
                conflict,
            },
        );
        change.max_affected = self.api.resources()[resource].limits.max_affected;
        let changed = self.make(change, is_one).await?;
        let status = if is_upsert { Status::OK } else { Status::CREATED };
        let mut response = Response::new(status);
        let key = changed.key.as_ref().filter(|_| changed.rows == 1);
        if let Some(key) = key.and_then(|key| grammar::path_of_key(key)) {
            let path = self.target.path().trim_end_matches('/');
            response.headers.append(Known::Location, format!("{path}/{key}"));
        }
        Ok(self.changed(response, resource, changed))
    }

    /// Other values in the rows that a filter lets through.
    pub(super) async fn update(&self, resource: usize, body: Body) -> Result<Response> {
        self.no_tags()?;
        let (filter, shown) = grammar::affected(self.api, resource, self.target.query(), &self.caller)?;
        self.demand_filter(resource, filter.as_ref())?;
        self.refuse_costly_change(resource, filter.as_ref())?;
        let body = self.body(resource, body).await?;
        let values = self.values(resource, body).await?;
        let change = self.change(resource, shown, Action::Update { values, filter });
        let changed = self.make(change, false).await?;
        Ok(self.done(resource, changed))
    }

    /// No more of the rows that a filter lets through.
    pub(super) async fn delete(&self, resource: usize) -> Result<Response> {
        self.no_tags()?;
        let (filter, shown) = grammar::affected(self.api, resource, self.target.query(), &self.caller)?;
        self.demand_filter(resource, filter.as_ref())?;
        self.refuse_costly_change(resource, filter.as_ref())?;
        let change = self.change(resource, shown, Action::Delete { filter });
        let changed = self.make(change, false).await?;
        Ok(self.done(resource, changed))
    }

    /// Other values in the row with that key.
    pub(super) async fn update_row(&self, resource: usize, key: &[Value], body: Body) -> Result<Response> {
        let shown = self.shown_of_row(resource)?;
        let condition = self.condition(resource, key)?;
        let body = self.body(resource, body).await?;
        let values = self.values(resource, body).await?;
        let filter = Some(grammar::filter_of_key(self.api, resource, key));
        let change = self.change(resource, shown, Action::Update { values, filter });
        let changed = self.make(single(change, condition), true).await?;
        Ok(self.done(resource, changed))
    }

    /// No more row with that key.
    pub(super) async fn delete_row(&self, resource: usize, key: &[Value]) -> Result<Response> {
        let shown = self.shown_of_row(resource)?;
        let condition = self.condition(resource, key)?;
        let filter = Some(grammar::filter_of_key(self.api, resource, key));
        let change = self.change(resource, shown, Action::Delete { filter });
        let mut changed = self.make(single(change, condition), true).await?;
        // The tag of a row that is gone is no use to anybody.
        changed.version = None;
        Ok(self.done(resource, changed))
    }

    /// The row with that key as a whole.
    pub(super) async fn put(&self, resource: usize, key: &[Value], body: Body) -> Result<Response> {
        let shown = self.shown_of_row(resource)?;
        let condition = match all(self.headers, Known::IfNoneMatch) {
            Some(field) => tag::absent(&field)?,
            None => self.condition(resource, key)?,
        };
        let body = self.body(resource, body).await?;
        let values = self.values(resource, body).await?;
        let values = content::with_key(self.api, resource, key, values)?;
        let change = self.change(resource, shown, Action::Put { values });
        let changed = self.make(single(change, condition), true).await?;
        let response = match (changed.made, changed.content.is_some()) {
            (true, _) => Response::new(Status::CREATED).with_header(Known::Location, self.target.path()),
            (false, true) => Response::new(Status::OK),
            (false, false) => Response::new(Status::NO_CONTENT),
        };
        Ok(self.changed(response, resource, changed))
    }

    /// A change for this caller, which shows its rows where the client wants them.
    fn change(&self, resource: usize, shown: Vec<Item>, action: Action) -> Change {
        let limits = &self.api.resources()[resource].limits;
        let max_affected = self
            .preferences
            .max_affected
            .unwrap_or(u64::MAX)
            .min(limits.max_affected);
        Change {
            resource,
            action,
            rule: grammar::rule(self.api, resource, &self.caller),
            shown: (self.preferences.returns == Some(Return::Representation)).then_some(shown),
            single: false,
            max_affected,
            condition: Condition::None,
            keep: Vec::new(),
        }
    }

    /// Makes a change. `is_one` says whether the answer is one object.
    ///
    /// # Errors
    /// Whatever rule of the data the change breaks. Nothing was changed then.
    async fn make(&self, change: Change, is_one: bool) -> Result<Changed> {
        let resource = &self.api.resources()[change.resource];
        let (form, format) = match Form::of(self.headers)? {
            Form::Rows(Format::Json) if is_one => (Form::Rows(Format::Json), Format::JsonObject),
            Form::Rows(format) => (Form::Rows(format), format),
            Form::Plan => return Err(Error::new(&codes::NOT_ACCEPTABLE).with_detail("only what reads has a plan")),
        };
        let shows = change.shown.is_some();
        let mut most = change.max_affected;
        let mut made = sql::change(self.api, &change, RowForm::of(format), 0)?;
        if shows && form == Form::Rows(Format::JsonObject) && !change.single {
            // One object is asked for: should it be another number of rows, nothing happens.
            if let Some(step) = made.steps.get_mut(made.answer) {
                most = 1;
                step.expect = Expect {
                    least: 1,
                    fewer: Box::new(Fewer::Fails(Failure::NotSingular)),
                    most,
                };
            }
        }
        let text = made.steps.get(made.answer).map(|step| step.statement.text.clone());
        let script = self.script(Access::ReadWrite, made.steps);
        let began = Instant::now();
        let outcomes = self.table.open.database().run(script, format).await;
        let outcomes = outcomes.map_err(|error| failure::named(error, resource, most))?;
        let answer = outcomes.get(made.answer).cloned().unwrap_or_default();
        if let Some(text) = text {
            self.ran(&text, began, answer.rows);
        }
        let hidden = outcomes.get(made.hidden).map(|outcome| outcome.last.as_slice());
        let (key, version) = sql::key_and_version(resource, hidden.unwrap_or_default());
        Ok(Changed {
            content: shows.then_some((form.media_type(), answer.body)),
            rows: answer.rows,
            key: key.map(<[Value]>::to_vec),
            version: version.cloned(),
            made: made.made.is_true(&outcomes),
        })
    }

    fn done(&self, resource: usize, changed: Changed) -> Response {
        let status = if changed.content.is_some() {
            Status::OK
        } else {
            Status::NO_CONTENT
        };
        self.changed(Response::new(status), resource, changed)
    }

    /// The answer to a change, with its rows, and the tag of the row where it is one.
    fn changed(&self, mut response: Response, resource: usize, changed: Changed) -> Response {
        if let (1, Some(key), Some(version)) = (changed.rows, &changed.key, &changed.version) {
            let tag = tag::strong(self.api, resource, key, version, None);
            response.headers.append(Known::Etag, tag);
        }
        if changed.rows > 1 {
            response
                .headers
                .append(Known::ContentRange, format!("*/{}", changed.rows));
        }
        let response = self.applied(response, CHANGING);
        match changed.content {
            None => response,
            Some((content_type, content)) => response.with_body(content_type, content),
        }
    }

    /// What becomes of new rows that are there already.
    fn conflict(&self, resource: usize, on_conflict: Option<Vec<usize>>) -> Result<Option<Conflict>> {
        let Some(resolution) = self.preferences.resolution else {
            return match on_conflict {
                None => Ok(None),
                Some(_) => Err(bad_query(
                    "`on_conflict`: say what becomes of rows that are there, by `Prefer: resolution=merge-duplicates` or \
                     `ignore-duplicates`",
                )),
            };
        };
        let relation = &self.api.resources()[resource].relation;
        let columns = on_conflict.unwrap_or_else(|| relation.primary_key.clone());
        if !relation.is_key(&columns) {
            return Err(bad_query("`on_conflict`: no key of the table has these columns"));
        }
        Ok(Some(Conflict {
            columns,
            merge: resolution == Resolution::Merge,
        }))
    }

    /// What `If-Match` asks of the row with that key.
    fn condition(&self, resource: usize, key: &[Value]) -> Result<Condition> {
        match all(self.headers, Known::IfMatch) {
            Some(field) => tag::if_match(self.api, resource, key, &field),
            None if self.api.resources()[resource].require_if_match => Err(Error::new(&codes::PRECONDITION_REQUIRED)),
            None => Ok(Condition::None),
        }
    }

    /// Refuses tags for a collection: no tag of several rows is strong, and If-Match compares strongly (RFC 9110 §13.1.1).
    fn no_tags(&self) -> Result<()> {
        if self.headers.list(Known::IfMatch).any(|tag| tag != b"*") {
            return Err(
                Error::new(&codes::PRECONDITION_FAILED).with_detail("collections have no strong entity tag to match")
            );
        }
        Ok(())
    }

    /// What the answer to a change of one row shows: what `select` says.
    fn shown_of_row(&self, resource: usize) -> Result<Vec<Item>> {
        let (filter, shown) = grammar::affected(self.api, resource, self.target.query(), &self.caller)?;
        match filter {
            None => Ok(shown),
            Some(_) => Err(super::reading::no_filter(self.target.query())),
        }
    }

    fn demand_filter(&self, resource: usize, filter: Option<&Filter>) -> Result<()> {
        if filter.is_some() || self.api.resources()[resource].full_table {
            return Ok(());
        }
        Err(bad_query(
            "a change of the collection needs a filter, such as `column=eq.value`",
        ))
    }

    fn content_type(&self) -> &str {
        self.headers.get_str(Known::ContentType).unwrap_or_default()
    }

    /// The values that a content gives for one row.
    async fn values(&self, resource: usize, body: Bytes) -> Result<Vec<(usize, Value)>> {
        let content_type = self.content_type().to_owned();
        self.parsed(body.len(), move |api, _| {
            content::parse_values(api, resource, &content_type, &body)
        })
        .await
    }

    async fn body(&self, resource: usize, body: Body) -> Result<Bytes> {
        body.read_to_end(self.api.resources()[resource].limits.max_body).await
    }
}

/// A change of one row, which must be there.
fn single(change: Change, condition: Condition) -> Change {
    Change {
        single: true,
        condition,
        ..change
    }
}

fn bad_query(detail: &'static str) -> Error {
    Error::new(&codes::BAD_QUERY).with_detail(detail)
}
