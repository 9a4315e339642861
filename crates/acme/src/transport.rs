//! How an authority is reached: by TLS only, one request at a time.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use portcullis_core::{Headers, Known, Method, Scheme};
use portcullis_fetch::{Answer, Fetcher, Limits, Question, Url};
use tokio::runtime::Handle;

/// How long one request may take, from the name of the authority to the end of its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of an answer. The largest one is a chain of certificates.
const LARGEST: u64 = 256 * 1024;

/// Sends requests to an authority.
pub(crate) struct Transport {
    fetcher: Fetcher,
    not_before: NotBefore,
}

/// Before when the authority wants to hear nothing, as the last of its answers said that asked for it.
#[derive(Clone, Default)]
pub(crate) struct NotBefore(Arc<Mutex<Option<SystemTime>>>);

impl NotBefore {
    pub(crate) fn get(&self) -> Option<SystemTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, moment: SystemTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(moment);
    }
}

impl Transport {
    /// A way to an authority whose certificate is verified by those in the PEM file `ca`, or by the system's. It works on
    /// the runtime on which it is made.
    ///
    /// # Errors
    /// Says in words why there is nothing to verify it by.
    pub(crate) fn new(ca: Option<&Path>, not_before: NotBefore) -> Result<Transport, String> {
        let fetcher = Fetcher::new(Handle::current(), ca).map_err(|why| hinted(&why))?;
        let fetcher = fetcher.with_limits(Limits {
            time: PATIENCE,
            size: LARGEST,
            ..Limits::default()
        });
        Ok(Transport { fetcher, not_before })
    }
}

/// Whether there are authorities that the directory's own certificate is verified by.
///
/// # Errors
/// Says in words which file can't be read, or that there are none.
pub(crate) fn check_roots(ca: Option<&Path>) -> Result<(), String> {
    portcullis_fetch::roots(ca).map(drop).map_err(|why| hinted(&why))
}

fn hinted(why: &str) -> String {
    format!("{why}; see `acme.ca`")
}

type Response = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

impl HttpClient for Transport {
    fn request(&self, request: http::Request<BodyWrapper<Bytes>>) -> Response {
        let (fetcher, not_before) = (self.fetcher.clone(), self.not_before.clone());
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            // What the library hands out as a request's body, only a response's can be read from.
            let mut body = BytesResponse::from(http::Response::new(body)).body;
            let body = body.into_bytes().await.map_err(Error::Other)?;
            let host = parts.uri.host().unwrap_or_default().to_owned();
            let question = question(&parts, body).map_err(other)?;
            let answer = fetcher.ask(question).await;
            let answer = answer.map_err(|why| other(format!("{host}: {why}")))?;
            if matches!(answer.status, 429 | 503)
                && let Some(moment) = retry_after(&answer.headers, SystemTime::now())
            {
                not_before.set(moment);
            }
            response_of(answer).map_err(|why| other(format!("{host}: {why}")))
        })
    }
}

fn other(why: String) -> Error {
    Error::Other(why.into())
}

/// The request as we make it.
fn question(parts: &http::request::Parts, body: Bytes) -> Result<Question, String> {
    let url = Url::parse(&parts.uri.to_string()).map_err(|error| error.to_string())?;
    // RFC 8555, section 6.1. A directory may name any URL.
    if url.scheme() != Scheme::Https {
        return Err(format!("the authority leads to `{url}`, which is not reached by TLS"));
    }
    let mut headers = Headers::new();
    for (name, value) in &parts.headers {
        if name != http::header::USER_AGENT {
            headers.append(name.as_str(), value.as_bytes());
        }
    }
    headers.append(
        Known::UserAgent,
        concat!("portcullis/", env!("CARGO_PKG_VERSION"), " (instant-acme)"),
    );
    Ok(Question {
        method: Method::from_token(parts.method.as_str()),
        url,
        headers,
        body,
    })
}

/// The answer as the library reads it, if it is one of an authority and not of something before it.
fn response_of(answer: Answer) -> Result<BytesResponse, String> {
    let json = || {
        let kind = answer.headers.get_str(Known::ContentType).unwrap_or_default();
        kind.contains("json")
    };
    let is_of_authority = answer.is_success() || (answer.status >= 400 && json());
    if !is_of_authority {
        return Err(format!("it answers {} and says nothing more", answer.status));
    }
    let mut response = http::Response::builder().status(answer.status);
    for name in ["Replay-Nonce", "Location", "Retry-After", "Content-Type"] {
        if let Some(value) = answer.headers.get(name) {
            response = response.header(name, value);
        }
    }
    let response = response.body(()).map_err(|error| error.to_string())?;
    Ok(BytesResponse {
        parts: response.into_parts().0,
        body: Box::new(answer.body),
    })
}

/// When to come again (RFC 9110, section 10.2.3).
fn retry_after(headers: &Headers, now: SystemTime) -> Option<SystemTime> {
    let value = headers.get_str("Retry-After")?.trim();
    match value.parse::<u64>() {
        Ok(seconds) => now.checked_add(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn asked(url: &str) -> Result<Question, String> {
        let (parts, ()) = http::Request::get(url).body(()).unwrap().into_parts();
        question(&parts, Bytes::new())
    }

    #[test]
    fn nothing_goes_out_in_clear_text() {
        assert!(asked("https://ca.test/directory").is_ok());
        assert!(asked("http://ca.test/directory").is_err());
        assert!(asked("/directory").is_err());
    }

    #[test]
    fn an_answer_of_something_in_between_is_none_of_the_authority() {
        let answer = |status, kind: &str| {
            let mut headers = Headers::new();
            headers.append(Known::ContentType, kind);
            headers.append("Replay-Nonce", "n");
            let body = Bytes::from_static(b"{}");
            let answer = Answer { status, headers, body };
            response_of(answer).map(|response| response.parts.status.as_u16())
        };
        assert_eq!(answer(201, "application/json"), Ok(201));
        assert_eq!(answer(400, "application/problem+json"), Ok(400));
        assert!(answer(502, "text/html").unwrap_err().contains("502"));
        assert!(answer(307, "application/json").unwrap_err().contains("307"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_000);
        let after = |value: &str| {
            let mut headers = Headers::new();
            headers.append("Retry-After", value);
            retry_after(&headers, now).map(|moment| moment.duration_since(now).unwrap().as_secs())
        };
        assert_eq!(after("120"), Some(120));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(777));
        assert_eq!(after("soon"), None);
        assert_eq!(after("18446744073709551615"), None);
    }
}
