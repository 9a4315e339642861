//! Answers held against the description of an API.

use std::path::Path;

use portcullis_contract::json;
use portcullis_contract::openapi::{Contract, Found, Given};
use portcullis_contract::schema::Verdict;
use portcullis_policies::openapi::documents;

use super::dry_run::Answered;

/// The steps that a check of one answer may take.
const STEPS: u64 = 10_000_000;

/// What a description promises.
pub(crate) struct Promised {
    contract: Contract,
    prefix: Option<String>,
}

impl Promised {
    /// Reads a description; its path is relative to `base`. `prefix` is what requests have before its paths.
    ///
    /// # Errors
    /// Why it can't be used.
    pub(crate) fn read(document: &str, base: &Path, prefix: Option<&str>) -> Result<Promised, String> {
        let documents = documents(document, base)?;
        let contract = Contract::import(&documents, document, false).map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            format!("{document} can't be held against answers: {first}")
        })?;
        Ok(Promised {
            contract,
            prefix: prefix.map(str::to_owned),
        })
    }

    /// What is wrong with an answer; nothing where all is as described.
    pub(crate) fn wrong(&self, method: &str, path: &str, answered: &Answered) -> Option<String> {
        let path = path.split('?').next().unwrap_or_default();
        let Found::Operation(operation, _) = self.contract.find(method, path, self.prefix.as_deref()) else {
            return Some("the description doesn't have it".to_owned());
        };
        let Some(answer) = operation.answer(answered.status) else {
            return Some(format!("the status {} is not described", answered.status));
        };
        let given = Given {
            path: &[],
            query: "",
            header: &|name| answered.headers.get_str(name).map(str::to_owned),
            cookie: &|_| None,
        };
        if let Some(wrong) = answer.wrong_headers(self.contract.schemas(), &given, STEPS).first() {
            return Some(format!("its field {}: {}", wrong.pointer, wrong.what));
        }
        self.wrong_content(answer, method, answered)
    }

    fn wrong_content(
        &self,
        answer: &portcullis_contract::openapi::Answer,
        method: &str,
        answered: &Answered,
    ) -> Option<String> {
        let content = answer.content.as_ref().filter(|content| !content.is_empty())?;
        let body = answered
            .body
            .as_ref()
            .filter(|body| !body.is_empty() && method != "HEAD")?;
        let media = answered.media_type().unwrap_or_default();
        let Some(described) = content.of(&media) else {
            return Some(format!("its media type `{media}` is not described"));
        };
        let schema = described
            .schema
            .filter(|_| media == "application/json" || media.ends_with("+json"))?;
        let value = match json::parse(body, json::DEEPEST) {
            Ok(value) => value,
            Err(error) => return Some(format!("its content is no JSON: {error}")),
        };
        match self.contract.schemas().check(schema, &value, STEPS) {
            Verdict::Valid => None,
            Verdict::Undecided => Some("its content takes too long to be checked".to_owned()),
            Verdict::Invalid => {
                let violations = self.contract.schemas().violations(schema, &value, STEPS, 1);
                let first = violations
                    .first()
                    .map(|wrong| format!(" at `{}`: {}", wrong.pointer, wrong.what));
                Some(format!("its content breaks its schema{}", first.unwrap_or_default()))
            }
        }
    }
}
