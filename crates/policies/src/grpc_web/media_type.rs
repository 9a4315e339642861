//! The types of gRPC-Web and of gRPC.

use portcullis_core::grpc::Kind;
use portcullis_core::{Headers, Known};

/// Another name of the text form (`PROTOCOL-WEB`, "Text-encoded streams").
const TEXT_BASE64: &str = "application/grpc-web-text-base64";

/// A type of gRPC-Web.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WebType {
    /// [`Kind::Web`] or [`Kind::WebText`].
    pub(super) kind: Kind,
    /// The form of the messages, such as `+proto`; empty where it isn't said.
    suffix: String,
}

impl WebType {
    /// The type that a `Content-Type` names, if it is one of gRPC-Web.
    pub(super) fn parse(content_type: &[u8]) -> Option<WebType> {
        let essence = essence(content_type)?;
        let (name, suffix) = essence.split_at(essence.find('+').unwrap_or(essence.len()));
        let kind = if name == Kind::Web.content_type() {
            Kind::Web
        } else if name == Kind::WebText.content_type() || name == TEXT_BASE64 {
            Kind::WebText
        } else {
            return None;
        };
        Some(WebType {
            kind,
            suffix: suffix.to_owned(),
        })
    }

    /// The type of gRPC with messages of the same form.
    pub(super) fn of_grpc(&self) -> String {
        format!("{}{}", Kind::Grpc.content_type(), self.suffix)
    }
}

/// The kind that `Accept` asks for, where it names one.
pub(super) fn accepted(headers: &Headers) -> Option<Kind> {
    headers
        .list(Known::Accept)
        .find_map(WebType::parse)
        .map(|accepted| accepted.kind)
}

/// What a type of gRPC is called in gRPC-Web. `None` for a type of anything else.
pub(super) fn of_web(content_type: &[u8], kind: Kind) -> Option<String> {
    let essence = essence(content_type)?;
    let suffix = essence.strip_prefix(Kind::Grpc.content_type())?;
    let is_grpc = suffix.is_empty() || suffix.starts_with('+');
    is_grpc.then(|| format!("{}{suffix}", kind.content_type()))
}

/// The type without its parameters, in small letters.
fn essence(content_type: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content_type).ok()?;
    let essence = text.split(';').next().unwrap_or_default();
    Some(essence.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content_type: &str, expected: Option<(Kind, &str)>) {
        let found = WebType::parse(content_type.as_bytes());
        let found = found.as_ref().map(|found| (found.kind, found.of_grpc()));
        assert_eq!(
            found,
            expected.map(|(kind, grpc)| (kind, grpc.to_owned())),
            "{content_type}"
        );
    }

    #[test]
    fn types_of_requests_are_translated() {
        check("application/grpc-web", Some((Kind::Web, "application/grpc")));
        check(
            "application/grpc-web+proto",
            Some((Kind::Web, "application/grpc+proto")),
        );
        check(
            "Application/gRPC-Web+JSON; charset=utf-8",
            Some((Kind::Web, "application/grpc+json")),
        );
        check("application/grpc-web-text", Some((Kind::WebText, "application/grpc")));
        check(
            "application/grpc-web-text+proto",
            Some((Kind::WebText, "application/grpc+proto")),
        );
        check(
            "application/grpc-web-text-base64",
            Some((Kind::WebText, "application/grpc")),
        );
        check("application/grpc", None);
        check("application/grpc+proto", None);
        check("application/grpc-webx", None);
        check("application/json", None);
        check("", None);
    }

    #[test]
    fn types_of_answers_are_translated() {
        let web = |content_type: &str, kind| of_web(content_type.as_bytes(), kind);
        assert_eq!(
            web("application/grpc", Kind::Web).as_deref(),
            Some("application/grpc-web")
        );
        let text = web("application/grpc+proto;x=y", Kind::WebText);
        assert_eq!(text.as_deref(), Some("application/grpc-web-text+proto"));
        assert_eq!(web("application/grpc-web+proto", Kind::Web), None);
        assert_eq!(web("text/html", Kind::Web), None);
    }

    #[test]
    fn accept_decides_where_it_names_one() {
        let accepts = |value: &str| {
            let mut headers = Headers::new();
            headers.append(Known::Accept, value);
            accepted(&headers)
        };
        assert_eq!(accepts("application/grpc-web-text"), Some(Kind::WebText));
        assert_eq!(accepts("text/html, application/grpc-web+proto;q=1"), Some(Kind::Web));
        assert_eq!(accepts("*/*"), None);
    }
}
