//! The types of content that are worth compressing.

/// A list of types, by patterns.
#[derive(Debug)]
pub(super) struct MediaTypes(Box<[Pattern]>);

/// What of a type has to be so.
#[derive(Debug)]
enum Pattern {
    /// All of it.
    Whole(Box<str>),
    /// What stands before the subtype, with the slash.
    Kind(Box<str>),
    /// The end, with the plus sign (RFC 6838 §4.2.8).
    Suffix(Box<str>),
}

impl MediaTypes {
    /// The list of these patterns.
    ///
    /// # Errors
    /// When one is none.
    pub(super) fn new(patterns: &[String]) -> Result<MediaTypes, String> {
        patterns
            .iter()
            .map(|text| Pattern::new(text))
            .collect::<Result<_, _>>()
            .map(MediaTypes)
    }

    /// Whether a `Content-Type` is of the list. gRPC never is: its messages are compressed one by one, and a client reads
    /// each as soon as it is there.
    pub(super) fn contain(&self, content_type: &[u8]) -> bool {
        let end = content_type.iter().position(|byte| *byte == b';');
        let essence = content_type[..end.unwrap_or(content_type.len())].trim_ascii();
        !begins(essence, b"application/grpc") && self.0.iter().any(|pattern| pattern.is_of(essence))
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Pattern, String> {
        let lower = text.to_ascii_lowercase();
        if let Some(suffix) = lower.strip_prefix('*') {
            if suffix.len() > 1 && suffix.starts_with('+') {
                return Ok(Pattern::Suffix(suffix.into()));
            }
        } else if let Some(kind) = lower.strip_suffix('*') {
            if kind.len() > 1 && kind.ends_with('/') {
                return Ok(Pattern::Kind(kind.into()));
            }
        } else if lower.contains('/') {
            return Ok(Pattern::Whole(lower.into()));
        }
        Err(format!("`{text}` names no type of content"))
    }

    fn is_of(&self, essence: &[u8]) -> bool {
        match self {
            Pattern::Whole(whole) => essence.eq_ignore_ascii_case(whole.as_bytes()),
            Pattern::Kind(kind) => begins(essence, kind.as_bytes()),
            Pattern::Suffix(suffix) => essence
                .len()
                .checked_sub(suffix.len())
                .is_some_and(|at| essence[at..].eq_ignore_ascii_case(suffix.as_bytes())),
        }
    }
}

fn begins(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use portcullis_config::policy::compress::Compress;

    use super::*;

    #[test]
    fn text_of_all_kinds_is_worth_it_by_default() {
        let types = MediaTypes::new(&Compress::default().types).unwrap();
        for text in [
            "text/html; charset=utf-8",
            "TEXT/CSS",
            "text/event-stream",
            "application/json",
            "application/JSON;x",
            "application/problem+json",
            "application/vnd.api+json ; a=b",
            "image/svg+xml",
            "application/wasm",
            "application/javascript",
        ] {
            assert!(types.contain(text.as_bytes()), "{text}");
        }
        for other in [
            "",
            "image/png",
            "video/mp4",
            "application/zip",
            "application/octet-stream",
            "application/jsonx",
            "text",
            "x; text/html",
        ] {
            assert!(!types.contain(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn grpc_is_never_touched() {
        let types = MediaTypes::new(&["application/*".to_owned(), "*+json".to_owned()]).unwrap();
        assert!(types.contain(b"application/x"));
        for grpc in [
            "application/grpc",
            "application/GRPC+json",
            "application/grpc-web-text+proto",
        ] {
            assert!(!types.contain(grpc.as_bytes()), "{grpc}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "*", "*/*", "json", "*json", "/*", "*+"] {
            assert!(MediaTypes::new(&[text.to_owned()]).is_err(), "{text}");
        }
    }
}
