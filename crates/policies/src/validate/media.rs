//! Media types, and which of them are JSON.

use portcullis_core::{Headers, Known};

/// The media type of a message, as the field has it.
pub(crate) struct MediaType {
    /// In lower case, without parameters.
    pub(crate) name: String,
    charset: Option<String>,
}

impl MediaType {
    /// The type of a message; `None` where it says none, or not one only.
    pub(crate) fn of(headers: &Headers) -> Option<MediaType> {
        let field = headers.get_str(Known::ContentType)?;
        if headers.get_all(Known::ContentType).nth(1).is_some() {
            return None;
        }
        let mut parts = field.split(';');
        let name = parts.next()?.trim().to_ascii_lowercase();
        let (kind, subtype) = name.split_once('/')?;
        let is_name = |text: &str| portcullis_core::headers::is_token(text.as_bytes()) && !text.contains('*');
        if !is_name(kind) || !is_name(subtype) {
            return None;
        }
        let charset = parts.find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim()
                .eq_ignore_ascii_case("charset")
                .then(|| value.trim().trim_matches('"').to_ascii_lowercase())
        });
        Some(MediaType { name, charset })
    }

    /// Whether it is JSON: `application/json`, or what ends in `+json` (RFC 6839 §3.1).
    pub(crate) fn is_json(&self) -> bool {
        is_json(&self.name)
    }

    /// Whether JSON of this type may be read: in any other character set another program may see other text.
    pub(crate) fn is_utf8(&self) -> bool {
        self.charset
            .as_deref()
            .is_none_or(|charset| matches!(charset, "utf-8" | "us-ascii"))
    }

    /// Whether it is of a pattern: `text/plain`, `text/*`, `*+json`, `*/*`.
    pub(crate) fn is_of(&self, pattern: &str) -> bool {
        if let Some(suffix) = pattern.strip_prefix('*').filter(|suffix| suffix.starts_with('+')) {
            return self.name.ends_with(suffix);
        }
        match pattern.strip_suffix("/*") {
            Some("*") => true,
            Some(kind) => self.name.split_once('/').is_some_and(|(own, _)| own == kind),
            None => self.name == pattern,
        }
    }
}

/// Whether a media type or a pattern of them is JSON.
pub(crate) fn is_json(name: &str) -> bool {
    name == "application/json" || name.ends_with("+json")
}

/// Whether the content is as it was written: what is compressed can't be read.
pub(crate) fn is_plain(headers: &Headers) -> bool {
    headers
        .list(Known::ContentEncoding)
        .all(|coding| coding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_strictly() {
        let of = |fields: &[&str]| {
            let mut headers = Headers::new();
            for field in fields {
                headers.append(Known::ContentType, field);
            }
            MediaType::of(&headers)
        };
        for (field, name, json, utf8) in [
            ("application/json", "application/json", true, true),
            (
                "Application/Problem+JSON; charset=\"UTF-8\"",
                "application/problem+json",
                true,
                true,
            ),
            ("application/json;charset=utf-16", "application/json", true, false),
            ("text/plain", "text/plain", false, true),
        ] {
            let found = of(&[field]).expect("it is a type");
            assert_eq!(
                (found.name.as_str(), found.is_json(), found.is_utf8()),
                (name, json, utf8)
            );
        }
        for fields in [&[][..], &["json"], &["*/*"], &["a/b", "a/c"], &["a/b c"], &["/json"]] {
            assert!(of(fields).is_none(), "{fields:?}");
        }
        let found = of(&["application/vnd.a+json"]).expect("it is a type");
        for pattern in ["*+json", "application/*", "*/*", "application/vnd.a+json"] {
            assert!(found.is_of(pattern), "{pattern}");
        }
        assert!(!found.is_of("application/json"));
    }
}
