//! What is asked, and what comes back.

use std::fmt;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use portcullis_core::{Headers, Known, Method};

use crate::Url;

/// What a form leaves as it is (the URL standard's urlencoded serialiser). A space is `%20`, which every reader knows as
/// well as `+`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// One request.
pub struct Question {
    /// The method.
    pub method: Method,
    /// Where it is asked.
    pub url: Url,
    /// The fields. `Host` and framing are added; a `User-Agent` where there is none.
    pub headers: Headers,
    /// The content.
    pub body: Bytes,
}

impl Question {
    /// Asks for a document, in JSON where there is a choice.
    pub fn get(url: Url) -> Question {
        let mut headers = Headers::new();
        headers.append(Known::Accept, "application/json, */*;q=0.1");
        Question {
            method: Method::Get,
            url,
            headers,
            body: Bytes::new(),
        }
    }

    /// Sends a form, with more fields.
    pub fn form(url: Url, pairs: &[(&str, &str)], mut headers: Headers) -> Question {
        headers.set(Known::ContentType, "application/x-www-form-urlencoded");
        if !headers.contains(Known::Accept) {
            headers.append(Known::Accept, "application/json");
        }
        Question {
            method: Method::Post,
            url,
            headers,
            body: form(pairs).into(),
        }
    }
}

/// The pairs as `application/x-www-form-urlencoded`.
fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (name, value) in pairs {
        if !form.is_empty() {
            form.push('&');
        }
        form.extend(utf8_percent_encode(name, ENCODED));
        form.push('=');
        form.extend(utf8_percent_encode(value, ENCODED));
    }
    form
}

/// An answer, read to its end.
pub struct Answer {
    /// The status; 2xx to 5xx.
    pub status: u16,
    /// The fields.
    pub headers: Headers,
    /// The content, within the limit.
    pub body: Bytes,
}

impl Answer {
    /// Whether what was asked for was done (2xx).
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl fmt::Debug for Answer {
    /// Without the content, which may be a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} bytes", self.status, self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn forms_are_encoded() {
        assert_eq!(
            form(&[("a", "b"), ("c d", "e&f=g+h/ü")]),
            "a=b&c%20d=e%26f%3Dg%2Bh%2F%C3%BC"
        );
        assert_eq!(form(&[]), "");
    }
}
