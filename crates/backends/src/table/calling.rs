//! `/rpc/NAME`: functions and procedures of the database, and statements of the file.

use std::time::Instant;

use portcullis_core::{Body, Error, Known, Method, Response, Result, Status, codes};
use portcullis_databases::Answer;
use portcullis_tables::content::Format;
use portcullis_tables::grammar::{self, Call, Callee, Effect};
use portcullis_tables::schema::Returns;
use portcullis_tables::sql::{self, RowForm};
use portcullis_tables::statement::{Access, Step};

use super::answer::{self, Shown};
use super::negotiation::Form;
use super::range;
use super::{Asked, HOLD};

/// Bytes of the arguments of a call.
const LONGEST_ARGUMENTS: u64 = 1 << 20;
/// What is told of the one row that a function does not give.
const NO_ROW: &[u8] = b"null";

impl Asked<'_> {
    /// Calls what has that name.
    pub(super) async fn call(&self, name: &str, body: Body) -> Result<Response> {
        let effect = grammar::callable(self.api, name).ok_or_else(|| Error::new(&codes::RESOURCE_NOT_FOUND))?;
        let allow = if effect == Effect::Changes {
            "OPTIONS, POST"
        } else {
            "GET, HEAD, OPTIONS, POST"
        };
        let body = match self.method {
            Method::Options => {
                return Ok(Response::new(Status::NO_CONTENT).with_header(Known::Allow, allow));
            }
            Method::Get | Method::Head if effect != Effect::Changes => None,
            Method::Post => Some(self.arguments(body).await?),
            _ => return Err(Error::new(&codes::METHOD_NOT_ALLOWED).with_header(Known::Allow, allow)),
        };
        let call = grammar::call(self.api, name, self.target.query(), body.as_deref(), &self.caller)?;
        if effect == Effect::Reads || body.is_none() {
            let refused = |error: Error| match error.code().name == codes::METHOD_NOT_ALLOWED.name {
                // The database did not let it change something.
                true => error.with_header(Known::Allow, "OPTIONS, POST"),
                false => error,
            };
            return self.run(call, Access::ReadOnly).await.map_err(refused);
        }
        self.run(call, Access::ReadWrite).await
    }

    async fn arguments(&self, body: Body) -> Result<bytes::Bytes> {
        let kind = self.media_type();
        let body = body.read_to_end(LONGEST_ARGUMENTS).await?;
        if kind == "application/json" || (kind.is_empty() && body.is_empty()) {
            return Ok(body);
        }
        Err(Error::new(&codes::UNSUPPORTED_CONTENT_TYPE).with_detail("the content must be application/json"))
    }

    async fn run(&self, call: Call, access: Access) -> Result<Response> {
        let form = Form::of(self.headers)?;
        let Form::Rows(wanted) = form else {
            return Err(Error::new(&codes::NOT_ACCEPTABLE).with_detail("calls have no plan"));
        };
        let is_one = gives_one(&call);
        let format = if wanted == Format::Json && is_one {
            Format::JsonObject
        } else {
            wanted
        };
        let statement = sql::call(self.api, &call, RowForm::of(format))?;
        let text = statement.text.clone();
        let gives_rows = statement.outputs.shown != portcullis_tables::output::Shown::Nothing;
        let mut steps = Vec::with_capacity(2);
        let most = self.api.limits().max_counted;
        let count = match self.preferences.count {
            Some(_) => sql::count_call(self.api, &call, most)?,
            None => None,
        };
        let is_counted = count.is_some();
        steps.extend(count.map(Step::of));
        steps.push(Step::of(statement));
        let script = self.script(access, steps);
        let began = Instant::now();
        let (before, answer) = self.table.open.database().read(script, format, HOLD).await?;
        let Answer { outcome, rest } = answer;
        self.ran(&text, began, outcome.rows);
        if !gives_rows {
            return Ok(self.applied(Response::new(Status::NO_CONTENT), &["tx", "timezone", "handling"]));
        }
        let mut response = Response::new(Status::OK).with_header(Known::Vary, "Accept, Prefer");
        if let (Some(read), None) = (&call.read, &rest) {
            let total = is_counted.then(|| super::count::number(&before, most)).flatten();
            let told = range::content_range(read.window.offset, outcome.rows, total);
            response.headers.append(Known::ContentRange, told);
            if total.is_some_and(|total| outcome.rows < total) {
                response.status = Status::PARTIAL_CONTENT;
            }
        }
        let nothing = format == Format::JsonObject && outcome.rows == 0;
        let shown = Shown {
            content_type: form.media_type(),
            content: if nothing { NO_ROW.into() } else { outcome.body },
            rest,
            tag: None,
        };
        let response = self.applied(response, &["count", "tx", "timezone", "handling"]);
        if *self.method == Method::Post {
            return Ok(answer::plain(response, shown));
        }
        answer::represent(response, shown, self.method, self.headers)
    }
}

/// Whether a call gives one thing, and not a list.
fn gives_one(call: &Call) -> bool {
    match &call.callee {
        Callee::Statement(_) => false,
        Callee::Routine(routine) => match &routine.returns {
            Returns::Nothing | Returns::Value(_) | Returns::Row(_) => true,
            Returns::Values(_) | Returns::Rows(_) => false,
            Returns::Relation { many, .. } => !many,
        },
    }
}
