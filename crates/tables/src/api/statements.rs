//! Statements of the file: `:name` becomes a placeholder of the engine, wherever it isn't in quotes or a comment.

use super::{ExposedStatement, NamedStatement};
use crate::schema::{Cast, Engine, Type, did_you_mean};

pub(super) fn resolve(engine: Engine, name: &str, exposed: ExposedStatement) -> Result<NamedStatement, String> {
    let mut arguments: Vec<(Box<str>, Type)> = Vec::new();
    for (argument, kind) in exposed.arguments {
        let cast = Cast::named(&kind).ok_or_else(|| format!("`{argument}`: there is no type `{kind}`"))?;
        if arguments.iter().any(|(known, _)| **known == *argument) {
            return Err(format!("there are two arguments `{argument}`"));
        }
        arguments.push((argument.into(), cast.kind()));
    }
    let mut reading = Reading {
        engine,
        arguments: &arguments,
        text: String::new(),
        order: Vec::new(),
    };
    reading.read(exposed.sql.trim())?;
    let Reading { text, order, .. } = reading;
    if let Some((argument, _)) = arguments.iter().enumerate().find_map(|(place, argument)| {
        let is_used = order.contains(&place);
        (!is_used).then_some(argument)
    }) {
        return Err(format!("its text has no `:{argument}`"));
    }
    if text.trim().is_empty() {
        return Err("it has no text".to_owned());
    }
    Ok(NamedStatement {
        name: name.into(),
        text: text.into(),
        arguments,
        order,
        writes: exposed.writes,
    })
}

struct Reading<'a> {
    engine: Engine,
    arguments: &'a [(Box<str>, Type)],
    text: String,
    order: Vec<usize>,
}

impl Reading<'_> {
    fn read(&mut self, sql: &str) -> Result<(), String> {
        let mut rest = sql;
        while let Some(character) = rest.chars().next() {
            if let Some(length) = self.passed_over(rest)? {
                self.text.push_str(&rest[..length]);
                rest = &rest[length..];
                continue;
            }
            match character {
                ':' if rest.starts_with("::") => {
                    self.text.push_str("::");
                    rest = &rest[2..];
                }
                ':' => rest = self.argument(&rest[1..])?,
                ';' if rest[1..].trim().is_empty() => return Ok(()),
                ';' => return Err("it is more than one statement".to_owned()),
                // They would be placeholders whose values nothing tells.
                '?' if self.engine != Engine::Postgres => {
                    return Err("`?` stands for nothing; arguments are `:name`".to_owned());
                }
                '$' if self.engine == Engine::Postgres && rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                    return Err("`$1` stands for nothing; arguments are `:name`".to_owned());
                }
                other => {
                    self.text.push(other);
                    rest = &rest[other.len_utf8()..];
                }
            }
        }
        Ok(())
    }

    /// How long the quoted text or comment is that begins here.
    fn passed_over(&self, rest: &str) -> Result<Option<usize>, String> {
        let open = || "a quote or comment doesn't end".to_owned();
        let to = |end: &str, from: usize| rest[from..].find(end).map(|place| from + place + end.len());
        let mysql = self.engine.is_mysql_like();
        let length = if rest.starts_with("--") || (mysql && rest.starts_with('#')) {
            Some(rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            Some(to("*/", 2).ok_or_else(open)?)
        } else if rest.starts_with('[') && self.engine == Engine::Sqlite {
            Some(to("]", 1).ok_or_else(open)?)
        } else if let Some(quote) = rest.chars().next().filter(|first| matches!(first, '\'' | '"' | '`')) {
            let escapes = mysql && quote != '`' || self.engine == Engine::Postgres && self.text.ends_with(['E', 'e']);
            Some(quoted(rest, quote, escapes).ok_or_else(open)?)
        } else if rest.starts_with('$') && self.engine == Engine::Postgres {
            match dollar_tag(rest) {
                None => None,
                Some(tag) => Some(to(tag, tag.len()).ok_or_else(open)?),
            }
        } else {
            None
        };
        Ok(length)
    }

    fn argument<'r>(&mut self, rest: &'r str) -> Result<&'r str, String> {
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let length = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        // `array[1:2]` and `:=` are no arguments.
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            self.text.push(':');
            return Ok(rest);
        }
        let Some(place) = self.arguments.iter().position(|(known, _)| **known == *name) else {
            let known = self.arguments.iter().map(|(known, _)| &**known);
            return Err(format!("it has no argument `{name}`{}", did_you_mean(name, known)));
        };
        self.order.push(place);
        if self.engine == Engine::Postgres {
            self.text.push_str(&format!("${}", self.order.len()));
        } else {
            self.text.push('?');
        }
        Ok(after)
    }
}

