//! What the checks in the text of a table tell of its columns. SQLite knows no enumerations and no type for JSON, and
//! people write `CHECK (state IN ('open', 'done'))` and `CHECK (json_valid(data))` instead. Nothing but exactly that is
//! recognised: whatever else a check says, it is SQLite's to judge.

use std::iter::Peekable;
use std::str::CharIndices;

/// What a check says of one column.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// It is one of these words.
    OneOf(Vec<String>),
    /// It is JSON.
    Json,
}

/// A token of SQL, as far as it is told apart here.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A name, and whether it was quoted: a keyword isn't.
    Name(String, bool),
    /// A text.
    Text(String),
    /// Any other character.
    Mark(char),
}

/// The checks in the text of a table that say one of these things, with the column's name.
pub(super) fn checks(sql: &str) -> Vec<(String, Check)> {
    let tokens = tokens(sql);
    let is_check = |token: &Token| matches!(token, Token::Name(name, false) if name.eq_ignore_ascii_case("check"));
    let starts = tokens.iter().enumerate().filter(|(_, token)| is_check(token));
    starts.filter_map(|(at, _)| check(&tokens[at + 1..])).collect()
}

fn check(tokens: &[Token]) -> Option<(String, Check)> {
    use Token::{Mark, Name, Text};
    let named = |token: &Token, word: &str| matches!(token, Name(name, false) if name.eq_ignore_ascii_case(word));
    match tokens {
        [Mark('('), valid, Mark('('), Name(column, _), Mark(')'), Mark(')'), ..] if named(valid, "json_valid") => {
            Some((column.clone(), Check::Json))
        }
        [Mark('('), Name(column, _), within, Mark('('), rest @ ..] if named(within, "in") => {
            let mut words = Vec::new();
            let mut rest = rest;
            loop {
                match rest {
                    [Text(word), Mark(','), more @ ..] => {
                        words.push(word.clone());
                        rest = more;
                    }
                    [Text(word), Mark(')'), Mark(')'), ..] => {
                        words.push(word.clone());
                        return Some((column.clone(), Check::OneOf(words)));
                    }
                    _ => return None,
                }
            }
        }
        _ => None,
    }
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut characters = sql.char_indices().peekable();
    let mut tokens = Vec::new();
    while let Some((at, character)) = characters.next() {
        match character {
            _ if character.is_whitespace() => {}
            '-' if sql[at..].starts_with("--") => skip_until(&mut characters, sql, "\n"),
            '/' if sql[at..].starts_with("/*") => {
                characters.next();
                skip_until(&mut characters, sql, "*/");
            }
            '\'' => tokens.push(Token::Text(quoted(&mut characters, '\''))),
            '"' | '`' => tokens.push(Token::Name(quoted(&mut characters, character), true)),
            '[' => tokens.push(Token::Name(quoted(&mut characters, ']'), true)),
            _ if character.is_alphanumeric() || character == '_' => {
                let mut name = String::from(character);
                while let Some((_, next)) =
                    characters.next_if(|(_, next)| next.is_alphanumeric() || "_$".contains(*next))
                {
                    name.push(next);
                }
                tokens.push(Token::Name(name, false));
            }
            mark => tokens.push(Token::Mark(mark)),
        }
    }
    tokens
}

/// What stands until the quote ends; a doubled quote is one in it.
fn quoted(characters: &mut Peekable<CharIndices<'_>>, quote: char) -> String {
    let mut text = String::new();
    while let Some((_, character)) = characters.next() {
        if character == quote && characters.next_if(|(_, next)| *next == quote && quote != ']').is_none() {
            break;
        }
        text.push(character);
    }
    text
}

fn skip_until(characters: &mut Peekable<CharIndices<'_>>, sql: &str, end: &str) {
    while let Some((at, _)) = characters.next() {
        if sql[at..].starts_with(end) {
            for _ in 1..end.len() {
                characters.next();
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of(column: &str, words: &[&str]) -> (String, Check) {
        (
            column.to_owned(),
            Check::OneOf(words.iter().map(|word| (*word).to_owned()).collect()),
        )
    }

    #[test]
    fn lists_of_words_and_json_are_recognised() {
        let sql = "CREATE TABLE t (a TEXT CHECK (a IN ('x', 'it''s')), -- CHECK (q IN ('no'))
                   \"b c\" TEXT /* CHECK (q IN ('no')) */ check(\"b c\" in('y')),
                   [d] JSON CHECK(JSON_VALID([d])), CONSTRAINT k CHECK (e IN ('z')))";
        let expected = vec![
            one_of("a", &["x", "it's"]),
            one_of("b c", &["y"]),
            ("d".to_owned(), Check::Json),
            one_of("e", &["z"]),
        ];
        assert_eq!(checks(sql), expected);
    }

    #[test]
    fn anything_else_is_not() {
        for check in [
            "a NOT IN ('x')",
            "a IN ('x') OR b",
            "a IN ('x', 1)",
            "a IN ('x' || 'y')",
            "a IN (SELECT x FROM y)",
            "a IN ()",
            "lower(a) IN ('x')",
            "json_valid(a) OR b",
            "json_valid(a, 6)",
            "(a IN ('x'))",
            "a IN ('x",
        ] {
            assert_eq!(
                checks(&format!("CREATE TABLE t (a, b, CHECK ({check}))")),
                [],
                "{check}"
            );
        }
    }
}
