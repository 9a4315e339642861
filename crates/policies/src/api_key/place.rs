//! Where in a request a key is.

use std::borrow::Cow;

use portcullis_core::{Headers, Known, Request};

use super::{Refusal, query};
use crate::field_name::FieldName;

/// A header field, a query parameter, or either.
#[derive(Debug)]
pub(super) struct Place {
    header: Option<FieldName>,
    query: Option<Box<str>>,
    challenge: Box<str>,
}

impl Place {
    pub(super) fn new(header: Option<&str>, query: Option<&str>) -> Result<Place, String> {
        let header = match (header, query) {
            (Some(header), _) => Some(FieldName::new(header)?),
            (None, Some(_)) => None,
            (None, None) => Some(FieldName::new("X-Api-Key")?),
        };
        if let Some(query) = query
            && !portcullis_core::headers::is_token(query.as_bytes())
        {
            return Err(format!(
                "`{query}` is no name for a query parameter here: write letters, digits and hyphens"
            ));
        }
        Ok(Place {
            challenge: challenge(header.as_ref(), query),
            query: query.map(Box::from),
            header,
        })
    }

    /// The key of a request, where it has one.
    pub(super) fn key<'r>(&self, request: &'r Request) -> Result<Option<Cow<'r, [u8]>>, Refusal> {
        let in_field = match &self.header {
            Some(header) => in_field(&request.headers, header)?,
            None => None,
        };
        let in_query = match (&self.query, request.target.query()) {
            (Some(parameter), Some(query)) => query::find(query, parameter)?,
            _ => None,
        };
        match (in_field, in_query) {
            (Some(_), Some(_)) => Err(Refusal::Several),
            (Some(key), None) => Ok(Some(Cow::Borrowed(key))),
            (None, key) => Ok(key),
        }
    }

    /// Takes it out of the request.
    pub(super) fn take_out(&self, request: &mut Request) {
        if let Some(header) = &self.header {
            request.headers.remove(header.name());
        }
        if let Some(parameter) = &self.query
            && let Some(rest) = request
                .target
                .query()
                .and_then(|query| query::without(query, parameter))
        {
            request.target.set_query((!rest.is_empty()).then_some(&*rest));
        }
    }

    /// What a client without a key is told.
    pub(super) fn challenge(&self) -> &str {
        &self.challenge
    }
}

/// The key in the field, where it is there. Several fields are refused: which of them counts is what another program on
/// the way may see otherwise.
fn in_field<'h>(headers: &'h Headers, field: &FieldName) -> Result<Option<&'h [u8]>, Refusal> {
    let Some(key) = headers.get(field.name()) else {
        return Ok(None);
    };
    if headers.get_all(field.name()).nth(1).is_some() {
        return Err(Refusal::Several);
    }
    if field.known() != Some(Known::Authorization) {
        return Ok(Some(key));
    }
    // RFC 9110 §11.1: the scheme is compared without case, and one or more spaces follow it. What has another scheme is
    // somebody else's credential.
    match key.split_at_checked(b"Bearer ".len()) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"Bearer ") => Ok(Some(key.trim_ascii())),
        _ => Ok(None),
    }
}

/// The challenge that a 401 must have (RFC 9110 §15.5.2). `Bearer` is registered (RFC 6750); for other places of a key no
/// scheme is, so the name and the words of OpenAPI tell a person what is asked for.
fn challenge(header: Option<&FieldName>, query: Option<&str>) -> Box<str> {
    match (header, query) {
        (Some(header), _) if header.known() == Some(Known::Authorization) => "Bearer realm=\"portcullis\"".into(),
        (Some(header), _) => format!(
            "ApiKey realm=\"portcullis\", in=\"header\", name=\"{}\"",
            header.as_str()
        )
        .into(),
        (None, query) => format!(
            "ApiKey realm=\"portcullis\", in=\"query\", name=\"{}\"",
            query.unwrap_or_default()
        )
        .into(),
    }
}