/// The length of a text in quotes, in which a quote is doubled.
fn quoted(rest: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((place, character)) = characters.next() {
        if escapes && character == '\\' {
            characters.next();
        } else if character == quote {
            match characters.peek() {
                Some((_, next)) if *next == quote => {
                    characters.next();
                }
                _ => return Some(place + quote.len_utf8()),
            }
        }
    }
    None
}

/// `$$` or `$tag$` at the beginning.
fn dollar_tag(rest: &str) -> Option<&str> {
    let length = rest[1..].find('$')? + 2;
    let tag = &rest[..length];
    let inner = &tag[1..length - 1];
    let is_tag = !inner.starts_with(|first: char| first.is_ascii_digit())
        && inner
            .chars()
            .all(|character| character.is_alphanumeric() || character == '_');
    is_tag.then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crate::api::ExposedStatement;
    use crate::schema::Engine;

    fn text(engine: Engine, sql: &str) -> String {
        let statement = ExposedStatement {
            sql: sql.to_owned(),
            arguments: vec![
                ("a".to_owned(), "integer".to_owned()),
                ("b".to_owned(), "text".to_owned()),
            ],
            writes: false,
        };
        match resolve(engine, "x", statement) {
            Ok(statement) => format!("{} {:?}", statement.text, statement.order),
            Err(problem) => problem,
        }
    }

    #[test]
    fn arguments_become_placeholders_outside_of_quotes_and_comments() {
        for (engine, sql, expected) in [
            (Engine::Sqlite, "select :a, :b, :a;", "select ?, ?, ? [0, 1, 0]"),
            (
                Engine::Postgres,
                "select :a::int, :b, :a",
                "select $1::int, $2, $3 [0, 1, 0]",
            ),
            (
                Engine::Postgres,
                "select ':a''', \":b\", :a, :b",
                "select ':a''', \":b\", $1, $2 [0, 1]",
            ),
            (
                Engine::Postgres,
                "select :a -- :b\n, :b",
                "select $1 -- :b\n, $2 [0, 1]",
            ),
            (
                Engine::Postgres,
                "select $$:a;$$, $x$:b$x$, :a, :b",
                "select $$:a;$$, $x$:b$x$, $1, $2 [0, 1]",
            ),
            (
                Engine::Postgres,
                r"select E'\':a', :a, :b",
                r"select E'\':a', $1, $2 [0, 1]",
            ),
            (
                Engine::MariaDb,
                r"select '\':a', `:b`, :a, :b # :a",
                r"select '\':a', `:b`, ?, ? # :a [0, 1]",
            ),
            (
                Engine::Sqlite,
                "select [:a], /* :b */ :a, :b",
                "select [:a], /* :b */ ?, ? [0, 1]",
            ),
            (
                Engine::Postgres,
                "select x[1:2], :a, :b",
                "select x[1:2], $1, $2 [0, 1]",
            ),
            (
                Engine::Sqlite,
                "select ?, :a, :b",
                "`?` stands for nothing; arguments are `:name`",
            ),
            (
                Engine::Postgres,
                "select $1, :a, :b",
                "`$1` stands for nothing; arguments are `:name`",
            ),
            (Engine::Sqlite, "select :a; select :b", "it is more than one statement"),
            (Engine::Sqlite, "select :a, :b, /* ", "a quote or comment doesn't end"),
        ] {
            assert_eq!(text(engine, sql), expected, "{sql}");
        }
    }
}
