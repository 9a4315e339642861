//! How an authority is reached: one request at a time, by TLS, with our own HTTP/1.1.

use std::fmt::Display;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use portcullis_core::{Body, Headers, Known, Method, Target};
use portcullis_http1::client::{Connection, Failure, Outbound, Timeouts};
use portcullis_http1::framing::BodyLength;
use portcullis_http1::{HeadLimits, buffers, encode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

/// How long one request may take, from the name of the authority to the end of its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of an answer. The largest one is a chain of certificates.
const LARGEST: u64 = 256 * 1024;

const LIMITS: HeadLimits = HeadLimits {
    head_bytes: 32 * 1024,
    target_bytes: 8 * 1024,
    fields: 100,
};

/// Sends requests to an authority.
pub(crate) struct Transport {
    tls: TlsConnector,
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
    /// A way to an authority whose certificate is verified by those in the PEM file `ca`, or by the system's.
    ///
    /// # Errors
    /// Says in words why there is nothing to verify it by.
    pub(crate) fn new(ca: Option<&Path>, not_before: NotBefore) -> Result<Transport, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Transport {
            tls: TlsConnector::from(Arc::new(config)),
            not_before,
        })
    }
}

/// The authorities that the directory's own certificate is verified by.
///
/// # Errors
/// Says in words which file can't be read, or that there are none.
pub(crate) fn roots(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        let cannot = |error: &dyn Display| format!("can't read authorities from {}: {error}", path.display());
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| cannot(&error))? {
            let certificate = certificate.map_err(|error| cannot(&error))?;
            roots.add(certificate).map_err(|error| cannot(&error))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err("there is no authority to verify the directory's certificate by: set `acme.ca`".to_owned());
    }
    Ok(roots)
}

type Response = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

impl HttpClient for Transport {
    fn request(&self, request: http::Request<BodyWrapper<Bytes>>) -> Response {
        let (tls, not_before) = (self.tls.clone(), self.not_before.clone());
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            // What the library hands out as a request's body, only a response's can be read from.
            let mut body = BytesResponse::from(http::Response::new(body)).body;
            let body = body.into_bytes().await.map_err(Error::Other)?;
            let host = parts.uri.host().unwrap_or_default().to_owned();
            let call = Call::of(&parts, body).map_err(other)?;
            let answer = call
                .made_aside(tls)
                .await
                .map_err(|why| other(format!("{host}: {why}")))?;
            if matches!(answer.status, 429 | 503)
                && let Some(moment) = retry_after(&answer.headers, SystemTime::now())
            {
                not_before.set(moment);
            }
            answer.into_response().map_err(|why| other(format!("{host}: {why}")))
        })
    }
}

fn other(why: String) -> Error {
    Error::Other(why.into())
}

/// One request, ready to be made.
struct Call {
    host: String,
    port: u16,
    name: ServerName<'static>,
    method: Method,
    target: Target,
    headers: Headers,
    body: Bytes,
}

