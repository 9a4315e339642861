//! GET and HEAD: rows of a collection, one row, long queries.

use std::time::Instant;

use portcullis_core::{Body, Error, Known, Method, Response, Result, Status, codes};
use portcullis_databases::Answer;
use portcullis_tables::content::Format;
use portcullis_tables::doctor::plan::Plan;
use portcullis_tables::doctor::words;
use portcullis_tables::query::Read;
use portcullis_tables::sql::{self, RowForm};
use portcullis_tables::statement::{Access, Outcome, Step};
use portcullis_tables::value::Value;
use portcullis_tables::{cursor, grammar, tag};

use super::answer::{self, Shown};
use super::count::Counting;
use super::negotiation::Form;
use super::range::{self, Range};
use super::{Asked, HOLD, link};

/// Bytes of a long query in a body.
const LONGEST_QUERY: u64 = 256 << 10;
/// The preferences of requests that read.
const READING: &[&str] = &["count", "handling", "timezone"];

impl Asked<'_> {
    /// The rows of a collection that a query's parameters ask for.
    pub(super) async fn list(&self, resource: usize, parameters: &[(String, String)]) -> Result<Response> {
        let form = Form::of(self.headers)?;
        let mut read = grammar::read_pairs(self.api, resource, parameters, &self.caller)?;
        let range = Range::of(self.headers);
        if let Some(range) = range {
            range.narrow(&mut read.window, self.api.resources()[resource].limits.max_offset)?;
        }
        if form != Form::Plan {
            self.refuse_costly(&read)?;
        }
        read.count = self.preferences.count;
        match form {
            Form::Plan => self.plan(&read).await,
            Form::Rows(Format::JsonObject) => self.only_one(&read).await,
            Form::Rows(format) => self.rows(read, format, range.is_some()).await,
        }
    }

    /// A query that is too long for a URL, in the body: the same text, or a JSON array of its parameters. The URL may have some
    /// too, since links lead on by them: where it says where to begin, the body's word on that is void.
    pub(super) async fn long_query(&self, resource: usize, body: Body) -> Result<Response> {
        let said = &self.api.resources()[resource];
        let allow = "OPTIONS, POST";
        let may_read = said.methods.contains(&Method::Get);
        match self.method {
            Method::Options if may_read => {
                return Ok(Response::new(Status::NO_CONTENT).with_header(Known::Allow, allow));
            }
            Method::Post if may_read => {}
            _ if may_read => return Err(Error::new(&codes::METHOD_NOT_ALLOWED).with_header(Known::Allow, allow)),
            _ => return Err(Error::new(&codes::RESOURCE_NOT_FOUND)),
        }
        let body = body.read_to_end(LONGEST_QUERY).await?;
        let text = std::str::from_utf8(&body).map_err(|_| bad_content("the query is no UTF-8"))?;
        let content = match self.media_type().as_str() {
            "application/x-www-form-urlencoded" => grammar::pairs(Some(text.trim()))?,
            "application/json" => parameters_of_json(text)?,
            _ => {
                let detail = "the content must be application/x-www-form-urlencoded or application/json";
                return Err(Error::new(&codes::UNSUPPORTED_CONTENT_TYPE).with_detail(detail));
            }
        };
        let mut parameters = grammar::pairs(self.target.query())?;
        let begins = parameters.iter().any(|(name, _)| link::says_where(name));
        parameters.extend(
            content
                .into_iter()
                .filter(|(name, _)| !(begins && link::says_where(name))),
        );
        self.list(resource, &parameters).await
    }

    /// The row with that key.
    pub(super) async fn read_row(&self, resource: usize, key: &[Value]) -> Result<Response> {
        let form = Form::of(self.headers)?;
        let read = self.read_of_row(resource, key)?;
        let format = match form {
            Form::Plan => return self.plan(&read).await,
            Form::Rows(Format::Json) => Format::JsonObject,
            Form::Rows(format) => format,
        };
        let answer = self.single(&read, format).await?;
        if answer.rows == 0 {
            return Err(Error::new(&codes::RESOURCE_NOT_FOUND));
        }
        let tag = self.tag_of(&read, key, &answer, format);
        let shown = Shown {
            content_type: form.media_type(),
            content: answer.body,
            rest: None,
            tag,
        };
        let response = Response::new(Status::OK).with_header(Known::Vary, "Accept");
        answer::represent(response, shown, self.method, self.headers)
    }

    /// One row of a collection, as an object: there must be one, and no more.
    async fn only_one(&self, read: &Read) -> Result<Response> {
        // A second row is refused while it is written.
        let answer = self.single(read, Format::JsonObject).await?;
        if answer.rows != 1 {
            let detail = "one row is asked for, and there is none";
            return Err(Error::new(&codes::NOT_ACCEPTABLE).with_detail(detail));
        }
        let shown = Shown {
            content_type: Form::Rows(Format::JsonObject).media_type(),
            content: answer.body,
            rest: None,
            tag: None,
        };
        let response = Response::new(Status::OK).with_header(Known::Vary, "Accept, Prefer");
        answer::represent(self.applied(response, READING), shown, self.method, self.headers)
    }

    async fn rows(&self, read: Read, format: Format, by_range: bool) -> Result<Response> {
        let form = Form::Rows(format);
        let counting = self.counting(&read).await?;
        let statement = sql::read(self.api, &read, RowForm::of(format))?;
        let text = statement.text.clone();
        let mut steps = Vec::with_capacity(2);
        if let Counting::By { statement, .. } = &counting {
            steps.push(Step::of(statement.clone()));
        }
        steps.push(Step::of(statement));
        let script = self.script(Access::ReadOnly, steps);
        let began = Instant::now();
        let (before, answer) = self.table.open.database().read(script, format, HOLD).await?;
        let Answer { outcome, rest } = answer;
        self.ran(&text, began, outcome.rows);
        let total = self.counted(&read, &counting, &before).await?;
        let mut response = Response::new(Status::OK).with_header(Known::Vary, "Accept, Prefer");
        if rest.is_none() {
            let offset = read.window.offset;
            if by_range && outcome.rows == 0 && offset > 0 && total.is_some_and(|total| offset >= total) {
                return Err(range::not_satisfiable(total));
            }
            response
                .headers
                .append(Known::ContentRange, range::content_range(offset, outcome.rows, total));
            let is_part = total.map_or(by_range, |total| outcome.rows < total);
            if is_part {
                response.status = Status::PARTIAL_CONTENT;
            }
            if let Some(links) = self.links(&read, &outcome) {
                response.headers.append(Known::Link, links);
            }
        }
        let shown = Shown {
            content_type: form.media_type(),
            content: outcome.body,
            rest,
            tag: None,
        };
        answer::represent(self.applied(response, READING), shown, self.method, self.headers)
    }

    /// Reads what is one row, or two at the most.
    async fn single(&self, read: &Read, format: Format) -> Result<Outcome> {
        let statement = sql::read(self.api, read, RowForm::of(format))?;
        let text = statement.text.clone();
        let script = self.script(Access::ReadOnly, vec![Step::of(statement)]);
        let began = Instant::now();
        // One row is in memory anyway when the database gives it, and is never cut.
        let mut outcomes = self.table.open.database().run(script, format).await?;
        let outcome = outcomes.pop().unwrap_or_default();
        self.ran(&text, began, outcome.rows);
        Ok(outcome)
    }

    /// The strong tag of a row that has a version.
    fn tag_of(&self, read: &Read, key: &[Value], answer: &Outcome, format: Format) -> Option<String> {
        let resource = &self.api.resources()[read.resource];
        resource.version?;
        let version = answer.first.last()?;
        let form = format!("{format:?} {}", self.target.query().unwrap_or_default());
        Some(tag::strong(self.api, read.resource, key, version, Some(&form)))
    }

    fn links(&self, read: &Read, outcome: &Outcome) -> Option<String> {
        let window = &read.window;
        if !window.cursors {
            return None;
        }
        let terms = sql::hidden(self.api, read).terms;
        let of = |values: &[Value]| cursor::write(self.api, read, values.get(..terms)?);
        let came_before = window.cursor.as_ref().is_some_and(|cursor| cursor.before);
        let is_full = window.limit.is_some_and(|limit| outcome.rows >= limit);
        let is_first = window.cursor.is_none() && window.offset == 0;
        // Whoever came from the rows behind knows that there are some.
        let next = (is_full || came_before).then(|| of(&outcome.last)).flatten();
        let previous = (!is_first && (is_full || !came_before))
            .then(|| of(&outcome.first))
            .flatten();
        let mut links = Vec::with_capacity(3);
        links.extend(next.as_deref().map(|next| ("next", Some(("after", next)))));
        links.extend(previous.as_deref().map(|previous| ("prev", Some(("before", previous)))));
        if !is_first {
            // The content of a long query is sent again, and may say where to begin.
            links.push(("first", (*self.method == Method::Post).then_some(("offset", "0"))));
        }
        link::links(self.target, &links)
    }

    /// How the database would find the rows, for those who may know it.
    async fn plan(&self, read: &Read) -> Result<Response> {
        let consumer = self.caller.consumer;
        let may = |role: &str| consumer.is_some_and(|consumer| consumer.has_role(role));
        if !self.table.plans.iter().any(|role| may(role)) {
            let cause = "the caller has none of the roles that may see plans (`plans.roles`)";
            return Err(Error::new(&codes::FORBIDDEN).with_cause(cause));
        }
        let engine = self.api.schema().engine();
        let statement = sql::read(self.api, read, RowForm::of(Format::Json))?;
        let plan = self.table.open.database().explain(&statement).await?;
        let read = Plan::read(engine, &plan, &statement.text);
        let plan = serde_json::from_str(&plan).unwrap_or_else(|_| plan.lines().collect::<Vec<_>>().into());
        let plan: serde_json::Value = plan;
        let told = serde_json::json!({
            "engine": engine.as_str(),
            "class": read.class().as_str(),
            "words": words::of_plan(&read),
            "plan": plan,
        });
        let told = told.to_string();
        Ok(Response::new(Status::OK).with_body(Form::Plan.media_type(), told))
    }

    /// Tells which of these preferences were applied (RFC 7240 §3).
    pub(super) fn applied(&self, mut response: Response, names: &[&str]) -> Response {
        if let Some(applied) = self.preferences.applied(names) {
            response.headers.append("Preference-Applied", applied);
        }
        response
    }

    /// What is read of the row with that key.
    fn read_of_row(&self, resource: usize, key: &[Value]) -> Result<Read> {
        let said = grammar::change(self.api, resource, self.target.query(), &self.caller)?;
        if said.filter.is_some() || said.columns.is_some() || said.on_conflict.is_some() {
            return Err(no_filter(self.target.query()));
        }
        let filter = grammar::filter_of_key(self.api, resource, key);
        let rule = grammar::rule(self.api, resource, &self.caller);
        Ok(Read::all(resource, said.items, Some(filter), rule))
    }
}

