//! Where keys are fetched.

use std::path::Path;
use std::time::Duration;

use portcullis_core::Known;
use portcullis_fetch::{Answer, Fetcher, Limits, Url};
use portcullis_jose::algorithm::Algorithms;
use portcullis_jose::keys::{Keys, LONGEST_DOCUMENT};
use serde_json::Value;
use tokio::runtime::Handle;

use super::keyring::Came;

/// What is added to an issuer's URL (OpenID Connect Discovery 1.0 §4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Where keys are, and which of them may be used.
pub(super) struct Source {
    place: Place,
    allowed: Option<Algorithms>,
    fetcher: Fetcher,
}

/// Where keys are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// At this URL.
    Keys(Box<str>),
    /// Where the document at this URL says, if it is this issuer's.
    Discovery { url: Box<str>, issuer: Box<str> },
}

impl Place {
    /// Keys at a URL.
    ///
    /// # Errors
    /// When it is none that may be asked.
    pub(super) fn keys(url: &str) -> Result<Place, String> {
        check(url)?;
        Ok(Place::Keys(url.into()))
    }

    /// Keys of an issuer whose URL that is, as it stands in `iss`.
    ///
    /// # Errors
    /// When it is none that may be asked.
    pub(super) fn discovery(issuer: &str) -> Result<Place, String> {
        if issuer.ends_with(WELL_KNOWN) {
            return Err(format!("write the issuer's URL alone; `{WELL_KNOWN}` is added"));
        }
        let url = format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'));
        check(&url)?;
        Ok(Place::Discovery {
            url: url.into(),
            issuer: issuer.into(),
        })
    }
}

impl Source {
    /// Keys of that place, asked for by `runtime`. It reads the authorities by which servers are verified: `ca`, or the system's.
    ///
    /// # Errors
    /// When they can't be read.
    pub(super) fn new(
        place: Place,
        allowed: Option<Algorithms>,
        ca: Option<&Path>,
        runtime: &Handle,
    ) -> Result<Source, String> {
        let limits = Limits {
            size: u64::try_from(LONGEST_DOCUMENT).unwrap_or(u64::MAX),
            redirects: 2,
            ..Limits::default()
        };
        Ok(Source {
            place,
            allowed,
            fetcher: Fetcher::new(runtime.clone(), ca)?.with_limits(limits),
        })
    }

    /// Fetches the keys.
    ///
    /// # Errors
    /// Why there are none, in words for the log.
    pub(super) async fn fetch(&self) -> Result<Came, String> {
        let url = match &self.place {
            Place::Keys(url) => url.clone(),
            Place::Discovery { url, issuer } => {
                let answer = self.get(url).await?;
                jwks_uri(&answer.body, issuer).map_err(|why| format!("the document at {url} can't be used: {why}"))?
            }
        };
        let answer = self.get(&url).await?;
        let keys = Keys::from_jwks(&answer.body, self.allowed)
            .map_err(|why| format!("the keys at {url} can't be used: {why}"))?;
        // Whatever others can fetch, is no secret.
        if keys.iter().any(portcullis_jose::key::Key::is_secret) {
            return Err(format!(
                "the keys at {url} can't be used: they are secrets, and published"
            ));
        }
        Ok(Came {
            keys,
            max_age: max_age(&answer),
            document: answer.body.to_vec().into(),
        })
    }

    async fn get(&self, url: &str) -> Result<Answer, String> {
        let answer = self.fetcher.get(url).await;
        let answer = answer.map_err(|failure| format!("{url} can't be fetched: {failure}"))?;
        if answer.status != 200 {
            return Err(format!("{url} can't be fetched: the status is {}", answer.status));
        }
        Ok(answer)
    }
}

/// A URL from the file: `https`, or `http` on this machine, which is what a fetcher asks.
fn check(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|failure| failure.to_string())?;
    let host = parsed.host();
    let here = host == "localhost"
        || host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if url.starts_with("https://") || here {
        return Ok(());
    }
    Err(format!(
        "`{url}` would be fetched in clear text, and whoever is in between could put in keys of his own: write `https`"
    ))
}

