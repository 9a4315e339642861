//! `order`.

use super::scanner::Scanner;
use super::{Budget, Parsed, Term};
use crate::query::Nulls;

/// Reads `a.desc.nullslast,b->c,embed(d)`.
pub(super) fn parse(text: &str, budget: &mut Budget) -> Parsed<Vec<Term>> {
    let mut scanner = Scanner::new(text);
    let mut terms = Vec::new();
    loop {
        budget.node()?;
        terms.push(term(&mut scanner)?);
        scanner.blanks();
        if scanner.at_end() {
            return Ok(terms);
        }
        scanner.expect(",")?;
    }
}

fn term(scanner: &mut Scanner<'_>) -> Parsed<Term> {
    let mut field = scanner.field()?;
    let mut embed = None;
    if field.steps.is_empty() && scanner.eat("(") {
        embed = Some(field.column);
        field = scanner.field()?;
        scanner.expect(")")?;
    }
    let (mut descending, mut nulls, mut directed) = (false, Nulls::Largest, false);
    while scanner.eat(".") {
        let place = scanner.rest();
        let word = scanner.take_while(|character| character.is_ascii_alphanumeric());
        match word {
            "asc" | "desc" if !directed && nulls == Nulls::Largest => {
                directed = true;
                descending = word == "desc";
            }
            "nullsfirst" if nulls == Nulls::Largest => nulls = Nulls::First,
            "nullslast" if nulls == Nulls::Largest => nulls = Nulls::Last,
            _ => {
                let what = if directed {
                    "nullsfirst or nullslast"
                } else {
                    "asc, desc, nullsfirst or nullslast"
                };
                return Err(Scanner::new(place).expected(what));
            }
        }
    }
    Ok(Term {
        embed,
        field,
        descending,
        nulls,
    })
}
