//! Methods and header fields.

use super::Checked;

/// Fields of framing and connection: a change of them would break messages, or smuggle others into them.
const UNTOUCHABLE: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a text is a token (RFC 9110, section 5.6.2): the form of a field name and of a method.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Methods are told apart by case (RFC 9110, section 9.1), and all of those in use are in capitals.
pub(super) fn method(text: &str) -> Checked {
    if !is_token(text) {
        return Err(format!("`{text}` is no method, such as `GET`"));
    }
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(format!(
            "methods are written in capitals; did you mean `{}`?",
            text.to_ascii_uppercase()
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn field_name(text: &str) -> Checked {
    if is_token(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is no name of a header field, such as `X-Tenant` (RFC 9110, section 5.1)"
    ))
}

/// The name of a cookie is a token as well (RFC 6265, section 4.1.1).
pub(super) fn cookie_name(text: &str) -> Checked {
    if is_token(text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no name of a cookie, such as `target`"))
}

pub(super) fn editable_field_name(text: &str) -> Checked {
    if UNTOUCHABLE.iter().any(|name| name.eq_ignore_ascii_case(text)) {
        return Err(format!(
            "`{text}` belongs to framing and connection, which are the gate's own to write; take it out"
        ));
    }
    if text.eq_ignore_ascii_case("host") {
        return Err("what targets see as `Host` is said by `host` of the service".to_owned());
    }
    field_name(text)
}

pub(super) fn field_value(text: &str) -> Checked {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err("a header field's value can't hold line breaks or other control characters".to_owned());
    }
    if text.trim_matches([' ', '\t']) != text {
        return Err("a header field's value can't begin or end with a space (RFC 9110, section 5.5)".to_owned());
    }
    Ok(text.to_owned())
}

/// A type, `text/*` for all of a kind, or `*+json` for all with a suffix.
pub(super) fn media_type(text: &str) -> Checked {
    let is_name = |name: &str| is_token(name) && !name.contains('*');
    let fine = match text.strip_prefix("*+") {
        Some(suffix) => is_name(suffix),
        None => text
            .split_once('/')
            .is_some_and(|(kind, subtype)| is_name(kind) && (subtype == "*" || is_name(subtype))),
    };
    if fine {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "`{text}` names no type of content; write `application/json`, `text/*` or `*+json`"
    ))
}

pub(super) fn sha256(text: &str) -> Checked {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("a SHA-256 has 64 hexadecimal digits; make it with `printf %s \"$KEY\" | sha256sum`".to_owned())
}
