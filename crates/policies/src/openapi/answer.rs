//! Responses, held against what the description promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_contract::openapi::{Answer, Found, Given};
use portcullis_core::{Body, Ctx, Error, Known, Method, Next, Policy, Reply, Request, Response, Result, Status, codes};

use super::{Api, finding, joined, readable};
use crate::validate::content::{Gathered, gather};
use crate::validate::judge::{Judged, STEPS_HERE};
use crate::validate::media::MediaType;
use crate::validate::summary;

/// Holds responses against the description of an API.
#[derive(Debug)]
pub struct Responses {
    api: Arc<Api>,
    enforces: bool,
    reported: Arc<AtomicU64>,
}

impl Responses {
    pub(super) fn new(api: Arc<Api>, enforces: bool, reported: Arc<AtomicU64>) -> Responses {
        Responses {
            api,
            enforces,
            reported,
        }
    }

    /// What becomes of what is wrong: the client gets another answer, or it is counted.
    fn found(&self, wrong: String) -> Result<()> {
        if !self.enforces {
            self.reported.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        Err(Error::new(&codes::RESPONSE_INVALID)
            .with_cause(wrong)
            .by_policy("openapi"))
    }

    async fn judge(&self, answer: Option<&Answer>, without_content: bool, response: &mut Response) -> Result<()> {
        let Some(answer) = answer else {
            return self.found(format!("the status {} is not described", response.status));
        };
        let headers = &response.headers;
        let given = Given {
            path: &[],
            query: "",
            header: &|name| joined(headers, name),
            cookie: &|_| None,
        };
        let wrong = answer.wrong_headers(&self.api.judge.set, &given, STEPS_HERE);
        if !wrong.is_empty() {
            let findings: Vec<_> = wrong.into_iter().map(finding).collect();
            self.found(summary(&findings))?;
        }
        let Some(content) = answer.content.as_ref().filter(|content| !content.is_empty()) else {
            return Ok(());
        };
        if without_content || response.body.is_empty() {
            return Ok(());
        }
        let media = MediaType::of(&response.headers);
        let Some((described, media)) = media.and_then(|media| Some((content.of(&media.name)?, media))) else {
            return self.found("its media type is not described".to_owned());
        };
        match readable(described, &media, &response.headers) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(()) => return self.found("it is compressed, or not in UTF-8".to_owned()),
        }
        match gather(std::mem::take(&mut response.body), self.api.max_body).await? {
            Gathered::Whole(bytes) => {
                let judged = self.api.content(described, &media, &bytes).await;
                response.body = Body::from(bytes);
                match judged {
                    Judged::Good => Ok(()),
                    Judged::Malformed(what) => self.found(what),
                    Judged::Undecided => self.found("it takes too long to be checked".to_owned()),
                    Judged::Broken(findings) => self.found(summary(&findings)),
                }
            }
            Gathered::TooMuch(body) => {
                // What is too large to be held is handed on, whatever is asked for: it may be a download.
                self.reported.fetch_add(1, Ordering::Relaxed);
                response.body = body;
                Ok(())
            }
        }
    }
}

impl Policy for Responses {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        let Found::Operation(operation, _) = self.api.find(&request) else {
            return next.run(cx, request);
        };
        request.headers.remove(Known::AcceptEncoding);
        let is_head = request.method == Method::Head;
        Reply::later(async move {
            let mut response = next.run(cx, request).await?;
            if response.status == Status::SWITCHING_PROTOCOLS {
                return Ok(response);
            }
            let without_content = is_head || matches!(response.status.code(), 204 | 205 | 304);
            let answer = operation.answer(response.status.code());
            self.judge(answer, without_content, &mut response).await?;
            Ok(response)
        })
    }
}
