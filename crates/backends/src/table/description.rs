//! `GET …/openapi.json`: what the caller may ask of the API, as OpenAPI, or as a page for browsers.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use portcullis_core::{Error, Known, Method, Response, Result, Status, codes};
use portcullis_tables::api::Api;
use portcullis_tables::openapi::{self, Description, Visible};
use portcullis_tables::tag;

use super::answer::{self, Shown};
use super::{Asked, negotiation};

/// Documents that are kept: one for each set of resources that callers see, which are as many as rules tell apart.
const MOST: usize = 32;
/// Bytes of documents that are kept; the newest is kept whatever it takes. A table takes some 15 kB.
const MOST_BYTES: usize = 16 << 20;
/// What it takes.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The documents that were made, the newest last.
#[derive(Debug, Default)]
pub(super) struct Descriptions {
    made: Mutex<Vec<Arc<Made>>>,
    /// Held while one is made, so that many who ask at once wait for one and don't each make it.
    making: tokio::sync::Mutex<()>,
}

/// A document, for whom it is, and of which API.
#[derive(Debug)]
struct Made {
    api: Weak<Api>,
    visible: Visible,
    base_path: Box<str>,
    json: Content,
    page: Content,
}

#[derive(Clone, Debug)]
struct Content {
    text: Bytes,
    tag: Box<str>,
}

impl Made {
    fn bytes(&self) -> usize {
        self.json.text.len() + self.page.text.len()
    }
}

impl Descriptions {
    fn find(&self, api: &Arc<Api>, visible: &Visible, base_path: &str) -> Option<Arc<Made>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |it: &&Arc<Made>| {
            it.visible == *visible && &*it.base_path == base_path && Weak::as_ptr(&it.api) == Arc::as_ptr(api)
        };
        made.iter().find(is_it).cloned()
    }

    /// Keeps a document. Those of APIs that are no more go, and the oldest where there are too many.
    fn keep(&self, new: Arc<Made>) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|it| Weak::ptr_eq(&it.api, &new.api));
        made.push(new);
        let mut bytes: usize = made.iter().map(|it| it.bytes()).sum();
        while made.len() > 1 && (made.len() > MOST || bytes > MOST_BYTES) {
            bytes -= made.remove(0).bytes();
        }
    }
}

impl Asked<'_> {
    /// Describes the API.
    pub(super) async fn describe(&self) -> Result<Response> {
        match self.method {
            Method::Get | Method::Head => {}
            Method::Options => return Ok(Response::new(Status::NO_CONTENT).with_header(Known::Allow, ALLOW)),
            _ => return Err(Error::new(&codes::METHOD_NOT_ALLOWED).with_header(Known::Allow, ALLOW)),
        }
        let is_page = negotiation::wants_page(self.headers)?;
        let made = self.description().await?;
        let (content_type, content) = if is_page {
            ("text/html; charset=utf-8", made.page.clone())
        } else {
            ("application/json", made.json.clone())
        };
        let mut response = Response::new(Status::OK)
            .with_header(Known::Vary, "Accept")
            // It depends on who asks, and on the database.
            .with_header(Known::CacheControl, "private, no-cache");
        if is_page {
            response.headers.set("Content-Security-Policy", openapi::policy());
            response.headers.set("X-Content-Type-Options", "nosniff");
            response.headers.set("Referrer-Policy", "no-referrer");
        }
        let shown = Shown {
            content_type,
            content: content.text,
            rest: None,
            tag: Some(content.tag.into()),
        };
        answer::represent(response, shown, self.method, self.headers)
    }

    /// The document for this caller: one that is kept, or a new one, which is made away from the worker.
    async fn description(&self) -> Result<Arc<Made>> {
        let visible = Visible::of(self.api, &self.caller);
        let path = self.target.path();
        let base_path = path.rsplit_once('/').map_or("", |(base, _)| base);
        let descriptions = &self.table.descriptions;
        if let Some(made) = descriptions.find(self.api, &visible, base_path) {
            return Ok(made);
        }
        let _making = descriptions.making.lock().await;
        if let Some(made) = descriptions.find(self.api, &visible, base_path) {
            return Ok(made);
        }
        let (api, base_path, transactions) = (self.api.clone(), Box::from(base_path), self.table.transactions);
        let making = move || Arc::new(make(&api, visible, base_path, transactions));
        let made = match self.table.open.slow() {
            None => making(),
            Some(slow) => {
                let lost = |lost| Error::new(&codes::INTERNAL).with_cause(lost);
                slow.spawn_blocking(making).await.map_err(lost)?
            }
        };
        descriptions.keep(made.clone());
        Ok(made)
    }
}

fn make(api: &Arc<Api>, visible: Visible, base_path: Box<str>, transactions: bool) -> Made {
    let title = format!("The API at {}", if base_path.is_empty() { "/" } else { &base_path });
    let description = Description {
        title: &title,
        base_path: &base_path,
        transactions,
    };
    let document = openapi::document(api, &visible, &description);
    let content = |text: String| Content {
        tag: tag::weak(text.as_bytes()).into(),
        text: text.into(),
    };
    Made {
        api: Arc::downgrade(api),
        visible,
        base_path,
        page: content(openapi::page(&document)),
        json: content(document.to_string()),
    }
}
