//! Conditions: `operator.value` of a parameter, and the trees of `and` and `or`.

use super::scanner::{Scanner, placeholder};
use super::{Budget, Condition, Operation, Parsed};
use crate::grammar::shown;
use crate::query::{Comparison, Containment, Is, Quantifier, RangeTest, SearchForm};
use crate::schema::did_you_mean;

/// The operators, by their names.
const OPERATORS: [(&str, Operator); 25] = [
    ("eq", Operator::Compare(Comparison::Equal)),
    ("neq", Operator::Compare(Comparison::NotEqual)),
    ("gt", Operator::Compare(Comparison::Greater)),
    ("gte", Operator::Compare(Comparison::GreaterOrEqual)),
    ("lt", Operator::Compare(Comparison::Less)),
    ("lte", Operator::Compare(Comparison::LessOrEqual)),
    ("like", Operator::Like(false)),
    ("ilike", Operator::Like(true)),
    ("match", Operator::Match(false)),
    ("imatch", Operator::Match(true)),
    ("in", Operator::In),
    ("is", Operator::Is),
    ("isdistinct", Operator::Distinct),
    ("fts", Operator::Search(SearchForm::Query)),
    ("plfts", Operator::Search(SearchForm::Plain)),
    ("phfts", Operator::Search(SearchForm::Phrase)),
    ("wfts", Operator::Search(SearchForm::Web)),
    ("cs", Operator::Contain(Containment::Contains)),
    ("cd", Operator::Contain(Containment::ContainedIn)),
    ("ov", Operator::Contain(Containment::Overlaps)),
    ("sl", Operator::Range(RangeTest::StrictlyLeft)),
    ("sr", Operator::Range(RangeTest::StrictlyRight)),
    ("nxr", Operator::Range(RangeTest::NotRight)),
    ("nxl", Operator::Range(RangeTest::NotLeft)),
    ("adj", Operator::Range(RangeTest::Adjacent)),
];

#[derive(Clone, Copy)]
enum Operator {
    Compare(Comparison),
    Like(bool),
    Match(bool),
    In,
    Is,
    Distinct,
    Search(SearchForm),
    Contain(Containment),
    Range(RangeTest),
}

/// What stands in the parentheses behind an operator.
enum Parenthesis {
    None,
    Quantifier(Quantifier),
    Language(String),
}

/// Where a condition stands, which decides where its value ends.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    /// The value is all that is left.
    Parameter,
    /// `,` and `)` end it.
    Tree,
}

/// Reads `not.eq.5`, the whole text of a parameter.
pub(super) fn parse_test(text: &str, budget: &mut Budget) -> Parsed<(bool, Operation)> {
    budget.node()?;
    operation(&mut Scanner::new(text), Within::Parameter, budget)
}

/// Reads `(a.eq.1,or(b.lt.2,not.and(…)))`, the whole text of a parameter.
pub(super) fn parse_group(text: &str, negated: bool, any: bool, budget: &mut Budget) -> Parsed<Condition> {
    budget.node()?;
    let mut scanner = Scanner::new(text);
    scanner.blanks();
    let parts = parts(&mut scanner, budget)?;
    scanner.expect_end()?;
    Ok(Condition::Group { negated, any, parts })
}

fn parts(scanner: &mut Scanner<'_>, budget: &mut Budget) -> Parsed<Vec<Condition>> {
    scanner.expect("(")?;
    let mut parts = Vec::new();
    loop {
        scanner.blanks();
        parts.push(budget.deeper(|budget| condition(scanner, budget))?);
        scanner.blanks();
        if scanner.eat(")") {
            scanner.blanks();
            return Ok(parts);
        }
        scanner.expect(",")?;
    }
}

fn condition(scanner: &mut Scanner<'_>, budget: &mut Budget) -> Parsed<Condition> {
    budget.node()?;
    if let Some((negated, any)) = group_begins(scanner) {
        let parts = parts(scanner, budget)?;
        return Ok(Condition::Group { negated, any, parts });
    }
    let field = scanner.field()?;
    scanner.expect(".")?;
    let (negated, operation) = operation(scanner, Within::Tree, budget)?;
    Ok(Condition::Test {
        field,
        negated,
        operation,
    })
}

/// Reads `and`, `or`, `not.and` or `not.or` where a parenthesis follows: no column's test can begin so.
fn group_begins(scanner: &mut Scanner<'_>) -> Option<(bool, bool)> {
    let place = scanner.place();
    let negated = scanner.eat("not.");
    for (word, any) in [("and", false), ("or", true)] {
        if scanner.eat(word) {
            scanner.blanks();
            if scanner.peek() == Some('(') {
                return Some((negated, any));
            }
        }
    }
    scanner.back_to(place);
    None
}

