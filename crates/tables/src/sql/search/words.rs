//! The words of a search, for engines that don't read PostgreSQL's forms of them: as FTS5 and the boolean mode of
//! MariaDB write them. Every word is put in quotes, so that none is an operator.

use portcullis_core::Result;

use super::super::write::unsupported;
use crate::query::{Search, SearchForm};

/// Groups, of which one must be found.
#[derive(Debug, PartialEq)]
pub(super) struct Words {
    groups: Vec<Vec<Term>>,
}

/// Words in a row.
#[derive(Debug, PartialEq)]
struct Term {
    /// The words.
    words: String,
    /// Whether they may not be found.
    negated: bool,
    /// Whether the last one is the beginning of a word.
    prefix: bool,
}

impl Words {
    /// Reads what is searched for.
    ///
    /// # Errors
    /// `bad_query` where nothing can be searched for by it: no word, or only words that may not be found.
    pub(super) fn read(search: &Search) -> Result<Words> {
        let groups = match search.form {
            SearchForm::Plain => vec![words_of(&search.words).into_iter().map(Term::of).collect()],
            SearchForm::Phrase => vec![vec![Term::of(words_of(&search.words).join(" "))]],
            SearchForm::Web => read_web(&search.words),
            SearchForm::Query => read_query(&search.words)?,
        };
        let usable = |group: &Vec<Term>| group.iter().any(|term| !term.negated && !term.words.is_empty());
        if groups.is_empty() || !groups.iter().all(usable) {
            return Err(unsupported("`fts`: there is no word to search for"));
        }
        Ok(Words { groups })
    }

    /// As a query of FTS5.
    pub(super) fn to_fts5(&self) -> String {
        let group = |group: &Vec<Term>| {
            let term = |term: &Term| format!("\"{}\"{}", term.words, if term.prefix { "*" } else { "" });
            let wanted: Vec<String> = group.iter().filter(|term| !term.negated).map(term).collect();
            let mut text = format!("({})", wanted.join(" AND "));
            for unwanted in group.iter().filter(|term| term.negated) {
                text = format!("({text} NOT {})", term(unwanted));
            }
            text
        };
        self.groups.iter().map(group).collect::<Vec<_>>().join(" OR ")
    }

    /// As MariaDB's boolean mode reads it.
    pub(super) fn to_boolean_mode(&self) -> String {
        let group = |group: &Vec<Term>| {
            let term = |term: &Term| {
                let sign = if term.negated { '-' } else { '+' };
                if term.prefix {
                    format!("{sign}{}*", term.words)
                } else {
                    format!("{sign}\"{}\"", term.words)
                }
            };
            format!("({})", group.iter().map(term).collect::<Vec<_>>().join(" "))
        };
        self.groups.iter().map(group).collect::<Vec<_>>().join(" ")
    }
}

impl Term {
    fn of(words: impl Into<String>) -> Term {
        Term {
            words: words.into(),
            negated: false,
            prefix: false,
        }
    }
}

/// The words of a text: what is neither letter nor digit parts them.
fn words_of(text: &str) -> Vec<&str> {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect()
}

/// As people write searches: `"words in a row"`, `or`, `-without`.
fn read_web(text: &str) -> Vec<Vec<Term>> {
    let mut groups = vec![Vec::new()];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (negated, unsigned) = match rest.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, rest),
        };
        let (words, quoted, after) = match unsigned.strip_prefix('"') {
            Some(inner) => {
                let (words, after) = inner.split_once('"').unwrap_or((inner, ""));
                (words, true, after)
            }
            None => {
                let end = unsigned.find([' ', '"']).unwrap_or(unsigned.len());
                (&unsigned[..end], false, &unsigned[end..])
            }
        };
        if !quoted && !negated && words.eq_ignore_ascii_case("or") {
            groups.push(Vec::new());
        } else {
            let words = words_of(words).join(" ");
            if !words.is_empty() {
                let group = groups.last_mut().expect("there is one from the beginning");
                group.push(Term {
                    words,
                    negated,
                    prefix: false,
                });
            }
        }
        rest = after.trim_start();
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// PostgreSQL's `to_tsquery`, without parentheses: `fat & rat | !cat`, `super:*`, `fat <-> rat`.
fn read_query(text: &str) -> Result<Vec<Vec<Term>>> {
    if text.contains(['(', ')']) {
        return Err(unsupported(
            "`fts`: this database knows no parentheses; use `wfts`, or `or=(…)`",
        ));
    }
    let term = |text: &str| {
        let (negated, text) = match text.trim().strip_prefix('!') {
            Some(text) => (true, text),
            None => (false, text.trim()),
        };
        let (prefix, text) = match text.strip_suffix(":*") {
            Some(text) => (true, text),
            None => (false, text),
        };
        let words = words_of(&text.replace("<->", " ")).join(" ");
        Term {
            prefix: prefix && !words.contains(' '),
            words,
            negated,
        }
    };
    let group = |text: &str| text.split('&').map(term).collect::<Vec<_>>();
    let groups: Vec<Vec<Term>> = text.split('|').map(group).collect();
    if groups.iter().flatten().any(|term| term.words.is_empty()) {
        return Err(unsupported("`fts`: words stand between `&` and `|`"));
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: SearchForm, words: &str) -> Option<Words> {
        Words::read(&Search {
            form,
            language: None,
            words: words.to_owned(),
        })
        .ok()
    }

    #[test]
    fn words_are_quoted_for_both_engines() {
        for (form, words, fts5, boolean) in [
            (
                SearchForm::Plain,
                "fat +rat*",
                r#"("fat" AND "rat")"#,
                r#"(+"fat" +"rat")"#,
            ),
            (SearchForm::Phrase, "fat \"rat", r#"("fat rat")"#, r#"(+"fat rat")"#),
            (
                SearchForm::Web,
                "\"fat rat\" -dog or cat",
                r#"(("fat rat") NOT "dog") OR ("cat")"#,
                r#"(+"fat rat" -"dog") (+"cat")"#,
            ),
            (
                SearchForm::Query,
                "fat & !rat | ca:*",
                r#"(("fat") NOT "rat") OR ("ca"*)"#,
                r#"(+"fat" -"rat") (+ca*)"#,
            ),
            (SearchForm::Query, "fat<->rat", r#"("fat rat")"#, r#"(+"fat rat")"#),
        ] {
            let read = read(form, words).expect("there are words");
            assert_eq!(
                (read.to_fts5().as_str(), read.to_boolean_mode().as_str()),
                (fts5, boolean),
                "{words}"
            );
        }
    }

    #[test]
    fn nothing_to_search_for_is_refused() {
        for (form, words) in [
            (SearchForm::Plain, "+*\""),
            (SearchForm::Phrase, ""),
            (SearchForm::Web, "-fat"),
            (SearchForm::Web, "or"),
            (SearchForm::Query, "fat & (rat)"),
            (SearchForm::Query, "fat &"),
            (SearchForm::Query, "!fat"),
        ] {
            assert_eq!(read(form, words), None, "{words}");
        }
    }
}
