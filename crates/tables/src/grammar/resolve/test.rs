//! Operators: which of them a type has, and their values.

use crate::grammar::literal;
use crate::grammar::syntax::{Budget, Operation, Parsed};
use crate::query::{Containment, Is, Quantifier, Search, Test};
use crate::schema::{Engine, Type};
use crate::value::Value;

/// Bytes of a pattern. Matching one is work that no engine can be stopped in, and that grows with the product of the
/// lengths of pattern and text.
const MAX_PATTERN: usize = 256;

/// The test that an operation is for a field that holds that.
pub(in crate::grammar) fn resolve_test(
    kind: &Type,
    operation: &Operation,
    engine: Engine,
    patterns: bool,
    budget: &mut Budget,
) -> Parsed<Test> {
    check(kind, operation, engine, patterns)?;
    let value = |text: &str| literal(kind, text, engine);
    match operation {
        Operation::Compare(comparison, None, text) => Ok(Test::Compare(*comparison, value(text)?)),
        Operation::Compare(comparison, Some(quantifier), text) => {
            let values = several(kind, text, engine, budget)?;
            Ok(Test::Quantified(*comparison, *quantifier, values))
        }
        Operation::Like {
            insensitive,
            quantifier: None,
            pattern,
        } => Ok(Test::Like {
            insensitive: *insensitive,
            pattern: like_pattern(pattern)?,
        }),
        Operation::Like {
            insensitive,
            quantifier: Some(quantifier),
            pattern,
        } => Ok(Test::QuantifiedLike {
            insensitive: *insensitive,
            quantifier: *quantifier,
            patterns: texts(pattern, engine, budget)?
                .iter()
                .map(|pattern| like_pattern(pattern))
                .collect::<Parsed<_>>()?,
        }),
        Operation::Match {
            insensitive,
            quantifier,
            pattern,
        } => {
            let patterns = match quantifier {
                None => vec![pattern.clone()],
                Some(_) => texts(pattern, engine, budget)?,
            };
            for pattern in &patterns {
                pattern_fits(pattern)?;
            }
            Ok(Test::Match {
                insensitive: *insensitive,
                patterns,
                quantifier: quantifier.unwrap_or(Quantifier::Any),
            })
        }
        Operation::In(texts) => texts
            .iter()
            .map(|text| value(text))
            .collect::<Parsed<_>>()
            .map(Test::In),
        Operation::InPlaceholder(_) => Err("`in` takes a list: in.(a,b,\"c,d\")".to_owned()),
        Operation::Is(is) => Ok(Test::Is(*is)),
        Operation::Distinct(text) => Ok(Test::Distinct(value(text)?)),
        Operation::Search { form, language, words } => Ok(Test::Search(Search {
            form: *form,
            language: language.clone(),
            words: without_nul(words)?,
        })),
        Operation::Contain(containment, text) => Ok(Test::Contain(*containment, value(text)?)),
        Operation::Range(test, text) => Ok(Test::Range(*test, value(text)?)),
    }
}