/// The refusal of a filter for what has an address of its own.
pub(super) fn no_filter(query: Option<&str>) -> Error {
    let given = grammar::pairs(query).unwrap_or_default();
    let name = given
        .iter()
        .map(|(name, _)| name.as_str())
        .find(|name| *name != "select");
    let name: String = name.unwrap_or_default().chars().take(64).collect();
    Error::new(&codes::BAD_QUERY).with_detail(format!("`{name}`: a row is found by its address alone"))
}

/// The parameters of a JSON array: `["state=eq.open", …]`, or pairs `[["state", "eq.open"], …]`.
fn parameters_of_json(text: &str) -> Result<Vec<(String, String)>> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Parameter {
        Whole(String),
        Pair(String, String),
    }
    let parameters: Vec<Parameter> = serde_json::from_str(text).map_err(|_| {
        bad_content("the content is a JSON array of parameters: [\"state=eq.open\", [\"limit\", \"10\"]]")
    })?;
    let pair = |parameter| match parameter {
        Parameter::Pair(name, value) => Ok((name, value)),
        Parameter::Whole(text) => match text.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(bad_content("a parameter is a name, `=`, and a value")),
        },
    };
    parameters.into_iter().map(pair).collect()
}

fn bad_content(detail: &'static str) -> Error {
    Error::new(&codes::BAD_CONTENT).with_detail(detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_json_are_texts_or_pairs() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let text = r#"["state=eq.a=b", ["name", "eq.x&y+z"]]"#;
        assert_eq!(
            parameters_of_json(text).unwrap(),
            [pair("state", "eq.a=b"), pair("name", "eq.x&y+z")]
        );
        assert_eq!(parameters_of_json("[]").unwrap(), []);
        for wrong in ["", "{}", "[1]", "[\"state\"]", "[[\"a\"]]"] {
            assert_eq!(
                parameters_of_json(wrong).unwrap_err().code().name,
                "bad_content",
                "{wrong}"
            );
        }
    }
}
