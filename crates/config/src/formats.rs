//! The forms of single texts.

/// Whether a text is a token (RFC 9110, section 5.6.2): the form of a field name and of a method.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
