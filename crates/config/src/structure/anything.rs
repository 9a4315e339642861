//! Values of any kind, where JSON is written as YAML.

use crate::substitute::substitute;
use crate::tree::{Content, Entry, Node};
use crate::written::Written;

use super::{Step, Walk};

impl<'a> Walk<'a, '_> {
    /// A value as YAML's core schema has it (YAML 1.2.2, section 10.3.2). What a variable stands for counts as written there.
    pub(super) fn anything(&mut self, node: &'a Node) -> Written<'a> {
        match &node.content {
            Content::Broken => Written::Wrong,
            Content::Nothing => Written::Nothing,
            Content::Scalar { text, quoted } => match substitute(text, self.surroundings.environment) {
                Ok(text) if *quoted => Written::Text(text),
                Ok(text) => plain(&text).unwrap_or(Written::Text(text)),
                Err(message) => self.problem(node.place, message),
            },
            Content::List(nodes) => {
                let items = nodes.iter().enumerate();
                let items = items.map(|(index, item)| self.below(&Step::Item(index), |walk| walk.anything(item)));
                Written::List(items.collect())
            }
            Content::Map(entries) => {
                let member = |entry: &'a Entry| {
                    let value = self.below(&Step::Key(&entry.key), |walk| walk.anything(&entry.node));
                    (&*entry.key, value)
                };
                Written::Group(entries.iter().map(member).collect())
            }
        }
    }
}

/// What a text without quotes means, where it isn't simply a text.
fn plain(text: &str) -> Option<Written<'static>> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Written::Nothing),
        "true" | "True" | "TRUE" => return Some(Written::Switch(true)),
        "false" | "False" | "FALSE" => return Some(Written::Switch(false)),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Ok(number) = text.parse() {
        return Some(Written::Number(number));
    }
    let number: f64 = text.parse().ok()?;
    // JSON has no infinity; who writes so many digits means a text.
    number.is_finite().then_some(Written::Decimal(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_switches_are_told_from_texts() {
        let meant = |text: &str| plain(text).map(|value| String::from_utf8(value.to_json()).expect("it is text"));
        for (text, expected) in [
            ("5", Some("5")),
            ("-7", Some("-7")),
            ("2.50", Some("2.5")),
            ("1e3", Some("1000.0")),
            ("true", Some("true")),
            ("~", Some("null")),
            ("yes", None),
            ("1.2.3", None),
            ("1e999", None),
            ("infinity", None),
            ("-nan", None),
            ("0x10", None),
            ("", Some("null")),
        ] {
            assert_eq!(meant(text).as_deref(), expected, "{text}");
        }
    }
}
