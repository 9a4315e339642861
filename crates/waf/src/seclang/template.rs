//! Texts with `%{…}` in them.

use super::variable::{self, Target};

/// A text whose parts are put together when it is needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
}

/// A part of a text.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Text(Box<[u8]>),
    Value(Target),
}

impl Template {
    /// Reads a text; `%{…}` that names no variable is an error.
    pub(super) fn new(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("%{") {
            let Some(length) = rest[start..].find('}') else {
                break;
            };
            if start > 0 {
                parts.push(Part::Text(rest.as_bytes()[..start].into()));
            }
            let name = &rest[start + 2..start + length];
            parts.push(Part::Value(value(name)?));
            rest = &rest[start + length + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.as_bytes().into()));
        }
        Ok(Template { parts })
    }

    /// The text, where nothing has to be put in.
    pub(super) fn constant(&self) -> Option<&[u8]> {
        match &self.parts[..] {
            [] => Some(b""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// `tx.name`, or a variable with or without a selector behind a dot or a colon.
fn value(name: &str) -> Result<Target, String> {
    let written = match name.split_once('.') {
        Some((variable, selector)) => format!("{variable}:{selector}"),
        None => name.to_owned(),
    };
    variable::target(&written).map_err(|problem| format!("in %{{{name}}}: {problem}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::seclang::variable::Name;

    #[test]
    fn texts_are_taken_apart() {
        let template = Template::new("a %{tx.1} b%{MATCHED_VAR}%").unwrap();
        assert_eq!(template.parts.len(), 5);
        assert!(matches!(&template.parts[1], Part::Value(target) if target.name == Name::Tx));
        assert!(matches!(&template.parts[3], Part::Value(target) if target.name == Name::MatchedVar));
        assert!(template.constant().is_none());
        assert_eq!(Template::new("a%{").unwrap().constant(), Some(&b"a%{"[..]));
        assert_eq!(Template::new("").unwrap().constant(), Some(&b""[..]));
        assert!(Template::new("%{nothing}").is_err());
    }
}