impl Call {
    fn of(parts: &http::request::Parts, body: Bytes) -> Result<Call, String> {
        let url = &parts.uri;
        // RFC 8555, section 6.1. A directory may name any URL.
        if url.scheme_str() != Some("https") {
            return Err(format!("the authority leads to `{url}`, which is not reached by TLS"));
        }
        let authority = url.authority().ok_or_else(|| format!("`{url}` names no host"))?;
        let host = authority.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare.clone()).map_err(|_| format!("`{host}` is no host"))?;
        let target = url.path_and_query().map_or("/", |target| target.as_str());
        let target = Target::parse(target.as_bytes()).map_err(|error| format!("`{url}`: {error}"))?;
        let mut headers = Headers::new();
        headers.append(Known::Host, authority.as_str());
        for (name, value) in &parts.headers {
            if name != http::header::USER_AGENT {
                headers.append(name.as_str(), value.as_bytes());
            }
        }
        headers.append(
            Known::UserAgent,
            concat!("portcullis/", env!("CARGO_PKG_VERSION"), " (instant-acme)"),
        );
        Ok(Call {
            host: bare,
            port: url.port_u16().unwrap_or(443),
            name,
            method: Method::from_token(parts.method.as_str()),
            target,
            headers,
            body,
        })
    }

    /// Makes the request on a thread for work that blocks, for our HTTP stays on one thread. When nobody waits for the
    /// answer any more, the thread ends, too.
    async fn made_aside(self, tls: TlsConnector) -> Result<Answer, String> {
        let (mut report, reported) = oneshot::channel();
        Handle::current().spawn_blocking(move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(report.send(Err(error.to_string()))),
            };
            let made = runtime.block_on(async {
                tokio::select! {
                    made = tokio::time::timeout(PATIENCE, self.make(tls)) => Some(made),
                    () = report.closed() => None,
                }
            });
            // Looking a name up can't be broken off, and must not hold the end of the process up.
            runtime.shutdown_background();
            if let Some(made) = made {
                let made = made.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
                let _ = report.send(made);
            }
        });
        reported.await.map_err(|_| "the program ends".to_owned())?
    }

    async fn make(self, tls: TlsConnector) -> Result<Answer, String> {
        let cannot = |error: std::io::Error| format!("can't connect to port {}: {error}", self.port);
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(cannot)?;
        let stream = tls
            .connect(self.name, stream)
            .await
            .map_err(|error| format!("can't speak TLS: {error}"))?;
        let mut head = buffers::take_output();
        let (body, length) = if self.body.is_empty() {
            (Body::Empty, BodyLength::None)
        } else {
            let length = BodyLength::Sized(self.body.len() as u64);
            (Body::from(self.body), length)
        };
        encode::request(&mut head, &self.method, &self.target, &self.headers, b"", length, None);
        let outbound = Outbound {
            head,
            body,
            framing: length,
            method: self.method,
        };
        let timeouts = Timeouts {
            first_byte: PATIENCE,
            idle: PATIENCE,
            tunnel_idle: PATIENCE,
            deadline: Some(Instant::now() + PATIENCE),
        };
        let mut exchange = Connection::new(stream).start(outbound, timeouts);
        let head = exchange
            .head(|_| {}, &LIMITS)
            .await
            .map_err(|failure| in_words(&failure))?;
        let body = exchange.into_body(&head, &LIMITS, drop);
        let body = body.read_to_end(LARGEST).await.map_err(|error| error.to_string())?;
        Ok(Answer {
            status: head.status.code(),
            headers: head.headers,
            body,
        })
    }
}

fn in_words(failure: &Failure) -> String {
    match failure {
        Failure::Closed(error) => format!("the connection broke off: {error}"),
        Failure::Timeout => format!("no answer within {PATIENCE:?}"),
        Failure::Invalid(refusal) => format!("no HTTP came: {}", refusal.detail),
        Failure::Unasked(what) => (*what).to_owned(),
        Failure::Request(error) => error.to_string(),
    }
}

/// An answer, read to its end.
struct Answer {
    status: u16,
    headers: Headers,
    body: Bytes,
}

impl Answer {
    /// The answer as the library reads it, if it is one of an authority and not of something before it.
    fn into_response(self) -> Result<BytesResponse, String> {
        let json = || {
            let kind = self.headers.get_str(Known::ContentType).unwrap_or_default();
            kind.contains("json")
        };
        let is_of_authority = (200..300).contains(&self.status) || (self.status >= 400 && json());
        if !is_of_authority {
            return Err(format!("it answers {} and says nothing more", self.status));
        }
        let mut response = http::Response::builder().status(self.status);
        for name in ["Replay-Nonce", "Location", "Retry-After", "Content-Type"] {
            if let Some(value) = self.headers.get(name) {
                response = response.header(name, value);
            }
        }
        let response = response.body(()).map_err(|error| error.to_string())?;
        Ok(BytesResponse {
            parts: response.into_parts().0,
            body: Box::new(self.body),
        })
    }
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

    fn call(url: &str) -> Result<Call, String> {
        let (parts, ()) = http::Request::get(url).body(()).unwrap().into_parts();
        Call::of(&parts, Bytes::new())
    }

    #[test]
    fn urls_are_taken_apart() {
        let made = call("https://ca.test/acme/new?a=b").unwrap();
        assert_eq!((made.host.as_str(), made.port), ("ca.test", 443));
        assert_eq!(made.target.as_str(), "/acme/new?a=b");
        assert_eq!(made.headers.get_str(Known::Host), Some("ca.test"));
        let made = call("https://[::1]:14000").unwrap();
        assert_eq!((made.host.as_str(), made.port), ("::1", 14000));
        assert_eq!(made.target.as_str(), "/");
        assert_eq!(made.headers.get_str(Known::Host), Some("[::1]:14000"));
    }

    #[test]
    fn nothing_goes_out_in_clear_text() {
        assert!(call("http://ca.test/directory").is_err());
        assert!(call("/directory").is_err());
    }

    #[test]
    fn an_answer_of_something_in_between_is_none_of_the_authority() {
        let answer = |status, kind: &str| {
            let mut headers = Headers::new();
            headers.append(Known::ContentType, kind);
            headers.append("Replay-Nonce", "n");
            let body = Bytes::from_static(b"{}");
            let answer = Answer { status, headers, body };
            answer.into_response().map(|response| response.parts.status.as_u16())
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