/// Whether the type has the operator. What an engine lacks is refused by whoever makes its SQL.
pub(in crate::grammar) fn check(kind: &Type, operation: &Operation, engine: Engine, patterns: bool) -> Parsed<()> {
    let is_text = matches!(kind, Type::Text | Type::Numeric | Type::Any | Type::Other)
        || (matches!(kind, Type::Enumeration(_)) && engine != Engine::Postgres);
    let (name, fits) = match operation {
        Operation::Compare(..) | Operation::Distinct(_) | Operation::In(_) | Operation::InPlaceholder(_) => {
            // PostgreSQL compares jsonb, and has no `=` for json.
            let json = engine == Engine::Postgres && matches!(kind, Type::Json { binary: false });
            ("a comparison", !json && !matches!(kind, Type::Composite))
        }
        Operation::Like { .. } => ("`like`", is_text),
        Operation::Match { .. } if engine == Engine::Sqlite => {
            return Err("this database has no regular expressions; `like` and `ilike` take `*`".to_owned());
        }
        Operation::Match { .. } if !patterns => {
            return Err("regular expressions are not allowed here; `like` and `ilike` take `*`".to_owned());
        }
        Operation::Match { .. } => ("`match`", is_text),
        Operation::Is(Is::Null | Is::NotNull) => return Ok(()),
        Operation::Is(_) => ("`is.true`", matches!(kind, Type::Boolean | Type::Any)),
        Operation::Search { language, .. } => {
            if language.is_some() && engine != Engine::Postgres {
                return Err("this database has no languages for searching".to_owned());
            }
            let fits = matches!(kind, Type::SearchVector | Type::Json { .. });
            ("a search", fits || is_text)
        }
        Operation::Contain(Containment::Overlaps, _) => {
            ("`ov`", matches!(kind, Type::Array(_) | Type::Range | Type::Other))
        }
        Operation::Contain(..) => (
            "containment",
            matches!(kind, Type::Array(_) | Type::Range | Type::Json { .. } | Type::Other),
        ),
        Operation::Range(..) => ("an operator for ranges", matches!(kind, Type::Range | Type::Other)),
    };
    let quantified = matches!(
        operation,
        Operation::Compare(_, Some(_), _) if matches!(kind, Type::Array(_) | Type::Range)
    );
    if fits && !quantified {
        return Ok(());
    }
    Err(format!(
        "{name} doesn't go with a column that holds {}",
        kind.description()
    ))
}

/// `{a,b}`: several values of one type.
fn several(kind: &Type, text: &str, engine: Engine, budget: &mut Budget) -> Parsed<Vec<Value>> {
    let Ok(Value::List(values)) = literal(&Type::Array(Box::new(kind.clone())), text, engine) else {
        return Err(format!(
            "`any` and `all` take a list: {{a,b}}, each {}",
            kind.description()
        ));
    };
    for value in &values {
        budget.listed()?;
        if matches!(value, Value::List(_) | Value::Null) {
            return Err("neither lists nor NULL can be in a list of `any` and `all`".to_owned());
        }
    }
    Ok(values)
}

fn texts(text: &str, engine: Engine, budget: &mut Budget) -> Parsed<Vec<String>> {
    let values = several(&Type::Text, text, engine, budget)?;
    let text = |value| match value {
        Value::Text(text) => text,
        _ => String::new(),
    };
    Ok(values.into_iter().map(text).collect())
}

fn without_nul(text: &str) -> Parsed<String> {
    if text.contains('\0') {
        return Err("a NUL can't be searched for".to_owned());
    }
    Ok(text.to_owned())
}

fn pattern_fits(pattern: &str) -> Parsed<()> {
    if pattern.len() > MAX_PATTERN {
        return Err(format!("the pattern is longer than {MAX_PATTERN} bytes"));
    }
    without_nul(pattern).map(|_| ())
}

/// A pattern in which `*` stands for any text like `%`, and `\` takes the next character as it is.
fn like_pattern(text: &str) -> Parsed<String> {
    pattern_fits(text)?;
    let mut pattern = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => pattern.push('%'),
            '\\' => match characters.next().unwrap_or('\\') {
                literal @ ('%' | '_' | '\\') => pattern.extend(['\\', literal]),
                literal => pattern.push(literal),
            },
            other => pattern.push(other),
        }
    }
    Ok(pattern)
}

#[cfg(test)]
mod tests {
    use super::like_pattern;

    #[test]
    fn stars_are_any_text_where_they_are_not_escaped() {
        for (text, expected) in [
            ("a*", "a%"),
            ("a%_", "a%_"),
            (r"\*\%\_\\", r"*\%\_\\"),
            (r"x\", r"x\\"),
            (r"\a", "a"),
        ] {
            assert_eq!(like_pattern(text).as_deref(), Ok(expected), "{text}");
        }
        assert!(like_pattern(&"a".repeat(257)).is_err());
    }
}
