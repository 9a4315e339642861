//! Links to the next, the previous and the first rows of a collection (RFC 8288).

use portcullis_core::Target;
use portcullis_tables::percent;

/// A parameter's name and value.
type Parameter<'p> = (&'p str, &'p str);

/// The value of `Link`: references to the same resource and query, each by its relation, which begin where a parameter says.
/// `None` where there is no link.
pub(super) fn links(target: &Target, links: &[(&str, Option<Parameter<'_>>)]) -> Option<String> {
    let mut value = String::new();
    for (relation, beginning) in links {
        if !value.is_empty() {
            value.push_str(", ");
        }
        value.push('<');
        value.push_str(&beginning_at(target, *beginning));
        value.push_str(">; rel=\"");
        value.push_str(relation);
        value.push('"');
    }
    (!value.is_empty()).then_some(value)
}

/// Whether the parameter of that name says where to begin.
pub(super) fn says_where(name: &str) -> bool {
    matches!(name, "after" | "before" | "offset")
}

/// The path and query, with that in place of whatever says where to begin.
fn beginning_at(target: &Target, beginning: Option<Parameter<'_>>) -> String {
    let mut text = target.path().to_owned();
    let kept = target.query().unwrap_or_default().split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && !says_where(name)
    });
    let mut separator = '?';
    for pair in kept {
        text.push(separator);
        // What may not stand in a reference in a field, and that no client encodes: it would end the link (RFC 8288 §3).
        for character in pair.chars() {
            match character {
                '<' => text.push_str("%3C"),
                '>' => text.push_str("%3E"),
                '"' => text.push_str("%22"),
                other => text.push(other),
            }
        }
        separator = '&';
    }
    if let Some((name, value)) = beginning {
        text.push(separator);
        text.push_str(name);
        text.push('=');
        percent::encode_into(&mut text, value);
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn links_keep_the_query_and_change_the_place() {
        let target = target("/v1/orders?state=eq.open&offset=20&limit=10&after=x&note=eq.<a>%20b");
        assert_eq!(
            links(
                &target,
                &[
                    ("next", Some(("after", "abc"))),
                    ("prev", Some(("before", "d="))),
                    ("first", None)
                ]
            )
            .as_deref(),
            Some(
                "</v1/orders?state=eq.open&limit=10&note=eq.%3Ca%3E%20b&after=abc>; rel=\"next\", \
                 </v1/orders?state=eq.open&limit=10&note=eq.%3Ca%3E%20b&before=d%3D>; rel=\"prev\", \
                 </v1/orders?state=eq.open&limit=10&note=eq.%3Ca%3E%20b>; rel=\"first\""
            )
        );
        assert_eq!(links(&target, &[]), None);
    }

    #[test]
    fn a_collection_without_a_query_gets_one() {
        let next = links(&target("/orders"), &[("next", Some(("after", "abc")))]);
        assert_eq!(next.as_deref(), Some("</orders?after=abc>; rel=\"next\""));
    }
}
