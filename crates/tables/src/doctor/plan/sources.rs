//! Which tables a statement reads: plans name them by the names that the statement gave them.

use crate::schema::Engine;

/// Most statements read a few tables.
const MOST: usize = 256;

/// The tables of a statement.
pub(super) struct Sources(Vec<Source>);

struct Source {
    relation: String,
    alias: Option<String>,
    /// Whether its rows pass no condition and end at a limit.
    walks: bool,
}

impl Sources {
    pub(super) fn of(engine: Engine, statement: &str) -> Sources {
        let quote = if engine.is_mysql_like() { b'`' } else { b'"' };
        let bytes = statement.as_bytes();
        let mut found = Vec::new();
        let mut at = 0;
        while at < bytes.len() && found.len() < MOST {
            match bytes[at] {
                // Texts hold what looks like names.
                b'\'' => at = end_of(bytes, at, b'\''),
                byte if byte == quote => {
                    let follows = ["FROM ", "JOIN ", "UPDATE ", "INTO "];
                    let is_source = follows.iter().any(|word| statement[..at].ends_with(word));
                    let (relation, end) = name(statement, at, quote);
                    if is_source {
                        found.push(source(statement, relation, end));
                    }
                    at = end;
                }
                _ => at += 1,
            }
        }
        Sources(found)
    }

    /// The table of that name or alias; none where it is something else, such as a statement within the statement.
    pub(super) fn relation(&self, name: &str) -> Option<&str> {
        let by_alias = self.0.iter().find(|source| source.alias.as_deref() == Some(name));
        let found = by_alias.or_else(|| self.0.iter().find(|source| source.relation.eq_ignore_ascii_case(name)))?;
        Some(&found.relation)
    }

    /// Whether the statement reads that table once, with no condition, up to a limit.
    pub(super) fn only_walks(&self, relation: &str) -> bool {
        let mut of_it = self.0.iter().filter(|source| source.relation == relation);
        of_it.next().is_some_and(|source| source.walks) && of_it.next().is_none()
    }
}

/// The last part of a quoted name of one or more parts that begins there, and where what follows begins.
fn name(statement: &str, start: usize, quote: u8) -> (String, usize) {
    let bytes = statement.as_bytes();
    let mut begin = start;
    loop {
        let end = end_of(bytes, begin, quote);
        if bytes.get(end) == Some(&b'.') && bytes.get(end + 1) == Some(&quote) {
            begin = end + 1;
            continue;
        }
        let quote = char::from(quote);
        let inner = statement.get(begin + 1..end.saturating_sub(1)).unwrap_or_default();
        return (inner.replace(&format!("{quote}{quote}"), &quote.to_string()), end);
    }
}

/// Where what follows the quoted text begins that starts at `start`. A doubled quote stands for itself.
fn end_of(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

fn source(statement: &str, relation: String, end: usize) -> Source {
    let rest = &statement[end..];
    let after = rest
        .strip_prefix(" AS ")
        .or_else(|| rest.strip_prefix(' '))
        .unwrap_or_default();
    let word: String = after.chars().take_while(char::is_ascii_alphanumeric).collect();
    let is_alias = word
        .strip_prefix('t')
        .is_some_and(|number| number.parse::<u32>().is_ok());
    let clauses = clauses(rest);
    Source {
        relation,
        alias: is_alias.then_some(word),
        walks: clauses.contains(" LIMIT ") && !clauses.contains(" WHERE ") && !clauses.contains(" JOIN "),
    }
}

/// What follows a table within the same parentheses, without what is in parentheses itself.
fn clauses(rest: &str) -> String {
    let mut depth = 0_u32;
    let mut clauses = String::new();
    for character in rest.chars() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            _ if depth == 0 => clauses.push(character),
            _ => {}
        }
    }
    clauses
}
