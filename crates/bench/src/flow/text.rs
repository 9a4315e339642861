//! Texts with placeholders: `/users/{{user.id}}`.

use super::Iteration;
use super::escape::{self, Place};
use super::scope::Scope;
use super::source::Source;
use crate::request::Unfit;

/// The longest text that is made of one. What is put in is not ours, and could be long many times over.
const LONGEST: usize = 16 * 1024 * 1024;

/// A text that was taken apart once, so that nothing is searched for when it is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    pieces: Vec<Piece>,
}

/// What a text is made of, one after the other.
#[derive(Clone, Debug)]
enum Piece {
    Fixed(String),
    Value {
        source: Source,
        place: Place,
        /// What stands between the braces.
        name: String,
    },
}

impl Text {
    /// One without placeholders.
    pub(crate) fn fixed(text: &str) -> Text {
        let mut fixed = Text::default();
        fixed.push_fixed(text);
        fixed
    }

    /// Takes a text apart, whose values stand at a place.
    ///
    /// # Errors
    /// When a placeholder says nothing that is known.
    pub(crate) fn parse(text: &str, place: Place, scope: &Scope) -> Result<Text, String> {
        let mut parsed = Text::default();
        parsed.push(text, place, scope)?;
        Ok(parsed)
    }

    /// Adds a text.
    ///
    /// # Errors
    /// When a placeholder says nothing that is known.
    pub(crate) fn push(&mut self, text: &str, place: Place, scope: &Scope) -> Result<(), String> {
        let is_alone = text.starts_with("{{") && text.find("}}") == Some(text.len().saturating_sub(2));
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (expression, after) = after.split_once("}}").ok_or("a `{{` has no `}}`")?;
            self.push_escaped(before, place);
            let value = placeholder(expression.trim(), place, is_alone && self.pieces.is_empty(), scope)?;
            self.pieces.push(value);
            rest = after;
        }
        self.push_escaped(rest, place);
        Ok(())
    }

    /// Adds characters as they are.
    pub(crate) fn push_fixed(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Fixed(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Fixed(text.to_owned())),
        }
    }

    /// Adds what a text consists of.
    pub(crate) fn append(&mut self, other: Text) {
        for piece in other.pieces {
            match piece {
                Piece::Fixed(text) => self.push_fixed(&text),
                value @ Piece::Value { .. } => self.pieces.push(value),
            }
        }
    }

    /// What a person wrote around placeholders stands as it is, but where a string is written from its characters.
    fn push_escaped(&mut self, text: &str, place: Place) {
        let mut escaped = String::with_capacity(text.len());
        match place {
            Place::JsonString => escape::json(&mut escaped, text),
            Place::Parameter => escape::percent(&mut escaped, text),
            _ => escaped.push_str(text),
        }
        self.push_fixed(&escaped);
    }

    /// The text, where it is always the same.
    pub(crate) fn as_fixed(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Fixed(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it is the value of a placeholder and nothing else, written as JSON writes it.
    pub(crate) fn is_one_value(&self) -> bool {
        let is_value = |place: &Place| matches!(place, Place::JsonValue | Place::JsonNumber);
        matches!(self.pieces.as_slice(), [Piece::Value { place, .. }] if is_value(place))
    }

    /// Writes the text of this iteration.
    ///
    /// # Errors
    /// When a value is not there, or none that can stand where it should.
    pub(crate) fn write(&self, out: &mut String, iteration: &mut Iteration) -> Result<(), Unfit> {
        for piece in &self.pieces {
            match piece {
                Piece::Fixed(text) => out.push_str(text),
                Piece::Value { source, place, name } => {
                    source.value(iteration, name, |value| place.write(out, value, name))?;
                }
            }
            if out.len() > LONGEST {
                return Err(Unfit(format!("it would have more than {LONGEST} bytes")));
            }
        }
        Ok(())
    }

    /// The text of this iteration.
    ///
    /// # Errors
    /// As [`Text::write`].
    pub(crate) fn make(&self, iteration: &mut Iteration) -> Result<String, Unfit> {
        let mut out = String::new();
        self.write(&mut out, iteration)?;
        Ok(out)
    }

    /// The text with a value in place of each placeholder that may stand anywhere, to see whether the rest is any good.
    pub(crate) fn example(&self) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Fixed(text) => text.as_str(),
            Piece::Value { place: Place::Link, .. } => "/1",
            Piece::Value { .. } => "1",
        });
        pieces.collect()
    }
}

/// What stands between two pairs of braces. `is_alone` says that nothing stands before and behind them.
fn placeholder(expression: &str, place: Place, is_alone: bool, scope: &Scope) -> Result<Piece, String> {
    let (name, form) = match expression.rsplit_once(" as ") {
        Some((name, form)) => (name.trim_end(), Some(form.trim_start())),
        None => (expression, None),
    };
    let place = match (place, form) {
        (Place::JsonString, None) if is_alone => Place::JsonValue,
        (Place::JsonString, Some("number")) if is_alone => Place::JsonNumber,
        (_, Some("number")) => {
            return Err(
                "`as number` makes a number of a value that stands alone in JSON: `\"{{user.age as number}}\"`"
                    .to_owned(),
            );
        }
        (Place::Address, Some("link")) if is_alone => Place::Link,
        (_, Some("link")) => {
            return Err(
                "`as link` takes a value as the whole path: `GET {{next as link}}`, with nothing before or behind"
                    .to_owned(),
            );
        }
        (_, Some(other)) => {
            return Err(format!(
                "`as {other}` means nothing; there is `as number` and `as link`"
            ));
        }
        (place, None) => place,
    };
    Ok(Piece::Value {
        source: source(name, scope)?,
        place,
        name: name.to_owned(),
    })
}

