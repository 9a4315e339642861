//! `POST …/$tx`: several operations, all of which happen or none.

use std::time::Instant;

use portcullis_config::defaults;
use portcullis_core::{Body, Error, Known, Method, Response, Result, Status, codes};
use portcullis_tables::content::Format;
use portcullis_tables::sql::RowForm;
use portcullis_tables::tx::{self, Planned};

use super::{Asked, failure};

/// What `$tx` takes.
const ALLOW: &str = "OPTIONS, POST";

impl Asked<'_> {
    /// Makes the operations of a body as one transaction.
    pub(super) async fn transaction(&self, body: Body) -> Result<Response> {
        match self.method {
            Method::Options => return Ok(Response::new(Status::NO_CONTENT).with_header(Known::Allow, ALLOW)),
            Method::Post => {}
            _ => return Err(Error::new(&codes::METHOD_NOT_ALLOWED).with_header(Known::Allow, ALLOW)),
        }
        if self.media_type() != "application/json" {
            return Err(
                Error::new(&codes::UNSUPPORTED_CONTENT_TYPE).with_detail("the content must be application/json")
            );
        }
        // No more than the most generous of its tables takes.
        let resources = self.api.resources().iter();
        let most = resources.map(|resource| resource.limits.max_body).max();
        let body = body.read_to_end(most.unwrap_or(defaults::table_body().0)).await?;
        let parsing = self.parsed(body.len(), move |api, caller| tx::parse(api, &body, caller));
        let transaction = parsing.await?;
        let Planned { script, places } = transaction.script(
            self.api,
            RowForm::of(Format::Json),
            self.session(),
            self.table.open.database().settings().statement_timeout,
            self.preferences.roll_back == Some(true),
        )?;
        let began = Instant::now();
        let texts: Vec<_> = script.steps.iter().map(|step| step.statement.text.clone()).collect();
        let outcomes = self.table.open.database().run(script, Format::Json).await;
        let outcomes = outcomes.map_err(|error| failure::named_in(error, self.api))?;
        for (text, outcome) in texts.iter().zip(&outcomes) {
            self.ran(text, began, outcome.rows);
        }
        let answer = transaction.answer(self.api, &places, &outcomes);
        let response = Response::new(Status::OK).with_body("application/json", answer);
        Ok(self.applied(response, &["tx", "timezone", "handling"]))
    }
}
