//! Where a request carries its token, and how it is taken out.

use portcullis_config::policy::jwt;
use portcullis_core::{Headers, Known, Request};

use crate::field_name::FieldName;

/// The places where tokens are looked for.
#[derive(Debug)]
pub(super) struct Places {
    header: Option<FieldName>,
    cookie: Option<Box<str>>,
    query: Option<Box<str>>,
}

/// What a request was found to carry.
pub(super) enum Found<'r> {
    Nothing,
    Token(&'r [u8]),
    /// More than one: which of them counts is what another program on the way may see otherwise.
    Several,
}

impl Places {
    /// # Errors
    /// When a name can't be used.
    pub(super) fn new(config: &jwt::Jwt) -> Result<Places, String> {
        let elsewhere = config.cookie.is_some() || config.query.is_some();
        let header = match &config.header {
            Some(name) => Some(FieldName::new(name)?),
            None if elsewhere => None,
            None => Some(FieldName::new("Authorization")?),
        };
        if let Some(query) = &config.query
            && !portcullis_core::headers::is_token(query.as_bytes())
        {
            return Err(format!(
                "`{query}` is no name for a query parameter here: write letters, digits and hyphens"
            ));
        }
        Ok(Places {
            header,
            cookie: config.cookie.as_deref().map(Box::from),
            query: config.query.as_deref().map(Box::from),
        })
    }

    /// Looks for a token: something of three parts with dots between.
    pub(super) fn find<'r>(&'r self, request: &'r Request) -> Found<'r> {
        let fields = self.header.iter().flat_map(|field| in_field(&request.headers, field));
        let cookies = self.cookie.iter().flat_map(|name| in_cookies(&request.headers, name));
        let query = request.target.query().unwrap_or_default();
        let parameters = self.query.iter().flat_map(|name| in_query(query, name));
        let mut tokens = fields
            .chain(cookies)
            .chain(parameters)
            .filter(|text| has_three_parts(text));
        match (tokens.next(), tokens.next()) {
            (None, _) => Found::Nothing,
            (Some(token), None) => Found::Token(token),
            (Some(_), Some(_)) => Found::Several,
        }
    }

    /// Takes the token out, wherever it is.
    pub(super) fn take_out(&self, request: &mut Request) {
        if let Some(field) = &self.header {
            request.headers.remove(field.name());
        }
        if let Some(name) = &self.cookie {
            take_cookie_out(&mut request.headers, name);
        }
        if let Some(name) = &self.query
            && let Some(query) = request.target.query()
        {
            let others: Vec<&str> = query.split('&').filter(|pair| named(pair, name).is_none()).collect();
            let rest = others.join("&");
            request.target.set_query((!rest.is_empty()).then_some(&*rest));
        }
    }
}

/// The values of a field; in `Authorization` what follows `Bearer` (RFC 6750 §2.1), the scheme in any case.
fn in_field<'r>(headers: &'r Headers, field: &'r FieldName) -> impl Iterator<Item = &'r [u8]> {
    let with_scheme = field.known() == Some(Known::Authorization);
    headers.get_all(field.name()).filter_map(move |value| {
        if !with_scheme {
            return Some(value);
        }
        let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
    })
}

fn in_cookies<'r>(headers: &'r Headers, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
    headers
        .get_all(Known::Cookie)
        .flat_map(|line| line.split(|byte| *byte == b';'))
        .filter_map(move |pair| cookie_named(pair, name))
}

fn in_query<'r>(query: &'r str, name: &'r str) -> impl Iterator<Item = &'r [u8]> {
    query
        .split('&')
        .filter_map(move |pair| named(pair, name).map(str::as_bytes))
}

fn cookie_named<'r>(pair: &'r [u8], name: &str) -> Option<&'r [u8]> {
    let rest = pair.trim_ascii().strip_prefix(name.as_bytes())?;
    rest.strip_prefix(b"=")
}

/// The value of the parameter of that name. A token has no character that must be encoded, and neither has the name.
fn named<'r>(pair: &'r str, name: &str) -> Option<&'r str> {
    pair.strip_prefix(name)?.strip_prefix('=')
}

fn take_cookie_out(headers: &mut Headers, name: &str) {
    if in_cookies(headers, name).next().is_none() {
        return;
    }
    let lines: Vec<Vec<u8>> = headers.get_all(Known::Cookie).map(<[u8]>::to_vec).collect();
    headers.remove(Known::Cookie);
    for line in lines {
        let others: Vec<&[u8]> = line
            .split(|byte| *byte == b';')
            .map(<[u8]>::trim_ascii)
            .filter(|pair| !pair.is_empty() && cookie_named(pair, name).is_none())
            .collect();
        if !others.is_empty() {
            headers.append(Known::Cookie, others.join(&b"; "[..]));
        }
    }
}

fn has_three_parts(text: &[u8]) -> bool {
    memchr::memchr_iter(b'.', text).take(3).count() == 2
}
