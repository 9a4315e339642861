//! `like` and regular expressions. With `like` and `match`, letters are told from capitals on every engine.

use portcullis_core::Result;

use super::dialect::Dialect;
use super::field::Operand;
use super::write::{Writer, unsupported};
use crate::query::Quantifier;
use crate::value::Value;

impl Writer<'_> {
    /// Whether the field matches the pattern.
    pub(crate) fn like(&mut self, operand: Operand<'_>, insensitive: bool, pattern: &str) {
        match (self.dialect(), insensitive) {
            (Dialect::Postgres, false) => self.operand_as_text(operand).words(" LIKE ").text_pattern(pattern),
            (Dialect::Postgres, true) => self.operand_as_text(operand).words(" ILIKE ").text_pattern(pattern),
            // SQLite's LIKE takes capitals and small letters for the same; GLOB tells them apart.
            (Dialect::Sqlite, false) => {
                let pattern = glob_of(pattern);
                self.operand(operand).words(" GLOB ").text_pattern(&pattern)
            }
            (Dialect::Sqlite, true) => self
                .operand(operand)
                .words(" LIKE ")
                .text_pattern(pattern)
                .words(" ESCAPE '\\'"),
            // The first of the two is there for an index, which has the column's own collation.
            (Dialect::MariaDb { .. }, false) => {
                self.operand(operand)
                    .words(" LIKE ")
                    .text_pattern(pattern)
                    .words(" AND ");
                self.operand(operand)
                    .words(" LIKE ")
                    .text_pattern(pattern)
                    .words(" COLLATE utf8mb4_bin")
            }
            // A collation that takes capitals for small letters would take accents for nothing as well.
            (Dialect::MariaDb { .. }, true) => {
                self.words("LOWER(")
                    .operand(operand)
                    .words(") LIKE LOWER(")
                    .text_pattern(pattern);
                self.words(") COLLATE utf8mb4_bin")
            }
        };
    }

    /// Whether the field matches one of the patterns, or all.
    pub(crate) fn quantified_like(
        &mut self,
        operand: Operand<'_>,
        insensitive: bool,
        quantifier: Quantifier,
        patterns: &[String],
    ) {
        if self.dialect() == Dialect::Postgres {
            self.operand_as_text(operand)
                .words(if insensitive { " ILIKE " } else { " LIKE " });
            self.quantified_list(quantifier, texts(patterns));
            return;
        }
        self.each(quantifier, patterns, |writer, pattern| {
            writer.like(operand, insensitive, pattern);
        });
    }

    /// Whether the field matches one of the regular expressions, or all.
    ///
    /// # Errors
    /// `bad_query` where the engine has none.
    pub(crate) fn regular(
        &mut self,
        operand: Operand<'_>,
        insensitive: bool,
        quantifier: Quantifier,
        patterns: &[String],
    ) -> Result<()> {
        match (self.dialect(), patterns) {
            (Dialect::Postgres, [pattern]) => {
                self.operand_as_text(operand)
                    .words(if insensitive { " ~* " } else { " ~ " });
                self.text_pattern(pattern);
            }
            (Dialect::Postgres, _) => {
                self.operand_as_text(operand)
                    .words(if insensitive { " ~* " } else { " ~ " });
                self.quantified_list(quantifier, texts(patterns));
            }
            (Dialect::Sqlite, _) => {
                return Err(unsupported(
                    "`match`, `imatch`: this database has no regular expressions",
                ));
            }
            (Dialect::MariaDb { .. }, _) => self.each(quantifier, patterns, |writer, pattern| {
                writer.operand(operand).words(" REGEXP ").text_pattern(pattern);
                writer.words(if insensitive {
                    " COLLATE utf8mb4_general_ci"
                } else {
                    " COLLATE utf8mb4_bin"
                });
            }),
        }
        Ok(())
    }

    fn text_pattern(&mut self, pattern: &str) -> &mut Self {
        self.value(Value::Text(pattern.to_owned()))
    }
}

fn texts(patterns: &[String]) -> Value {
    Value::List(patterns.iter().cloned().map(Value::Text).collect())
}

/// A pattern of LIKE, in which `\` takes the next character as it is, as a pattern of GLOB.
fn glob_of(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '%' => {
                glob.push('*');
                continue;
            }
            '_' => {
                glob.push('?');
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if matches!(literal, '*' | '?' | '[') {
            glob.extend(['[', literal, ']']);
        } else {
            glob.push(literal);
        }
    }
    glob
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_the_same_to_glob() {
        for (pattern, glob) in [
            ("a%", "a*"),
            ("_b", "?b"),
            ("50\\%", "50%"),
            ("a*b?c[d", "a[*]b[?]c[[]d"),
            ("\\*", "[*]"),
            ("\\", "\\"),
        ] {
            assert_eq!(glob_of(pattern), glob, "{pattern}");
        }
    }
}
