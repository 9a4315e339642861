//! What is signed: the text that both sides make of a request (RFC 9421 §2.5).

use std::fmt;

use percent_encoding::percent_decode;
use portcullis_core::{Ctx, Known, Request, headers};

use super::Refusal;
use super::signature::Signature;

/// The longest text.
const LONGEST: usize = 128 * 1024;

/// One part of a request that can be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Component {
    Method,
    TargetUri,
    Authority,
    Scheme,
    RequestTarget,
    Path,
    Query,
    /// The parameter of the query that has this name, decoded.
    QueryParameter(Box<str>),
    /// A field, by its name in lower case.
    Field(Box<str>),
}

const DERIVED: [(&str, Component); 7] = [
    ("@method", Component::Method),
    ("@target-uri", Component::TargetUri),
    ("@authority", Component::Authority),
    ("@scheme", Component::Scheme),
    ("@request-target", Component::RequestTarget),
    ("@path", Component::Path),
    ("@query", Component::Query),
];

impl Component {
    /// # Errors
    /// When a request has no such part.
    pub(super) fn parse(text: &str) -> Result<Component, String> {
        if text.starts_with('@') {
            let known = DERIVED.iter().find(|(name, _)| *name == text);
            return known
                .map(|(_, component)| component.clone())
                .ok_or_else(|| format!("`{text}` is no part of a request that can be signed here"));
        }
        let is_name = headers::is_token(text.as_bytes()) && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if is_name {
            Ok(Component::field(text))
        } else {
            Err(format!("`{text}` is no name of a field in lower case"))
        }
    }

    pub(super) fn field(name: &str) -> Component {
        Component::Field(name.into())
    }

    /// Whether who knows this one knows the other, too.
    pub(super) fn tells_of(&self, other: &Component) -> bool {
        match self {
            Component::TargetUri => matches!(
                other,
                Component::TargetUri
                    | Component::Scheme
                    | Component::Authority
                    | Component::Path
                    | Component::Query
                    | Component::RequestTarget
            ),
            Component::RequestTarget => {
                matches!(other, Component::RequestTarget | Component::Path | Component::Query)
            }
            // Both name the host; the field is what the derived one is made of.
            Component::Field(name) if **name == *"host" => *other == Component::Authority || self == other,
            _ => self == other,
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let derived = DERIVED.iter().find(|(_, component)| component == self);
        match (self, derived) {
            (_, Some((name, _))) => f.write_str(name),
            (Component::QueryParameter(name), _) => write!(f, "@query-param;name=\"{name}\""),
            (Component::Field(name), _) => f.write_str(name),
            _ => Ok(()),
        }
    }
}

/// The text that a signature is of.
pub(super) fn of(signature: &Signature, cx: &Ctx, request: &Request) -> Result<Vec<u8>, Refusal> {
    let mut text = Vec::with_capacity(1024);
    for component in &signature.components {
        identifier(&mut text, component);
        text.extend_from_slice(b": ");
        value(&mut text, component, cx, request)?;
        text.push(b'\n');
        if text.len() > LONGEST {
            return Err(Refusal::Malformed("more is signed than is looked at"));
        }
    }
    text.extend_from_slice(b"\"@signature-params\": ");
    text.extend_from_slice(signature.parameters.as_bytes());
    Ok(text)
}

/// The component as it is named in the text.
fn identifier(text: &mut Vec<u8>, component: &Component) {
    if let Component::QueryParameter(name) = component {
        text.extend_from_slice(b"\"@query-param\";name=\"");
        for byte in name.bytes() {
            if matches!(byte, b'"' | b'\\') {
                text.push(b'\\');
            }
            text.push(byte);
        }
        text.push(b'"');
        return;
    }
    text.push(b'"');
    text.extend_from_slice(component.to_string().as_bytes());
    text.push(b'"');
}

fn value(text: &mut Vec<u8>, component: &Component, cx: &Ctx, request: &Request) -> Result<(), Refusal> {
    let target = &request.target;
    match component {
        Component::Method => text.extend_from_slice(request.method.as_str().as_bytes()),
        Component::Scheme => text.extend_from_slice(cx.scheme.as_str().as_bytes()),
        Component::Authority => text.extend_from_slice(authority(cx, request).as_bytes()),
        Component::TargetUri => {
            let uri = format!("{}://{}{}", cx.scheme.as_str(), authority(cx, request), target.as_str());
            text.extend_from_slice(uri.as_bytes());
        }
        Component::RequestTarget => text.extend_from_slice(target.as_str().as_bytes()),
        Component::Path => text.extend_from_slice(target.path().as_bytes()),
        Component::Query => {
            text.push(b'?');
            text.extend_from_slice(target.query().unwrap_or_default().as_bytes());
        }
        Component::QueryParameter(name) => query_parameter(text, name, target.query().unwrap_or_default())?,
        Component::Field(name) => field(text, name, request)?,
    }
    Ok(())
}

/// The host in lower case, without the port where it is the scheme's own (§2.2.3).
fn authority(cx: &Ctx, request: &Request) -> String {
    let host = request
        .headers
        .get_str(Known::Host)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let usual = match cx.scheme.as_str() {
        "https" => ":443",
        _ => ":80",
    };
    host.strip_suffix(usual).map(str::to_owned).unwrap_or(host)
}

/// The values of a field, without space around, one after the other (§2.1).
fn field(text: &mut Vec<u8>, name: &str, request: &Request) -> Result<(), Refusal> {
    let mut values = request.headers.get_all(name);
    let first = values
        .next()
        .ok_or(Refusal::Malformed("a field that is signed is not there"))?;
    text.extend_from_slice(first.trim_ascii());
    for value in values {
        text.extend_from_slice(b", ");
        text.extend_from_slice(value.trim_ascii());
    }
    Ok(())
}

/// The value of the only parameter of that name, encoded anew (§2.2.8).
fn query_parameter(text: &mut Vec<u8>, name: &str, query: &str) -> Result<(), Refusal> {
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if encoded(&form_decoded(key)) == name && found.replace(form_decoded(value)).is_some() {
            return Err(Refusal::Malformed("a signed parameter of the query is there twice"));
        }
    }
    let value = found.ok_or(Refusal::Malformed("a signed parameter of the query is not there"))?;
    text.extend_from_slice(encoded(&value).as_bytes());
    Ok(())
}

fn form_decoded(text: &str) -> Vec<u8> {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).collect()
}

/// Percent-encoded but for the unreserved characters, which is what "percent-encode after encoding" leaves of a form's text.
fn encoded(text: &[u8]) -> String {
    const UNRESERVED: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'*');
    percent_encoding::percent_encode(text, UNRESERVED).to_string()
}
