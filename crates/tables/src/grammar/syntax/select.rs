//! `select`.

use super::scanner::Scanner;
use super::{Budget, Embed, Parsed, Select};
use crate::grammar::shown;
use crate::query::Aggregate;
use crate::schema::{Cast, did_you_mean};

/// The computations, by their names.
const AGGREGATES: [(&str, Aggregate); 5] = [
    ("sum", Aggregate::Sum),
    ("avg", Aggregate::Average),
    ("count", Aggregate::Count),
    ("max", Aggregate::Maximum),
    ("min", Aggregate::Minimum),
];
/// The casts' usual names, for suggestions and errors.
const CASTS: [&str; 18] = [
    "text",
    "boolean",
    "smallint",
    "integer",
    "bigint",
    "real",
    "double precision",
    "numeric",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "json",
    "jsonb",
    "text[]",
    "integer[]",
];

/// Reads all of `select`. An empty one shows nothing of the rows but that they are there.
pub(super) fn parse(text: &str, budget: &mut Budget) -> Parsed<Vec<Select>> {
    let mut scanner = Scanner::new(text);
    scanner.blanks();
    if scanner.at_end() {
        return Ok(Vec::new());
    }
    let items = items(&mut scanner, budget)?;
    scanner.expect_end()?;
    Ok(items)
}

fn items(scanner: &mut Scanner<'_>, budget: &mut Budget) -> Parsed<Vec<Select>> {
    let mut items = Vec::new();
    loop {
        budget.node()?;
        scanner.blanks();
        items.push(item(scanner, budget)?);
        scanner.blanks();
        if !scanner.eat(",") {
            return Ok(items);
        }
    }
}

fn item(scanner: &mut Scanner<'_>, budget: &mut Budget) -> Parsed<Select> {
    if scanner.eat("...") {
        let target = scanner.name()?;
        return embed(scanner, budget, None, target, true);
    }
    if scanner.eat("*") {
        return Ok(Select::Everything);
    }
    let mut name = scanner.name()?;
    let mut alias = None;
    if scanner.rest().starts_with(':') && !scanner.rest().starts_with("::") {
        scanner.eat(":");
        scanner.blanks();
        alias = Some(std::mem::replace(&mut name, scanner.name()?));
    }
    if name == "count" && scanner.eat("()") {
        return Ok(Select::Count {
            alias,
            cast: cast(scanner)?,
        });
    }
    if matches!(scanner.peek(), Some('!' | '(')) {
        return embed(scanner, budget, alias, name, false);
    }
    let (steps, as_text) = scanner.path()?;
    let field = super::Field {
        column: name,
        steps,
        as_text,
    };
    let inner = cast(scanner)?;
    let aggregate = if scanner.eat(".") {
        Some((aggregate(scanner)?, cast(scanner)?))
    } else {
        None
    };
    Ok(Select::Field {
        alias,
        field,
        cast: inner,
        aggregate,
    })
}

/// Reads `!hint!inner(…)`.
fn embed(
    scanner: &mut Scanner<'_>,
    budget: &mut Budget,
    alias: Option<String>,
    target: String,
    spread: bool,
) -> Parsed<Select> {
    let (mut hint, mut join) = (None, None);
    while scanner.eat("!") {
        let word = scanner.name()?;
        match word.as_str() {
            "inner" | "left" if join.is_none() => join = Some(word),
            _ if hint.is_none() => hint = Some(word),
            _ => return Err("an embed takes one hint, and `!inner` or `!left`".to_owned()),
        }
    }
    scanner.expect("(")?;
    scanner.blanks();
    let items = if scanner.eat(")") {
        Vec::new()
    } else {
        let items = budget.deeper(|budget| items(scanner, budget))?;
        scanner.expect(")")?;
        items
    };
    Ok(Select::Embed(Embed {
        alias,
        target,
        hint,
        inner: join.is_some_and(|join| join == "inner"),
        spread,
        items,
    }))
}

fn aggregate(scanner: &mut Scanner<'_>) -> Parsed<Aggregate> {
    let name = scanner.take_while(|character| character.is_ascii_alphabetic());
    let known = AGGREGATES.iter().find(|(known, _)| *known == name);
    match known {
        Some((_, aggregate)) if scanner.eat("()") => Ok(*aggregate),
        Some(_) => Err(scanner.expected("`()`")),
        None => {
            let names = AGGREGATES.map(|(name, _)| name);
            let suggestion = did_you_mean(name, names.into_iter());
            Err(format!(
                "`.{}` is none of {}, with `()`{suggestion}",
                shown(name),
                names.join(", ")
            ))
        }
    }
}

fn cast(scanner: &mut Scanner<'_>) -> Parsed<Option<Cast>> {
    if !scanner.eat("::") {
        return Ok(None);
    }
    let start = scanner.rest();
    scanner.take_while(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | ' '));
    scanner.eat("[]");
    let name = start[..start.len() - scanner.rest().len()].trim();
    match Cast::named(&name.to_ascii_lowercase()) {
        Some(cast) => Ok(Some(cast)),
        None => {
            let suggestion = did_you_mean(name, CASTS.into_iter());
            Err(format!("`{}` is no type to cast to{suggestion}", shown(name)))
        }
    }
}