/// Where the keys are, by the issuer's document (OpenID Connect Discovery 1.0 §4.3: the issuer must be the one that was asked).
fn jwks_uri(document: &[u8], issuer: &str) -> Result<Box<str>, String> {
    let document: Value = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    match document["issuer"].as_str() {
        Some(said) if said == issuer => {}
        Some(said) => return Err(format!("it is that of `{said}`, not of `{issuer}`")),
        None => return Err("it names no issuer".to_owned()),
    }
    let uri = document["jwks_uri"].as_str().ok_or("it names no `jwks_uri`")?;
    check(uri)?;
    Ok(uri.into())
}

/// How long the answer says that it stays so (RFC 9111 §5.2.2.1).
fn max_age(answer: &Answer) -> Option<Duration> {
    let directives = answer.headers.list(Known::CacheControl);
    let seconds = directives.filter_map(|directive| {
        let (name, value) = std::str::from_utf8(directive).ok()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then_some(())?;
        value.trim().trim_matches('"').parse().ok()
    });
    seconds.min().map(Duration::from_secs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_fetched_in_clear_text_from_afar() {
        for url in [
            "https://id.example/keys",
            "http://127.0.0.1:8080/keys",
            "http://localhost/keys",
            "http://[::1]/keys",
        ] {
            assert!(Place::keys(url).is_ok(), "{url}");
        }
        for url in [
            "http://id.example/keys",
            "http://127.0.0.1.example/keys",
            "http://localhost.example/keys",
            "http://192.168.0.1/keys",
            "ftp://id.example/keys",
            "file:///etc/passwd",
            "https://",
            "",
        ] {
            assert!(Place::keys(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_issuer_is_found_by_its_url() {
        for issuer in ["https://id.example", "https://id.example/", "https://id.example/tenant"] {
            let Ok(Place::Discovery { url, issuer: same }) = Place::discovery(issuer) else {
                panic!("{issuer}")
            };
            assert_eq!(&*same, issuer);
            assert_eq!(*url, format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/')));
        }
        assert!(Place::discovery(&format!("https://id.example{WELL_KNOWN}")).is_err());
        assert!(Place::discovery("http://id.example").is_err());
    }

    #[test]
    fn the_document_must_be_that_of_the_issuer() {
        let document = |text: &str| jwks_uri(text.as_bytes(), "https://id.example");
        assert_eq!(
            document(r#"{"issuer":"https://id.example","jwks_uri":"https://keys.example/"}"#).as_deref(),
            Ok("https://keys.example/")
        );
        for text in [
            r#"{"issuer":"https://id.example/","jwks_uri":"https://keys.example/"}"#,
            r#"{"issuer":"https://evil.example","jwks_uri":"https://keys.example/"}"#,
            r#"{"jwks_uri":"https://keys.example/"}"#,
            r#"{"issuer":"https://id.example"}"#,
            r#"{"issuer":"https://id.example","jwks_uri":"http://keys.example/"}"#,
            r#"{"issuer":"https://id.example","jwks_uri":"file:///etc/passwd"}"#,
            r#"{"issuer":"https://id.example","jwks_uri":7}"#,
            "[]",
            "<html>",
        ] {
            assert!(document(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_says_how_long_its_keys_last() {
        for (value, seconds) in [
            ("max-age=90", Some(90)),
            ("public, Max-Age=90, must-revalidate", Some(90)),
            ("max-age=\"90\"", Some(90)),
            ("max-age=90, max-age=5", Some(5)),
            ("s-maxage=7", None),
            ("max-age", None),
            ("max-age=-1", None),
            ("max-age=99999999999999999999", None),
            ("no-cache", None),
        ] {
            let mut headers = portcullis_core::Headers::new();
            headers.append(Known::CacheControl, value);
            let answer = Answer {
                status: 200,
                headers,
                body: bytes::Bytes::new(),
            };
            assert_eq!(max_age(&answer), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