fn operation(scanner: &mut Scanner<'_>, within: Within, budget: &mut Budget) -> Parsed<(bool, Operation)> {
    let negated = scanner.eat("not.");
    let (operator, option) = operator(scanner)?;
    let quantifier = match option {
        Parenthesis::Quantifier(quantifier) => Some(quantifier),
        _ => None,
    };
    let operation = match operator {
        // Only a rule has a placeholder in the list's place: a client's is refused by what resolves it.
        Operator::In if placeholder(scanner.rest()).is_some() => {
            Operation::InPlaceholder(value(scanner, within, budget)?)
        }
        Operator::In => Operation::In(scanner.list(budget)?),
        Operator::Is => Operation::Is(is(scanner)?),
        Operator::Compare(comparison) => Operation::Compare(comparison, quantifier, value(scanner, within, budget)?),
        Operator::Like(insensitive) => Operation::Like {
            insensitive,
            quantifier,
            pattern: value(scanner, within, budget)?,
        },
        Operator::Match(insensitive) => Operation::Match {
            insensitive,
            quantifier,
            pattern: value(scanner, within, budget)?,
        },
        Operator::Distinct => Operation::Distinct(value(scanner, within, budget)?),
        Operator::Search(form) => Operation::Search {
            form,
            language: match option {
                Parenthesis::Language(language) => Some(language),
                _ => None,
            },
            words: value(scanner, within, budget)?,
        },
        Operator::Contain(containment) => Operation::Contain(containment, value(scanner, within, budget)?),
        Operator::Range(test) => Operation::Range(test, value(scanner, within, budget)?),
    };
    if within == Within::Parameter {
        scanner.expect_end()?;
    }
    Ok((negated, operation))
}

/// Reads an operator with the dot behind it.
fn operator(scanner: &mut Scanner<'_>) -> Parsed<(Operator, Parenthesis)> {
    let word = scanner.take_while(|character| character.is_ascii_alphanumeric() || character == '_');
    let Some((_, operator)) = OPERATORS.iter().find(|(known, _)| *known == word) else {
        return Err(unknown_operator(word));
    };
    let option = if scanner.eat("(") {
        option(scanner, *operator, word)?
    } else {
        Parenthesis::None
    };
    if !scanner.eat(".") {
        return Err(unknown_operator(word));
    }
    Ok((*operator, option))
}

fn unknown_operator(word: &str) -> String {
    let names = OPERATORS.map(|(name, _)| name);
    if names.contains(&word) {
        return format!("a dot and a value are expected behind `{word}`");
    }
    let suggestion = did_you_mean(word, names.into_iter());
    let known = names.join(", ");
    format!(
        "`{}` is none of the operators {known}, with a dot and a value{suggestion}",
        shown(word)
    )
}

fn option(scanner: &mut Scanner<'_>, operator: Operator, word: &str) -> Parsed<Parenthesis> {
    let text = scanner.take_while(|character| character != ')');
    scanner.expect(")")?;
    let quantified = !matches!(operator, Operator::Compare(Comparison::NotEqual));
    match (operator, text) {
        (Operator::Compare(_) | Operator::Like(_) | Operator::Match(_), "any") if quantified => {
            Ok(Parenthesis::Quantifier(Quantifier::Any))
        }
        (Operator::Compare(_) | Operator::Like(_) | Operator::Match(_), "all") if quantified => {
            Ok(Parenthesis::Quantifier(Quantifier::All))
        }
        // A name of a configuration of text search. It is bound as a value, but it is also what PostgreSQL casts to
        // `regconfig`, which takes quotes and dots: neither is needed.
        (Operator::Search(_), language)
            if !language.is_empty()
                && language.len() <= 63
                && language
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') =>
        {
            Ok(Parenthesis::Language(language.to_owned()))
        }
        _ => Err(format!("`{word}` doesn't take `({})`", shown(text))),
    }
}

fn value(scanner: &mut Scanner<'_>, within: Within, budget: &Budget) -> Parsed<String> {
    let value = match within {
        Within::Parameter => scanner.take_while(|_| true).to_owned(),
        Within::Tree => tree_value(scanner),
    };
    budget.value(&value)?;
    Ok(value)
}

/// Reads a value that `,` or `)` ends: in quotes, as an array in braces, or up to there.
fn tree_value(scanner: &mut Scanner<'_>) -> String {
    if let Some(quoted) = scanner.quoted_item() {
        return quoted;
    }
    let place = scanner.place();
    if scanner.eat("{") {
        let inner = scanner.take_while(|character| !"{}".contains(character));
        if scanner.eat("}") && matches!(scanner.peek(), None | Some(',' | ')' | ' ')) {
            return format!("{{{inner}}}");
        }
    }
    scanner.back_to(place);
    scanner.take_while(|character| !",)".contains(character)).to_owned()
}

fn is(scanner: &mut Scanner<'_>) -> Parsed<Is> {
    let word = scanner.take_while(|character| character.is_ascii_alphabetic() || character == '_');
    match word.to_ascii_lowercase().as_str() {
        "null" => Ok(Is::Null),
        "not_null" => Ok(Is::NotNull),
        "true" => Ok(Is::True),
        "false" => Ok(Is::False),
        "unknown" => Ok(Is::Unknown),
        _ => Err("`is` takes null, not_null, true, false or unknown".to_owned()),
    }
}
