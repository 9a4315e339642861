//! How a value is written where it is put in, so that it stays a value there, whatever it holds.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::value::{Kind, Seen};
use crate::request::Unfit;

/// Where a value is put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A text, as it is.
    Plain,
    /// The value of a header field.
    Field,
    /// A segment of a path, or a parameter of a query that is written encoded.
    Address,
    /// A parameter of a query or a form that is written as it is meant.
    Parameter,
    /// A whole path, as a link has it.
    Link,
    /// Within a string of JSON.
    JsonString,
    /// A value of JSON by itself.
    JsonValue,
    /// A number of JSON by itself.
    JsonNumber,
}

impl Place {
    /// Writes a value.
    ///
    /// # Errors
    /// When nothing of that kind can stand here. `name` is what the value is called.
    pub(crate) fn write(self, out: &mut String, value: Seen<'_>, name: &str) -> Result<(), Unfit> {
        match self {
            Place::Plain => out.push_str(value.text),
            Place::Field => out.extend(value.text.chars().map(|c| if c.is_control() { ' ' } else { c })),
            Place::Address | Place::Parameter => percent(out, value.text),
            Place::Link => out.push_str(path_of(value.text).ok_or_else(|| {
                Unfit(format!(
                    "`{name}` is no link within the target: it must be a path that begins with `/`"
                ))
            })?),
            Place::JsonString => json(out, value.text),
            Place::JsonValue if value.kind == Kind::Json => out.push_str(value.text),
            Place::JsonValue => {
                out.push('"');
                json(out, value.text);
                out.push('"');
            }
            Place::JsonNumber => {
                if serde_json::from_str::<serde_json::Number>(value.text).is_err() {
                    return Err(Unfit(format!("`{name}` is no number")));
                }
                out.push_str(value.text);
            }
        }
        Ok(())
    }
}

/// All but the unreserved characters (RFC 3986 §2.3): a value never ends the segment or parameter in which it stands.
const DELIMITING: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Writes a text percent-encoded.
pub(crate) fn percent(out: &mut String, text: &str) {
    out.extend(utf8_percent_encode(text, DELIMITING));
}

/// The characters of a string of JSON (RFC 8259 §7), without its quotes.
pub(crate) fn json(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                out.push_str("\\u00");
                out.push(if c < '\x10' { '0' } else { '1' });
                out.push(char::from_digit(c as u32 & 15, 16).expect("it is a hexadecimal digit"));
            }
            c => out.push(c),
        }
    }
}

/// The path of a link, without scheme and host: a request goes to the target, wherever the link leads.
fn path_of(link: &str) -> Option<&str> {
    let path = match link.strip_prefix("http://").or_else(|| link.strip_prefix("https://")) {
        Some(rest) => &rest[rest.find('/')?..],
        // Two slashes begin a host (RFC 3986 §4.2).
        None if link.starts_with("//") => return None,
        None => link,
    };
    let path = path.split('#').next().unwrap_or_default();
    path.starts_with('/').then_some(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn written(place: Place, text: &str, kind: Kind) -> Result<String, Unfit> {
        let mut out = String::new();
        place.write(&mut out, Seen { text, kind }, "it").map(|()| out)
    }

    #[test]
    fn a_value_stays_what_it_is() {
        for (place, text, kind, expected) in [
            (Place::Plain, "a\"b", Kind::Text, Some("a\"b")),
            (Place::Field, "a\r\nX: b", Kind::Text, Some("a  X: b")),
            (
                Place::Address,
                "a/b?c=d&e#ä",
                Kind::Text,
                Some("a%2Fb%3Fc%3Dd%26e%23%C3%A4"),
            ),
            (
                Place::JsonString,
                "\",\"admin\":\"",
                Kind::Text,
                Some("\\\",\\\"admin\\\":\\\""),
            ),
            (Place::JsonValue, "5", Kind::Text, Some("\"5\"")),
            (Place::JsonValue, "5", Kind::Json, Some("5")),
            (Place::JsonNumber, "-5.5e3", Kind::Text, Some("-5.5e3")),
            (Place::JsonNumber, "5,\"admin\":true", Kind::Text, None),
            (Place::JsonNumber, "", Kind::Text, None),
            (Place::Link, "/items?page=2#top", Kind::Text, Some("/items?page=2")),
            (Place::Link, "https://elsewhere.test/items", Kind::Text, Some("/items")),
            (Place::Link, "https://elsewhere.test", Kind::Text, None),
            (Place::Link, "//elsewhere.test/items", Kind::Text, None),
            (Place::Link, "items", Kind::Text, None),
        ] {
            assert_eq!(written(place, text, kind).ok().as_deref(), expected, "{place:?} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_in_json_is_read_back_as_it_was(text in ".*") {
            let value = written(Place::JsonValue, &text, Kind::Text).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&value).unwrap(), text);
        }

        #[test]
        fn a_text_in_an_address_has_no_delimiter(text in ".*") {
            let value = written(Place::Address, &text, Kind::Text).unwrap();
            prop_assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        }
    }
}
