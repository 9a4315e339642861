//! What the client prefers (RFC 7240). What is not known here is left alone, as the RFC asks.

use portcullis_core::{Headers, Known};

/// The preferences that a table knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Preferences {
    /// `return=representation`: the answer to a change shows the rows.
    pub(super) representation: bool,
    /// `count=exact`: the answer tells how many rows there are in all.
    pub(super) count: bool,
}

impl Preferences {
    /// Reads `Prefer`.
    pub(super) fn of(headers: &Headers) -> Preferences {
        let mut preferences = Preferences::default();
        for member in headers.list(Known::Prefer) {
            let preference = member
                .split(|byte| *byte == b';')
                .next()
                .unwrap_or_default()
                .trim_ascii();
            match preference {
                b"return=representation" | b"return=\"representation\"" => preferences.representation = true,
                b"count=exact" | b"count=\"exact\"" => preferences.count = true,
                _ => {}
            }
        }
        preferences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_preferences_are_found_among_others() {
        let mut headers = Headers::new();
        headers.append(Known::Prefer, "respond-async, count=exact;foo=bar");
        assert_eq!(
            Preferences::of(&headers),
            Preferences {
                representation: false,
                count: true
            }
        );
        headers.append(Known::Prefer, "return=representation");
        assert_eq!(
            Preferences::of(&headers),
            Preferences {
                representation: true,
                count: true
            }
        );
        assert_eq!(Preferences::of(&Headers::new()), Preferences::default());
    }
}