fn source(name: &str, scope: &Scope) -> Result<Source, String> {
    let mut words = name.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Err("between `{{` and `}}` there is nothing; write a name, such as `{{user.id}}`".to_owned()),
        (Some("uuid"), None, _) => Ok(Source::Uuid),
        (Some("number"), None, _) => Ok(Source::Number),
        (Some("timestamp"), None, _) => Ok(Source::Timestamp),
        (Some("random"), Some(range), None) => {
            let (least, most) = range_of(range)?;
            Ok(Source::Random { least, most })
        }
        (Some("popular"), Some(range), None) => {
            let (least, most) = range_of(range)?;
            Ok(Source::Popular { least, most })
        }
        (Some(word @ ("random" | "popular")), ..) => Err(format!(
            "`{word}` needs two whole numbers, such as `{{{{{word} 1..1000}}}}`"
        )),
        _ => scope.source(name),
    }
}

fn range_of(text: &str) -> Result<(u64, u64), String> {
    // Beyond this, readers of JSON disagree about what number it is (RFC 8259 §6).
    const MOST: u64 = (1 << 53) - 1;
    let range = text.split_once("..");
    let range = range.and_then(|(least, most)| Some((least.parse().ok()?, most.parse().ok()?)));
    match range {
        Some((least, most)) if least <= most && most <= MOST => Ok((least, most)),
        _ => Err(format!("`{text}` is no range of whole numbers, such as `1..1000`")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::{prop_assert_eq, proptest};

    use super::super::data::{DataSet, Order, Rows};
    use super::*;

    fn scope() -> Scope {
        let rows = Rows::from_csv(b"id,first name\n7,\"Ada \"\"the\"\" 1/2\"\n").unwrap();
        let mut scope = Scope::new(vec![DataSet::new("user", rows, Order::InTurn).unwrap()]);
        scope.capture("token");
        scope
    }

    fn check(text: &str, place: Place, expected: Result<&str, &str>) {
        let made = Text::parse(text, place, &scope()).and_then(|text| {
            let made = text.make(&mut Iteration::new(1, 41));
            made.map_err(|unfit| unfit.0)
        });
        match (made, expected) {
            (Ok(made), Ok(expected)) => assert_eq!(made, expected, "{text}"),
            (Err(message), Err(part)) => assert!(message.contains(part), "{text}: {message}"),
            (made, _) => panic!("{text}: {made:?}"),
        }
    }

    #[test]
    fn values_are_put_in() {
        check("/a", Place::Address, Ok("/a"));
        check("", Place::Plain, Ok(""));
        check("/users/{{user.id}}", Place::Address, Ok("/users/7"));
        check("/{{ user.id }}/{{user.id}}x", Place::Address, Ok("/7/7x"));
        check("/{{user.first name}}", Place::Address, Ok("/Ada%20%22the%22%201%2F2"));
        check("{{user.first name}}!", Place::Plain, Ok("Ada \"the\" 1/2!"));
        check(
            "say {{user.first name}}",
            Place::JsonString,
            Ok("say Ada \\\"the\\\" 1/2"),
        );
        check("{{user.id}}", Place::JsonString, Ok("\"7\""));
        check("{{user.id as number}}", Place::JsonString, Ok("7"));
        check("{{number}}", Place::JsonString, Ok("41"));
        check("{{random 5..5}}-{{popular 3..3}}", Place::Plain, Ok("5-3"));
        check("{a} }} {", Place::Plain, Ok("{a} }} {"));
    }

    #[test]
    fn what_is_not_known_is_told() {
        check(
            "{{user.name}}",
            Place::Plain,
            Err("has no column `name`; it has `id`, `first name`"),
        );
        check(
            "{{users.id}}",
            Place::Plain,
            Err("no `users.id` here; there is `token`, `user.id`"),
        );
        check("{{tokn}}", Place::Plain, Err("there is `token`"));
        check("{{}}", Place::Plain, Err("nothing"));
        check("{{user.id", Place::Plain, Err("no `}}`"));
        check("{{random}}", Place::Plain, Err("two whole numbers"));
        check("{{random 9..1}}", Place::Plain, Err("`9..1` is no range"));
        check("{{random 1..99999999999999999999}}", Place::Plain, Err("no range"));
        check("{{user.id as number}}", Place::Plain, Err("alone in JSON"));
        check("/{{token as link}}", Place::Address, Err("whole path"));
        check("{{user.id as text}}", Place::Plain, Err("`as number` and `as link`"));
        check("{{token}}", Place::Plain, Err("`token` was not captured"));
        check("{{user.first name as number}}", Place::JsonString, Err("is no number"));
    }

    #[test]
    fn who_knows_of_a_set_that_can_not_be_read_hears_of_it_once() {
        let mut scope = scope();
        scope.forgive("carts");
        assert!(Text::parse("{{carts.id}}", Place::Plain, &scope).is_ok());
        assert!(Text::parse("{{orders.id}}", Place::Plain, &scope).is_err());
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[{} a-z.0-9]{0,40}") {
            for place in [Place::Plain, Place::Address, Place::JsonString] {
                let _ = Text::parse(&text, place, &scope()).map(|text| text.make(&mut Iteration::default()));
            }
        }

        #[test]
        fn what_has_no_placeholder_stays(text in "[^{]*") {
            let parsed = Text::parse(&text, Place::Plain, &Scope::default()).unwrap();
            prop_assert_eq!(parsed.as_fixed(), Some(text.as_str()));
        }
    }
}
